import { createSecretKey, generateKeyPairSync } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { Secret } from '@portcullis/core';
import { generateKeys } from '../src/tokens/generate-keys.js';
import { readKeys } from '../src/tokens/keys.js';

const [ed, es] = (['EdDSA', 'ES256'] as const).map((alg) => ({ ...generateKeys(alg).keys[0] })) as [
  Record<string, string>,
  Record<string, string>,
];
const hs = (kid: string) => ({ ...generateKeys('HS256').keys[0]!, kid });
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const without = (jwk: Record<string, string>, ...names: string[]) =>
  Object.fromEntries(Object.entries(jwk).filter(([name]) => !names.includes(name)));
const publicOf = (jwk: Record<string, string>) => without(jwk, 'd');
const read = (input: unknown) => readKeys(input, 'createTokens');
const refused = (code: string) => expect.objectContaining({ name: 'OptionError', code });

describe('what a key set may be', () => {
  test('a JWK Set, its text, that text as a secret, a list, and one key', () => {
    const set = { keys: [ed] };
    for (const input of [set, JSON.stringify(set), new Secret(JSON.stringify(set)), [ed], ed])
      expect(read(input).all).toMatchObject([{ kid: ed['kid'], algorithm: { name: 'EdDSA' } }]);
  });

  test.each([
    [undefined, 'E_OPTION_REQUIRED'],
    [null, 'E_OPTION_TYPE'],
    [7, 'E_OPTION_TYPE'],
    [{}, 'E_OPTION_TYPE'],
    [{ keys: 'x' }, 'E_OPTION_TYPE'],
    [{ kty: 7 }, 'E_OPTION_TYPE'],
    ['null', 'E_OPTION_TYPE'],
    ['no JSON', 'E_OPTION_VALUE'],
    [[], 'E_OPTION_RANGE'],
  ])('%j is none: %s', (input, code) => {
    expect(() => read(input)).toThrow(refused(code) as never);
  });

  test('it holds 1 to 32 keys', () => {
    const many = Array.from({ length: 33 }, (_, i) => hs(`k${i}`));
    expect(read(many.slice(1)).all).toHaveLength(32);
    expect(() => read(many)).toThrow(/1 to 32 keys/);
  });

  test('HMAC keys stand together, and public ones; never one kind with the other', () => {
    expect(read([hs('a'), hs('b')]).all).toHaveLength(2);
    expect(read([ed, es]).all).toHaveLength(2);
    expect(() => read([ed, hs('a')])).toThrow(/algorithm confusion/);
  });

  test('a header without kid finds the only key; among several it finds none', () => {
    expect(read([ed]).find(undefined)?.kid).toBe(ed['kid']);
    expect(read([ed, es]).find(undefined)).toBeUndefined();
    expect(read([ed, es]).find(es['kid'])?.algorithm.name).toBe('ES256');
    expect(read([ed]).find('other')).toBeUndefined();
  });
});

