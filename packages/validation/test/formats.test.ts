import { describe, expect, test } from '@jest/globals';
import { onBothExpress } from '@portcullis/test-support';
import type { NextFunction, Request, Response } from 'express';
import request from 'supertest';
import {
  createPhoneReader,
  createValidator,
  minorUnits,
  moneyIn,
  priceIn,
  toMinorUnits,
  usernameSkeleton,
  validate,
  type FromSchema,
} from '../src/index.js';
import { CURRENCIES } from '../src/formats/currencies.js';
import { formats } from '../src/formats/formats.js';

type Table = { readonly accepts: Record<string, string>; readonly refuses: Record<string, string> };

/** What each format takes and what not, by the reason. */
const TABLES: Record<string, Table> = {
  line: {
    accepts: {
      empty: '',
      words: 'Dune Messiah',
      accents: 'Se\u00F1or',
      emoji: '\u{1F600}',
      'a joiner in Persian': '\u0646\u200C\u0647',
      'a joiner in Sinhala': '\u0DC1\u0DCA\u200D\u0DBB\u0DD3',
      'a joiner in Bengali': '\u09B0\u200D\u09CD\u09AF',
      'a family': '\u{1F468}\u200D\u{1F469}\u200D\u{1F467}',
      'a heart on fire': '\u2764\uFE0F\u200D\u{1F525}',
      'a scientist': '\u{1F469}\u{1F3FD}\u200D\u{1F52C}',
      'a variant of a name in kanji': '\u845B\u{E0100}',
    },
    refuses: {
      newline: 'a\nb',
      'NUL byte': 'a\0b',
      escape: '\u001b[31m',
      'bidi override': 'a\u202Eb',
      'bidi isolate': 'a\u2066b',
      'byte order mark': '\uFEFFa',
      'tag characters': 'a\u{E0041}',
      'lone surrogate': '\uD800',
      'line separator': 'a\u2028b',
      'zero-width space': 'a\u200Bb',
      'word joiner': 'a\u2060b',
      'soft hyphen': 'a\u00ADb',
      'invisible times': 'a\u2062b',
      'combining grapheme joiner': 'a\u034Fb',
      'left-to-right mark': 'a\u200Eb',
      'Arabic letter mark': 'a\u061Cb',
      'Hangul filler': '\u3164',
      'no character': 'a\uFFFEb',
      'a joiner in a Latin word': 'pay\u200Dpal',
      'a joiner in a Cyrillic word': '\u043C\u200C\u0438',
      'a joiner of nothing': '\u200Ca',
      'a joiner of digits': '1\u200D2',
    },
  },
  text: {
    accepts: { lines: 'a\nb\r\nc', tab: 'a\tb', empty: '' },
    refuses: { 'NUL byte': 'a\0', 'bidi override': '\u202Ea', 'vertical tab': 'a\u000Bb', C1: 'a\u0085b' },
  },
  raw: { accepts: { anything: '\0\u202E\uD800\n' }, refuses: {} },
  search: {
    accepts: {
      title: 'The Left Hand of Darkness',
      "an apostrophe in a name (O'Brien)": "Flann O'Brien",
      'a typographic apostrophe': 'Readers\u2019 Guide',
      'a leading apostrophe': "'Tis Pity",
      'two apostrophes of two words': "Rock 'n' Roll",
      'two languages': 'C++ and C#',
      slash: 'AC/DC',
      accents: 'Stanis\u0142aw Lem (1921-2006)',
      cyrillic: '\u0412\u043E\u0439\u043D\u0430 \u0438 \u043C\u0438\u0440',
      devanagari: '\u0939\u093F\u0928\u094D\u0926\u0940',
      isbn: '978-0-441-17271-9',
    },
    refuses: {
      'a quote of SQL, escaped': "O''Brien",
      'the classic': "'; DROP TABLE users; --",
      tautology: "' OR '1'='1",
      'quote and comment': "admin'--",
      'double quote': '" OR ""="',
      'block comment': 'a/**/b',
      union: "x' UNION SELECT 1; --",
      wildcard: '100%_',
      backslash: 'a\\b',
      script: '<script>alert(1)</script>',
      template: '${7*7}',
      mustache: '{{7*7}}',
      'LDAP filter': '*)(uid=*',
      NoSQL: '{"$gt":""}',
      'NUL byte': 'a\0b',
      'CR LF': 'a\r\nSet-Cookie: x=1',
      'a pile of marks': `a${'\u0301'.repeat(5)}`,
      'spaces only': '   ',
      'bidi override': 'a\u202Eb',
      'beyond 100 characters': 'a'.repeat(101),
    },
  },
  username: {
    accepts: { name: 'ada', mixed: 'Ada_Lovelace', dots: 'a.b-c_d', digits: 'r2d2' },
    refuses: {
      short: 'ab',
      'double dot': 'a..b',
      'trailing dot': 'ada.',
      'leading hyphen': '-ada',
      space: 'ada l',
      accent: 'ad\u00E1',
      reserved: 'admin',
      'reserved in capitals': 'Administrator',
      'reserved with digits': 'r00t',
      'reserved with rn for m': 'adrnin',
      'reserved with a dot': 'ad.min',
      long: 'a'.repeat(33),
    },
  },
  'unicode-username': {
    accepts: {
      latin: 'ada.lovelace',
      accents: 'Ren\u00E9e_1',
      turkish: '\u0131\u015F\u0131l',
      polish: 'Stanis\u0142aw',
      cyrillic: '\u0438\u0432\u0430\u043D',
      'cyrillic capital': '\u0418\u0432\u0430\u043D',
      greek: '\u03B3\u03B9\u03CE\u03C1\u03B3\u03BF\u03C2',
      arabic: '\u0645\u062D\u0645\u062F',
      hebrew: '\u05D3\u05D5\u05D3\u05D4',
      devanagari: '\u0939\u093F\u0928\u094D\u0926\u0940',
      thai: '\u0E2A\u0E21\u0E0A\u0E32\u0E22',
      japanese: '\u6771\u4EAC\u30BF\u30ED\u30A6\u306E',
      korean: '\uD64D\uAE38\uB3D9',
      chinese: '\u738B\u5C0F\u660E',
      'arabic digits': '\u0645\u062D\u0645\u062F\u0663\u0664',
    },
    refuses: {
      'cyrillic a in a Latin name': 'p\u0430ypal',
      'greek o in a Latin name': 'g\u03BF\u03BFgle',
      'all cyrillic, read as Latin': '\u0430\u0440\u0440\u0435',
      'all cyrillic capitals, read as Latin': '\u0412\u041E\u0422',
      'all greek, read as Latin': '\u03BF\u03C1\u03B1',
      'latin beside Han': '\u738Bwang',
      'zero-width space': 'ad\u200Bmin2',
      'zero-width joiner': 'ad\u200Dla',
      'soft hyphen': 'ad\u00ADla',
      'bidi override': 'ada\u202El',
      'hangul filler': 'ada\u3164',
      'not NFKC: fullwidth': '\uFF41\uFF44\uFF41',
      'not NFKC: ligature': '\uFB01nn',
      'not NFKC: decomposed': 'Rene\u0301e',
      'mathematical letters': '\u{1D41A}\u{1D41B}\u{1D41C}',
      'two kinds of digits': '\u0645\u062D\u0645\u062F\u0664\u06F5',
      'dead script (Gothic)': '\u{10330}\u{10331}\u{10332}',
      emoji: 'ada\u{1F600}',
      'reserved with dotless i': 'adm\u0131n',
      'reserved with accents': '\u00E1dm\u00EDn',
      'reserved with a stroke': 'a\u0111min',
      'a pile of marks': 'a\u031B\u0323\u0330\u0332\u0348b',
      space: 'ada l',
      short: '\u738B\u5C0F',
      'modifier apostrophe': 'o\u02BCbrien',
      'lone surrogate': 'ada\uD800',
    },
  },
  slug: {
    accepts: { words: 'left-hand-of-darkness', digit: '1984' },
    refuses: {
      capital: 'Dune',
      double: 'a--b',
      edge: '-a',
      dots: '../etc',
      space: 'a b',
      'NUL byte': 'a\0',
      empty: '',
    },
  },
  email: {
    accepts: {
      plain: 'ada@example.com',
      plus: 'ada+books@example.co.uk',
      apostrophe: "o'brien@example.com",
      hyphen: 'a-b@ex-ample.org',
      'local part of 64': `${'a'.repeat(64)}@example.com`,
    },
    refuses: {
      'no domain': 'ada@',
      'no dot in the domain': 'ada@localhost',
      'two at signs': 'a@b@example.com',
      space: 'ada lovelace@example.com',
      'quoted local part': '"ada"@example.com',
      'address literal': 'ada@[127.0.0.1]',
      'display name': 'Ada <ada@example.com>',
      'header injection': 'ada@example.com\r\nBcc: all@example.com',
      'two recipients': 'ada@example.com,eve@example.com',
      'double dot': 'a..b@example.com',
      'leading dot': '.ada@example.com',
      'local part of 65': `${'a'.repeat(65)}@example.com`,
      'NUL byte': 'ada\0@example.com',
      'cyrillic domain': 'ada@ex\u0430mple.com',
    },
  },
  'https-url': {
    accepts: {
      plain: 'https://example.com/a?b=c#d',
      port: 'https://example.com:8443/',
      idn: 'https://m\u00FCnchen.example/',
    },
    refuses: {
      http: 'http://example.com/',
      script: 'javascript:alert(1)',
      data: 'data:text/html,x',
      credentials: 'https://example.com@evil.example/',
      backslash: 'https:\\\\evil.example',
      'missing slash': 'https:/example.com',
      space: 'https://exa mple.com',
      tab: 'https://exa\tmple.com',
      newline: 'https://example.com/\nx',
      'no host': 'https://',
      relative: '//evil.example',
      'bad port': 'https://example.com:99999/',
      'bidi override': 'https://example.com/\u202Egpj.exe',
    },
  },
  phone: {
    accepts: {
      german: '+493012345678',
      'North America': '+12125550123',
      niue: '+6834002',
      longest: '+123456789012345',
    },
    refuses: {
      'no plus': '493012345678',
      'country code 0': '+0123456789',
      'sixteen digits': '+1234567890123456',
      'six digits': '+123456',
      spaces: '+49 30 12345678',
      letters: '+1800FLOWERS',
      extension: '+12125550123;ext=5',
      'other digits': '+\u0664\u0669\u0663\u0660\u0661\u0662\u0663\u0664\u0665',
      newline: '+493012345678\n',
      empty: '',
    },
  },
  currency: {
    accepts: { euro: 'EUR', yen: 'JPY', dinar: 'KWD', 'new in 2025': 'XCG' },
    refuses: {
      'lower case': 'eur',
      unknown: 'ABC',
      'gone in 2026 (BGN)': 'BGN',
      'gone in 2025 (ANG)': 'ANG',
      gold: 'XAU',
      testing: 'XTS',
      none: 'XXX',
      'a fund code': 'CLF',
      symbol: '\u20AC',
      prototype: '__proto__',
      numeric: '978',
    },
  },
  price: {
    accepts: { cents: '19.99', whole: '1500', fils: '1.250', least: '0.01', largest: '999999999999.9999' },
    refuses: {
      zero: '0',
      'zero with decimals': '0.00',
      negative: '-1.00',
      plus: '+1.00',
      exponent: '1e3',
      hexadecimal: '0x10',
      comma: '19,99',
      group: '1,000.00',
      'leading zero': '019.99',
      'no digit before the point': '.99',
      'no digit after the point': '19.',
      'five decimals': '0.00001',
      'thirteen digits': '1000000000000',
      space: ' 1.00',
      infinity: 'Infinity',
      'other digits': '\u0661\u0662',
      empty: '',
    },
  },
  isbn10: {
    accepts: { digits: '0306406152', X: '097522980X', zero: '0000000000' },
    refuses: {
      'wrong check digit': '0306406153',
      'two digits swapped': '3006406152',
      'small x': '097522980x',
      'X in the middle': '09752X9800',
      hyphens: '0-306-40615-2',
      thirteen: '9780306406157',
      'other digits': '\u0660306406152',
      newline: '0306406152\n',
    },
  },
  isbn13: {
    accepts: { 978: '9780306406157', 979: '9791034304967' },
    refuses: {
      'wrong check digit': '9780306406158',
      'another prefix': '9770306406150',
      'ten digits': '0306406152',
      hyphens: '978-0-306-40615-7',
      X: '978030640615X',
      'two digits swapped': '9780304606157',
      newline: '9780306406157\n',
    },
  },
  isbn: {
    accepts: {
      printed: '978-0-306-40615-7',
      spaced: '0 306 40615 2',
      plain: '9780306406157',
      X: '0-9752298-0-X',
    },
    refuses: {
      'double hyphen': '978--0306406157',
      'trailing hyphen': '9780306406157-',
      'wrong check digit': '978-0-306-40615-8',
      'eleven digits': '03064061521',
      word: 'ISBN 0306406152',
      dots: '978.0.306.40615.7',
    },
  },
  date: {
    accepts: { day: '2024-02-29' },
    refuses: {
      'no leap year': '2023-02-29',
      month: '2024-13-01',
      time: '2024-01-01T00:00:00Z',
      short: '2024-1-1',
    },
  },
  time: {
    accepts: { utc: '23:59:59Z' },
    refuses: { hour: '24:00:00Z', 'no zone': '23:59:59', text: 'noon' },
  },
  'date-time': {
    accepts: { utc: '2024-02-29T12:00:00Z', offset: '2024-02-29T12:00:00.5+01:00' },
    refuses: { 'no zone': '2024-02-29T12:00:00', day: '2023-02-29T12:00:00Z', date: '2024-02-29' },
  },
  duration: {
    accepts: { hours: 'PT15M', days: 'P1D' },
    refuses: { empty: 'P', words: '15 minutes', order: 'P1D2Y' },
  },
  uuid: {
    accepts: { v4: '9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d', upper: '9B1DEB4D-3B7D-4BAD-9BDD-2B0D7B3DCB6D' },
    refuses: {
      braces: '{9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d}',
      urn: 'urn:uuid:9b1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d',
      short: '9b1deb4d',
      'not hexadecimal': 'gb1deb4d-3b7d-4bad-9bdd-2b0d7b3dcb6d',
    },
  },
  ipv4: {
    accepts: { plain: '192.0.2.1' },
    refuses: { octal: '0300.0.2.1', decimal: '3221225985', short: '127.1', port: '192.0.2.1:80' },
  },
  ipv6: {
    accepts: { plain: '2001:db8::1' },
    refuses: { zone: 'fe80::1%eth0', brackets: '[::1]', long: '1:2:3:4:5:6:7:8:9' },
  },
  hostname: {
    accepts: { plain: 'example.com' },
    refuses: {
      space: 'exa mple.com',
      slash: 'example.com/',
      hyphen: '-a.example',
      long: `${'a'.repeat(64)}.example`,
    },
  },
};

