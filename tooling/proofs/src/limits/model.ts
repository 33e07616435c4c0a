/** A rate as the model has it: nothing is reduced, nothing is rounded. */
export interface ModelRate {
  readonly count: number;
  readonly perMicros: number;
  readonly burst: number;
}

export interface ModelCharge {
  readonly rate: number;
  readonly key: string;
  readonly cost: number;
  readonly limit: number;
}

export interface ModelVerdict {
  readonly admitted: boolean;
  readonly used: number;
  /** Microseconds; -1 if the charge never fits. */
  readonly wait: number;
}

/** Known to be wrong, each by one: what a harness that compares has to find. */
export type ModelFault = 'one less' | 'one microsecond' | 'counts refused ones' | 'time given twice';

/**
 * Virtual scheduling, the other of the two forms of GCRA in ITU-T I.371: a theoretical time of the next arrival instead of a
 * bucket, in whole numbers of any length. An arrival before the last one that was admitted counts as at the same time.
 */
export class ReferenceModel {
  readonly #rates: readonly ModelRate[];
  readonly #fault: ModelFault | undefined;
  readonly #due = new Map<string, { at: bigint; last: bigint }>();

  constructor(rates: readonly ModelRate[], fault?: ModelFault) {
    this.#rates = rates;
    this.#fault = fault;
  }

  take(charges: readonly ModelCharge[], micros: number): ModelVerdict[] {
    const looks = charges.map((charge) => {
      const { count, perMicros } = this.#rates[charge.rate]!;
      const name = `${charge.rate} ${charge.key}`;
      const scale = BigInt(count);
      const each = BigInt(perMicros);
      const real = BigInt(micros) * scale;
      const { at, last } = this.#due.get(name) ?? { at: 0n, last: 0n };
      const now = this.#fault === 'time given twice' ? real : max(real, last);
      const before = max(at, now) - (charge.cost < 0 ? BigInt(-charge.cost) * each : 0n);
      const start = max(before, now);
      const cost = BigInt(Math.max(0, charge.cost));
      const after = start + cost * each;
      let room = now + BigInt(charge.limit) * each;
      if (this.#fault === 'one less') room -= 1n;
      if (this.#fault === 'one microsecond') room += scale;
      return { charge, name, scale, each, real, now, start, after, fits: cost === 0n || after <= room, room };
    });
    const all = looks.every(({ fits }) => fits);
    return looks.map(({ charge, name, scale, each, real, now, start, after, fits, room }) => {
      const taken = all && charge.cost !== 0;
      if (taken || this.#fault === 'counts refused ones') this.#due.set(name, { at: after, last: now });
      // What is empty is forgotten, and with it when that was.
      if (taken && after <= now) this.#due.delete(name);
      const standing = (all ? after : start) - now;
      return {
        admitted: fits,
        used: Number(up(standing, each)),
        wait: fits ? 0 : charge.cost > charge.limit ? -1 : Number(up(after - room + (now - real), scale)),
      };
    });
  }
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

function up(value: bigint, unit: bigint): bigint {
  return (value + unit - 1n) / unit;
}
