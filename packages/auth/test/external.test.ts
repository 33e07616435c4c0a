import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createHmac, createPrivateKey, sign } from 'node:crypto';
import { afterEach, describe, expect, test } from '@jest/globals';
import { context, createMemoryStore } from '@portcullis/core';
import { manualClock, recordedEvents } from '@portcullis/core/testing';
import { onBothExpress } from '@portcullis/test-support';
import type { NextFunction, Request, Response } from 'express';
import request from 'supertest';
import {
  createAuth,
  createTokens,
  external,
  generateKeys,
  type ExternalIssuer,
  type ExternalOptions,
} from '../src/index.js';
import { fetchJson } from '../src/external/fetch-json.js';
import { memoryUsers } from '../src/testing.js';

type Keys = ReturnType<typeof generateKeys>;
type Answer = (req: IncomingMessage, res: ServerResponse) => void;

const audience = 'https://api.library.example';
const closing: (() => void)[] = [];
afterEach(() => closing.splice(0).forEach((close) => close()));

const b64 = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
const json = (res: ServerResponse, value: unknown) => res.end(JSON.stringify(value));

function published(keys: Keys): { keys: readonly object[] } {
  const clock = manualClock();
  return createTokens({ issuer: 'x', audience: 'x', keys, clock }).jwks();
}

