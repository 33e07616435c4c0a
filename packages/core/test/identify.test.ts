import { expect, test } from '@jest/globals';
import { onBothExpress } from '@portcullis/test-support';
import type { Request, Response } from 'express';
import request from 'supertest';
import { context, identify, OptionError, stageOf, type Principal } from '../src/index.js';

type Answer = Principal | undefined | Promise<Principal | undefined>;

onBothExpress((express) => {
  function appWith(...principals: ((req: Request) => Answer)[]) {
    const app = express();
    app.use(context({ trustProxy: false }), ...principals.map((principalOf) => identify(principalOf)));
    app.get('/', (req, res) => {
      const { principal } = req.security;
      res.json({ principal, frozen: Object.isFrozen(principal) });
    });
    app.use((_error: unknown, _req: unknown, res: Response, _next: unknown) => void res.status(500).end());
    return app;
  }
  const ask = async (...principals: Parameters<typeof appWith>) =>
    request(appWith(...principals))
      .get('/')
      .set('X-User', '7');

  test('who asks is what the app says, at once or later, and stays anonymous if it says nobody', async () => {
    const byHeader = (req: Request): Principal => ({ id: String(req.headers['x-user']), kind: 'user' });
    const ann = { principal: { id: '7', kind: 'user' }, frozen: true };
    expect((await ask(byHeader)).body).toEqual(ann);
    expect((await ask(async (req) => byHeader(req))).body).toEqual(ann);
    expect((await ask(() => undefined)).body).toEqual({ principal: { kind: 'anonymous' }, frozen: true });
    expect((await ask(() => undefined, byHeader)).body).toEqual(ann);
  });

  test.each<[string, () => Answer]>([
    [
      'a throw',
      () => {
        throw new Error('no session store');
      },
    ],
    [
      'a throw of nothing',
      () => {
        throw undefined;
      },
    ],
    ['a rejection', () => Promise.reject(new Error('no session store'))],
    ['null', () => null as never],
    ['an empty id', () => ({ id: '', kind: 'user' })],
    ['a number for an id', () => ({ id: 7, kind: 'user' }) as never],
    ['an id alone', () => '7' as never],
  ])('%s refuses the request', async (_what, principalOf) => {
    expect((await ask(principalOf)).status).toBe(500);
  });

  test('two identities for one request are refused', async () => {
    const ann = (): Principal => ({ id: 'ann', kind: 'user' });
    expect((await ask(ann, ann)).status).toBe(500);
  });
});

test('it is built with a function and shows its stage', () => {
  expect(() => identify({ id: '7' } as never)).toThrow(OptionError);
  expect(stageOf(identify(() => undefined))).toMatchObject({ kind: 'identify', name: 'identify' });
});
