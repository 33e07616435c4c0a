import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { control, type Claim, type Section } from './claim.js';
import type { Hammered, Order } from './worker.js';

interface Team {
  run(order: Order): Promise<Hammered>;
  stop(): void;
}

/** So many processes, each with a connection and a limiter of its own. */
async function team(size: number, url: string): Promise<Team> {
  const file = fileURLToPath(new URL('./worker.ts', import.meta.url));
  const workers: ChildProcess[] = Array.from({ length: size }, () => fork(file, [url]));
  await Promise.all(workers.map((worker) => once(worker, 'message')));
  return {
    async run(order) {
      const answers = workers.map((worker) => once(worker, 'message') as Promise<[Hammered]>);
      for (const worker of workers) worker.send(order);
      const all = (await Promise.all(answers)).map(([answer]) => answer);
      const sum = (of: (one: Hammered) => number): number => all.reduce((total, one) => total + of(one), 0);
      return {
        admitted: sum(({ admitted }) => admitted),
        requests: sum(({ requests }) => requests),
        trips: sum(({ trips }) => trips),
      };
    },
    stop() {
      for (const worker of workers) worker.kill();
    },
  };
}

const BURST = 999;
const RATE = 200;
const LEASE = 100;

/** Redis's own clock, before the first request and after the last one: what may have run out is known, not guessed. */
async function timed<T>(redis: Redis, work: () => Promise<T>): Promise<{ result: T; seconds: number }> {
  const now = async (): Promise<number> => {
    const [seconds, micros] = await redis.time();
    return Number(seconds) + Number(micros) / 1_000_000;
  };
  const from = await now();
  const result = await work();
  return { result, seconds: (await now()) - from };
}

export async function proveProcesses(url: string, short: boolean): Promise<Section> {
  const redis = new Redis(url);
  const claims: Claim[] = [];
  const each = short ? 1500 : 10_000;
  for (const size of short ? [2, 4] : [2, 4, 8]) {
    const workers = await team(size, url);
    try {
      for (const mode of ['strict', 'lease', 'naive'] as const) {
        await redis.flushall();
        const limit = { mode, rate: RATE, burst: BURST, lease: LEASE } as const;
        // Some permits are held when the look begins, and the bucket has run out: the worst moment.
        if (mode === 'lease') {
          await workers.run({ ...limit, requests: 1, together: 1 });
          await new Promise((resolve) => setTimeout(resolve, (1000 * LEASE) / RATE + 100));
        }
        const { result, seconds } = await timed(redis, async () =>
          workers.run({ ...limit, requests: each, together: 16 }),
        );
        const most = Math.floor(BURST + 1 + RATE * seconds);
        const over = Math.max(0, result.admitted - most);
        const text = `${result.requests} requests, ${result.admitted} admitted, the bucket allowed ${most}: ${over} over; ${(result.trips / result.requests).toFixed(3)} trips a request`;
        if (mode === 'naive')
          claims.push(control(`${size} processes, counters of their own`, text, over > 0));
        else {
          const allowed = mode === 'strict' ? 0 : LEASE;
          const what = `${size} processes, ${mode === 'strict' ? 'strict: none over' : `lease ${LEASE}: at most ${LEASE} over`}`;
          // Not by refusing everybody either.
          claims.push({
            what,
            measured: text,
            holds: over <= allowed && result.admitted >= (BURST + 1) * 0.9,
          });
        }
        // The same below the limit, where most requests pass: what the permits save.
        if (mode === 'lease') {
          const calm = await workers.run({ ...limit, rate: 1_000_000, requests: each, together: 4 });
          const ratio = calm.trips / calm.requests;
          claims.push({
            what: `${size} processes below their limit: fewer than one trip in 5 requests`,
            measured: `${calm.requests} requests, ${calm.admitted} admitted, ${ratio.toFixed(3)} trips a request`,
            holds: ratio < 0.2 && calm.admitted === calm.requests,
          });
        }
      }
    } finally {
      workers.stop();
    }
  }
  await redis.quit();
  return {
    title: 'Processes on one Redis',
    note: `Each process has a limiter and a connection of its own; all hammer one key, ${RATE} a second with room for ${BURST} more. What the bucket allowed is worked out from the clock of Redis before the first and after the last request. With a lease the look begins when processes already hold permits and the bucket has run out: the worst moment.`,
    claims,
  };
}
