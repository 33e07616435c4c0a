import { createHash } from 'node:crypto';
import { memoryLimits, rateLimit, type Charge, type Meters, type RateMeter } from '@portcullis/rate-limit';
import { redisLimits } from '@portcullis/rate-limit/redis';
import { Redis } from 'ioredis';
import { control, type Section } from './claim.js';
import { ReferenceModel, type ModelCharge, type ModelFault, type ModelRate } from './model.js';

const rates: readonly ModelRate[] = [
  { count: 10, perMicros: 1_000_000, burst: 20 },
  { count: 5, perMicros: 60_000_000, burst: 5 },
  { count: 100, perMicros: 900_000_000, burst: 0 },
  { count: 7, perMicros: 1_000_000, burst: 99 },
  { count: 333, perMicros: 10_000_000, burst: 3 },
];
const spelled = ['10/s', '5/min', '100/15m', '7/s', '333/10s'];
const KEYS = 40;

interface Arrival {
  readonly micros: number;
  readonly charges: readonly ModelCharge[];
}

/** Bursts, pauses, costs, changing limits, refunds, several charges in one call, and a clock that is set back a little. */
function* arrivals(count: number, seed: number): Generator<Arrival> {
  let state = seed;
  const chance = (n: number): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % n;
  };
  let micros = 1_000_000;
  let [first, key] = [0, 'k0'];
  for (let i = 0; i < count; i++) {
    const kind = chance(100);
    if (kind < 60) micros += chance(3000);
    else if (kind < 90) micros += chance(60_000);
    else if (kind < 91) micros += chance(5_000_000);
    else micros -= chance(9000);
    const one = (rate: number): ModelCharge => {
      const most = rates[rate]!.burst + 1;
      const limit = chance(4) === 0 ? 1 + chance(most) : most;
      const dice = chance(20);
      const cost = dice === 0 ? -1 - chance(2) : dice === 1 ? 0 : dice < 16 ? 1 : 1 + chance(most + 1);
      return { rate, key, cost, limit };
    };
    // Half of them follow the one before.
    if (chance(2) === 0) [first, key] = [chance(rates.length), `k${chance(KEYS)}`];
    const charges = [one(first)];
    // Refunds and looks come alone, as they do in the product.
    if (chance(4) === 0 && charges[0]!.cost > 0) {
      const second = one((first + 1) % rates.length);
      charges.push({ ...second, cost: charges[0]!.cost });
    }
    yield { micros, charges };
  }
}

/** The meters that the product makes of these rates, taken from the limits themselves. */
function metersOf(open: (meters: readonly RateMeter[]) => Meters): { meters: Meters; all: RateMeter[] } {
  const all: RateMeter[] = [];
  for (const [i, rate] of spelled.entries()) {
    const store = {
      kind: 'probe',
      shared: false,
      open: () => undefined as never,
      meters: (policy: { meters: readonly unknown[] }) => {
        all.push(policy.meters[0] as RateMeter);
        return undefined as never;
      },
    };
    rateLimit({ name: `rate-${i}`, rate, burst: rates[i]!.burst, store });
  }
  return { meters: open(all), all };
}

function chargesOf(all: readonly RateMeter[], charges: readonly ModelCharge[]): Charge[] {
  return charges.map(({ rate, key, cost, limit }) => ({ meter: all[rate]!, key, tag: 'one', cost, limit }));
}

interface Tally {
  compared: number;
  admitted: number;
  different: number;
}

function compare(
  tally: Tally,
  charges: readonly ModelCharge[],
  readings: readonly { admitted: boolean; used: number; waitMs: number }[],
  verdicts: readonly { admitted: boolean; used: number; wait: number }[],
): void {
  tally.compared++;
  if (verdicts.every(({ admitted }) => admitted)) tally.admitted++;
  const same = readings.every(({ admitted, used, waitMs }, i) => {
    const verdict = verdicts[i]!;
    if (admitted !== verdict.admitted || used !== verdict.used) return false;
    if (admitted || charges[i]!.cost < 1) return true;
    return (waitMs === Infinity ? -1 : Math.round(waitMs * 1000)) === verdict.wait;
  });
  if (!same) tally.different++;
}

function inMemory(count: number, fault?: ModelFault): Tally {
  let micros = 0;
  // Half a microsecond more, so that milliseconds in binary fractions do not fall short of the whole.
  const now = (): number => (micros + 0.5) / 1000;
  const store = memoryLimits({ clock: { now, monotonic: now } });
  const events = { emit: () => undefined } as never;
  const { meters, all } = metersOf((given) =>
    store.meters!({ name: 'proof', meters: given, lease: 1, onStoreDown: 'refuse', events }),
  );
  const model = new ReferenceModel(rates, fault);
  const tally: Tally = { compared: 0, admitted: 0, different: 0 };
  for (const arrival of arrivals(count, 20_261_125)) {
    ({ micros } = arrival);
    const readings = meters.take(chargesOf(all, arrival.charges)) as never;
    compare(tally, arrival.charges, readings, model.take(arrival.charges, micros));
  }
  return tally;
}

