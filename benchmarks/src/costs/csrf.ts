import { csrf } from '@portcullis/csrf';
import { doubleCsrf } from 'csrf-csrf';
import { randomBytes } from 'node:crypto';
import { costCase, exchange, mustPass, type CostGroup } from './harness.js';

type Pair = ReturnType<typeof exchange>;

const SECRET = randomBytes(32).toString('base64url');
const SESSION = randomBytes(16).toString('hex');

const header = csrf();
const token = csrf.token({ keys: SECRET });
const peer = doubleCsrf({ getSecret: () => SECRET, getSessionIdentifier: () => SESSION });

/** Requests are taken in turns from a hundred: making and first touching one costs more than what is measured. */
function hundred(make: () => Pair): () => Pair {
  const pairs = Array.from({ length: 100 }, make);
  let i = 0;
  return () => pairs[i++ % pairs.length]!;
}

/** A form post of our own page, as a browser sends it, in the session of both. */
function post(headers: Readonly<Record<string, string>>): Pair {
  return within({ host: 'library.example', origin: 'https://library.example', ...headers }, 'POST');
}

function within(headers: Readonly<Record<string, string>>, method: string): Pair {
  const pair = exchange({ method, url: '/books', headers });
  // What a middleware for sessions and cookie-parser have left there; neither is part of the comparison.
  const principal = { id: 'ann', kind: 'user', sessionId: SESSION };
  Object.assign(pair.req, { security: { principal }, cookies: peerCookies });
  Object.assign(pair.res, { cookie: () => undefined });
  return pair;
}

let peerCookies: Readonly<Record<string, string>> = {};
const browser = { 'sec-fetch-site': 'same-origin' };
const ours = token.issue(within({}, 'GET').req, within({}, 'GET').res);
const theirs = ((): string => {
  const { req, res } = within({}, 'GET');
  return peer.generateCsrfToken(req as never, res as never);
})();
peerCookies = { '__Host-psifi.x-csrf-token': theirs };

export const groups: readonly CostGroup[] = [
  {
    title: 'CSRF: is this post ours?',
    note: 'A state-changing request that has to pass. csrf-csrf looks for its signed cookie and the same value in a header; cookie-parser, which it needs, is not counted. csrf.token() repeats the header check, and compares in constant time, which csrf-csrf does not.',
    batch: 20_000,
    batches: 2,
    peers: ['csrf-csrf'],
    cases: [
      costCase<Pair>({
        name: 'csrf-csrf',
        prepare: hundred(() => post({ ...browser, 'x-csrf-token': theirs })),
        call: ({ req, res }) => peer.doubleCsrfProtection(req as never, res as never, mustPass),
      }),
      costCase<Pair>({
        name: 'csrf(), Sec-Fetch-Site',
        prepare: hundred(() => post(browser)),
        call: ({ req, res }) => header(req as never, res as never, mustPass),
      }),
      costCase<Pair>({
        name: 'csrf(), Origin only',
        prepare: hundred(() => post({})),
        call: ({ req, res }) => header(req as never, res as never, mustPass),
      }),
      costCase<Pair>({
        name: 'csrf.token()',
        prepare: hundred(() => post({ ...browser, 'x-csrf-token': ours })),
        call: ({ req, res }) => token(req as never, res as never, mustPass),
      }),
    ],
    claims: [
      { ours: 'csrf(), Sec-Fetch-Site', peer: 'csrf-csrf', atMost: 1 / 50 },
      { ours: 'csrf(), Origin only', peer: 'csrf-csrf', atMost: 1 / 50 },
      { ours: 'csrf.token()', peer: 'csrf-csrf', atMost: 1.6 },
    ],
  },
  {
    title: 'CSRF: a token for a form',
    note: 'csrf-csrf without a cookie in the request makes a new token; with one it checks the old one and hands it out again.',
    batch: 2000,
    batches: 4,
    peers: ['csrf-csrf'],
    cases: [
      costCase<Pair>({
        name: 'csrf-csrf, new',
        prepare: hundred(() => within({ host: 'library.example' }, 'GET')),
        call: ({ req, res }) => peer.generateCsrfToken(req as never, res as never, { overwrite: true }),
      }),
      costCase<Pair>({
        name: 'csrf-csrf, again',
        prepare: hundred(() => within({ host: 'library.example' }, 'GET')),
        call: ({ req, res }) => peer.generateCsrfToken(req as never, res as never),
      }),
      costCase<Pair>({
        name: 'csrf.token().issue()',
        prepare: hundred(() => within({ host: 'library.example' }, 'GET')),
        call: ({ req, res }) => token.issue(req, res),
      }),
    ],
    claims: [{ ours: 'csrf.token().issue()', peer: 'csrf-csrf, new', atMost: 1 }],
  },
];
