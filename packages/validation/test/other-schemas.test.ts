import { describe, expect, test } from '@jest/globals';
import { onBothExpress } from '@portcullis/test-support';
import { Type as Type0 } from '@sinclair/typebox';
import type { NextFunction, Request, RequestHandler, Response } from 'express';
import request from 'supertest';
import { Type } from 'typebox';
import * as v from 'valibot';
import { z } from 'zod';
import { createValidator, validate, validOf, type FromSchema, type Schemas } from '../src/index.js';

type Same<A, B> = [A, B] extends [B, A] ? (0 extends 1 & A ? false : true) : false;
/** Compiles only if the types are the same, and neither is any. */
const same = <A, B>(_yes: Same<A, B>): void => undefined;

interface Book {
  title: string;
  year?: number;
  tags: ('sf' | 'classic')[];
}
const dune: Book = { title: 'Dune', tags: ['sf'] };

const byTypeBox = Type.Object({
  title: Type.String({ minLength: 1 }),
  year: Type.Optional(Type.Integer()),
  tags: Type.Array(Type.Union([Type.Literal('sf'), Type.Literal('classic')])),
});
const byTypeBox0 = Type0.Object({
  title: Type0.String({ minLength: 1 }),
  year: Type0.Optional(Type0.Integer()),
  tags: Type0.Array(Type0.Union([Type0.Literal('sf'), Type0.Literal('classic')])),
});
const byZod = z.strictObject({
  title: z.string().min(1),
  year: z.int().optional(),
  tags: z.array(z.enum(['sf', 'classic'])),
});
const byValibot = v.strictObject({
  title: v.pipe(v.string(), v.minLength(1)),
  year: v.optional(v.number()),
  tags: v.array(v.picklist(['sf', 'classic'])),
});
const all = { 'TypeBox 1': byTypeBox, 'TypeBox 0.34': byTypeBox0, zod: byZod, valibot: byValibot };

test('types follow from the schemas of TypeBox, zod and valibot (checked by tsc)', () => {
  same<Book, FromSchema<typeof byTypeBox>>(true);
  same<Book, FromSchema<typeof byTypeBox0>>(true);
  same<{ title: string; year?: number | undefined; tags: ('sf' | 'classic')[] }, FromSchema<typeof byZod>>(
    true,
  );
  same<
    { title: string; year?: number | undefined; tags: ('sf' | 'classic')[] },
    FromSchema<typeof byValibot>
  >(true);
  const parsed = createValidator(byTypeBox).parse(dune);
  same<Book, typeof parsed>(true);
  const together = {
    body: byZod,
    query: { type: 'object', properties: { page: { type: 'integer' } } },
  } as const;
  const read = (req: Request) => validOf(together, req);
  same<{ page?: number }, ReturnType<typeof read>['query']>(true);
  same<string, ReturnType<typeof read>['body']['title']>(true);
  expect(() => {
    // @ts-expect-error there is no such property
    void read({} as Request).body.price;
  }).toThrow();
});

describe('TypeBox outside of requests', () => {
  test('its schemas are JSON Schemas: closed and bounded like any other', () => {
    for (const schema of [byTypeBox, byTypeBox0]) {
      const validator = createValidator(schema);
      expect(validator.parse(dune)).toEqual(dune);
      expect(validator.check({ ...dune, isAdmin: true }).valid).toBe(false);
      expect(validator.check({ ...dune, title: 'x'.repeat(10_001) }).valid).toBe(false);
    }
  });

  test('a record of any names is an open object', () => {
    for (const schema of [
      Type.Record(Type.String(), Type.Integer()),
      Type0.Record(Type0.String(), Type0.Integer()),
    ]) {
      expect(createValidator(schema).check({ a: 1, b: 2 }).valid).toBe(true);
      expect(createValidator(schema).check({ a: 'x' }).valid).toBe(false);
    }
  });

  test('schemas of other libraries are not for createValidator()', () => {
    expect(() => createValidator(byZod as never)).toThrow(expect.objectContaining({ name: 'OptionError' }));
  });
});

onBothExpress((express) => {
  function appOf(schemas: Schemas, parsers: RequestHandler[] = [express.json()]) {
    const app = express();
    app.all('/', ...parsers, validate(schemas), (req: Request, res: Response) => {
      res.json({ reached: req.security.valid });
    });
    app.use((error: unknown, _req: Request, res: Response, _next: NextFunction) => {
      const { code, status = 500, problem } = error as Record<string, never>;
      res.status(status).json({ code, errors: (problem as { errors?: unknown } | undefined)?.errors });
    });
    return app;
  }
  const post = (body: object | string, schemas: Schemas) =>
    request(appOf(schemas)).post('/').set('Content-Type', 'application/json').send(body);

  test.each(Object.entries(all))('%s: what fits is handed on', async (_name, schema) => {
    expect((await post(dune, { body: schema })).body).toEqual({ reached: { body: dune } });
  });

  test.each(Object.entries(all))(
    '%s: problems come with pointers and without values',
    async (_name, schema) => {
      const { status, body } = await post({ title: { SECRET: 1 }, tags: ['sf', 'SECRET'] }, { body: schema });
      expect([status, body.code]).toEqual([400, 'E_VALIDATION']);
      expect(body.errors.map((error: { pointer: string }) => error.pointer)).toEqual(
        expect.arrayContaining(['/title', '/tags/1']),
      );
      expect(JSON.stringify(body)).not.toContain('SECRET');
    },
  );

  test.each(Object.entries(all))(
    '%s: prototype names and depth are refused before it sees them',
    async (_name, schema) => {
      const polluted = '{"title":"a","tags":[],"__proto__":{"isAdmin":true}}';
      expect((await post(polluted, { body: schema })).body.errors).toMatchObject([
        { keyword: 'prototypeKey' },
      ]);
      const deep = `{"title":"a","tags":${'['.repeat(99)}${']'.repeat(99)}}`;
      expect((await post(deep, { body: schema })).body.errors).toMatchObject([{ keyword: 'depth' }]);
    },
  );

  test('a schema that waits for something is waited for', async () => {
    const body = z.object({ name: z.string().refine(async (name) => Promise.resolve(name !== 'taken')) });
    expect((await post({ name: 'free' }, { body })).body).toEqual({ reached: { body: { name: 'free' } } });
    expect((await post({ name: 'taken' }, { body })).status).toBe(400);
  });

  test('a schema that throws refuses; one that answers with no issues and no value does not pass it off as valid', async () => {
    const of = (validate: () => never) =>
      ({ '~standard': { version: 1, vendor: 'test', validate } }) as const;
    const thrown = of(() => {
      throw new Error('x');
    });
    expect((await post({}, { body: thrown })).status).toBe(500);
    expect((await post({}, { body: of(() => ({ issues: [] }) as never) })).status).toBe(400);
  });

  test('query, headers and cookies go to it as texts, with what else is there', async () => {
    const schemas = {
      query: z.object({ page: z.coerce.number().int() }),
      headers: z.object({ 'x-tenant': z.string() }),
      cookies: z.object({ theme: z.string() }),
    };
    const get = (path: string) =>
      request(appOf(schemas)).get(path).set('X-Tenant', 'acme').set('Cookie', 'a=b; theme=dark');
    expect((await get('/?page=2&x=1')).body).toEqual({
      reached: { query: { page: 2 }, headers: { 'x-tenant': 'acme' }, cookies: { theme: 'dark' } },
    });
    expect((await get('/?page=2&page=3')).status).toBe(400);
  });
});
