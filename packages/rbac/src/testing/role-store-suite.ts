import assert from 'node:assert/strict';
import type { TestGlobals } from '@portcullis/core/testing';
import { globalsOf } from './globals.js';
import {
  POLICY_TOPIC,
  USER_TOPIC,
  type RoleBatch,
  type RoleRecord,
  type RoleStore,
  type RoleWrite,
} from '../role-store.js';

export interface RoleStoreSuiteOptions {
  /** @default the global `describe` and `test` (or `it`) of the test runner */
  readonly globals?: TestGlobals;
}

/** An empty store, and the same data as a second process would see it; leave that out where there can be none. */
export interface RoleStorePair {
  readonly store: RoleStore;
  readonly another?: RoleStore;
}

/** Every claim of {@link RoleStore}, for any implementation. `makeStores` is called once for each. */
export function roleStoreSuite(
  name: string,
  makeStores: () => RoleStorePair | Promise<RoleStorePair>,
  options: RoleStoreSuiteOptions = {},
): void {
  const { describe, test } = globalsOf(options.globals);

  describe(`RoleStore: ${name}`, () => {
    const claim = (title: string, check: (store: RoleStore, another: RoleStore) => Promise<void>): void => {
      test(title, async () => {
        const { store, another = store } = await makeStores();
        await check(store, another);
      });
    };

    claim('an empty store knows no roles, and every user as active without grants', async (store) => {
      const { policy, policyRevision } = await store.load({ kind: 'policy' });
      assert.deepEqual(policy, { roles: [], inactivePermissions: [] });
      assert.equal(policyRevision, 0);
      const { user } = await store.load({ kind: 'user', id: 'nobody' });
      assert.deepEqual(user, { active: true, roles: [], rules: [] });
    });

    claim('users are read in pages, in order of their ids, with what they have', async (store) => {
      await put(store, [role('a'), role('b')]);
      const at = { grantedBy: 'root', grantedAt: 1 };
      const ids = ['u3', 'U1', '\u00e9', 'u1', 'u2'];
      for (const [i, userId] of ids.entries()) {
        await commit(store, [
          { kind: 'put-assignment', userId, assignment: { role: i % 2 === 0 ? 'a' : 'b', ...at } },
        ]);
      }
      await commit(store, [
        { kind: 'put-rule', userId: 'rule', rule: { effect: 'deny', permission: 'a:b', ...at } },
        { kind: 'set-user-active', userId: 'off', active: false },
      ]);
      const read = async (scope: object) => (await store.load({ kind: 'users', limit: 3, ...scope })).users!;
      const pages = [await read({}), await read({ after: 'rule' }), await read({ after: 'u3' })];
      assert.deepEqual(
        pages.map((page) => page.map(({ id }) => id)),
        [['U1', 'off', 'rule'], ['u1', 'u2', 'u3'], ['\u00e9']],
      );
      assert.deepEqual(pages[0]![0]!.user, { active: true, roles: [{ role: 'b', ...at }], rules: [] });
      assert.equal(pages[0]![1]!.user.active, false);
      assert.equal(pages[0]![2]!.user.rules.length, 1);
      const holders = await read({ roles: ['b', 'gone'], limit: 100 });
      assert.deepEqual(
        holders.map(({ id }) => id),
        ['U1', 'u1'],
      );
    });

    claim('everything that was written is read back as it was', async (store) => {
      const staff = role('staff', {
        description: '\u00c6, "quotes", \\ and \u2713',
        active: false,
        deny: ['b:x'],
      });
      const lead = role('lead', { inherits: ['staff'], allow: ['**', 'a:*'] });
      // The parent comes after the child: the order within a batch must not matter.
      await put(store, [lead, staff]);
      const granted = { grantedBy: 'root', grantedAt: 1_700_000_000_123 };
      await commit(store, [
        {
          kind: 'put-assignment',
          userId: 'u1',
          assignment: {
            role: 'staff',
            from: 1,
            until: 253_402_300_799_999,
            reason: "it's needed",
            ...granted,
          },
        },
        { kind: 'put-assignment', userId: 'u1', assignment: { role: 'lead', ...granted } },
        {
          kind: 'put-rule',
          userId: 'u1',
          rule: { effect: 'deny', permission: 'a:b', until: 1_700_000_000_001, ...granted },
        },
        { kind: 'set-user-active', userId: 'u1', active: false },
      ]);
      const user = (await store.load({ kind: 'user', id: 'u1' })).user!;
      assert.equal(user.active, false);
      assert.deepEqual(byRole(user.roles), [
        { role: 'lead', ...granted },
        { role: 'staff', from: 1, until: 253_402_300_799_999, reason: "it's needed", ...granted },
      ]);
      assert.deepEqual(user.rules, [
        { effect: 'deny', permission: 'a:b', until: 1_700_000_000_001, ...granted },
      ]);
      assert.deepEqual(await rolesOf(store), [lead, staff]);
    });

    claim(
      'put replaces what has the same key, remove ends it, and removing twice is no error',
      async (store) => {
        await put(store, [role('staff', { allow: ['a:b', 'a:c'] }), role('lead', { inherits: ['staff'] })]);
        await put(store, [role('staff', { description: 'new', allow: ['a:d'] }), role('lead')]);
        assert.deepEqual(await rolesOf(store), [
          role('lead'),
          role('staff', { description: 'new', allow: ['a:d'] }),
        ]);

        const at = { grantedBy: 'root', grantedAt: 1 };
        await commit(store, [
          { kind: 'put-assignment', userId: 'u', assignment: { role: 'staff', until: 9, ...at } },
        ]);
        await commit(store, [{ kind: 'put-assignment', userId: 'u', assignment: { role: 'staff', ...at } }]);
        assert.deepEqual((await userOf(store, 'u')).roles, [{ role: 'staff', ...at }]);
        for (let times = 0; times < 2; times++) {
          await commit(store, [{ kind: 'remove-assignment', userId: 'u', role: 'staff' }]);
          assert.deepEqual((await userOf(store, 'u')).roles, []);
        }
        const rule = { permission: 'a:b', ...at };
        await commit(store, [
          { kind: 'put-rule', userId: 'u', rule: { effect: 'allow', ...rule } },
          { kind: 'put-rule', userId: 'u', rule: { effect: 'deny', ...rule } },
        ]);
        await commit(store, [{ kind: 'remove-rule', userId: 'u', effect: 'allow', permission: 'a:b' }]);
        assert.deepEqual((await userOf(store, 'u')).rules, [{ effect: 'deny', ...rule }]);
        await commit(store, [{ kind: 'set-permission-active', permission: 'a:b', active: false }], true);
        await commit(store, [{ kind: 'set-permission-active', permission: 'a:b', active: false }], true);
        const inactive = async () => (await store.load({ kind: 'policy' })).policy!.inactivePermissions;
        assert.deepEqual(await inactive(), ['a:b']);
        await commit(store, [{ kind: 'set-permission-active', permission: 'a:b', active: true }], true);
        assert.deepEqual(await inactive(), []);
      },
    );

    claim("a user's grants of one tenant, of every one and of none are different grants", async (store) => {
      await put(store, [role('staff')]);
      const at = { grantedBy: 'root', grantedAt: 1 };
      const places = [{}, { tenant: 'acme' }, { tenant: 'ACME' }, { tenant: '*' }];
      await commit(
        store,
        places.flatMap((place, i): RoleWrite[] => [
          {
            kind: 'put-assignment',
            userId: 'u',
            assignment: { role: 'staff', until: i + 1, ...place, ...at },
          },
          {
            kind: 'put-rule',
            userId: 'u',
            rule: { effect: 'deny', permission: 'a:b', until: i + 1, ...place, ...at },
          },
        ]),
      );
      const stored = async () => {
        const { roles, rules } = await userOf(store, 'u');
        return [roles, rules].map((list) =>
          list.map(({ tenant, until }) => `${tenant ?? ''} ${until}`).sort(),
        );
      };
      const all = [' 1', '* 4', 'ACME 3', 'acme 2'];
      assert.deepEqual(await stored(), [all, all]);
      await commit(store, [
        { kind: 'remove-assignment', userId: 'u', role: 'staff', tenant: 'acme' },
        { kind: 'remove-rule', userId: 'u', effect: 'deny', permission: 'a:b' },
      ]);
      assert.deepEqual(await stored(), [all.slice(0, 3), all.slice(1)]);
    });

    claim('removing a role ends its assignments, also for a later role of the same name', async (store) => {
      await put(store, [role('temp', { allow: ['a:b'] })]);
      const assignment = { role: 'temp', grantedBy: 'root', grantedAt: 1 };
      await commit(store, [{ kind: 'put-assignment', userId: 'u', assignment }]);
      await commit(store, [{ kind: 'remove-role', name: 'temp' }], true);
      assert.deepEqual(await rolesOf(store), []);
      await put(store, [role('temp')]);
      assert.deepEqual((await userOf(store, 'u')).roles, []);
    });

    claim('ids that differ in case, accents, blanks or Unicode form are different users', async (store) => {
      const ids = [
        'u',
        'U',
        '\u00fc',
        'u\u0308',
        'u ',
        ' u',
        "u'",
        'u"',
        'u\\',
        'u%',
        'u\n',
        '__proto__',
        'constructor',
        '\u{1d566}',
      ];
      await put(store, [role('staff')]);
      for (const [i, userId] of ids.entries()) {
        assert.deepEqual(
          (await userOf(store, userId)).roles,
          [],
          `${JSON.stringify(userId)} has nothing yet`,
        );
        const assignment = { role: 'staff', grantedBy: `by ${i}`, grantedAt: i };
        await commit(store, [{ kind: 'put-assignment', userId, assignment }]);
      }
      for (const [i, userId] of ids.entries()) {
        assert.equal((await userOf(store, userId)).roles[0]?.grantedBy, `by ${i}`, JSON.stringify(userId));
      }
    });

    claim('a batch is published with the revision that its commit resolves with, in order', async (store) => {
      const start = (await store.feed.readSince(undefined)).revision;
      const first = await put(store, [role('staff')]);
      const second = await commit(store, [{ kind: 'set-user-active', userId: 'u', active: false }]);
      assert.ok(first > start && second > first);
      const read = await store.feed.readSince(start);
      assert.equal(read.reset, false);
      assert.equal(read.revision, second);
      assert.deepEqual(read.changes, [
        { topic: POLICY_TOPIC, subject: '*', revision: first },
        { topic: USER_TOPIC, subject: 'u', revision: second },
      ]);
      // Both kinds of snapshot say when the policy last changed: writes about users do not count.
      assert.equal((await store.load({ kind: 'policy' })).policyRevision, first);
      assert.equal((await store.load({ kind: 'user', id: 'u' })).policyRevision, first);
    });

    claim(
      'a batch that was validated against an older policy is refused and leaves nothing',
      async (store) => {
        const old = (await store.load({ kind: 'policy' })).policyRevision;
        await put(store, [role('staff')]);
        const before = (await store.feed.readSince(undefined)).revision;
        for (const changesPolicy of [true, false]) {
          const result = await store.commit({
            writes: [
              { kind: 'put-role', role: role('late') },
              { kind: 'set-user-active', userId: 'u', active: false },
            ],
            changes: [{ topic: POLICY_TOPIC, subject: '*' }],
            ifPolicyRevision: old,
            changesPolicy,
          });
          assert.deepEqual(result, { conflict: true });
        }
        assert.deepEqual(await rolesOf(store), [role('staff')]);
        assert.equal((await userOf(store, 'u')).active, true);
        assert.equal((await store.feed.readSince(undefined)).revision, before);
      },
    );

    claim('of batches that change the policy at the same time, exactly one wins', async (store, other) => {
      const { policyRevision } = await store.load({ kind: 'policy' });
      const results = await Promise.all(
        [store, other, store, other].map((each, i) =>
          each.commit(batchOf([{ kind: 'put-role', role: role(`r${i}`) }], true, policyRevision)),
        ),
      );
      assert.equal(results.filter((result) => 'revision' in result).length, 1);
      assert.equal((await rolesOf(store)).length, 1);
    });

    claim('writes about different users at the same time all succeed', async (store) => {
      await put(store, [role('staff')]);
      const { policyRevision } = await store.load({ kind: 'policy' });
      const users = Array.from({ length: 12 }, (_, i) => `u${i}`);
      const results = await Promise.all(
        users.map((userId) => {
          const assignment = { role: 'staff', grantedBy: 'root', grantedAt: 1 };
          return store.commit(
            batchOf([{ kind: 'put-assignment', userId, assignment }], false, policyRevision),
          );
        }),
      );
      const revisions = results.map((result) => ('revision' in result ? result.revision : Number.NaN));
      assert.equal(new Set(revisions).size, users.length);
      for (const userId of users) assert.equal((await userOf(store, userId)).roles.length, 1);
    });

    claim('a batch that fails in the middle leaves nothing and publishes nothing', async (store) => {
      await put(store, [role('staff')]);
      const before = (await store.feed.readSince(undefined)).revision;
      const { policyRevision } = await store.load({ kind: 'policy' });
      const bad = { kind: 'no-such-write' } as unknown as RoleWrite;
      const batch = batchOf(
        [{ kind: 'set-user-active', userId: 'u', active: false }, bad],
        false,
        policyRevision,
      );
      await assert.rejects(async () => store.commit(batch));
      assert.equal((await userOf(store, 'u')).active, true);
      assert.equal((await store.feed.readSince(undefined)).revision, before);
    });

    claim('what was read cannot be changed from outside', async (store) => {
      await put(store, [role('staff', { allow: ['a:b'] })]);
      const [staff] = (await store.load({ kind: 'policy' })).policy!.roles;
      try {
        (staff!.allow as string[]).push('**');
      } catch {
        // Frozen is one way to hold it.
      }
      assert.deepEqual((await rolesOf(store))[0]?.allow, ['a:b']);
    });

    claim('an unknown question is refused, not answered', async (store) => {
      await assert.rejects(async () => store.load({ kind: 'everything' } as never));
    });

    claim('another process reads what was committed here', async (store, another) => {
      const start = (await another.feed.readSince(undefined)).revision;
      const revision = await put(store, [role('staff')]);
      assert.deepEqual(await rolesOf(another), [role('staff')]);
      const read = await another.feed.readSince(start);
      assert.deepEqual(read.changes, [{ topic: POLICY_TOPIC, subject: '*', revision }]);
    });
  });
}

