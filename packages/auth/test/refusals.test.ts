import { beforeAll, describe, expect, test } from '@jest/globals';
import { coreErrors } from '@portcullis/core';
import { onBothExpress, type ExpressLike } from '@portcullis/test-support';
import type { AuthOptions } from '../src/index.js';
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

function endpointsOf({ paths }: { readonly paths: Readonly<Record<string, object>> }): string[] {
  return Object.entries(paths).flatMap(([path, item]) =>
    Object.keys(item).map((method) => `${method.toUpperCase()} ${path}`),
  );
}