/** A provider on this machine that answers what the test says, and counts. */
async function provider(keys: Keys = generateKeys()) {
  const asked: string[] = [];
  const answers: Record<string, Answer> = {};
  const server = createServer((req, res) => {
    asked.push(req.url!);
    (answers[req.url!] ?? ((_req, gone) => void gone.writeHead(404).end()))(req, res);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const stop = () => {
    server.close();
    server.closeAllConnections();
  };
  closing.push(stop);
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  answers['/.well-known/openid-configuration'] = (_req, res) =>
    void json(res, { issuer, jwks_uri: `${issuer}/keys` });
  answers['/keys'] = (_req, res) => void json(res, published(keys));
  return { issuer, asked, answers, keys, stop };
}

const clock = manualClock();
const NOW = Math.floor(clock.now() / 1000);

function token(keys: Keys, claims: object, header: object = {}): string {
  const [key] = keys.keys;
  const input = `${b64({ alg: key!.alg, typ: 'at+jwt', kid: key!.kid, ...header })}.${b64({ aud: audience, sub: 'u1', exp: NOW + 3_600, ...claims })}`;
  const signature = sign(null, Buffer.from(input), createPrivateKey({ key: key as never, format: 'jwk' }));
  return `${input}.${signature.toString('base64url')}`;
}

function relying(issuers: readonly Partial<ExternalIssuer>[], options: ExternalOptions = {}) {
  const time = options.clock ?? manualClock();
  const events = recordedEvents({ clock: time });
  const given = issuers.map((one) => ({ audience, ...one })) as ExternalIssuer[];
  return { ...external(given, { dangerouslyAllowLocal: true, clock: time, events, ...options }), events };
}

const refused = (fault: string) => ({ code: 'E_TOKEN_INVALID', status: 401, details: { fault } });
const unavailable = { code: 'E_ISSUER_UNAVAILABLE', status: 503, headers: { 'Retry-After': '30' } };

describe('tokens of foreign providers', () => {
  test('ASVS V10.3.2: are taken with the keys that the provider publishes, under a principal that names it and has its scopes; keys are asked for once', async () => {
    const { issuer, keys, asked } = await provider();
    const { verify, claims } = relying([{ issuer }]);
    const good = token(keys, { iss: issuer, scope: 'a b', client_id: 'c1' });
    expect(claims(good)).toBe(true);
    for (let i = 0; i < 3; i++) {
      const { principal } = await verify(good);
      expect(principal).toEqual({ id: `${issuer}|u1`, kind: 'user', clientId: 'c1', scopes: ['a', 'b'] });
      expect(Object.isFrozen(principal)).toBe(true);
    }
    expect(asked).toEqual(['/.well-known/openid-configuration', '/keys']);
    expect((await verify(token(keys, { iss: issuer, sub: 'c1', client_id: 'c1' }))).principal.kind).toBe(
      'service',
    );
  });

  test('rotation: a new key is found by its name, and one that was withdrawn ends the tokens that are remembered', async () => {
    const own = await provider();
    const time = manualClock();
    const { verify } = relying([{ issuer: own.issuer }], { clock: time });
    const before = token(own.keys, { iss: own.issuer });
    await verify(before);
    const next = generateKeys();
    own.answers['/keys'] = (_req, res) => void json(res, published(next));
    time.advance('30s');
    await verify(token(next, { iss: own.issuer }));
    await expect(verify(before)).rejects.toMatchObject(refused('unknown-key'));
  });

  test('a provider that is down: its keys count until maxStale, then 503; it is asked once in a cool-down', async () => {
    const own = await provider();
    const time = manualClock();
    const { verify, events } = relying([{ issuer: own.issuer }], { clock: time });
    const good = token(own.keys, { iss: own.issuer, exp: NOW + 86_400 });
    await verify(good);
    own.answers['/.well-known/openid-configuration'] = (_req, res) => void res.writeHead(500).end();
    time.advance('59m');
    await verify(good);
    time.advance('1m');
    for (let i = 0; i < 5; i++) await expect(verify(good)).rejects.toMatchObject(unavailable);
    expect(own.asked.length).toBeLessThanOrEqual(4);
    expect(events.of('auth.issuer-failed')[0]).toMatchObject({ reason: 'status-500' });
  });

  test('ASVS V6.8.2: a token without signature, with another payload, or with the signature of another key is refused', async () => {
    const { issuer, keys } = await provider();
    const { verify } = relying([{ issuer }]);
    const good = token(keys, { iss: issuer });
    await verify(good);
    const [head = '', payload = '', signature = ''] = good.split('.');
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object;
    const { kid } = keys.keys[0]!;
    const [, , stranger] = token(generateKeys(), { iss: issuer }, { kid }).split('.');
    for (const forged of [
      [head, payload, ''],
      [head, b64({ ...claims, sub: 'root' }), signature],
      [head, payload, stranger],
      [b64({ alg: 'none', typ: 'at+jwt', kid }), payload, ''],
    ])
      await expect(verify(forged.join('.'))).rejects.toMatchObject({ code: 'E_TOKEN_INVALID', status: 401 });
  });

  onBothExpress((express) => {
    test('ASVS V6.8.4 V10.3.4: how recently a provider saw the person counts; what it does not say is taken for the least', async () => {
      const { issuer, keys } = await provider();
      const foreign = external([{ issuer, audience }], { dangerouslyAllowLocal: true, clock });
      const auth = createAuth({
        issuer: 'https://library.example',
        audience: 'https://library.example',
        keys: generateKeys(),
        users: memoryUsers(),
        store: createMemoryStore(),
        external: foreign,
        clock,
      });
      const app = express();
      app.use(context({ trustProxy: false }), auth.authenticate());
      const done = (_req: Request, res: Response) => void res.json({});
      app.get('/any', auth.required(), done);
      app.get('/fresh', auth.required({ fresh: '5m' }), done);
      app.get('/strong', auth.required({ aal: 2 }), done);
      app.use((error: unknown, _req: Request, res: Response, _next: NextFunction) => {
        res.status((error as { status?: number }).status ?? 500).json({});
      });
      const asked = async (claims: object) => {
        const bearer = `Bearer ${token(keys, { iss: issuer, ...claims })}`;
        const answers = ['/any', '/fresh', '/strong'].map((path) =>
          request(app).get(path).set('authorization', bearer),
        );
        return (await Promise.all(answers)).map(({ status }) => status);
      };
      expect(await asked({ auth_time: NOW - 60 })).toEqual([200, 200, 401]);
      expect(await asked({ auth_time: NOW - 600 })).toEqual([200, 401, 401]);
      expect(await asked({})).toEqual([200, 401, 401]);
      expect(await asked({ auth_time: 'now', acr: 'urn:portcullis:aal:2', amr: ['mfa'] })).toEqual([
        200, 401, 401,
      ]);
    });

    test('as middleware: good, bad, none, and a provider that is not there', async () => {
      const own = await provider();
      const gone = await provider();
      gone.stop();
      const app = express();
      const { issuer } = own;
      app.use(
        context({ trustProxy: false }),
        external(
          [
            { issuer, audience },
            { issuer: gone.issuer, audience },
          ],
          { dangerouslyAllowLocal: true, clock },
        ),
      );
      app.get('/', (req: Request, res: Response) => void res.json(req.security.principal));
      app.use((error: { status: number; code: string }, _req: Request, res: Response, _next: unknown) => {
        res.status(error.status).json({ code: error.code });
      });
      const get = (text: string) =>
        request(app)
          .get('/')
          .set({ authorization: `Bearer ${text}` });
      expect((await get(token(own.keys, { iss: issuer }))).body).toMatchObject({ id: `${issuer}|u1` });
      expect((await get(token(generateKeys(), { iss: issuer }))).status).toBe(401);
      expect((await get(token(gone.keys, { iss: gone.issuer }))).body).toEqual({
        code: 'E_ISSUER_UNAVAILABLE',
      });
      expect((await request(app).get('/')).body).toEqual({ kind: 'anonymous' });
    });
  });
});

describe('attacks on the trust in providers', () => {
  test('issuer mix-up: a provider signs a token that names another one', async () => {
    const [honest, evil] = [await provider(), await provider()];
    const { verify } = relying([{ issuer: honest.issuer }, { issuer: evil.issuer }]);
    await expect(verify(token(evil.keys, { iss: honest.issuer }))).rejects.toMatchObject(
      refused('unknown-key'),
    );
    const named = { ...evil.keys.keys[0]!, kid: honest.keys.keys[0]!.kid! };
    await expect(verify(token({ keys: [named] }, { iss: honest.issuer }))).rejects.toMatchObject(
      refused('signature'),
    );
  });

  test('an issuer that is nobody of ours is asked nothing', async () => {
    const [own, stranger] = [await provider(), await provider()];
    const { verify } = relying([{ issuer: own.issuer }]);
    for (const iss of [stranger.issuer, `${own.issuer}/`, [own.issuer], { toString: own.issuer }, undefined])
      await expect(verify(token(stranger.keys, { iss }))).rejects.toMatchObject(refused('claim-iss'));
    expect([...own.asked, ...stranger.asked]).toEqual([]);
  });

  test('ASVS V9.1.3: keys brought along or pointed at: jwk, jku, x5u are refused and nothing is fetched', async () => {
    const [own, stranger] = [await provider(), await provider()];
    const { verify } = relying([{ issuer: own.issuer }]);
    for (const extra of [
      { jku: `${stranger.issuer}/keys` },
      { x5u: stranger.issuer },
      { jwk: published(stranger.keys).keys[0] },
    ]) {
      await expect(verify(token(stranger.keys, { iss: own.issuer }, extra))).rejects.toMatchObject(
        refused('header-parameter'),
      );
    }
    expect([...own.asked, ...stranger.asked]).toEqual([]);
  });

  test('a flood of unknown key names asks the provider once in a cool-down', async () => {
    const own = await provider();
    const time = manualClock();
    const { verify } = relying([{ issuer: own.issuer }], { clock: time });
    await verify(token(own.keys, { iss: own.issuer }));
    const flood = () =>
      Promise.all(
        Array.from({ length: 200 }, (_, i) =>
          expect(verify(token(own.keys, { iss: own.issuer }, { kid: `x${i}` }))).rejects.toMatchObject(
            refused('unknown-key'),
          ),
        ),
      );
    await flood();
    expect(own.asked.filter((path) => path === '/keys')).toHaveLength(1);
    time.advance('30s');
    await flood();
    expect(own.asked.filter((path) => path === '/keys')).toHaveLength(2);
  });

  test('HMAC keyed with a published key, and a published secret, are refused', async () => {
    const own = await provider();
    const { verify } = relying([{ issuer: own.issuer }]);
    const secret = { kty: 'oct', k: Buffer.alloc(32, 1).toString('base64url'), alg: 'HS256', kid: 'shared' };
    own.answers['/keys'] = (_req, res) => void json(res, { keys: [...published(own.keys).keys, secret] });
    await verify(token(own.keys, { iss: own.issuer }));
    const { kid } = own.keys.keys[0]!;
    const keys = [
      [kid, JSON.stringify(published(own.keys).keys[0]), 'algorithm'],
      ['shared', Buffer.alloc(32, 1), 'unknown-key'],
    ] as const;
    for (const [name, key, fault] of keys) {
      const input = `${b64({ alg: 'HS256', typ: 'at+jwt', kid: name })}.${b64({ iss: own.issuer, aud: audience, sub: 'u1', exp: NOW + 60 })}`;
      const forged = `${input}.${createHmac('sha256', key).update(input).digest('base64url')}`;
      await expect(verify(forged)).rejects.toMatchObject(refused(fault));
    }
  });

  test('a private key that is published, a name that occurs twice and weak keys do not count', async () => {
    const own = await provider();
    const twin = { ...published(generateKeys()).keys[0], kid: 'twin' };
    own.answers['/keys'] = (_req, res) =>
      void json(res, {
        keys: [
          own.keys.keys[0],
          twin,
          { ...published(generateKeys()).keys[0], kid: 'twin' },
          { kty: 'RSA', n: 'AQAB', e: 'AQAB' },
          null,
          7,
        ],
      });
    const { verify, events } = relying([{ issuer: own.issuer }]);
    await expect(verify(token(own.keys, { iss: own.issuer }))).rejects.toMatchObject(unavailable);
    expect(events.of('auth.issuer-failed')).toMatchObject([{ reason: 'no-usable-keys' }]);
  });

  test('a discovery document that speaks for another issuer is not taken', async () => {
    const own = await provider();
    own.answers['/.well-known/openid-configuration'] = (_req, res) =>
      void json(res, { issuer: 'https://accounts.example', jwks_uri: `${own.issuer}/keys` });
    const { verify, events } = relying([{ issuer: own.issuer }]);
    await expect(verify(token(own.keys, { iss: own.issuer }))).rejects.toMatchObject(unavailable);
    expect(events.of('auth.issuer-failed')).toMatchObject([{ reason: 'issuer-mismatch' }]);
    expect(own.asked).not.toContain('/keys');
  });

  test.each([
    'http://169.254.169.254/latest/meta-data',
    'https://169.254.169.254/',
    'https://10.0.0.1/keys',
    'https://[fd00::1]/keys',
    'https://[::ffff:10.0.0.1]/keys',
    'https://0x7f.1/keys',
    'http://intranet/keys',
    'file:///etc/passwd',
    'https://user@keys.example/',
  ])('CVE-2026-53513: a discovery document that points to %s is not followed', async (uri) => {
    const own = await provider();
    own.answers['/.well-known/openid-configuration'] = (_req, res) =>
      void json(res, { issuer: own.issuer, jwks_uri: uri });
    const { verify, events } = relying([{ issuer: own.issuer }], { timeout: '300ms' });
    await expect(verify(token(own.keys, { iss: own.issuer }))).rejects.toMatchObject(unavailable);
    if (!uri.includes('0x7f'))
      expect(events.of('auth.issuer-failed')[0]!.reason).toMatch(/^(?:address-|scheme|url)/);
  });

  test('a name that resolves to an address of this network, also beside a public one, is not connected to', async () => {
    const policy = { local: false, timeoutMs: 1_000, maxBytes: 1_000 };
    for (const addresses of [['127.0.0.1'], ['10.0.0.1'], ['93.184.215.14', '192.168.1.1'], ['::1'], []]) {
      const lookup = ((_host: string, _options: unknown, done: (...args: unknown[]) => void) =>
        done(
          null,
          addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
        )) as never;
      await expect(fetchJson('https://rebind.example/keys', { ...policy, lookup })).rejects.toThrow(
        addresses.length === 0 ? 'unresolved' : /address-(?:loopback|private)/,
      );
    }
  });

  test.each<[string, Answer]>([
    ['redirect', (_req, res) => void res.writeHead(302, { location: 'https://keys.example/' }).end()],
    ['too-large', (_req, res) => void res.end('x'.repeat(300_000))],
    ['timeout', (_req, res) => void res.write('{')],
    ['not-json', (_req, res) => void res.end('<html>')],
    ['not-an-object', (_req, res) => void res.end('[]')],
    ['content-encoding', (_req, res) => void res.writeHead(200, { 'content-encoding': 'gzip' }).end('x')],
    ['network', (req) => void req.socket.destroy()],
  ])('an answer that is none (%s) leaves the service at 503, within its time', async (reason, answer) => {
    const own = await provider();
    own.answers['/keys'] = answer;
    const { verify, events } = relying([{ issuer: own.issuer }], { timeout: '400ms' });
    await expect(verify(token(own.keys, { iss: own.issuer }))).rejects.toMatchObject(unavailable);
    expect(events.of('auth.issuer-failed')).toMatchObject([{ reason }]);
  });

  test('an ID token, for the client and without the type of an access token, is refused', async () => {
    const own = await provider();
    const { verify } = relying([{ issuer: own.issuer }]);
    await expect(verify(token(own.keys, { iss: own.issuer, aud: 'client-1' }))).rejects.toMatchObject(
      refused('claim-aud'),
    );
    await expect(verify(token(own.keys, { iss: own.issuer }, { typ: 'JWT' }))).rejects.toMatchObject(
      refused('typ'),
    );
  });

  test('ASVS V6.8.1 V10.3.3: the same subject at two providers is two people', async () => {
    const [one, two] = [await provider(), await provider()];
    const { verify } = relying([{ issuer: one.issuer }, { issuer: two.issuer }]);
    const ids = [];
    for (const { issuer, keys } of [one, two])
      ids.push((await verify(token(keys, { iss: issuer }))).principal.id);
    expect(new Set(ids).size).toBe(2);
  });
});

test('wrong configurations are refused at construction', () => {
  const issuer = 'https://idp.example';
  const build =
    (one: object, options: object = {}) =>
    () =>
      external([{ issuer, audience, ...one }], options as never);
  expect(build({})).not.toThrow();
  expect(() => external([])).toThrow(/1 and 64 entries/);
  expect(() =>
    external([
      { issuer, audience },
      { issuer, audience },
    ]),
  ).toThrow(/another entry/);
  expect(build({ issuer: 'http://idp.example' })).toThrow(
    /issuers\[0\].issuer must be an https URL .*scheme/,
  );
  expect(build({ issuer: 'https://10.0.0.1' })).toThrow(/address-private/);
  expect(build({ issuer: 'https://idp.example?a=|' })).toThrow(/query/);
  expect(build({ jwks: 'https://127.0.0.1/keys' })).toThrow(/jwks must be an https URL .*address-loopback/);
  expect(build({ algorithm: 'HS256' })).toThrow(/must be one of/);
  expect(build({ audience: undefined })).toThrow(/audience.* is required/);
  expect(build({}, { dangerouslyAllowLocal: true, production: true })).toThrow(/refused in production/);
  expect(build({}, { maxStale: '1m' })).toThrow(/maxStale must be at least/);
  expect(build({}, { cooldown: '1m' })).toThrow(/Did you mean "coolDown"/);
});
