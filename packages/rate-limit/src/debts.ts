/** What was admitted without the shared store, until it can be told. */
export interface Debt<T> {
  readonly subject: T;
  cost: number;
}

const AT_ONCE = 200;
const MOST_KEYS = 200_000;

/** Debts by key. Bounded: what does not fit any more is not told, which makes the shared count too low for that key. */
export class Debts<T> {
  #byKey = new Map<string, Debt<T>>();

  /**
   * Notes a debt. 0 only says that the key was seen, so that a store which has lost it learns it again; a negative one takes
   * back what the store has counted after all.
   */
  add(key: string, subject: T, cost: number): void {
    const debt = this.#byKey.get(key);
    if (debt) debt.cost = Math.max(0, debt.cost + cost);
    else if (cost >= 0 && this.#byKey.size < MOST_KEYS) this.#byKey.set(key, { subject, cost });
  }

  /** Pays all of them, some hundred at a time; those of a failed batch are kept. Returns how many keys were told. */
  async pay(
    one: (debt: Debt<T>) => Promise<unknown>,
    together: (work: () => Promise<unknown>) => Promise<unknown>,
  ): Promise<number> {
    let told = 0;
    while (this.#byKey.size > 0) {
      const batch: [string, Debt<T>][] = [];
      for (const entry of this.#byKey) {
        batch.push(entry);
        this.#byKey.delete(entry[0]);
        if (batch.length === AT_ONCE) break;
      }
      try {
        await together(() => Promise.all(batch.map(([, debt]) => one(debt))));
      } catch (error) {
        for (const [key, { subject, cost }] of batch) this.add(key, subject, cost);
        throw error;
      }
      told += batch.length;
    }
    return told;
  }
}

/**
 * Runs `take` once an answer has come that nobody waited for any more: the store has counted after all. Those who asked have
 * counted here by then.
 */
export function whenLate<T>(trip: Promise<T> | undefined, take: (answer: T) => void): void {
  trip?.then(
    (answer) => void setImmediate(take, answer),
    () => undefined,
  );
}
