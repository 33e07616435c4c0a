import { createHmac, createPublicKey, createSecretKey, generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import jsonwebtoken from 'jsonwebtoken';
import { guardOf, Secret, walkRoutes, type ErrorFactory } from '@portcullis/core';
import { manualClock } from '@portcullis/core/testing';
import { onBothExpress } from '@portcullis/test-support';
import fc from 'fast-check';
import request from 'supertest';
import {
  authErrors,
  createTokens,
  createVerifier,
  generateKeys,
  publishKeys,
  rotateKeys,
  type Algorithm,
  type JwkInput,
  type KeysInput,
} from '../src/index.js';

const issuer = 'https://library.example';
const audience = 'https://api.library.example';
const session = { userId: 'u1', sessionId: 's1' };
const everyAlgorithm: readonly Algorithm[] = [
  ...(['HS', 'RS', 'PS', 'ES'] as const).flatMap((family) =>
    ([256, 384, 512] as const).map((bits) => `${family}${bits}` as const),
  ),
  'EdDSA',
];
const shared = generateKeys('EdDSA');
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });

/** RSA pairs take seconds to find: one serves all RSA algorithms. */
function keysFor(alg: Algorithm): KeysInput {
  return /^[RP]S/.test(alg) ? [{ key: rsa.privateKey, alg, kid: 'rsa' }] : generateKeys(alg);
}

function tokens(
  extra: { keys?: KeysInput; clock?: ReturnType<typeof manualClock>; cacheSize?: number } = {},
) {
  return createTokens({ issuer, audience, keys: shared, clock: manualClock(), ...extra });
}

const b64 = (value: string | Buffer | object) =>
  (typeof value === 'object' && !Buffer.isBuffer(value)
    ? Buffer.from(JSON.stringify(value))
    : Buffer.from(value as string)
  ).toString('base64url');

test('every error code of the package has a factory that carries its code', () => {
  for (const [code, make] of Object.entries<ErrorFactory>(authErrors)) expect(make().code).toBe(code);
});

