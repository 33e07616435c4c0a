import { describe, expect, test } from '@jest/globals';
import { createMemoryStore, walkRoutes } from '@portcullis/core';
import { onBothExpress } from '@portcullis/test-support';
import type { Express, NextFunction, Request, Response } from 'express';
import request from 'supertest';
import {
  createValidator,
  strictCookies,
  strictForm,
  strictJson,
  strictQuery,
  validate,
} from '../src/index.js';
import { formats } from '../src/formats/formats.js';
import { patternProblem } from '../src/pattern-safety.js';
import { svg } from './uploads/files.js';
import { anyOf, multipart, station } from './uploads/harness.js';

const Account = {
  type: 'object',
  properties: {
    name: { type: 'string', minLength: 1, maxLength: 40 },
    age: { type: 'integer', minimum: 0, maximum: 150 },
    newsletter: { type: 'boolean' },
    card: { type: 'string', minLength: 1, maxLength: 20 },
    billing: { type: 'string', minLength: 1, maxLength: 100 },
    delivery: { enum: ['post', 'shop'] },
    street: { type: 'string', minLength: 1, maxLength: 100 },
  },
  required: ['name'],
  dependentRequired: { card: ['billing'] },
  if: { properties: { delivery: { const: 'post' } }, required: ['delivery'] },
  // oxlint-disable-next-line unicorn/no-thenable -- the keyword is called so
  then: { required: ['street'] },
} as const;

const Text = { type: 'string', minLength: 1, maxLength: 20 } as const;
const Q = { type: 'object', properties: { q: Text }, required: ['q'] } as const;

