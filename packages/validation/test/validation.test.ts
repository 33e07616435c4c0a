import { describe, expect, test } from '@jest/globals';
import { context, createEvents, stageOf, type ErrorFactory, type SecurityEvent } from '@portcullis/core';
import { onBothExpress, type ExpressLike } from '@portcullis/test-support';
import type { Express, NextFunction, Request, RequestHandler, Response } from 'express';
import { connect } from 'node:net';
import type { AddressInfo } from 'node:net';
import request from 'supertest';
import {
  createValidator,
  validate,
  validationErrors,
  validOf,
  type Schemas,
  type ValidateOptions,
} from '../src/index.js';

test('every error code of the package has a factory that carries its code', () => {
  for (const [code, make] of Object.entries<ErrorFactory>(validationErrors)) expect(make().code).toBe(code);
});

const Book = {
  type: 'object',
  properties: {
    title: { type: 'string', minLength: 1, maxLength: 200 },
    isbn: { type: 'string', format: 'isbn13' },
    price: { type: 'number', exclusiveMinimum: 0, multipleOf: 0.01 },
    tags: { type: 'array', items: { type: 'string', maxLength: 20 }, maxItems: 5 },
    available: { type: 'boolean' },
  },
  required: ['title', 'isbn', 'price'],
} as const;
const dune = { title: 'Dune', isbn: '9780441172719', price: 9.99 };

const Search = {
  type: 'object',
  properties: {
    q: { type: 'string', minLength: 1, maxLength: 100, pattern: "^[\\p{L}\\p{N} .,:'-]+$" },
    page: { type: 'integer', minimum: 1, maximum: 1000, default: 1 },
    inStock: { type: 'boolean' },
    maxPrice: { type: 'number', exclusiveMinimum: 0 },
    tag: { type: 'array', items: { type: 'string', format: 'slug' }, maxItems: 3 },
    sort: { enum: ['title', 'year'] },
  },
  required: ['q'],
} as const;

