import { context, guard, type Middleware } from '@portcullis/core';
import { csrf } from '@portcullis/csrf';
import { catchAsync, errorHandler, notFound } from '@portcullis/errors';
import { secureServer } from '@portcullis/errors/server';
import {
  cors,
  httpsOnly,
  noStore,
  requestFirewall,
  secureCookies,
  securityHeaders,
} from '@portcullis/headers';
import { bodyField, rateLimit } from '@portcullis/rate-limit';
import {
  createRedirects,
  strictForm,
  strictJson,
  validate,
  validOf,
  type Schemas,
} from '@portcullis/validation';
import express5, { type NextFunction, type Request, type RequestHandler, type Response } from 'express';
import express4 from 'express4';
import { HOST, ORIGIN, type Mutant } from '../check.js';
import { expressService, type InputName } from '../express-service.js';
import { signedInOnly, unchecked } from './bare.js';
import { listen } from './listen.js';
import { ALLOWED_ORIGIN, PROXY, type Running, type Stack, type StackDeps } from './stack.js';

const price = { type: 'number', exclusiveMinimum: 0, maximum: 1_000_000 } as const;
const name = { type: 'string', minLength: 1, maxLength: 100 } as const;
const inputs: Readonly<Record<InputName, Schemas>> = {
  item: {
    body: {
      type: 'object',
      required: ['name', 'price'],
      properties: {
        name,
        price,
        quantity: { type: 'integer', maximum: 1_000_000 },
        tags: { type: 'array', maxItems: 10, items: { type: 'string', maxLength: 30 } },
      },
    },
  },
  form: { body: { type: 'object', required: ['name', 'price'], properties: { name, price } } },
  settings: {
    body: {
      type: 'object',
      properties: {
        theme: { type: 'string', maxLength: 30 },
        notify: { type: 'object', properties: { mail: { type: 'boolean' } } },
      },
    },
  },
  signIn: {
    body: {
      type: 'object',
      required: ['email', 'password'],
      properties: {
        email: { type: 'string', format: 'email' },
        password: { type: 'string', maxLength: 200 },
      },
    },
  },
  search: {
    query: {
      type: 'object',
      required: ['q'],
      properties: {
        q: { type: 'string', minLength: 1, maxLength: 100, pattern: "^[\\p{L}\\p{N} .,:'-]+$" },
        page: { type: 'integer', minimum: 1, maximum: 1000 },
      },
    },
  },
  itemId: {
    params: {
      type: 'object',
      required: ['id'],
      properties: { id: { type: 'integer', minimum: 1, maximum: 1_000_000 } },
    },
  },
  target: {
    query: {
      type: 'object',
      properties: { to: { type: 'string', maxLength: 2000 }, text: { type: 'string', maxLength: 200 } },
    },
  },
};

/** The shop on our packages. Types of Express 4 and 5 differ in detail; what is used here both have. */
function ours(major: 4 | 5): Stack {
  const express = (major === 5 ? express5 : express4) as unknown as typeof express5;
  return {
    name: `Portcullis on Express ${major}`,
    parts:
      'context, securityHeaders, requestFirewall, secureCookies, httpsOnly, cors, csrf, rateLimit, strictJson, strictForm, validate, createRedirects, guard, notFound, errorHandler, secureServer',
    start: async (deps) => start(express, major, deps),
  };
}

