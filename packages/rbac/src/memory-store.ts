import { createMemoryFeed, type ChangeFeed } from '@portcullis/core';
import { NOBODY, policyAfter, userAfter } from './apply-writes.js';
import type { PolicyRecord, RoleBatch, RoleStore, RoleWrite, UserRecord } from './role-store.js';

interface State {
  policy: PolicyRecord;
  policyRevision: number;
  users: ReadonlyMap<string, UserRecord>;
}

/** Roles and grants in this process's memory: for tests, and for apps whose grants come from elsewhere at start. */
export function memoryRoles(options: { readonly feed?: ChangeFeed } = {}): RoleStore {
  const feed = options.feed ?? createMemoryFeed();
  let state: State = { policy: { roles: [], inactivePermissions: [] }, policyRevision: 0, users: new Map() };
  // One batch after another, as a database would have it.
  let last: Promise<unknown> = Promise.resolve();

  async function apply(batch: RoleBatch): Promise<Awaited<ReturnType<RoleStore['commit']>>> {
    if (batch.ifPolicyRevision !== state.policyRevision) return { conflict: true };
    const before = state;
    const draft: State = { ...state, users: new Map(state.users) };
    for (const write of batch.writes) applyWrite(draft, write);
    // Visible before it is published: who is told of the change reads what it was about.
    state = draft;
    try {
      const revision = await feed.publish(batch.changes);
      if (batch.changesPolicy) state = { ...state, policyRevision: revision };
      return { revision };
    } catch (error) {
      state = before;
      throw error;
    }
  }

  return {
    feed,
    async load(scope) {
      const { policyRevision } = state;
      switch (scope.kind) {
        case 'policy':
          return { policyRevision, policy: frozenCopy(state.policy) };
        case 'user':
          return { policyRevision, user: frozenCopy(state.users.get(scope.id) ?? NOBODY) };
        case 'users': {
          const { after = '', limit, roles } = scope;
          const ids = [...state.users.keys()].filter((id) => compareIds(id, after) > 0).sort(compareIds);
          const users: { id: string; user: UserRecord }[] = [];
          for (const id of ids) {
            const user = state.users.get(id)!;
            if (roles && !user.roles.some(({ role }) => roles.includes(role))) continue;
            if (users.push({ id, user: frozenCopy(user) }) === limit) break;
          }
          return { policyRevision, users };
        }
        default:
          throw new TypeError(`memoryRoles cannot load ${String((scope as { kind: unknown }).kind)}`);
      }
    },
    commit(batch) {
      const result = last.then(() => apply(frozenCopy(batch)));
      last = result.catch(() => undefined);
      return result;
    },
  };
}

const KINDS: ReadonlySet<string> = new Set([
  'put-role',
  'remove-role',
  'put-assignment',
  'remove-assignment',
  'put-rule',
  'remove-rule',
  'set-user-active',
  'set-permission-active',
]);

function applyWrite(state: State, write: RoleWrite): void {
  if (!KINDS.has(write.kind)) throw new TypeError(`memoryRoles cannot write ${write.kind}`);
  const users = state.users as Map<string, UserRecord>;
  state.policy = policyAfter(state.policy, write);
  if ('userId' in write) {
    users.set(write.userId, userAfter(write.userId, users.get(write.userId) ?? NOBODY, write));
  } else if (write.kind === 'remove-role') {
    for (const [id, user] of users) users.set(id, userAfter(id, user, write));
  }
}

/** By code points, as `collate "C"` of a database in UTF-8 does it. */
function compareIds(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

/** What comes in is kept as it was then, and what goes out cannot be changed. */
function frozenCopy<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  const copy: unknown = Array.isArray(value)
    ? value.map(frozenCopy)
    : Object.fromEntries(Object.entries(value).map(([key, item]) => [key, frozenCopy<unknown>(item)]));
  return Object.freeze(copy) as T;
}
