import { describe, expect, jest, test } from '@jest/globals';
import { recordedEvents } from '@portcullis/core/testing';
import { argon2id, bcrypt, createPasswords, type PasswordsOptions } from '../src/index.js';
import { testHasher } from '../src/testing.js';

jest.setTimeout(60_000); // Real hashes on a busy machine.

const [one, two] = [
  { id: '2026a', key: 'k'.repeat(32) },
  { id: '2026b', key: 'q'.repeat(32) },
];
const make = (options: PasswordsOptions) => createPasswords({ hash: testHasher(), accept: [], ...options });

describe('a pepper', () => {
  test.each([
    ['argon2id', argon2id({ memoryKib: 7_168, passes: 1 })],
    ['bcrypt', bcrypt({ cost: 10 })],
  ])(
    '%s: the stored hash alone verifies nothing, and no byte of a long password is ignored',
    async (_name, hash) => {
      const peppered = make({ hash, pepper: [one] });
      const long = 'x'.repeat(100);
      const stored = await peppered.hash(`${long}a`);
      expect(stored).toMatch(/^\$pepper\$2026a\$/);
      expect(await peppered.verify(`${long}a`, stored)).toEqual({ matches: true, outdated: false });
      expect((await peppered.verify(`${long}b`, stored)).matches).toBe(false);
      const thief = make({ hash });
      expect((await thief.verify(`${long}a`, stored.replace(/^\$pepper\$2026a/, ''))).matches).toBe(false);
      const wrongKey = make({ hash, pepper: [{ ...two, id: one.id }] });
      expect((await wrongKey.verify(`${long}a`, stored)).matches).toBe(false);
    },
  );

  test('rotation: the new key makes hashes, the old one verifies and its hashes are replaced', async () => {
    const [before, after] = [make({ pepper: [one] }), make({ pepper: [two, one] })];
    const plain = await make({}).hash('secret words');
    expect(await before.verify('secret words', plain)).toEqual({ matches: true, outdated: true });
    const old = await before.hash('secret words');
    expect(await after.verify('secret words', old)).toEqual({ matches: true, outdated: true });
    const fresh = await after.hash('secret words');
    expect(fresh).toMatch(/^\$pepper\$2026b\$/);
    expect(await after.verify('secret words', fresh)).toEqual({ matches: true, outdated: false });
    // Without the option, hashes that have it are nobody's.
    expect((await make({}).verify('secret words', fresh)).matches).toBe(false);
  });

  test('a hash under a key that is not there never matches, costs one hash and is told', async () => {
    const events = recordedEvents();
    const hasher = testHasher();
    let hashes = 0;
    const counting = {
      ...hasher,
      hash: (text: Parameters<typeof hasher.hash>[0]) => (hashes++, hasher.hash(text)),
    };
    const stored = await make({ pepper: [one] }).hash('secret words');
    const passwords = make({ hash: counting, pepper: [two], events });
    expect(await passwords.verify('secret words', stored)).toEqual({ matches: false, outdated: false });
    expect(hashes).toBe(1);
    expect(events.of('auth.pepper-missing')).toMatchObject([{ keyId: '2026a' }]);
    expect(JSON.stringify(events.all)).not.toContain('secret words');
  });

  test('short keys, names that are none and one name twice do not start', () => {
    for (const [pepper, message] of [
      [[{ id: 'a', key: 'short' }], /pepper\[0\]\.key/],
      [[{ id: 'a$b', key: one.key }], /pepper\[0\]\.id/],
      [[one, { ...two, id: one.id }], /one id twice/],
      [[{ id: 'a' }], /pepper\[0\]\.key/],
      [[{ id: 'a', key: one.key, kez: 1 }], /kez/],
    ] as const) {
      expect(() => make({ pepper: pepper as unknown as NonNullable<PasswordsOptions['pepper']> })).toThrow(
        message,
      );
    }
  });
});
