import { describe, expect, test } from '@jest/globals';
import { createMemoryStore, type OptionErrorCode } from '@portcullis/core';
import { generateKeyPairSync } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import {
  argon2id,
  bcrypt,
  createApiKeys,
  createAuth,
  createDpop,
  createLockout,
  createMutualTls,
  createPasswordPolicy,
  createPasswords,
  createSessions,
  createStatelessSessions,
  createTokens,
  createVerifier,
  external,
  generateKeys,
  keyValueApiKeys,
  keyValueSessions,
  pbkdf2,
  pwnedPasswords,
  scrypt,
  type AuthOptions,
} from '../src/index.js';
import { expressjwt } from '../src/express-jwt.js';
import { memoryUsers, testHasher } from '../src/testing.js';

const keys = generateKeys();
const store = createMemoryStore();
const issuer = 'https://library.example';
const audience = issuer;
const users = memoryUsers();
const tokens = createTokens({ issuer, audience, keys });
const factorKeys = [{ id: 'a', key: Buffer.alloc(32, 7).toString('base64url') }];
const right = { issuer, audience, keys, users, store, passwords: { hash: testHasher(), accept: [] } };
const freshness = { current() {}, ensure() {}, changedAt() {}, onChanges() {} };

const auth = (change: object) => () => createAuth({ ...right, ...change } as AuthOptions);
const withKeys = (wrong: unknown) => () => createTokens({ issuer, audience, keys: wrong as never });
const jwk = (change: object) => ({ keys: [{ ...keys.keys[0]!, ...change }] });
const weakRsa = generateKeyPairSync('rsa', { modulusLength: 1_024 }).privateKey.export({ format: 'jwk' });
const hmac = (text: string) => ({
  keys: [{ kty: 'oct', alg: 'HS256', kid: 'a', k: Buffer.from(text).toString('base64url') }],
});

type Wrong = readonly [
  title: string,
  build: () => unknown,
  code: OptionErrorCode,
  option: string,
  /** What to do about it. */
  fix: RegExp,
];

