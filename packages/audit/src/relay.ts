import { canonicalJson } from './canonical-json.js';
import type { DraftBody } from './entry.js';
import type { PreparedEntry } from './record.js';
import type { AuditOutbox, OutboxEntry } from './store.js';
import type { Writer } from './writer.js';

const SWEEP_EVERY_MS = 1_000;
/** Younger rows are on their way: the process that committed them relays them at once. */
const LEFT_AFTER_MS = 3_000;
const SWEEP_LIMIT = 2_000;

/**
 * Brings entries from the outbox into the log: those of this process right after their transaction, those that others have
 * left behind (their process died, or triggers wrote them) by sweeping. Two processes that sweep the same row are told apart
 * by its id, which the store takes once.
 */
export class Relay {
  readonly #outbox: AuditOutbox;
  readonly #writer: Writer;
  readonly #timer: NodeJS.Timeout;
  #sweeping: Promise<void> | undefined;

  constructor(outbox: AuditOutbox, writer: Writer) {
    this.#outbox = outbox;
    this.#writer = writer;
    this.#timer = setInterval(() => void this.sweep(), SWEEP_EVERY_MS);
    this.#timer.unref();
  }

  committed(entry: PreparedEntry): void {
    this.#writer.relay([entry]);
  }

  /** @param longerThanMs How long a row must have waited. */
  sweep(longerThanMs: number = LEFT_AFTER_MS): Promise<void> {
    return (this.#sweeping ??= this.#sweep(longerThanMs).finally(() => (this.#sweeping = undefined)));
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async #sweep(longerThanMs: number): Promise<void> {
    // A store that cannot be asked is noticed by the writer; the rows wait.
    const left = await this.#outbox.waiting(longerThanMs, SWEEP_LIMIT).catch(() => []);
    this.#writer.relay(left.flatMap(readDraft));
  }
}

/** What triggers write is JSON, but not canonical. A row that is no entry stays where it is. */
function readDraft({ id, draft }: OutboxEntry): (PreparedEntry & OutboxEntry)[] {
  try {
    const { c, e, k, t } = JSON.parse(draft) as DraftBody;
    const text = canonicalJson({ c, e, id, k, t: new Date(t).toISOString() });
    return [{ id, kind: k, action: e.type, draft: text }];
  } catch {
    return [];
  }
}
