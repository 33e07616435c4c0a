import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { recordedEvents } from '@portcullis/core/testing';
import { vectorsDirectory } from '@portcullis/test-support';
import {
  createPasswordPolicy,
  createPasswords,
  pwnedPasswords,
  type PasswordPolicyOptions,
  type PwnedPasswordsOptions,
} from '../src/index.js';
import { testHasher } from '../src/testing.js';

const reasons = (options: PasswordPolicyOptions, password: string, context: string[] = []) =>
  createPasswordPolicy({ minLength: 8, ...options })
    .check(password, context)
    .map(({ reason }) => reason);

describe('the embedded list', () => {
  const folder = vectorsDirectory('passwords', 'django_common_passwords_20k.txt');
  (folder ? test : test.skip)(
    "ASVS V6.2.4: every one of Django's common passwords of eight characters and more is refused, in any case of letters",
    () => {
      const policy = createPasswordPolicy({ minLength: 8 });
      const list = readFileSync(join(folder!, 'django_common_passwords_20k.txt'), 'utf8')
        .split('\n')
        .filter((word) => word.length >= 8);
      expect(list.length).toBeGreaterThan(8_000);
      const passed = list.filter((word) =>
        [word, word.toUpperCase()].some((text) =>
          policy.check(text).every(({ reason }) => reason !== 'common'),
        ),
      );
      expect(passed).toEqual([]);
    },
  );

  test('blanks and signs between its words make no other password', () => {
    for (const password of [
      'password password',
      'football-baseball',
      'correct horse battery staple!',
      'P@ssword P@ssword 1',
    ])
      expect([password, reasons({}, password)]).toEqual([password, ['common']]);
    expect(reasons({}, 'kestrel bakes ochre bread')).toEqual([]);
  });

  test('an unusual word is not on it, and it can be switched off', () => {
    expect(reasons({}, 'tr0mb0ne-x7')).toEqual([]);
    expect(reasons({}, 'mollydog')).toEqual(['common']);
    expect(reasons({ refuseCommon: false }, 'mollydog')).toEqual([]);
  });
});

describe('words of the service', () => {
  test('ASVS V6.2.11: a password that is little more than the name of the service is refused', () => {
    const words = ['Digital Library', 'portcullis'];
    expect(reasons({ words }, 'digital library')).toEqual(['common']);
    expect(reasons({ words }, 'Portcullis2026!')).toEqual(['common']);
    expect(reasons({ words }, 'Portcullis2026!', ['portcullis@library.example'])).toEqual(['personal']);
    expect(reasons({ words }, 'my portcullis has seven bars')).toEqual([]);
  });
});

describe('an estimate of strength', () => {
  test('is asked last, with the words that an attacker would try, and its least score counts', () => {
    const asked: [string, string[]][] = [];
    const estimate = (text: string, words: string[]) => (
      asked.push([text, words]),
      { score: text.length > 12 ? 3 : 2 }
    );
    const options = { strength: { estimate }, words: ['library'] };
    expect(reasons(options, 'plover-ochre', ['ada@library.example'])).toEqual(['weak']);
    expect(reasons(options, 'plover-ochre-17')).toEqual([]);
    expect(reasons({ strength: { estimate, min: 4 } }, 'plover-ochre-17')).toEqual(['weak']);
    expect(asked[0]).toEqual(['plover-ochre', ['ada@library.example', 'library']]);
    asked.length = 0;
    expect(reasons(options, 'password')).toEqual(['common']);
    reasons(options, 'plover ochre bakes kestrel bread '.repeat(7).replace(/e(?=.{9}$)/, 'u'));
    expect(asked.map(([text]) => text.length)).toEqual([128]);
  });
});

