import type { Change, ChangeFeed, ChangesRead } from './change-feed.js';
import { checkChanges } from './changes.js';
import { Listeners } from './listeners.js';
import { OptionError } from './option-error.js';
import type { SqlTransaction } from './sql.js';

const HISTORY = 1000;

/**
 * A feed within this process: a change has reached every listener when `publish` resolves, so no lease is needed.
 * `publish` rejects, after all listeners were called, if one of them threw. For facts that live in memory too.
 */
export function createMemoryFeed(): ChangeFeed {
  return new MemoryFeed();
}

class MemoryFeed implements ChangeFeed {
  readonly synchronous = true;
  readonly #log: (Change & { readonly revision: number })[] = [];
  readonly #listeners = new Listeners<ChangesRead>();
  readonly #hints = new Listeners<void>();
  #revision = 0;
  /** The newest revision whose changes have left the history. */
  #forgotten = 0;

  async publish(changes: readonly Change[], tx?: SqlTransaction): Promise<number> {
    if (tx) {
      throw new OptionError(
        'E_OPTION_CONFLICT',
        'createMemoryFeed',
        'tx',
        'a memory feed cannot publish within a database transaction; use postgresFeed({ sql })',
      );
    }
    const checked = checkChanges(changes);
    if (checked.length === 0) return this.#revision;
    const revision = ++this.#revision;
    const published = checked.map((change) => Object.freeze({ ...change, revision }));
    this.#log.push(...published);
    if (this.#log.length > 2 * HISTORY) {
      const gone = this.#log.splice(0, this.#log.length - HISTORY);
      this.#forgotten = gone.at(-1)!.revision;
    }
    this.#listeners.deliver({ revision, changes: published, reset: false });
    this.#hints.deliver();
    return revision;
  }

  async readSince(revision: number | undefined): Promise<ChangesRead> {
    if (revision === undefined) return { revision: this.#revision, changes: [], reset: false };
    const reset = revision < this.#forgotten || revision > this.#revision;
    const changes = reset ? [] : this.#log.filter((change) => change.revision > revision);
    return { revision: this.#revision, changes, reset };
  }

  onHint(fn: () => void): () => void {
    return this.#hints.add(fn);
  }

  onChange(fn: (read: ChangesRead) => void): () => void {
    return this.#listeners.add(fn);
  }

  async close(): Promise<void> {}
}
