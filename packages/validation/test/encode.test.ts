import assert from 'node:assert/strict';
import { describe, expect, test } from '@jest/globals';
import { OptionError } from '@portcullis/core';
import { vectorsDirectory } from '@portcullis/test-support';
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { ServerResponse, IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { join } from 'node:path';
import { runInNewContext } from 'node:vm';
import { parse, parseFragment, type DefaultTreeAdapterTypes } from 'parse5';
import {
  contentDisposition,
  createUrlChecker,
  csvCell,
  csvLine,
  encodePathSegment,
  encodeQueryPart,
  escapeAttribute,
  escapeComment,
  escapeCss,
  escapeHtml,
  escapeJs,
  escapeLike,
  escapeLog,
  escapeRegExp,
  escapeXml,
  headerText,
  jsonForScript,
  quoteHeader,
} from '../src/encode.js';

/** Texts made of what breaks out of contexts. */
const hostile = fc.oneof(
  { weight: 2, arbitrary: fc.string({ unit: 'binary', maxLength: 30 }) },
  {
    weight: 3,
    arbitrary: fc
      .array(
        fc.oneof(
          fc.constantFrom(
            ...[
              '<',
              '>',
              '"',
              "'",
              '`',
              '&',
              '&amp;',
              '&#x27;',
              '</script>',
              '<!--',
              '-->',
              '--!>',
              ']]>',
              '${',
              '}',
              '\\',
              '\\"',
            ],
            ...[
              '\n',
              '\r',
              '\u2028',
              '\u2029',
              '\0',
              '\ud800',
              '\x80',
              '/*',
              '*/',
              '//',
              ';',
              '</style>',
              'javascript:',
              '\\27 ',
              '\\',
              '%00',
            ],
            ...[
              'onerror=',
              '=',
              ' ',
              '/',
              'a',
              '1',
              '-',
              '--',
              '!',
              '\ufeff',
              '\u202e',
              '\t',
              '\f',
              '\v',
              '(',
              ')',
              '{',
            ],
          ),
          fc.string({ maxLength: 3 }),
        ),
        { maxLength: 12 },
      )
      .map((parts) => parts.join('')),
  },
);
const runs = { numRuns: 3000 };
type Element = DefaultTreeAdapterTypes.Element;
type TextNode = DefaultTreeAdapterTypes.TextNode;

/** What HTML parsers make of a text before they look at it. */
const parsed = (text: string): string => text.toWellFormed().replaceAll(/\r\n?/g, '\n').replaceAll('\0', '');

describe('HTML', () => {
  test('text: the tree has one text, which is what was given', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        const { childNodes } = parseFragment(`<p>${escapeHtml(text)}</p>`);
        expect(childNodes).toHaveLength(1);
        const inner = (childNodes[0] as Element).childNodes as TextNode[];
        assert.deepEqual(
          inner.map(({ nodeName }) => nodeName),
          parsed(text) === '' ? [] : ['#text'],
        );
        assert.equal(inner[0]?.value ?? '', parsed(text));
      }),
      runs,
    );
  });

  test('attributes: double, single and no quotes leave one element with one attribute, which is what was given', () => {
    const attribute = (html: string) => {
      const { childNodes } = parseFragment(html);
      expect(childNodes).toHaveLength(1);
      return (childNodes[0] as Element).attrs;
    };
    fc.assert(
      fc.property(hostile, (text) => {
        const quoted = text.toWellFormed().replaceAll(/\r\n?/g, '\n').replaceAll('\0', '\ufffd');
        assert.deepEqual(attribute(`<p title="${escapeHtml(text)}"></p>`), [
          { name: 'title', value: quoted },
        ]);
        assert.deepEqual(attribute(`<p title='${escapeHtml(text)}'></p>`), [
          { name: 'title', value: quoted },
        ]);
        const exact = text.toWellFormed().replaceAll('\0', '\ufffd');
        assert.deepEqual(attribute(`<p title="${escapeAttribute(text)}"></p>`), [
          { name: 'title', value: exact },
        ]);
        if (text !== '') {
          assert.deepEqual(attribute(`<p title=${escapeAttribute(text)}></p>`), [
            { name: 'title', value: exact },
          ]);
        }
      }),
      runs,
    );
  });

  test('comments: nothing ends one early or begins another', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        const { childNodes } = parseFragment(`<!--${escapeComment(text)}--><p>after</p>`);
        assert.deepEqual(
          childNodes.map(({ nodeName }) => nodeName),
          ['#comment', 'p'],
        );
      }),
      runs,
    );
  });

  test('XML: text and attributes hold no markup and no character that XML forbids', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        const xml = escapeXml(text);
        assert.doesNotMatch(xml, /[<>"'\ufffe\uffff]|&(?!#\d+;)/);
        assert.deepEqual(
          Array.from(xml).filter((character) => character < ' '),
          [],
        );
        assert.equal(xml.isWellFormed(), true);
        const back = xml.replaceAll(/&#(\d+);/g, (_all, code: string) => String.fromCharCode(Number(code)));
        assert.equal(
          back,
          text.toWellFormed().replaceAll(/(?![\t\n\r\x7f-\x9f])[\p{Cc}\ufffe\uffff]/gu, '\ufffd'),
        );
      }),
      runs,
    );
  });
});

