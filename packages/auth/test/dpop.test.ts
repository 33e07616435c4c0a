import { createHash, generateKeyPairSync, randomUUID, sign, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { PGlite } from '@electric-sql/pglite';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { context, coreErrors, createMemoryStore, isSecurityError, type Sql } from '@portcullis/core';
import { feedMigrations, fromPg, fromPglite, migrate } from '@portcullis/core/postgres';
import { redisStore } from '@portcullis/core/redis';
import { manualClock, recordedEvents } from '@portcullis/core/testing';
import {
  describeWithPostgres,
  describeWithRedis,
  embeddedPostgres,
  onBothExpress,
  startPostgres,
  startRedis,
  vectorsDirectory,
  type ExpressLike,
  type PostgresServer,
  type RedisServer,
} from '@portcullis/test-support';
import type { NextFunction, Request, Response } from 'express';
import { Redis } from 'ioredis';
import pg from 'pg';
import request from 'supertest';
import {
  createAuth,
  createDpop,
  createTokens,
  generateKeys,
  keyValueReplays,
  type AuthOptions,
  type DpopOptions,
} from '../src/index.js';
import { authMigrations, postgresReplays } from '../src/postgres.js';
import { memoryUsers, replayStoreSuite, testHasher } from '../src/testing.js';
import { plainUrl, readProof } from '../src/transport/dpop-proof.js';

const origin = 'https://api.library.example';
const ada = { login: 'ada@library.example', password: 'kestrel bakes ochre bread' };
const keys = generateKeys();
const b64 = (value: object | string) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** A client that holds a key of its own. */
function client(alg: 'ES256' | 'EdDSA' | 'RS256' = 'ES256') {
  const { privateKey, publicKey } =
    alg === 'ES256'
      ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
      : alg === 'EdDSA'
        ? generateKeyPairSync('ed25519')
        : generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { alg, privateKey, jwk: publicKey.export({ format: 'jwk' }) };
}
type Client = ReturnType<typeof client>;

function seal(header: object, claims: object, key: KeyObject, alg: string): string {
  const input = `${b64(header)}.${b64(claims)}`;
  const signature =
    alg === 'ES256'
      ? sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' })
      : sign(alg === 'EdDSA' ? null : 'sha256', Buffer.from(input), key);
  return `${input}.${signature.toString('base64url')}`;
}

const ath = (token: string) => createHash('sha256').update(token).digest('base64url');

interface Forgery {
  readonly header?: object;
  readonly claims?: object;
  readonly signer?: Client;
}

onBothExpress((express: ExpressLike) => {
  function makeApp(dpop: Partial<DpopOptions> = {}, more: Partial<AuthOptions> = {}) {
    const clock = manualClock({ now: 1_800_000_000_000 });
    const events = recordedEvents({ clock });
    const auth = createAuth({
      issuer: 'https://library.example',
      audience: origin,
      keys,
      users: memoryUsers(),
      store: createMemoryStore({ clock }),
      passwords: { hash: testHasher(), accept: [] },
      transport: { dpop: { origin, ...dpop } },
      clock,
      events,
      ...more,
    });
    const app = express();
    app.use(context({ trustProxy: false, clock }), express.json(), auth.authenticate());
    app.use('/auth', auth.router());
    const me = (req: Request, res: Response) => void res.json(req.security.principal);
    app.get('/me', auth.required(), me);
    app.post('/me', auth.required(), me);
    app.get('/me/x', auth.required(), me);
    app.use((error: unknown, _req: Request, res: Response, _next: NextFunction) => {
      const { status, headers, code } = isSecurityError(error)
        ? error
        : { status: 500, headers: {}, code: String(error) };
      res.status(status).set(headers).json({ code });
    });
    const api = request(app);

    function proof(of: Client, path: string, method: string, token?: string, forged: Forgery = {}): string {
      const claims = {
        jti: randomUUID(),
        htm: method,
        htu: `${origin}${path}`,
        iat: Math.floor(clock.now() / 1000),
        ...(token === undefined ? {} : { ath: ath(token) }),
        ...forged.claims,
      };
      const { privateKey, alg } = forged.signer ?? of;
      return seal({ typ: 'dpop+jwt', alg: of.alg, jwk: of.jwk, ...forged.header }, claims, privateKey, alg);
    }
    /** Registers, and signs in with a proof. */
    async function signIn(
      of: Client,
    ): Promise<{ access_token: string; refresh_token: string; token_type: string }> {
      await api.post('/auth/register').send(ada);
      const answer = await api
        .post('/auth/sign-in')
        .set('DPoP', proof(of, '/auth/sign-in', 'POST'))
        .send(ada);
      expect(answer.status).toBe(200);
      return answer.body as { access_token: string; refresh_token: string; token_type: string };
    }
    const use = (token: string, dpopProof?: string | string[], scheme = 'DPoP', path = '/me') => {
      const call = api.get(path).set('Authorization', `${scheme} ${token}`);
      return dpopProof === undefined ? call : call.set('DPoP', dpopProof as string);
    };
    return { auth, api, clock, events, proof, signIn, use };
  }

  describe('DPoP', () => {
    test.each(['ES256', 'EdDSA'] as const)(
      'a sign-in with a proof (%s) binds session and tokens: each use and each refresh needs a new proof of the same key',
      async (alg) => {
        const { api, proof, signIn, use } = makeApp();
        const mine = client(alg);
        const tokens = await signIn(mine);
        expect(tokens.token_type).toBe('DPoP');
        expect((await use(tokens.access_token, proof(mine, '/me', 'GET', tokens.access_token))).status).toBe(
          200,
        );
        const again = await api
          .post('/auth/refresh')
          .set('DPoP', proof(mine, '/auth/refresh', 'POST'))
          .send({ refresh_token: tokens.refresh_token });
        expect(again).toMatchObject({ status: 200, body: { token_type: 'DPoP' } });
        const next = (again.body as typeof tokens).access_token;
        expect((await use(next, proof(mine, '/me', 'GET', next))).status).toBe(200);
        // A query does not count, and neither does the case of the scheme.
        expect((await use(next, proof(mine, '/me', 'GET', next), 'dpop', '/me?q=1')).status).toBe(200);
      },
    );

    test('bearer tokens go on beside it, and do not where proofs are required', async () => {
      const { api, auth, use } = makeApp();
      await api.post('/auth/register').send(ada);
      const { accessToken } = await auth.signIn(ada, { address: undefined });
      expect((await use(accessToken, undefined, 'Bearer')).status).toBe(200);

      const strict = makeApp({ required: true });
      await strict.api.post('/auth/register').send(ada);
      expect((await strict.api.post('/auth/sign-in').send(ada)).body).toEqual({
        code: 'E_DPOP_PROOF_INVALID',
      });
      const unbound = await strict.auth.signIn(ada, { address: undefined });
      expect((await strict.use(unbound.accessToken, undefined, 'Bearer')).status).toBe(401);
      const anonymous = await strict.api.get('/me');
      expect(anonymous.headers['www-authenticate']).toMatch(/^DPoP algs="ES256 /);
    });

    test('RFC 9449 7.1: a refused bearer token is told of DPoP too, and of nothing else where proofs are required', async () => {
      const challenge = async (options: Parameters<typeof makeApp>[0], scheme: string) => {
        const refused = await makeApp(options).use('nonsense', undefined, scheme);
        expect(refused.status).toBe(401);
        return refused.headers['www-authenticate'];
      };
      expect(await challenge({}, 'Bearer')).toMatch(/^Bearer error="invalid_token", DPoP algs="[\w ]+"$/);
      for (const [options, scheme] of [
        [{}, 'DPoP'],
        [{ required: true }, 'Bearer'],
      ] as const)
        expect(await challenge(options, scheme)).toMatch(/^DPoP algs="[\w ]+", error="invalid_token"$/);
    });

    /** Each is what somebody sends who lacks something; the same with nothing wrong passes. */
    const attacks: readonly [
      title: string,
      fault: string,
      send: (app: ReturnType<typeof makeApp>, mine: Client, token: string) => request.Test,
    ][] = [
      ['a stolen token without a proof', 'missing', ({ use }, _mine, token) => use(token)],
      [
        'a stolen token as if it were a bearer token (RFC 9449 section 7.2, downgrade)',
        'claim-cnf',
        ({ use }, _mine, token) => use(token, undefined, 'Bearer'),
      ],
      [
        'a stolen token with a proof of the thief',
        'other-key',
        ({ use, proof }, _mine, token) => use(token, proof(client(), '/me', 'GET', token)),
      ],
      [
        'a proof that names the key of the owner and is signed with another',
        'signature',
        ({ use, proof }, mine, token) => use(token, proof(mine, '/me', 'GET', token, { signer: client() })),
      ],
      [
        'a proof for another path',
        'htu',
        ({ use, proof }, mine, token) => use(token, proof(mine, '/me/x', 'GET', token)),
      ],
      [
        'a proof for another host',
        'htu',
        ({ use, proof }, mine, token) =>
          use(token, proof(mine, '/me', 'GET', token, { claims: { htu: 'https://evil.example/me' } })),
      ],
      [
        'a proof over plain HTTP',
        'htu',
        ({ use, proof }, mine, token) =>
          use(token, proof(mine, '/me', 'GET', token, { claims: { htu: 'http://api.library.example/me' } })),
      ],
      [
        'a Host header of the sender, who has a proof for that host',
        'htu',
        ({ use, proof }, mine, token) =>
          use(token, proof(mine, '/me', 'GET', token, { claims: { htu: 'https://evil.example/me' } })).set(
            'Host',
            'evil.example',
          ),
      ],
      [
        'a proof for another method',
        'htm',
        ({ use, proof }, mine, token) => use(token, proof(mine, '/me', 'POST', token)),
      ],
      [
        'a method in another case',
        'htm',
        ({ use, proof }, mine, token) => use(token, proof(mine, '/me', 'get', token)),
      ],
      [
        'a proof for another token (ath)',
        'ath',
        ({ use, proof }, mine, token) => use(token, proof(mine, '/me', 'GET', `${token}x`)),
      ],
      [
        'a proof for no token (ath absent)',
        'ath',
        ({ use, proof }, mine, token) => use(token, proof(mine, '/me', 'GET')),
      ],
      [
        'a proof that is too old',
        'too-old',
        ({ use, proof, clock }, mine, token) =>
          use(token, proof(mine, '/me', 'GET', token, { claims: { iat: clock.now() / 1000 - 60 } })),
      ],
      [
        'a proof made in advance',
        'from-the-future',
        ({ use, proof, clock }, mine, token) =>
          use(token, proof(mine, '/me', 'GET', token, { claims: { iat: clock.now() / 1000 + 6 } })),
      ],
      [
        'a proof without jti',
        'claims',
        ({ use, proof }, mine, token) =>
          use(token, proof(mine, '/me', 'GET', token, { claims: { jti: undefined } })),
      ],
      [
        'a jti of a megabyte in small',
        'claims',
        ({ use, proof }, mine, token) =>
          use(token, proof(mine, '/me', 'GET', token, { claims: { jti: 'x'.repeat(257) } })),
      ],
      [
        'an iat that is text',
        'claims',
        ({ use, proof }, mine, token) =>
          use(token, proof(mine, '/me', 'GET', token, { claims: { iat: '1' } })),
      ],
      [
        'a token in the place of a proof (typ)',
        'typ',
        ({ use, proof }, mine, token) =>
          use(token, proof(mine, '/me', 'GET', token, { header: { typ: 'at+jwt' } })),
      ],
      [
        'a proof without signature (alg none)',
        'algorithm',
        ({ use, proof }, mine, token) =>
          use(token, proof(mine, '/me', 'GET', token, { header: { alg: 'none' } })),
      ],
      [
        'a proof under HMAC with the public key',
        'algorithm',
        ({ use, proof }, mine, token) =>
          use(token, proof(mine, '/me', 'GET', token, { header: { alg: 'HS256' } })),
      ],
      [
        'RS256, which is not among the algorithms',
        'algorithm',
        ({ use, proof }, _mine, token) => use(token, proof(client('RS256'), '/me', 'GET', token)),
      ],
      [
        'a proof whose header carries the private key',
        'private-key',
        ({ use, proof }, mine, token) =>
          use(
            token,
            proof(mine, '/me', 'GET', token, { header: { jwk: mine.privateKey.export({ format: 'jwk' }) } }),
          ),
      ],
      [
        'a symmetric key in the header',
        'private-key',
        ({ use, proof }, mine, token) =>
          use(
            token,
            proof(mine, '/me', 'GET', token, { header: { jwk: { kty: 'oct', k: b64('k'.repeat(32)) } } }),
          ),
      ],
      [
        'a key on another curve than the algorithm',
        'key',
        ({ use, proof }, mine, token) =>
          use(token, proof(mine, '/me', 'GET', token, { header: { jwk: client('EdDSA').jwk } })),
      ],
      [
        'a key that is fetched from elsewhere (jku)',
        'form',
        ({ use, proof }, mine, token) =>
          use(token, proof(mine, '/me', 'GET', token, { header: { jku: 'https://evil.example/keys' } })),
      ],
      [
        'an extension that must be understood (crit)',
        'form',
        ({ use, proof }, mine, token) =>
          use(token, proof(mine, '/me', 'GET', token, { header: { crit: ['b64'], b64: false } })),
      ],
      [
        'two proofs in two headers',
        'form',
        ({ use, proof }, mine, token) =>
          use(token, [proof(mine, '/me', 'GET', token), proof(mine, '/me', 'GET', token)]),
      ],
      ['a proof that is none', 'form', ({ use }, _mine, token) => use(token, 'x.y.z')],
      ['a proof of 9 kB', 'form', ({ use }, _mine, token) => use(token, `a.${'A'.repeat(9_000)}.a`)],
    ];

    test.each(attacks)('ASVS V10.3.5: %s is refused (%s)', async (_title, fault, send) => {
      const app = makeApp();
      const mine = client();
      const { access_token: token } = await app.signIn(mine);
      const answer = await send(app, mine, token);
      expect(answer.status).toBe(401);
      expect(app.events.of('auth.token-refused')).toMatchObject([{ reason: fault }]);
      expect(answer.headers['www-authenticate']).toMatch(
        fault === 'claim-cnf'
          ? /^Bearer error="invalid_token", DPoP algs="[^"]+"$/
          : /^DPoP algs="[^"]+", error="invalid_dpop_proof"$/,
      );
      // And nothing of it has used up the owner's right.
      expect((await app.use(token, app.proof(mine, '/me', 'GET', token))).status).toBe(200);
    });

    test('ASVS V10.3.5: a proof that was seen on the way counts once, also of 20 uses at the same time', async () => {
      const { signIn, use, proof, clock } = makeApp();
      const mine = client();
      const { access_token: token } = await signIn(mine);
      const seen = proof(mine, '/me', 'GET', token);
      const answers = await Promise.all(Array.from({ length: 20 }, () => use(token, seen)));
      expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([
        200,
        ...Array<number>(19).fill(401),
      ]);
      clock.advance('59s');
      expect((await use(token, seen)).status).toBe(401);
      clock.advance('2s');
      expect((await use(token, seen)).status).toBe(401); // Too old by now.
    });

    test('a proof ahead of our clock is remembered for as long as it could be used', async () => {
      const { signIn, use, proof, clock } = makeApp();
      const mine = client();
      const { access_token: token } = await signIn(mine);
      const early = proof(mine, '/me', 'GET', token, { claims: { iat: clock.now() / 1000 + 5 } });
      expect((await use(token, early)).status).toBe(200);
      clock.advance('64s');
      expect((await use(token, early)).status).toBe(401);
    });

    test('CVE-2026-53512: a refresh token is worth nothing without the key, and trying does not sign the owner out', async () => {
      const { api, proof, signIn } = makeApp();
      const mine = client();
      const { refresh_token } = await signIn(mine);
      const thief = client();
      for (const by of [undefined, proof(thief, '/auth/refresh', 'POST')]) {
        const call = api.post('/auth/refresh');
        const answer = await (by === undefined ? call : call.set('DPoP', by)).send({ refresh_token });
        expect(answer).toMatchObject({ status: 401, body: { code: 'E_TOKEN_INVALID' } });
      }
      const answer = await api
        .post('/auth/refresh')
        .set('DPoP', proof(mine, '/auth/refresh', 'POST'))
        .send({ refresh_token });
      expect(answer.status).toBe(200);
    });

    test('a bearer token under the scheme DPoP is not taken for a bound one', async () => {
      const { api, auth, use, proof } = makeApp();
      await api.post('/auth/register').send(ada);
      const { accessToken } = await auth.signIn(ada, { address: undefined });
      const answer = await use(accessToken, proof(client(), '/me', 'GET', accessToken));
      expect(answer.status).toBe(401);
      expect(answer.headers['www-authenticate']).toMatch(/^DPoP algs="[^"]+", error="invalid_token"$/);
    });

    test('where DPoP is off, a bound token counts under no scheme', async () => {
      const on = makeApp();
      const mine = client();
      const { access_token: token } = await on.signIn(mine);
      const off = makeApp({}, { transport: {} });
      expect((await off.use(token, undefined, 'Bearer')).status).toBe(401);
      expect((await off.use(token, on.proof(mine, '/me', 'GET', token))).status).toBe(401);
    });

    test('with nonces a proof cannot be made in advance: the first answer gives one, and it wears out', async () => {
      const nonce = { secret: randomUUID() + randomUUID(), every: '1m' } as const;
      const { use, proof, clock, api } = makeApp({ nonce });
      const mine = client();
      await api.post('/auth/register').send(ada);
      const refused = await api
        .post('/auth/sign-in')
        .set('DPoP', proof(mine, '/auth/sign-in', 'POST'))
        .send(ada);
      expect(refused).toMatchObject({ status: 401, body: { code: 'E_DPOP_NONCE' } });
      expect(refused.headers['www-authenticate']).toMatch(/error="use_dpop_nonce"/);
      const first = refused.headers['dpop-nonce'] as string;
      const signedIn = await api
        .post('/auth/sign-in')
        .set('DPoP', proof(mine, '/auth/sign-in', 'POST', undefined, { claims: { nonce: first } }))
        .send(ada);
      const { access_token: token } = signedIn.body as { access_token: string };
      const withNonce = (one: unknown) => proof(mine, '/me', 'GET', token, { claims: { nonce: one } });
      const good = await use(token, withNonce(first));
      expect(good.status).toBe(200);
      for (const bad of [undefined, '', 'x', `${first}x`, 7, '\u00e9'.repeat(11)])
        expect((await use(token, withNonce(bad))).body).toEqual({ code: 'E_DPOP_NONCE' });
      clock.advance('2m');
      const late = await use(token, withNonce(first));
      expect(late.status).toBe(401);
      expect((await use(token, withNonce(late.headers['dpop-nonce']))).status).toBe(200);
    });

    test('a store of used proofs that is down is a 503 and never a pass', async () => {
      const replays = {
        kind: 'broken',
        shared: true,
        firstUse: () => Promise.reject(coreErrors.E_STORE_UNAVAILABLE()),
      };
      const mine = client();
      const { access_token: token } = await makeApp().signIn(mine);
      const down = makeApp({ replays });
      const answer = await down.use(token, down.proof(mine, '/me', 'GET', token));
      expect(answer).toMatchObject({ status: 503, body: { code: 'E_STORE_UNAVAILABLE' } });
    });
  });
});

