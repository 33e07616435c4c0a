import { beforeAll, describe, expect, test } from '@jest/globals';
import type { Response } from 'supertest';
import type { Client, Sending } from '../support/client.js';
import type { OpenLibrary } from '../support/open-library.js';
import { addBook, nextIsbn } from './everyday-use.js';

type Who = 'anonymous' | 'ann' | 'staff';

interface Field {
  /** A value that is accepted, so that each case has one fault only. */
  readonly good: string | number;
  readonly bad: readonly unknown[];
  readonly optional?: boolean;
  /** Takes any character: passwords. */
  readonly anyCharacter?: boolean;
}

interface Endpoint {
  readonly who: Who;
  readonly path: string;
  readonly body: 'form' | 'json';
  readonly fields: Readonly<Record<string, Field>>;
  /** The endpoint of `@portcullis/auth` takes what it knows and leaves the rest alone. */
  readonly ignoresUnknown?: boolean;
}

const LONG = 'x'.repeat(9000);
const SQL = [
  `'; DROP TABLE users; --`,
  `' OR '1'='1`,
  `1; delete from library.book`,
  `x') union select null--`,
];
const MARKED = ['a\u0000b', 'a\u0007b', 'a\nb', 'a\u202eb'];

const isbn = {
  good: '',
  bad: ['1', '978-0-14-143951-8', '9780000000000', ' 9780141439518', '978014143951x', ...SQL],
};
const title = { good: 'A Book', bad: ['x'.repeat(301)] };
const authors = { good: 'Some Body', bad: ['x'.repeat(1001)] };
const year = {
  good: '1999',
  bad: ['-3001', '2101', '1e3', '0x10', '1.5', ' 1', 'MCM', 'NaN', ...SQL],
  optional: true,
};
const copies = {
  good: '1',
  bad: ['-1', '1001', '1e3', '0x10', '1.5', '01', ' 1', 'one', '9'.repeat(40), ...SQL],
};
const email = {
  good: 'new.reader@readers.example',
  bad: ['x', 'x@', '@x.example', 'a b@x.example', 'a@b@x.example', `${'x'.repeat(300)}@x.example`, ...SQL],
};
const password = {
  good: 'eleven calm foxes carry a stone',
  bad: ['short', '0123456789', 'password1234', 'aaaaaaaaaaaaaaaa'],
  anyCharacter: true,
};
const oneTimeCode = { good: '000000', bad: ['x'.repeat(65), ...SQL] };
const bookId = { good: '1', bad: ['0', '-1', '1.5', '1e3', '01', 'abc', ' 1', '9'.repeat(19), ...SQL] };

