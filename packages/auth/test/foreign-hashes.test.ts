import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, jest, test } from '@jest/globals';
import { vectorsDirectory } from '@portcullis/test-support';
import {
  argon2id,
  bcrypt,
  createPasswords,
  django,
  pbkdf2,
  scrypt,
  type PasswordVerifier,
} from '../src/index.js';
import { testHasher } from '../src/testing.js';

jest.setTimeout(120_000); // Real hashes on a busy machine.

interface Sample {
  readonly scheme: string;
  readonly password: string;
  readonly hash: string;
}

const forms = (text: string) => ({ raw: text, normal: text.normalize('NFKC') });
const accept: readonly PasswordVerifier[] = [argon2id(), bcrypt(), scrypt(), pbkdf2(), django()];
const passwords = createPasswords({ hash: testHasher(), accept });
const made = JSON.parse(readFileSync(join(import.meta.dirname, 'foreign-hashes.json'), 'utf8')) as {
  valid: readonly Sample[];
};

describe('hashes that Django, passlib and argon2-cffi have made', () => {
  const schemes = [...new Set(made.valid.map(({ scheme }) => scheme))];

  test.each(schemes)(
    '%s: the password matches and is to be hashed anew, another one does not match',
    async (scheme) => {
      const samples = made.valid.filter((sample) => sample.scheme === scheme);
      for (const { password, hash } of samples) {
        expect([hash, await passwords.verify(password, hash)]).toEqual([
          hash,
          { matches: true, outdated: true },
        ]);
        expect(await passwords.verify(`${password}x`, hash)).toEqual({ matches: false, outdated: false });
      }
    },
  );

  const folder = vectorsDirectory('passwords', 'django_hashes.json');
  (folder ? test : test.skip)(
    'Django 5.2 at its own costs: each scheme, long, empty and non-ASCII passwords',
    async () => {
      const { valid } = JSON.parse(readFileSync(join(folder!, 'django_hashes.json'), 'utf8')) as {
        valid: readonly Sample[];
      };
      expect(valid.filter(({ hash }) => !accept.some((one) => one.accepts(hash)))).toEqual([]);
      // Each costs a third of a second and more: of every scheme the plain one and one that is not.
      const tooLong = ({ scheme, password }: Sample) =>
        scheme === 'bcrypt' && Buffer.byteLength(password) > 72;
      for (const scheme of new Set(valid.map((sample) => sample.scheme))) {
        const all = valid.filter((sample) => sample.scheme === scheme);
        const odd = all.filter(({ password }) => !/^[ -~]{1,71}$/.test(password));
        for (const sample of [all[0]!, ...odd.slice(0, 1)]) {
          const { matches } = await passwords.verify(sample.password, sample.hash);
          expect([sample, matches]).toEqual([
            sample,
            !tooLong(sample) && !(scheme === 'bcrypt' && sample.password.includes('\0')),
          ]);
        }
      }
    },
  );

  test('what an account import brings is replaced at sign-in by a hash of today, once', async () => {
    const today = createPasswords({ hash: argon2id({ memoryKib: 7_168, passes: 1 }), accept });
    const { password, hash } = made.valid.find(({ scheme }) => scheme === 'argon2-cffi ID')!;
    expect((await today.verify(password, hash)).outdated).toBe(true);
    expect(await today.verify(password, await today.hash(password))).toEqual({
      matches: true,
      outdated: false,
    });
  });

  test('a hash over the text as typed matches although our own are over NFKC, at the same work for every account', async () => {
    const typed = 'p\u00e4ssw\u00f6rd \u2460 \ufb01n';
    expect(typed).not.toBe(typed.normalize('NFKC'));
    const counted = { ...testHasher(), calls: 0 };
    const { hash, verify } = counted;
    counted.hash = (text) => (counted.calls++, hash(text));
    counted.verify = (text, stored) => (counted.calls++, verify(text, stored));
    const ours = createPasswords({ hash: counted, accept: [] });
    const work: number[] = [];
    for (const stored of [undefined, 'garbage', await testHasher().hash(forms('other'))]) {
      counted.calls = 0;
      expect((await ours.verify(typed, stored)).matches).toBe(false);
      work.push(counted.calls);
    }
    expect(work).toEqual([2, 2, 2]);
  });
});

describe('new hashes by scrypt and PBKDF2', () => {
  test.each([
    ['scrypt', scrypt({ logN: 14 }), scrypt({ logN: 15 }), /^\$scrypt\$ln=14,r=8,p=1\$/],
    ['pbkdf2', pbkdf2({ iterations: 210_000 }), pbkdf2(), /^\$pbkdf2-sha256\$210000\$/],
  ])(
    '%s verifies what it hashed and nothing else; other parameters are outdated',
    async (_name, weak, strong, form) => {
      const stored = await weak.hash(forms('correct horse battery'));
      expect(stored).toMatch(form);
      expect(stored).not.toBe(await weak.hash(forms('correct horse battery')));
      expect(await weak.verify(forms('correct horse battery'), stored)).toBe(true);
      expect(await weak.verify(forms('correct horse batterz'), stored)).toBe(false);
      expect([weak.isCurrent(stored), strong.isCurrent(stored), strong.accepts(stored)]).toEqual([
        true,
        false,
        true,
      ]);
    },
  );

  test('the defaults are those of the OWASP Password Storage Cheat Sheet', async () => {
    expect(await scrypt().hash(forms('x'))).toMatch(/^\$scrypt\$ln=17,r=8,p=1\$/);
    expect(await pbkdf2().hash(forms('x'))).toMatch(/^\$pbkdf2-sha256\$600000\$/);
  });
});