function role(name: string, rest: Partial<RoleRecord> = {}): RoleRecord {
  return { name, description: '', active: true, inherits: [], allow: [], deny: [], ...rest };
}

function batchOf(writes: readonly RoleWrite[], changesPolicy: boolean, ifPolicyRevision: number): RoleBatch {
  const users = writes.flatMap((write) => ('userId' in write ? [write.userId] : []));
  const changes = changesPolicy
    ? [{ topic: POLICY_TOPIC, subject: '*' }]
    : [...new Set(users)].map((subject) => ({ topic: USER_TOPIC, subject }));
  return { writes, changes, ifPolicyRevision, changesPolicy };
}

async function commit(
  store: RoleStore,
  writes: readonly RoleWrite[],
  changesPolicy = false,
): Promise<number> {
  const { policyRevision } = await store.load({ kind: 'policy' });
  const result = await store.commit(batchOf(writes, changesPolicy, policyRevision));
  assert.ok('revision' in result, 'the batch was refused');
  return result.revision;
}

function put(store: RoleStore, roles: readonly RoleRecord[]): Promise<number> {
  return commit(
    store,
    roles.map((each) => ({ kind: 'put-role', role: each })),
    true,
  );
}

async function rolesOf(store: RoleStore): Promise<RoleRecord[]> {
  const roles = (await store.load({ kind: 'policy' })).policy!.roles.map((each) => ({
    ...each,
    inherits: [...each.inherits].sort(),
    allow: [...each.allow].sort(),
    deny: [...each.deny].sort(),
  }));
  return roles.sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function userOf(store: RoleStore, id: string) {
  return (await store.load({ kind: 'user', id })).user!;
}

function byRole<T extends { readonly role: string }>(list: readonly T[]): T[] {
  return [...list].sort((a, b) => (a.role < b.role ? -1 : 1));
}
