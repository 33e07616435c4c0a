import { describe, expect, test } from '@jest/globals';
import type { Change, Freshness } from '@portcullis/core';
import { manualClock, recordedEvents } from '@portcullis/core/testing';
import { createCatalogue } from '../src/catalogue.js';
import { errors } from '../src/error-codes.js';
import { FactsCache } from '../src/facts.js';
import type { LoadScope, RoleStore, Snapshot, UserRecord } from '../src/index.js';
import { POLICY_TOPIC, USER_TOPIC } from '../src/role-store.js';
import type { SharedEntries } from '../src/shared-entries.js';
import { deferred, permissions } from './support.js';

type Evict = (changes: readonly Change[] | undefined) => void;

/** The lease and the log, as a test says that they are. */
function fakeLog() {
  const listeners: { topic: string; evict: Evict }[] = [];
  const log = {
    held: true,
    revision: 0,
    /** What `changedAt` answers for everybody. */
    changed: 0,
    ensured: 0,
    onEnsure: (): void => void (log.held = true),
    listeners,
    tell(topic: string, subjects: readonly string[] | undefined): void {
      const changes = subjects?.map((subject) => ({ topic, subject }));
      for (const each of listeners) if (each.topic === topic) each.evict(changes);
    },
    current: (): boolean => log.held,
    async ensure(): Promise<void> {
      log.ensured++;
      log.onEnsure();
    },
    changedAt: (): number => log.changed,
    onChanges(topic: string, evict: Evict): () => void {
      const listener = { topic, evict };
      listeners.push(listener);
      return () => void listeners.splice(listeners.indexOf(listener), 1);
    },
    leaseMs: 1000,
    async settled() {},
    async stop() {},
  };
  return log satisfies Freshness;
}

const nobody: UserRecord = { active: true, roles: [], rules: [] };
const holder = (...roles: string[]): UserRecord => ({
  ...nobody,
  roles: roles.map((role) => ({ role, grantedBy: 'root', grantedAt: 0 })),
});
const named = (count: number): readonly string[] => Array.from({ length: count }, (_, i) => `r${i}`);

function fakeStore() {
  const held: { what: string; reached(): void; gate: Promise<boolean> }[] = [];
  const store = {
    loads: [] as string[],
    revision: 1,
    /** Of the policy only, where it lags behind what users' snapshots say. */
    policyRevision: undefined as number | undefined,
    roles: ['patron'] as readonly string[],
    users: new Map<string, UserRecord>([['ann', holder('patron')]]),
    onLoad: (_what: string): void => undefined,
    /** The next read of it is under way until it is let go, with what was there when it began. */
    hold(what: string) {
      const [reached, gate] = [deferred(), deferred<boolean>()];
      held.push({ what, reached: () => reached.resolve(), gate: gate.promise });
      return {
        reached: reached.promise,
        release: () => gate.resolve(true),
        fail: () => gate.resolve(false),
      };
    },
    async load(scope: LoadScope): Promise<Snapshot> {
      const what = scope.kind === 'user' ? `user ${scope.id}` : scope.kind;
      store.loads.push(what);
      store.onLoad(what);
      const rest = { description: '', active: true, inherits: [], allow: [], deny: [] };
      const snapshot: Snapshot =
        scope.kind === 'user'
          ? { policyRevision: store.revision, user: store.users.get(scope.id) ?? nobody }
          : {
              policyRevision: store.policyRevision ?? store.revision,
              policy: { roles: store.roles.map((name) => ({ name, ...rest })), inactivePermissions: [] },
            };
      const at = held.findIndex((each) => each.what === what);
      if (at >= 0) {
        const [{ reached, gate }] = held.splice(at, 1) as [(typeof held)[number]];
        reached();
        if (!(await gate)) throw new Error('connection lost');
      }
      return snapshot;
    },
  };
  return store;
}

