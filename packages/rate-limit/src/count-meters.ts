import type { Clock, SecurityRequest } from '@portcullis/core';
import type { LimitState } from './augment.js';
import {
  afterwards,
  wideOf,
  type Counted,
  type Counting,
  type Outcome,
  type Part,
  type Taken,
} from './counting.js';
import { freshSeed, KeyTable } from './key-table.js';
import type { LimitStore, Meters } from './limit-store.js';
import { lifetimeMs, type Charge, type Reading } from './meter.js';
import type { CompiledLimit } from './options.js';
import { reportBan, unavailable } from './refusals.js';
import type { Settings } from './settings.js';

/** Everything that meters can count: rates, costs, bans, several limits in one trip. */
export function countMeters(
  limits: readonly CompiledLimit[],
  store: LimitStore,
  settings: Settings,
): Counting {
  const { clock, ban, onStoreDown, events } = settings;
  const names = limits.map(({ name }) => name).join('+');
  const all = limits.flatMap(({ meter, wide }) => (wide ? [meter!, wide.meter] : [meter!]));
  const lease = limits.length > 1 || ban ? 1 : limits[0]!.lease;
  const meters: Meters = store.meters!({ name: names, meters: all, ban, lease, onStoreDown, events });
  const recent = refusedBefore(all, clock);

  function chargesOf(parts: readonly Part[], cost?: number): readonly Charge[] {
    const charges: Charge[] = [];
    for (const part of parts) {
      const { limit, counted, most } = part;
      const wide = wideOf(part);
      const tag = limits.length > 1 ? names : (wide?.key ?? counted.key);
      const own = { meter: limit.meter!, key: counted.key, tag, cost: cost ?? part.cost, limit: most };
      charges.push(own);
      if (wide) charges.push({ ...own, meter: wide.meter, key: wide.key, limit: most * wide.times });
    }
    return charges;
  }

  function outcomeOf(req: SecurityRequest, part: Part, reading: Reading): Outcome {
    const { limit, counted, most } = part;
    const { admitted, used, resetMs, newBan, bannedMs } = reading;
    const state: LimitState = { name: limit.name, limit: most, remaining: Math.max(0, most - used), resetMs };
    if (admitted) return { part, state };
    if (newBan > 0) reportBan(req, part, newBan, settings);
    const waitMs = Number.isFinite(reading.waitMs) ? reading.waitMs : resetMs;
    return { part, state, refusal: { waitMs, first: recent(`${limit.name} ${counted.key}`), bannedMs } };
  }

  return {
    count(req, _res, parts) {
      const charges = chargesOf(parts);
      return afterwards(takeFrom(meters, charges), (readings): Counted => {
        sane(readings, charges);
        let next = 0;
        let delayMs = 0;
        let refused = false;
        const outcomes: Outcome[] = [];
        for (const part of parts) {
          const { limit } = part;
          const own = readings[next++]!;
          // Of a client's two prefixes the one that stands worse is told.
          const wide = charges.length > parts.length && wideOf(part) ? readings[next++]! : undefined;
          if (limit.delayBeyondMs !== undefined) {
            delayMs = Math.max(delayMs, Math.max(own.aheadMs, wide?.aheadMs ?? 0) - limit.delayBeyondMs);
          }
          const outcome = outcomeOf(req, part, wide ? worseOf(own, wide, limit.wide!.times) : own);
          outcomes.push(outcome);
          if (outcome.refusal) refused = true;
        }
        return refused
          ? { outcomes, delayMs: 0 }
          : { outcomes, delayMs, taken: new TakenCharges(meters, charges) };
      });
    },
    async peek(parts) {
      const readings = await meters.take(chargesOf(parts, 0));
      let next = 0;
      return parts.map((part) => {
        const mine = readings.slice(next, (next += wideOf(part) ? 2 : 1));
        const worse = mine.length === 1 ? mine[0]! : worseOf(mine[0]!, mine[1]!, part.limit.wide!.times);
        return {
          name: part.limit.name,
          limit: part.most,
          remaining: Math.max(0, part.most - worse.used),
          resetMs: worse.resetMs,
        };
      });
    },
    reset: async (parts) => meters.reset(chargesOf(parts)),
  };
}

/** What meters took for one request. */
class TakenCharges implements Taken {
  readonly #meters: Meters;
  readonly #charges: readonly Charge[];
  #left = Infinity;

  constructor(meters: Meters, charges: readonly Charge[]) {
    this.#meters = meters;
    this.#charges = charges;
  }

  async refund(cost: number): Promise<void> {
    const left = this.#left;
    const back = this.#charges.map((charge) => ({ ...charge, cost: -Math.min(cost, left, charge.cost) }));
    this.#left = Math.max(0, Math.min(left, ...this.#charges.map((charge) => charge.cost)) - cost);
    if (back.some((charge) => charge.cost < 0)) await this.#meters.take(back);
  }
}

function takeFrom(
  meters: Meters,
  charges: readonly Charge[],
): readonly Reading[] | Promise<readonly Reading[]> {
  let readings: readonly Reading[] | Promise<readonly Reading[]>;
  try {
    readings = meters.take(charges);
  } catch (cause) {
    return unavailable(cause);
  }
  return readings instanceof Promise ? readings.catch(unavailable) : readings;
}

function isReading({ admitted, used, waitMs, resetMs }: Reading): boolean {
  return typeof admitted === 'boolean' && used >= 0 && waitMs >= 0 && resetMs >= 0;
}

/** A store that answers nonsense is as good as down. */
function sane(readings: readonly Reading[], charges: readonly Charge[]): void {
  if (!Array.isArray(readings) || readings.length !== charges.length || !readings.every(isReading))
    unavailable(new TypeError('The store answered with a reading that is none.'));
}

function worseOf(own: Reading, wide: Reading, times: number): Reading {
  const used = Math.ceil(wide.used / times);
  if (own.admitted !== wide.admitted) return own.admitted ? { ...wide, used } : own;
  if (!own.admitted) return own.waitMs >= wide.waitMs ? own : { ...wide, used };
  return own.used >= used ? own : { ...wide, used };
}

/** Whether this is the first refusal of a key for a while; only refusals are remembered. */
function refusedBefore(meters: readonly Charge['meter'][], clock: Clock): (key: string) => boolean {
  const whileMs = Math.max(...meters.map(lifetimeMs));
  const table = new KeyTable(
    { lifetimeMs: whileMs, maxKeys: 100_000, seed: freshSeed(), onOverflow: () => undefined },
    clock.monotonic(),
  );
  return (key) => {
    const now = clock.monotonic();
    const first = !table.find(key, now) || table.first <= now;
    table.put(now + whileMs, 0);
    return first;
  };
}
