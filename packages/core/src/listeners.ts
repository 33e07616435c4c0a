/** A set of callbacks; each registration counts on its own. */
export class Listeners<T> {
  readonly #all = new Set<{ readonly fn: (value: T) => void }>();

  get size(): number {
    return this.#all.size;
  }

  add(fn: (value: T) => void): () => void {
    const entry = { fn };
    this.#all.add(entry);
    return () => void this.#all.delete(entry);
  }

  /** Calls everybody, then throws the first fault: whoever delivers must know that somebody may have missed it. */
  deliver(value: T): void {
    const faults: unknown[] = [];
    for (const { fn } of this.#all) {
      try {
        fn(value);
      } catch (error) {
        faults.push(error);
      }
    }
    if (faults.length > 0) throw faults[0];
  }
}