describe('access tokens', () => {
  test('one that nobody would take is not made: of 8,192 characters the claims decide', () => {
    const { issue, verify } = tokens();
    const fits = issue(session, { note: 'x'.repeat(5_700) }).token;
    expect(fits.length).toBeGreaterThan(7_900);
    expect(verify(fits).sub).toBe('u1');
    expect(() => issue(session, { note: 'x'.repeat(6_000) })).toThrow(/none of more than 8192 is taken/);
  });

  test('RFC 7517 4.3: a private key whose key_ops are to verify signs nothing, and verifies', () => {
    const [older, newer] = [generateKeys().keys[0]!, generateKeys().keys[0]!];
    const verifying = { ...older, key_ops: ['verify'] };
    expect(() => tokens({ keys: { keys: [verifying] } })).toThrow(/"sign" in its "key_ops"/);
    const both = tokens({ keys: { keys: [newer, verifying] } });
    expect(both.verify(tokens({ keys: { keys: [older] } }).issue(session).token).sub).toBe('u1');
    expect(
      tokens({ keys: { keys: [{ ...older, key_ops: ['sign', 'verify'] }] } }).issue(session),
    ).toBeDefined();
  });

  test.each(everyAlgorithm)(
    '%s: what is issued verifies, is frozen, and is refused when a byte changes',
    (alg) => {
      const { issue, verify } = tokens({ keys: keysFor(alg) });
      const { token } = issue(session, { scope: 'a', roles: ['x'], sub: 'somebody-else' });
      const claims = verify(token);
      expect(claims).toMatchObject({ iss: issuer, aud: audience, sub: 'u1', sid: 's1', scope: 'a' });
      expect(Object.isFrozen(claims)).toBe(true);
      expect(() => (claims['roles'] as string[]).push('admin')).toThrow(TypeError);
      const [head, body, signature] = token.split('.') as [string, string, string];
      const bytes = Buffer.from(signature, 'base64url');
      bytes[0]! ^= 1;
      expect(() => verify(`${head}.${body}.${bytes.toString('base64url')}`)).toThrow(refused('signature'));
      expect(() => verify(`${head}.${b64({ ...claims, sub: 'root' })}.${signature}`)).toThrow(
        refused('signature'),
      );
    },
  );

  test('jsonwebtoken agrees on what it can read', () => {
    for (const alg of ['HS256', 'RS256', 'PS256', 'ES256'] as const) {
      const keys = keysFor(alg);
      const { issue, jwks } = tokens({ keys });
      const key =
        alg === 'HS256'
          ? createSecretKey((keys as { keys: JwkInput[] }).keys[0]!.k!, 'base64url')
          : createPublicKey({ key: jwks().keys[0]!, format: 'jwk' });
      const options = { algorithms: [alg], issuer, audience, clockTimestamp: 1 };
      expect(jsonwebtoken.verify(issue(session).token, key, options)).toMatchObject({ sub: 'u1' });
    }
  });

  test('ASVS V9.2.1: a token ends at exp to the millisecond, remembered or not', () => {
    for (const cacheSize of [0, 10]) {
      const clock = manualClock();
      const { issue, verify } = tokens({ clock, cacheSize });
      const { token, expiresAt } = issue(session);
      verify(token);
      clock.advance(expiresAt - clock.now() - 1);
      verify(token);
      clock.advance(1);
      expect(() => verify(token)).toThrow(expect.objectContaining({ code: 'E_TOKEN_EXPIRED', status: 401 }));
    }
  });

  test('CVE-2026-35039: the memory of verified tokens answers for the very same token only', () => {
    const { issue, verify } = tokens({ cacheSize: 2 });
    const all = Array.from({ length: 5 }, (_, i) => issue({ userId: `u${i}`, sessionId: 's' }).token);
    for (let round = 0; round < 3; round++) {
      for (const [i, token] of all.entries()) expect(verify(token).sub).toBe(`u${i}`);
    }
    expect(verify(all[0])).toBe(verify(all[0]));
  });

  test('keys rotate with an overlap: the first signs, all verify, a removed one does not', () => {
    const [older, newer] = [generateKeys(), generateKeys()];
    const before = tokens({ keys: older }).issue(session).token;
    const during = tokens({ keys: { keys: [...newer.keys, ...older.keys] } });
    expect(during.verify(before).sub).toBe('u1');
    const after = createVerifier({
      issuer,
      audience,
      keys: tokens({ keys: newer }).jwks() as never,
      clock: manualClock(),
    });
    expect(after.verify(during.issue(session).token).sub).toBe('u1');
    expect(() => after.verify(before)).toThrow(refused('unknown-key'));
  });

  test('what is published holds no private part', () => {
    for (const alg of everyAlgorithm) {
      const published = JSON.stringify(tokens({ keys: keysFor(alg) }).jwks());
      expect(published).not.toMatch(/"(d|k|p|q|dp|dq|qi)":/);
    }
  });
});