describe('JavaScript', () => {
  test('a string in any quotes evaluates to what was given, and so it does in an event handler', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        const inner = escapeJs(text);
        assert.match(inner, /^[A-Za-z0-9 ,._\\]*$/);
        for (const quote of ['"', "'", '`']) assert.equal(runInNewContext(`${quote}${inner}${quote}`), text);
      }),
      { numRuns: 300 },
    );
  });

  test('ASVS V1.2.3: jsonForScript() parses back equal, as JSON and as JavaScript, and never closes its element', () => {
    const value = {
      a: '</script><script>alert(1)</script>',
      b: '<!--',
      c: '\u2028\u2029',
      d: ']]>',
      e: '&lt;',
    };
    const rows = [value, [value], '</SCRIPT >', '<!--<script>', null, 1.5, true];
    for (const row of rows) {
      const json = jsonForScript(row);
      expect(JSON.parse(json)).toEqual(row);
      expect(json).not.toMatch(/[<>&\u2028\u2029]/);
      expect(runInNewContext(`JSON.stringify(${json})`)).toBe(JSON.stringify(row));
    }
    fc.assert(
      fc.property(fc.jsonValue(), hostile, (json, text) => {
        const given = JSON.parse(JSON.stringify({ json, text })) as unknown;
        const html = `<script>x=${jsonForScript(given)}</script><p>after</p>`;
        const { childNodes } = parseFragment(html);
        assert.deepEqual(
          childNodes.map(({ nodeName }) => nodeName),
          ['script', 'p'],
        );
        assert.deepEqual(JSON.parse(jsonForScript(given)), given);
      }),
      runs,
    );
  });

  test('what JSON cannot hold is a mistake of the program', () => {
    for (const value of [undefined, () => 1, Symbol('x'), 1n])
      expect(() => jsonForScript(value)).toThrow(TypeError);
  });
});

test('CSS: a string or identifier is what was given, by the rules of CSS escapes, and leaves the style as it was', () => {
  const unescape = (css: string): string =>
    css.replaceAll(/\\([0-9a-f]{1,6}) /g, (_all, hex: string) =>
      String.fromCodePoint(Number.parseInt(hex, 16)),
    );
  fc.assert(
    fc.property(hostile, (text) => {
      const css = escapeCss(text);
      assert.match(css, /^(?:[A-Za-z0-9\u00a0-\u{10ffff}]|\\[0-9a-f]{1,6} )*$/u);
      assert.doesNotMatch(css, /^\d/);
      assert.equal(unescape(css), text.toWellFormed().replaceAll('\0', '\ufffd'));
      const { childNodes } = parseFragment(`<style>p::after{content:"${css}"}</style><p>after</p>`);
      assert.deepEqual(
        childNodes.map(({ nodeName }) => nodeName),
        ['style', 'p'],
      );
    }),
    runs,
  );
});

test('ASVS V1.2.1: in HTML text, attributes, comments, CSS and headers a corpus of payloads leaves the tree unchanged', () => {
  const folder = vectorsDirectory('injection', 'xss.txt');
  const external = folder
    ? readFileSync(join(folder, 'xss.txt'), 'utf8')
        .split('\n')
        .map((line) => {
          try {
            return decodeURIComponent(line);
          } catch {
            return line;
          }
        })
    : [];
  const own = [
    '</p><script>alert(1)</script>',
    '" onload="alert(1)',
    "' onload='alert(1)",
    '--><img src=x onerror=alert(1)>',
    '"}</style><script>',
    '\r\nSet-Cookie: a=b',
  ];
  const page = (text: string): string =>
    `<!doctype html><html><head><title>t</title><style>p::after{content:"${escapeCss(text)}"}</style></head><body><!--${escapeComment(text)}--><p title="${escapeHtml(text)}" lang=x${escapeAttribute(text)}>x${escapeHtml(text)}</p></body></html>`;
  const shape = (node: DefaultTreeAdapterTypes.Node): unknown => [
    node.nodeName,
    'attrs' in node ? node.attrs.map(({ name }) => name) : [],
    'childNodes' in node ? node.childNodes.map(shape) : [],
  ];
  const wanted = shape(parse(page('harmless')));
  for (const text of [...own, ...external]) {
    expect([text, shape(parse(page(text)))]).toEqual([text, wanted]);
    expect(headerText(text)).toMatch(/^[\x20-\x7e]*$/);
  }
});

