import { createMemoryFeed, type ChangeFeed } from '@portcullis/core';
import type { PolicyRecord, RoleBatch, RoleStore, RoleWrite, UserRecord } from './role-store.js';

interface State {
  policy: PolicyRecord;
  policyRevision: number;
  users: ReadonlyMap<string, UserRecord>;
}

const NOBODY: UserRecord = frozenCopy({ active: true, roles: [], rules: [] });

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

function applyWrite(state: State, write: RoleWrite): void {
  const users = state.users as Map<string, UserRecord>;
  const userOf = (id: string): UserRecord => users.get(id) ?? NOBODY;
  const { roles, inactivePermissions } = state.policy;
  switch (write.kind) {
    case 'put-role': {
      const others = roles.filter(({ name }) => name !== write.role.name);
      state.policy = { ...state.policy, roles: [...others, write.role] };
      break;
    }
    case 'remove-role':
      state.policy = { ...state.policy, roles: roles.filter(({ name }) => name !== write.name) };
      for (const [id, user] of users) {
        users.set(id, { ...user, roles: user.roles.filter(({ role }) => role !== write.name) });
      }
      break;
    case 'put-assignment': {
      const user = userOf(write.userId);
      users.set(write.userId, { ...user, roles: [...rolesBut(user, write.assignment), write.assignment] });
      break;
    }
    case 'remove-assignment': {
      const user = userOf(write.userId);
      users.set(write.userId, { ...user, roles: rolesBut(user, write) });
      break;
    }
    case 'put-rule': {
      const user = userOf(write.userId);
      users.set(write.userId, { ...user, rules: [...rulesBut(user, write.rule), write.rule] });
      break;
    }
    case 'remove-rule': {
      const user = userOf(write.userId);
      users.set(write.userId, { ...user, rules: rulesBut(user, write) });
      break;
    }
    case 'set-user-active':
      users.set(write.userId, { ...userOf(write.userId), active: write.active });
      break;
    case 'set-permission-active': {
      const others = inactivePermissions.filter((name) => name !== write.permission);
      const inactive = write.active ? others : [...others, write.permission];
      state.policy = { ...state.policy, inactivePermissions: inactive };
      break;
    }
    default:
      throw new TypeError(`memoryRoles cannot write ${String((write as { kind: unknown }).kind)}`);
  }
}

/** What comes in is kept as it was then, and what goes out cannot be changed. */
function frozenCopy<T>(value: T): T {
  if (typeof value !== 'object' || value === null) return value;
  const copy: unknown = Array.isArray(value)
    ? value.map(frozenCopy)
    : Object.fromEntries(Object.entries(value).map(([key, item]) => [key, frozenCopy<unknown>(item)]));
  return Object.freeze(copy) as T;
}

function rolesBut(user: UserRecord, key: { role: string; tenant?: string }): UserRecord['roles'] {
  return user.roles.filter(({ role, tenant }) => role !== key.role || tenant !== key.tenant);
}

function rulesBut(
  user: UserRecord,
  key: { effect: string; permission: string; tenant?: string },
): UserRecord['rules'] {
  return user.rules.filter(
    ({ effect, permission, tenant }) =>
      effect !== key.effect || permission !== key.permission || tenant !== key.tenant,
  );
}
