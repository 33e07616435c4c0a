// Run with --disallow-code-generation-from-strings and the path of a module made by precompile(). Prints one JSON line.
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { pathToFileURL } from 'node:url';
import { csrf } from '@portcullis/csrf';
import { errorHandler } from '@portcullis/errors';
import { context, cors, securityHeaders } from '@portcullis/headers';
import { rateLimit } from '@portcullis/rate-limit';
import express from 'express';
import { createValidator, validate, validOf } from '../../src/index.js';
import type { Precompiled } from '../../src/index.js';
import { create, search } from './schemas.js';

const { default: precompiled } = (await import(pathToFileURL(process.argv[2]!).href)) as {
  default: Precompiled;
};

function outcome(work: () => unknown): string {
  try {
    work();
    return 'worked';
  } catch (error) {
    return `${(error as Error).name}: ${(error as Error).message}`;
  }
}

function app() {
  const service = express();
  service.use(
    context({ trustProxy: false }),
    securityHeaders({ profile: 'web' }),
    cors({ origins: ['https://app.example.com'] }),
    csrf(),
    rateLimit({ name: 'all', limit: 4, window: '1m' }),
    express.json({ limit: '10kb' }),
  );
  service.get('/books', validate(search, { precompiled }), (req, res) => {
    res.json(validOf(search, req).query);
  });
  service.post('/books', validate(create, { precompiled }), (req, res) => {
    const { title } = validOf(create, req).body;
    res.status(201).json(title === 'Leak' ? { title, secret: 1 } : { title });
  });
  service.use(errorHandler());
  return service;
}

async function answers(): Promise<unknown> {
  const server = app().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/books`;
  const post = (body: object, headers: Record<string, string> = {}) =>
    fetch(base, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', ...headers },
      body: JSON.stringify(body),
    });
  const book = { title: 'Dune', isbn: '9780441172719', price: 9.99 };
  const read = await fetch(`${base}?page=2`);
  const given = {
    read: [read.status, await read.json(), read.headers.has('content-security-policy')],
    created: (await post({ ...book, parts: [{ name: 'a' }, { name: 'b' }], tags: ['sf'] })).status,
    invalid: (await post({ ...book, parts: [{ name: 'a' }, { name: 'a' }], tags: ['sf'] })).status,
    crossSite: (await post(book, { 'Sec-Fetch-Site': 'cross-site' })).status,
    leaking: (await post({ ...book, title: 'Leak' })).status,
    limited: (await post(book)).status,
  };
  server.close();
  return given;
}

console.log(
  JSON.stringify({
    // What must fail here, or nothing is proven.
    // oxlint-disable-next-line no-implied-eval, no-new-func
    eval: outcome(() => new Function('return 1')),
    atStart: outcome(() => createValidator({ type: 'string' })),
    changed: outcome(() => createValidator({ type: 'integer', maximum: 7 }, { precompiled })),
    // Not ours to change: its dependency depd makes functions from text when it is loaded.
    express4: await import('express4').then(String, (error: Error) => error.name),
    express5: await answers(),
  }),
);
