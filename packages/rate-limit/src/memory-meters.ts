import type { Clock } from '@portcullis/core';
import { forgetMs, lengthOf, memoryMs, type BanRule } from './ban.js';
import { KeyTable } from './key-table.js';
import {
  lifetimeMs,
  type Charge,
  type Meter,
  type RateMeter,
  type Reading,
  type WindowMeter,
} from './meter.js';
import type { WindowHits } from './limit-store.js';

export interface MemoryMetersOptions {
  readonly maxKeys: number;
  readonly clock: Clock;
  readonly seed: readonly [number, number];
  readonly ban?: BanRule | undefined;
  readonly onOverflow: () => void;
}

/** What stands in a meter now, before the charge. */
interface State {
  /** Hits of a window, units of a rate. */
  held: number;
  /** Windows: milliseconds when it ends. Rates: microseconds of now, or of the last write if the clock was set back since. */
  at: number;
}

/**
 * The meters of one limiter in this process: also the local shadow of shared ones. Constant time per call, bounded memory.
 */
export class MemoryMeters {
  readonly #options: MemoryMetersOptions;
  readonly #tables = new Map<Meter, KeyTable>();
  readonly #refusals: KeyTable | undefined;
  readonly #bans: KeyTable | undefined;

  constructor(meters: readonly Meter[], options: MemoryMetersOptions) {
    this.#options = options;
    for (const meter of meters) this.#tables.set(meter, this.#table(lifetimeMs(meter)));
    if (options.ban) {
      this.#refusals = this.#table(options.ban.withinMs);
      this.#bans = this.#table(memoryMs(options.ban));
    }
  }

