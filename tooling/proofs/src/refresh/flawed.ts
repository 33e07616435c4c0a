import type { SessionStore } from '@portcullis/auth';

/**
 * The control: the rotation that most services have. Reads, compares, writes; whoever read before somebody else wrote, writes too.
 * The write is the place's own compare-and-swap, told to expect whatever stands there.
 */
export function readThenWrite(store: SessionStore): SessionStore {
  return {
    ...store,
    async rotate(id, current, next) {
      const found = await store.find(id);
      if (found?.current !== current) return false;
      for (;;) {
        const standing = await store.find(id);
        if (!standing) return false;
        if (await store.rotate(id, standing.current, next)) return true;
      }
    },
  };
}

/** A store whose answers get lost now and then, after the work was done: the caller cannot know. */
export function losingAnswers(store: SessionStore, isLost: () => boolean, onLost: () => void): SessionStore {
  return {
    ...store,
    async rotate(id, current, next) {
      const rotated = await store.rotate(id, current, next);
      if (rotated && isLost()) {
        onLost();
        throw new Error('The answer of the store was lost.');
      }
      return rotated;
    },
  };
}