describe('attacks on verification', () => {
  const { verify } = tokens();
  const kid = tokens().jwks().keys[0]!['kid'] as string;
  const now = Math.floor(manualClock().now() / 1000);
  const good = { iss: issuer, aud: audience, sub: 'u1', sid: 's1', jti: 'j1', iat: now, exp: now + 60 };
  const privateKey = { key: shared.keys[0]! as never, format: 'jwk' as const };

  /** A token whose signature is right, whatever else is wrong with it. */
  function signed(header: object, claims: unknown): string {
    const input = `${b64(header)}.${b64(typeof claims === 'string' ? claims : JSON.stringify(claims))}`;
    return `${input}.${sign(null, Buffer.from(input), privateKey).toString('base64url')}`;
  }
  const head = { alg: 'EdDSA', typ: 'at+jwt', kid };

  test('the control: the same forgery kit makes a token that is accepted', () => {
    expect(verify(signed(head, good)).sub).toBe('u1');
  });

  test('ASVS V9.1.2: CVE-2015-9235, CVE-2016-1000223: HS256 keyed with the public key text is refused', () => {
    const own = createTokens({
      issuer,
      audience,
      keys: [{ key: rsa.privateKey, alg: 'RS256', kid: 'k' }],
      clock: manualClock(),
    });
    expect(own.verify(own.issue(session).token).sub).toBe('u1');
    for (const text of [
      rsa.publicKey.export({ type: 'spki', format: 'pem' }),
      rsa.publicKey.export({ type: 'pkcs1', format: 'pem' }),
      JSON.stringify(rsa.publicKey.export({ format: 'jwk' })),
    ]) {
      const input = `${b64({ alg: 'HS256', typ: 'at+jwt', kid: 'k' })}.${b64(good)}`;
      const forged = `${input}.${createHmac('sha256', text).update(input).digest('base64url')}`;
      expect(() => own.verify(forged)).toThrow(refused('algorithm'));
    }
  });

  test.each(['none', 'None', 'nOnE', 'NONE', '', 'constructor', '__proto__', 'HS256', 'ES256'])(
    'ASVS V9.1.2: CVE-2022-23540, CVE-2022-23541: alg %j is refused, signed or not',
    (alg) => {
      expect(() => verify(signed({ ...head, alg }, good))).toThrow(refused('algorithm'));
      expect(() => verify(`${b64({ ...head, alg })}.${b64(good)}.`)).toThrow(refused('encoding'));
    },
  );

  test.each([
    ['CVE-2026-35042 unknown crit', { crit: ['exp'] }],
    ['empty crit', { crit: [] }],
    ['RFC 7797 b64', { b64: false }],
    ['RFC 7797 b64 with crit', { b64: false, crit: ['b64'] }],
    ['CVE-2018-0114 embedded jwk', { jwk: { kty: 'OKP', crv: 'Ed25519', x: 'AA' } }],
    ['jku', { jku: 'https://attacker.example/keys' }],
    ['x5u', { x5u: 'https://attacker.example/x' }],
    ['x5c', { x5c: ['AA'] }],
    ['CVE-2024-28176 zip', { zip: 'DEF' }],
  ])('ASVS V9.1.3: %s in the header is refused', (_title, extra) => {
    expect(() => verify(signed({ ...head, ...extra }, good))).toThrow(refused('header-parameter'));
  });

  test('ASVS V9.2.2: CVE-2023-48309: another typ, or none, is refused', () => {
    for (const typ of ['JWT', 'rt+jwt', 'at+jwtx', undefined]) {
      expect(() => verify(signed({ ...head, typ }, good))).toThrow(refused('typ'));
    }
    expect(verify(signed({ ...head, typ: 'application/AT+JWT' }, good)).sub).toBe('u1');
  });

  test.each([
    ['claim-iss', { iss: 'https://other.example' }],
    ['claim-iss', { iss: [issuer] }],
    ['claim-iss', { iss: undefined }],
    ['claim-aud', { aud: 'https://other.example' }],
    ['claim-aud', { aud: ['https://other.example'] }],
    ['claim-aud', { aud: undefined }],
    ['claim-aud', { aud: [7, audience] }],
    ['claim-aud', { aud: [audience, [audience]] }],
    ['claim-sub', { sub: undefined }],
    ['claim-sub', { sub: 7 }],
    ['claim-sub', { sub: '' }],
    ['claim-sid', { sid: 7 }],
    ['claim-sid', { sid: '' }],
    ['claim-jti', { jti: '' }],
    ['claim-exp', { exp: undefined }],
    ['claim-exp', { exp: '99999999999' }],
    ['claim-exp', { exp: -1 }],
    ['claim-exp', { exp: 1e300 }],
    ['claim-iat', { iat: 'then' }],
    ['claim-iat', { iat: now + 30 }],
    ['claim-nbf', { nbf: now + 30 }],
    ['claim-nbf', { nbf: 'soon' }],
    ['claim-cnf', { cnf: null }],
    ['claim-cnf', { cnf: {} }],
    ['claim-cnf', { cnf: { jwk: {} } }],
    ['claim-cnf', { cnf: { jkt: 'A'.repeat(43) } }],
    ['claim-cnf', { cnf: { jkt: 'short' } }],
    ['claim-cnf', { cnf: { jkt: 'A'.repeat(43), kid: 'x' } }],
  ])('ASVS V9.2.1 V9.2.3 V10.3.1: %s: %j is refused (CVE-2025-30144, CVE-2025-62610)', (fault, change) => {
    expect(() => verify(signed(head, { ...good, ...change }))).toThrow(refused(fault));
  });

  test('a token that a machine a little ahead has just made is good: iat is no beginning, nbf is', () => {
    const soon = (seconds: number) => ({ iat: now + seconds });
    expect(verify(signed(head, { ...good, ...soon(5) })).sub).toBe('u1');
    expect(() => verify(signed(head, { ...good, ...soon(6) }))).toThrow(refused('claim-iat'));
    expect(() => verify(signed(head, { ...good, nbf: now + 1 }))).toThrow(refused('claim-nbf'));
  });

  test('what is no JSON object in UTF-8 is refused', () => {
    for (const payload of ['', 'null', '[]', '"x"', '1', '{', '{}x', '\uFEFF{}']) {
      expect(() => verify(signed(head, payload))).toThrow(
        expect.objectContaining({ code: 'E_TOKEN_INVALID' }),
      );
    }
  });

  test('a character beyond whole bytes is refused, although decoders leave it out', () => {
    // 48 bytes are 64 characters: one more changes nothing for Buffer.from().
    const hs384 = generateKeys('HS384');
    const own = createTokens({ issuer, audience, keys: hs384, clock: manualClock() });
    const { token } = own.issue(session);
    const { length } = token.split('.')[2]!;
    expect(length % 4).toBe(0);
    expect(own.verify(token).sub).toBe('u1');
    expect(() => own.verify(`${token}A`)).toThrow(refused('encoding'));
  });

  test('every other spelling of a good token is refused: padding, whitespace, alphabet, trailing bits', () => {
    const token = signed(head, good);
    const [h, p, s] = token.split('.') as [string, string, string];
    // 64 bytes leave four unused bits in the last character: 15 other characters decode to the same signature.
    const twins = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_']
      .map((last) => `${h}.${p}.${s.slice(0, -1)}${last}`)
      .filter(
        (twin) =>
          twin !== token && Buffer.from(twin.split('.')[2]!, 'base64url').equals(Buffer.from(s, 'base64url')),
      );
    expect(twins).toHaveLength(15);
    const others = [
      `${token}=`,
      `${token}==`,
      ` ${token}`,
      `${token} `,
      `${token}\n`,
      `${h} .${p}.${s}`,
      `${h}.${p}.${s.replace(/[-_]|.$/, '+')}`,
    ];
    for (const other of [...twins, ...others]) {
      expect(() => verify(other)).toThrow(refused('encoding'));
    }
  });

  test('wrong numbers of segments, JWE, too long and non-strings are refused', () => {
    const token = signed(head, good);
    for (const bad of [
      '',
      '.',
      '..',
      '...',
      'a.b',
      `${token}.`,
      `.${token}`,
      `${token}.a.b`,
      'a'.repeat(9_000),
      `${token}${'a'.repeat(9_000)}`,
    ]) {
      expect(() => verify(bad)).toThrow(expect.objectContaining({ code: 'E_TOKEN_INVALID', status: 401 }));
    }
    for (const bad of [undefined, null, 1, {}, [token], Buffer.from(token), { toString: () => token }]) {
      expect(() => verify(bad)).toThrow(refused('not-a-token'));
    }
  });

  test('ASVS V9.1.3: CVE-2025-65945: a kid finds configured keys only', () => {
    for (const bad of ['', '../../dev/null', "x' or '1'='1", '__proto__', 'constructor', `${kid} `]) {
      expect(() => verify(signed({ ...head, kid: bad }, good))).toThrow(refused('unknown-key'));
    }
  });
});

