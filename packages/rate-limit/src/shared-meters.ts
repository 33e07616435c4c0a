import type { Clock } from '@portcullis/core';
import type { Breaker } from './breaker.js';
import { Debts, whenLate } from './debts.js';
import { freshSeed } from './key-table.js';
import { Leases } from './leases.js';
import type { Meters, MetersPolicy } from './limit-store.js';
import { MemoryMeters } from './memory-meters.js';
import type { Charge, Reading } from './meter.js';
import type { Order, Receipt } from './take-script.js';

export interface SharedMetersOptions {
  readonly clock: Clock;
  readonly breaker: Breaker;
  /** One trip to the store. */
  readonly send: (orders: readonly Order[]) => Promise<readonly Receipt[]>;
  readonly forget: (charge: Charge) => Promise<unknown>;
  /** Tells the store of a ban that began without it. */
  readonly ban: (
    charge: Charge,
    ban: { readonly forMs: number; readonly number: number },
  ) => Promise<unknown>;
  readonly leaseMs: number;
  readonly maxKeys: number;
}

/**
 * Meters in a shared store with a local shadow. While the store answers, the shadow learns what it says; while it does not,
 * the shadow goes on from there, and what it admits is told to the store before the store is asked again.
 */
export class SharedMeters implements Meters {
  readonly #policy: MetersPolicy;
  readonly #options: SharedMetersOptions;
  readonly #shadow: MemoryMeters | undefined;
  readonly #leases: Leases | undefined;
  readonly #debts = new Debts<Charge>();

  constructor(policy: MetersPolicy, options: SharedMetersOptions) {
    this.#policy = policy;
    this.#options = options;
    const { meters, ban, name, events, lease } = policy;
    const { clock, maxKeys, leaseMs } = options;
    if (policy.onStoreDown === 'local') {
      const seed = freshSeed();
      const onOverflow = (): void => events.emit({ type: 'rate-limit.overflowed', limit: name, maxKeys });
      this.#shadow = new MemoryMeters(meters, { maxKeys, clock, seed, ban, onOverflow });
    }
    // Each refusal counts towards a ban, so none may be answered here.
    if (lease > 1 && !ban)
      this.#leases = new Leases({ lease, leaseMs, clock, maxKeys }, (orders) => this.#ask(orders));
  }

  async take(charges: readonly Charge[]): Promise<readonly Reading[]> {
    if (this.#leases && charges[0]!.cost > 0)
      return (await this.#leases.take(charges)) ?? this.#alone(charges);
    const orders = charges.map((charge) => ({ charge, want: charge.cost, settle: 0, unused: 0 }));
    return (await this.#ask(orders)) ?? this.#alone(charges);
  }

  async reset(charges: readonly Charge[]): Promise<void> {
    for (const charge of charges) {
      this.#shadow?.reset(charge);
      this.#leases?.forget(charge);
      this.#debts.forget(nameOf(charge));
    }
    await this.#options.breaker(() => Promise.all(charges.map((charge) => this.#options.forget(charge))));
  }

  /** Tells the store what was admitted without it. Returns for how many keys. */
  async reconcile(call: Breaker): Promise<number> {
    const { send, ban } = this.#options;
    const shadow = this.#shadow!;
    return this.#debts.pay(async ({ subject, cost }) => {
      // A store that came back empty, or older than it was, learns what this process still knows of the key.
      const atLeast = shadow.held({ ...subject, cost: 0 });
      const told = shadow.ban(subject);
      await Promise.all([
        send([{ charge: { ...subject, cost }, want: cost, settle: 0, unused: 0, force: { atLeast } }]),
        told && ban(subject, told),
      ]);
    }, call);
  }

  /** Undefined if the store cannot answer and the policy is to go on without it. */
  async #ask(orders: readonly Order[]): Promise<readonly Receipt[] | undefined> {
    let trip: Promise<readonly Receipt[]> | undefined;
    try {
      const receipts = await this.#options.breaker(() => (trip = this.#options.send(orders)));
      orders.forEach(({ charge }, i) => this.#shadow?.learn(charge, receipts[i]!));
      return receipts;
    } catch (error) {
      if (!this.#shadow) throw error;
      whenLate(trip, (receipts) =>
        orders.forEach(({ charge }, i) => this.#owe(charge, -receipts[i]!.granted)),
      );
      return undefined;
    }
  }

  #alone(charges: readonly Charge[]): readonly Reading[] {
    if (!this.#shadow) throw new TypeError(`${this.#policy.name} has no shadow.`);
    const readings = this.#shadow.take(charges);
    const taken = readings.every(({ admitted }) => admitted);
    for (const charge of charges) this.#owe(charge, taken ? charge.cost : 0);
    return readings;
  }

  #owe(charge: Charge, cost: number): void {
    this.#debts.add(nameOf(charge), charge, cost);
  }
}

function nameOf({ meter, key }: Charge): string {
  return `${meter.id} ${key}`;
}
