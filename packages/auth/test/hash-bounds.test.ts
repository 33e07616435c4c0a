import { pbkdf2Sync, scryptSync } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import {
  argon2id,
  bcrypt,
  django,
  pbkdf2,
  scrypt,
  shaCrypt,
  type Compute,
  type PasswordVerifier,
} from '../src/index.js';
import { isCommonPassword } from '../src/passwords/common.js';
import { fromAb64, fromBase64, sameBytes, toAb64, toBase64 } from '../src/passwords/encodings.js';
import { isWithin } from '../src/passwords/scrypt.js';

const bytes = (length: number) => toBase64(Buffer.alloc(length, 5));
const forms = (raw: string) => ({ raw, normal: raw.normalize('NFKC') });
/** Those of some stored hashes that a hasher would compute. */
const taken = (hasher: PasswordVerifier, make: (value: string) => string, ...values: (string | number)[]) =>
  values.filter((value) => hasher.accepts(make(String(value))));

describe('what a stored hash may cost', () => {
  test('argon2id: memory up to the limit, which is never below its own, 1 to 16 passes and lanes, 8 KiB for each lane', () => {
    const hasher = argon2id();
    const stored = (parameters: string) => `$argon2id$v=19$${parameters}$${bytes(16)}$${bytes(32)}`;
    const memory = (m: string) => stored(`m=${m},t=1,p=1`);
    expect(taken(hasher, memory, 7, 8, 262_144, 262_145)).toEqual([8, 262_144]);
    expect(taken(argon2id({ memoryKib: 300_000 }), memory, 300_000, 300_001)).toEqual([300_000]);
    expect(taken(hasher, (t) => stored(`m=64,t=${t},p=1`), 0, 1, 16, 17)).toEqual([1, 16]);
    expect(taken(hasher, (p) => stored(`m=4096,t=1,p=${p}`), 0, 1, 16, 17)).toEqual([1, 16]);
    expect(taken(hasher, (m) => stored(`m=${m},t=1,p=4`), 8, 31, 32)).toEqual([32]);
    expect(hasher.accepts('no hash')).toBe(false);
  });

  test('scrypt: memory up to the limit, which is never below its own, within the bounds of each parameter', () => {
    const huge = 2 ** 30;
    const logs = [0, 1, 24, 25].filter((logN) => isWithin({ logN, r: 1, p: 1 }, huge));
    expect(logs).toEqual([1, 24]);
    expect([0, 1, 32, 33].filter((r) => isWithin({ logN: 4, r, p: 1 }, huge))).toEqual([1, 32]);
    expect([0, 1, 16, 17].filter((p) => isWithin({ logN: 4, r: 1, p }, huge))).toEqual([1, 16]);
    expect([131_071, 131_072].filter((limit) => isWithin({ logN: 17, r: 8, p: 1 }, limit))).toEqual([
      131_072,
    ]);
    const stored = (ln: string) => `$scrypt$ln=${ln},r=8,p=1$${bytes(16)}$${bytes(32)}`;
    expect(taken(scrypt(), stored, 17, 18, 19)).toEqual([17, 18]);
    expect(taken(scrypt({ logN: 20, maxMemoryKib: 131_072 }), stored, 20, 21)).toEqual([20]);
  });

  test('PBKDF2: up to the limit, which is never below its own, at least one, and no digest longer than its hash', () => {
    const stored = (count: string, hash = '-sha256', length = 32) =>
      `$pbkdf2${hash}$${count}$${bytes(16)}$${bytes(length)}`;
    expect(taken(pbkdf2(), stored, 0, 1, 3_000_000, 3_000_001)).toEqual([1, 3_000_000]);
    const slow = pbkdf2({ iterations: 4_000_000 });
    expect(taken(slow, stored, 4_000_000, 4_000_001)).toEqual([4_000_000]);
    for (const [hash, length] of [
      ['', 20],
      ['-sha1', 20],
      ['-sha256', 32],
      ['-sha512', 64],
    ] as const)
      expect([length, length + 1].filter((one) => pbkdf2().accepts(stored('1', hash, one)))).toEqual([
        length,
      ]);
  });

  test("Django's: within the bounds of each kind", () => {
    const hasher = django();
    const pbkdf = (count: string, hash = 'sha256', length = 32) =>
      `pbkdf2_${hash}$${count}$salt$${Buffer.alloc(length, 5).toString('base64')}`;
    expect(taken(hasher, pbkdf, 0, 1, 3_000_000, 3_000_001)).toEqual([1, 3_000_000]);
    expect([20, 23].filter((length) => hasher.accepts(pbkdf('1', 'sha1', length)))).toEqual([20]);
    expect([29, 32].filter((length) => hasher.accepts(pbkdf('1', 'sha256', length)))).toEqual([32]);
    const digest = Buffer.alloc(64, 5).toString('base64');
    const sc = (n: string, r = 8, p = 1) => `scrypt$${n}$salt$${r}$${p}$${digest}`;
    expect(taken(hasher, sc, 1, 2, 3, 2 ** 18, 2 ** 19)).toEqual([2, 2 ** 18]);
    const bc = (cost: string) => `bcrypt_sha256$$2b$${cost}$${'a'.repeat(53)}`;
    expect(taken(hasher, bc, '03', '04', '15', '16')).toEqual(['04', '15']);
    const wrapped = (cost: string) => `bcrypt$$2b$${cost}$${'a'.repeat(53)}`;
    expect(taken(hasher, wrapped, '03', '04', '15', '16')).toEqual(['04', '15']);
    const argon = (m: string) => `argon2$argon2id$v=19$m=${m},t=1,p=1$${bytes(16)}$${bytes(32)}`;
    expect(taken(hasher, argon, 8, 262_144, 262_145)).toEqual([8, 262_144]);
    const ours = `$bcrypt-sha256$v=2,t=2b,r=10$${'a'.repeat(22)}$${'a'.repeat(31)}`;
    for (const none of ['', 'no hash', `bcrypt$${ours}`, `argon2${ours}`, ours])
      expect([none, hasher.accepts(none)]).toEqual([none, false]);
  });
});

