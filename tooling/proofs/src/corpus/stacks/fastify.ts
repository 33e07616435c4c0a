import cookie from '@fastify/cookie';
import cors from '@fastify/cors';
import csrfProtection from '@fastify/csrf-protection';
import formbody from '@fastify/formbody';
import helmet from '@fastify/helmet';
import rateLimit from '@fastify/rate-limit';
import fastifyStatic from '@fastify/static';
import Fastify, { type FastifyReply, type FastifyRequest, type preHandlerHookHandler } from 'fastify';
import type { AddressInfo } from 'node:net';
import { ETAG, FAULTS, mergeSettings, PAGE, USERS } from '../service.js';
import { fetchToken, once } from './readme.js';
import { ALLOWED_ORIGIN, PROXY, type Stack } from './stack.js';

const item = {
  type: 'object',
  required: ['name', 'price'],
  properties: {
    name: { type: 'string', minLength: 1, maxLength: 100 },
    price: { type: 'number', exclusiveMinimum: 0 },
    quantity: { type: 'integer', maximum: 1_000_000 },
    tags: { type: 'array', maxItems: 10, items: { type: 'string', maxLength: 30 } },
  },
  additionalProperties: false,
};
const search = {
  type: 'object',
  required: ['q'],
  properties: {
    q: { type: 'string', minLength: 1, maxLength: 100 },
    page: { type: 'integer', minimum: 1, maximum: 1000 },
  },
};
const itemId = {
  type: 'object',
  properties: { id: { type: 'integer', minimum: 1, maximum: 1_000_000 } },
};
const signIn = {
  type: 'object',
  required: ['email', 'password'],
  properties: { email: { type: 'string', format: 'email' }, password: { type: 'string', maxLength: 200 } },
};
const settings = { type: 'object', properties: { theme: { type: 'string', maxLength: 30 } } };
const target = {
  type: 'object',
  properties: { to: { type: 'string', maxLength: 2000 }, text: { type: 'string', maxLength: 200 } },
};