interface Settings {
  readonly graceMs?: number;
  readonly maxUsers?: number;
  readonly shared?: Partial<SharedEntries>;
}

function setup({ graceMs = 0, maxUsers = 100, shared }: Settings = {}) {
  const [log, store, clock, events] = [fakeLog(), fakeStore(), manualClock(), recordedEvents()];
  const facts = new FactsCache({
    catalogue: createCatalogue(permissions),
    store: store as unknown as RoleStore,
    freshness: log,
    clock,
    events,
    deadlineMs: 2000,
    maxUsers,
    graceMs,
    shared: shared as SharedEntries | undefined,
  });
  /** What has to be read so that all of them count. */
  const missing = async (...users: string[]): Promise<readonly string[]> => {
    store.loads = [];
    await facts.policy();
    for (const user of users) await facts.get(user);
    return store.loads;
  };
  return { log, store, clock, events, facts, missing };
}

const unavailable = { code: 'E_ROLES_UNAVAILABLE', status: 503 };
const down = (): void => {
  throw new Error('down');
};

describe('the lease', () => {
  test('while it holds, what is in memory is given without waiting, and the log is not asked', async () => {
    const { facts, log, missing } = setup();
    expect(facts.now('ann')).toBeUndefined();
    expect((await facts.get('ann')).source).toBe('store');
    expect(await facts.get('ann')).toEqual({ ...facts.now('ann'), source: 'cache' });
    expect(facts.entryNow('ann')).toBe(facts.now('ann')!.entry);
    expect(facts.policyNow()).toBe(facts.heldPolicy);
    expect([facts.now('bob'), facts.entryNow('bob')]).toEqual([undefined, undefined]);
    expect(await missing('ann')).toEqual([]);
    expect(log.ensured).toBe(0);
  });

  test('when it has ended nothing counts until the log has been read; where that fails nobody is believed', async () => {
    const { facts, log, missing } = setup();
    await facts.get('ann');
    log.held = false;
    log.onEnsure = down;
    expect([facts.now('ann'), facts.entryNow('ann'), facts.policyNow()]).toEqual(Array(3).fill(undefined));
    await expect(facts.get('ann')).rejects.toMatchObject(unavailable);
    await expect(facts.policy()).rejects.toMatchObject(unavailable);
    expect(log.ensured).toBe(2);
    log.onEnsure = () => void (log.held = true);
    expect(await missing('ann')).toEqual([]);
    log.held = false;
    expect((await facts.policy()).changedAt).toBe(1);
    expect(log.ensured).toBe(4);
  });

  test('that ends during a read: what was read is believed only after the log, which may tell of a change', async () => {
    const { facts, log, store } = setup();
    await facts.policy();
    const user = store.hold('user ann');
    const asked = facts.get('ann');
    await user.reached;
    store.users.delete('ann');
    log.held = false;
    log.onEnsure = () => {
      log.held = true;
      log.tell(USER_TOPIC, ['ann']);
    };
    user.release();
    expect((await asked).entry.roles).toEqual([]);

    facts.evictPolicy();
    const policy = store.hold('policy');
    const roles = facts.policy();
    await policy.reached;
    store.revision = 2;
    log.held = false;
    log.onEnsure = () => {
      log.held = true;
      log.tell(POLICY_TOPIC, ['*']);
    };
    policy.release();
    expect((await roles).changedAt).toBe(2);
  });

  test('a grace period begins when the lease was last seen to hold, and ends to the millisecond, for those in memory', async () => {
    const { facts, log, clock, events } = setup({ graceMs: 1000 });
    await facts.get('ann');
    log.held = false;
    log.onEnsure = down;
    clock.advance(1000);
    expect((await facts.get('ann')).entry.roles).toHaveLength(1);
    expect((await facts.policy()).changedAt).toBe(1);
    expect(events.of('rbac.grace-used').map(({ overMs }) => overMs)).toEqual([1000, 1000]);
    await expect(facts.get('bob')).rejects.toMatchObject(unavailable);
    clock.advance(1);
    await expect(facts.get('ann')).rejects.toMatchObject(unavailable);
    await expect(facts.policy()).rejects.toMatchObject(unavailable);
    expect(events.of('rbac.grace-used')).toHaveLength(2);
  });

  test('without a grace period nothing counts beyond it, not even in the same millisecond', async () => {
    const { facts, log, events } = setup();
    await facts.get('ann');
    log.held = false;
    log.onEnsure = down;
    await expect(facts.get('ann')).rejects.toMatchObject(unavailable);
    expect(events.of('rbac.grace-used')).toEqual([]);
  });

  test('whose renewals are of no use is given up after eight', async () => {
    const { facts, log } = setup();
    log.held = false;
    log.onEnsure = () => undefined;
    await expect(facts.policy()).rejects.toMatchObject(unavailable);
    expect(log.ensured).toBe(8);
  });

  test('after stop() nothing is listened to and nothing is held', async () => {
    const { facts, log } = setup();
    await facts.get('ann');
    expect(log.listeners).toHaveLength(2);
    facts.stop();
    expect(log.listeners).toEqual([]);
    expect([facts.now('ann'), facts.policyNow()]).toEqual([undefined, undefined]);
    await facts.policy();
    expect(facts.now('ann')).toBeUndefined();
  });
});

