/**
 * What a request pays for its headers, beside writing the same headers bare, and beside helmet and cors used directly.
 * Run it on the built packages: `pnpm build`, then `node --expose-gc packages/headers/bench/cost.mjs`.
 * Interleaved rounds in one process; CPU time per call (medians), and the ratio to the bare writing with its spread.
 */
import { context } from '@portcullis/core';
import { cors, securityHeaders } from '@portcullis/headers';
import corsLibrary from 'cors';
import helmet from 'helmet';
import { randomBytes } from 'node:crypto';
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';

const ROUNDS = 21;
const BATCHES = 100;
const BATCH = 100;

const socket = Object.assign(new Socket(), { encrypted: true });
Object.defineProperty(socket, 'remoteAddress', { value: '203.0.113.9' });

function exchange({ headers = {}, method = 'GET' } = {}) {
  const req = Object.assign(new IncomingMessage(socket), { method, url: '/', headers });
  return [req, Object.assign(new ServerResponse(req), { locals: {} })];
}

const next = (error) => {
  if (error !== undefined) throw error;
};
const mountContext = context({ trustProxy: false });

const web = securityHeaders({ profile: 'web' });
const [sampleReq, sampleRes] = exchange();
web(sampleReq, sampleRes, next);
const lines = Object.entries(sampleRes.getHeaders()).map(([name, value]) => [
  name,
  value.split(/(?<=nonce-)[^']+/),
]);
const nonce = 'A'.repeat(24);
const bare = (_req, res) => {
  for (const [name, parts] of lines) res.setHeader(name, parts.length === 1 ? parts[0] : parts.join(nonce));
};

const helmetStack = helmet({
  contentSecurityPolicy: {
    directives: { scriptSrc: [(_req, res) => `'nonce-${res.locals.cspNonce}'`, "'strict-dynamic'"] },
  },
  crossOriginEmbedderPolicy: true,
});
const helmetWithNonce = (req, res, done) => {
  res.locals.cspNonce = randomBytes(18).toString('base64');
  helmetStack(req, res, done);
};

const origin = 'https://app.example.com';
const ours = cors({ origins: [origin], credentials: true });
const theirs = corsLibrary({
  origin: [origin],
  credentials: true,
  allowedHeaders: ['Content-Type', 'Authorization'],
});
const actual = { headers: { origin } };
const preflight = {
  method: 'OPTIONS',
  headers: {
    origin,
    'access-control-request-method': 'PUT',
    'access-control-request-headers': 'content-type',
  },
};

const cases = {
  nothing: { run: () => undefined },
  'the same headers bare': { run: bare },
  'securityHeaders web, nonce': { run: web },
  'securityHeaders api': { run: securityHeaders({ profile: 'api' }) },
  'helmet, nonce': { run: helmetWithNonce },
  'cors(), ours': { run: ours, request: actual },
  'cors library': { run: theirs, request: actual },
  'preflight, ours': { run: ours, request: preflight, ends: true },
  'preflight, cors library': { run: theirs, request: preflight, ends: true },
};

function cost({ run, request, ends }) {
  let total = 0;
  globalThis.gc?.();
  for (let batch = 0; batch < BATCHES; batch++) {
    const pairs = Array.from({ length: BATCH }, () => exchange(request));
    for (const [req, res] of pairs) mountContext(req, res, next);
    const start = process.cpuUsage();
    for (const [req, res] of pairs) {
      run(req, res, next);
      if (!ends) res.writeHead(200); // The head is rendered too: what is done late counts.
    }
    const { user, system } = process.cpuUsage(start);
    total += user + system;
  }
  return total / BATCHES / BATCH;
}

const names = Object.keys(cases);
const results = new Map(names.map((name) => [name, []]));
for (let round = -2; round < ROUNDS; round++) {
  for (const name of names) {
    const value = cost(cases[name]);
    if (round >= 0) results.get(name).push(value);
  }
}
const sorted = (values) => values.toSorted((a, b) => a - b);
const median = (values) => sorted(values)[Math.floor(values.length / 2)];
console.log(`Node ${process.version}, ${ROUNDS} rounds of ${BATCHES * BATCH} calls; us of CPU`);
for (const name of names) {
  const own = results.get(name);
  const added = median(own) - median(results.get('nothing'));
  const ratios = sorted(own.map((value, i) => value / results.get('the same headers bare')[i]));
  const quarter = Math.floor(ratios.length / 4);
  console.log(
    `${name.padEnd(28)} ${median(own).toFixed(2).padStart(6)}  added ${added.toFixed(2).padStart(6)}  ` +
      `x bare ${median(ratios).toFixed(2)} (quartiles ${ratios[quarter].toFixed(2)}, ${ratios[ratios.length - 1 - quarter].toFixed(2)})`,
  );
}