onBothExpress((express, major) => {
  function problems(app: Express): Express {
    app.use((error: unknown, _req: Request, res: Response, _next: NextFunction) => {
      const { code, status = 500, problem, headers = {}, message } = error as Record<string, never>;
      res
        .status(status)
        .set(headers)
        .json({ code, errors: (problem as { errors?: unknown } | undefined)?.errors, message });
    });
    return app;
  }
  /** Answers what has been validated; the handler marks its answer, so that a refusal cannot be mistaken. */
  function appOf(
    schemas: Schemas,
    options: ValidateOptions = {},
    parse: (express: ExpressLike) => RequestHandler[] = () => [express.json({ limit: '100kb' })],
  ): Express {
    const app = express();
    for (const parser of parse(express)) app.use(parser);
    app.all(['/', '/books/:id'], validate(schemas, options), (req: Request, res: Response) => {
      res.json({ reached: req.security.valid });
    });
    return problems(app);
  }
  const post = (body: unknown, schema: Schemas['body'] = Book) =>
    request(appOf({ body: schema! }))
      .post('/')
      .set('Content-Type', 'application/json')
      .send(typeof body === 'string' ? body : JSON.stringify(body));
  const search = (query: string, schema: Schemas['query'] = Search) =>
    request(appOf({ query: schema! })).get(`/${query}`);

  describe('bodies', () => {
    test('what has the form of the schema passes, as a copy; req.body stays as it was', async () => {
      expect((await post(dune)).body).toEqual({ reached: { body: dune } });
      const app = express();
      let same = true;
      app.post('/', express.json(), validate({ body: Book }), (req, res) => {
        const { body } = validOf({ body: Book }, req);
        same = (req.body as unknown) === body;
        res.json([body.title, Object.getPrototypeOf(body)]);
      });
      const { body } = await request(app).post('/').send(dune);
      expect([body, same]).toEqual([['Dune', null], false]);
    });

    test('every problem is listed with a JSON Pointer (RFC 6901) and without a value of the input', async () => {
      const { status, body } = await post({
        title: '',
        isbn: 'SECRET-ISBN',
        tags: ['ok', 7],
        'a/b~c': 'SECRET',
      });
      expect([status, body.code]).toEqual([400, 'E_VALIDATION']);
      expect(body.errors).toEqual(
        expect.arrayContaining([
          { in: 'body', pointer: '/price', keyword: 'required', message: 'is required' },
          {
            in: 'body',
            pointer: '/a~1b~0c',
            keyword: 'additionalProperties',
            message: 'is not accepted here',
          },
          { in: 'body', pointer: '/title', keyword: 'minLength', message: expect.any(String) },
          { in: 'body', pointer: '/isbn', keyword: 'format', message: 'must be a valid isbn13' },
          { in: 'body', pointer: '/tags/1', keyword: 'type', message: 'must be string' },
        ]),
      );
      expect(JSON.stringify(body)).not.toContain('SECRET');
    });

    test('the list of problems is bounded, also for an input made to have 20,000', async () => {
      const extra = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`x${i}`, 1]));
      expect((await post({ ...dune, ...extra })).body.errors).toHaveLength(20);
      const huge = Object.fromEntries(Array.from({ length: 9000 }, (_, i) => [`x${i}`, 1]));
      expect((await post({ ...dune, ...huge })).body.errors).toHaveLength(1);
      expect((await post({ ...dune, ['k'.repeat(5000)]: 1 })).body.errors[0].pointer).toHaveLength(200);
    });

    test.each([
      ['__proto__', '{"title":"Dune","isbn":"9780441172719","price":9.99,"__proto__":{"isAdmin":true}}'],
      [
        'constructor.prototype',
        '{"title":"Dune","isbn":"9780441172719","price":9.99,"constructor":{"prototype":{"isAdmin":true}}}',
      ],
      [
        'a nested __proto__',
        '{"title":"Dune","isbn":"9780441172719","price":9.99,"tags":[{"__proto__":{"isAdmin":true}}]}',
      ],
    ])('prototype pollution by %s is refused, even where the schema is open', async (_what, text) => {
      for (const schema of [Book, { type: 'object', additionalProperties: true }]) {
        const { status, body } = await post(text, schema);
        expect(status).toBe(400);
        expect(body.errors[0]).toMatchObject({ in: 'body', keyword: 'prototypeKey' });
      }
      expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined();
    });

    test("required: ['toString'] is not satisfied by {} (ajv default)", async () => {
      const schema = { type: 'object', properties: { toString: { type: 'string' } }, required: ['toString'] };
      expect((await post({}, schema)).body.errors).toMatchObject([
        { pointer: '/toString', keyword: 'required' },
      ]);
      expect((await post({ toString: 'x' }, schema)).status).toBe(200);
    });

    test('a polluted Object.prototype neither satisfies a schema nor shines through what is valid', async () => {
      const validator = createValidator(Book);
      const polluted = Object.prototype as { price?: number; isAdmin?: boolean };
      try {
        polluted.price = 1;
        polluted.isAdmin = true;
        expect(validator.check({ title: 'Dune', isbn: dune.isbn })).toMatchObject({ valid: false });
        const book = validator.parse(dune) as { isAdmin?: boolean };
        expect(book.isAdmin).toBeUndefined();
      } finally {
        delete polluted.price;
        delete polluted.isAdmin;
      }
    });

    test.each([
      ['a text for a number', { ...dune, price: '9.99' }],
      ['a number for a text', { ...dune, title: 7 }],
      ['an operator object for a text (NoSQL injection)', { ...dune, title: { $ne: null } }],
      ['a list for a text', { ...dune, title: ['Dune'] }],
      ['null for a number (ajv coercion)', { ...dune, price: null }],
      ['true for a number (ajv coercion)', { ...dune, price: true }],
      ['"true" for true', { ...dune, available: 'true' }],
      ['a price of 0', { ...dune, price: 0 }],
      ['a price below 0', { ...dune, price: -1 }],
      ['a price of 1e400', `{"title":"Dune","isbn":"9780441172719","price":1e400}`],
      ['a list instead of the object', [dune]],
      ['an ISBN with a wrong check digit', { ...dune, isbn: '9780441172718' }],
      ['a line break in a title (CRLF)', { ...dune, title: 'Dune\r\nX-Evil: 1' }],
      ['NUL in a title', { ...dune, title: 'Dune\0' }],
      ['a bidirectional override in a title (CVE-2021-42574)', { ...dune, title: 'Dune \u202Egnp.exe' }],
      ['a lone surrogate in a title', '{"title":"\\ud800","isbn":"9780441172719","price":9.99}'],
    ])('type confusion and hostile text: %s is refused', async (_what, body) => {
      const answer = await post(body);
      expect([answer.status, answer.body.code]).toEqual([400, 'E_VALIDATION']);
    });

    test('nesting beyond 32 is refused before any schema walks it', async () => {
      const deep = `{"title":"Dune","isbn":"9780441172719","price":1,"tags":${'['.repeat(5000)}${']'.repeat(5000)}}`;
      const { status, body } = await post(deep, { type: 'object', additionalProperties: true });
      expect([status, body.errors[0].keyword]).toEqual([400, 'depth']);
    });

    test('a body of 10 MB is refused by the parser before it is validated: 413', async () => {
      expect((await post({ ...dune, title: 'x'.repeat(10_000_000) })).status).toBe(413);
    });

    test('no body where one is asked for is a problem, not an empty object', async () => {
      const optional = { type: 'object', properties: { a: { type: 'string' } } };
      const { status, body } = await request(appOf({ body: optional })).post('/');
      expect(status).toBe(400);
      expect(body.errors).toEqual([{ in: 'body', pointer: '', keyword: 'required', message: 'is required' }]);
      expect((await post({}, optional)).body).toEqual({ reached: { body: {} } });
    });

    test.each([
      'text/plain',
      'application/x-www-form-urlencoded',
      'multipart/form-data; boundary=x',
      'application/xml',
      'application/json, text/plain',
      'a/json, b',
      'application/json x',
      'application /json',
      'json',
      '',
      'application/vnd.api+json',
      'text/json',
    ])(
      'a body as %p is 415, never unvalidated (Fastify CVE-2025-32442, CVE-2026-25223, CVE-2026-33806)',
      async (type) => {
        const optional = { type: 'object', properties: { title: { type: 'string' } } };
        const answer = await rawPost(appOf({ body: optional }), type, '{"title":7}');
        expect(answer).toMatch(/^HTTP\/1\.1 415 /);
        expect(answer).toMatch(/\r\nAccept: application\/json\r\n/i);
      },
    );

    test.each([
      'application/json\t;x',
      'application/json ;charset=utf-8',
      'Application/JSON',
      'application/json;charset=utf-8',
      ' application/json',
      'application/json;',
      'application/json; charset="utf-8"',
      'application/json\t',
    ])('a body as %p is validated or 415, never unvalidated (Fastify CVE-2025-32442)', async (type) => {
      const optional = { type: 'object', properties: { title: { type: 'string' } } };
      const bad = await rawPost(appOf({ body: optional }), type, '{"title":7}');
      expect(bad).toMatch(/^HTTP\/1\.1 (?:400|415) /);
      const good = await rawPost(appOf({ body: optional }), type, '{"title":"x"}');
      expect(good).toMatch(/^HTTP\/1\.1 (?:415 |200 [^]*"title":"x")/);
    });

    test('with no parser mounted a body is 415, not skipped', async () => {
      const app = appOf({ body: Book }, {}, () => []);
      expect((await request(app).post('/').send(dune)).status).toBe(415);
    });

    test('forms are accepted where the route says so, and their texts are read by type', async () => {
      const app = appOf({ body: Book }, { bodyTypes: ['application/x-www-form-urlencoded'] }, () => [
        express.urlencoded({ extended: false }),
        express.json(),
      ]);
      const form = (text: string) => request(app).post('/').type('form').send(text);
      expect((await form('title=Dune&isbn=9780441172719&price=9.99&tags=sf&available=true')).body).toEqual({
        reached: { body: { ...dune, tags: ['sf'], available: true } },
      });
      expect((await form('title=Dune&isbn=9780441172719&price=0x10')).status).toBe(400);
      expect((await form('title=Dune&title=Other&isbn=9780441172719&price=1')).status).toBe(400);
      expect((await request(app).post('/').send(dune)).status).toBe(415);
    });
  });

  describe('query, path, headers, cookies', () => {
    test('texts are read by the declared type; defaults are filled in', async () => {
      const { body } = await search('?q=dune&inStock=false&maxPrice=12.50&tag=sf&sort=year');
      expect(body.reached.query).toEqual({
        q: 'dune',
        page: 1,
        inStock: false,
        maxPrice: 12.5,
        tag: ['sf'],
        sort: 'year',
      });
      expect((await search('?q=a%20b+c&tag=a&tag=b')).body.reached.query).toMatchObject({
        q: 'a b c',
        tag: ['a', 'b'],
      });
    });

    test.each([
      '0x10',
      '',
      'null',
      '1e3',
      '+1',
      ' 1',
      '1 ',
      '01',
      '1.0',
      '-0',
      '9007199254740993',
      '\u0661',
      'Infinity',
      'true',
    ])('page=%p is no integer, whatever Number() makes of it', async (text) => {
      const { status, body } = await search(`?q=a&page=${encodeURIComponent(text)}`);
      expect(status).toBe(400);
      expect(body.errors).toMatchObject([{ in: 'query', pointer: '/page' }]);
    });

    test.each(['1', '0', 'yes', 'TRUE', '', 'null'])('inStock=%p is no boolean', async (text) => {
      expect((await search(`?q=a&inStock=${text}`)).status).toBe(400);
    });

    test("the search box answers 400 to '; DROP TABLE users; -- and friends, and finds O'Brien", async () => {
      for (const attack of [
        "'; DROP TABLE users; --",
        '" OR ""="',
        '<script>alert(1)</script>',
        '${7*7}',
        '%',
        "' UNION SELECT 1 /*",
        '../../etc/passwd',
      ]) {
        expect((await search(`?q=${encodeURIComponent(attack)}`)).status).toBe(400);
      }
      expect((await search(`?q=${encodeURIComponent("O'Brien: Süß, 1984")}`)).status).toBe(200);
    });

    test.each([
      ['a parameter twice (HPP)', '?q=a&q=b'],
      ['a parameter with brackets', '?q[]=a'],
      ['an operator (NoSQL injection)', '?q[$ne]=a'],
      ['a prototype key', '?q=a&__proto__=x'],
      ['a nested prototype key (CVE-2022-24999)', '?q=a&__proto__[isAdmin]=1'],
      ['a parameter that is not listed', '?q=a&debug=1'],
      ['broken percent-encoding', '?q=%E0%A4%A'],
      ['overlong UTF-8', '?q=%C0%AE'],
      ['NUL', '?q=a%00'],
      ['101 parameters', `?q=a${'&tag=x'.repeat(100)}`],
      ['100 kB of a[]= (CVE-2024-45590, CVE-2025-15284)', `?q=a${'&a[]='.repeat(2500)}`],
    ])('%s is refused', async (_what, query) => {
      const { status, body } = await search(query);
      expect([status, body.code]).toEqual([400, 'E_VALIDATION']);
    });

    test(`req.query is left alone (it is read-only in Express 5); both majors read the same, whatever their parser is set to`, async () => {
      const app = express();
      app.set('query parser', 'extended');
      let before: unknown;
      app.get(
        '/',
        (req, _res, next) => {
          before = JSON.stringify(req.query);
          next();
        },
        validate({ query: Search }),
        (req, res) => {
          res.json([before === JSON.stringify(req.query), validOf({ query: Search }, req).query.page]);
        },
      );
      expect((await request(app).get('/?q=a&page=7')).body).toEqual([true, 7]);
    });

    test('path parameters are read by type', async () => {
      const params = {
        type: 'object',
        properties: { id: { type: 'integer', minimum: 1 } },
        required: ['id'],
      };
      const app = appOf({ params });
      expect((await request(app).get('/books/42')).body).toEqual({ reached: { params: { id: 42 } } });
      for (const bad of ['0', '-1', '1e3', '0x1', '1%00', '1;2']) {
        expect((await request(app).get(`/books/${bad}`)).status).toBe(400);
      }
    });

    test('only listed headers and cookies are read; a listed cookie that comes twice is refused (cookie tossing)', async () => {
      const headers = {
        type: 'object',
        properties: { 'x-tenant': { type: 'string', format: 'slug' } },
        required: ['x-tenant'],
      };
      const cookies = { type: 'object', properties: { theme: { enum: ['dark', 'light'] } } };
      const app = appOf({ headers, cookies });
      const get = (tenant: string, cookie: string) =>
        request(app).get('/').set('X-Tenant', tenant).set('Cookie', cookie);
      expect((await get('acme', 'a=b; theme=dark')).body.reached).toEqual({
        headers: { 'x-tenant': 'acme' },
        cookies: { theme: 'dark' },
      });
      expect((await get('Acme Inc', 'theme=dark')).status).toBe(400);
      expect((await get('acme', 'theme=dark; theme=light')).status).toBe(400);
      expect((await get('acme', 'theme=%E0%A4%A')).status).toBe(400);
    });
  });

  test('problems of several parts come in one answer, and in one event without values', async () => {
    const events = createEvents();
    const seen: SecurityEvent[] = [];
    events.on('*', (event) => void seen.push(event));
    const app = appOf({ query: Search, body: Book }, { events });
    const { body } = await request(app).post('/?page=x').send({ title: 'Dune', isbn: 'SECRET', price: 1 });
    expect(body.errors.map((error: { in: string }) => error.in)).toEqual(['query', 'query', 'body']);
    expect(seen).toMatchObject([
      { type: 'validation.failed', in: ['query', 'body'], keywords: ['required', 'type', 'format'] },
    ]);
    expect(JSON.stringify(seen)).not.toContain('SECRET');
  });

  test('validOf refuses to hand out what was not validated by these schemas', async () => {
    const schemas = { body: Book };
    const other = { body: { ...Book } };
    const app = express();
    app.use(express.json(), context({ trustProxy: false }));
    app.post('/never', (req, res) => res.json(validOf(schemas, req)));
    app.post('/other', validate(other), (req, res) => res.json(validOf(schemas, req)));
    app.post('/both', validate(schemas), validate({ query: Search }), (req, res) =>
      res.json([validOf(schemas, req).body.title, validOf({ query: Search }, req).query.q]),
    );
    problems(app);
    for (const path of ['/never', '/other']) {
      const { status, body } = await request(app).post(path).send(dune);
      expect([status, body.code]).toEqual([500, 'E_NOT_VALIDATED']);
    }
    expect((await request(app).post('/both?q=x').send(dune)).body).toEqual(['Dune', 'x']);
  });

  test(`the stage tag names the parts (Express ${major})`, () => {
    expect(stageOf(validate({ body: Book, query: Search }))).toMatchObject({
      kind: 'validate',
      name: 'validate',
      detail: 'query body',
    });
  });
});

/** Sends a header value exactly as written; HTTP clients would tidy it up. */
async function rawPost(app: Express, contentType: string, body: string): Promise<string> {
  const server = app.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  try {
    return await new Promise((resolve, reject) => {
      const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
      let answer = '';
      socket.on('data', (chunk) => (answer += chunk.toString()));
      socket.once('error', reject);
      socket.once('close', () => resolve(answer));
      socket.write(
        `POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type:${contentType}\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      );
    });
  } finally {
    server.close();
  }
}