/** Changes of the script's text: the clock and the end of keys are those of the harness; a mutant changes one more place. */
async function inRedis(
  url: string,
  count: number,
  mutant: readonly [string, string] = ['', ''],
): Promise<Tally> {
  const client = new Redis(url);
  await client.flushall();
  let micros = 0;
  const texts = new Map<string, string>();
  const call = async (command: string, ...args: string[]): Promise<unknown> => {
    const time = [String(Math.floor(micros / 1_000_000)), String(micros % 1_000_000)];
    if (command === 'EVALSHA') {
      const known = texts.get(args[0]!);
      if (known === undefined) throw new Error('NOSCRIPT');
      return client.call('EVALSHA', known, ...args.slice(1), ...time);
    }
    const text = replaced(
      replaced(replaced(args[0]!, "redis.call('TIME')", '{ARGV[#ARGV - 1], ARGV[#ARGV]}'), ...mutant),
      'math.ceil(keep / 1000) + 1',
      '86400000',
    );
    const sha = createHash('sha1').update(args[0]!).digest('hex');
    texts.set(sha, (await client.call('SCRIPT', 'LOAD', text)) as string);
    return client.call('EVAL', text, ...args.slice(1), ...time);
  };
  const store = redisLimits({ call }, { timeoutMs: '10s', slowMs: '10s' });
  const events = { emit: () => undefined } as never;
  const { meters, all } = metersOf((given) =>
    store.meters!({ name: 'proof', meters: given, lease: 1, onStoreDown: 'refuse', events }),
  );
  const model = new ReferenceModel(rates);
  const tally: Tally = { compared: 0, admitted: 0, different: 0 };
  let batch: Promise<void>[] = [];
  for (const arrival of arrivals(count, 20_261_125)) {
    ({ micros } = arrival);
    // Sent within the call, so in this order; answers are compared as they come.
    const verdicts = model.take(arrival.charges, micros);
    const answer = meters.take(chargesOf(all, arrival.charges)) as Promise<never>;
    const compared = answer.then((readings) => compare(tally, arrival.charges, readings, verdicts));
    batch.push(compared);
    if (tally.compared === 0 || batch.length === 500) {
      await Promise.all(batch);
      batch = [];
    }
  }
  await Promise.all(batch);
  await client.quit();
  return tally;
}

function replaced(text: string, from: string, to: string): string {
  if (from === '') return text;
  if (!text.includes(from)) throw new Error(`The script no longer says: ${from}`);
  return text.replaceAll(from, to);
}

export async function proveGcra(url: string, short: boolean): Promise<Section> {
  const count = short ? 50_000 : 1_000_000;
  const few = short ? 20_000 : 100_000;
  const memory = inMemory(count);
  const redis = await inRedis(url, short ? 20_000 : 1_000_000);
  const told = ({ compared, admitted, different }: Tally): string =>
    `${compared} arrivals, ${admitted} admitted, ${different} different`;
  const faults: readonly ModelFault[] = [
    'one less',
    'one microsecond',
    'counts refused ones',
    'time given twice',
  ];
  const mutants: readonly (readonly [string, string])[] = [
    ['s.cost <= s.room', 's.cost < s.room'],
    ['s.full = s.limit * s.unit', 's.full = s.limit * s.unit + s.unit'],
    ['at = math.max(at, now)', 'at = now'],
  ];
  const controls = faults.map((fault) => {
    const tally = inMemory(few, fault);
    return control(`the model with the fault "${fault}"`, told(tally), tally.different > 0);
  });
  for (const mutant of mutants) {
    const tally = await inRedis(url, few, mutant);
    controls.push(
      control(`the script with \`${mutant[1]}\` for \`${mutant[0]}\``, told(tally), tally.different > 0),
    );
  }
  const sound = ({ different, admitted, compared }: Tally): boolean =>
    different === 0 && admitted > compared / 10 && admitted < compared * 0.9;
  return {
    title: 'GCRA against a reference model',
    note: 'Seeded arrivals at five rates and 40 keys: bursts, pauses, costs, changing limits, refunds, two charges in one call, a clock set back by up to 9 ms. Compared are the verdict, what stands in the meter and, for refusals, the wait in microseconds. The model is virtual scheduling in whole numbers of any length; of the script only the clock and the end of keys are replaced.',
    claims: [
      { what: 'in memory: equal', measured: told(memory), holds: sound(memory) },
      { what: 'in Redis: equal', measured: told(redis), holds: sound(redis) },
      ...controls,
    ],
  };
}