describe('the look-up of breached passwords', () => {
  const breachedSuffix = (password: string) =>
    createHash('sha1').update(password).digest('hex').toUpperCase();

  function service(answer: (prefix: string) => string | Error, options: PwnedPasswordsOptions = {}) {
    const asked: { url: string; init: Parameters<NonNullable<PwnedPasswordsOptions['fetch']>>[1] }[] = [];
    const fetch: NonNullable<PwnedPasswordsOptions['fetch']> = async (url, init) => {
      asked.push({ url, init });
      const text = answer(url.slice(-5));
      if (text instanceof Error) throw text;
      return { ok: !text.startsWith('!'), text: async () => text };
    };
    return { asked, list: pwnedPasswords({ fetch, ...options }) };
  }
  const range = (password: string, count: number) =>
    `${'0'.repeat(35)}:0\r\n${breachedSuffix(password).slice(5)}:${count}\r\n${'F'.repeat(35)}:12`;

  test('ASVS V6.2.12: only five digits of the hash leave the process, padded; the rest is compared here', async () => {
    const { asked, list } = service(() => range('plover ochre bakes', 3));
    expect(await list.includes('plover ochre bakes')).toBe(true);
    expect(await list.includes('plover ochre baked')).toBe(false);
    expect(asked[0]?.url).toBe(
      `https://api.pwnedpasswords.com/range/${breachedSuffix('plover ochre bakes').slice(0, 5)}`,
    );
    expect(asked[0]?.init).toMatchObject({ headers: { 'Add-Padding': 'true' }, redirect: 'error' });
    expect(asked.map(({ url }) => url.slice(url.lastIndexOf('/') + 1).length)).toEqual([5, 5]);
  });

  test('takes no refusal for an answer, whatever it says', async () => {
    const fetch = async () => ({ ok: false, text: async () => range('x', 3) });
    await expect(pwnedPasswords({ fetch }).includes('x')).rejects.toThrow('refused to answer');
  });

  test('reads up to a mebibyte', async () => {
    const padded = range('x', 3).padEnd(1_048_576);
    expect(await service(() => padded).list.includes('x')).toBe(true);
    await expect(service(() => `${padded} `).list.includes('x')).rejects.toThrow('something else');
  });

  test('padding lines of count 0 are no matches; minCount says how often counts', async () => {
    expect(await service(() => range('x', 0)).list.includes('x')).toBe(false);
    expect(await service(() => range('x', 9), { minCount: 10 }).list.includes('x')).toBe(false);
    expect(await service(() => range('x', 10), { minCount: 10 }).list.includes('x')).toBe(true);
  });

  test.each([
    ['an error', () => new Error('getaddrinfo ENOTFOUND')],
    ['a refusal', () => '!'],
    ['a page of a captive portal', () => '<html>Welcome to our network</html>'],
    ['nothing', () => ''],
    ['two megabytes', () => `${'A'.repeat(35)}:1\n`.repeat(60_000)],
  ])(
    '%s is an outage: 503 by default, and with `allow` the other rules decide, in both cases told',
    async (_name, answer) => {
      const events = recordedEvents();
      const make = (onOutage?: 'refuse' | 'allow') =>
        createPasswords({
          hash: testHasher(),
          accept: [],
          events,
          policy: { breached: service(answer).list, ...(onOutage ? { onOutage } : {}) },
        });
      await expect(make().assertAcceptable('plover ochre bakes')).rejects.toMatchObject({
        code: 'E_PASSWORD_UNCHECKED',
        status: 503,
      });
      await make('allow').assertAcceptable('plover ochre bakes');
      await expect(make('allow').assertAcceptable('short')).rejects.toMatchObject({
        code: 'E_PASSWORD_POLICY',
      });
      expect(events.of('auth.breach-list-failed')).toHaveLength(2);
      expect(JSON.stringify(events.all)).not.toContain('plover');
    },
  );

  test('a list that does not answer in time is an outage, and what was asked is given up', async () => {
    let given: AbortSignal | undefined;
    const list = pwnedPasswords({
      timeout: '100ms',
      fetch: (_url, init) => ((given = init.signal), new Promise(() => undefined)),
    });
    await expect(list.includes('x')).rejects.toThrow('in time');
    expect(given?.aborted).toBe(true);
  });

  test('ASVS V6.2.12: a breached password is refused with its reason; what is refused anyway is not asked about', async () => {
    const { asked, list } = service(() => range('plover ochre bakes', 1));
    const passwords = createPasswords({ hash: testHasher(), accept: [], policy: { breached: list } });
    await expect(passwords.assertAcceptable('plover ochre bakes')).rejects.toMatchObject({
      status: 400,
      problem: { errors: [{ pointer: '/password', reason: 'breached' }] },
    });
    await expect(passwords.assertAcceptable('short')).rejects.toMatchObject({ status: 400 });
    expect(asked).toHaveLength(1);
  });

  test('wrong options do not start', () => {
    expect(() => pwnedPasswords({ url: 'http://api.example/' })).toThrow(/url/);
    expect(() => pwnedPasswords({ url: 'https://api.example/range' })).toThrow(/url/);
    expect(() => createPasswordPolicy({ breached: {} as never })).toThrow(/includes/);
    expect(() => createPasswordPolicy({ onOutage: 'ignore' as never })).toThrow(/"allow"/);
    expect(() => createPasswordPolicy({ strength: { estimate: 3 as never } })).toThrow(/estimate/);
  });
});
