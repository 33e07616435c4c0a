import { optionConflict, type CallOptions, type ChangeFeed, type ChangesRead } from '@portcullis/core';
import type { RoleStore } from './role-store.js';

/** What a database of your own has to offer: three functions. */
export interface RoleStoreFunctions {
  readonly load: RoleStore['load'];
  readonly commit: RoleStore['commit'];
  /**
   * Every change after `revision`, in order of commit; `undefined` asks for the current revision only. Revisions must
   * appear in the order of their commits: take them from a counter row that each commit updates (and so locks), never
   * from a sequence. `reset: true` if changes that were asked for are gone.
   */
  readonly changesSince: (revision: number | undefined, options?: CallOptions) => Promise<ChangesRead>;
}

/**
 * A role store for any database. Other processes see changes by polling, within the lease. `commit` writes the changes
 * of its batch to the log in the same transaction; nothing else may publish to it.
 */
export function roleStoreFrom(functions: RoleStoreFunctions): RoleStore {
  const { load, commit, changesSince } = functions;
  const hinted = new Set<() => void>();
  const feed: ChangeFeed = {
    synchronous: false,
    publish: async () =>
      optionConflict('roleStoreFrom', 'feed', 'changes of this store are published by its own commit only'),
    readSince: (revision, options) => changesSince(revision, options),
    onHint(fn) {
      hinted.add(fn);
      return () => void hinted.delete(fn);
    },
    onChange: () => () => undefined,
    close: async () => hinted.clear(),
  };
  return {
    load: (scope, options) => load(scope, options),
    async commit(batch, options) {
      const result = await commit(batch, options);
      // This process need not wait for its next poll.
      if ('revision' in result) for (const fn of hinted) fn();
      return result;
    },
    feed,
  };
}