describe('changes', () => {
  const changes: [string, string, readonly string[] | undefined, readonly string[]][] = [
    ['of one user', USER_TOPIC, ['ann'], ['user ann']],
    ['of two users', USER_TOPIC, ['ann', 'bob'], ['user ann', 'user bob']],
    ['of one user and of all', USER_TOPIC, ['ann', '*'], ['user ann', 'user bob', 'user eve']],
    ['of a log that began anew', USER_TOPIC, undefined, ['user ann', 'user bob', 'user eve']],
    ['of roles', POLICY_TOPIC, ['*'], ['policy']],
    ['of roles, in a log that began anew', POLICY_TOPIC, undefined, ['policy']],
  ];
  test.each(changes)('%s, told by the log, end what they concern and nothing else', async (...[, topic, subjects, expected]) => {
    const { facts, log, missing } = setup();
    await missing('ann', 'bob', 'eve');
    const gone = () => ['ann', 'bob', 'eve'].filter((id) => facts.entryNow(id) === undefined);
    expect(gone()).toEqual([]);
    log.tell(topic, subjects);
    const users = expected.filter((what) => what !== 'policy').map((what) => what.slice('user '.length));
    expect(gone()).toEqual(topic === USER_TOPIC ? users : ['ann', 'bob', 'eve']);
    expect(await missing('ann', 'bob', 'eve')).toEqual(expected);
  }); // prettier-ignore

  test.each(changes.filter(([, , subjects]) => subjects))(
    '%s, made here, do the same at once, and the shared cache is told of those about users',
    async (...[, topic, subjects, expected]) => {
      const told: [string, number][] = [];
      const { facts, missing } = setup({
        shared: {
          read: async () => undefined,
          write: async () => undefined,
          changed: (userId, revision) => void told.push([userId, revision]),
        },
      });
      await missing('ann', 'bob', 'eve');
      const made = subjects!.map((subject) => ({ topic, subject }));
      facts.written(made, 7);
      expect(told).toEqual(topic === USER_TOPIC ? subjects!.map((subject) => [subject, 7]) : []);
      expect(await missing('ann', 'bob', 'eve')).toEqual(expected);
    },
  );

  test('during a read make it read again, and who asks after them waits for no older read', async () => {
    for (const change of ['evictUser', 'evictUsers'] as const) {
      const { facts, store } = setup();
      await facts.policy();
      const old = store.hold('user ann');
      const before = facts.get('ann');
      await old.reached;
      store.users.delete('ann');
      facts[change]('ann');
      expect((await facts.get('ann')).entry.roles).toEqual([]);
      facts[change]('ann');
      old.release();
      expect((await before).entry.roles).toEqual([]);
      expect(store.loads).toEqual(['policy', 'user ann', 'user ann', 'user ann']);
    }
    const { facts, store } = setup();
    const old = store.hold('policy');
    const before = facts.policy();
    await old.reached;
    store.revision = 2;
    facts.evictPolicy();
    expect((await facts.policy()).changedAt).toBe(2);
    old.release();
    expect((await before).changedAt).toBe(2);
    expect(store.loads).toEqual(['policy', 'policy', 'policy']);
  });

  test('of others during a read do not make it read again', async () => {
    const { facts, store } = setup();
    const policy = store.hold('policy');
    const roles = facts.policy();
    await policy.reached;
    facts.evictUser('ann');
    facts.evictUsers();
    policy.release();
    await roles;
    const user = store.hold('user ann');
    const asked = facts.get('ann');
    await user.reached;
    facts.evictUser('bob');
    facts.evictPolicy(); // Read anew beside the user, when the user is there.
    user.release();
    await asked;
    expect(store.loads).toEqual(['policy', 'user ann', 'policy']);
  });

  test('that the log knows of and that this was not told of are enough to read again', async () => {
    const { facts, log, store } = setup();
    await facts.policy();
    const old = store.hold('user ann');
    const asked = facts.get('ann');
    await old.reached;
    store.users.delete('ann');
    log.revision = log.changed = 6; // Another listener of the same log threw before ours was called.
    old.release();
    expect((await asked).entry.roles).toEqual([]);
    expect(store.loads).toEqual(['policy', 'user ann', 'user ann']);
  });

  test('without an end are given up after eight reads', async () => {
    const { facts, store } = setup();
    store.onLoad = (what) => what === 'user ann' && facts.evictUser('ann');
    await expect(facts.get('ann')).rejects.toMatchObject(unavailable);
    expect(store.loads.filter((what) => what === 'user ann')).toHaveLength(8);
  });
});