const wrong: readonly Wrong[] = [
  ['no options at all', () => createAuth(5 as never), 'E_OPTION_TYPE', '', /must be an object/],
  ['no issuer', auth({ issuer: undefined }), 'E_OPTION_REQUIRED', 'issuer', /is required/],
  ['no audience', auth({ audience: undefined }), 'E_OPTION_REQUIRED', 'audience', /is required/],
  ['an empty audience', auth({ audience: '' }), 'E_OPTION_RANGE', 'audience', /must have 1 to/],
  ['no keys', auth({ keys: undefined }), 'E_OPTION_REQUIRED', 'keys', /generateKeys/],
  ['no users', auth({ users: undefined }), 'E_OPTION_REQUIRED', 'users', /is required/],
  [
    'users without findById',
    auth({ users: { findByLogin() {}, saveCredential() {} } }),
    'E_OPTION_TYPE',
    'users',
    /lacks the method "findById"/,
  ],
  ['no store', auth({ store: undefined }), 'E_OPTION_REQUIRED', 'store', /is required/],
  [
    'a store that cannot swap',
    auth({ store: { get() {}, set() {} } }),
    'E_OPTION_TYPE',
    'store',
    /lacks the method/,
  ],
  ['a near miss', auth({ isuer: 'x' }), 'E_OPTION_UNKNOWN', 'isuer', /Did you mean "issuer"/],
  ['an option of nothing', auth({ colour: 'red' }), 'E_OPTION_UNKNOWN', 'colour', /Known: issuer, audience/],
  [
    'neither bearer nor cookies',
    auth({ transport: { bearer: false } }),
    'E_OPTION_CONFLICT',
    'transport',
    /has neither bearer nor cookies on/,
  ],
  [
    'cookies misspelt',
    auth({ transport: { cookie: true } }),
    'E_OPTION_UNKNOWN',
    'transport.cookie',
    /Did you mean "cookies"/,
  ],
  [
    'an unknown cookie profile',
    auth({ transport: { cookies: { profile: 'dev' } } }),
    'E_OPTION_VALUE',
    'transport.cookies.profile',
    /must be one of "host", "development"/,
  ],
  [
    'cookies over plain HTTP in production',
    auth({ production: true, transport: { cookies: { profile: 'development' } } }),
    'E_OPTION_CONFLICT',
    'transport.cookies.profile',
    /Leave it out/,
  ],
  [
    'a trusted origin with a path',
    auth({ transport: { cookies: { trustedOrigins: ['https://a.example/x'] } } }),
    'E_OPTION_VALUE',
    'transport.cookies.trustedOrigins[0]',
    /must match/,
  ],
  [
    'proofs of tokens that nobody may bring',
    auth({ transport: { bearer: false, cookies: {}, dpop: { origin: issuer } } }),
    'E_OPTION_CONFLICT',
    'transport.bearer',
    /transport\.bearer switches it off/,
  ],
  [
    'DPoP without the origin that clients use',
    auth({ transport: { dpop: {} } }),
    'E_OPTION_REQUIRED',
    'origin',
    /must be the origin/,
  ],
  ['sessions that are no object', auth({ sessions: 5 }), 'E_OPTION_TYPE', 'sessions', /must be an object/],
  [
    'sessions misspelt',
    auth({ sessions: { absolut: '1d' } }),
    'E_OPTION_UNKNOWN',
    'absolut',
    /Did you mean "absolute"/,
  ],
  [
    'an access token for two days',
    auth({ sessions: { accessTtl: '2d' } }),
    'E_OPTION_RANGE',
    'accessTtl',
    /must be between/,
  ],
  [
    'a bound on sessions of which nothing is kept',
    auth({ sessions: { stateless: true, max: 3 } }),
    'E_OPTION_CONFLICT',
    'sessions.max',
    /Leave one of them out/,
  ],
  [
    'a lease without the feed of a store',
    auth({ sessions: { freshness } }),
    'E_OPTION_CONFLICT',
    'sessions.freshness',
    /keyValueSessions\(\{ store, feed \}\)/,
  ],
  [
    'a lease of API keys without the feed of a store',
    auth({ apiKeys: { prefix: 'lib', freshness } }),
    'E_OPTION_CONFLICT',
    'apiKeys.freshness',
    /keyValueApiKeys\(\{ store, feed \}\)/,
  ],
  [
    'acting for others in sessions that cannot be ended',
    auth({ sessions: false, impersonation: { allow: () => true, record: async () => undefined } }),
    'E_OPTION_CONFLICT',
    'impersonation',
    /Leave out sessions: false/,
  ],
  [
    'acting for others without a log',
    auth({ impersonation: { allow: () => true } }),
    'E_OPTION_REQUIRED',
    'record',
    /is required/,
  ],
  [
    'registration that nobody can write down',
    auth({ registration: 'open', users: { ...users, create: undefined } }),
    'E_OPTION_CONFLICT',
    'registration',
    /needs users\.create\(\)/,
  ],
  [
    'registration by mail without mail',
    auth({ registration: 'by-mail' }),
    'E_OPTION_CONFLICT',
    'registration',
    /needs notify\(\)/,
  ],
  [
    'second factors that nobody stores',
    auth({ factors: { keys: factorKeys, issuer: 'Library' }, users: { ...users, saveFactors: undefined } }),
    'E_OPTION_CONFLICT',
    'factors',
    /needs users\.saveFactors\(\)/,
  ],
  [
    'second factors without a key',
    auth({ factors: { keys: [], issuer: 'Library' } }),
    'E_OPTION_RANGE',
    'factors.keys',
    /must be between 1 and 16/,
  ],
  [
    'second factors under a short key',
    auth({ factors: { keys: [{ id: 'a', key: 'short' }], issuer: 'Library' } }),
    'E_OPTION_RANGE',
    'factors.keys[0].key',
    /must have at least 43 bytes/,
  ],
  [
    'codes that count for an hour',
    auth({ factors: { keys: factorKeys, issuer: 'Library', drift: 120 } }),
    'E_OPTION_VALUE',
    'factors.drift',
    /must be one of 0, 1/,
  ],
  [
    'a link to reset that counts for a week',
    auth({ links: { reset: '7d' } }),
    'E_OPTION_RANGE',
    'links.reset',
    /must be between/,
  ],
  [
    'devices under a short key',
    auth({ devices: { keys: [{ id: 'a', key: 'short' }] } }),
    'E_OPTION_RANGE',
    'devices.keys[0].key',
    /must have at least 32 bytes/,
  ],
  [
    'guesses without end',
    auth({ guesses: { free: 1_000 } }),
    'E_OPTION_RANGE',
    'guesses.free',
    /must be between 1 and 100/,
  ],
  [
    'passwords that are no object',
    auth({ passwords: 'argon2id' }),
    'E_OPTION_TYPE',
    'passwords',
    /must be an object/,
  ],
  [
    'the hasher of tests in production',
    auth({ production: true }),
    'E_OPTION_CONFLICT',
    'passwords.hash',
    /protects nothing. Leave it out/,
  ],
  [
    'an account limit above the bound of NIST',
    () => createLockout({ store, perAccount: 100, most: 50 }),
    'E_OPTION_CONFLICT',
    'perAccount',
    /must be less than most/,
  ],
  [
    'a password of six characters',
    () => createPasswordPolicy({ minLength: 6 }),
    'E_OPTION_RANGE',
    'minLength',
    /must be between 8 and 64/,
  ],
  [
    'a gate without a slot',
    () => createPasswords({ slots: 0 }),
    'E_OPTION_RANGE',
    'slots',
    /must be between 1/,
  ],
  [
    'argon2id weaker than OWASP',
    () => argon2id({ memoryKib: 1_024 }),
    'E_OPTION_RANGE',
    'memoryKib',
    /must be between/,
  ],
  ['bcrypt of cost 4', () => bcrypt({ cost: 4 }), 'E_OPTION_RANGE', 'cost', /must be between 10/],
  ['scrypt of N 2^10', () => scrypt({ logN: 10 } as never), 'E_OPTION_RANGE', 'logN', /must be between/],
  [
    'PBKDF2 of 1,000 iterations',
    () => pbkdf2({ iterations: 1_000 } as never),
    'E_OPTION_RANGE',
    'iterations',
    /must be between/,
  ],
  [
    'a list of breached passwords over plain HTTP',
    () => pwnedPasswords({ url: 'http://api.example/' } as never),
    'E_OPTION_VALUE',
    'url',
    /https/,
  ],
  [
    'a verifier for nobody',
    () => createVerifier({ issuer, keys } as never),
    'E_OPTION_REQUIRED',
    'audience',
    /is required/,
  ],
  ['a set of no keys', withKeys({ keys: [] }), 'E_OPTION_RANGE', 'keys', /must hold 1 to 32 keys/],
  ['an algorithm of nobody', withKeys(jwk({ alg: 'none' })), 'E_OPTION_VALUE', 'keys[0]', /alg/],
  [
    'two keys of one name',
    withKeys({ keys: [keys.keys[0]!, keys.keys[0]!] }),
    'E_OPTION_VALUE',
    'keys',
    /kid/,
  ],
  ['an HMAC key of 8 bytes', withKeys(hmac('8 bytes.')), 'E_OPTION_VALUE', 'keys[0]', /32 bytes/],
  [
    'a public key as HMAC secret',
    withKeys(hmac(`-----BEGIN PUBLIC KEY-----\n${'A'.repeat(100)}`)),
    'E_OPTION_VALUE',
    'keys[0]',
    /generateKeys/,
  ],
  [
    'RSA of 1,024 bits',
    withKeys({ keys: [{ ...weakRsa, alg: 'RS256', kid: 'a' }] }),
    'E_OPTION_VALUE',
    'keys[0]',
    /2048/,
  ],
  [
    'a refresh token shorter than an access token',
    () => createSessions({ tokens, store: keyValueSessions({ store }), refreshTtl: '5m' }),
    'E_OPTION_CONFLICT',
    'refreshTtl',
    /must be longer/,
  ],
  [
    'the same without a store',
    () => createStatelessSessions({ tokens, signing: { issuer, audience, keys }, refreshTtl: '5m' }),
    'E_OPTION_CONFLICT',
    'refreshTtl',
    /must be longer/,
  ],
  [
    'an API key prefix that scanners miss',
    () => createApiKeys({ prefix: 'My-App!', store: keyValueApiKeys({ store }) }),
    'E_OPTION_VALUE',
    'prefix',
    /must match/,
  ],
  [
    'a provider without audience',
    () => external([{ issuer: 'https://idp.example' } as never]),
    'E_OPTION_REQUIRED',
    'audience',
    /is required/,
  ],
  [
    'a provider over plain HTTP',
    () => external([{ issuer: 'http://idp.example', audience }]),
    'E_OPTION_VALUE',
    'issuer',
    /https/,
  ],
  [
    'proofs for an origin with a path',
    () => createDpop({ origin: 'https://api.example/x', replays: {} as never }),
    'E_OPTION_VALUE',
    'origin',
    /without path/,
  ],
  [
    'certificates from anybody',
    () => createMutualTls({ header: 'client-cert' } as never),
    'E_OPTION_TYPE',
    'header',
    /must be an object/,
  ],
  [
    'expressjwt without algorithms',
    () => expressjwt({ secret: 'x'.repeat(32) } as never),
    'E_OPTION_REQUIRED',
    'algorithms',
    /is required/,
  ],
];