const accepts = (schema: object, value: unknown): boolean =>
  createValidator(schema as never).check(value).valid;

test('every format has a table of what it takes and what it refuses', () => {
  expect(Object.keys(TABLES).sort()).toEqual(Object.keys(formats).sort());
});

describe.each(Object.entries(TABLES))('ASVS V2.2.1: format %s', (format, table) => {
  const cases = (name: 'accepts' | 'refuses') => Object.entries(table[name]);
  test.each(cases('accepts'))('takes: %s', (_why, text) => {
    expect(accepts({ type: 'string', format }, text)).toBe(true);
  });
  if (cases('refuses').length > 0) {
    test.each(cases('refuses'))('refuses: %s', (_why, text) => {
      expect(accepts({ type: 'string', format }, text)).toBe(false);
    });
  }
  test('its longest input is answered in linear time', () => {
    const test = formats[format]!.test;
    const started = performance.now();
    for (const unit of ['a', '1', '-', "'", 'a.', '\u0301', ' ', '1-']) test(unit.repeat(50_000));
    expect(performance.now() - started).toBeLessThan(2000);
  });
});

onBothExpress((express) => {
  test("a search for '; DROP TABLE users; -- is answered with 400, one for O'Brien with what was asked", async () => {
    const schema = {
      query: { type: 'object', properties: { q: { type: 'string', format: 'search' } }, required: ['q'] },
    } as const;
    const app = express();
    app.get('/', validate(schema), (req: Request, res: Response) => void res.json(req.security.valid));
    app.use((error: { status: number; code: string }, _req: Request, res: Response, _next: NextFunction) => {
      res.status(error.status).json({ code: error.code });
    });
    const search = (q: string) => request(app).get(`/?q=${encodeURIComponent(q)}`);
    expect(await search("'; DROP TABLE users; --")).toMatchObject({
      status: 400,
      body: { code: 'E_VALIDATION' },
    });
    expect((await search("O'Brien")).body).toEqual({ query: { q: "O'Brien" } });
  });
});