describe('wrong configurations of DPoP do not start', () => {
  const replays = keyValueReplays({ store: createMemoryStore() });
  test.each<[string, object, RegExp]>([
    ['no origin', { origin: undefined }, /https:\/\/api\.example/],
    ['an origin with a path', { origin: `${origin}/api` }, /without path/],
    ['an origin without TLS', { origin: 'http://api.library.example' }, /http only for this machine/],
    ['no store of used proofs', { replays: undefined }, /replays/],
    ['proofs that are good for an hour', { maxAge: '1h' }, /maxAge/],
    ['a clock that may be far ahead', { tolerance: '5m' }, /tolerance/],
    ['an HMAC', { algorithms: ['HS256'] }, /algorithms/],
    ['no algorithm', { algorithms: [] }, /algorithms/],
    ['a short secret of nonces', { nonce: { secret: 'short' } }, /at least 32 bytes/],
    ['a near miss', { require: true }, /Did you mean "required"/],
  ])('%s', (_title, options, message) => {
    expect(() => createDpop({ origin, replays, ...options } as DpopOptions)).toThrow(message);
  });

  test('beside bearer tokens that are off', () => {
    expect(() =>
      createAuth({
        issuer: 'i',
        audience: 'a',
        keys,
        users: memoryUsers(),
        store: createMemoryStore(),
        transport: { bearer: false, cookies: {}, dpop: { origin } },
      }),
    ).toThrow(/transport.bearer/);
  });
});