describe('what of a password is computed', () => {
  test.each<[string, PasswordVerifier, string, number]>([
    ['bcrypt', bcrypt(), `$2b$10$${'a'.repeat(53)}`, 72],
    ['SHA-crypt', shaCrypt(), `$5$salt$${'.'.repeat(43)}`, 512],
  ])(
    '%s: up to its longest one; of more the same bytes, without an answer, and the rest is wiped',
    async (_name, hasher, stored, most) => {
      let given: Buffer = Buffer.alloc(0);
      const compute = (async (name: string, ...args: unknown[]) => {
        given = args.find((arg) => Buffer.isBuffer(arg))!;
        return name === 'bcryptCompare' || Buffer.alloc(32);
      }) as unknown as Compute;
      expect(await hasher.verify(forms('x'.repeat(most)), stored, compute)).toBe(true);
      expect(given.toString()).toBe('x'.repeat(most));
      expect(await hasher.verify(forms('x'.repeat(most + 9)), stored, compute)).toBe(false);
      expect(given.toString()).toBe('x'.repeat(most));
      expect(Buffer.from(given.buffer, given.byteOffset + most, 9)).toEqual(Buffer.alloc(9));
      expect(await hasher.verify(forms('x\0x'), stored, compute)).toBe(false);
    },
  );
});