describe('prices are bound to their currency', () => {
  test.each([
    ['EUR', '19.99', true],
    ['EUR', '19.9', false],
    ['EUR', '19', false],
    ['EUR', '19.999', false],
    ['EUR', '0.00', false],
    ['EUR', '0.01', true],
    ['JPY', '1500', true],
    ['JPY', '1500.00', false],
    ['JPY', '0', false],
    ['KWD', '1.250', true],
    ['KWD', '1.25', false],
  ] as const)('%s %s: %s', (currency, amount, valid) => {
    expect(accepts(priceIn(currency), amount)).toBe(valid);
    const money = moneyIn(['EUR', 'JPY', 'KWD']);
    expect(accepts(money, { amount, currency })).toBe(valid);
  });

  test('an amount of money names one of the listed currencies, and nothing else', () => {
    const money = moneyIn(['EUR', 'JPY']);
    const typed: FromSchema<typeof money> = { amount: '1.00', currency: 'EUR' };
    expect(accepts(money, typed)).toBe(true);
    for (const wrong of [
      { amount: '1.00', currency: 'USD' },
      { amount: '1.00' },
      { currency: 'EUR' },
      { amount: 1, currency: 'EUR' },
      { amount: '1.00', currency: 'EUR', rate: '2' },
      { amount: '1.00', currency: 'eur' },
    ]) {
      expect(accepts(money, wrong)).toBe(false);
    }
  });

  test('minor units are counted from 1', () => {
    expect([1, 1999, 1_000_000_000_000].map((n) => accepts(minorUnits(), n))).toEqual([true, true, true]);
    expect([0, -1, 0.5, 1_000_000_000_001, '1', Number.NaN].map((n) => accepts(minorUnits(), n))).toEqual(
      Array.from({ length: 6 }, () => false),
    );
    expect(() => minorUnits(0)).toThrow('max must be an integer from 1');
  });

  test('a price becomes minor units without passing through a double', () => {
    expect(toMinorUnits('19.99', 'EUR')).toBe(1999);
    expect(toMinorUnits('1500', 'JPY')).toBe(1500);
    expect(toMinorUnits('1.250', 'KWD')).toBe(1250);
    expect(toMinorUnits('999999999999.99', 'EUR')).toBe(99_999_999_999_999);
    for (const wrong of ['0.00', '19.9', '1e3', '', '-1.00'])
      expect(() => toMinorUnits(wrong, 'EUR')).toThrow(TypeError);
  });

  test('a currency that is not listed does not start, with the date of the list', () => {
    expect(() => priceIn('EURO' as never)).toThrow(/no currency of ISO 4217 \(list of 2026-01-01\)/);
    expect(() => moneyIn(['EUR', 'BGN' as never])).toThrow('BGN');
    expect(() => moneyIn([])).toThrow('at least one currency');
  });

  test('the list has 155 currencies, each once, in order, and Intl knows each', () => {
    const rows = Object.values(CURRENCIES.byDigits).map((codes) => codes.split(' '));
    for (const row of rows) expect(row).toEqual([...row].sort());
    const all = rows.flat();
    expect([all.length, new Set(all).size]).toEqual([155, 155]);
    const unknown = all.filter((code) => !Intl.supportedValuesOf('currency').includes(code));
    // Newer than the Unicode data of Node.js 20, or not in it.
    expect(unknown.filter((code) => !['VED', 'XCG', 'ZWG'].includes(code))).toEqual([]);
  });
});

