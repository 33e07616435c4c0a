import { describe, expect, test } from '@jest/globals';
import { OptionError, type RouteEntry } from '@portcullis/core';
import { csrf } from '@portcullis/csrf';
import { rateLimit } from '@portcullis/rate-limit';
import { createRbac, definePermissions, memoryRoles } from '@portcullis/rbac';
import { onBothExpress } from '@portcullis/test-support';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Type } from '@sinclair/typebox';
import type { Express, RequestHandler } from 'express';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { strictJson, validate } from '../src/index.js';
import { openApi, type OpenApiDocument, type OpenApiOptions } from '../src/openapi.js';
import { createUploads, diskSink } from '../src/uploads.js';

const permissions = definePermissions({ book: ['create', 'read'] });
const rbac = createRbac({ permissions, store: memoryRoles() });
const uploads = createUploads({ sink: diskSink({ directory: join(tmpdir(), 'portcullis-openapi') }) });
const info = { title: 'Library', version: '1.0.0' };
const bearer = { type: 'http', scheme: 'bearer' };
const done: RequestHandler = (_req, res) => void res.json({});

const Author = {
  title: 'author',
  type: 'object',
  properties: { name: { type: 'string', maxLength: 100 } },
  required: ['name'],
} as const;
const Book = {
  type: 'object',
  properties: { title: { type: 'string' }, isbn: { type: 'string', format: 'isbn13' }, author: Author },
  required: ['title'],
} as const;
const id = { params: { type: 'object', properties: { id: { type: 'string', format: 'uuid' } } } } as const;
const newBook = { body: Book, response: { 201: Book } } as const;
const search = {
  query: {
    type: 'object',
    properties: {
      q: { type: 'string', format: 'search' },
      page: { type: 'integer', minimum: 1, default: 1 },
    },
    required: ['q'],
  },
  headers: {
    type: 'object',
    properties: { 'x-shelf': { type: 'string' }, authorization: { type: 'string' } },
  },
  cookies: { type: 'object', properties: { theme: { enum: ['dark', 'light'] } } },
} as const;

/** What is there of an operation, for reading in tests. */
interface Operation {
  readonly operationId: string;
  readonly summary?: string;
  readonly parameters?: readonly { name: string; in: string; required?: boolean; schema: object }[];
  readonly requestBody?: { content: Record<string, { schema: Record<string, unknown>; encoding?: object }> };
  readonly responses: Record<
    string,
    { $ref?: string; description?: string; content?: Record<string, object> }
  >;
  readonly security?: readonly object[];
  readonly 'x-authorize'?: string;
}

function operation({ paths }: OpenApiDocument, endpoint: string): Operation {
  const [method = '', path = ''] = endpoint.split(' ');
  return paths[path]?.[method.toLowerCase()] as Operation;
}

const endpointsOf = ({ paths }: OpenApiDocument): string[] =>
  Object.entries(paths).flatMap(([path, item]) => Object.keys(item).map((m) => `${m.toUpperCase()} ${path}`));

const validator = new Validator();

/** By the JSON Schema of the OpenAPI Initiative; references that lead nowhere are refused as well. */
const judge = async (document: OpenApiDocument): Promise<{ valid: boolean; errors?: unknown }> =>
  validator.validate(structuredClone(document) as never);

