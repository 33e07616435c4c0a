import { createHash } from 'node:crypto';
import { describe, expect, jest, test } from '@jest/globals';
import { noEvents, systemClock } from '@portcullis/core';
import { createPasswords, shaCrypt, type ShaCryptOptions } from '../src/index.js';
import { createHashingThread } from '../src/passwords/hashing-thread.js';
import { shaCryptSteps } from '../src/passwords/sha-crypt-steps.js';
import { testHasher } from '../src/testing.js';

jest.setTimeout(60_000); // Real hashes on a busy machine.

const forms = (text: string) => ({ raw: text, normal: text.normalize('NFKC') });
const compute = createHashingThread({ clock: systemClock, events: noEvents });

/** The examples of the specification (U. Drepper, SHA-crypt.txt), with salts cut and rounds raised as their results show. */
const published: readonly [password: string, stored: string][] = [
  ['Hello world!', '$5$saltstring$5B8vYYiY.CVt1RlTTf8KbXBH3hsxY/GNooZaBBGWEc5'],
  ['Hello world!', '$5$rounds=10000$saltstringsaltst$3xv.VbSHBb41AL9AvLeujZkZRBAwqFMz2.opqey6IcA'],
  ['This is just a test', '$5$rounds=5000$toolongsaltstrin$Un/5jzAHMgOGZ5.mWJpuVolil07guHPvOW8mGRcvxa5'],
  [
    'a very much longer text to encrypt.  This one even stretches over morethan one line.',
    '$5$rounds=1400$anotherlongsalts$Rx.j8H.h8HjEDGomFU8bDkXm3XIUnzyxf12oP84Bnq1',
  ],
  [
    'we have a short salt string but not a short password',
    '$5$rounds=77777$short$JiO1O3ZpDAxGJeaDIuqCoEFysAe1mZNJRs3pw0KQRd/',
  ],
  ['a short string', '$5$rounds=123456$asaltof16chars..$gP3VQ/6X7UUEW3HkBn2w1/Ptq2jxPyzV/cZKmF/wJvD'],
  [
    'the minimum number is still observed',
    '$5$rounds=1000$roundstoolow$yfvwcWrQ8l/K0DAWyuPMDNHpIVlTQebY9l/gL972bIC',
  ],
  [
    'Hello world!',
    '$6$saltstring$svn8UoSVapNtMuq1ukKS4tPQd8iKwSMHWjl/O817G3uBnIFNjnQJuesI68u4OTLiBFdcbYEdFCoEOfaS35inz1',
  ],
  [
    'Hello world!',
    '$6$rounds=10000$saltstringsaltst$OW1/O6BYHV6BcXZu8QVeXbDWra3Oeqh0sbHbbMCVNSnCM/UrjmM0Dp8vOuZeHBy/YTBmSK6H9qs/y3RnOaw5v.',
  ],
  [
    'This is just a test',
    '$6$rounds=5000$toolongsaltstrin$lQ8jolhgVRVhY4b5pZKaysCLi0QBxGoNeKQzQ3glMhwllF7oGDZxUhx1yxdYcz/e1JSbq3y6JMxxl8audkUEm0',
  ],
  [
    'a very much longer text to encrypt.  This one even stretches over morethan one line.',
    '$6$rounds=1400$anotherlongsalts$POfYwTEok97VWcjxIiSOjiykti.o/pQs.wPvMxQ6Fm7I6IoYN3CmLs66x9t0oSwbtEW7o7UmJEiDwGqd8p4ur1',
  ],
  [
    'we have a short salt string but not a short password',
    '$6$rounds=77777$short$WuQyW2YR.hBNpjjRhpYD/ifIw05xdfeEyQoMxIXbkvr0gge1a1x3yRULJ5CCaUeOxFmtlcGZelFl5CxtgfiAc0',
  ],
  [
    'a short string',
    '$6$rounds=123456$asaltof16chars..$BtCwjqMJGx5hrJhZywWvt0RLE8uZ4oPwcelCjmw2kSYu.Ec6ycULevoBK25fs2xXgMNrCzIMVcgEJAstJeonj1',
  ],
  [
    'the minimum number is still observed',
    '$6$rounds=1000$roundstoolow$kUMsbe306n21p9R.FRkW3IGn.S9NPN0x50YhH1xhLsPuWGsUSklZt58jaTfF4ZEQpyUNGc0dqbpBYYBaHHrsX.',
  ],
];

