import { expect, test } from '@jest/globals';
import { onBothExpress } from '@portcullis/test-support';
import { asPrincipal, startTestServer } from '../src/testing.js';

onBothExpress((express) => {
  test('asPrincipal() identifies every request, and a test server answers until it is closed', async () => {
    const app = express();
    app.use(asPrincipal({ id: 'ada', roles: ['staff'] }));
    app.get('/', (req, res) => void res.json(req.security.principal));
    const { url, close } = await startTestServer(app);
    const answer = await fetch(url);
    expect(await answer.json()).toMatchObject({ id: 'ada', kind: 'user', roles: ['staff'] });
    await close();
    await expect(fetch(url)).rejects.toThrow();
  });
});

test('asPrincipal() cannot be built in production: it asks nobody', () => {
  const before = process.env['NODE_ENV'];
  process.env['NODE_ENV'] = 'production';
  try {
    expect(() => asPrincipal()).toThrow('for tests only');
  } finally {
    process.env['NODE_ENV'] = before;
  }
});
