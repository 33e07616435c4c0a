import { context } from '@portcullis/core';
import { secureCookies, securityHeaders } from '@portcullis/headers';
import helmet from 'helmet';
import { randomBytes } from 'node:crypto';
import { costCase, exchange, mustPass, type CostCase, type CostGroup } from './harness.js';

type Pair = ReturnType<typeof exchange>;
type Run = (req: never, res: never, next: (error?: unknown) => void) => void;

const identify = context({ trustProxy: false });

function known(): Pair {
  const pair = exchange();
  identify(pair.req, pair.res, mustPass);
  return pair;
}

/** The head is written too: what is done late counts. */
function untilHead(name: string, run: Run, cookie?: string): CostCase {
  return costCase<Pair>({
    name,
    prepare: () => known(),
    call: ({ req, res }) => {
      run(req as never, res as never, mustPass);
      if (cookie !== undefined) res.setHeader('Set-Cookie', cookie);
      res.writeHead(200);
    },
  });
}

/** What a person would write by hand who has the values: the same header lines, with a nonce made beforehand. */
function bare(middleware: ReturnType<typeof securityHeaders>): Run {
  const { req, res } = known();
  middleware(req, res, mustPass);
  res.writeHead(200);
  const values = res.getHeaders();
  // Node has it since version 15.4; its types know it for requests of a client only.
  const raw = res as typeof res & { getRawHeaderNames(): string[] };
  const lines = raw
    .getRawHeaderNames()
    .map((name) => [name, String(values[name.toLowerCase()]).split(/(?<=nonce-)[^']+/)] as const)
    // context() has written it for all cases.
    .filter(([name]) => name.toLowerCase() !== 'x-request-id');
  const nonce = 'A'.repeat(24);
  return (_req, given) => {
    const response = given as Pair['res'];
    for (const [name, parts] of lines) {
      response.setHeader(name, parts.length === 1 ? parts[0]! : parts.join(nonce));
    }
  };
}

const web = securityHeaders({ profile: 'web' });
const api = securityHeaders({ profile: 'api' });
const library = helmet({
  contentSecurityPolicy: {
    directives: {
      scriptSrc: [
        (_req, res) => `'nonce-${String((res as Pair['res']).locals['cspNonce'])}'`,
        "'strict-dynamic'",
      ],
    },
  },
  crossOriginEmbedderPolicy: true,
});
const helmetWithNonce: Run = (req, res, next) => {
  (res as Pair['res']).locals['cspNonce'] = randomBytes(18).toString('base64');
  library(req, res, next);
};

const cookies = secureCookies({ unprefixed: 'allow' });
const COOKIE = '__Host-sid=0123456789abcdef0123456789abcdef; Path=/; Secure; HttpOnly; SameSite=Lax';

export const groups: readonly CostGroup[] = [
  {
    title: 'Security headers',
    note: 'One answer over TLS until its head is written. "bare" are `setHeader()` calls with the very lines of the case below, with a nonce that cost nothing. helmet sets fewer headers; its nonce is made as its README says.',
    batch: 100,
    batches: 150,
    peers: ['helmet'],
    cases: [
      untilHead('the headers of web bare', bare(web)),
      untilHead('securityHeaders web, nonce', web),
      untilHead('the headers of api bare', bare(api)),
      untilHead('securityHeaders api', api),
      untilHead('helmet, nonce', helmetWithNonce),
    ],
    claims: [
      { ours: 'securityHeaders web, nonce', peer: 'the headers of web bare', atMost: 1.3 },
      { ours: 'securityHeaders web, nonce', peer: 'helmet, nonce', atMost: 1 },
    ],
  },
  {
    title: 'Cookies',
    note: 'An answer with one cookie that is hard already, until its head is written.',
    batch: 200,
    cases: [
      untilHead('setHeader alone', (_req, _res, next) => next(), COOKIE),
      untilHead('secureCookies()', cookies, COOKIE),
    ],
  },
];
