import { describe, expect, test } from '@jest/globals';
import { onBothExpress } from '@portcullis/test-support';
import type { Response } from 'express';
import { mkdtempSync, rmSync } from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import request from 'supertest';
import { context, ensureContext, OptionError, type TrustProxy } from '../src/index.js';

onBothExpress((express) => {
  /** `theirs` is what the app itself says, if it says something. */
  function appWith(trustProxy: TrustProxy, ...theirs: readonly unknown[]) {
    const app = express();
    if (theirs.length > 0) app.set('trust proxy', theirs[0]);
    app.use(context({ trustProxy }));
    app.get('/', (req, res) => {
      const { address, secure, requestId, principal } = req.security;
      res.json({ ip: address.ip, secure, requestId, principal, express: [req.ip, req.protocol] });
    });
    app.use((error: { code?: string; status?: number }, _req: unknown, res: Response, _next: unknown) => {
      res.status(error.status ?? 500).json({ code: error.code });
    });
    return app;
  }

  test('without proxies the socket is the client, whatever the headers claim', async () => {
    const response = await request(appWith(false))
      .get('/')
      .set('X-Forwarded-For', '203.0.113.9')
      .set('X-Forwarded-Proto', 'https');
    expect(response.body).toMatchObject({ ip: '127.0.0.1', secure: false, principal: { kind: 'anonymous' } });
    expect(response.headers['x-request-id']).toBe(response.body.requestId);
  });

  test('the client is the right-most hop that is no proxy of ours: rotated left parts change nothing', async () => {
    const app = appWith(['loopback', '10.0.0.0/8']);
    for (const forged of ['1.1.1.1', '2.2.2.2', '::1, 9.9.9.9']) {
      const response = await request(app).get('/').set('X-Forwarded-For', `${forged}, 203.0.113.9, 10.0.0.3`);
      expect(response.body.ip).toBe('203.0.113.9');
    }
  });

  test('a number of hops is counted from the socket', async () => {
    const app = appWith(2);
    const response = await request(app).get('/').set('X-Forwarded-For', '6.6.6.6, 203.0.113.9, 198.51.100.2');
    expect(response.body.ip).toBe('203.0.113.9');
    const direct = await request(app).get('/');
    expect(direct.body.ip).toBe('127.0.0.1');
  });

  test('TLS is taken from the proxy next to us only', async () => {
    const app = appWith(1);
    const secure = await request(app)
      .get('/')
      .set('X-Forwarded-Proto', 'http, https')
      .set('X-Forwarded-For', '203.0.113.9');
    expect(secure.body.secure).toBe(true);
    const forged = await request(app)
      .get('/')
      .set('X-Forwarded-Proto', 'https, http')
      .set('X-Forwarded-For', '203.0.113.9');
    expect(forged.body.secure).toBe(false);
  });

  test.each([
    'unknown',
    '1.2.3.4, ,',
    '1.2.3.4,,5.6.7.8',
    '999.1.1.1',
    "' or 1=1",
    Array(40).fill('1.2.3.4').join(','),
  ])('a malformed forwarded chain is refused with 400: %s', async (chain) => {
    const response = await request(appWith(32)).get('/').set('X-Forwarded-For', chain);
    expect([response.status, response.body.code]).toEqual([400, 'E_FORWARDED_MALFORMED']);
  });

  describe('a peer without an address', () => {
    async function overUnixSocket(trustProxy: TrustProxy, headers: Record<string, string>) {
      const folder = mkdtempSync(join(tmpdir(), 'portcullis-context-'));
      const socketPath = join(folder, 'http.sock');
      const server = appWith(trustProxy).listen(socketPath);
      try {
        await new Promise((resolve) => server.once('listening', resolve));
        const response = await new Promise<IncomingMessage>((resolve, reject) => {
          get({ socketPath, headers, agent: false }, resolve).on('error', reject);
        });
        let text = '';
        for await (const chunk of response) text += String(chunk);
        return { status: response.statusCode, body: JSON.parse(text) as { ip?: string; code?: string } };
      } finally {
        await new Promise((resolve) => server.close(resolve));
        rmSync(folder, { recursive: true });
      }
    }

    test('a proxy on a Unix socket is one of the hops that are counted', async () => {
      const headers = { 'X-Forwarded-For': '6.6.6.6, 203.0.113.9', 'X-Forwarded-Proto': 'https' };
      const { body } = await overUnixSocket(1, headers);
      expect(body).toMatchObject({ ip: '203.0.113.9', secure: true });
    });

    test.each<[string, TrustProxy, Record<string, string>]>([
      ['no proxy is trusted', false, { 'X-Forwarded-For': '203.0.113.9' }],
      ['only networks are', ['loopback'], { 'X-Forwarded-For': '203.0.113.9' }],
      ['the proxy says nothing', 1, {}],
    ])('otherwise nobody is invented: 400 where %s', async (_where, trustProxy, headers) => {
      const { status, body } = await overUnixSocket(trustProxy, headers);
      expect([status, body.code]).toEqual([400, 'E_ADDRESS_UNKNOWN']);
    });

    test('who sends a request and resets the connection does not act under an address that is not theirs', () => {
      const gone = { headers: {}, socket: { remoteAddress: undefined, destroyed: true } };
      const ends: unknown[] = [];
      context({ trustProxy: false })(gone as never, { setHeader: () => undefined } as never, (end) =>
        ends.push(end),
      );
      expect(ends).toEqual([expect.objectContaining({ code: 'E_ADDRESS_UNKNOWN', status: 400 })]);
    });
  });

  test('an app that says nothing about proxies takes the setting over, as a mounted one and as a parent too', async () => {
    const parent = express();
    parent.use('/mounted', appWith(1));
    const below = express();
    below.use(context({ trustProxy: 1 }), appWith(1));
    const hops = { 'X-Forwarded-For': '6.6.6.6, 203.0.113.9', 'X-Forwarded-Proto': 'https' };
    for (const [app, path] of [
      [appWith(['loopback']), '/'],
      [appWith(1), '/'],
      [appWith(1, 1), '/'],
      [parent, '/mounted/'],
      [below, '/'],
    ] as const) {
      const { body } = await request(app).get(path).set(hops);
      expect(body).toMatchObject({ ip: '203.0.113.9', express: ['203.0.113.9', 'https'] });
    }
    const { body } = await request(appWith(false)).get('/').set(hops);
    expect(body).toMatchObject({ ip: '127.0.0.1', express: ['127.0.0.1', 'http'] });
  });

  test("every request is refused while the app's own 'trust proxy' says something else", async () => {
    for (const [ours, theirs] of [
      [false, true],
      [false, 1],
      [1, false],
      [['10.0.0.0/8'], 1],
      [['loopback'], ['loopback', '203.0.113.9']],
    ] as const) {
      const app = appWith(ours as TrustProxy, theirs as unknown);
      for (let i = 0; i < 2; i++) {
        const response = await request(app).get('/');
        expect([response.status, response.body.code]).toEqual([500, 'E_TRUST_PROXY_MISMATCH']);
      }
    }
  });

  test('a request id is taken over only when asked for, and only if it is harmless', async () => {
    const app = express();
    app.use(context({ trustProxy: false, trustRequestId: true }));
    app.get('/', (_req, res) => void res.end());
    const id = async (value: string) =>
      (await request(app).get('/').set('X-Request-Id', value)).headers['x-request-id'];
    expect(await id('client-id-1234')).toBe('client-id-1234');
    for (const bad of ['short', 'has space in it', '<script>alert(1)</script>', 'x'.repeat(129)]) {
      expect(await id(bad)).toMatch(/^[0-9a-f-]{36}$/);
    }
  });

  test('mounted twice, the first one counts; keys written before it are kept', async () => {
    const app = express();
    app.use((req, _res, next) => {
      ensureContext(req).principal = Object.freeze({ id: 'early', kind: 'service' as const });
      next();
    });
    app.use(context({ trustProxy: false }));
    app.use((req, _res, next) => {
      req.headers['x-seen-id'] = req.security.requestId;
      next();
    });
    app.use(context({ trustProxy: false }));
    app.get('/', (req, res) => {
      res.json({ same: req.headers['x-seen-id'] === req.security.requestId, who: req.security.principal.id });
    });
    expect((await request(app).get('/')).body).toEqual({ same: true, who: 'early' });
  });

  test('without context() the address throws instead of guessing', async () => {
    const app = express();
    app.get('/', (req, res) => {
      const record = ensureContext(req);
      let code = '';
      try {
        void record.address;
      } catch (error) {
        code = (error as { code: string }).code;
      }
      res.json({ code, id: record.requestId.length });
    });
    expect((await request(app).get('/')).body).toEqual({ code: 'E_CONTEXT_MISSING', id: 36 });
  });
});