describe('URLs', () => {
  test('a part of a query is what was given, wherever it stands', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        const encoded = encodeQueryPart(text);
        assert.match(encoded, /^[\w.~%-]*$/);
        const url = new URL(`https://example.org/?a=${encoded}&b=1#${encoded}`);
        assert.deepEqual([url.searchParams.get('a'), url.searchParams.get('b')], [text.toWellFormed(), '1']);
      }),
      runs,
    );
  });

  test('a segment of a path stays one; dots and nothing are refused', () => {
    fc.assert(
      fc.property(hostile, (text) => {
        if (['', '.', '..'].includes(text)) return;
        const { pathname } = new URL(`https://example.org/a/${encodePathSegment(text)}/b`);
        assert.deepEqual(pathname.split('/').map(decodeURIComponent), ['', 'a', text.toWellFormed(), 'b']);
      }),
      runs,
    );
    for (const text of ['', '.', '..'])
      expect(() => encodePathSegment(text)).toThrow(
        expect.objectContaining({ code: 'E_VALIDATION', status: 400 }),
      );
  });

  const check = createUrlChecker();
  test.each([
    ['https://example.org', 'https://example.org/'],
    ['http://example.org/a?b=c&d=e#f', 'http://example.org/a?b=c&d=e#f'],
    ['HTTPS://EXAMPLE.org/', 'https://example.org/'],
    ['mailto:a@example.org', 'mailto:a@example.org'],
    ['/books/1?x=1#y', '/books/1?x=1#y'],
    ['./x', './x'],
    ['../x', '../x'],
    ['?q=1', '?q=1'],
    ['#top', '#top'],
  ])('%s passes', (text, href) => expect(check(text)).toBe(href));

  const refused = [
    ...[
      'javascript:alert(1)',
      'JaVaScRiPt:alert(1)',
      ' javascript:alert(1)',
      'java\tscript:alert(1)',
      'java\nscript:alert(1)',
    ],
    ...[
      '\x01javascript:alert(1)',
      'javascript\0:alert(1)',
      'javascript&colon;alert(1)',
      '&#106;avascript:alert(1)',
      '&#x6A;avascript:x',
    ],
    ...[
      'jav&#x09;ascript:alert(1)',
      'java&Tab;script:alert(1)',
      'vbscript:msgbox(1)',
      'data:text/html,<script>',
      'DATA:text/html;base64,x',
    ],
    ...[
      'blob:https://example.org/x',
      'filesystem:https://x/',
      'about:blank',
      'view-source:https://x',
      'file:///etc/passwd',
      'ftp://x/',
    ],
    ...[
      '//evil.example',
      '/\\evil.example',
      '\\\\evil.example',
      '/\t/evil.example',
      'https:\\\\evil.example',
      'https://user:pw@evil.example',
    ],
    ...[
      'https://good.example@evil.example',
      'https://exa mple.org',
      'https://example.org/\u202etxt',
      'https://example.org/"onclick=x',
      'https://',
    ],
    ...[
      '',
      'x',
      'x:y',
      'jar:https://x!/',
      'intent://x#Intent;end',
      'tel:123',
      `https://example.org/${'x'.repeat(2048)}`,
      'https://example.org/\ud800',
    ],
  ];
  test.each(refused.map((text) => [text.slice(0, 40), text]))('%j does not', (_shown, text) => {
    expect(check(text)).toBeUndefined();
  });

  test('ASVS V1.2.2: script schemes in 2,000 spellings are refused; parts of paths and queries are encoded', () => {
    const noise = fc.constantFrom(
      '',
      '',
      '',
      ' ',
      '\t',
      '\n',
      '\r',
      '\0',
      '\x01',
      '\u200b',
      '&Tab;',
      '&#9;',
      '&NewLine;',
    );
    const letters = (word: string) =>
      fc
        .tuple(
          ...Array.from(word, (letter) => fc.tuple(noise, fc.constantFrom(letter, letter.toUpperCase()))),
        )
        .map((all) => all.flat().join(''));
    fc.assert(
      fc.property(fc.constantFrom('javascript:', 'vbscript:', 'data:').chain(letters), (scheme) => {
        expect(check(`${scheme}alert(1)`)).toBeUndefined();
      }),
      { numRuns: 2000 },
    );
    expect([encodePathSegment('a/b?c'), encodeQueryPart('a&b=c')]).toEqual(['a%2Fb%3Fc', 'a%26b%3Dc']);
  });

  test('schemes are named by the application; those that run code cannot be', () => {
    expect(createUrlChecker({ schemes: ['tel'] })('tel:123')).toBe('tel:123');
    expect(createUrlChecker({ schemes: ['https'] })('http://example.org')).toBeUndefined();
    expect(createUrlChecker({ relative: false })('/x')).toBeUndefined();
    for (const scheme of ['javascript', 'data', 'vbscript', 'HTTPS', 'https:', '']) {
      expect(() => createUrlChecker({ schemes: [scheme] })).toThrow(OptionError);
    }
  });
});

