import { within } from '@portcullis/core';
import { policyAfter, userAfter } from './apply-writes.js';
import { errors } from './error-codes.js';
import type { FactsCache } from './facts.js';
import { checkPolicyRecord, checkUserRecord } from './records.js';
import {
  POLICY_TOPIC,
  type PolicyRecord,
  type RoleBatch,
  type RoleStore,
  type Snapshot,
  type UserRecord,
} from './role-store.js';
import type { PendingWrite, WriteCheck } from './write-check.js';

export interface WriterDeps {
  readonly store: RoleStore;
  readonly facts: FactsCache;
  readonly writeDeadlineMs: number;
  /** Asked about every write, at every attempt. */
  readonly checks: readonly WriteCheck[];
}

/** What is to be written, and who has to be told. */
export type Draft = Pick<RoleBatch, 'writes' | 'changes' | 'changesPolicy'>;

export interface Writer {
  /**
   * Reads the policy, lets `plan` validate and draft against it, and commits only if it is still the same: two
   * administrators cannot make a cycle, or grant a role that is being removed, by writing at the same time.
   */
  write(plan: (policy: PolicyRecord) => Draft): Promise<{ readonly revision: number }>;
  /** In time, or E_ROLES_TIMEOUT. */
  readonly read: RoleStore['load'];
}

const ATTEMPTS = 8;
const PAGE = 500;
/** What was read is not of one revision: begin again. */
const CHANGED = Symbol('changed');

/** Writes by compare-and-swap on the revision of the policy. */
export function createWriter({ store, facts, writeDeadlineMs, checks }: WriterDeps): Writer {
  const timely = <T>(call: () => Promise<T>): Promise<T> =>
    within(Promise.resolve(call()), writeDeadlineMs, () => errors.E_ROLES_TIMEOUT());

  async function write(plan: (policy: PolicyRecord) => Draft): Promise<{ readonly revision: number }> {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      const { policy, policyRevision } = await read({ kind: 'policy' });
      const before = checkPolicyRecord(policy);
      let draft = plan(before);
      try {
        if (await judged(draft, before, policyRevision)) draft = serialised(draft);
      } catch (error) {
        if (error === CHANGED) continue;
        throw error;
      }
      const result = await timely(() =>
        store.commit({ ...draft, ifPolicyRevision: policyRevision }, { deadlineMs: writeDeadlineMs }),
      );
      if ('conflict' in result) continue;
      facts.written(draft.changes, result.revision);
      return { revision: result.revision };
    }
    throw errors.E_ROLES_CONFLICT();
  }

  /** Do all checks agree? True if one of them rests on what others may be writing. */
  async function judged(draft: Draft, before: PolicyRecord, revision: number): Promise<boolean> {
    if (checks.length === 0) return false;
    const { writes } = draft;
    const load: RoleStore['load'] = async (scope) => {
      const snapshot = await read(scope);
      if (snapshot.policyRevision !== revision) throw CHANGED;
      return snapshot;
    };
    const both = (id: string, user: UserRecord) => ({
      before: user,
      after: writes.reduce((now, each) => userAfter(id, now, each), user),
    });
    const pending: PendingWrite = {
      writes,
      before,
      after: writes.reduce((now, each) => policyAfter(now, each), before),
      userIds: [...new Set(writes.flatMap((each) => ('userId' in each ? [each.userId] : [])))],
      user: async (id) => both(id, checkUserRecord((await load({ kind: 'user', id })).user)),
      async *usersWith(roles) {
        for (let after: string | undefined = ''; after !== undefined;) {
          const page: Snapshot['users'] = (
            await load({ kind: 'users', after, limit: PAGE, ...(roles ? { roles } : {}) })
          ).users;
          for (const { id, user } of page ?? []) yield { id, ...both(id, checkUserRecord(user)) };
          after = page?.length === PAGE ? page.at(-1)!.id : undefined;
        }
      },
    };
    let rests = false;
    for (const check of checks) rests = (await check(pending)) || rests;
    return rests;
  }

  const read: RoleStore['load'] = (scope) => timely(() => store.load(scope, { deadlineMs: writeDeadlineMs }));

  return { write, read };
}

/** Counts as a change of the policy, so that of two such writes at the same time one begins again. */
function serialised(draft: Draft): Draft {
  if (draft.changesPolicy) return draft;
  return {
    ...draft,
    changes: [...draft.changes, { topic: POLICY_TOPIC, subject: '*' }],
    changesPolicy: true,
  };
}
