import { memoryLimits, rateLimit } from '@portcullis/rate-limit';
import { redisLimits } from '@portcullis/rate-limit/redis';
import { Redis } from 'ioredis';
import { admits } from './admits.js';

export interface Order {
  readonly mode: 'strict' | 'lease' | 'naive';
  readonly rate: number;
  readonly burst: number;
  readonly lease: number;
  readonly requests: number;
  /** Requests in flight at a time. */
  readonly together: number;
}

export interface Hammered {
  readonly admitted: number;
  readonly requests: number;
  /** Commands sent to Redis. */
  readonly trips: number;
}

const redis = new Redis(process.argv[2]!);
let trips = 0;
const client = {
  call(command: string, ...args: string[]) {
    trips++;
    return redis.call(command, ...args);
  },
};
// Time-outs are the subject of another part.
const shared = redisLimits(client, { timeoutMs: '10s', slowMs: '10s' });
const limits = new Map<string, ReturnType<typeof rateLimit>>();

process.on('message', (order: Order) => void answer(order));
await redis.ping();
process.send!('ready');

async function answer(order: Order): Promise<void> {
  process.send!(await hammer(order));
}

async function hammer({ mode, rate, burst, lease, requests, together }: Order): Promise<Hammered> {
  const name = `${mode}-${rate}`;
  const how = mode === 'strict' ? { strict: true } : mode === 'lease' ? { lease } : {};
  const store = mode === 'naive' ? memoryLimits() : shared;
  const limit = limits.get(name) ?? rateLimit({ name, rate: `${rate}/s`, burst, by: 'all', store, ...how });
  limits.set(name, limit);
  trips = 0;
  let admitted = 0;
  let left = requests;
  const one = async (): Promise<void> => {
    while (left-- > 0) if (await admits(limit)) admitted++;
  };
  await Promise.all(Array.from({ length: together }, one));
  return { admitted, requests, trips };
}