onBothExpress((express) => {
  function served(app: Express): Express {
    app.use((error: unknown, _req: Request, res: Response, _next: NextFunction) => {
      const { code, status = 500, problem } = error as Record<string, never>;
      res.status(status).json({ code, errors: (problem as { errors?: unknown } | undefined)?.errors });
    });
    return app;
  }
  function accounts(): { app: Express; stored: unknown[] } {
    const app = express();
    const stored: unknown[] = [];
    app.use(strictJson());
    app.post('/accounts', validate({ body: Account }), (req: Request, res: Response) => {
      stored.push((req.security as unknown as { valid: { body: unknown } }).valid.body);
      res.status(201).json({ id: 1 });
    });
    return { app: served(app), stored };
  }
  const post = (app: Express, body: unknown, type = 'application/json') =>
    request(app)
      .post('/accounts')
      .set('Content-Type', type)
      .send(typeof body === 'string' ? body : JSON.stringify(body));

  test('ASVS V2.2.2: a request that no page of ours would send is judged like any other, and a route without a schema shows', async () => {
    const { app, stored } = accounts();
    // What the form of a client would have kept back.
    for (const [body, type] of [
      [{ name: '' }, 'application/json'],
      [{ name: 'x'.repeat(41) }, 'application/json'],
      [{ name: 'Ann', age: -1 }, 'application/json'],
      [{ name: 'Ann', delivery: 'drone' }, 'application/json'],
      ['name=Ann&age=-1', 'application/x-www-form-urlencoded'],
      ['{"name":"Ann","age":-1}', 'text/plain'],
      ['', 'application/json'],
    ] as const) {
      const { status } = await post(app, body, type);
      expect([body, status >= 400 && status < 500]).toEqual([body, true]);
    }
    expect(stored).toEqual([]);
    expect((await post(app, { name: 'Ann' })).status).toBe(201);

    app.get('/forgotten', (_req: Request, res: Response) => void res.send('unjudged'));
    const unjudged = walkRoutes(app)
      .filter(({ kind, chain }) => kind === 'route' && !chain.some(({ stage }) => stage?.kind === 'validate'))
      .map(({ path }) => path);
    expect(unjudged).toEqual(['/forgotten']);
  });

  test.each([
    ['a card without its address', { name: 'Ann', card: '4111' }, 400],
    ['a card with its address', { name: 'Ann', card: '4111', billing: 'Road 1' }, 201],
    ['by post without a street', { name: 'Ann', delivery: 'post' }, 400],
    ['by post with a street', { name: 'Ann', delivery: 'post', street: 'Road 1' }, 201],
    ['to the shop without a street', { name: 'Ann', delivery: 'shop' }, 201],
  ])('ASVS V2.2.3: fields that only make sense together: %s', async (_name, body, status) => {
    const { app, stored } = accounts();
    expect((await post(app, body)).status).toBe(status);
    expect(stored).toHaveLength(status === 201 ? 1 : 0);
  });

  test('ASVS V15.3.3: a body sets listed fields only, whatever else the record of the database has', async () => {
    const { app, stored } = accounts();
    for (const extra of [
      'isAdmin',
      'roles',
      'id',
      'passwordHash',
      'IsAdmin',
      '__proto__',
      'constructor',
      'name ',
    ]) {
      const answer = await post(app, `{"name":"Ann",${JSON.stringify(extra)}:true}`);
      expect([extra, answer.status]).toEqual([extra, 400]);
    }
    expect(stored).toEqual([]);
    await post(app, { name: 'Ann', age: 7 });
    expect(stored).toEqual([{ name: 'Ann', age: 7 }]);
  });

  describe('ASVS V15.3.5: a value of another type is refused and never made to fit', () => {
    test.each([
      ['array', '["Ann"]'],
      ['object', '{"length":1}'],
      ['number', '7'],
      ['boolean', 'true'],
      ['null', 'null'],
    ])('%s for a text in the body', async (_type, value) => {
      const { app, stored } = accounts();
      const answer = await post(app, `{"name":${value}}`);
      expect([answer.status, answer.body.errors]).toMatchObject([400, [{ pointer: '/name' }]]);
      expect(stored).toEqual([]);
    });
    test.each(['"7"', '7.5', '[7]', '{"valueOf":7}', 'true', 'null', '1e400', '"0x10"'])(
      '%s for an integer in the body',
      async (value) => {
        const { app, stored } = accounts();
        expect((await post(app, `{"name":"Ann","age":${value}}`)).status).toBe(400);
        expect(stored).toEqual([]);
      },
    );
    test('lists and objects for a text in query, path and headers', async () => {
      const app = express();
      const reached: unknown[] = [];
      const schemas = {
        query: Q,
        params: { type: 'object', properties: { id: { type: 'integer' } } },
      } as const;
      const Headers = { type: 'object', properties: { 'x-page': { type: 'integer' } } } as const;
      app.get('/:id', validate({ ...schemas, headers: Headers }), (req: Request, res: Response) => {
        reached.push(req.security);
        res.send('through');
      });
      served(app);
      const get = async (path: string, page = '1') =>
        (await request(app).get(path).set('X-Page', page)).status;
      for (const path of [
        '/1?q[]=a',
        '/1?q[a]=b',
        '/1?q=a&q=b',
        '/1?q[$ne]=',
        '/x?q=a',
        '/1e3?q=a',
        '/1,2?q=a',
      ]) {
        expect([path, await get(path)]).toEqual([path, 400]);
      }
      expect(await get('/1?q=a', '1, 2')).toBe(400);
      expect(reached).toEqual([]);
      expect(await get('/1?q=a')).toBe(200);
    });
  });

  test('ASVS V15.3.6: names of the prototype in query, form, cookies, JSON and path change no object but their own', async () => {
    const before = Object.getOwnPropertyNames(Object.prototype).toSorted();
    const open = express();
    open.use(strictQuery(), strictCookies({ names: ['theme'] }), strictForm());
    open.all(
      '/:id',
      (req: Request, res: Response) =>
        void res.json({ admin: (req.query as { admin?: unknown }).admin ?? null }),
    );
    served(open);
    for (const name of ['__proto__', 'constructor', 'prototype', '__defineGetter__', 'toString']) {
      for (const inner of [name, `${name}[admin]`, `${name}.admin`, `a[${name}][admin]`]) {
        const text = `${encodeURIComponent(inner)}=1`;
        const statuses = [
          await request(open).get(`/x?${text}`),
          await request(open).get(`/${name}`),
          await request(open)
            .get('/x')
            .set('Cookie', `${inner.replaceAll(/[[\]]/g, '_')}=1`),
          await request(open).post('/x').type('form').send(text),
        ].map(({ status, body }) => status < 500 && ((body as { admin?: unknown }).admin ?? null) === null);
        expect([inner, statuses]).toEqual([inner, [true, true, true, true]]);
      }
    }
    const { app: json } = accounts();
    for (const body of [
      '{"__proto__":{"admin":1}}',
      '{"constructor":{"prototype":{"admin":1}}}',
      '{"name":"A","__proto__":null}',
    ]) {
      expect((await post(json, body)).status).toBe(400);
    }
    expect(({} as { admin?: unknown }).admin).toBeUndefined();
    expect(Object.getOwnPropertyNames(Object.prototype).toSorted()).toEqual(before);
  });

  test.each([
    ['script', svg('<script>alert(1)</script>')],
    ['foreignObject', svg('<foreignObject><iframe/></foreignObject>')],
    ['onload', svg('', 'onload="alert(1)"')],
    ['use of another document', svg('<use href="https://evil.example/x.svg#a"/>')],
    ['javascript: link', svg('<a href="javascript:alert(1)"><path d=""/></a>')],
    ['animated link', svg('<animate attributeName="href" values="javascript:alert(1)"/>')],
    ['style sheet', svg('<style>@import "https://evil.example"</style>')],
  ])('ASVS V1.3.4: an SVG with %s is refused and not kept', async (_name, data) => {
    const one = await station(express, { files: { file: anyOf('svg') } });
    try {
      expect((await one.file({ name: 'a.svg', type: 'image/svg+xml', data })).status).toBe(422);
      expect(one.left()).toEqual([]);
      const honest = svg('<path d="M0 0"/>', 'viewBox="0 0 4 4"');
      expect((await one.file({ name: 'a.svg', type: 'image/svg+xml', data: honest })).status).toBe(200);
    } finally {
      await one.close();
    }
  });

  const text = (size: number) => ({ name: 'a.txt', type: 'text/plain', data: 'x'.repeat(size) });

  test('ASVS V5.2.1: what is larger, or more, than a route can take is refused before it is held', async () => {
    const file = { kinds: ['text'], maxBytes: 10_000, maxCount: 2 };
    const one = await station(express, { files: { file }, fields: { title: { maxBytes: 10 } } });
    try {
      expect((await one.send(multipart([text(10_000), text(1)]))).status).toBe(200);
      const kept = one.left();
      for (const parts of [
        [text(10_001)],
        [text(1), text(1), text(1)],
        [text(1), { field: 'title', data: 'x'.repeat(11) }],
        [text(1), { field: 'title', data: 'x' }, { field: 'title', data: 'y' }],
      ]) {
        expect([parts, (await one.send(multipart(parts))).status]).toEqual([parts, 413]);
      }
      // Who says that more will come than the route takes is answered without being read.
      const { status } = await one.send(multipart([text(1)]), { 'content-length': '99000000' });
      expect(status).toBe(413);
      expect(one.left()).toEqual(kept);
    } finally {
      await one.close();
    }
  });

  test('ASVS V5.2.4: one person fills their own quota, in files or in bytes, and nobody else is kept out', async () => {
    const quota = { store: createMemoryStore(), maxBytes: 3_000, maxFiles: 2 };
    const one = await station(express, { files: { file: anyOf('text') } }, { quota });
    const send = async (user: string, size: number) =>
      (await one.send(multipart([text(size)]), { 'x-user': user })).status;
    try {
      expect([await send('ann', 1), await send('ann', 1), await send('ann', 1)]).toEqual([200, 200, 403]);
      expect([await send('bob', 2_000), await send('bob', 1_001), await send('bob', 1_000)]).toEqual([
        200, 403, 200,
      ]);
      expect(await send('eve', 3_001)).toBe(403);
      expect(one.left()).toHaveLength(4);
    } finally {
      await one.close();
    }
  });
});

describe('ASVS V1.3.12: no text makes a pattern slow', () => {
  test('formats of the package answer 100 kB of anything hostile at once', () => {
    const hostile = ['a', '1', '-', '.', ' ', '@', '/', '%', '[', '\\', '\u00e9', '0.', 'a@', '--', '1-'].map(
      (part) => `${part.repeat(100_000 / part.length)}!`,
    );
    for (const [name, format] of Object.entries(formats)) {
      const began = performance.now();
      const test =
        typeof format === 'function' ? format : (format as { test(text: string): boolean }).test.bind(format);
      for (const text of hostile) test(text);
      // Quadratic time would need minutes; a busy machine does not.
      expect([name, performance.now() - began < 3_000]).toEqual([name, true]);
    }
  });

  test.each(['^(a+)+$', '(a|aa)+', '(.*a){20}', '^(\\d+|\\d+x)*$'])(
    'a schema with %s does not start',
    (pattern) => {
      expect(patternProblem(pattern, 100)).toEqual(expect.any(String));
      const build = () => createValidator({ type: 'string', pattern, maxLength: 100 } as never);
      expect(build).toThrow(expect.objectContaining({ code: expect.stringMatching(/^E_OPTION/) }));
    },
  );
});