/** By crypt(3) of libxcrypt 4.4.33. */
const made: readonly [password: string, stored: string][] = [
  ['', '$5$saltstring$FdNfA4gXqvCeO6iZs7G/.wwwoywYZqo0l1pwmfWaBA7'],
  ['p\u00E4ss \u{1F511}', '$5$rounds=1000$s$X/xgyLeQITjPR4Etg7ZXRGLGIq8mGbQyLtk2emwHte0'],
  ['x'.repeat(200), '$5$rounds=1000$sixteencharacter$cZCLaIWZDYS4oOvpuJLac5lFkZRl8Db0XjGdIrQp83C'],
  [
    '',
    '$6$saltstring$kyGrqt6gmjAdtFLPrflEFifSYLCWWq1pyx95SvqinLDy2UHmj0sTF0MSLMwxPFZc3tu5kQckI8fks0zOPda3n1',
  ],
  [
    'p\u00E4ss \u{1F511}',
    '$6$rounds=1000$s$JKyTLbhY8PCOGjGl0wsLiIol238d.XmmLDR342L3tghQFHGis.QdS1gL6FEBW8dlzxrhhfft7MRlC5TxknVhq0',
  ],
  [
    'x'.repeat(200),
    '$6$rounds=1000$sixteencharacter$XaoBUIu9Svqfg0OhfrPhOgEGAV0TTQtodGmI5Dzzk5cIEGdIbsiGtDipVHCTIkeBhb14BR3A.EetfsJ9op/6e/',
  ],
];