describe('phone numbers as they are written in one country', () => {
  const german = createPhoneReader({ callingCode: '49' });
  test.each([
    ['(030) 123-456', '+4930123456'],
    ['030/123456', '+4930123456'],
    ['0049 30 123456', '+4930123456'],
    ['+49 30 123456', '+4930123456'],
    ['+1 212 555 0123', '+12125550123'],
    ['+49 (0)30 123456', undefined],
    ['30 123456', undefined],
    ['030 123456 ext. 5', undefined],
    ['030  123456', undefined],
    ['030 123456\n', undefined],
    ['0049 0', undefined],
    ['\u0660\u0663\u0660123456', undefined],
    ['0'.repeat(50), undefined],
    ['', undefined],
  ])('in Germany %j is %s', (text, phone) => {
    expect(german(text)).toBe(phone);
  });
  test('where the prefix may be missing, the form of a number says so', () => {
    const american = createPhoneReader({
      callingCode: '1',
      trunkPrefix: '1',
      internationalPrefix: '011',
      national: /^[2-9]\d{9}$/,
    });
    expect(american('(212) 555-0123')).toBe('+12125550123');
    expect(american('1-212-555-0123')).toBe('+12125550123');
    expect(american('011 49 30 123456')).toBe('+4930123456');
    expect(american('555-0123')).toBeUndefined();
  });
  test('Italian numbers keep their zero', () => {
    expect(createPhoneReader({ callingCode: '39', trunkPrefix: '' })('06 1234567')).toBe('+39061234567');
  });
  test('a wrong reader does not start', () => {
    expect(() => createPhoneReader({ callingCode: '+49' })).toThrow('callingCode');
    expect(() => createPhoneReader({ callingCode: '49', national: /x/g })).toThrow('national');
    expect(() => createPhoneReader({ callingCode: '49', trunkPrefix: '00' })).toThrow('trunkPrefix');
  });
});

describe('names that look alike have one skeleton', () => {
  test.each([
    ['paypal', 'p\u0430yp\u0430l'],
    ['paypal', 'PayPa1'],
    ['modern', 'modem'],
    ['google', 'g\u03BF\u03BFgle'],
    ['renee', 'Ren\u00E9e'],
    ['ada.lovelace', 'ada_lovelace'],
    ['vvade', 'wade'],
  ])('%s and %s', (one, other) => {
    expect(usernameSkeleton(other)).toBe(usernameSkeleton(one));
  });
  test('different names do not', () => {
    const names = ['ada', 'bob', 'eve', '\u0438\u0432\u0430\u043D', '\u738B\u5C0F\u660E', 'anna', 'hanna'];
    expect(new Set(names.map(usernameSkeleton)).size).toBe(names.length);
  });
});