describe('users and roles of different snapshots', () => {
  test('an entry that saw newer roles never meets the older ones: they are read again, eight times at most', async () => {
    const { facts, store } = setup();
    await facts.policy();
    store.revision = 2;
    const { policy, entry } = await facts.get('ann');
    expect([policy.changedAt, entry.policyRevision]).toEqual([2, 2]);
    expect(store.loads).toEqual(['policy', 'user ann', 'policy']);
    store.policyRevision = 2;
    store.revision = 3;
    facts.evictUsers();
    store.loads = [];
    await expect(facts.get('ann')).rejects.toMatchObject(unavailable);
    expect(store.loads).toEqual(['user ann', ...Array(7).fill('policy')]);
  });

  test('an older entry meets newer roles only when the log has been read up to them', async () => {
    const { facts, log, store } = setup();
    await facts.get('ann');
    store.revision = 3;
    facts.evictPolicy();
    await facts.policy();
    log.revision = 2;
    expect([facts.now('ann'), facts.entryNow('ann')]).toEqual([undefined, undefined]);
    log.revision = 3;
    expect(facts.now('ann')?.entry).toBe(facts.entryNow('ann'));
    expect(facts.entryNow('ann')?.policyRevision).toBe(1);
    log.revision = 2;
    store.loads = [];
    expect((await facts.get('ann')).entry.policyRevision).toBe(3);
    expect(store.loads).toEqual(['user ann']);
  });

  test('numbers of roles begin anew beyond twice the roles and 1,000, and entries with the old ones are read again', async () => {
    const { facts, store, missing } = setup();
    store.roles = named(2000);
    await missing('ann');
    store.roles = named(501);
    facts.evictPolicy();
    expect(await missing('ann')).toEqual(['policy']);
    expect(facts.heldPolicy.ids.size).toBe(2001); // One more is the role that ann has.
    store.roles = named(500);
    facts.evictPolicy();
    expect(await missing('ann')).toEqual(['policy', 'user ann']);
    expect(facts.heldPolicy.ids.size).toBe(501);
    expect(facts.now('ann')!.entry.ids).toBe(facts.heldPolicy.ids);
  });

  test('exactly twice the roles and 1,000 is not beyond', async () => {
    const { facts, store } = setup();
    store.roles = named(2000);
    await facts.policy();
    store.roles = named(500);
    facts.evictPolicy();
    expect((await facts.policy()).ids.size).toBe(2000);
  });
});