describe('headers', () => {
  const split = [
    'a\r\nSet-Cookie: x=1',
    'a\nb',
    'a\rb',
    'a\0b',
    '\u560a\u560dSet-Cookie: x',
    'a\u2028b',
    'a\x1b[31m',
    'caf\u00e9',
    '\u202egnp.exe',
    '%0d%0aSet-Cookie: x',
  ];
  test.each(split)('%j becomes one value that Node accepts as it is', (text) => {
    const res = new ServerResponse(new IncomingMessage(new Socket()));
    for (const value of [headerText(text), quoteHeader(text), contentDisposition(text)]) {
      res.setHeader('X-Test', value);
      expect(value).toMatch(/^[\x20-\x7e]+$/);
    }
  });

  test('quotes and backslashes inside of quotes are escaped', () => {
    expect(quoteHeader('a "b" \\')).toBe('"a \\"b\\" \\\\"');
  });

  test('file names lose folders, controls and turned directions, and keep their letters', () => {
    expect(contentDisposition('report.pdf')).toBe('attachment; filename="report.pdf"');
    expect(contentDisposition('na\u00efve.txt', 'inline')).toBe(
      'inline; filename="na_ve.txt"; filename*=UTF-8\'\'na%C3%AFve.txt',
    );
    expect(contentDisposition('../../etc/passwd')).toBe('attachment; filename="_.._etc_passwd"');
    expect(contentDisposition('C:\\a\\b.txt')).toBe('attachment; filename="C__a_b.txt"');
    expect(contentDisposition('a"; filename="b.exe')).toBe('attachment; filename="a_; filename=_b.exe"');
    expect(contentDisposition('invoice\u202efdp.exe')).toBe('attachment; filename="invoicefdp.exe"');
    for (const text of ['', '..', '\0', ' . '])
      expect(contentDisposition(text)).toBe('attachment; filename="file"');
    fc.assert(
      fc.property(hostile, (text) =>
        assert.match(
          contentDisposition(text),
          /^attachment; filename="[^"\\\r\n]*"(; filename\*=UTF-8''[\w.~!%-]+)?$/,
        ),
      ),
      runs,
    );
  });
});

