import type { Clock } from '@portcullis/core';
import type { Charge, Reading } from './meter.js';
import type { Order, Receipt } from './take-script.js';

export interface LeasesOptions {
  readonly lease: number;
  readonly leaseMs: number;
  readonly clock: Clock;
  /** Whether refusals may be remembered here: not where each one counts towards a ban. */
  readonly rememberRefusals: boolean;
  /** Keys for which permits are held at a time. */
  readonly maxKeys: number;
}

interface Lease {
  /** Taken from the store and not used yet. */
  permits: number;
  /** Permits that the store counts as held ahead. */
  ahead: number;
  askedAt: number;
  until: number;
  refusedUntil: number;
  receipt: Receipt | undefined;
  asking: Promise<unknown> | undefined;
}

/** Asks the store; undefined if it cannot answer and the caller has to count without it. */
export type Ask = (order: Order) => Promise<Receipt | undefined>;

const ROTATE_MS = 10_000;

/**
 * Permits held ahead, so that most requests need no trip to the store. They are paid for when they are taken: whatever the
 * processes do, they admit no more than the meter plus what they held when one began to look, at most the lease for all.
 */
export class Leases {
  readonly #options: LeasesOptions;
  readonly #ask: Ask;
  #young = new Map<string, Lease>();
  #old = new Map<string, Lease>();
  #turnsAt: number;

  constructor(options: LeasesOptions, ask: Ask) {
    this.#options = options;
    this.#ask = ask;
    this.#turnsAt = options.clock.monotonic() + ROTATE_MS;
  }

  /** Undefined if the store cannot answer. */
  async take(charge: Charge): Promise<Reading | undefined> {
    const lease = this.#find(charge);
    if (!lease) return this.#ask({ charge, want: charge.cost, settle: 0, unused: 0, force: false });
    const here = this.#here(lease, charge);
    if (here) return here;
    if (lease.asking) {
      await lease.asking;
      const now = this.#here(lease, charge);
      if (now) return now;
    }
    const asking = this.#renew(lease, charge);
    lease.asking = asking;
    try {
      return await asking;
    } finally {
      if (lease.asking === asking) lease.asking = undefined;
    }
  }

  /** Answers without the store, if a permit is there or the store has just refused. */
  #here(lease: Lease, charge: Charge): Reading | undefined {
    const now = this.#options.clock.monotonic();
    const { receipt } = lease;
    if (!receipt) return undefined;
    const resetMs = Math.max(0, receipt.resetMs - (now - lease.askedAt));
    if (now < lease.until && lease.permits >= charge.cost) {
      lease.permits -= charge.cost;
      const used = Math.max(charge.cost, receipt.used - lease.permits);
      return { ...receipt, admitted: true, used, waitMs: 0, resetMs };
    }
    if (now >= lease.refusedUntil) return undefined;
    const waitMs = Math.max(0, receipt.waitMs - (now - lease.askedAt));
    return { ...receipt, admitted: false, waitMs, resetMs };
  }

  async #renew(lease: Lease, charge: Charge): Promise<Reading | undefined> {
    const { clock, leaseMs, lease: size, rememberRefusals } = this.#options;
    const now = clock.monotonic();
    const order: Order = {
      charge,
      want: charge.cost + size,
      settle: now < lease.until ? lease.ahead : 0,
      unused: unusedOf(lease, charge, now),
      force: false,
    };
    lease.permits = lease.ahead = 0;
    lease.until = 0;
    const receipt = await this.#ask(order);
    if (!receipt) {
      lease.receipt = undefined;
      return undefined;
    }
    const ahead = Math.max(0, receipt.granted - charge.cost);
    // Another call for this key may have brought permits meanwhile.
    lease.permits += ahead;
    lease.ahead += ahead;
    lease.askedAt = now;
    if (ahead > 0)
      lease.until = now + Math.min(leaseMs, charge.meter.kind === 'window' ? receipt.resetMs : Infinity);
    lease.refusedUntil =
      receipt.admitted || !rememberRefusals ? 0 : clock.monotonic() + Math.min(receipt.waitMs, leaseMs);
    lease.receipt = receipt;
    return receipt;
  }

  #find({ meter, key }: Charge): Lease | undefined {
    const now = this.#options.clock.monotonic();
    if (now >= this.#turnsAt) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#turnsAt = now + ROTATE_MS;
    }
    const name = `${meter.id} ${key}`;
    const young = this.#young.get(name);
    if (young) return young;
    const old = this.#old.get(name);
    // Beyond the bound a key simply asks the store each time.
    if (!old && this.#young.size + this.#old.size >= this.#options.maxKeys) return undefined;
    if (old) this.#old.delete(name);
    const lease = old ?? {
      permits: 0,
      ahead: 0,
      askedAt: 0,
      until: 0,
      refusedUntil: 0,
      receipt: undefined,
      asking: undefined,
    };
    this.#young.set(name, lease);
    return lease;
  }

  forget({ meter, key }: Pick<Charge, 'meter' | 'key'>): void {
    const name = `${meter.id} ${key}`;
    this.#young.delete(name);
    this.#old.delete(name);
  }
}

/**
 * What may go back: of a window, everything while it runs; of a rate, what cannot have run out since it was taken, or the
 * permits of others would be given back.
 */
function unusedOf({ permits, askedAt, until, receipt }: Lease, { meter }: Charge, now: number): number {
  if (permits === 0 || !receipt) return 0;
  if (meter.kind === 'window') return now < until ? permits : 0;
  const runOut = ((now - askedAt) * 1000 * meter.leak) / meter.unit;
  return Math.max(0, Math.floor(permits - runOut));
}