const rfc = vectorsDirectory('jose', 'rfc9449_dpop.json');
interface Example {
  readonly accessToken: string;
  readonly proofs: readonly {
    readonly name: string;
    readonly proof: string;
    readonly claims: {
      readonly htm: string;
      readonly htu: string;
      readonly iat: number;
      readonly ath?: string;
    };
    readonly jkt: string;
  }[];
}

(rfc ? test : test.skip)(
  'the examples of RFC 9449 are proofs of their key, each for its request only',
  () => {
    const { accessToken, proofs } = JSON.parse(readFileSync(`${rfc}/rfc9449_dpop.json`, 'utf8')) as Example;
    expect(proofs).toHaveLength(3);
    for (const { proof, claims, jkt } of proofs) {
      const expected = {
        method: claims.htm,
        url: plainUrl(claims.htu)!,
        algorithms: new Set(['ES256'] as const),
        now: claims.iat * 1000 + 1_000,
        maxAge: 60_000,
        tolerance: 5_000,
        accessToken: claims.ath === undefined ? undefined : accessToken,
        isNonce: undefined,
      };
      const read = readProof(proof, expected);
      if (typeof read === 'string') throw new Error(read);
      expect(read.jkt).toBe(jkt);
      expect(read.isSigned()).toBe(true);
      expect(readProof(proof, { ...expected, method: 'PUT' })).toBe('htm');
      expect(readProof(proof, { ...expected, url: 'https://other.example/' })).toBe('htu');
      const [head, body, signature] = proof.split('.') as [string, string, string];
      const changed = readProof(
        `${head}.${body}.${signature.startsWith('A') ? 'B' : 'A'}${signature.slice(1)}`,
        expected,
      );
      expect(typeof changed === 'object' && changed.isSigned()).toBe(false);
    }
  },
);

