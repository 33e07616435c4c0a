import type { MemoryWindow } from './memory-windows.js';
import type { WindowCounter, WindowHits } from './window-store.js';

/**
 * A shared counter with a local shadow. While the store answers, the shadow learns what it says; while it does
 * not, the shadow goes on counting from there. After an outage the larger of both counts stands until the
 * window ends, so neither a restart of the store nor its return forgives anybody.
 */
export function withShadow(shared: WindowCounter, local: MemoryWindow): WindowCounter {
  return {
    async increment(key) {
      let seen: WindowHits;
      try {
        seen = sane(await shared.increment(key));
      } catch {
        return local.increment(key);
      }
      return local.raise(key, seen);
    },
    async undo(key) {
      local.undo(key);
      await ignoringFailure(() => shared.undo(key));
    },
    async reset(key) {
      local.reset(key);
      await shared.reset(key);
    },
  };
}

/** A counter whose failure refuses. */
export function withoutShadow(counter: WindowCounter): WindowCounter {
  return {
    increment: async (key) => sane(await counter.increment(key)),
    undo: (key) => ignoringFailure(() => counter.undo(key)),
    reset: (key) => counter.reset(key),
  };
}

/** A store that answers nonsense is as good as down. */
function sane(seen: WindowHits): WindowHits {
  if (!Number.isSafeInteger(seen.hits) || seen.hits < 1 || !(seen.ttlMs >= 0)) {
    throw new TypeError('The store answered with a count that is none.');
  }
  return seen;
}

// A hit that could not be taken back only makes the limit stricter.
async function ignoringFailure(work: () => void | Promise<void>): Promise<void> {
  try {
    await work();
  } catch {
    // See above.
  }
}