describe('digests that others have made', () => {
  test('verify in all their parameters, and another password does not', async () => {
    const salt = Buffer.alloc(16, 3);
    const some: [PasswordVerifier, string][] = [
      [pbkdf2(), `$pbkdf2$7$${toAb64(salt)}$${toAb64(pbkdf2Sync('pass', salt, 7, 20, 'sha1'))}`],
      [pbkdf2(), `$pbkdf2-sha512$7$${toAb64(salt)}$${toAb64(pbkdf2Sync('pass', salt, 7, 64, 'sha512'))}`],
      ...[1, 2, 16].map((p): [PasswordVerifier, string] => [
        scrypt(),
        `$scrypt$ln=4,r=32,p=${p}$${toBase64(salt)}$${toBase64(scryptSync('pass', salt, 32, { N: 16, r: 32, p }))}`,
      ]),
    ];
    for (const [hasher, stored] of some) {
      expect([stored, hasher.accepts(stored)]).toEqual([stored, true]);
      expect(await hasher.verify(forms('pass'), stored)).toBe(true);
      expect(await hasher.verify(forms('other'), stored)).toBe(false);
    }
  });

  test('are read in one spelling only', () => {
    for (const text of ['', 'QQ', 'QUI', 'QUJD', '+/+/']) {
      expect(fromBase64(text)).toEqual(Buffer.from(text, 'base64'));
      expect(toBase64(fromBase64(text)!)).toBe(text);
    }
    expect(fromBase64('QQ==')).toEqual(Buffer.from('A'));
    for (const text of ['QR', '-_-_', 'Q', 'Q Q', 'QQ!']) expect(fromBase64(text)).toBeUndefined();
    expect(fromAb64('./..')).toEqual(Buffer.from('+/++', 'base64'));
    expect(toAb64(Buffer.from('+/++', 'base64'))).toBe('./..');
    expect(fromAb64('+/++')).toBeUndefined();
    expect(sameBytes(Buffer.from('a'), Buffer.from('a'))).toBe(true);
    for (const other of ['', 'b', 'aa']) expect(sameBytes(Buffer.from('a'), Buffer.from(other))).toBe(false);
  });

  test('are whole and canonical, salt and digest, or nobody computes them', () => {
    // The same bytes in another spelling: the last character has bits that count for nothing.
    const odd = (text: string) =>
      text.replace(/.(?==*$)/, (last) => String.fromCodePoint(last.codePointAt(0)! + 1));
    const [salt, digest, long] = [bytes(16), bytes(32), bytes(64)];
    const all: [PasswordVerifier, string, string[]][] = [
      [argon2id(), `$argon2id$v=19$m=64,t=1,p=1$${salt}$${digest}`, [salt, digest]],
      [scrypt(), `$scrypt$ln=4,r=8,p=1$${salt}$${digest}`, [salt, digest]],
      [pbkdf2(), `$pbkdf2-sha256$7$${salt}$${digest}`, [salt, digest]],
      [django(), `pbkdf2_sha256$7$salt$${digest}=`, [digest]],
      [django(), `scrypt$16$salt$8$1$${long}==`, [long]],
    ];
    for (const [hasher, stored, parts] of all) {
      expect([stored, hasher.accepts(stored)]).toEqual([stored, true]);
      for (const part of parts) {
        const other = stored.replace(part, odd(part));
        expect([other, hasher.accepts(other)]).toEqual([other, false]);
      }
    }
  });

  test('are current in the format and cost of today only', () => {
    const [argon, sc, pb] = [argon2id(), scrypt(), pbkdf2()];
    const stored = [
      `$argon2id$v=19$m=19456,t=2,p=1$${bytes(16)}$${bytes(32)}`,
      `$scrypt$ln=17,r=8,p=1$${bytes(16)}$${bytes(32)}`,
      `$pbkdf2-sha256$600000$${bytes(16)}$${bytes(32)}`,
    ];
    for (const [i, hasher] of [argon, sc, pb].entries())
      expect(stored.map((one) => hasher.isCurrent(one))).toEqual(stored.map((_one, n) => n === i));
  });
});

describe('passwords that everybody tries first, by their pattern', () => {
  test.each([
    ['a repetition of four characters and more', ['aaaa', 'abab', 'xyzxyz', '7777'], ['aaa', 'abac']],
    [
      'a walk of four keys and more, in pieces of three',
      ['sdfg', 'gfds', 'rty789', 'bvcxz'],
      ['', 'bcd', 'sdfx', 'rty78x'],
    ],
    ['two common words of three letters and more', ['themoney', 'moneythe'], ['passwordme', 'moneyk']],
    ['one of them, decorated', ['money', '!!money1234', 'm0n3y', 'M0NEY!!'], ['moneys kept', 'plover']],
  ])('%s', (_title, common, others) => {
    expect(common.filter((one) => !isCommonPassword(one))).toEqual([]);
    expect(others.filter((one) => isCommonPassword(one))).toEqual([]);
  });
});
