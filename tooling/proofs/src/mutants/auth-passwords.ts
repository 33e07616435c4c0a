import type { Mutant } from './mutant.js';

const src = (name: string): string => `packages/auth/src/${name}.ts`;
const test = (name: string, title: string): Mutant['killedBy'] => [
  `packages/auth/test/${name}.test.ts`,
  title,
];

/** The rows of published vulnerabilities that concern passwords, guesses, flows by mail and second factors: each guard removed. */
export const mutants: readonly Mutant[] = [
  {
    what: 'CVE-2025-22228: bytes after the 72nd are ignored',
    file: src('passwords/bcrypt'),
    from: 'matches && bytes.length <= MAX_RAW_BYTES && ',
    to: 'matches && ',
    killedBy: test('passwords', 'CVE-2025-22228'),
  },
  {
    what: 'a hash of 2^31 blocks is computed',
    file: src('passwords/scrypt'),
    from: ' && 2 ** logN * r <= limitKib * 8',
    to: '',
    killedBy: test('foreign-hashes', 'scrypt N 2^24'),
  },
  {
    what: 'a stored hash may ask for any number of iterations',
    file: src('passwords/django'),
    from: 'iterations > maxIterations || ',
    to: '',
    killedBy: test('foreign-hashes', 'Django PBKDF2 of 3,000,001 iterations'),
  },
  {
    what: 'a hash under an unknown pepper is judged without one',
    file: src('passwords/pepper'),
    from: '{ missing: id }',
    to: '{ inner, mix: plain, current: false }',
    killedBy: test('pepper', 'a hash under a key that is not there'),
  },
  {
    what: 'guesses at the same time share one step',
    file: src('guesses/guess-budget'),
    from: "return step.judged ? { allowed: true, locks: step.begins } : refused('account');",
    to: 'return { allowed: true, locks: step.begins };',
    killedBy: test('guesses', 'guesses of many callers at once: each step is taken once'),
  },
  {
    what: 'a device token of one account opens another',
    file: src('guesses/devices'),
    from: 'portcullis device\\0${account}\\0${facts}',
    to: 'portcullis device\\0${facts}',
    killedBy: test('guesses', 'is one for its account only'),
  },
  {
    what: 'knocking makes a rest longer',
    file: src('guesses/ladder'),
    from: 'if (await resting(subject)) return RESTING;',
    to: '',
    killedBy: test('guesses', 'five guesses are free'),
  },
  {
    what: 'CVE-2026-53518: a link is looked at and not used up',
    file: src('flows/one-time-tokens'),
    from: 'open(await store.take(entryKey(hashOf(purpose, token))))',
    to: 'open(await store.get(entryKey(hashOf(purpose, token))))',
    killedBy: test('mail-flows', 'the mailbox gets a link'),
  },
  {
    what: 'a link of one purpose serves another',
    file: src('flows/one-time-tokens'),
    from: 'update(`${purpose}\\0${token}`)',
    to: 'update(token)',
    killedBy: test('mail-flows', 'a link ends with its time'),
  },
  {
    what: 'CVE-2026-53516: a prepared account keeps the sessions that it had',
    file: src('flows/mail-flows'),
    from: "await replacePassword(user, passwordHash, 'verified');",
    to: 'await users.saveCredential(user.id, { passwordHash, replaces: user.passwordHash ?? null });',
    killedBy: test('mail-flows', 'CVE-2026-53516'),
  },
  {
    what: 'a reset outlives a change of the password',
    file: src('flows/mail-flows'),
    from: "stateOf(user) !== facts!['state'] || user.login !== facts!['login'])",
    to: "user.login !== facts!['login'])",
    killedBy: test('mail-flows', 'a link ends with its time'),
  },
  {
    what: 'TOTP replay: a code counts as often as it is sent',
    file: src('factors/factors'),
    from: ', { ttlMs: STEP_TTL, ifAbsent: true }',
    to: ', { ttlMs: STEP_TTL }',
    killedBy: test('factors', 'TOTP replay'),
  },
  {
    what: 'a million codes can be tried',
    file: src('factors/factors'),
    from: 'judged && (await useStep(user.id, secret, code))',
    to: 'await useStep(user.id, secret, code)',
    killedBy: test('factors', 'ASVS V6.6.3'),
  },
  {
    what: 'a sealed secret counts in every row',
    file: src('factors/factor-record'),
    from: '.setAAD(Buffer.from(`totp\\0${userId}`))\n          .setAuthTag',
    to: '.setAAD(Buffer.from(`totp\\0${JSON.parse(\'""\')}`))\n          .setAuthTag',
    killedBy: test('factors', 'turning it on, off'),
  },
  {
    what: 'CVE-2022-25896: the old session goes on when a stronger one begins',
    file: src('flows/factor-flows'),
    from: "if (who.sessionId !== undefined) await sessions.revoke(user.id, who.sessionId, 'stepped-up');",
    to: '',
    killedBy: test('factors', 'RFC 9470'),
  },
  {
    what: 'xg6x-h9c9-2m83: a right password alone begins a session',
    file: src('flows/flows'),
    from: "const codes = factors?.required(user) ? ['otp', 'recovery-code'] : [];",
    to: 'const codes: string[] = [];',
    killedBy: test('factors', 'xg6x-h9c9-2m83'),
  },
  {
    what: 'CVE-2024-45042: level 2 is not asked for',
    file: src('identify'),
    from: '(principal.aal ?? 1) < aal || ',
    to: '',
    killedBy: test('factors', 'a principal that somebody else has set'),
  },
];