test('one URL has one spelling, and what is no URL has none', () => {
  expect(plainUrl('HTTPS://API.example:443/a?b#c')).toBe('https://api.example/a');
  expect(plainUrl('https://api.example')).toBe('https://api.example/');
  for (const bad of [
    '',
    '/a',
    'api.example/a',
    'https://u:p@api.example/a',
    `https://a.example/${'a'.repeat(5_000)}`,
  ])
    expect(plainUrl(bad)).toBeUndefined();
});

test('a bound token is refused unless the caller says that it holds the sender to the key', () => {
  const tokens = createTokens({ issuer: 'i', audience: 'a', keys });
  const jkt = 'A'.repeat(43);
  const bound = tokens.issue({ userId: 'u', sessionId: 's' }, { cnf: { jkt } });
  // In either order: what is remembered is judged too.
  for (let i = 0; i < 2; i++) {
    expect(() => tokens.verify(bound.token)).toThrow(expect.objectContaining({ code: 'E_TOKEN_INVALID' }));
    expect(tokens.verify(bound.token, { bound: true }).cnf).toEqual({ jkt });
  }
  for (const cnf of [
    {},
    { jkt: 'short' },
    { jkt, x: 'y' },
    { kid: 'k' },
    { jwk: {} },
    [],
    'x',
    null,
    { jkt: 1 },
  ]) {
    const odd = tokens.issue({ userId: 'u', sessionId: 's' }, { cnf });
    expect(() => tokens.verify(odd.token, { bound: true })).toThrow(
      expect.objectContaining({ code: 'E_TOKEN_INVALID' }),
    );
  }
});