describe('rotation of keys', () => {
  const old = generateKeys();
  const clock = manualClock();
  const next = rotateKeys(old, { announce: '10m', overlap: '1h', clock });
  const start = (keys: KeysInput) => tokens({ keys, clock });

  test('processes that start with the next set at different times verify what any of them signs, all the way', () => {
    const time = manualClock();
    const before = createTokens({ issuer, audience, keys: old, clock: time, accessTtl: '1h' });
    const after = createTokens({ issuer, audience, keys: next, clock: time, accessTtl: '1h' });
    const kidOf = (token: string) =>
      (JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString()) as { kid: string }).kid;
    const first = after.issue(session).token;
    expect(kidOf(first)).toBe(old.keys[0]!.kid);
    before.verify(first);
    time.advance('10m');
    const last = before.issue(session).token;
    const second = after.issue(session).token;
    expect(kidOf(second)).toBe(next.keys[0]!.kid);
    for (const token of [first, last, second]) after.verify(token);
    time.advance(60 * 60_000 - 1);
    after.verify(last);
    after.verify(second);
    time.advance(1);
    // The old key has ended, and with it what it signed, remembered or not.
    expect(() => after.verify(last)).toThrow();
    expect(after.issue(session).token).toBeTruthy();
  });

  test('a key that has ended ends tokens that are remembered', () => {
    const time = manualClock();
    const keys = rotateKeys(old, { announce: 0, overlap: '1s', clock: time });
    const token = createTokens({ issuer, audience, keys: old, clock: time }).issue(session).token;
    const { verify } = createTokens({ issuer, audience, keys, clock: time });
    verify(token);
    time.advance(999);
    verify(token);
    time.advance(1);
    expect(() => verify(token)).toThrow(refused('unknown-key'));
  });

  test('what is published has the announced key, then no longer the old one', () => {
    const time = manualClock();
    const { jwks } = createTokens({ issuer, audience, keys: next, clock: time });
    const kids = () => jwks().keys.map((key) => key['kid']);
    expect(kids()).toEqual([next.keys[0]!.kid, old.keys[0]!.kid]);
    time.advance('70m');
    expect(kids()).toEqual([next.keys[0]!.kid]);
  });

  test('the next set has no ended keys, keeps names that were never written, and reads what it wrote', () => {
    const { kid: _kid, ...nameless } = generateKeys('ES256').keys[0]!;
    const time = manualClock();
    const once = rotateKeys({ keys: [nameless] }, { clock: time });
    const kid = start({ keys: [nameless] }).jwks().keys[0]!['kid'];
    expect(once.keys).toMatchObject([{ alg: 'ES256' }, { kid }]);
    time.advance('2d');
    const twice = rotateKeys(new Secret(JSON.stringify(once)), { clock: time });
    expect(twice.keys).toHaveLength(2);
    expect(twice.keys[1]!.kid).toBe(once.keys[0]!.kid);
  });

  test('a set that would one day leave nobody to sign is refused at construction', () => {
    const now = Math.floor(clock.now() / 1000);
    const [key] = old.keys;
    for (const keys of [
      [{ ...key!, exp: now + 60 }],
      [{ ...key!, nbf: now + 60 }],
      [
        { ...key!, nbf: now + 60 },
        { ...generateKeys().keys[0]!, exp: now + 30 },
      ],
    ]) {
      expect(() => start(keys)).toThrow(/no private key that signs at 2026-01-01T00:0/);
    }
    expect(() => start([{ ...key!, exp: 'tomorrow' as never }])).toThrow(/seconds since 1970/);
    expect(() => start([{ ...key!, nbf: 5, exp: 5 }])).toThrow(/not after/);
  });

  test('rotateKeys() refuses what it cannot rotate', () => {
    expect(() => rotateKeys('x')).toThrow(/rotateKeys: current/);
    expect(() => rotateKeys(old, { alg: 'HS255' as never })).toThrow(/Did you mean "HS256"/);
    expect(() => rotateKeys(old, { overlap: 0 })).toThrow(/overlap must be between/);
  });
});

