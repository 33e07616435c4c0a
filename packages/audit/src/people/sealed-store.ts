import type { SealedValue } from '../store.js';

/** Where personal values are kept beside the log, for stores that hold them in memory. */
export class SealedValues {
  readonly #values = new Map<string, SealedValue>();
  readonly #erased = new Map<string, number>();

  /** Values whose key is not younger than the erasure of their person are dropped: they come from a spool or another process. */
  add(values: readonly SealedValue[]): void {
    for (const value of values) if (!this.#isErased(value)) this.#values.set(value.commitment, value);
  }

  find(commitments: readonly string[]): readonly SealedValue[] {
    return commitments.flatMap((commitment) => this.#values.get(commitment) ?? []);
  }

  remove(commitments: readonly string[]): void {
    for (const commitment of commitments) this.#values.delete(commitment);
  }

  erase(subjects: readonly string[], at: number): number {
    const gone = new Set(subjects);
    for (const subject of subjects) this.#erased.set(subject, Math.max(at, this.#erased.get(subject) ?? 0));
    let count = 0;
    for (const [commitment, value] of this.#values) {
      if (gone.has(value.subject) && this.#isErased(value)) {
        this.#values.delete(commitment);
        count++;
      }
    }
    return count;
  }

  #isErased({ subject, since }: SealedValue): boolean {
    return since <= (this.#erased.get(subject) ?? -1);
  }
}
