import { beforeAll, describe, expect, test } from '@jest/globals';
import { coreErrors } from '@portcullis/core';
import { onBothExpress, type ExpressLike } from '@portcullis/test-support';
import express5 from 'express';
import type { AuthOptions } from '../src/index.js';
import { passkeys } from '../src/passkeys.js';
import { cookieNames } from '../src/transport/cookies.js';
import { drives } from './support/refusal-drives.js';
import { ada, here, holder, makeWorld, origin, promisesOf, silentIssuer } from './support/refusing-world.js';

onBothExpress((express: ExpressLike) => {
  /** What the document of a configuration promises, and what its routes were seen to refuse. */
  async function observe(options: Partial<AuthOptions> = {}) {
    const seen = new Set<string>();
    const world = () => makeWorld(express, (refusal) => seen.add(refusal), options);
    const promised = await promisesIn(await world());
    return { promised, seen, world };
  }
  async function promisesIn({ call }: Awaited<ReturnType<typeof makeWorld>>) {
    const document = await call('GET /openapi.json');
    return { endpoints: endpointsOf(document as never), codes: promisesOf(document as never) };
  }

  describe('what the OpenAPI document promises that routes refuse', () => {
    let plain: Awaited<ReturnType<typeof observe>>;
    beforeAll(async () => {
      plain = await observe();
    });

    test('every route refuses with each of its codes, and with no other', async () => {
      const { promised, seen, world } = plain;
      expect(promised.endpoints).toHaveLength(35);
      for (const endpoint of promised.endpoints) await whatEveryRouteRefuses(endpoint, world);
      for (const [endpoint, byCode] of Object.entries(drives))
        for (const [code, drive] of Object.entries(byCode)) {
          await drive(await world());
          expect(seen).toContain(`${endpoint} ${code}`);
        }
      expect([...seen].toSorted()).toEqual([...promised.codes].toSorted());
    });

    test('what a configuration adds is promised there, and only there', async () => {
      const cookies = await observe({ transport: { cookies: {} } });
      const dpop = await observe({ transport: { dpop: { origin, nonce: { secret: 'n'.repeat(32) } } } });
      const foreign = await observe({ external: silentIssuer as never });
      for (const endpoint of plain.promised.endpoints) {
        await whatCookiesAdd(endpoint, cookies.world);
        await whatProofsAdd(endpoint, dpop.world);
        await (await foreign.world()).call(endpoint, undefined, { token: 'foreign.token.x' });
      }
      for (const { promised, seen } of [cookies, dpop, foreign]) {
        const added = [...promised.codes].filter((promise) => !plain.promised.codes.has(promise));
        expect([...seen].filter((refusal) => !plain.promised.codes.has(refusal)).toSorted()).toEqual(
          added.toSorted(),
        );
        expect(added.length).toBeGreaterThan(20);
      }
    });

    test('an open registration has codes of its own', async () => {
      const { promised, seen, world } = await observe({ registration: 'open' });
      const endpoint = 'POST /register';
      await whatEveryRouteRefuses(endpoint, world);
      const reader = { login: 'reader@library.example', password: ada.password };
      await (await world()).call(endpoint, ada);
      await (await world()).call(endpoint, { ...reader, password: 'short' });
      const busy = await world();
      busy.busy();
      await busy.call(endpoint, reader);
      const unchecked = await world();
      unchecked.faults.breachList = true;
      await unchecked.call(endpoint, reader);
      const ofRegister = [...promised.codes].filter((promise) => promise.startsWith(`${endpoint} `));
      expect([...seen].toSorted()).toEqual(ofRegister.toSorted());
    });

    type MakeWorld = typeof plain.world;

    /** Credentials that are none, and stores that are down. */
    async function whatEveryRouteRefuses(endpoint: string, world: MakeWorld): Promise<void> {
      const w = await world();
      await w.call(endpoint, undefined, { token: 'none' });
      await w.call(endpoint);
      const key = await w.apiKey();
      await w.call(endpoint, undefined, { token: key });
      if (!endpoint.startsWith('GET')) await w.call(endpoint, [], { token: await w.token() });
      const { accessToken: token, sessionId } = await w.auth.signIn(ada, here);
      for (const [code, { status }] of Object.entries(coreErrors)) {
        if (status !== 503 || !/^E_(STORE|SQL|STALE)/.test(code)) continue;
        w.faults.sessions = coreErrors[code as keyof typeof coreErrors]();
        await w.call(endpoint, undefined, { token });
      }
      w.faults.sessions = undefined;
      w.faults.users = true;
      await w.call(endpoint, undefined, { token: key });
      w.faults.users = false;
      await w.auth.sessions.revoke(w.userId, sessionId);
      await w.call(endpoint, undefined, { token });
      w.clock.advance('11m');
      await w.call(endpoint, undefined, { token });
    }

    async function whatCookiesAdd(endpoint: string, world: MakeWorld): Promise<void> {
      const w = await world();
      if (!endpoint.startsWith('GET')) await w.call(endpoint, {}, { 'sec-fetch-site': 'cross-site' });
      const { accessToken, refreshToken } = await w.auth.signIn(ada, here);
      const names = cookieNames('host');
      const cookie = `${names.access}=${accessToken}; ${names.refresh}=${refreshToken}`;
      await w.auth.refresh(refreshToken);
      w.clock.advance('11m');
      await w.call(endpoint, undefined, { cookie, 'sec-fetch-site': 'same-origin' });
    }

    async function whatProofsAdd(endpoint: string, world: MakeWorld): Promise<void> {
      const w = await world();
      const { jkt, proof } = holder();
      const { accessToken } = await w.auth.signIn(ada, { ...here, binding: { jkt } });
      const authorization = `DPoP ${accessToken}`;
      await w.call(endpoint, undefined, { authorization });
      const [method = '', path = ''] = endpoint.split(' ');
      const dpop = proof(method, `/auth${path.replace('{id}', 'none')}`, accessToken, w.clock.now());
      await w.call(endpoint, undefined, { authorization, dpop });
    }
  });
});

