import { errors } from './error-codes.js';
import { readOutboxRow } from './outbox-rows.js';
import type { PreparedEntry, RecordDeps } from './record.js';
import type { AuditOutbox } from './store.js';
import type { Writer } from './writer.js';

const SWEEP_EVERY_MS = 1_000;
/** Younger rows are on their way: the process that committed them relays them at once. */
const LEFT_AFTER_MS = 3_000;
const SWEEP_LIMIT = 200;

/**
 * Brings entries from the outbox into the log: those of this process right after their transaction, those that others have
 * left behind (their process died, or triggers wrote them) by sweeping. Two processes that sweep the same row are told apart
 * by its id, which the store takes once.
 */
export class Relay {
  readonly #outbox: AuditOutbox;
  readonly #writer: Writer;
  readonly #deps: RecordDeps;
  readonly #timer: NodeJS.Timeout;
  #sweeping: Promise<void> | undefined;

  constructor(outbox: AuditOutbox, writer: Writer, deps: RecordDeps) {
    this.#outbox = outbox;
    this.#deps = deps;
    this.#writer = writer;
    this.#timer = setInterval(() => void this.sweep(), SWEEP_EVERY_MS);
    this.#timer.unref();
  }

  committed(entry: PreparedEntry): void {
    this.#writer.relay([{ id: entry.id, entries: [entry] }]);
  }

  /** @param longerThanMs How long a row must have waited. */
  sweep(longerThanMs: number = LEFT_AFTER_MS): Promise<void> {
    // A store that cannot be asked is noticed by the writer; the rows wait.
    return (this.#sweeping ??= this.#sweep(longerThanMs)
      .catch(() => undefined)
      .finally(() => (this.#sweeping = undefined)));
  }

  /** Resolves when all that was committed before is in the log. @throws SqlError | E_AUDIT_UNAVAILABLE */
  async catchUp(): Promise<void> {
    await this.#sweep(0);
    await this.#writer.settled();
    if (this.#writer.status.store === 'down') throw errors.E_AUDIT_UNAVAILABLE();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #sweep(longerThanMs: number): Promise<void> {
    for (;;) {
      const left = await this.#outbox.waiting(longerThanMs, SWEEP_LIMIT);
      const rows = left.map((row) => readOutboxRow(row, this.#deps)).filter((row) => row !== undefined);
      const taken = this.#writer.relay(rows);
      if (left.length < SWEEP_LIMIT || taken === 0) return;
      // One statement can leave thousands of rows; they are not held all at once.
      await this.#writer.settled();
    }
  }
}