/** Every endpoint that takes a body, and what it takes. */
const ENDPOINTS: readonly Endpoint[] = [
  { who: 'anonymous', path: '/register', body: 'form', fields: { email, password } },
  { who: 'anonymous', path: '/sign-in', body: 'form', fields: { email, password } },
  {
    who: 'anonymous',
    path: '/sign-in/complete',
    body: 'form',
    fields: { challenge: { good: 'none', bad: ['x'.repeat(129), ...SQL] }, code: oneTimeCode },
  },
  {
    who: 'ann',
    path: '/account/second-factor/confirm',
    body: 'form',
    fields: { token: { good: 'none', bad: ['x'.repeat(129), ...SQL] }, code: oneTimeCode },
  },
  { who: 'anonymous', path: '/reset', body: 'form', fields: { email } },
  {
    who: 'anonymous',
    path: '/reset/complete',
    body: 'form',
    fields: { token: { good: 'none', bad: ['x'.repeat(129), ...SQL] }, password },
  },
  {
    who: 'anonymous',
    path: '/register/complete',
    body: 'form',
    fields: { token: { good: 'none', bad: ['x'.repeat(129), ...SQL] }, password },
  },
  { who: 'ann', path: '/account/email', body: 'form', fields: { email, password } },
  {
    who: 'anonymous',
    path: '/account/email/complete',
    body: 'form',
    fields: { token: { good: 'none', bad: ['x'.repeat(129), ...SQL] } },
  },
  {
    who: 'ann',
    path: '/account/keys',
    body: 'form',
    fields: {
      name: { good: 'A program', bad: ['x'.repeat(101), ' '] },
      expires: { good: '30d', bad: ['1y', '0', '31d', ...SQL] },
      'loan:create': { good: 'yes', bad: ['no', 'YES', ...SQL] },
    },
  },
  {
    who: 'staff',
    path: '/staff/books',
    body: 'form',
    fields: { isbn13: isbn, title, authors, year, copies },
  },
  {
    who: 'staff',
    path: '/staff/books/:book',
    body: 'form',
    fields: { isbn13: isbn, title, authors, year, copies },
  },
  {
    who: 'staff',
    path: '/staff/people/:ann/grant',
    body: 'form',
    fields: { role: { good: 'staff', bad: ['admin', 'Staff', 'staff ', '*', ...SQL] } },
  },
  {
    who: 'staff',
    path: '/staff/people/:ann/revoke',
    body: 'form',
    fields: { role: { good: 'patron', bad: ['admin', 'system', ...SQL] } },
  },
  {
    who: 'staff',
    path: '/api/books',
    body: 'json',
    fields: {
      isbn13: isbn,
      title,
      authors,
      year: { good: 1999, bad: ['1999', 1.5, -3001, 2101, 1e20], optional: true },
      copies: { good: 1, bad: ['1', -1, 1001, 1.5, 1e20] },
    },
  },
  {
    who: 'staff',
    path: '/staff/emergency',
    body: 'form',
    fields: {
      reason: { good: 'an order of the court', bad: ['because', 'x'.repeat(1001)] },
      minutes: { good: '15', bad: ['0', '16', '1e1', '-15', ...SQL] },
    },
  },
  { who: 'ann', path: '/api/loans', body: 'json', fields: { bookId } },
  {
    who: 'anonymous',
    path: '/api/auth/register',
    body: 'json',
    fields: { login: email, password },
    ignoresUnknown: true,
  },
  {
    who: 'anonymous',
    path: '/api/auth/sign-in',
    body: 'json',
    fields: { login: email, password },
    ignoresUnknown: true,
  },
  {
    who: 'anonymous',
    path: '/api/auth/refresh',
    body: 'json',
    fields: { refresh_token: { good: 'none', bad: ['x', 'a.b.c', 'A'.repeat(80), ...SQL] } },
    ignoresUnknown: true,
  },
  {
    who: 'ann',
    path: '/api/auth/password',
    body: 'json',
    fields: { currentPassword: { good: 'right', bad: ['wrong'], anyCharacter: true }, newPassword: password },
    ignoresUnknown: true,
  },
];

/** Every address that reads its query, with a well-formed rest. */
const QUERIES: readonly { readonly who: Who; readonly path: string; readonly bad: readonly string[] }[] = [
  ...['/books', '/api/books'].map((path) => ({
    who: 'anonymous' as const,
    path,
    bad: [
      ...SQL.map((text) => `q=${encodeURIComponent(text)}`),
      `q=${'x'.repeat(101)}`,
      'q=%3Cscript%3Ealert(1)%3C/script%3E',
      'q=%00',
      'q=a%0Ab',
      'q=%E2%80%AE',
      'q=%FF',
      'q=%',
      'q=a&q=b',
      'q[]=a',
      'q[$ne]=a',
      'q.x=a',
      ...['0', '-1', '1.5', '1e3', '0x10', '01', '%201', 'one', '', '10001', '9'.repeat(40)].map(
        (n) => `page=${n}`,
      ),
      'page=1&page=2',
      'unknown=1',
      '__proto__=1',
      'constructor=1',
      'done=%3Cb%3E',
    ],
  })),
  ...['/staff/audit', '/api/audit'].map((path) => ({
    who: 'staff' as const,
    path,
    bad: [
      'action=A',
      'action=*',
      'action=.x',
      'action=loan.**',
      `action=${'x'.repeat(81)}`,
      ...SQL.map((text) => `action=${encodeURIComponent(text)}`),
      'action=a&action=b',
      'cursor=x',
      'cursor=-1',
      'cursor=0',
      `cursor=${'9'.repeat(201)}`,
      ...SQL.map((text) => `cursor=${encodeURIComponent(text)}`),
      'viewer=system',
      'unknown=1',
      '__proto__=1',
    ],
  })),
  ...(
    ['/sign-in', '/account/second-factor', '/account/keys', '/books/1', '/loans', '/staff/people'] as const
  ).map((path) => ({
    who: 'staff' as const,
    path,
    bad: ['done=unknown', 'done=saved&done=saved', 'done[]=saved', 'done=%00', 'unknown=1', '__proto__=1'],
  })),
];

