/** Places for requests that run at the same time, and those who wait for one, per key. */
export class Slots {
  readonly #places: number;
  readonly #queue: { readonly size: number; readonly timeoutMs: number };
  /** Bounded by the connections of the server: a key leaves with its last request. */
  readonly #keys = new Map<string, { running: number; readonly waiting: Set<() => void> }>();

  constructor(places: number, queue: { readonly size: number; readonly timeoutMs: number }) {
    this.#places = places;
    this.#queue = queue;
  }

  /** Requests that run or wait for this key. */
  running(key: string): number {
    return this.#keys.get(key)?.running ?? 0;
  }

  /** True with a place, which has to be released; false if there is none. */
  enter(key: string): boolean {
    let slots = this.#keys.get(key);
    if (!slots) this.#keys.set(key, (slots = { running: 0, waiting: new Set() }));
    if (slots.running >= this.#places) return false;
    slots.running++;
    return true;
  }

  /**
   * True with a place, which has to be released; false if there is none and the queue is full. A promise of the same while
   * it waits; `onGone` is told how to leave the queue early.
   */
  acquire(key: string, onGone: (leave: () => void) => void): boolean | Promise<boolean> {
    if (this.enter(key)) return true;
    const { waiting } = this.#keys.get(key)!;
    if (waiting.size >= this.#queue.size) return false;
    return new Promise((resolve) => {
      const end = (got: boolean): void => {
        clearTimeout(timer);
        waiting.delete(enter);
        resolve(got);
      };
      const enter = (): void => end(true);
      const timer = setTimeout(() => end(false), this.#queue.timeoutMs);
      onGone(() => {
        if (waiting.has(enter)) end(false);
      });
      waiting.add(enter);
    });
  }

  /** Gives the place to the one who has waited longest, or back. */
  release(key: string): void {
    const slots = this.#keys.get(key);
    if (!slots) return;
    const [next] = slots.waiting;
    if (next) next();
    else if (--slots.running === 0) this.#keys.delete(key);
  }
}