async function start(
  express: typeof express5,
  major: 4 | 5,
  { calls, folders, mutant }: StackDeps,
): Promise<Running> {
  const is = (name: Mutant): boolean => mutant === name;
  /** Parts that a mutant lacks. */
  const unless = (missing: Mutant, ...parts: Middleware[]): RequestHandler[] =>
    is(missing) ? [] : (parts as unknown as RequestHandler[]);
  const limit = (name: string, max: number, by?: 'email'): Middleware =>
    rateLimit({
      name,
      limit: max,
      window: '1m',
      ...(by ? { by: bodyField(by) } : is('one bucket') ? { by: 'all' } : {}),
    });
  const check = (input: InputName): RequestHandler[] =>
    unless(
      'no validation',
      validate(inputs[input], input === 'form' ? { bodyTypes: ['application/x-www-form-urlencoded'] } : {}),
    );
  const valid =
    (part: 'body' | 'query' | 'params') =>
    (req: Request, input: InputName): Record<string, unknown> =>
      (validOf(inputs[input], req) as Record<string, Record<string, unknown>>)[part]!;

  const next = createRedirects({ fallback: '/' });
  const app = expressService(
    {
      express,
      trustProxy: PROXY,
      edge: [
        context({ trustProxy: [`${PROXY}/32`] }) as unknown as RequestHandler,
        ...unless('no headers', securityHeaders({ profile: 'web' })),
        ...unless('no host list', requestFirewall({ hosts: [HOST], trustProxy: [`${PROXY}/32`] })),
        ...unless('no headers', secureCookies(), httpsOnly({ hosts: [HOST] })),
        ...unless('no csrf', csrf({ trustedOrigins: [ALLOWED_ORIGIN] })),
        ...unless('no limits', limit('all', 10_000)),
      ],
      api: [
        ...unless('no headers', securityHeaders({ profile: 'api' })),
        is('reflecting cors')
          ? reflecting
          : (cors({
              origins: [ALLOWED_ORIGIN, 'https://*.partner.example'],
              credentials: true,
            }) as unknown as RequestHandler),
      ],
      page: [],
      json: is('plain bodies')
        ? express.json()
        : (strictJson({ otherTypes: 'pass' }) as unknown as RequestHandler),
      form: is('plain bodies')
        ? express.urlencoded({ extended: false })
        : (strictForm({ otherTypes: 'pass' }) as unknown as RequestHandler),
      afterBodies: [],
      check: Object.fromEntries(
        Object.keys(inputs).map((input) => [input, check(input as InputName)]),
      ) as Record<InputName, RequestHandler[]>,
      ...(is('no validation')
        ? { body: unchecked.body, query: unchecked.query, params: unchecked.params }
        : { body: valid('body'), query: valid('query'), params: valid('params') }),
      signInLimit: unless('no limits', limit('sign-in-address', 20), limit('sign-in', 5, 'email')),
      tightLimit: unless('no limits', limit('tight', 3)),
      accountOnly: [...unless('no headers', noStore()), signedInOnly],
      guardThat: (end) =>
        (is('bare guard')
          ? (req: Request, res: Response, next: NextFunction) => end(req, res, next) as void
          : end.length >= 3
            ? guard('odd', { stage: 'gate' }, (req, res, done) => void end(req as never, res as never, done))
            : guard(
                'odd',
                { stage: 'gate' },
                (req, res) => end(req as never, res as never, pass) as undefined,
              )) as unknown as RequestHandler,
      async: (handler) =>
        major === 4
          ? (catchAsync(handler as never) as unknown as RequestHandler)
          : (handler as unknown as RequestHandler),
      redirect: (_req, res, target) => res.redirect(next.to(target)),
      files: express.static(folders.files),
      last: is('plain errors')
        ? []
        : [notFound() as unknown as RequestHandler, errorHandler({ logger: false }) as never],
    },
    calls,
  );
  const legitimate = async () => ({ origin: ORIGIN, 'sec-fetch-site': 'same-origin' });
  if (is('lenient parser')) return { ...(await listen(app, { insecureHTTPParser: true })), legitimate };
  if (is('no time limits')) return { ...(await listen(app)), legitimate };
  const server = secureServer(app);
  const { port } = await server.listen({ port: 0, host: '0.0.0.0' });
  return {
    port,
    legitimate,
    async stop() {
      server.server.closeAllConnections();
      await server.close();
    },
  };
}

const pass = (): void => undefined;

const reflecting: RequestHandler = (req, res, next) => {
  res.set({
    'Access-Control-Allow-Origin': req.headers.origin ?? '*',
    'Access-Control-Allow-Credentials': 'true',
  });
  next();
};

export const oursOn5 = ours(5);
export const oursOn4 = ours(4);
