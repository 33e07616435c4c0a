import { describe, expect, test } from '@jest/globals';
import { createEvents, type SecurityEvent } from '@portcullis/core';
import { onBothExpress } from '@portcullis/test-support';
import type { Express, NextFunction, Request, RequestHandler, Response } from 'express';
import { Readable } from 'node:stream';
import request from 'supertest';
import { z } from 'zod';
import { validate, type ResponseSchemas, type StandardSchema, type ValidateOptions } from '../src/index.js';

const Book = {
  type: 'object',
  properties: {
    title: { type: 'string' },
    added: { type: 'string', format: 'date-time' },
    author: { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] },
  },
  required: ['title'],
} as const;
const dune = { title: 'Dune', author: { name: 'Frank Herbert' } };

onBothExpress((express) => {
  /** A service with one route, whose error handler says what it was given. */
  function appOf(
    response: ResponseSchemas,
    handler: RequestHandler,
    options: ValidateOptions = {},
  ): { app: Express; seen: SecurityEvent[] } {
    const events = createEvents();
    const seen: SecurityEvent[] = [];
    events.on('*', (event) => void seen.push(event));
    const app = express();
    app.get('/', validate({ response }, { events, ...options }), handler);
    app.use((error: unknown, _req: Request, res: Response, _next: NextFunction) => {
      const { code, status = 500 } = error as { code?: string; status?: number };
      res.status(status).json({ code });
    });
    return { app, seen };
  }
  const answering = (body: unknown, options?: ValidateOptions, response: ResponseSchemas = { 200: Book }) =>
    appOf(response, (_req, res) => void res.json(body), options);

  describe('an answer that has the listed form', () => {
    test('leaves as it is, byte by byte', async () => {
      const body = { ...dune, added: new Date(0) };
      const { app, seen } = answering(body);
      const answer = await request(app).get('/');
      expect([answer.status, answer.text]).toEqual([200, JSON.stringify(body)]);
      expect(answer.headers).toMatchObject({
        'content-type': 'application/json; charset=utf-8',
        'content-length': String(JSON.stringify(body).length),
        etag: expect.any(String),
      });
      expect((await request(app).get('/').set('If-None-Match', answer.headers['etag']!)).status).toBe(304);
      expect((await request(app).head('/')).status).toBe(200);
      expect(seen).toEqual([]);
    });

    test('is judged by its status, its class, or as any other success', async () => {
      const Count = { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] };
      const of = (status: number) =>
        request(
          appOf(
            { 201: Book, '2xx': Count, '4xx': Count },
            (_req, res) => void res.status(status).json({ n: 1 }),
          ).app,
        ).get('/');
      expect((await of(200)).status).toBe(200);
      expect((await of(201)).status).toBe(500);
      expect((await of(404)).status).toBe(404);
      expect((await of(500)).body).toEqual({ n: 1 }); // No schema speaks of it.
      const other = appOf({ 200: Book, default: Count }, (_req, res) => void res.status(202).json({ n: 1 }));
      expect((await request(other.app).get('/')).status).toBe(202);
    });

    test('may be written in pieces, by a stream, as text or bytes', async () => {
      const text = JSON.stringify(dune);
      const ways: RequestHandler[] = [
        (_req, res) => void res.type('json').send(text),
        (_req, res) => void res.type('json').send(Buffer.from(text)),
        (_req, res) => void res.type('application/hal+json').end(text),
        (_req, res) => void Readable.from([text.slice(0, 9), text.slice(9)]).pipe(res.type('json')),
        (_req, res) => {
          res.writeHead(200, { 'Content-Type': 'application/json' });
          res.write(text.slice(0, 5), 'utf8', () => res.end(Buffer.from(text.slice(5)), () => undefined));
        },
      ];
      const answers = await Promise.all(
        ways.slice(0, 4).map((way) => request(appOf({ 200: Book }, way).app).get('/')),
      );
      expect(answers.map(({ status, text: got }) => [status, got])).toEqual(answers.map(() => [200, text]));
    });
  });

  describe('an answer that does not fit', () => {
    test.each<[string, unknown, string]>([
      ['a field that is not listed', { ...dune, passwordHash: 'SECRET' }, '/passwordHash'],
      ['one deep inside', { ...dune, author: { name: 'F', email: 'SECRET' } }, '/author/email'],
      ['a field of another type', { title: 7 }, '/title'],
      ['a missing field', {}, '/title'],
      ['a list of what should be one', [dune], ''],
      ['nothing', null, ''],
    ])('%s: 500, and an event without values; nothing of it leaves', async (_what, body, at) => {
      const { app, seen } = answering(body);
      const answer = await request(app).get('/');
      expect([answer.status, answer.body]).toEqual([500, { code: 'E_RESPONSE' }]);
      expect(answer.text + JSON.stringify(answer.headers)).not.toContain('SECRET');
      expect(seen).toEqual([
        expect.objectContaining({ type: 'validation.response-refused', status: 200, at: [at] }),
      ]);
      expect(JSON.stringify(seen)).not.toContain('SECRET');
    });

    test('what cannot be judged does not leave either', async () => {
      const ways: RequestHandler[] = [
        (_req, res) => void res.send('<p>SECRET</p>'),
        (_req, res) => void res.end('{"title":"SECRET"}'),
        (_req, res) => void res.type('json').send('{"title":"SECRET"'),
        (_req, res) => void res.status(202).json({ title: 'SECRET' }),
        (_req, res) => void Readable.from(['SECRET', 'more']).pipe(res),
        (_req, res) => void res.type('json').set('Content-Encoding', 'br').end('SECRET'),
        (_req, res) => void res.jsonp(['SECRET']),
      ];
      for (const way of ways) {
        const { app, seen } = appOf({ 200: Book }, way);
        const answer = await request(app).get('/');
        expect([answer.status, answer.text]).toEqual([500, '{"code":"E_RESPONSE"}']);
        expect(seen).toHaveLength(1);
      }
    });

    test('a handler that answers from a callback does not end the process', async () => {
      const { app } = appOf({ 200: Book }, (_req, res) => void setImmediate(() => res.json({ title: 7 })));
      expect((await request(app).get('/')).body).toEqual({ code: 'E_RESPONSE' });
    });

    test('an answer of more than 16 MiB is not held', async () => {
      const chunk = Buffer.alloc(1024 * 1024, 'x');
      const { app, seen } = appOf({ 200: Book }, (_req, res) => {
        res.type('json');
        for (let i = 0; i < 17; i++) res.write(chunk);
        res.end();
      });
      expect((await request(app).get('/')).status).toBe(500);
      expect(seen).toMatchObject([{ keywords: ['size'] }]);
    });

    test('errors and redirections pass: they are for others to judge', async () => {
      const { app } = appOf({ 200: Book }, (_req, res) => res.redirect(303, '/other'));
      expect((await request(app).get('/')).status).toBe(303);
      const failing = appOf({ 200: Book }, () => {
        throw new Error('x');
      });
      expect((await request(failing.app).get('/')).status).toBe(500);
      expect(failing.seen).toEqual([]);
    });
  });

  describe("responses: 'filter'", () => {
    const options = { responses: 'filter' } as const;

    test('ASVS V15.3.1: only listed fields leave, at every depth; an event says how many did not', async () => {
      const body = {
        ...dune,
        passwordHash: 'SECRET',
        author: { name: 'F', email: 'SECRET', tags: ['SECRET'] },
      };
      const { app, seen } = answering(body, options);
      const answer = await request(app).get('/');
      expect([answer.status, answer.body]).toEqual([200, { title: 'Dune', author: { name: 'F' } }]);
      expect(answer.headers['content-length']).toBe(String(answer.text.length));
      expect(answer.headers['etag']).toBeUndefined();
      expect(seen).toMatchObject([{ type: 'validation.response-filtered', status: 200, removed: 3 }]);
    });

    test('what is wrong otherwise is refused as ever', async () => {
      const { app, seen } = answering({ title: 7, x: 1 }, options);
      expect((await request(app).get('/')).status).toBe(500);
      expect(seen).toMatchObject([{ type: 'validation.response-refused', keywords: ['type'] }]);
    });

    test('lists, references, choices and open objects are understood', async () => {
      const schema = {
        type: 'object',
        properties: {
          books: { type: 'array', items: { $ref: '#/$defs/book' } },
          pair: { type: 'array', items: [Book, { type: 'integer' }], minItems: 2, additionalItems: false },
          open: { type: 'object', additionalProperties: Book },
          either: {
            anyOf: [Book, { type: 'object', properties: { n: { type: 'integer' } }, required: ['n'] }],
          },
          both: { allOf: [Book, { type: 'object', properties: { n: { type: 'integer' } } }] },
        },
        $defs: { book: Book },
      };
      const leaky = { title: 'a', x: 1 };
      const { app } = answering(
        {
          books: [leaky, leaky],
          pair: [leaky, 2],
          open: { k: leaky },
          either: { n: 1, x: 1 },
          both: { ...leaky, n: 1 },
        },
        options,
        { 200: schema },
      );
      expect((await request(app).get('/')).body).toEqual({
        books: [{ title: 'a' }, { title: 'a' }],
        pair: [{ title: 'a' }, 2],
        open: { k: { title: 'a' } },
        either: { n: 1 },
        both: { title: 'a', n: 1 },
      });
    });
  });

  test('schemas of another library: what it returns is what leaves', async () => {
    const response = { 200: z.object({ title: z.string() }) };
    const { app } = answering({ title: 'Dune', passwordHash: 'SECRET' }, {}, response);
    expect((await request(app).get('/')).text).toBe('{"title":"Dune"}');
    expect((await request(answering({ title: 7 }, {}, response).app).get('/')).status).toBe(500);
    const slow = { 200: z.object({ title: z.string() }).refine(async () => Promise.resolve(true)) };
    expect((await request(answering({ title: 'a' }, {}, slow).app).get('/')).text).toBe('{"title":"a"}');
    const validates = [() => Promise.reject(new Error('x')), () => { throw new Error('x'); }]; // prettier-ignore
    for (const validate of validates) {
      const failing: StandardSchema = { '~standard': { version: 1, vendor: 'test', validate } };
      expect((await request(answering({}, {}, { 200: failing }).app).get('/')).body).toEqual({
        code: 'E_RESPONSE',
      });
    }
  });
});

test.each([
  ['no map', { response: Book }, 'response.type'],
  ['an unknown status', { response: { 99: Book } }, 'response.99'],
  ['no status', { response: {} }, 'response'],
  ['a schema that does not start', { response: { 200: { type: 'objekt' } } }, 'response.200.type'],
])('%s does not start', (_what, schemas, option) => {
  expect(() => validate(schemas as never)).toThrow(expect.objectContaining({ name: 'OptionError', option }));
});