describe('fresh', () => {
  test('reads the user whatever is in memory, and roles only if they have changed; it needs no lease', async () => {
    const { facts, log, store } = setup();
    await facts.get('ann');
    log.held = false;
    const reads = async (): Promise<readonly string[]> => {
      store.loads = [];
      const { source, policy, entry, record } = await facts.fresh('ann');
      expect([source, policy.changedAt, entry.policyRevision]).toEqual(['store', store.revision, store.revision]);
      expect(record).toEqual(store.users.get('ann'));
      return store.loads;
    }; // prettier-ignore
    expect(await reads()).toEqual(['user ann']);
    store.revision = 2;
    expect(await reads()).toEqual(['user ann', 'policy']);
    facts.evictPolicy();
    expect(await reads()).toEqual(['user ann', 'policy']);
    expect(log.ensured).toBe(0);
  });

  test('does not wait for a read of the roles that began before they changed', async () => {
    const { facts, store } = setup();
    const old = store.hold('policy');
    const waiting = facts.policy();
    await old.reached;
    store.revision = 2;
    expect((await facts.fresh('ann')).policy.changedAt).toBe(2);
    old.release();
    await waiting;
  });

  test('gives no user with other roles than it was read with: older ones, or numbered anew', async () => {
    const { facts, store } = setup();
    store.revision = 2;
    store.policyRevision = 1;
    store.onLoad = () => {
      if (store.loads.length === 4) store.policyRevision = 2;
    };
    expect((await facts.fresh('ann')).policy.changedAt).toBe(2);
    expect(store.loads).toEqual(['user ann', 'policy', 'user ann', 'policy']);

    const other = setup();
    other.store.roles = named(2000);
    await other.facts.policy();
    other.store.roles = ['patron'];
    other.facts.evictPolicy();
    const { entry, policy } = await other.facts.fresh('ann');
    expect(entry.ids).toBe(policy.ids);
    expect(policy.ids.size).toBe(1);
  });

  test('gives up after eight tries', async () => {
    const { facts, store } = setup();
    store.revision = 2;
    store.policyRevision = 1;
    await expect(facts.fresh('ann')).rejects.toMatchObject(unavailable);
    expect(store.loads).toHaveLength(16);
  });
});

