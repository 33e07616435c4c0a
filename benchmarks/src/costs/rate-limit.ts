import { context, ensureContext } from '@portcullis/core';
import { rateLimit } from '@portcullis/rate-limit';
import { rateLimit as expressRateLimit } from 'express-rate-limit';
import { costCase, exchange, mustPass, type CostGroup } from './harness.js';

type Pair = ReturnType<typeof exchange>;
type Handler = (req: never, res: never, next: (error?: unknown) => void) => unknown;

const identify = context({ trustProxy: false }) as unknown as Handler;
const MOST = 1_000_000_000;

const window = rateLimit({ name: 'window', limit: MOST, window: '1m', headers: 'draft-7' });
const rate = rateLimit({ name: 'rate', rate: '1000000/s', burst: 1_000_000, headers: 'draft-7' });
const peer = expressRateLimit({
  windowMs: 60_000,
  limit: MOST,
  standardHeaders: 'draft-7',
  legacyHeaders: false,
  validate: false,
});

/** Requests are used again, so that the figures are those of limits and not of what the collector does with requests. */
const requests = Array.from({ length: 64 }, () => {
  const pair = exchange();
  Object.assign(pair.req, { ip: '203.0.113.9', app: { get: () => false } });
  identify(pair.req as never, pair.res as never, mustPass);
  return pair;
});
let last = 0;

/** A request that no limit has seen, and whose client is known: to the peer as `req.ip`, to ours by `context()`. */
function arrived(): Pair {
  const pair = requests[(last = (last + 1) % requests.length)]!;
  for (const name of pair.res.getHeaderNames()) pair.res.removeHeader(name);
  const context = ensureContext(pair.req as never);
  if (context.address.ip === '') throw new Error('The client is not known.');
  Object.assign(context, { rateLimits: undefined });
  return pair;
}

async function passed(middleware: unknown, { req, res }: Pair): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    void (middleware as Handler)(req as never, res as never, (error) => {
      if (error === undefined) resolve();
      else reject(error as Error);
    });
  });
}

export const groups: readonly CostGroup[] = [
  {
    title: 'A limit by address, in memory',
    note: 'One client, admitted; header fields of draft 7 in all three. The address of the client was worked out before.',
    batch: 500,
    cases: [
      costCase<Pair>({
        name: 'express-rate-limit',
        prepare: arrived,
        call: async (pair) => passed(peer, pair),
      }),
      costCase<Pair>({
        name: 'rateLimit(), a window',
        prepare: arrived,
        call: async (pair) => passed(window, pair),
      }),
      costCase<Pair>({
        name: 'rateLimit(), a rate (GCRA)',
        prepare: arrived,
        call: async (pair) => passed(rate, pair),
      }),
    ],
    claims: [
      { ours: 'rateLimit(), a window', peer: 'express-rate-limit', atMost: 1.1 },
      { ours: 'rateLimit(), a rate (GCRA)', peer: 'express-rate-limit', atMost: 1 },
    ],
    peers: ['express-rate-limit'],
  },
];
