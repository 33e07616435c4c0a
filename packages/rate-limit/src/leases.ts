import type { Clock } from '@portcullis/core';
import type { Charge, Reading } from './meter.js';
import type { Order, Receipt } from './take-script.js';

export interface LeasesOptions {
  readonly lease: number;
  readonly leaseMs: number;
  readonly clock: Clock;
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
  /** What the last call said, a receipt for each charge. */
  receipts: readonly Receipt[] | undefined;
  /** What the last call asked for: a smaller cost or a higher limit may be admitted where it was refused. */
  cost: number;
  limit: number;
  refusedUntil: number;
  asking: Promise<unknown> | undefined;
}

/** Asks the store; undefined if it cannot answer and the caller has to count without it. */
export type Ask = (orders: readonly Order[]) => Promise<readonly Receipt[] | undefined>;

const ROTATE_MS = 10_000;

/**
 * Permits held ahead, so that most requests need no trip to the store. They are paid for when they are taken: whatever the
 * processes do, they admit no more than the meter plus what they held when one began to look, at most the lease for all.
 * Charges that come together (a client's address and its wider prefix) are held ahead together.
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

  /** Charges of one limit, which differ in meter and key only. Undefined if the store cannot answer. */
  async take(charges: readonly Charge[]): Promise<readonly Reading[] | undefined> {
    const first = charges[0]!;
    const lease = this.#find(first);
    if (!lease) {
      return this.#ask(charges.map((charge) => ({ charge, want: charge.cost, settle: 0, unused: 0 })));
    }
    const here = this.#here(lease, first);
    if (here) return here;
    if (lease.asking) {
      await lease.asking;
      const now = this.#here(lease, first);
      if (now) return now;
    }
    const asking = this.#renew(lease, charges);
    lease.asking = asking;
    try {
      return await asking;
    } finally {
      if (lease.asking === asking) lease.asking = undefined;
    }
  }

  /** Answers without the store, if a permit is there or the store has just refused. */
  #here(lease: Lease, { cost, limit }: Charge): readonly Reading[] | undefined {
    const now = this.#options.clock.monotonic();
    const { receipts } = lease;
    if (!receipts) return undefined;
    const sinceMs = now - lease.askedAt;
    if (now < lease.until && lease.permits >= cost && limit === lease.limit) {
      lease.permits -= cost;
      return receipts.map((receipt) => ({
        ...receipt,
        admitted: true,
        used: Math.max(cost, receipt.used - lease.permits),
        waitMs: 0,
        resetMs: Math.max(0, receipt.resetMs - sinceMs),
      }));
    }
    if (now >= lease.refusedUntil || cost < lease.cost || limit > lease.limit) return undefined;
    return receipts.map((receipt) => ({
      ...receipt,
      waitMs: Math.max(0, receipt.waitMs - sinceMs),
      resetMs: Math.max(0, receipt.resetMs - sinceMs),
    }));
  }

  async #renew(lease: Lease, charges: readonly Charge[]): Promise<readonly Reading[] | undefined> {
    const { clock, leaseMs, lease: size } = this.#options;
    const now = clock.monotonic();
    const [{ cost, limit }] = charges as readonly [Charge];
    const orders = charges.map((charge, i) => ({
      charge,
      want: cost + size,
      settle: now < lease.until ? lease.ahead : 0,
      unused: unusedOf(lease, charge, lease.receipts?.[i], now),
    }));
    lease.permits = lease.ahead = 0;
    lease.until = 0;
    const receipts = await this.#ask(orders);
    lease.receipts = receipts;
    if (!receipts) return undefined;
    const ahead = Math.max(0, receipts[0]!.granted - cost);
    // Another call for this key may have brought permits meanwhile.
    lease.permits += ahead;
    lease.ahead += ahead;
    lease.askedAt = now;
    lease.cost = cost;
    lease.limit = limit;
    if (ahead > 0) {
      const windows = receipts.filter((_receipt, i) => charges[i]!.meter.kind === 'window');
      lease.until = now + Math.min(leaseMs, ...windows.map(({ resetMs }) => resetMs));
    }
    const refused = receipts.filter(({ admitted }) => !admitted);
    lease.refusedUntil =
      refused.length === 0
        ? 0
        : clock.monotonic() + Math.min(leaseMs, ...refused.map(({ waitMs }) => waitMs));
    return receipts;
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
      receipts: undefined,
      cost: 0,
      limit: 0,
      refusedUntil: 0,
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
function unusedOf(
  { permits, askedAt, until }: Lease,
  { meter }: Charge,
  receipt: Receipt | undefined,
  now: number,
): number {
  if (permits === 0 || !receipt) return 0;
  if (meter.kind === 'window') return now < until ? permits : 0;
  const runOut = ((now - askedAt) * 1000 * meter.leak) / meter.unit;
  return Math.max(0, Math.floor(permits - runOut));
}