describe('reads', () => {
  test('are shared by those who wait; a failure is theirs and nobody keeps it', async () => {
    for (const what of ['policy', 'user ann']) {
      const { facts, store, events } = setup();
      if (what !== 'policy') await facts.policy();
      store.loads = [];
      store.onLoad = down;
      const asked = Array.from({ length: 3 }, () => facts.get('ann'));
      for (const { status } of await Promise.allSettled(asked)) expect(status).toBe('rejected');
      expect(store.loads).toEqual([what]);
      expect(events.of('store.failed')).toMatchObject([{ store: 'rbac', operation: `load ${what.split(' ')[0]}` }]);
      store.onLoad = () => undefined;
      expect((await facts.get('ann')).entry.roles).toHaveLength(1);
    }
  }); // prettier-ignore

  test('that are overtaken and fail do not make newer ones forgotten', async () => {
    for (const what of ['user ann', 'policy']) {
      const { facts, store } = setup();
      if (what !== 'policy') await facts.policy();
      store.loads = [];
      const ask = (): Promise<unknown> => (what === 'policy' ? facts.policy() : facts.get('ann'));
      const evict = (): void => (what === 'policy' ? facts.evictPolicy() : facts.evictUser('ann'));
      const [first, second, third] = [store.hold(what), store.hold(what), store.hold(what)];
      const overtaken = ask();
      await first.reached;
      evict();
      const newer = ask();
      await second.reached;
      first.release(); // Is out of date, and reads again.
      await third.reached;
      third.fail();
      await expect(overtaken).rejects.toMatchObject(unavailable);
      const joined = ask();
      second.release();
      await Promise.all([newer, joined]);
      expect(store.loads).toEqual([what, what, what]);
    }
  });

  test('of a store that answers no revision, or fails with an error of another kind, are "unavailable", whatever that was', async () => {
    const { facts, store } = setup();
    store.revision = 1.5;
    await expect(facts.policy()).rejects.toMatchObject(unavailable);
    store.revision = 1;
    store.onLoad = () => {
      throw errors.E_PERMISSION_DENIED();
    };
    await expect(facts.policy()).rejects.toMatchObject(unavailable);
    store.onLoad = () => {
      throw errors.E_POLICY_INVALID();
    };
    await expect(facts.policy()).rejects.toMatchObject({ code: 'E_POLICY_INVALID' });
  });

  test('fill the memory up to maxUsers; then the oldest gives way, and nobody for one who is there already', async () => {
    const { facts, store } = setup({ maxUsers: 2 });
    const there = (): readonly boolean[] =>
      ['ann', 'bob', 'eve'].map((id) => {
        expect(facts.entryNow(id)).toBe(facts.now(id)?.entry);
        return facts.now(id) !== undefined;
      });
    await facts.get('ann');
    await facts.get('bob');
    expect(there()).toEqual([true, true, false]);
    await facts.get('eve');
    expect(there()).toEqual([false, true, true]);
    facts.evictUser('eve');
    const old = store.hold('user eve');
    const slow = facts.get('eve');
    await old.reached;
    facts.evictUser('eve');
    await facts.get('eve');
    expect(there()).toEqual([false, true, true]);
    old.release();
    await slow;
    expect(there()).toEqual([false, true, true]);
  });
});

describe('the shared cache', () => {
  const entry = { revision: 4, policyRevision: 1, user: holder('patron', 'staff') };

  test('is asked before the store about users, never about roles; what it has is not written back', async () => {
    const asked: string[] = [];
    const written: unknown[] = [];
    const { facts, store } = setup({
      shared: {
        read: async (userId) => (asked.push(userId), entry),
        write: async (...all) => void written.push(all),
      },
    });
    expect((await facts.get('ann')).entry.roles).toHaveLength(2);
    expect([asked, store.loads, written]).toEqual([['ann'], ['policy'], []]);
  });

  test('gets what the store answered, as of the log before the read', async () => {
    const written: unknown[] = [];
    const { facts, log, store } = setup({
      shared: { read: async () => undefined, write: async (...all) => void written.push(all) },
    });
    log.revision = 5;
    store.onLoad = () => void (log.revision = 6);
    await facts.get('ann');
    expect(written).toEqual([['ann', { revision: 6, policyRevision: 1, user: holder('patron') }]]);
    store.onLoad = () => void (log.revision = 7);
    await facts.get('bob');
    expect(written.at(-1)).toEqual(['bob', { revision: 6, policyRevision: 1, user: nobody }]);
  });

  test('is not believed about a user who changed while it was asked', async () => {
    const [reached, answer] = [deferred(), deferred()];
    const { facts, store } = setup({
      shared: {
        read: async () => {
          reached.resolve();
          await answer.promise;
          return entry;
        },
        write: async () => undefined,
      },
    });
    const asked = facts.get('ann');
    await reached.promise;
    facts.evictUser('ann');
    answer.resolve();
    expect((await asked).entry.roles).toHaveLength(1);
    expect(store.loads).toEqual(['policy', 'user ann']);
  });
});
