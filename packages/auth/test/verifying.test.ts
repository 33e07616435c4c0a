import { describe, expect, test } from '@jest/globals';
import { manualClock } from '@portcullis/core/testing';
import { generateKeys, rotateKeys } from '../src/tokens/generate-keys.js';
import { readKeys, type JwkInput, type KeysInput } from '../src/tokens/keys.js';
import { faultOf, refusalOf } from '../src/tokens/token-errors.js';
import { createTokens, type TokensOptions } from '../src/tokens/tokens.js';
import { buildVerifier } from '../src/tokens/verifier.js';
import { createJwsVerifier } from '../src/tokens/verify-jws.js';

const issuer = 'https://library.example';
const audience = 'api';
const keys = generateKeys();
const session = { userId: 'u1', sessionId: 's1' };
const jkt = 'A'.repeat(43);

function kit(options: Partial<TokensOptions> & { readonly tolerance?: number } = {}) {
  const clock = manualClock();
  const { tolerance = 0, ...rest } = options;
  const settings = { issuer, audience, keys, clock, clockTolerance: tolerance, ...rest };
  const tokens = createTokens(settings);
  const verifier = buildVerifier({
    issuer,
    audience,
    clock,
    keys: readKeys(settings.keys, 'test'),
    types: ['at+jwt'],
    clockTolerance: tolerance,
    cacheSize: options.cacheSize ?? 5_000,
  });
  const issue = (lifetimeMs = 600_000, extra: object = {}) =>
    tokens.issue(session, extra, clock.now() + lifetimeMs).token;
  return { ...verifier, tokens, clock, issue };
}
const fault = (name: string) => expect.objectContaining({ details: { fault: name } }) as never;
const kidOf = (token: string) =>
  (JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString()) as { kid: string }).kid;

describe('the memory of verified tokens', () => {
  test('of size 0 remembers nothing', () => {
    const { verify, recall, issue } = kit({ cacheSize: 0 });
    const token = issue();
    expect(verify(token)).not.toBe(verify(token));
    expect(recall(token)).toBeUndefined();
  });

  test('holds exactly as many as it may; one more, and the oldest is forgotten', () => {
    const { verify, recall, issue } = kit({ cacheSize: 2 });
    const [one, two, three] = [issue(), issue(), issue()];
    verify(one);
    verify(two);
    expect([recall(one), recall(two)]).toEqual([verify(one), verify(two)]);
    verify(three);
    expect([recall(one), recall(two), recall(three)].map((claims) => claims !== undefined)).toEqual([
      false,
      true,
      true,
    ]);
  });

  test('an ended token makes room for another', () => {
    const { verify, recall, issue, clock } = kit({ cacheSize: 2 });
    const [long, short, next] = [issue(), issue(1_000), issue()];
    verify(long);
    verify(short);
    clock.advance(1_000);
    expect(recall(short)).toBeUndefined();
    verify(next);
    expect(recall(long)).toBeDefined();
    expect(recall(next)).toBeDefined();
  });

  test('reaches as far as the tolerance and not a millisecond further', () => {
    const { verify, recall, issue, clock } = kit({ tolerance: 5_000 });
    const token = issue(10_000);
    const claims = verify(token);
    clock.advance(14_999);
    expect(recall(token)).toBe(claims);
    clock.advance(1);
    expect(recall(token)).toBeUndefined();
    expect(() => verify(token)).toThrow(expect.objectContaining({ code: 'E_TOKEN_EXPIRED' }) as never);
  });

  test('does not make a bearer token of a bound one', () => {
    const { verify, issue } = kit();
    const token = issue(600_000, { cnf: { jkt } });
    for (let round = 0; round < 2; round++) {
      expect(() => verify(token)).toThrow(fault('claim-cnf'));
      expect(() => verify(token, {})).toThrow(fault('claim-cnf'));
      expect(verify(token, { bound: true })).toMatchObject({ cnf: { jkt } });
    }
    expect(verify(issue(), { bound: true })).toMatchObject({ sub: 'u1' });
  });
});

describe('the memory of headers', () => {
  test('reads each header once, and holds 64 of them', () => {
    const set = readKeys(keys, 'test');
    const [key] = set.all;
    const verifyJws = createJwsVerifier(set);
    const signed = (n: number) => {
      const parts = [{ alg: 'EdDSA', kid: key!.kid, n }, {}];
      const input = parts.map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');
      return `${input}.${key!.algorithm.sign(Buffer.from(input), key!.signWith!).toString('base64url')}`;
    };
    const headerOf = (n: number) => (verifyJws(signed(n), 0) as { header: object }).header;
    const first = Array.from({ length: 70 }, (_, n) => headerOf(n));
    const again = Array.from({ length: 70 }, (_, n) => headerOf(n));
    expect(again.filter((header, n) => header === first[n])).toHaveLength(64);
    expect(again).toEqual(first);
  });

  test('does not learn from a token whose signature is wrong', () => {
    const { verify, issue } = kit();
    const [head, , tail] = issue().split('.');
    const forged = `${head}.${Buffer.from('{}').toString('base64url')}.${tail}`;
    for (let round = 0; round < 2; round++) expect(() => verify(forged)).toThrow(fault('signature'));
  });
});