onBothExpress((express, major) => {
  const documentOf = (app: unknown, options: Partial<OpenApiOptions> = {}): OpenApiDocument =>
    openApi(app, { info, ...options });

  /** A service that has one of everything. */
  function library(): Express {
    const app = express();
    app.use(csrf(), rateLimit({ name: 'all', limit: 100, window: '1m' }), strictJson({ otherTypes: 'pass' }));
    const books = express.Router();
    books.get('/', rbac.public('open to everybody'), validate(search), done);
    books.post('/', rbac.requirePermission('book:create'), validate(newBook), done);
    books.get(
      '/:id',
      rbac.requirePermission('book:read'),
      validate({ ...id, response: { 200: Book } }),
      done,
    );
    books.put('/:id', rbac.requirePermission('book:create'), validate(id), validate(newBook), done);
    const cover = { kinds: ['png', 'jpeg'], maxBytes: 1000 };
    const pages = { kinds: ['png'], maxCount: 3, required: false };
    const receive = uploads.receive({ files: { cover, pages }, fields: { note: { maxBytes: 50 } } });
    books.post('/:id/cover', rbac.requirePermission('book:create'), validate(id), receive, done);
    app.use('/books', books);
    return app;
  }
  const options = {
    securitySchemes: { bearer },
    operations: {
      'POST /books': { summary: 'Add a book', responses: { 201: 'The new book', 409: 'Known already' } },
      'GET /books/:id': {
        operationId: 'oneBook',
        tags: ['books'],
        responses: { 404: 'There is no such book' },
      },
    },
  };

  describe('the document', () => {
    test('is OpenAPI 3.1, to the letter, and its references lead somewhere', async () => {
      const document = documentOf(library(), options);
      expect(await judge(document)).toEqual({ valid: true });
      // The judge would see it.
      const broken = structuredClone(document) as unknown as {
        paths: Record<string, Record<string, object>>;
      };
      broken.paths['/books']!['get'] = { parameters: [{ name: 'q', in: 'nowhere' }] };
      expect((await judge(broken as unknown as OpenApiDocument)).valid).toBe(false);
      const dangling = JSON.stringify(document).replaceAll(
        '#/components/schemas/',
        '#/components/schemas/No',
      );
      expect((await judge(JSON.parse(dangling) as OpenApiDocument)).errors).toMatch(/resolve/);
    });

    test('has every route once, under its path', () => {
      expect(endpointsOf(documentOf(library()))).toEqual([
        'GET /books',
        'POST /books',
        'GET /books/{id}',
        'PUT /books/{id}',
        'POST /books/{id}/cover',
      ]);
    });

    test('has an id for each operation, which no other has', async () => {
      const app = express();
      for (const path of ['/a-b', '/a/b', '/a/:b', '/']) app.get(path, done);
      const document = documentOf(app, { operations: { 'GET /a/b': { operationId: 'getAB' } } });
      const ids = endpointsOf(document).map((endpoint) => [
        endpoint,
        operation(document, endpoint).operationId,
      ]);
      expect(Object.fromEntries(ids)).toEqual({
        'GET /': 'getRoot',
        'GET /a-b': 'getAB2',
        'GET /a/b': 'getAB',
        'GET /a/{b}': 'getAByB',
      });
    });

    test('is the same, byte by byte, for the same application, whatever the order of its routes', () => {
      const one = JSON.stringify(documentOf(library(), options));
      expect(JSON.stringify(documentOf(library(), options))).toBe(one);
      const routes = ['/b', '/a', '/a/:id', '/c'];
      const [there, back] = [routes, routes.toReversed()].map((paths) => {
        const app = express();
        for (const path of paths) app.get(path, validate({ response: { 200: Book } }), done);
        return JSON.stringify(documentOf(app));
      });
      expect(there).toBe(back);
    });

    test('is plain JSON of its own: nobody can change a schema of the service by it', () => {
      const document = documentOf(library(), options);
      expect(JSON.parse(JSON.stringify(document))).toEqual(document);
      const before = JSON.stringify(documentOf(library(), options));
      for (const schema of Object.values(document.components.schemas)) Object.assign(schema, { changed: 1 });
      expect(JSON.stringify(documentOf(library(), options))).toBe(before);
    });
  });

  describe('parameters', () => {
    test('come from query, headers, cookies and path, with what is required and the defaults written out', () => {
      const { parameters = [] } = operation(documentOf(library()), 'GET /books');
      expect(parameters.map(({ name, in: place, required }) => [place, name, required ?? false])).toEqual([
        ['query', 'q', true],
        ['query', 'page', false],
        ['header', 'x-shelf', false], // Authorization is said by the security schemes.
        ['cookie', 'theme', false],
      ]);
      expect(parameters[1]!.schema).toEqual({ type: 'integer', minimum: 1, default: 1 });
      expect(parameters[2]!.schema).toMatchObject({ type: 'string', maxLength: 10_000 });
      expect(operation(documentOf(library()), 'PUT /books/{id}').parameters).toEqual([
        { name: 'id', in: 'path', required: true, schema: expect.objectContaining({ format: 'uuid' }) },
      ]);
    });

    test('of paths are there without a schema too, and two spellings of one path are one', async () => {
      const app = express();
      app.get('/a/:id', done);
      app.put('/a/:isbn', validate({ params: { type: 'object', properties: { isbn: { type: 'string', format: 'isbn13' } } } }), done); // prettier-ignore
      const document = documentOf(app);
      expect(endpointsOf(document)).toEqual(['GET /a/{id}', 'PUT /a/{id}']);
      expect(operation(document, 'GET /a/{id}').parameters).toMatchObject([{ schema: { type: 'string' } }]);
      expect(operation(document, 'PUT /a/{id}').parameters).toMatchObject([
        { name: 'id', schema: { format: 'isbn13' } },
      ]);
      expect(await judge(document)).toEqual({ valid: true });
    });

    test('that may be missing from a path make two paths', () => {
      const app = express();
      app.get(major === 4 ? '/shelves/:name?' : '/shelves{/:name}', done);
      expect(endpointsOf(documentOf(app))).toEqual(['GET /shelves', 'GET /shelves/{name}']);
    });
  });

  describe('bodies and answers', () => {
    test('are the schemas as they are meant: closed and bounded', () => {
      const document = documentOf(library(), options);
      const { requestBody, responses } = operation(document, 'POST /books');
      const { $ref } = requestBody!.content['application/json']!.schema as { $ref?: string };
      const name = $ref!.replace('#/components/schemas/', '');
      expect(document.components.schemas[name]).toMatchObject({
        required: ['title'],
        additionalProperties: false,
        properties: { title: { type: 'string', maxLength: 10_000 } },
      });
      expect(responses['201']).toEqual({
        description: 'The new book',
        content: {
          'application/json': { schema: { $ref: expect.stringMatching(/^#\/components\/schemas\//) } },
        },
      });
    });

    test('that occur more than once, or have a title, are components once; others stand in their place', () => {
      const app = express();
      const lonely = { type: 'object', properties: { n: { type: 'integer' } } } as const;
      app.get('/a', validate({ response: { 200: Book } }), done);
      app.get('/b', validate({ response: { 200: Book } }), done);
      app.get('/c', validate({ response: { 200: lonely } }), done);
      const { components, ...rest } = documentOf(app);
      expect(Object.keys(components.schemas)).toEqual(['Author', 'GetA200']);
      expect(JSON.stringify(rest).match(/#\/components\/schemas\/GetA200/g)).toHaveLength(2);
      expect(JSON.stringify(components.schemas['GetA200'])).toContain('#/components/schemas/Author');
      expect(JSON.stringify(rest)).toContain('"n":{"type":"integer"}');
    });

    test('with the same title and another content keep apart', async () => {
      const app = express();
      for (const [path, type] of [
        ['/a', 'string'],
        ['/b', 'integer'],
      ] as const) {
        const schema = { title: 'Thing', type: 'object', properties: { x: { type } } } as const;
        app.get(path, validate({ response: { 200: schema } }), done);
      }
      app.get('/c', validate({ response: { 200: { ...Author, title: 'Problem' } } }), done);
      app.get('/d', rbac.requirePermission('book:read'), done);
      const document = documentOf(app, { securitySchemes: { bearer } });
      expect(Object.keys(document.components.schemas)).toEqual(['Problem', 'Problem2', 'Thing', 'Thing2']);
      expect(await judge(document)).toEqual({ valid: true });
    });

    test('that refer to themselves are components, with their references turned to where they stand', async () => {
      const Tree = {
        $id: 'https://example.com/tree',
        title: 'Tree',
        type: 'object',
        properties: {
          name: { $ref: '#/definitions/Name' },
          children: { type: 'array', maxItems: 9, items: { $ref: '#' } },
        },
        definitions: { Name: { type: 'string', maxLength: 9 } },
      } as const;
      const app = express();
      app.post('/trees', strictJson(), validate({ body: Tree }), done);
      const document = documentOf(app);
      expect(document.components.schemas['Tree']).toMatchObject({
        properties: {
          name: { $ref: '#/components/schemas/Tree/definitions/Name' },
          children: { items: { $ref: '#/components/schemas/Tree' } },
        },
      });
      expect(await judge(document)).toEqual({ valid: true });
    });

    test('may be made with TypeBox or zod', async () => {
      const app = express();
      app.post('/a', strictJson(), validate({ body: Type.Object({ n: Type.Integer() }) }), done);
      app.post('/b', strictJson(), validate({ body: z.strictObject({ n: z.int() }) }), done);
      const document = documentOf(app);
      for (const path of ['/a', '/b']) {
        const { schema } = operation(document, `POST ${path}`).requestBody!.content['application/json']!;
        expect(schema).toMatchObject({ properties: { n: { type: 'integer' } }, required: ['n'] });
      }
      expect(await judge(document)).toEqual({ valid: true });
    });

    test('that are forms or uploads say so', () => {
      const app = library();
      const form = { body: { type: 'object', properties: { q: { type: 'string' } } } } as const;
      app.post('/form', validate(form, { bodyTypes: ['application/x-www-form-urlencoded'] }), done);
      const document = documentOf(app);
      expect(Object.keys(operation(document, 'POST /form').requestBody!.content)).toEqual([
        'application/x-www-form-urlencoded',
      ]);
      const { requestBody, responses } = operation(document, 'POST /books/{id}/cover');
      expect(requestBody!.content['multipart/form-data']).toMatchObject({
        schema: {
          properties: {
            cover: { type: 'string', contentMediaType: 'application/octet-stream' },
            pages: { type: 'array', maxItems: 3 },
            note: { type: 'string', maxLength: 50 },
          },
          required: ['cover'],
          additionalProperties: false,
        },
        encoding: { cover: { contentType: 'image/png, image/jpeg' }, pages: { contentType: 'image/png' } },
      });
      expect(Object.keys(responses)).toEqual(expect.arrayContaining(['408', '413', '415', '422']));
    });
  });

  describe('refusals', () => {
    const statuses = (endpoint: string, document = documentOf(library(), options)): string[] =>
      Object.keys(operation(document, endpoint).responses);

    test('are those of what stands before the handler, and those that are said', () => {
      expect(statuses('GET /books')).toEqual(['200', '400', '429', '503']);
      expect(statuses('POST /books')).toEqual([
        '201',
        '400',
        '401',
        '403',
        '409',
        '413',
        '415',
        '429',
        '503',
      ]);
      expect(statuses('GET /books/{id}')).toEqual(['200', '400', '401', '403', '404', '429', '503']);
      const bare = express();
      bare.get('/', done);
      expect(statuses('GET /', documentOf(bare))).toEqual(['200']);
      expect(documentOf(bare).components.schemas).toEqual({});
    });

    test('are problem documents, and shared', () => {
      const document = documentOf(library(), options);
      const { responses } = operation(document, 'GET /books');
      expect(responses['429']).toEqual({ $ref: '#/components/responses/TooManyRequests' });
      expect(document.components.responses['TooManyRequests']).toMatchObject({
        headers: { 'Retry-After': { schema: { type: 'integer' } } },
        content: { 'application/problem+json': { schema: { $ref: '#/components/schemas/Problem' } } },
      });
      expect(document.components.responses['BadRequest']).toMatchObject({
        content: {
          'application/problem+json': { schema: { $ref: '#/components/schemas/ValidationProblem' } },
        },
      });
      expect(operation(document, 'GET /books/{id}').responses['404']).toMatchObject({
        description: 'There is no such book',
        content: { 'application/problem+json': {} },
      });
    });

    test('of values that must be unique are 409', () => {
      const app = express();
      const unique = [{ pointer: '/title', taken: async () => false }];
      app.post('/', strictJson(), validate({ body: Book }, { unique }), done);
      expect(statuses('POST /', documentOf(app))).toEqual(['200', '400', '409', '413', '415', '503']);
    });
  });

  describe('security requirements', () => {
    test('are those of the guard, in its words; what is public says so', () => {
      const document = documentOf(library(), { securitySchemes: { bearer, session: { type: 'apiKey', in: 'cookie', name: '__Host-session' } } }); // prettier-ignore
      expect(operation(document, 'POST /books')).toMatchObject({
        security: [{ bearer: [] }, { session: [] }],
        'x-authorize': 'book:create',
      });
      expect(operation(document, 'GET /books').security).toEqual([]);
    });

    test('name every permission and role that the guards ask for, all of several guards and one of several names', () => {
      const app = express();
      app.get('/any', rbac.requireAnyPermission('book:create', 'book:read'), done);
      app.get('/all', rbac.requireAllPermissions('book:create', 'book:read'), done);
      app.get('/role', rbac.requireRole('staff', 'admin'), done);
      app.get('/both', rbac.requireRole('staff'), rbac.requirePermission('book:read'), done);
      app.get('/open', rbac.public('open to everybody'), done);
      const document = documentOf(app, { securitySchemes: { bearer } });
      const needs = (path: string) => {
        const { security, responses, ...rest } = operation(document, `GET ${path}`) as unknown as Record<
          string,
          object
        >;
        const names = Object.fromEntries(
          Object.entries(rest).filter(([key]) => /^x-(permissions|roles)$/.test(key)),
        );
        return {
          names,
          security,
          refusals: Object.keys(responses!).filter((status) => /^40[134]$/.test(status)),
        };
      };
      const security = [{ bearer: [] }];
      const refusals = ['401', '403'];
      expect(needs('/any')).toEqual({ names: { 'x-permissions': [{ anyOf: ['book:create', 'book:read'] }] }, security, refusals }); // prettier-ignore
      expect(needs('/all')).toEqual({
        names: { 'x-permissions': ['book:create', 'book:read'] },
        security,
        refusals,
      });
      expect(needs('/role')).toEqual({
        names: { 'x-roles': [{ anyOf: ['staff', 'admin'] }] },
        security,
        refusals,
      });
      expect(needs('/both')).toEqual({ names: { 'x-permissions': ['book:read'], 'x-roles': ['staff'] }, security, refusals }); // prettier-ignore
      expect(needs('/open')).toEqual({ names: {}, security: [], refusals: [] });
    });

    test('a guard that looks for an object answers 404 where there is none', () => {
      const app = express();
      app.get('/:id', rbac.requirePermission('book:read', { object: () => undefined }), done);
      expect(Object.keys(operation(documentOf(app), 'GET /{id}').responses)).toContain('404');
    });

    test('are not made up: a guarded route without schemes is not called public, an unguarded one not guarded', () => {
      expect(operation(documentOf(library()), 'POST /books')).not.toHaveProperty('security');
      const app = express();
      app.get('/', done);
      expect(operation(documentOf(app, { securitySchemes: { bearer } }), 'GET /')).not.toHaveProperty(
        'security',
      );
    });
  });

  describe('what a router does not show', () => {
    test('is reported, never described as if it were known', () => {
      const app = express();
      app.get(/^\/old/, done);
      app.use('/files', express.static(tmpdir()));
      app.get('/a', done);
      const seen: RouteEntry[] = [];
      const document = documentOf(app, { undescribed: (entry) => void seen.push(entry) });
      expect(endpointsOf(document)).toEqual(['GET /a']);
      expect(seen.map(({ kind }) => kind).toSorted((a, b) => a.localeCompare(b))).toEqual([
        'middleware',
        'route',
      ]);
      expect(endpointsOf(documentOf(() => undefined))).toEqual([]);
    });

    test('can be described by hand; what is a route already cannot', async () => {
      const answer = { responses: { 200: { description: 'Done' } } };
      const app = library();
      const document = documentOf(app, {
        paths: { '/auth/sign-in': { post: answer }, '/books': { patch: answer } },
      });
      expect(endpointsOf(document)).toEqual(expect.arrayContaining(['POST /auth/sign-in', 'PATCH /books']));
      expect(await judge(document)).toEqual({ valid: true });
      expect(() => documentOf(app, { paths: { '/books': { get: answer } } })).toThrow(/GET \/books/);
    });

    test('can be left out', () => {
      const document = documentOf(library(), { include: ({ method }) => method === 'GET' });
      expect(endpointsOf(document)).toEqual(['GET /books', 'GET /books/{id}']);
    });

    test('is nothing of a handler for all methods: it is described as the usual five', async () => {
      const app = express();
      app.all('/any', done);
      const document = documentOf(app);
      expect(endpointsOf(document)).toEqual(
        ['GET', 'PUT', 'POST', 'DELETE', 'PATCH'].map((m) => `${m} /any`),
      );
      expect(await judge(document)).toEqual({ valid: true });
    });
  });

  describe('a wrong option', () => {
    test.each<[string, object, RegExp]>([
      ['no info', { info: undefined }, /info\.title/],
      ['text about no route', { operations: { 'POST /boks': {} } }, /Did you mean "POST \/books"/],
      [
        'a status that is none',
        { operations: { 'GET /books': { responses: { 99: 'x' } } } },
        /responses\.99/,
      ],
      ['a misspelt word', { operations: { 'GET /books': { sumary: 'x' } } }, /summary/],
      ['no security scheme', { securitySchemes: { bearer: { type: 'token' } } }, /securitySchemes\.bearer/],
      ['paths that are none', { paths: 'x' }, /paths/],
      ['two operations with one id', { operations: { 'GET /books': { operationId: 'x' }, 'POST /books': { operationId: 'x' } } }, /operationId "x"/], // prettier-ignore
    ])('%s does not pass', (_name, wrong, message) => {
      let thrown: unknown;
      try {
        documentOf(library(), wrong);
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toBeInstanceOf(OptionError);
      expect((thrown as OptionError).message).toMatch(message);
    });
  });
});
