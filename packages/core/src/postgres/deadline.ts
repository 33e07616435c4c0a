import { systemClock } from '../clock.js';
import { SqlError } from '../sql-error.js';
import { within } from '../within.js';

/** What is left of the time that a caller gave, over the several steps of one operation. */
export class Deadline {
  readonly signal: AbortSignal | undefined;
  readonly #ms: number;
  readonly #end: number;

  constructor(ms: number, signal?: AbortSignal) {
    if (!(ms > 0)) throw new TypeError(`timeoutMs must be more than 0, not ${ms}.`);
    this.signal = signal;
    this.#ms = ms;
    this.#end = systemClock.monotonic() + ms;
  }

  get leftMs(): number {
    return Math.max(0, this.#end - systemClock.monotonic());
  }

  /** True if the caller does not want an answer any more. */
  get passed(): boolean {
    return this.leftMs === 0 || this.signal?.aborted === true;
  }

  /** The answer of `work` if it comes in time. @throws SqlError of kind `timeout` */
  bound<T>(work: Promise<T>, doing: string): Promise<T> {
    return within(work, this.leftMs, () => this.#late(doing), { signal: this.signal });
  }

  /** @throws SqlError of kind `timeout` if the caller does not want an answer any more */
  check(doing: string): void {
    if (this.passed) throw this.#late(doing);
  }

  #late(doing: string): SqlError {
    return this.signal?.aborted
      ? new SqlError({ kind: 'timeout', details: `aborted while ${doing}`, cause: this.signal.reason })
      : new SqlError({ kind: 'timeout', details: `no answer within ${this.#ms} ms while ${doing}` });
  }
}
