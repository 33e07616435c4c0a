import type { WindowCounter, WindowHits } from './limit-store.js';
import type { MemoryMeters } from './memory-meters.js';
import type { WindowMeter } from './meter.js';

/**
 * A shared counter with a local shadow. `onAlone` is told of every hit that was counted, or taken back, here only. While the store answers, the shadow learns what it says; while it does not, the
 * shadow goes on counting from there. After an outage the larger of both counts stands until the window ends, so neither a
 * restart of the store nor its return forgives anybody.
 */
export function withShadow(
  shared: WindowCounter,
  local: MemoryMeters,
  meter: WindowMeter,
  onAlone: (key: string, hits: 1 | -1) => void = () => undefined,
): WindowCounter {
  return {
    async increment(key) {
      let seen: WindowHits;
      try {
        seen = sane(await shared.increment(key));
      } catch {
        const hits = local.hit(meter, key);
        onAlone(key, 1);
        return hits;
      }
      return local.raise(meter, key, seen);
    },
    async read(key) {
      try {
        const seen = await shared.read?.(key);
        const here = local.read(meter, key);
        return seen && here ? (seen.hits > here.hits ? seen : here) : (seen ?? here);
      } catch {
        return local.read(meter, key);
      }
    },
    async undo(key) {
      local.undo(meter, key);
      try {
        await shared.undo(key);
      } catch {
        onAlone(key, -1);
      }
    },
    async reset(key) {
      local.reset({ meter, key });
      await shared.reset(key);
    },
  };
}

/** A counter whose failure refuses. */
export function withoutShadow(counter: WindowCounter): WindowCounter {
  return {
    increment: (key) => {
      const seen = counter.increment(key);
      return seen instanceof Promise ? seen.then(sane) : sane(seen);
    },
    ...(counter.read ? { read: (key: string) => counter.read!(key) } : {}),
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