describe('stores of used proofs', () => {
  replayStoreSuite('keyValueReplays in memory', () => keyValueReplays({ store: createMemoryStore() }));

  describe('PGlite', () => {
    let db: PGlite;
    let sql: Sql;
    beforeAll(async () => {
      db = await embeddedPostgres();
      sql = fromPglite(db);
      await migrate(sql, [...feedMigrations, ...authMigrations]);
    }, 60_000);
    afterAll(() => db.close());
    replayStoreSuite('postgresReplays on PGlite', () => postgresReplays({ sql }));
  });

  describeWithRedis('Redis', () => {
    let server: RedisServer;
    let redis: Redis;
    beforeAll(async () => {
      server = await startRedis();
      redis = new Redis(server.url);
    });
    afterAll(async () => {
      redis.disconnect();
      await server.stop();
    });
    replayStoreSuite('keyValueReplays on Redis', () =>
      keyValueReplays({ store: redisStore(redis, { timeoutMs: 5_000 }) }),
    );
  });

  describeWithPostgres('PostgreSQL', () => {
    let server: PostgresServer;
    let pool: pg.Pool;
    beforeAll(async () => {
      server = await startPostgres();
      pool = new pg.Pool({ connectionString: server.url, max: 10 });
      await migrate(fromPg(pool), [...feedMigrations, ...authMigrations]);
    }, 60_000);
    afterAll(async () => {
      await pool.end();
      await server.stop();
    });
    replayStoreSuite('postgresReplays', () => postgresReplays({ sql: fromPg(pool, { timeoutMs: 5_000 }) }));

    test('what may be used again is swept away', async () => {
      const store = postgresReplays({ sql: fromPg(pool) });
      await store.firstUse(randomUUID(), 1);
      await store.firstUse(randomUUID(), 60_000);
      await new Promise((resolve) => setTimeout(resolve, 5));
      expect(await store.sweep()).toBeGreaterThan(0);
      expect(await store.sweep()).toBe(0);
    });
  });
});