const BOOK_IDS = [
  '0',
  '-1',
  '1.5',
  '1e3',
  '01',
  'abc',
  '%201',
  '1%00',
  '9'.repeat(19),
  '1%20or%201=1',
  '1;2',
  '__proto__',
];
const UUIDS = [
  '1',
  'abc',
  '%00',
  '{3f0d3a39-5f0e-4b0e-9d0a-0c7c1a0f8f11}',
  `3f0d3a39-5f0e-4b0e-9d0a-0c7c1a0f8f11'`,
  'constructor',
];
const IDS: readonly {
  readonly who: Who;
  readonly method: string;
  readonly path: string;
  readonly bad: readonly string[];
}[] = [
  { who: 'anonymous', method: 'GET', path: '/books/#', bad: BOOK_IDS },
  { who: 'anonymous', method: 'GET', path: '/api/books/#', bad: BOOK_IDS },
  { who: 'ann', method: 'POST', path: '/books/#/borrow', bad: BOOK_IDS },
  { who: 'ann', method: 'GET', path: '/books/#/loans', bad: BOOK_IDS },
  { who: 'ann', method: 'GET', path: '/api/books/#/loans', bad: BOOK_IDS },
  { who: 'staff', method: 'GET', path: '/staff/books/#/edit', bad: BOOK_IDS },
  { who: 'staff', method: 'POST', path: '/staff/books/#', bad: BOOK_IDS },
  { who: 'ann', method: 'POST', path: '/loans/#/return', bad: UUIDS },
  { who: 'ann', method: 'POST', path: '/api/loans/#/return', bad: UUIDS },
  { who: 'staff', method: 'POST', path: '/staff/people/#/grant', bad: UUIDS },
  { who: 'staff', method: 'POST', path: '/staff/people/#/revoke', bad: UUIDS },
  { who: 'ann', method: 'DELETE', path: '/api/auth/keys/#', bad: UUIDS },
  { who: 'ann', method: 'DELETE', path: '/api/auth/sessions/#', bad: [...UUIDS, 'x'.repeat(2000)] },
];