  /** Keys held at the moment, those whose entries mean nothing any more included. */
  get size(): number {
    let sum = 0;
    for (const { size } of this.#tables.values()) sum += size;
    return sum;
  }

  /** Takes all charges, or none if one of them does not fit or is banned. */
  take(charges: readonly Charge[]): readonly Reading[] {
    const nowMs = this.#options.clock.monotonic();
    const first = charges[0]!;
    if (charges.length === 1) {
      const bannedMs = this.#bannedMs(first, nowMs);
      const state = this.#state(first, nowMs);
      const fits = bannedMs === 0 && roomFor(first, state);
      if (fits) this.#commit(first, state);
      return [this.#reading(first, state, fits, nowMs, bannedMs)];
    }
    const bans = charges.map((charge) => this.#bannedMs(charge, nowMs));
    const states = charges.map((charge) => this.#state(charge, nowMs));
    const fits = charges.map((charge, i) => bans[i] === 0 && roomFor(charge, states[i]!));
    const all = fits.every(Boolean);
    if (all) charges.forEach((charge, i) => this.#commit(charge, states[i]!));
    return charges.map((charge, i) =>
      this.#reading(
        all ? charge : { ...charge, cost: fits[i] ? 0 : charge.cost },
        states[i]!,
        fits[i]!,
        nowMs,
        bans[i]!,
      ),
    );
  }

  /** Takes the charge whether it fits or not, up to what the meter holds. */
  force(charge: Charge): void {
    const state = this.#state(charge, this.#options.clock.monotonic());
    this.#commit(charge, state);
  }

  /** Counts a hit of a window beyond its limit too, as express-rate-limit does. */
  hit(meter: WindowMeter, key: string): WindowHits {
    const now = this.#options.clock.monotonic();
    const table = this.#tables.get(meter)!;
    const runs = table.find(key, now) && table.second > now;
    const hits = runs ? table.first + 1 : 1;
    const endsAt = runs ? table.second : now + meter.windowMs;
    table.put(hits, endsAt);
    return { hits, ttlMs: endsAt - now };
  }

  read(meter: WindowMeter, key: string): WindowHits | undefined {
    const now = this.#options.clock.monotonic();
    const table = this.#tables.get(meter)!;
    return table.find(key, now) && table.second > now
      ? { hits: table.first, ttlMs: table.second - now }
      : undefined;
  }

  undo(meter: WindowMeter, key: string): void {
    const table = this.#tables.get(meter)!;
    if (table.find(key, this.#options.clock.monotonic()) && table.first > 0)
      table.put(table.first - 1, table.second);
  }

  /** Takes over what a shared store said of a window; the larger count stands while its window runs. */
  raise(meter: WindowMeter, key: string, seen: WindowHits): WindowHits {
    const now = this.#options.clock.monotonic();
    const table = this.#tables.get(meter)!;
    const ttlMs = Math.min(seen.ttlMs, meter.windowMs);
    let [hits, endsAt] = [seen.hits, now + ttlMs];
    if (table.find(key, now) && table.second > now) {
      if (table.first > hits) [hits, endsAt] = [table.first, table.second];
      else endsAt = Math.min(endsAt, table.second);
    }
    table.put(hits, endsAt);
    return { hits, ttlMs: endsAt - now };
  }

  /** Takes over what a shared store said of a charge. */
  learn(
    { meter, key }: Charge,
    { held, resetMs, bannedMs, newBan }: Pick<Reading, 'resetMs' | 'bannedMs' | 'newBan'> & { held: number },
  ): void {
    const now = this.#options.clock.monotonic();
    const table = this.#tables.get(meter)!;
    table.find(key, now);
    table.put(held, meter.kind === 'window' ? now + Math.min(resetMs, meter.windowMs) : micros(now));
    if (bannedMs === 0 || !this.#bans) return;
    const known = this.#bans.find(key, now) ? this.#bans.second : 1;
    this.#bans.put(now + bannedMs, newBan || known);
  }

  /** The ban that runs for the key of this charge, and its number. */
  ban({ key }: Charge): { readonly forMs: number; readonly number: number } | undefined {
    const now = this.#options.clock.monotonic();
    const bans = this.#bans;
    return bans?.find(key, now) && bans.first > now
      ? { forMs: bans.first - now, number: bans.second }
      : undefined;
  }

  /** Units or hits that stand in the meter now. */
  held(charge: Charge): number {
    return this.#state(charge, this.#options.clock.monotonic()).held;
  }

  reset({ meter, key }: Pick<Charge, 'meter' | 'key'>): void {
    const now = this.#options.clock.monotonic();
    for (const table of [this.#tables.get(meter), this.#refusals, this.#bans]) {
      table?.find(key, now);
      table?.forget();
    }
  }

  #table(lifetime: number): KeyTable {
    const { maxKeys, seed, clock, onOverflow } = this.#options;
    return new KeyTable({ lifetimeMs: lifetime, maxKeys, seed, onOverflow }, clock.monotonic());
  }

  #state({ meter, key, cost }: Charge, nowMs: number): State {
    const table = this.#tables.get(meter)!;
    const found = table.find(key, nowMs);
    if (meter.kind === 'window') {
      const runs = found && table.second > nowMs;
      const state = runs ? { held: table.first, at: table.second } : { held: 0, at: nowMs + meter.windowMs };
      if (cost < 0) state.held = Math.max(0, state.held + cost);
      return state;
    }
    // Time that was counted once is not counted again when the clock was set back.
    const at = found ? Math.max(micros(nowMs), table.second) : micros(nowMs);
    let held = found ? Math.max(0, table.first - (at - table.second) * meter.leak) : 0;
    if (cost < 0) held = Math.max(0, held + cost * meter.unit);
    return { held, at };
  }

  #commit({ meter, cost, limit }: Charge, state: State): void {
    if (cost === 0) return;
    if (cost > 0) {
      state.held +=
        meter.kind === 'window'
          ? cost
          : Math.min(cost * meter.unit, Math.max(0, limit * meter.unit - state.held));
    }
    const table = this.#tables.get(meter)!;
    if (meter.kind === 'rate' && state.held === 0) table.forget();
    else table.put(state.held, state.at);
  }

  #reading(charge: Charge, state: State, admitted: boolean, nowMs: number, bannedMs: number): Reading {
    const { meter } = charge;
    const reading =
      meter.kind === 'window' ? readWindow(charge, state, nowMs) : readRate(charge, meter, state, nowMs);
    if (admitted) {
      const { used, resetMs, aheadMs } = reading;
      return { admitted, used, waitMs: 0, resetMs, aheadMs, bannedMs: 0, newBan: 0 };
    }
    const newBan = bannedMs > 0 ? 0 : this.#countRefusal(charge, nowMs);
    const bannedFor = newBan > 0 ? lengthOf(this.#options.ban!, newBan) : bannedMs;
    const waitMs = Math.max(bannedFor, reading.waitMs);
    return { ...reading, admitted, waitMs, bannedMs: bannedFor, newBan };
  }

  #bannedMs({ key, cost }: Charge, nowMs: number): number {
    if (!this.#bans || cost < 0 || !this.#bans.find(key, nowMs)) return 0;
    return Math.max(0, this.#bans.first - nowMs);
  }

  /** The number of the ban that begins with this refusal, or 0. */
  #countRefusal({ key, cost }: Charge, nowMs: number): number {
    const { ban } = this.#options;
    if (!ban || cost < 1) return 0;
    const refusals = this.#refusals!;
    const running = refusals.find(key, nowMs) && refusals.second > nowMs;
    const count = running ? refusals.first + 1 : 1;
    if (count < ban.after) {
      refusals.put(count, running ? refusals.second : nowMs + ban.withinMs);
      return 0;
    }
    refusals.forget();
    const bans = this.#bans!;
    const known = bans.find(key, nowMs) && nowMs < bans.first + forgetMs(ban);
    const number = (known ? bans.second : 0) + 1;
    bans.put(nowMs + lengthOf(ban, number), number);
    return number;
  }
}

function roomFor({ meter, cost, limit }: Charge, { held }: State): boolean {
  return cost <= 0 || held + (meter.kind === 'window' ? cost : cost * meter.unit) <= limitOf(meter, limit);
}

function limitOf(meter: Meter, limit: number): number {
  return meter.kind === 'window' ? limit : limit * meter.unit;
}

type Measured = Pick<Reading, 'used' | 'waitMs' | 'resetMs' | 'aheadMs'>;

function readWindow({ cost, limit }: Charge, { held, at }: State, nowMs: number): Measured {
  const resetMs = at - nowMs;
  return { used: held, waitMs: cost > limit ? Infinity : resetMs, resetMs, aheadMs: 0 };
}

function readRate(
  { cost, limit }: Charge,
  { unit, leak }: RateMeter,
  { held, at }: State,
  nowMs: number,
): Measured {
  const over = held + cost * unit - limit * unit;
  const setBack = at - micros(nowMs);
  return {
    used: Math.ceil(held / unit),
    waitMs: cost > limit ? Infinity : Math.max(0, Math.ceil(over / leak) + setBack) / 1000,
    resetMs: (Math.ceil(held / leak) + setBack) / 1000,
    aheadMs: (Math.max(0, held - cost * unit) / leak + setBack) / 1000,
  };
}

function micros(ms: number): number {
  return Math.floor(ms * 1000);
}