describe('wrong configurations do not start', () => {
  test('the control: the right one does, with the most of everything on', () => {
    expect(auth({})).not.toThrow();
    expect(
      auth({
        transport: { cookies: {}, dpop: { origin: issuer } },
        sessions: { accessTtl: '1h', max: 3 },
        apiKeys: { prefix: 'lib' },
        factors: { keys: factorKeys, issuer: 'Library', drift: 0 },
        devices: { keys: [{ id: 'a', key: 'd'.repeat(32) }] },
        guesses: { free: 5 },
        links: { reset: '15m' },
        impersonation: { allow: () => true, record: async () => undefined },
        notify: async () => undefined,
      }),
    ).not.toThrow();
  });

  test('the table has no row twice, and at least fifty are different', () => {
    const titles = wrong.map(([title]) => title);
    expect(new Set(titles).size).toBe(titles.length);
    expect(new Set(wrong.map(([, build]) => messageOf(build))).size).toBeGreaterThanOrEqual(50);
    expect(new Set(wrong.map(([, , code]) => code)).size).toBe(6);
  });

  test.each(wrong)('%s', (_title, build, code, option, fix) => {
    let thrown: unknown;
    try {
      build();
    } catch (error) {
      thrown = error;
    }
    const { name, message, help, ...error } = thrown as Error & {
      code: string;
      option: string;
      help: string;
    };
    expect({ name, message, code: error.code, option: error.option }).toMatchObject({
      name: 'OptionError',
      message: expect.stringMatching(fix),
      code,
      option: expect.stringMatching(new RegExp(`${option.replaceAll(/[[\].]/g, String.raw`\$&`)}$`)),
    });
    const page = fileURLToPath(
      new URL(`../../${help.replace('node_modules/@portcullis/', '')}`, import.meta.url),
    );
    expect(existsSync(page)).toBe(true);
    expect(readFileSync(page, 'utf8')).toContain(code);
    expect(message).toContain(`help: ${help}`);
  });
});

function messageOf(build: () => unknown): string {
  try {
    build();
  } catch (error) {
    return (error as Error).message;
  }
  return '';
}