describe('stored hashes that would take the process down', () => {
  const salt = 'c29tZXNhbHRzb21lc2FsdA';
  const digest = 'A'.repeat(43);
  test.each([
    ['scrypt N 2^24', `$scrypt$ln=24,r=8,p=1$${salt}$${digest}`],
    ['scrypt N 2^31', `$scrypt$ln=31,r=8,p=1$${salt}$${digest}`],
    ['scrypt r 33', `$scrypt$ln=10,r=33,p=1$${salt}$${digest}`],
    ['scrypt p 17', `$scrypt$ln=17,r=8,p=17$${salt}$${digest}`],
    ['scrypt N 1', `$scrypt$ln=0,r=8,p=1$${salt}$${digest}`],
    ['PBKDF2 of 3,000,001 iterations', `$pbkdf2-sha256$3000001$${salt}$${digest}`],
    ['PBKDF2 of 999,999,999 iterations', `$pbkdf2-sha512$999999999$${salt}$${digest}`],
    ['PBKDF2 of no iterations', `$pbkdf2-sha256$0$${salt}$${digest}`],
    ['PBKDF2 of a digest of two blocks', `$pbkdf2-sha256$1000$${salt}$${'A'.repeat(86)}`],
    ['Django PBKDF2 of 3,000,001 iterations', `pbkdf2_sha256$3000001$salt$${digest}=`],
    ['Django scrypt N 2^21', `scrypt$2097152$salt$8$1$${'A'.repeat(86)}==`],
    ['Django scrypt N no power of two', `scrypt$16383$salt$8$1$${'A'.repeat(86)}==`],
    ['Django argon2 of 4 GiB', `argon2$argon2id$v=19$m=4194304,t=2,p=1$${salt}$${digest}`],
    ['Django bcrypt cost 31', `bcrypt$$2b$31$${'A'.repeat(53)}`],
    ['Django bcrypt_sha256 cost 16', `bcrypt_sha256$$2b$16$${'A'.repeat(53)}`],
    ['passlib bcrypt-sha256 of cost 31', `$bcrypt-sha256$2b,31$${'A'.repeat(22)}$${'A'.repeat(31)}`],
    ['Django MD5', 'md5$salt$6d2cb7ba8a4bf4c1a2e1f2fba8a7d5a5'],
    ['Django unsalted MD5', '6d2cb7ba8a4bf4c1a2e1f2fba8a7d5a5'],
    ['Django no password', '!unusable'],
    ['a base64 that is not canonical', `$pbkdf2-sha256$1000$${salt.slice(0, -1)}B$${digest}`],
    ['a digest with a plus', `$pbkdf2-sha256$1000$${salt}$+${digest.slice(1)}`],
    [
      'a wrapped hash of our own in the prefix of Django',
      `bcrypt$$bcrypt-sha256$v=2,t=2b,r=4$${'A'.repeat(22)}$${'A'.repeat(31)}`,
    ],
    ['nothing', ''],
    ['a megabyte', `$scrypt$ln=10,r=8,p=1$${salt}$${'A'.repeat(1_000_000)}`],
  ])("%s: it is nobody's and costs one hash of today", async (_name, stored) => {
    expect(accept.map((one) => one.accepts(stored))).toEqual(accept.map(() => false));
    expect(await passwords.verify('x', stored)).toEqual({ matches: false, outdated: false });
  });
});

describe('old costs made equal', () => {
  test('with a hash of each cost in the database, all accounts cost the same hashes', async () => {
    const calls: string[] = [];
    const counted = (name: string): PasswordVerifier & ReturnType<typeof testHasher> => ({
      name,
      accepts: (stored) => stored.startsWith(`$${name}`),
      isCurrent: (stored) => stored.startsWith(`$${name}$12$`),
      hash: async () => (calls.push(`${name} 12`), `$${name}$12$${'s'.repeat(22)}`),
      verify: async (_password, stored) => (calls.push(stored.split('$').slice(1, 3).join(' ')), false),
    });
    const all = createPasswords({
      hash: counted('bcrypt'),
      accept: [counted('pbkdf2')],
      equalise: ['$bcrypt$10$oldsaltandhash', '$pbkdf2$1000$salt$hash'],
    });
    const work = async (stored: string | undefined) => {
      calls.length = 0;
      await all.verify('x', stored);
      return calls.toSorted();
    };
    const everything = ['bcrypt 10', 'bcrypt 12', 'pbkdf2 1000'];
    for (const stored of [
      undefined,
      'garbage',
      '$bcrypt$12$current',
      '$bcrypt$10$old',
      '$pbkdf2$1000$other$one',
    ])
      expect(await work(stored)).toEqual(everything);
  });

  test('a sample that nobody verifies, two of one cost and one of today do not start', () => {
    const hash = bcrypt({ cost: 12 });
    const raw = (cost: number, fill: string) => `$2b$${cost}$${fill.repeat(53)}`;
    for (const [equalise, message] of [
      [['{MD5}x'], /no hash that "hash" or "accept" verifies/],
      [[raw(10, 'a'), raw(10, 'b')], /two hashes of one cost/],
      [[`$bcrypt-sha256$v=2,t=2b,r=12$${'a'.repeat(22)}$${'a'.repeat(31)}`], /today's cost/],
    ] as const) {
      expect(() => createPasswords({ hash, accept: [], equalise })).toThrow(message);
    }
    expect(() => createPasswords({ hash, accept: [], equalise: [raw(10, 'a'), raw(11, 'a')] })).not.toThrow();
  });
});
