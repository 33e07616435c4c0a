import { createRequire } from 'node:module';
import { randomUUID } from 'node:crypto';
import { createRedactor } from '@portcullis/redact';
import fastRedact from 'fast-redact';
import { costCase, type CostGroup } from './harness.js';

const require = createRequire(import.meta.url);
type PinoRedact = (options: {
  paths: string[];
  censor?: string;
  strict?: boolean;
}) => (value: object) => string;
const pinoRedact = require('@pinojs/redact') as PinoRedact;

/** What the requirement lists name, as a path redactor has to spell it: at the top and one to four levels down. */
const NAMES = [
  'password',
  'password_hash',
  'passwordHash',
  'token',
  'accessToken',
  'refresh_token',
  'secret',
  'clientSecret',
  'apiKey',
  'api_key',
  'authorization',
  'cookie',
  'session',
  'csrf_token',
  'csrfToken',
  'pin',
  'cvv',
  'cardNumber',
  'ssn',
  'privateKey',
  'otp',
  'recoveryCode',
  'pepper',
];
const WILDCARDS = ['', '*.', '*.*.', '*.*.*.', '*.*.*.*.'];
const PATHS = WILDCARDS.flatMap((levels) => NAMES.map((name) => `${levels}${name}`));

const ours = createRedactor();
const fast = fastRedact({ paths: PATHS, censor: '[REDACTED]' });
const pino = pinoRedact({ paths: PATHS, censor: '[REDACTED]' });

/** 10 names: what a service writes for a sign-in. */
function small(): object {
  return {
    level: 'info',
    message: 'user signed in',
    time: new Date().toISOString(),
    requestId: randomUUID(),
    user: { id: 4711, name: 'ann', password: 'correct horse battery' },
    path: '/api/login',
    status: 200,
  };
}

/** 131 names: a request with its headers, and a few items. */
function medium(): object {
  return {
    ...small(),
    request: {
      method: 'POST',
      url: '/api/books?page=2&sort=title',
      headers: {
        host: 'library.example',
        'user-agent': 'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko)',
        authorization: `Bearer ${randomUUID()}`,
        cookie: `sid=${randomUUID()}; theme=dark`,
      },
    },
    items: Array.from({ length: 14 }, (_, i) => item(i)),
  };
}

/** 2,401 names: a page of records. */
function large(): object {
  return {
    ...medium(),
    page: { number: 2, size: 283, total: 1200, next: '/api/books?page=3' },
    more: Array.from({ length: 283 }, (_, i) => item(i)),
  };
}

function item(i: number): object {
  return {
    id: i,
    title: `The Book of Number ${i}`,
    author: { first: 'Maria', last: 'Garcia' },
    available: i % 3 === 0,
    price: 12.5 + i,
    due: new Date(1_700_000_000_000 + i * 86_400_000).toISOString(),
  };
}

/** An event as a logger gets it: made for this call, with strings that no cache has seen. */
function received(make: () => object): object {
  return JSON.parse(JSON.stringify(make())) as object;
}

function names(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const own = Array.isArray(value) ? 0 : Object.keys(value).length;
  return Object.values(value).reduce((sum: number, part) => sum + names(part), own);
}

function group(size: string, make: () => object, batch: number, batches: number): CostGroup {
  return {
    title: `Redaction of an event with ${names(received(make)).toLocaleString('en')} names (${size})`,
    note: 'Ours looks for names at any depth in any spelling, secrets inside every string, and the same secret elsewhere; the others get the names as exact paths and behind one to four wildcards.',
    batch,
    batches,
    cases: [
      costCase<object>({
        name: 'JSON.stringify',
        prepare: () => received(make),
        call: (event) => JSON.stringify(event),
      }),
      costCase<object>({
        name: 'ours, stringify()',
        prepare: () => received(make),
        call: (event) => ours.stringify(event),
      }),
      costCase<object>({ name: 'fast-redact', prepare: () => received(make), call: (event) => fast(event) }),
      costCase<object>({
        name: '@pinojs/redact',
        prepare: () => received(make),
        call: (event) => pino(event),
      }),
    ],
    claims: [
      { ours: 'ours, stringify()', peer: 'JSON.stringify', atMost: 4 },
      { ours: 'ours, stringify()', peer: 'fast-redact', atMost: 1 / 6 },
      { ours: 'ours, stringify()', peer: '@pinojs/redact', atMost: 1 / 12 },
    ],
    peers: ['fast-redact', '@pinojs/redact'],
  };
}

export const groups: readonly CostGroup[] = [
  group('small', small, 500, 20),
  group('medium', medium, 100, 10),
  group('large', large, 10, 5),
];