/** What a body can be besides a well-formed object of the wrong content. */
const BROKEN_BODIES: readonly (readonly [title: string, sending: Sending])[] = [
  ['nothing', {}],
  ['malformed JSON', { raw: '{"a":', headers: { 'content-type': 'application/json' } }],
  ['a JSON list', { json: [] }],
  ['JSON null', { raw: 'null', headers: { 'content-type': 'application/json' } }],
  ['a JSON text', { raw: '"x"', headers: { 'content-type': 'application/json' } }],
  [
    'a deep JSON object',
    { raw: '{"a":'.repeat(5000) + '1' + '}'.repeat(5000), headers: { 'content-type': 'application/json' } },
  ],
  [
    'a JSON object with __proto__',
    { raw: '{"__proto__":{"role":"staff"}}', headers: { 'content-type': 'application/json' } },
  ],
  ['JSON of 200 kB', { json: { a: 'x'.repeat(200_000) } }],
  ['JSON in another charset', { raw: '{}', headers: { 'content-type': 'application/json; charset=ebcdic' } }],
  [
    'JSON that is not gzip',
    { raw: '{}', headers: { 'content-type': 'application/json', 'content-encoding': 'gzip' } },
  ],
  ['plain text', { raw: 'email=a', headers: { 'content-type': 'text/plain' } }],
  ['XML', { raw: '<a/>', headers: { 'content-type': 'application/xml' } }],
  ['multipart', { raw: '--x--', headers: { 'content-type': 'multipart/form-data; boundary=x' } }],
  ['a form of 40 kB', { form: { a: 'x'.repeat(40_000) } }],
  [
    'a form of 2,000 fields',
    { form: Object.fromEntries(Array.from({ length: 2000 }, (_, i) => [`f${i}`, '1'])) },
  ],
  [
    'a form with broken escapes',
    { raw: 'email=%E0%A4%A&password=%', headers: { 'content-type': 'application/x-www-form-urlencoded' } },
  ],
];