/** Fastify 5 with its plugins, each as its README shows it, and JSON Schema on every route. */
export const fastify: Stack = {
  name: 'Fastify 5 with plugins',
  parts:
    '@fastify/helmet, cors, rate-limit, cookie, csrf-protection, formbody, static; JSON Schema on every route',
  async start({ calls, folders }) {
    const app = Fastify({ trustProxy: PROXY });
    await app.register(helmet);
    await app.register(cors, { origin: [ALLOWED_ORIGIN, /\.partner\.example$/], credentials: true });
    await app.register(rateLimit, { max: 10_000, timeWindow: '1 minute' });
    await app.register(cookie);
    await app.register(csrfProtection);
    await app.register(formbody);
    await app.register(fastifyStatic, { root: folders.files, prefix: '/files/' });

    const reach = (req: FastifyRequest, name: string): void => calls.note(req.headers['x-check'], name);
    const onRequest = app.csrfProtection;
    const signedInOnly: preHandlerHookHandler = (req, reply, done) => {
      if (/(?:^|;\s*)session=ann(?:;|$)/.test(req.headers.cookie ?? '')) done();
      else void reply.code(401).send({ error: 'Please sign in.' });
    };
    const tight = (max: number) => ({ rateLimit: { max, timeWindow: '1 minute' } });

    app.get('/csrf-token', (_req, reply) => ({ csrfToken: reply.generateCsrf() }));
    app.get('/', (req, reply) => {
      reach(req, 'page');
      return reply.type('text/html; charset=utf-8').send(PAGE);
    });
    app.get('/api/hello', (req) => {
      reach(req, 'hello');
      return { hello: 'world' };
    });
    app.get('/api/whoami', (req) => ({ ip: req.ip, secure: req.protocol === 'https', host: req.hostname }));
    app.get('/api/search', { schema: { querystring: search } }, (req) => {
      reach(req, 'search');
      const { q, page } = req.query as Record<string, unknown>;
      return { q, page: page ?? 1 };
    });
    app.get('/api/items/:id', { schema: { params: itemId } }, (req) => {
      reach(req, 'item');
      return { id: (req.params as { id: number }).id };
    });
    app.delete('/api/items/:id', { schema: { params: itemId }, onRequest }, (req, reply) => {
      reach(req, 'delete');
      return reply.code(204).send();
    });
    app.put('/api/items/:id', { schema: { params: itemId, body: item }, onRequest }, (req, reply) => {
      reach(req, 'put');
      return reply.code(204).send();
    });
    app.post('/api/items', { schema: { body: item }, onRequest }, (req, reply) => {
      reach(req, 'create');
      return reply.code(201).send({ item: req.body });
    });
    app.post('/form', { schema: { body: item }, onRequest }, (req, reply) => {
      reach(req, 'form');
      return reply.code(201).send({ item: req.body });
    });
    app.post('/api/settings', { schema: { body: settings }, onRequest }, (req) => {
      reach(req, 'settings');
      return mergeSettings(req.body);
    });
    app.post('/api/sign-in', { schema: { body: signIn }, onRequest, config: tight(5) }, (req, reply) => {
      reach(req, 'sign-in');
      const { email, password } = req.body as { email: string; password: string };
      if (!Object.hasOwn(USERS, email) || USERS[email] !== password)
        return reply.code(401).send({ error: 'These are not right.' });
      void reply.setCookie('session', 'ann', { httpOnly: true, secure: true, sameSite: 'lax', path: '/' });
      return reply.send({ signedIn: true });
    });
    const account = (req: FastifyRequest) => {
      reach(req, 'account');
      return { name: 'Ann', card: '4111' };
    };
    app.get('/api/account', { preHandler: signedInOnly }, account);
    app.get('/api/account/*', { preHandler: signedInOnly }, account);
    app.get('/api/tight', { config: tight(3) }, (req) => {
      reach(req, 'tight');
      return { ok: true };
    });
    app.get('/api/price', (req, reply) => {
      reach(req, 'price');
      void reply.header('ETag', ETAG);
      return req.headers['if-none-match'] === ETAG ? reply.code(304).send() : reply.send({ price: 12 });
    });
    app.get('/api/cookies/plain', (_req, reply) => reply.setCookie('basket', '1').send({}));
    app.get('/api/cookies/head', (_req, reply) => {
      reply.hijack();
      reply.raw.writeHead(200, { 'set-cookie': 'basket=1' });
      reply.raw.end();
    });
    app.get('/api/cookies/wide', (_req, reply) =>
      reply.setCookie('basket', '1', { domain: 'shop.example', sameSite: 'none', secure: true }).send({}),
    );
    app.get('/api/cookies/huge', (_req, reply) => reply.setCookie('basket', 'x'.repeat(5000)).send({}));
    app.get('/api/broken-off', (req, reply) => {
      reach(req, 'broken-off');
      reply.hijack();
      reply.raw.writeHead(200, {
        ...(reply.getHeaders() as Record<string, string>),
        'content-type': 'application/json',
      });
      reply.raw.write('{"half":');
      setTimeout(() => reply.raw.destroy(), 20);
    });
    app.get('/api/stale', (_req, reply) => {
      void reply.headers({
        'Content-Encoding': 'gzip',
        ETag: '"stale"',
        'Content-Length': '5',
        'Cache-Control': 'public, max-age=600',
      });
      throw new Error('hunter2 after the headers were set');
    });
    app.get('/api/note', { schema: { querystring: target } }, (req, reply) => {
      reach(req, 'note');
      void reply.header('X-Note', (req.query as { text?: string }).text ?? '');
      return { ok: true };
    });
    app.get('/api/fail/:kind', (req) => {
      throw FAULTS[(req.params as { kind: string }).kind]?.();
    });
    app.get('/api/fail-async/:kind', async (req) => {
      await Promise.resolve();
      throw FAULTS[(req.params as { kind: string }).kind]?.();
    });
    for (const [kind, fault] of Object.entries(FAULTS)) {
      const secret = (req: FastifyRequest) => {
        reach(req, 'secret');
        return { secret: 'SECRET' };
      };
      const guarded = (way: string, preHandler: unknown) =>
        app.get(`/api/guarded/${way}-${kind}`, { preHandler: preHandler as preHandlerHookHandler }, secret);
      guarded('throws', () => {
        throw fault();
      });
      guarded('rejects', async () => {
        await Promise.resolve();
        throw fault();
      });
      guarded('calls', (_req: FastifyRequest, _reply: FastifyReply, done: (error?: Error) => void) => {
        setImmediate(() => done(fault() as Error));
      });
    }
    app.get('/go', { schema: { querystring: target } }, (req, reply) => {
      reach(req, 'go');
      return reply.redirect((req.query as { to?: string }).to ?? '/');
    });

    await app.listen({ port: 0, host: '0.0.0.0' });
    const { port } = app.server.address() as AddressInfo;
    return {
      port,
      legitimate: once(() => fetchToken(port)),
      async stop() {
        app.server.closeAllConnections();
        await app.close();
      },
    };
  },
};