describe('one key', () => {
  test.each([
    [null, /must be a JWK object or/],
    [7, /must be a JWK object or/],
    ['x', /must be a JWK object or/],
    [[], /must be a JWK object or/],
    [{ key: p256.privateKey, alg: 'ES256' }, /needs a "kid"/],
    [{ key: p256.privateKey, alg: 'ES256', kid: '' }, /needs a "kid"/],
    [{ key: p256.privateKey, alg: 'ES256', kid: 7 }, /needs a "kid"/],
    [{ key: p256.privateKey, alg: ['ES256'], kid: 'k' }, /needs an "alg"/],
    [{ key: p256.privateKey, alg: 'none', kid: 'k' }, /needs an "alg"/],
    [{ key: p256.privateKey, kid: 'k' }, /needs an "alg"/],
    [{ key: p384.publicKey, alg: 'EdDSA', kid: 'k' }, /type ec, which does not fit EdDSA/],
    [{ key: p384.publicKey, alg: 'ES256', kid: 'k' }, /on the curve P-256/],
    [{ key: p256.publicKey, alg: 'HS256', kid: 'k' }, /must be a secret key for HS256/],
    [
      { key: createSecretKey(Buffer.alloc(64)), alg: 'ES256', kid: 'k' },
      /type secret, which does not fit ES256/,
    ],
    [{ ...es, alg: 'none' }, /needs an "alg"/],
    [{ ...es, alg: 7 }, /needs an "alg"/],
    [{ ...without(es, 'alg'), crv: 'P-255' }, /needs an "alg"/],
    [{ ...without(es, 'alg'), crv: ['P-256'] }, /needs an "alg"/],
    [{ ...es, kty: 'RSA' }, /has kty "RSA", which does not fit ES256/],
    [{ ...p384.privateKey.export({ format: 'jwk' }), alg: 'ES256' }, /on the curve P-256/],
    [{ ...es, use: '' }, /a "use" other than "sig"/],
    [{ ...es, key_ops: 'sign' }, /key_ops/],
    [{ ...es, key_ops: [] }, /key_ops/],
    [{ ...es, key_ops: null }, /key_ops/],
    [{ ...es, kid: '' }, /an empty "kid"/],
    [{ ...es, kid: 7 }, /an empty "kid"/],
    [{ ...es, nbf: 'soon' }, /seconds since 1970 as "nbf"/],
    [{ ...es, exp: null }, /seconds since 1970 as "exp"/],
    [{ ...hs('k'), k: undefined }, /needs "k" in base64url/],
    [{ ...hs('k'), k: 7 }, /needs "k" in base64url/],
    [{ ...hs('k'), k: 'A=' }, /needs "k" in base64url/],
    [{ ...hs('k'), k: '' }, /at least 32 bytes/],
    [{ ...ed, d: 'AA' }, /is not a valid OKP key/],
    [{ ...ed, x: generateKeys('EdDSA').keys[0]!.x }, /public part that does not belong/],
    [{ ...publicOf(ed), x: 'AA' }, /is not a valid OKP key/],
  ])('%#: %j is refused and told why', (item, message) => {
    expect(() => read([item])).toThrow(message);
    expect(() => read([item])).toThrow(refused('E_OPTION_VALUE') as never);
  });

  test('a curve tells the algorithm where none is written, use and key_ops may be left out', () => {
    expect(read([without(es, 'alg', 'use', 'kid')]).all[0]).toMatchObject({ algorithm: { name: 'ES256' } });
    expect(read([without(ed, 'alg')]).all[0]).toMatchObject({ algorithm: { name: 'EdDSA' } });
    for (const key_ops of [['sign'], ['verify'], ['sign', 'verify'], ['deriveBits', 'verify']]) {
      const [key] = read([{ ...es, key_ops }]).all;
      expect([key_ops, key!.signWith !== undefined]).toEqual([key_ops, key_ops.includes('sign')]);
    }
    expect(read([es]).all[0]!.signWith).toBeDefined();
  });

  test('a key without a name has the thumbprint as its name, private or public', () => {
    expect(read([without(es, 'kid')]).all[0]!.kid).toBe(es['kid']);
    expect(read([without(publicOf(es), 'kid')]).all[0]!.kid).toBe(es['kid']);
  });

  test('a private key signs and verifies, a public one only verifies; only the public half is published', () => {
    const [own] = read([es]).all;
    const [other] = read([publicOf(es)]).all;
    expect([own!.signWith?.type, own!.verifyWith.type]).toEqual(['private', 'public']);
    expect([other!.signWith, other!.verifyWith.type]).toEqual([undefined, 'public']);
    const published = { ...publicOf(es), alg: 'ES256', use: 'sig' };
    expect(own!.publicJwk).toStrictEqual(published);
    expect(other!.publicJwk).toStrictEqual(published);
    expect(read([hs('k')]).all[0]!.publicJwk).toBeUndefined();
  });

  test('its times are seconds, published with it and not older than themselves', () => {
    const [key] = read([{ ...ed, nbf: 5, exp: 6 }]).all;
    expect(key).toMatchObject({ signsFrom: 5_000, expiresAt: 6_000, publicJwk: { exp: 6 } });
    expect(() => read([{ ...ed, nbf: 6, exp: 6 }])).toThrow(/not after its "nbf"/);
  });

  test('RSA of 2,048 bits and 65537 will do', () => {
    expect(read([{ key: rsa.publicKey, alg: 'PS256', kid: 'k' }]).all).toHaveLength(1);
  });

  test('CVE-2017-15361: a modulus of the faulty generator is refused, whichever exponent made it', () => {
    const primes = [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157];
    const product = primes.reduce((all, prime) => all * BigInt(prime), 1n);
    const e = Buffer.from([1, 0, 1]).toString('base64url');
    for (const power of [0, 1, 2, 77]) {
      // 2,048 bits, and modulo every prime a power of 65537.
      const rest = 65_537n ** BigInt(power) % product;
      const modulus = ((1n << 2047n) / product + 2n) * product + rest;
      const n = Buffer.from(modulus.toString(16), 'hex').toString('base64url');
      expect(() => read([{ kty: 'RSA', n, e, alg: 'RS256' }])).toThrow(/CVE-2017-15361/);
    }
    expect(read([{ ...rsa.publicKey.export({ format: 'jwk' }), alg: 'RS256' }]).all).toHaveLength(1);
  });

  test('a secret of letters only, or one that happens to begin like DER, is a secret', () => {
    for (const bytes of [Buffer.from('a'.repeat(32)), Buffer.from([0x30, 0x1e, ...Buffer.alloc(30, 7)])])
      expect(read([{ key: createSecretKey(bytes), alg: 'HS256', kid: 'k' }]).all).toHaveLength(1);
  });
});