describe('SHA-crypt', () => {
  test.each(published)('an example of the specification matches: %s', async (password, stored) => {
    expect(shaCrypt().accepts(stored)).toBe(true);
    expect(await shaCrypt().verify(forms(password), stored, compute)).toBe(true);
    expect(await shaCrypt().verify(forms(`${password}x`), stored, compute)).toBe(false);
  });

  test('without a thread the answers are the same, and the event loop goes round meanwhile', async () => {
    let rounds = 0;
    let counting = true;
    const turn = (): void => {
      rounds++;
      if (counting) setImmediate(turn);
    };
    setImmediate(turn);
    // Those with many rounds are computed in a thread above; here each of its pieces waits for the event loop.
    const fast = published.filter(([, stored]) => !/rounds=(?:77777|123456)/.test(stored));
    for (const [password, stored] of [...fast, ...made]) {
      expect([stored, await shaCrypt().verify(forms(password), stored)]).toEqual([stored, true]);
      expect(await shaCrypt().verify(forms(`${password}x`), stored)).toBe(false);
    }
    counting = false;
    // 1,000 rounds of hashing at most between two of them.
    expect(rounds).toBeGreaterThan(100);
  });

  test('is computed in pieces of 1,000 rounds, and leaves nothing of what it made of the password', () => {
    const password = Buffer.from('sixteen and more');
    const uses = new Map<Buffer, number>();
    const makeHash = ((name: string) => {
      const hash = createHash(name);
      return {
        update(part: Buffer) {
          uses.set(part, (uses.get(part) ?? 0) + 1);
          hash.update(part);
          return this;
        },
        digest: () => hash.digest(),
      };
    }) as unknown as typeof createHash;
    const steps = [...shaCryptSteps(makeHash, password, 'salt', 2_999, 'sha256')];
    expect(steps).toHaveLength(2);
    const made = [...uses].filter(([part, count]) => part.length === password.length && count > 1);
    expect(made.map(([part]) => part.toString('hex'))).toEqual([password.toString('hex'), '00'.repeat(16)]);
  });

  test('empty, beyond ASCII and long passwords are what crypt(3) makes of them, in a thread too', async () => {
    for (const [password, stored] of made)
      expect([stored, await shaCrypt().verify(forms(password), stored, compute)]).toEqual([stored, true]);
  });

  test('is over the text as typed, and is hashed anew at the sign-in', async () => {
    const passwords = createPasswords({ hash: testHasher(), accept: [shaCrypt()] });
    const [, stored] = published[0]!;
    expect(await passwords.verify('Hello world!', stored)).toEqual({ matches: true, outdated: true });
    for (const other of ['\uFF28ello world!', 'hello world!'])
      expect(await passwords.verify(other, stored)).toEqual({ matches: false, outdated: false });
  });

  test('CVE-2016-20013: a password of more than 512 bytes never matches and costs no more; nor does one with a NUL, where crypt(3) stops', async () => {
    const [, stored] = made.find(([password]) => password.length === 200)!;
    const cpu = async (password: string) => {
      const start = process.cpuUsage();
      expect(await shaCrypt().verify(forms(password), stored)).toBe(false);
      const { user, system } = process.cpuUsage(start);
      return user + system;
    };
    const best = async (password: string) =>
      Math.min(await cpu(password), await cpu(password), await cpu(password));
    await cpu('x');
    const [atBound, beyond] = [await best('y'.repeat(512)), await best('y'.repeat(20_000))];
    // CPU time, best of three. The square of 40 would be 1,600 times as much.
    expect(beyond).toBeLessThan(atBound * 5);
    const [, empty] = made[0]!;
    expect(await shaCrypt().verify(forms('\0x'), empty)).toBe(false);
  });

  test.each([
    ['more rounds than the bound', `$6$rounds=1000001$salt$${'a'.repeat(86)}`],
    ['as many rounds as the format can say', `$5$rounds=999999999$salt$${'a'.repeat(43)}`],
    ['fewer rounds than the format allows', `$5$rounds=999$salt$${'a'.repeat(43)}`],
    ['rounds with a sign', `$5$rounds=+5000$salt$${'a'.repeat(43)}`],
    ['rounds with a zero before them', `$5$rounds=05000$salt$${'a'.repeat(43)}`],
    ['a salt of 17', `$5$${'s'.repeat(17)}$${'a'.repeat(43)}`],
    ['the digest of the other hash', `$6$salt$${'a'.repeat(43)}`],
    ['a digest that is too long', `$5$salt$${'a'.repeat(86)}`],
    ['what is appended', `${published[0]![1]}x`],
    ['MD5-crypt', '$1$saltstri$YMyguxXMBpd2TEZ.vS/3q1'],
  ])('accepts no text with %s', (_title, stored) => {
    expect(shaCrypt().accepts(stored)).toBe(false);
  });

  test('the bound is an option', () => {
    const stored = `$6$rounds=1000001$salt$${'a'.repeat(86)}`;
    expect(shaCrypt({ maxRounds: 1_000_001 }).accepts(stored)).toBe(true);
    expect(shaCrypt({ maxRounds: 5_000 }).accepts(published[1]![1])).toBe(false);
    for (const options of [{ maxRounds: 4_999 }, { maxRounds: 10_000_001 }, { rounds: 5_000 }])
      expect(() => shaCrypt(options as ShaCryptOptions)).toThrow(/ounds/);
  });

  test('its cost can be made equal: hashes of one number of rounds have one cost', () => {
    const [a, b] = ['$6$rounds=656000$one$', '$6$rounds=656000$two$'].map((start) => start + 'a'.repeat(86));
    const passwords = (equalise: string[]) =>
      createPasswords({ hash: testHasher(), accept: [shaCrypt()], equalise });
    expect(() => passwords([a!, b!])).toThrow(/two hashes of one cost/);
    expect(() => passwords([a!, a!.replace('656000', '535000')])).not.toThrow();
  });
});
