// Published vulnerabilities of other packages that concern accounts, addresses of clients and answers, and have no test beside their
// subject. Rows about what does not exist here need none: state of foreign sign-ins (CVE-2026-73419), device codes (CVE-2026-45337),
// metadata of an authorization server (GHSA-9h47-pqcx-hjr4).
import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { context, createMemoryStore, isSecurityError } from '@portcullis/core';
import { onBothExpress, type ExpressLike } from '@portcullis/test-support';
import type { NextFunction, Request, Response } from 'express';
import request from 'supertest';
import { createAuth, generateKeys, type AuthOptions } from '../src/index.js';
import { asUser, mailbox, memoryUsers, testHasher } from '../src/testing.js';

const keys = generateKeys();
const password = 'kestrel bakes ochre bread';

test('GHSA-6hxq-p678-4hr2: no release of @simplewebauthn/server that takes a self-signed root fits the peer range', () => {
  const file = new URL('../package.json', import.meta.url);
  const { peerDependencies } = JSON.parse(readFileSync(file, 'utf8')) as {
    peerDependencies: Record<string, string>;
  };
  const [, major] = /^\^(\d+)\./.exec(peerDependencies['@simplewebauthn/server']!) ?? [];
  expect(Number(major)).toBeGreaterThanOrEqual(14);
});

onBothExpress((express: ExpressLike) => {
  function makeApp(options: Partial<AuthOptions> = {}, trustProxy: 1 | false = false) {
    const box = mailbox();
    const auth = createAuth({
      issuer: 'https://library.example',
      audience: 'https://library.example',
      keys,
      users: memoryUsers(),
      store: createMemoryStore(),
      passwords: { hash: testHasher(), accept: [] },
      notify: box.notify,
      registration: 'open',
      ...options,
    });
    const app = express();
    app.use(context({ trustProxy }), express.json(), auth.authenticate());
    app.use('/auth', auth.router());
    app.use((error: unknown, _req: Request, res: Response, _next: NextFunction) => {
      if (!isSecurityError(error)) throw error;
      res
        .status(error.status)
        .set(error.headers)
        .json({ code: error.code, ...error.problem });
    });
    return { api: request(app), auth, box };
  }

  test('CVE-2025-61928: whose account it is says the credential, whatever ids a body or a query names', async () => {
    const users = memoryUsers();
    for (const id of ['ada', 'eve']) users.put({ id, login: `${id}@library.example`, active: true });
    const { api, auth } = makeApp({ users, apiKeys: { prefix: 'lib' } });
    const [ada, eve] = [await asUser(auth, 'ada'), await asUser(auth, 'eve')];
    const named = Object.fromEntries(
      ['id', 'userId', 'user_id', 'sub', 'ownerId'].map((name) => [name, 'ada']),
    );
    const query = new URLSearchParams(named).toString();
    await api.delete(`/auth/sessions?${query}`).set(eve.headers).send(named);
    const listed = await api.get(`/auth/sessions?${query}`).set(eve.headers).send(named);
    expect(JSON.stringify(listed.body)).not.toContain(ada.pair.sessionId);
    const made = await api
      .post(`/auth/keys?${query}`)
      .set(eve.headers)
      .send({ ...named, name: 'x', scopes: ['a:b'] });
    expect(made.status).toBe(201);
    expect(await auth.apiKeys!.list('ada')).toEqual([]);
    expect(await auth.sessions.list('ada')).toHaveLength(1);
  });

  test('GHSA-vp58-j275-797x, GHSA-hjpm-7mrm-26w8, CVE-2022-24858, CVE-2022-29214, CVE-2022-31093, CVE-2026-40255, CVE-2016-2512: no route sends anybody anywhere', async () => {
    const { api, auth } = makeApp();
    await auth.register({ login: 'ada@library.example', password }, { address: undefined });
    const places = [
      'https://evil.example',
      '//evil.example',
      '\\\\evil.example',
      '/\t/evil.example',
      'javascript:0',
    ];
    const { body } = await api.get('/auth/openapi.json');
    const paths = Object.entries((body as { paths: Record<string, object> }).paths);
    expect(paths.length).toBeGreaterThan(8);
    for (const place of places) {
      const named = Object.fromEntries(
        ['returnTo', 'next', 'redirect', 'redirect_uri', 'callbackURL', 'RelayState'].map((name) => [
          name,
          place,
        ]),
      );
      for (const [path, methods] of paths) {
        for (const method of Object.keys(methods) as ('get' | 'post' | 'delete')[]) {
          const answer = await api[method](`/auth${path}?${new URLSearchParams(named).toString()}`).send({
            login: 'ada@library.example',
            password,
            ...named,
          });
          expect([path, answer.headers['location'], Math.floor(answer.status / 100) === 3]).toEqual([
            path,
            undefined,
            false,
          ]);
        }
      }
    }
  });

  test('CVE-2022-31127, GHSA-9x4v-xfq5-m8x5: what somebody typed comes back in JSON only, and reaches mailers as a value and never as text to send', async () => {
    const { api, box } = makeApp({ registration: 'by-mail' });
    const markup = '<img src=x onerror=alert(1)>';
    for (const [path, body] of [
      ['/auth/sign-in', { login: markup, password: markup }],
      ['/auth/register', { login: `${markup}@library.example` }],
      ['/auth/reset', { login: markup }],
      [`/auth/sessions/${encodeURIComponent(markup)}`, {}],
    ] as const) {
      const answer = await api.post(path).send(body);
      expect([path, answer.status >= 400, answer.headers['content-type']]).toEqual([
        path,
        true,
        expect.stringContaining('json'),
      ]);
      expect(answer.text).not.toContain('<');
    }
    expect(box.all).toEqual([]);
  });

  test('CVE-2026-45364, CVE-2026-27700: every address of a /64, however it is written, is one counter; a header that nobody trusts is none', async () => {
    const spellings = [
      '2001:db8:1:2::1',
      '2001:DB8:1:2::1',
      '2001:0db8:0001:0002:0000:0000:0000:0001',
      '2001:db8:1:2:0:0:0:1',
      '2001:db8:1:2::0.0.0.1',
      '2001:db8:1:2:ffff:ffff:ffff:ffff',
      '2001:db8:1:2::dead:beef',
      '2001:db8:1:2:8000::',
    ];
    const guess = async (api: ReturnType<typeof makeApp>['api'], address: string, n: number) =>
      (
        await api
          .post('/auth/sign-in')
          .set({ 'x-forwarded-for': address })
          .send({ login: `nobody${n}@library.example`, password })
      ).status;
    const { api } = makeApp({ guesses: { perNetwork: 8 } }, 1);
    for (const [n, address] of spellings.entries()) expect(await guess(api, address, n)).toBe(401);
    for (const address of spellings) expect(await guess(api, address, 99)).toBe(429);
    expect(await guess(api, '2001:db8:1:3::1', 99)).toBe(401);
    expect(await guess(api, '203.0.113.1', 99)).toBe(401);

    const direct = makeApp({ guesses: { perNetwork: 8 } }).api;
    for (let n = 0; n < 8; n++) expect(await guess(direct, `203.0.${n}.1`, n)).toBe(401);
    expect(await guess(direct, '198.51.100.1', 99)).toBe(429);
  });
});