export function badInput(library: () => OpenLibrary): void {
  describe('bad input: a clear message, status 4xx, nothing stored', () => {
    let book: string;
    beforeAll(async () => {
      book = (await addBook(library(), { title: 'For bad input', copies: 3 })).id;
      // So that right fields of a sign-in are right, and one fault is the only one.
      const { email: login, password: secret } = { email: email.good, password: password.good };
      library().secrets.add(secret);
      await library().anonymous().post('/api/auth/register', { login, password: secret });
    });
    const path = (text: string) => text.replace(':book', book).replace(':ann', library().ann.id);
    const client = (who: Who, by: 'form' | 'json'): Client => {
      if (who === 'anonymous') return library().anonymous();
      const { browser, program } = library()[who];
      return (by === 'json' ? program : browser).elsewhere();
    };

    /** Sends all cases, some at a time, and says what was wrong with the answers. */
    async function refused(
      cases: readonly (readonly [title: string, send: () => Promise<Response>])[],
    ): Promise<void> {
      const before = await library().stored();
      const wrong: string[] = [];
      for (let from = 0; from < cases.length; from += 8) {
        const answers = cases.slice(from, from + 8).map(async ([title, send]) => {
          const problem = complaint(await send());
          if (problem !== undefined) wrong.push(`${title}: ${problem}`);
        });
        await Promise.all(answers);
      }
      expect(wrong).toEqual([]);
      expect(await library().stored()).toBe(before);
    }

    test.each(ENDPOINTS.map((endpoint) => [`${endpoint.body} to ${endpoint.path}`, endpoint] as const))(
      '%s',
      async (_title, endpoint) => {
        const { who, fields, body } = endpoint;
        const good = {
          ...Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.good])),
          ...('isbn13' in fields ? { isbn13: nextIsbn() } : {}),
          ...('currentPassword' in fields ? { currentPassword: library().ann.password } : {}),
          // Registration needs a new name: the one fault of a case must not be that it is taken.
          ...(endpoint.path.endsWith('register')
            ? { ['email' in fields ? 'email' : 'login']: 'one.more@readers.example' }
            : {}),
        };
        const sendings: (readonly [string, Sending])[] = [
          ...BROKEN_BODIES,
          ...faults(endpoint, good).map(([title, sent]): [string, Sending] => [title, sent]),
        ];
        await refused(
          sendings.map(([title, sending]) => [
            title,
            () => client(who, body).send('POST', path(endpoint.path), sending),
          ]),
        );
      },
    );

    test.each(QUERIES.map((row) => [row.path, row] as const))(
      'the query of %s',
      async (_title, { who, path: at, bad }) => {
        const by = at.startsWith('/api') ? 'json' : 'form';
        await refused(bad.map((query) => [query, () => client(who, by).get(`${at}?${query}`)]));
      },
    );

    test.each(IDS.map((row) => [`${row.method} ${row.path}`, row] as const))(
      'ids that are none: %s',
      async (_title, { who, method, path: at, bad }) => {
        const by = at.startsWith('/api') ? 'json' : 'form';
        const role = { form: { role: 'staff' } };
        const unknown = at.includes('book') ? '999999999' : '3f0d3a39-5f0e-4b0e-9d0a-0c7c1a0f8f11';
        await refused(
          [...bad, unknown].map((id) => [
            id,
            () => client(who, by).send(method, at.replace('#', id), at.includes('people') ? role : {}),
          ]),
        );
      },
    );

    test('what no route takes: other methods, malformed addresses, broken bodies of routes that need none', async () => {
      const { ann } = library();
      const json = { 'content-type': 'application/json' };
      await refused([
        ['PUT', () => ann.browser.elsewhere().send('PUT', '/books')],
        ['DELETE', () => ann.browser.elsewhere().send('DELETE', `/books/${book}`)],
        ['PATCH', () => ann.program.elsewhere().send('PATCH', '/api/loans')],
        ['TRACE-like override', () => ann.browser.elsewhere().send('PUT', `/books/${book}?_method=DELETE`)],
        ['%', () => ann.browser.elsewhere().get('/books/%')],
        ['%E0%A4%A', () => ann.browser.elsewhere().get('/books/%E0%A4%A')],
        ['..', () => ann.browser.elsewhere().get('/assets/..%2f..%2fpackage.json')],
        ['dotfile', () => ann.browser.elsewhere().get('/assets/.env')],
        ['NUL in a file', () => ann.browser.elsewhere().get('/assets/style.css%00.png')],
        [
          'borrow',
          () => ann.browser.elsewhere().send('POST', `/books/${book}/borrow`, { raw: '{', headers: json }),
        ],
        ['sign-out', () => ann.browser.elsewhere().send('POST', '/sign-out', { raw: '{', headers: json })],
        [
          'a forged chain',
          () => ann.browser.elsewhere().get('/books', { 'x-forwarded-for': 'not-an-address' }),
        ],
        [
          'a foreign host',
          () =>
            ann.browser
              .elsewhere()
              .send('POST', '/sign-out', { headers: { host: 'evil.example', 'x-forwarded-proto': 'http' } }),
        ],
      ]);
      expect((await ann.browser.get('/loans')).status).toBe(200);
    });

    test('what a registration says about roles and ids counts for nothing', async () => {
      const given = { login: 'mass@readers.example', password: 'two brave wolves paint a bridge' };
      library().secrets.add(given.password);
      const more = {
        role: 'staff',
        roles: ['staff'],
        is_staff: true,
        id: library().staff.id,
        active: true,
        enrolled: true,
      };
      const { body } = await library()
        .anonymous()
        .post('/api/auth/register', { ...given, ...more, name: 'staff' });
      const { userId } = body as { userId: string };
      expect(userId).not.toBe(library().staff.id);
      const roles = await library().house.rbac.rolesOf(userId);
      expect(roles.map(({ role }) => role)).toEqual(['patron']);
    });

    test('guessing passwords is slowed down: by account, and by network with 429', async () => {
      const { house } = library();
      await house.people.create({ login: 'guessed@readers.example', passwordHash: 'none' });
      const guesser = library().anonymous();
      const guess = (n: number) =>
        guesser.submit('/sign-in', { email: 'guessed@readers.example', password: `guess number ${n}` });
      const statuses = new Set<number>();
      for (let n = 0; n < 34; n++) statuses.add((await guess(n)).status);
      expect(statuses).toEqual(new Set([401, 429]));
      const limited = await guess(99);
      expect([limited.status, Number(limited.headers['retry-after'])]).toEqual([429, expect.any(Number)]);
      expect(Number(limited.headers['retry-after'])).toBeGreaterThan(0);
      // Others are not held up by it.
      expect((await library().anonymous().get('/sign-in')).status).toBe(200);
    });
  });
}