describe('publishing keys', () => {
  onBothExpress((express) => {
    test('GET /.well-known/jwks.json is a JWK Set of public keys; other paths and methods go on', async () => {
      const app = express();
      app.use(publishKeys(tokens()));
      app.use((_req: unknown, res: { sendStatus(code: number): void }) => res.sendStatus(418));
      const answer = await request(app).get('/.well-known/jwks.json?x=1').expect(200);
      expect(answer.headers).toMatchObject({
        'content-type': 'application/jwk-set+json',
        'cache-control': 'public, max-age=300',
      });
      expect(JSON.parse(answer.text)).toEqual(tokens().jwks());
      const head = await request(app).head('/.well-known/jwks.json').expect(200);
      expect(head.text).toBeUndefined();
      await request(app).post('/.well-known/jwks.json').expect(418);
      await request(app).get('/.well-known/jwks.jsonx').expect(418);
    });

    test('it guards no route: one behind it that says nothing is still a forgotten one', () => {
      const app = express();
      app.use(publishKeys(tokens()));
      app.get('/forgotten', (_req: unknown, res: { end(): void }) => res.end());
      const forgotten = walkRoutes(app).find(({ path }) => path === '/forgotten');
      expect(forgotten && guardOf(forgotten)).toBeUndefined();
      expect(forgotten).toBeDefined();
    });
  });
});

