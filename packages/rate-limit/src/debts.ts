/** What was admitted without the shared store, until it can be told. Below zero: what the store has counted too much. */
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
   * back what the store has counted after all, or what was given back without it.
   */
  add(key: string, subject: T, cost: number): void {
    const debt = this.#byKey.get(key);
    if (debt) debt.cost += cost;
    else if (this.#byKey.size < MOST_KEYS) this.#byKey.set(key, { subject, cost });
  }

  forget(key: string): void {
    this.#byKey.delete(key);
  }

  /**
   * Pays all of them, some hundred at a time, a trip each. Those of a failed batch are kept, and taken back as far as the
   * store has carried them out after all. Returns how many keys were told.
   */
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
      let trips: Promise<unknown>[] = [];
      try {
        await together(() => Promise.all((trips = batch.map(([, debt]) => one(debt)))));
      } catch (error) {
        batch.forEach(([key, { subject, cost }], i) => {
          this.add(key, subject, cost);
          whenLate(trips[i], () => this.add(key, subject, -cost));
        });
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