describe('wrong configurations of context() do not start', () => {
  test.each([
    [undefined, 'E_OPTION_REQUIRED'],
    [true, 'E_OPTION_VALUE'],
    ['10.0.0.0/8', 'E_OPTION_VALUE'],
    [0, 'E_OPTION_VALUE'],
    [33, 'E_OPTION_VALUE'],
    [1.5, 'E_OPTION_VALUE'],
    [[], 'E_OPTION_VALUE'],
    [['10.0.0.1/8'], 'E_OPTION_VALUE'],
    [['localnet'], 'E_OPTION_VALUE'],
    [['loopback', '0.0.0.0/0'], 'E_OPTION_VALUE'],
    [['::/0'], 'E_OPTION_VALUE'],
    [['__proto__'], 'E_OPTION_VALUE'],
  ])('trustProxy: %j', (trustProxy, code) => {
    const build = () => context({ trustProxy: trustProxy as TrustProxy });
    expect(build).toThrow(OptionError);
    expect(build).toThrow(code);
  });

  test('a misspelt option is named with its near miss', () => {
    expect(() => context({ trustproxy: 1 } as never)).toThrow(
      /Did you mean "trustProxy"\?.*E_OPTION_UNKNOWN.*errors\/E_OPTION_UNKNOWN\.md/s,
    );
  });
});