describe('keys that are refused at construction', () => {
  const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' }).privateKey;
  const secret = (bytes: number | Buffer) =>
    createSecretKey(typeof bytes === 'number' ? Buffer.alloc(bytes, 7) : bytes);
  const pem = rsa.publicKey.export({ type: 'spki', format: 'pem' });
  const [hs] = generateKeys('HS256').keys;
  const [es] = generateKeys('ES256').keys;
  const kid = 'k';

  test.each<[string, unknown, RegExp]>([
    ['nothing', undefined, /required|JWK Set/],
    ['null', null, /JWK Set/],
    ['an empty list', [], /1 to 32/],
    ['an empty string', '', /JSON of a JWK Set/],
    ['a PEM', pem, /JSON of a JWK Set/],
    ['a secret string', new Secret('x'.repeat(64)), /JSON of a JWK Set/],
    ['CVE-2022-23529: an object with toString', [{ toString: () => 'x' }], /alg/],
    ['a Buffer as key', [{ key: Buffer.alloc(32), alg: 'HS256', kid }], /KeyObject/],
    ['a string as key', [{ key: 'x'.repeat(64), alg: 'HS256', kid }], /KeyObject/],
    ['CVE-2026-44351: a 31-byte HMAC key', [{ key: secret(31), alg: 'HS256', kid }], /at least 32 bytes/],
    ['a 47-byte HMAC key for HS384', [{ key: secret(47), alg: 'HS384', kid }], /at least 48 bytes/],
    [
      'CVE-2023-48223: a PEM as HMAC key',
      [{ key: secret(Buffer.from(pem)), alg: 'HS256', kid }],
      /public key/,
    ],
    [
      'a PEM after junk as HMAC key',
      [{ key: secret(Buffer.from(`\uFEFF \n junk${String(pem)}`)), alg: 'HS256', kid }],
      /public key/,
    ],
    [
      'a JWK as HMAC key',
      [{ key: secret(Buffer.from(JSON.stringify(es))), alg: 'HS256', kid }],
      /public key/,
    ],
    [
      'a public key in DER as HMAC key',
      [{ key: secret(rsa.publicKey.export({ type: 'spki', format: 'der' })), alg: 'HS256', kid }],
      /public key/,
    ],
    [
      'the base64 of a public key as HMAC key',
      [
        {
          kty: 'oct',
          alg: 'HS256',
          k: b64(rsa.publicKey.export({ type: 'pkcs1', format: 'der' }).toString('base64')),
        },
      ],
      /public key/,
    ],
    ['CVE-2022-23539: P-384 for ES256', [{ key: p384, alg: 'ES256', kid }], /P-256/],
    ['an RSA key for ES256', [{ key: rsa.privateKey, alg: 'ES256', kid }], /does not fit/],
    ['an EC key for RS256', [{ key: p384, alg: 'RS256', kid }], /does not fit/],
    [
      'an rsa-pss key',
      [{ key: generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).privateKey, alg: 'PS256', kid }],
      /does not fit/,
    ],
    [
      'RSA of 1024 bits',
      [{ key: generateKeyPairSync('rsa', { modulusLength: 1024 }).privateKey, alg: 'RS256', kid }],
      /2048/,
    ],
    [
      'RSA with e = 3',
      [
        {
          key: generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 }).privateKey,
          alg: 'RS256',
          kid,
        },
      ],
      /65537/,
    ],
    ['an unknown alg', [{ ...es, alg: 'none' }], /alg/],
    ['CVE-2020-15084: no alg', [{ kty: 'oct', k: hs!.k }], /alg/],
    [
      'two keys with one kid',
      [
        { ...es, kid },
        { ...generateKeys('ES256').keys[0], kid },
      ],
      /two keys/,
    ],
    ['HMAC and public keys together', [hs, es], /confusion/],
    ['a key for encryption', [{ ...es, use: 'enc' }], /"sig"/],
    ['key_ops without sign and verify', [{ ...es, key_ops: ['encrypt'] }], /key_ops/],
    ['a public key in first place', [rsaPublicJwk()], /private/],
  ])('%s', (_title, keys, message) => {
    const build = () => createTokens({ issuer, audience, keys: keys as KeysInput });
    expect(build).toThrow(message);
    expect(build).toThrow(expect.objectContaining({ name: 'OptionError', owner: 'createTokens' }));
  });

  function rsaPublicJwk() {
    return { ...rsa.publicKey.export({ format: 'jwk' }), alg: 'RS256' };
  }

  test('CVE-2026-34950: 1,000 texts before a PEM or JWK do not make an HMAC secret of it', () => {
    const texts = [
      String(pem),
      pem.toString().split('\n').join('\r\n'),
      JSON.stringify(es),
      JSON.stringify({ keys: [es] }),
    ];
    const kinds = [
      'PUBLIC KEY',
      'RSA PUBLIC KEY',
      'EC PRIVATE KEY',
      'CERTIFICATE',
      'X509 CERTIFICATE',
      'ENCRYPTED PRIVATE KEY',
    ].map((kind) => `-----BEGIN ${kind}-----\n${'A'.repeat(64)}`);
    fc.assert(
      fc.property(
        fc.string({ unit: 'binary', maxLength: 40 }),
        fc.constantFrom(...texts, ...kinds),
        (before, text) => {
          const key = secret(Buffer.from(before + text));
          expect(() => createTokens({ issuer, audience, keys: [{ key, alg: 'HS512', kid }] })).toThrow(
            /public key/,
          );
        },
      ),
      { numRuns: 1_000 },
    );
  });

  test('issuer and audience are required strings; patterns are not taken (CVE-2026-35040)', () => {
    for (const wrong of [undefined, '', /./, ['x'], 7]) {
      expect(() => createTokens({ issuer: wrong as never, audience, keys: shared })).toThrow(/issuer/);
      expect(() => createTokens({ issuer, audience: wrong as never, keys: shared })).toThrow(/audience/);
    }
    expect(() => createTokens({ issuer, audience, keys: shared, acessTtl: 1 } as never)).toThrow(
      /Did you mean "accessTtl"/,
    );
  });
});

function refused(fault: string): unknown {
  return expect.objectContaining({ code: 'E_TOKEN_INVALID', status: 401, details: { fault } });
}
