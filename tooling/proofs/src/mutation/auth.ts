import type { Scored } from './scored.js';

const tests = (...names: readonly string[]): readonly string[] =>
  names.map((name) => `packages/auth/test/${name}.test.ts`);
const src = (name: string): string => `packages/auth/src/${name}.ts`;

const ofTokens = tests('tokens', 'museum', 'rfc-examples', 'wycheproof', 'dpop');
const ofSessions = tests('sessions', 'acting', 'dpop');
const ofPasswords = tests('passwords', 'password-policy', 'pepper', 'foreign-hashes');
const ofGuesses = tests('guesses');

/** Tokens, sessions, passwords and lockout. */
export const auth: readonly Scored[] = [
  { file: src('tokens/base64url'), tests: ofTokens },
  { file: src('tokens/claims'), tests: ofTokens },
  { file: src('tokens/keys'), tests: ofTokens },
  { file: src('tokens/parse'), tests: ofTokens },
  { file: src('tokens/tokens'), tests: ofTokens },
  { file: src('tokens/verifier'), tests: ofTokens },
  { file: src('tokens/verify-jws'), tests: ofTokens },
  { file: src('sessions/key-value-sessions'), tests: ofSessions },
  { file: src('sessions/leased-cache'), tests: ofSessions },
  { file: src('sessions/refresh-token'), tests: ofSessions },
  { file: src('sessions/sessions'), tests: ofSessions },
  { file: src('sessions/stateless-sessions'), tests: ofSessions },
  { file: src('passwords/bcrypt'), tests: ofPasswords },
  { file: src('passwords/gate'), tests: ofPasswords },
  { file: src('passwords/passwords'), tests: ofPasswords },
  { file: src('passwords/pepper'), tests: ofPasswords },
  { file: src('passwords/policy'), tests: ofPasswords },
  { file: src('guesses/device-cookie'), tests: ofGuesses },
  { file: src('guesses/devices'), tests: ofGuesses },
  { file: src('guesses/guess-budget'), tests: ofGuesses },
  { file: src('guesses/ladder'), tests: ofGuesses },
];
