import { storeKey, type KeyValueStore } from '@portcullis/core';

/** What counts guesses: a KeyValueStore, or `postgresGuesses()`. */
export type GuessStore = Pick<KeyValueStore, 'get' | 'set' | 'increment' | 'delete'>;

export interface LadderRules {
  /** Guesses that are judged without a wait. */
  readonly free: number;
  /** The first wait after them; each further guess doubles it. */
  readonly restMs: number;
  readonly maxRestMs: number;
  /** Guesses in a row after which nothing is judged until `windowMs` has passed without one. */
  readonly most: number;
  readonly windowMs: number;
}

export interface Step {
  readonly judged: boolean;
  /** True for the guess with which the waits begin, once in a window. */
  readonly begins: boolean;
}

/** One counter with growing waits. Atomic where the store's calls are: guesses at the same time cannot share a step. */
export interface Ladder {
  resting(subject: string): Promise<boolean>;
  take(subject: string): Promise<Step>;
  /** How many were counted, and forgets them. */
  clear(subject: string): Promise<number>;
  giveBack(subject: string, count: number): Promise<void>;
}

const TAG = 'auth-guess';
const RESTING: Step = { judged: false, begins: false };

export function createLadder(store: GuessStore, name: string, rules: LadderRules): Ladder {
  const { free, restMs, maxRestMs, most, windowMs } = rules;
  const countKey = (subject: string) => storeKey(TAG, subject, name, 'count');
  const restKey = (subject: string) => storeKey(TAG, subject, name, 'rest');
  const toldKey = (subject: string) => storeKey(TAG, subject, name, 'told');
  const resting = async (subject: string) => (await store.get(restKey(subject))) !== undefined;

  return {
    resting,
    async take(subject) {
      // While a subject rests, nothing is counted: an attacker cannot make its owner wait longer by knocking.
      if (await resting(subject)) return RESTING;
      const { value } = await store.increment(countKey(subject), 1, { ttlMs: windowMs, extend: true });
      if (value <= free) return { judged: true, begins: false };
      const pause = value >= most ? windowMs : Math.min(maxRestMs, restMs * 2 ** (value - free - 1));
      // Whoever begins the rest is the one guess before it; others at the same time come too late.
      const first = await store.set(restKey(subject), '1', { ttlMs: pause, ifAbsent: true });
      if (!first) return RESTING;
      const begins = await store.set(toldKey(subject), '1', { ttlMs: windowMs, ifAbsent: true });
      return { judged: true, begins };
    },
    async clear(subject) {
      const counted = Number((await store.get(countKey(subject))) ?? 0);
      await store.delete(countKey(subject));
      await store.delete(restKey(subject));
      await store.delete(toldKey(subject));
      return counted;
    },
    async giveBack(subject, count) {
      if (count > 0) await store.increment(countKey(subject), -count, { ttlMs: windowMs });
    },
  };
}

export function networkCountKey(network: string) {
  return storeKey(TAG, network, 'network');
}
