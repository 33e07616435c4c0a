import { errors } from './error-codes.js';
import { readOutboxRow, type RelayedRow } from './outbox-rows.js';
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
  #next: { longerThanMs: number; readonly done: Promise<void> } | undefined;

  constructor(outbox: AuditOutbox, writer: Writer, deps: RecordDeps) {
    this.#outbox = outbox;
    this.#deps = deps;
    this.#writer = writer;
    this.#timer = setInterval(() => this.#regularly(), SWEEP_EVERY_MS);
    this.#timer.unref();
  }

  committed(entry: PreparedEntry): void {
    this.#writer.relay([{ id: entry.id, entries: [entry] }]);
  }

  /**
   * Resolves when everything that waited longer than this is in the log. Sweeps are made one after another; who comes while one is
   * on its way shares the next, because the one on its way has not seen what they have committed, and may look for older rows only.
   * @throws SqlError | E_AUDIT_UNAVAILABLE
   */
  catchUp(longerThanMs = 0): Promise<void> {
    if (this.#next) {
      this.#next.longerThanMs = Math.min(this.#next.longerThanMs, longerThanMs);
      return this.#next.done;
    }
    if (!this.#sweeping) return this.#start(longerThanMs);
    const begin = (): Promise<void> => {
      const { longerThanMs: shortest } = this.#next!;
      this.#next = undefined;
      return this.#start(shortest);
    };
    this.#next = { longerThanMs, done: this.#sweeping.then(begin, begin) };
    return this.#next.done;
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #regularly(): void {
    // A store that cannot be asked is noticed by the writer; the rows wait.
    if (!this.#sweeping) this.#start(LEFT_AFTER_MS).catch(() => undefined);
  }

  #start(longerThanMs: number): Promise<void> {
    const sweeping = this.#sweep(longerThanMs).finally(() => (this.#sweeping = undefined));
    this.#sweeping = sweeping;
    return sweeping;
  }

  /** Goes through what waits once: rows that nobody can read, or that the store refuses, stay and hold nothing up. */
  async #sweep(longerThanMs: number): Promise<void> {
    let behind: string | undefined;
    do {
      const left = await this.#outbox.waiting(longerThanMs, SWEEP_LIMIT, behind);
      let rows: readonly RelayedRow[] = left
        .map((row) => readOutboxRow(row, this.#deps))
        .filter((row) => row !== undefined);
      // One statement can leave thousands of rows; they are not held all at once.
      do {
        rows = this.#writer.relay(rows);
        await this.#writer.settled();
        if (this.#writer.status.store === 'down') throw errors.E_AUDIT_UNAVAILABLE();
      } while (rows.length > 0);
      behind = left.length < SWEEP_LIMIT ? undefined : left.at(-1)!.place;
    } while (behind !== undefined);
  }
}
