import assert from 'node:assert/strict';
import { describe, expect, test } from '@jest/globals';
import { OptionError } from '@portcullis/core';
import { onBothExpress } from '@portcullis/test-support';
import type { Express, NextFunction, Request, RequestHandler, Response } from 'express';
import fc from 'fast-check';
import { request as httpRequest } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import request from 'supertest';
import { strictCookies, strictForm, strictJson, strictQuery, validate, validOf } from '../src/index.js';

onBothExpress((express) => {
  function appOf(...middleware: unknown[]): Express {
    const app = express();
    for (const one of middleware) app.use(one as RequestHandler);
    app.use((req: Request, res: Response) => {
      res.json({ query: req.query, body: req.body as unknown, cookies: req.security?.cookies });
    });
    app.use((error: unknown, _req: Request, res: Response, _next: NextFunction) => {
      const { code, status = 500, problem } = error as Record<string, never>;
      res.status(status).json({ code, problem });
    });
    return app;
  }
  /** The keyword that a request was refused for, or what the handler saw. */
  const seen = (status: number, body: Record<string, never>, part: string): unknown => {
    if (status === 200) return body[part];
    expect([status, body['code']]).toEqual([400, 'E_TEXT_FIELDS']);
    return (body['problem'] as unknown as { errors: { keyword: string }[] }).errors[0]!.keyword;
  };
  /** Without a client that tidies the address up. */
  async function query(text: string, options = {}): Promise<unknown> {
    const server = appOf(strictQuery(options)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    try {
      const { port } = server.address() as AddressInfo;
      const sent = httpRequest({ port, host: '127.0.0.1', path: `/?${text}`, agent: false });
      sent.end();
      const [answer] = (await once(sent, 'response')) as [NodeJS.ReadableStream & { statusCode: number }];
      let body = '';
      for await (const chunk of answer) body += String(chunk);
      return seen(answer.statusCode, JSON.parse(body) as Record<string, never>, 'query');
    } finally {
      server.closeAllConnections();
      server.close();
    }
  }
  async function form(text: string | Buffer, options = {}): Promise<unknown> {
    const { status, body } = await request(appOf(strictForm(options)))
      .post('/')
      .set('Content-Type', 'application/x-www-form-urlencoded')
      .serialize((given: unknown) => given as string)
      .send(text as string);
    return seen(status, body as Record<string, never>, 'body');
  }
  async function cookies(header: string, options = {}): Promise<unknown> {
    const reader = strictCookies({ names: ['theme', '__Host-session'], ...options });
    const { status, body } = await request(appOf(reader)).get('/').set('Cookie', header);
    return seen(status, body as Record<string, never>, 'cookies');
  }

  describe.each([
    ['query strings', query],
    ['forms', form],
  ] as const)('%s', (_part, read) => {
    const rows: readonly (readonly [string, unknown])[] = [
      ['q=dune&page=2', { q: 'dune', page: '2' }],
      ['q=a+b%20c', { q: 'a b c' }],
      ['q=%E2%82%AC', { q: '\u20ac' }],
      ['q', { q: '' }],
      ['q=', { q: '' }],
      ['=x', { '': 'x' }],
      ['q=a=b', { q: 'a=b' }],
      ['&&q=1&', { q: '1' }],
      ['q=1;r=2', { q: '1;r=2' }],
      ['a.b=1', { 'a.b': '1' }],
      ['q=%2525', { q: '%25' }],
      ['q=%252e%252e%252f', { q: '%2e%2e%2f' }],
    ];
    test.each(rows)('%s is read as it is', async (text, fields) => expect(await read(text)).toEqual(fields));

    const refused: readonly (readonly [string, string, string])[] = [
      ['parameter pollution', 'role=user&role=admin', 'duplicate'],
      ['a name twice, once encoded', 'role=user&%72ole=admin', 'duplicate'],
      ['__proto__', '__proto__=x', 'prototypeKey'],
      ['__proto__ encoded', '%5f_proto__=x', 'prototypeKey'],
      ['constructor', 'constructor=x', 'prototypeKey'],
      [
        'a nested prototype (qs CVE-2022-24999)',
        'a[__proto__]=b&a[__proto__]&a[length]=100000000',
        'brackets',
      ],
      ['an array by brackets', 'a[]=1', 'brackets'],
      ['an index (qs CVE-2026-2391)', 'a[0]=1', 'brackets'],
      ['brackets encoded', 'a%5B0%5D=1', 'brackets'],
      ['an operator of a query language', 'password[$ne]=x', 'brackets'],
      ['an overlong slash', 'q=%c0%af', 'encoding'],
      ['Latin-1', 'q=%E9', 'encoding'],
      ['half a character', 'q=%ED%A0%80', 'encoding'],
      ['a lone percent', 'q=100%', 'encoding'],
      ['IIS escapes', 'q=%u0041', 'encoding'],
      ['bad escapes in a name', '%zz=1', 'encoding'],
      ['NUL', 'q=a%00b', 'nul'],
      ['NUL in a name', 'a%00=1', 'nul'],
      ['101 fields', Array.from({ length: 101 }, (_, i) => `a${i}=`).join('&'), 'count'],
      ['a name of 101 characters', `${'n'.repeat(101)}=1`, 'nameLength'],
    ];
    test.each(refused)('%s is refused', async (_what, text, keyword) =>
      expect(await read(text)).toBe(keyword),
    );

    test('a listed name is a list, of one too; its order is kept', async () => {
      const options = { lists: ['tag'] };
      expect(await read('tag=b&q=1&tag=a', options)).toEqual({ tag: ['b', 'a'], q: '1' });
      expect(await read('tag=a', options)).toEqual({ tag: ['a'] });
    });

    test('brackets are part of a name where that is asked for, and never make structure', async () => {
      expect(await read('a[b]=1&a[]=2', { brackets: 'literal' })).toEqual({ 'a[b]': '1', 'a[]': '2' });
    });

    test('limits are exact', async () => {
      expect(await read('a=1&b=2', { maxFields: 2 })).toEqual({ a: '1', b: '2' });
      expect(await read('a=1&b=2', { maxFields: 1 })).toBe('count');
      expect(await read('ab=1', { maxName: 1 })).toBe('nameLength');
      expect(await read('a=12', { maxValue: 2 })).toEqual({ a: '12' });
      expect(await read('a=123', { maxValue: 2 })).toBe('maxLength');
      expect(await read('a=%E2%82%AC', { maxValue: 1 })).toEqual({ a: '\u20ac' });
    });
  });

  describe('query strings', () => {
    test('the handler reads the same frozen fields without a prototype, whatever the application is set to', async () => {
      for (const setting of ['extended', 'simple', false, () => ({ admin: true })]) {
        const app = express();
        app.set('query parser', setting);
        app.use(strictQuery());
        app.get('/', (req: Request, res: Response) => {
          res.json([
            req.query,
            Object.getPrototypeOf(req.query),
            Object.isFrozen(req.query),
            req.query['toString'] ?? null,
          ]);
        });
        expect((await request(app).get('/?q=1')).body).toEqual([{ q: '1' }, null, true, null]);
      }
    });

    test('it goes on where the application is mounted below another', async () => {
      const outer = express();
      outer.use('/sub', appOf(strictQuery()));
      expect((await request(outer).get('/sub/x?q=1')).body.query).toEqual({ q: '1' });
      expect((await request(outer).get('/sub?q=1&q=2')).status).toBe(400);
    });

    test('a query string of more than 4096 characters is refused before it is taken apart', async () => {
      expect(await query(`q=${'x'.repeat(4094)}`)).toEqual({ q: 'x'.repeat(4094) });
      expect(await query(`q=${'x'.repeat(4095)}`)).toBe('maxLength');
    });

    test('the answer names the field and not its value', async () => {
      const { body } = await request(appOf(strictQuery())).get('/?token=hunter2&token=hunter3');
      expect(body.problem.errors).toEqual([
        { in: 'query', pointer: '/token', keyword: 'duplicate', message: 'must not occur more than once' },
      ]);
      expect(JSON.stringify(body)).not.toContain('hunter');
    });

    test('ASVS V1.1.1: %2525 is decoded once; schema, validOf() and req.query hold the same text', async () => {
      const schemas = {
        query: { type: 'object', properties: { q: { const: '%25' } } },
        params: { type: 'object', properties: { p: { const: '%25' } } },
      } as const;
      const app = express();
      app.get('/:p', strictQuery(), validate(schemas), (req: Request, res: Response) => {
        const { query: checked, params } = validOf(schemas, req);
        res.json([checked.q, params.p, req.query['q'], req.params['p']]);
      });
      expect((await request(app).get('/%2525?q=%2525')).body).toEqual(['%25', '%25', '%25', '%25']);
    });

    test('ASVS V15.3.7: a scalar that comes twice is refused, and a body overrides neither query nor path', async () => {
      const scalar = { type: 'object', properties: { role: { type: 'string' } } } as const;
      const app = express();
      const schemas = { query: scalar, params: scalar, body: scalar };
      app.post('/:role', strictQuery(), strictJson(), validate(schemas), (req: Request, res: Response) => {
        const valid = validOf(schemas, req);
        res.json([
          valid.query.role,
          valid.params.role,
          valid.body.role,
          req.query['role'],
          req.params['role'],
        ]);
      });
      app.use(
        (error: { status: number }, _req: Request, res: Response, _next: NextFunction) =>
          void res.sendStatus(error.status),
      );
      const answer = await request(app).post('/path?role=query').send({ role: 'body' });
      expect(answer.body).toEqual(['query', 'path', 'body', 'query', 'path']);
      expect((await request(app).post('/path?role=query&role=admin').send({})).status).toBe(400);
      const laxer = express();
      laxer.get('/', validate({ query: scalar }), (_req: Request, res: Response) => void res.json('reached'));
      laxer.use(
        (error: { status: number }, _req: Request, res: Response, _next: NextFunction) =>
          void res.sendStatus(error.status),
      );
      expect((await request(laxer).get('/?role=a&role=b')).status).toBe(400);
    });
  });

  describe('forms', () => {
    test('100 kB of a[]= and of a[b][c]... end at once (body-parser CVE-2024-45590, CVE-2025-13466; qs CVE-2025-15284)', async () => {
      const limit = { limit: '200kb' };
      for (const text of [
        'a[]=&'.repeat(20_000),
        `a${'[b]'.repeat(33_000)}=1`,
        'a&'.repeat(50_000),
        '%'.repeat(100_000),
      ]) {
        const start = process.cpuUsage();
        expect(typeof (await form(text, limit))).toBe('string');
        const { user, system } = process.cpuUsage(start);
        expect((user + system) / 1000).toBeLessThan(1000);
      }
      expect(await form('a='.padEnd(100, 'x'), { limit: 100 })).toEqual({ a: 'x'.repeat(98) });
    });

    test('a form beyond the limit is 413, another type 415, bytes that are no UTF-8 are 400', async () => {
      const app = appOf(strictForm({ limit: 10 }));
      const type = 'application/x-www-form-urlencoded';
      expect((await request(app).post('/').set('Content-Type', type).send('a=123456789')).status).toBe(413);
      expect((await request(app).post('/').send({ a: 1 })).status).toBe(415);
      expect(
        (await request(app).post('/').set('Content-Type', `${type}; charset=latin1`).send('a=1')).status,
      ).toBe(415);
      expect(await form(Buffer.from([0x61, 0x3d, 0xe9]))).toBe('encoding');
    });

    test('JSON and forms stand behind one another; only the last one refuses what is neither', async () => {
      const app = appOf(strictJson({ otherTypes: 'pass' }), strictForm());
      expect((await request(app).post('/').send({ a: 1 })).body.body).toEqual({ a: 1 });
      expect((await request(app).post('/').type('form').send('a=1')).body.body).toEqual({ a: '1' });
      expect((await request(app).post('/').type('text/plain').send('a=1')).status).toBe(415);
    });

    test('validate() reads its values by declared type', async () => {
      const body = { type: 'object', properties: { n: { type: 'integer' } } } as const;
      const app = express();
      const bodyTypes = ['application/x-www-form-urlencoded'];
      app.post('/', strictForm(), validate({ body }, { bodyTypes }), (req: Request, res: Response) => {
        res.json(validOf({ body }, req).body);
      });
      expect((await request(app).post('/').type('form').send('n=42')).body).toEqual({ n: 42 });
    });
  });

  describe('cookies', () => {
    const rows: readonly (readonly [string, unknown])[] = [
      ['theme=dark', { theme: 'dark' }],
      ['theme=dark; __Host-session=a.b', { theme: 'dark', '__Host-session': 'a.b' }],
      ['theme="dark"', { theme: 'dark' }],
      ['theme=%E2%82%AC', { theme: '\u20ac' }],
      ['theme=%2525', { theme: '%25' }],
      ['theme=a=b', { theme: 'a=b' }],
      ['theme=', { theme: '' }],
      ['Theme=x; themes=y; __host-session=z', {}],
      ['', {}],
    ];
    test.each(rows)('%s', async (header, fields) => expect(await cookies(header)).toEqual(fields));

    const refused: readonly (readonly [string, string, string])[] = [
      ['a named cookie twice (cookie tossing)', '__Host-session=mine; __Host-session=theirs', 'duplicate'],
      ['a space inside', 'theme=a b', 'encoding'],
      ['a comma', 'theme=a,b', 'encoding'],
      ['a backslash', 'theme=a\\b', 'encoding'],
      ['half a quote', 'theme="a', 'encoding'],
      ['bad escapes', 'theme=%zz', 'encoding'],
      ['an overlong form', 'theme=%c0%af', 'encoding'],
      ['NUL', 'theme=%00', 'nul'],
      ['8,193 characters', `x=${'y'.repeat(8191)}`, 'maxLength'],
      ['101 cookies', Array.from({ length: 101 }, (_, i) => `c${i}=1`).join('; '), 'count'],
    ];
    test.each(refused)('%s is refused', async (_what, header, keyword) =>
      expect(await cookies(header)).toBe(keyword),
    );

    test('cookies of others lock nobody out: doubled, damaged or named after a prototype, they are left alone', async () => {
      const header = 'ga=1; ga=2; bad=a b"; __proto__=x; constructor=y; nonsense; theme=dark; =z';
      expect(await cookies(header)).toEqual({ theme: 'dark' });
    });

    test('what is read is frozen and has no prototype', async () => {
      const app = express();
      app.get('/', strictCookies({ names: ['theme'] }) as RequestHandler, (req: Request, res: Response) => {
        const given = req.security.cookies!;
        res.json([Object.getPrototypeOf(given), Object.isFrozen(given)]);
      });
      expect((await request(app).get('/').set('Cookie', 'theme=x')).body).toEqual([null, true]);
    });
  });
});

test('what is read from any text is what was written, by any encoder of a form', async () => {
  const { fieldsReader } = await import('../src/fields/parse-fields.js');
  const read = fieldsReader('query', {
    lists: [],
    brackets: 'literal',
    maxFields: 100,
    maxName: 1000,
    maxValue: 1000,
  });
  fc.assert(
    fc.property(
      fc.dictionary(fc.string({ unit: 'binary', minLength: 1 }), fc.string({ unit: 'binary' })),
      (given) => {
        const clean = Object.entries(given).filter(
          ([name, value]) =>
            !`${name}${value}`.includes('\0') && !['__proto__', 'constructor', 'prototype'].includes(name),
        );
        assert.deepEqual(
          Object.entries(read(new URLSearchParams(clean).toString())),
          clean.sort(integersFirst),
        );
      },
    ),
    { numRuns: 2000 },
  );
  // Objects list names that are integers first.
  function integersFirst([a]: [string, string], [b]: [string, string]): number {
    const index = (name: string): number =>
      /^(0|[1-9]\d{0,8})$/.test(name) ? Number(name) : Number.POSITIVE_INFINITY;
    const [x, y] = [index(a), index(b)];
    return x === y ? 0 : x - y;
  }
});

test('a wrong option does not start', () => {
  const wrong: readonly (() => unknown)[] = [
    () => strictQuery({ lists: ['__proto__'] }),
    () => strictQuery({ lists: 'tag' as never }),
    () => strictQuery({ brackets: 'nested' as never }),
    () => strictQuery({ maxFields: 0 }),
    () => strictQuery({ maxLenght: 10 } as never),
    () => strictForm({ limit: '20' as never }),
    () => strictForm({ types: ['text/plain'] } as never),
    () => strictCookies({} as never),
    () => strictCookies({ names: [] }),
    () => strictCookies({ names: ['a;b'] }),
    () => strictCookies({ names: ['__proto__'] }),
  ];
  for (const make of wrong) expect(make).toThrow(OptionError);
});
