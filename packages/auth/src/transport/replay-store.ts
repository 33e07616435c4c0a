import { createHash } from 'node:crypto';
import { option, readOptions, storeKey, type KeyValueStore } from '@portcullis/core';

/** Remembers what may be used only once, for as long as it could be used again. `replayStoreSuite` shows what it must do. */
export interface ReplayStore {
  /** Short name for messages: `memory`, `redis`, `postgres`. */
  readonly kind: string;
  /** True if other processes see what is remembered here. */
  readonly shared: boolean;
  /** True for exactly one of all calls with this id, until `ttlMs` has passed. Rejects (503) if it cannot know. */
  firstUse(id: string, ttlMs: number): Promise<boolean>;
}

/**
 * Proofs that were used, in a {@link KeyValueStore}: memory for one process, Redis for several.
 * @throws OptionError
 */
export function keyValueReplays(options: { readonly store: KeyValueStore }): ReplayStore {
  const { store } = readOptions('keyValueReplays', options, { store: option.port<KeyValueStore>(['set']) });
  return {
    kind: store.kind,
    shared: store.shared,
    firstUse: (id, ttlMs) => store.set(storeKey('auth-used', digestOf(id)), '1', { ttlMs, ifAbsent: true }),
  };
}

/** Of what a sender made up: any length and any characters become 43. */
export function digestOf(id: string): string {
  return createHash('sha256').update(id).digest('base64url');
}
