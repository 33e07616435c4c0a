import type { Scored } from './scored.js';

const tests = (...names: readonly string[]): readonly string[] =>
  names.map((name) => `packages/auth/test/${name}.test.ts`);
const src = (name: string): string => `packages/auth/src/${name}.ts`;

const SAME = 'the same by another way';

const ofTokens = ['tokens', 'rfc-examples', 'museum'] as const;
const ofSessions = ['session-rules', 'sessions', 'acting'] as const;
const ofPasswords = ['password-rules', 'passwords'] as const;

/** Tokens, sessions, passwords and lockout: every file of theirs in which something can slip, and their stores in PostgreSQL. */
export const auth: readonly Scored[] = [
  { file: src('tokens/algorithms'), tests: tests('verifying', 'tokens', 'rfc-examples', 'wycheproof') },
  { file: src('tokens/base64url'), tests: tests('token-form', ...ofTokens) },
  { file: src('tokens/claims'), tests: tests('claims', ...ofTokens) },
  { file: src('tokens/generate-keys'), tests: tests('verifying', 'tokens', 'wrong-configurations') },
  { file: src('tokens/keys'), tests: tests('reading-keys', ...ofTokens) },
  { file: src('tokens/parse'), tests: tests('token-form', ...ofTokens) },
  { file: src('tokens/publish-keys'), tests: tests('tokens') },
  { file: src('tokens/roca'), tests: tests('reading-keys') },
  { file: src('tokens/token-errors'), tests: tests('verifying', 'tokens') },
  {
    file: src('tokens/tokens'),
    tests: tests('verifying', ...ofTokens),
    // jsonwebtoken's signature or our own with the same key: one signs as the other does.
    equivalent: [["signToken: algorithm.name !== 'EdDSA' -> false", SAME]],
  },
  { file: src('tokens/verifier'), tests: tests('verifying', ...ofTokens) },
  { file: src('tokens/verify-jws'), tests: tests('verifying', ...ofTokens, 'wycheproof') },
  { file: src('sessions/key-value-sessions'), tests: tests('key-value-sessions', 'sessions') },
  { file: src('sessions/leased-cache'), tests: tests('leased-cache', ...ofSessions) },
  { file: src('sessions/refresh-token'), tests: tests('refresh-token', ...ofSessions) },
  { file: src('sessions/sessions'), tests: tests(...ofSessions) },
  { file: src('sessions/stateless-sessions'), tests: tests('stateless-sessions', 'acting') },
  { file: src('passwords/argon2id'), tests: tests('hash-bounds', 'passwords', 'foreign-hashes') },
  { file: src('passwords/bcrypt'), tests: tests('hash-bounds', 'password-rules', 'foreign-hashes') },
  { file: src('passwords/breached'), tests: tests('password-policy') },
  { file: src('passwords/common'), tests: tests('hash-bounds', ...ofPasswords) },
  { file: src('passwords/common-passwords'), tests: tests('password-rules', 'passwords') },
  { file: src('passwords/computations'), tests: tests('hashing-threads', 'sha-crypt') },
  { file: src('passwords/django'), tests: tests('hash-bounds', 'foreign-hashes') },
  { file: src('passwords/encodings'), tests: tests('hash-bounds', 'foreign-hashes') },
  { file: src('passwords/gate'), tests: tests('gate') },
  {
    file: src('passwords/hashing-thread'),
    tests: tests('hashing-thread-rules', 'hashing-threads'),
    equivalent: [
      ["module: process.platform === 'linux' -> true", 'the same in Linux, where this is measured'],
    ],
  },
  { file: src('passwords/passwords'), tests: tests(...ofPasswords, 'pepper', 'password-policy') },
  { file: src('passwords/pbkdf2'), tests: tests('hash-bounds', 'foreign-hashes') },
  { file: src('passwords/pepper'), tests: tests('password-rules', 'pepper') },
  { file: src('passwords/policy'), tests: tests(...ofPasswords, 'password-policy') },
  { file: src('passwords/scrypt'), tests: tests('hash-bounds', 'passwords', 'foreign-hashes') },
  { file: src('passwords/sha-crypt'), tests: tests('hash-bounds', 'sha-crypt') },
  { file: src('passwords/sha-crypt-steps'), tests: tests('sha-crypt') },
  { file: src('guesses/device-cookie'), tests: tests('device-tokens') },
  { file: src('guesses/devices'), tests: tests('device-tokens') },
  { file: src('guesses/lockout'), tests: tests('guess-ladder') },
  { file: src('guesses/ladder'), tests: tests('guess-ladder') },
  { file: src('postgres/postgres-guesses'), tests: tests('postgres-statements') },
  { file: src('postgres/postgres-sessions'), tests: tests('postgres-statements') },
];