describe('a configuration with less', () => {
  type World = Awaited<ReturnType<typeof makeWorld>>;
  /** What breaks while a route is asked, by the code that tells it. */
  const faults: Readonly<Record<string, (w: World) => readonly [begin: () => unknown, end: () => void]>> = {
    E_USERS_UNAVAILABLE: ({ faults: f }) => [() => (f.users = true), () => void (f.users = false)],
    E_STORE_UNAVAILABLE: ({ faults: f }) => [
      () => (f.store = coreErrors.E_STORE_UNAVAILABLE()),
      () => void (f.store = undefined),
    ],
    E_SESSION_ENDED: ({ users, userId }) => [
      async () => users.put({ ...(await users.findById(userId))!, active: false }),
      () => undefined,
    ],
  };
  /** Those that need a thousand messages, or what these configurations do not have. */
  const left = new Set(['E_NOTIFICATIONS_BUSY', 'E_NOT_IN_PERSON', 'E_API_KEY_LIMIT', 'E_API_KEY_NOT_FOUND']);
  const more: Readonly<Record<string, (w: World) => Promise<unknown>>> = {
    'POST /register': (w) =>
      w.call('POST /register', { login: 'new@library.example', password: ada.password }),
    'POST /reset': (w) => w.call('POST /reset', { login: ada.login }),
    'POST /refresh': async (w) => {
      const { refreshToken } = await w.auth.signIn(ada, here);
      await w.call('POST /refresh', { refresh_token: refreshToken });
    },
    'POST /passkeys/sign-in/options': async (w) => {
      await w.totp();
      const { challenge } = await w.call('POST /sign-in', ada);
      await w.call('POST /passkeys/sign-in/options', { challenge });
    },
    'POST /passkeys/step-up/options': async (w) => {
      await w.passkey();
      await w.call('POST /passkeys/step-up/options', {}, { token: await w.token() });
    },
    'POST /login/complete': async (w) => {
      await w.auth.startLoginChange({ id: w.userId }, { ...ada, login: 'new@library.example' }, here);
      const token = await w.link('confirm-login', 'new@library.example');
      await w.call('POST /login/complete', { token });
    },
  };

  test.each<[string, Partial<AuthOptions>, readonly string[]]>([
    ['without API keys', { apiKeys: undefined } as object, ['E_USERS_UNAVAILABLE']],
    ['without API keys and sessions', { apiKeys: undefined, sessions: false } as object, Object.keys(faults)],
    [
      'where registration is open besides',
      { apiKeys: undefined, sessions: false, registration: 'open' } as object,
      Object.keys(faults),
    ],
  ])(
    '%s: a route promises that a port is down, or an account closed, where it asks for it, and nowhere else',
    async (_name, options, codes) => {
      const seen = new Set<string>();
      const world = () => makeWorld(express5 as never, (refusal) => seen.add(refusal), options);
      const document = await (await world()).call('GET /openapi.json');
      const promised = [...promisesOf(document as never)].filter((one) =>
        codes.some((code) => one.endsWith(code)),
      );
      const ofOpen = 'registration' in options;
      for (const endpoint of endpointsOf(document as never)) {
        if (ofOpen && endpoint !== 'POST /register') continue;
        const plain = async (w: World) => w.call(endpoint, undefined, { token: await w.token() });
        const known = Object.entries(ofOpen ? {} : (drives[endpoint] ?? {})).filter(
          ([code]) => !left.has(code),
        );
        for (const drive of [plain, more[endpoint], ...known.map(([, one]) => one)])
          for (const code of drive ? codes : []) {
            const w = await world();
            const [begin, end] = faults[code]!(w);
            w.spoilt = { endpoint, begin, end };
            await drive!(w).catch(() => undefined);
          }
      }
      const brought = [...seen].filter((one) => codes.some((code) => one.endsWith(code)));
      const told = ofOpen ? promised.filter((one) => one.startsWith('POST /register ')) : promised;
      expect(brought.toSorted()).toEqual(told.toSorted());
    },
  );

  test('a code after a passkey is promised only where passkeys without user verification are taken', async () => {
    const promises = async (userVerification: 'required' | 'preferred') => {
      const site = { rpId: 'library.example', rpName: 'Library', origins: [origin], userVerification };
      const { call } = await makeWorld(express5 as never, () => undefined, { passkeys: passkeys(site) });
      const all = [...promisesOf((await call('GET /openapi.json')) as never)];
      return all.filter((one) => /^POST .passkeys.sign-in E_(SECOND|FACTORS)/.test(one)).length;
    };
    expect([await promises('required'), await promises('preferred')]).toEqual([0, 2]);
  });
});

function endpointsOf({ paths }: { readonly paths: Readonly<Record<string, object>> }): string[] {
  return Object.entries(paths).flatMap(([path, item]) =>
    Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
  );
}