describe('the key that signs', () => {
  const now = manualClock().now() / 1000;
  const [a, b] = [generateKeys().keys[0]!, generateKeys().keys[0]!] as [JwkInput, JwkInput];
  const publicOf = ({ d: _d, ...jwk }: JwkInput) => jwk;

  test('is the first that may sign now: neither one that is announced, nor a public one, nor one that has ended', () => {
    const { issue, clock } = kit({
      keys: [{ ...a, nbf: now + 60 }, publicOf(b), { ...keys.keys[0]!, exp: now + 60 }],
    });
    expect(kidOf(issue())).toBe(keys.keys[0]!.kid);
    clock.advance('1m');
    expect(kidOf(issue())).toBe(a.kid);
  });

  test('changes at the moment at which the one before it ends', () => {
    const { issue, clock } = kit({ keys: [{ ...a, exp: now + 60 }, b] });
    clock.advance(59_999);
    expect(kidOf(issue())).toBe(a.kid);
    clock.advance(1);
    expect(kidOf(issue())).toBe(b.kid);
  });

  test('may have begun long ago; times that have passed leave no gap', () => {
    for (const set of [
      [{ ...a, nbf: now - 60 }],
      [{ ...a, exp: now - 60 }, b].toReversed(),
      [{ ...a, nbf: now }],
      // Nobody signed between the two, an hour ago.
      [
        { ...a, nbf: now - 3_600 },
        { ...b, exp: now - 7_200 },
      ],
    ])
      expect(kit({ keys: set as KeysInput }).issue()).toBeTruthy();
  });

  test('stands first in the set as a private key', () => {
    expect(() => kit({ keys: [publicOf(a), b] })).toThrow(/keys\[0\] signs, so it must be a private key/);
  });

  test('is published until the moment at which it ends', () => {
    const { tokens, clock } = kit({ keys: [b, { ...a, exp: now + 60 }] });
    clock.advance(59_999);
    expect(tokens.jwks().keys.map((key) => key['kid'])).toEqual([b.kid, a.kid]);
    clock.advance(1);
    expect(tokens.jwks().keys.map((key) => key['kid'])).toEqual([b.kid]);
  });

  test('is followed by a new one up to 30 days later, itself up to 90 days after that, and no end is put off', () => {
    const clock = manualClock();
    const set = { keys: [a, { ...b, exp: now + 60 }, { ...keys.keys[0]!, exp: now }] };
    const day = 86_400;
    expect(rotateKeys(set, { announce: '30d', overlap: '90d', clock }).keys).toMatchObject([
      { nbf: now + 30 * day },
      { kid: a.kid, exp: now + 120 * day },
      { kid: b.kid, exp: now + 60 },
    ]);
    expect(rotateKeys(set, { announce: '30d', overlap: '90d', clock }).keys).toHaveLength(3);
    expect(() => rotateKeys(set, { announce: '31d', clock })).toThrow(/announce must be between/);
    expect(() => rotateKeys(set, { overlap: '91d', clock })).toThrow(/overlap must be between/);
  });

  test('of HMAC is published nowhere', () => {
    expect(kit({ keys: generateKeys('HS256') }).tokens.jwks()).toEqual({ keys: [] });
  });
});

test('an event tells the fault of a token or proof, and of nothing else', () => {
  const made = (code: string, details?: object) => Object.assign(new Error('x'), { code, details });
  for (const [error, told] of [
    [refusalOf('typ'), 'typ'],
    [refusalOf('expired'), 'expired'],
    [made('E_DPOP_PROOF_INVALID', { fault: 'htu' }), 'htu'],
    [made('E_TOKEN_INVALID', { fault: 7 }), 'refused'],
    [made('E_TOKEN_INVALID'), 'refused'],
    [made('E_OTHER', { fault: 'typ' }), 'refused'],
    ['typ', 'refused'],
  ] as const)
    expect(faultOf(error)).toBe(told);
});

test('a token is as long as a verifier takes it, and not a character longer', () => {
  const most = 8_192;
  // base64 has no text of 4n + 1 characters: with one of two names of the key the whole is exactly as long.
  const exact = ['k', 'kk'].flatMap((kid) => {
    const { tokens, verify } = kit({ keys: [{ ...keys.keys[0]!, kid }] });
    const make = (length: number) => tokens.issue(session, { x: 'x'.repeat(length) }).token;
    const start = 5_000 + Math.floor(((most - 20 - make(5_000).length) * 3) / 4);
    const made = Array.from({ length: 20 }, (_, n) => start + n).flatMap((length) => {
      try {
        return [make(length)];
      } catch (error) {
        expect(error).toBeInstanceOf(RangeError);
        return [];
      }
    });
    expect(made.length).toBeLessThan(20);
    for (const token of made) expect(verify(token)).toMatchObject({ sub: 'u1' });
    return made.filter(({ length }) => length === most);
  });
  expect(exact.length).toBeGreaterThan(0);
});

test('a token lives for its time, in whole seconds, and never longer than its session', () => {
  const { tokens, clock } = kit({ accessTtl: '10m' });
  const now = clock.now();
  expect(tokens.issue(session).expiresAt).toBe(now + 600_000);
  expect(tokens.issue(session, {}, now + 599_999).expiresAt).toBe(now + 599_000);
  expect(tokens.issue(session, {}, now + 601_000).expiresAt).toBe(now + 600_000);
  clock.advance(999);
  expect(tokens.issue(session).expiresAt).toBe(now + 600_000);
});