function faults(
  { fields, body, ignoresUnknown }: Endpoint,
  good: Readonly<Record<string, unknown>>,
): [string, Sending][] {
  const sent: [string, Sending][] = [];
  const add = (title: string, content: object): void => {
    sent.push([title, body === 'json' ? { json: content } : { form: content as Record<string, string> }]);
  };
  for (const [name, field] of Object.entries(fields)) {
    const others = Object.fromEntries(Object.entries(good).filter(([other]) => other !== name));
    if (!field.optional) {
      add(`without ${name}`, others);
      add(`empty ${name}`, { ...good, [name]: '' });
    }
    for (const value of [...field.bad, LONG])
      add(`${name} ${JSON.stringify(value).slice(0, 40)}`, { ...good, [name]: value });
    if (!field.anyCharacter) {
      // Half a character can be written in JSON only.
      for (const value of [...MARKED, ...(body === 'json' ? ['\ud800'] : [])])
        add(`${name} ${JSON.stringify(value)}`, { ...good, [name]: value });
    }
    const value = String(good[name]);
    if (body === 'json') {
      for (const other of [
        null,
        true,
        [value],
        { $ne: value },
        ...(typeof good[name] === 'string' ? [1] : []),
      ]) {
        add(`${name} ${JSON.stringify(other)}`, { ...good, [name]: other });
      }
    } else {
      const rest = Object.entries(others) as [string, string][];
      sent.push([`${name} twice`, { form: [...rest, [name, value], [name, value]] }]);
      sent.push([`${name}[]`, { form: [...rest, [`${name}[]`, value]] }]);
      sent.push([`${name}[$ne]`, { form: [...rest, [name, value], [`${name}[$ne]`, value]] }]);
    }
  }
  if (!ignoresUnknown) {
    // A form's `__proto__` has no effect at all: the parser of Express drops it.
    const names = [
      'unknown',
      'constructor',
      'id',
      'lent',
      'created_by',
      ...(body === 'json' ? ['__proto__'] : []),
    ];
    for (const name of names) {
      sent.push([
        `and ${name}`,
        body === 'json'
          ? {
              raw: JSON.stringify({ ...good, replaced: 1 }).replace('replaced', name),
              headers: { 'content-type': 'application/json' },
            }
          : { form: [...(Object.entries(good) as [string, string][]), [name, '1']] },
      ]);
    }
  }
  return sent;
}

const INTERNAL =
  /\bat \S+ \(|\.ts:\d|node_modules|SQLSTATE|syntax error|relation "|violates|\bselect \b.*\bfrom\b|undefined|\[object /i;

/** What is wrong with the answer to bad input; undefined if it is as it should be. */
export function complaint({ status, text, headers, body }: Response): string | undefined {
  if (status < 400 || status > 499) return `status ${status}, ${headers['location'] ?? text.slice(0, 200)}`;
  const leak = INTERNAL.exec(text);
  if (leak) return `the answer shows "${leak[0]}"`;
  if (String(headers['content-type']).startsWith('text/html')) {
    const message = /class="error"[^>]*>([^<]+)<|<h1>4\d\d: [^<]+<\/h1>\s*<p>([^<]+)<\/p>/.exec(text);
    return message && /\w+ \w+/.test(message[1] ?? message[2] ?? '')
      ? undefined
      : `no message in ${text.slice(0, 600)}`;
  }
  if (!String(headers['content-type']).startsWith('application/problem+json'))
    return `type ${headers['content-type']}`;
  const {
    detail,
    code,
    errors = [],
  } = body as { detail?: string; code?: string; errors?: { message?: string; detail?: string }[] };
  if (!/\w+ \w+/.test(detail ?? '') || !/^E_[A-Z_]+$/.test(code ?? '')) return `no message in ${text}`;
  return errors.every(({ message, detail: more }) => /\w/.test(message ?? more ?? '')) ||
    code === 'E_PASSWORD_WRONG'
    ? undefined
    : `no message for a field in ${text}`;
}