test('logs: a line stays one line, speaks to no terminal, and can be told from what it escapes (morgan CVE-2026-5078)', () => {
  expect(escapeLog('GET /\r\n2026-01-01 admin signed in')).toBe('GET /\\x0d\\x0a2026-01-01 admin signed in');
  expect(escapeLog('\x1b]0;x\x07\u202e\u2028\u200b\\x0a')).toBe(
    '\\x1b]0;x\\x07\\u{202e}\\u{2028}\\u{200b}\\\\x0a',
  );
  expect(escapeLog('x'.repeat(2000))).toBe(`${'x'.repeat(1024)}...`);
  expect(escapeLog('100% %s %d %j')).toBe('100% %s %d %j');
  const back = (line: string): string =>
    line.replaceAll(/\\(?:x(..)|u\{(\w+)\}|\\)/g, (_all, short?: string, long?: string) =>
      (short ?? long) ? String.fromCodePoint(Number.parseInt((short ?? long)!, 16)) : '\\',
    );
  fc.assert(
    fc.property(hostile, (text) => {
      const line = escapeLog(text);
      assert.doesNotMatch(line, /[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/u);
      assert.equal(back(line), text);
    }),
    runs,
  );
});

describe('CSV', () => {
  const formulas = [
    '=1+1',
    '+1',
    '-1',
    '@SUM(A1)',
    '\t=1',
    '\r=1',
    '\n=1',
    '\0=1',
    ' =1',
    '"=1',
    "'=1",
    '\uff1d1',
    '\uff0b1',
    '\uff0d1',
    '\uff201',
    '|cmd',
    "=cmd|'/C calc'!A0",
    '=HYPERLINK("http://x?"&A1)',
    '\u00a0=1',
    '\ufeff=1',
    '" =1',
  ];
  test.each(formulas)('ASVS V1.2.10: a cell that begins like %j is text for a spreadsheet', (text) => {
    expect(csvCell(text)).toBe(`"'${text.replaceAll('"', '""')}"`);
  });

  test('numbers are numbers, and honest text is as it was', () => {
    expect(csvLine([1, -2.5, true, null, undefined, Number.NaN, 'a-b', 'x=1', '1+1', ''])).toBe(
      '1,-2.5,true,,,,"a-b","x=1","1+1",""\r\n',
    );
  });

  test('RFC 4180: what is written is read back, with an apostrophe before what would be a formula', () => {
    const read = (text: string): string[][] => {
      expect(text).toMatch(/^(?:"(?:[^"]|"")*"(?:,"(?:[^"]|"")*")*\r\n)+$/);
      const cells = [...text.matchAll(/"((?:[^"]|"")*)"(,|\r\n)/g)];
      const rows: string[][] = [[]];
      for (const [, cell = '', end] of cells) {
        rows.at(-1)!.push(cell.replaceAll('""', '"'));
        if (end !== ',') rows.push([]);
      }
      return rows.slice(0, -1);
    };
    fc.assert(
      fc.property(fc.array(fc.tuple(hostile, hostile), { minLength: 1, maxLength: 5 }), (rows) => {
        const back = read(rows.map((row) => csvLine(row)).join(''));
        const given = rows.map((row) => row.map((cell) => cell.toWellFormed()));
        const marked = back.map((row, i) =>
          row.map((cell, j) => (cell === given[i]?.[j] ? cell : cell.slice(1))),
        );
        assert.deepEqual(marked, given);
        for (const cell of back.flat()) assert.doesNotMatch(cell, /^[=+\-@\t\r]/);
      }),
      runs,
    );
  });
});

describe('patterns', () => {
  test('ASVS V1.2.9: escapeRegExp() makes a pattern that matches the text only, for 3,000 texts of metacharacters', () => {
    const meta = fc
      .array(
        fc.constantFrom(...'^$\\.*+?()[]{}|/-,&~#%!@:;<=>`\'" \n\t\u2028\ufeff01abxcdwsuU_\u00e9\u{1f600}'),
        { maxLength: 10 },
      )
      .map((all) => all.join(''));
    fc.assert(
      fc.property(fc.oneof(meta, hostile), fc.string({ maxLength: 10 }), (text, other) => {
        const source = escapeRegExp(text);
        for (const flags of ['', 'u', 'v', 'i', 's', 'm']) {
          const pattern = new RegExp(`^(?:${source})$`, flags);
          assert.equal(pattern.test(text), true);
          if (flags !== 'i' && other !== text && flags !== 'm') assert.equal(pattern.test(other), false);
        }
        const one = Array.from(text)[0];
        if (one !== undefined)
          for (const flags of ['u', 'v'])
            assert.equal(new RegExp(`^[${escapeRegExp(one)}]$`, flags).test(one), true);
        // It cannot continue an escape that stands before it.
        assert.equal(new RegExp(`(a)\\1${source}`, 'u').test(`aa${text}`), true);
      }),
      { numRuns: 3000 },
    );
  });

  test('LIKE: the wildcards and the escape character are themselves', () => {
    expect(escapeLike('100%_\\')).toBe('100\\%\\_\\\\');
    // How LIKE reads a pattern, as a regular expression.
    const like = (pattern: string): RegExp =>
      new RegExp(
        `^${pattern.replaceAll(/\\[^]|[^]/g, (one) => (one.startsWith('\\') && one.length > 1 ? escapeRegExp(one.slice(1)) : one === '%' ? '[^]*' : one === '_' ? '[^]' : escapeRegExp(one)))}$`,
      );
    const wild = fc
      .array(fc.constantFrom('%', '_', '\\', 'a', 'b', "'"), { maxLength: 8 })
      .map((all) => all.join(''));
    fc.assert(
      fc.property(wild, wild, (text, other) => {
        assert.equal(like(escapeLike(text)).test(text), true);
        assert.equal(like(escapeLike(text)).test(other), text === other);
      }),
      runs,
    );
  });
});
