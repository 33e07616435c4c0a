import type { PGlite } from '@electric-sql/pglite';
import { afterEach, beforeAll, afterAll, describe, expect, test } from '@jest/globals';
import { createMemoryFeed } from '@portcullis/core';
import { feedMigrations, fromPglite, migrate } from '@portcullis/core/postgres';
import { manualClock, recordedEvents } from '@portcullis/core/testing';
import { embeddedPostgres } from '@portcullis/test-support';
import {
  createRbac,
  definePermissions,
  memoryGovernance,
  memoryRoles,
  rbacPermissions,
  verifyEvidence,
  type GovernanceStore,
} from '../src/index.js';
import { postgresGovernance, rbacMigrations } from '../src/postgres.js';

const permissions = definePermissions({
  ...rbacPermissions,
  book: ['read', 'update'],
  loan: ['read:own', 'read:any'],
});
const roles = {
  admin: { allow: ['rbac:*'] },
  patron: { allow: ['book:read', 'loan:read:own'] },
  staff: { inherits: ['patron'], allow: ['book:update'] },
} as const;
const DAY = 86_400_000;

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});

let db: PGlite;
beforeAll(async () => {
  db = await embeddedPostgres();
  await migrate(fromPglite(db), [...feedMigrations, ...rbacMigrations]);
});
afterAll(() => db.close());

const STORES: readonly [string, () => Promise<GovernanceStore>][] = [
  ['memory', async () => memoryGovernance()],
  [
    'PGlite',
    async () => {
      const sql = fromPglite(db);
      await sql.query('truncate portcullis.rbac_review, portcullis.rbac_use');
      return postgresGovernance({ sql });
    },
  ],
];

async function setup(governance: GovernanceStore, options: object = {}) {
  const clock = manualClock();
  const events = recordedEvents();
  const rbac = createRbac({
    permissions,
    store: memoryRoles(),
    roles,
    clock,
    events,
    governance,
    ...options,
  });
  open.push(rbac);
  await rbac.seed();
  return { rbac, clock, events };
}

describe.each(STORES)('governance on %s', (_name, makeStore) => {
  test('the store keeps versions apart, and the later day of a use', async () => {
    const store = await makeStore();
    expect(await store.putReview({ id: 'b', version: 1, body: '{"a":1}' })).toBe(true);
    expect(await store.putReview({ id: 'b', version: 1, body: '{}' })).toBe(false);
    expect(await store.putReview({ id: 'b', version: 3, body: '{}' })).toBe(false);
    expect(await store.putReview({ id: 'b', version: 2, body: '{"a":2}' })).toBe(true);
    expect(await store.putReview({ id: 'a', version: 1, body: '\u2713' })).toBe(true);
    expect((await store.reviews()).map(({ id }) => id)).toEqual(['a', 'b']);
    expect(await store.review('b')).toEqual({ id: 'b', version: 2, body: '{"a":2}' });
    expect(await store.review('c')).toBeUndefined();
    await store.noteUses([
      { userId: 'u', permission: 'book:read', day: 5 * DAY },
      { userId: 'u', permission: 'book:update', day: 7 * DAY },
      { userId: 'v', permission: 'book:read', day: 1 * DAY },
    ]);
    await store.noteUses([{ userId: 'u', permission: 'book:read', day: 3 * DAY }]);
    expect(await store.uses(['u', 'nobody'])).toEqual([
      { userId: 'u', permission: 'book:read', day: 5 * DAY },
      { userId: 'u', permission: 'book:update', day: 7 * DAY },
    ]);
  });

  test('a review lists every grant with what is known of it, and carries out what reviewers decide', async () => {
    const lastSeen = async () => new Map([['ann', 1_700_000_000_000]]);
    const { rbac, clock, events } = await setup(await makeStore(), { lastSeen });
    await rbac.grantRole('boss', 'ann', 'staff', { reason: 'hired' });
    await rbac.grantRole('boss', 'bob', 'staff', { tenant: 'north' });
    await rbac.grantPermission('boss', 'bob', 'book:update');
    await rbac.denyPermission('boss', 'cat', 'book:read');
    await rbac.grantRole('rita', 'dan', 'patron');
    await rbac.require('ann', 'book:update');
    const review = await rbac.openReview('ciso', { reviewers: ['rita', 'ann'], dueInDays: 5 });
    expect(review.items).toMatchObject([
      { number: 1, userId: 'ann', kind: 'role', what: 'staff', grantedBy: 'boss', reason: 'hired', lastSeen: 1_700_000_000_000, lastUsed: expect.any(Number) },
      { number: 2, userId: 'bob', kind: 'role', what: 'staff', tenant: 'north' },
      { number: 3, userId: 'bob', kind: 'allow', what: 'book:update' },
      { number: 4, userId: 'cat', kind: 'deny', what: 'book:read', tenant: '*' },
      { number: 5, userId: 'dan', kind: 'role', what: 'patron', grantedBy: 'rita' },
    ]); // prettier-ignore
    expect(review.items[1]).not.toHaveProperty('lastUsed');
    expect(events.of('rbac.review-opened')).toMatchObject([{ items: 5, dueAt: clock.now() + 5 * DAY }]);

    const { id } = review;
    const decide = (who: string, item: number, disposition: 'keep' | 'revoke' | 'modify', until?: number) =>
      rbac.decideReview(who, id, item, { disposition, reason: 'looked at', until });
    const conflict = { code: 'E_REVIEW_CONFLICT', status: 409 };
    await expect(decide('eve', 1, 'keep')).rejects.toMatchObject(conflict); // No reviewer.
    await expect(decide('ann', 1, 'keep')).rejects.toMatchObject(conflict); // The subject.
    await expect(decide('rita', 5, 'keep')).rejects.toMatchObject(conflict); // Who granted it.
    await expect(decide('rita', 9, 'keep')).rejects.toMatchObject({ code: 'E_REVIEW_UNKNOWN' });
    await expect(decide('rita', 1, 'modify')).rejects.toMatchObject({ code: 'E_REVIEW_INVALID' });
    await expect(
      rbac.decideReview('rita', id, 1, { disposition: 'keep', reason: ' ' }),
    ).rejects.toMatchObject({
      code: 'E_REVIEW_INVALID',
    });
    await expect(rbac.closeReview('ciso', id)).rejects.toMatchObject({
      message: '5 of 5 items are undecided.',
    });
    await expect(rbac.evidence(id)).rejects.toMatchObject(conflict);

    await decide('rita', 1, 'keep');
    await decide('rita', 2, 'revoke');
    await decide('rita', 3, 'modify', clock.now() + DAY);
    await decide('ann', 4, 'revoke');
    clock.advance(6 * DAY);
    await decide('ann', 5, 'revoke');
    expect((await rbac.grantsOf('bob')).roles).toEqual([]);
    expect((await rbac.grantsOf('bob')).rules).toMatchObject([
      { until: clock.now() - 5 * DAY, grantedBy: 'rita' },
    ]);
    expect((await rbac.grantsOf('cat')).rules).toEqual([]);
    const [, second, , , fifth] = (await rbac.review(id)).items;
    expect(second!.decision).toMatchObject({ reviewer: 'rita', revision: expect.any(Number) });
    expect(second!.decision).not.toHaveProperty('late');
    expect(fifth!.decision).toMatchObject({ disposition: 'revoke', late: true });

    await rbac.closeReview('ciso', id);
    await expect(decide('rita', 1, 'revoke')).rejects.toMatchObject(conflict);
    const pack = await rbac.evidence(id);
    expect(await rbac.evidence(id)).toEqual(pack);
    expect(events.of('rbac.review-closed')).toMatchObject([
      { actor: 'ciso', review: id, evidence: pack.hash },
    ]);
    const lines = pack.text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(lines.at(-1)).toMatchObject({
      fact: 'sum',
      items: 5,
      keep: 1,
      revoke: 3,
      modify: 1,
      hash: pack.hash,
    });
    expect(verifyEvidence(pack.text, pack.hash)).toBe(true);
    for (const spoilt of [
      pack.text.replace('"keep"', '"seek"'),
      pack.text.split('\n').slice(1).join('\n'),
      pack.text.split('\n').slice(0, -2).join('\n'),
      pack.text.replaceAll('":', '": '),
      pack.text.slice(0, -1),
      '',
      'x\n',
    ]) {
      expect(verifyEvidence(spoilt, pack.hash)).toBe(false);
    }
    expect((await rbac.reviews()).map((each) => each.id)).toEqual([id]);
    await expect(rbac.review('none')).rejects.toMatchObject({ code: 'E_REVIEW_UNKNOWN' });
  });

  test('two reviewers at the same time lose nothing of each other', async () => {
    const { rbac } = await setup(await makeStore());
    for (let i = 0; i < 6; i++) await rbac.grantRole('boss', `u${i}`, 'patron');
    const { id } = await rbac.openReview('ciso', {
      reviewers: ['rita', 'ron'],
      scope: { roles: ['patron'] },
    });
    await Promise.all(
      [1, 2, 3, 4, 5, 6].map((item) =>
        rbac.decideReview(item % 2 ? 'rita' : 'ron', id, item, { disposition: 'keep', reason: 'needed' }),
      ),
    );
    expect((await rbac.review(id)).items.every(({ decision }) => decision)).toBe(true);
  });

  test('a review never gives back what has ended since, and lengthens nothing', async () => {
    const { rbac, clock } = await setup(await makeStore());
    await rbac.grantRole('boss', 'ann', 'staff');
    await rbac.grantRole('boss', 'bob', 'staff', { until: clock.now() + 10 * DAY });
    const { id } = await rbac.openReview('ciso', { reviewers: ['rita'] });
    await rbac.revokeRole('boss', 'ann', 'staff');
    const modify = (item: number, days: number) =>
      rbac.decideReview('rita', id, item, {
        disposition: 'modify',
        reason: 'until then',
        until: new Date(clock.now() + days * DAY),
      });
    await expect(modify(1, 1)).rejects.toMatchObject({ code: 'E_REVIEW_CONFLICT' });
    await expect(modify(2, 11)).rejects.toMatchObject({ code: 'E_REVIEW_CONFLICT' });
    await modify(2, 5);
    expect(await rbac.rolesOf('ann')).toEqual([]);
    expect(await rbac.rolesOf('bob')).toMatchObject([{ until: clock.now() + 5 * DAY }]);
  });

  test('reports: who was not active, what was not used, who administers', async () => {
    const { rbac, clock } = await setup(await makeStore());
    await rbac.grantRole('boss', 'ann', 'staff');
    await rbac.grantRole('boss', 'bob', 'staff');
    await rbac.grantRole('boss', 'cat', 'admin');
    await rbac.grantPermission('boss', 'dan', '**');
    await rbac.denyPermission('boss', 'dan', 'rbac:define');
    await rbac.denyPermission('boss', 'eve', 'book:read'); // Nothing that could be used.
    clock.advance(100 * DAY);
    await rbac.require('ann', 'book:read');
    await rbac.grantRole('boss', 'new', 'patron');
    expect((await rbac.inactiveUsers('ciso', { days: 90 })).map(({ userId }) => userId)).toEqual([
      'bob',
      'cat',
      'dan',
    ]);
    const { grants, permissions: names } = await rbac.unused({ days: 90 });
    expect(grants).toEqual([
      { userId: 'bob', role: 'staff' },
      { userId: 'cat', role: 'admin' },
    ]);
    expect(names).toContain('book:update');
    expect(names).not.toContain('book:read');
    expect(await rbac.administrators()).toEqual([{ userId: 'cat', grants: ['role admin'] }]);
    await rbac.inactiveUsers('ciso', { days: 90, action: 'suspend' });
    expect(await rbac.can('bob', 'book:read')).toBe(false);
    expect(await rbac.can('ann', 'book:read')).toBe(true);
    // The last administrator stays.
    expect(await rbac.inactiveUsers('ciso', { days: 90 })).toMatchObject([{ userId: 'cat' }]);
    await expect(rbac.unused({ days: 0 })).rejects.toMatchObject({ code: 'E_REVIEW_INVALID' });
  });
});

test.each([
  ['no reviewers', { reviewers: [] }],
  ['a reviewer without an id', { reviewers: [''] }],
  ['due never', { reviewers: ['rita'], dueInDays: 0 }],
  ['a scope that is none', { reviewers: ['rita'], scope: { roles: 'staff' } }],
])('a malformed review is refused: %s', async (_what, draft) => {
  const { rbac } = await setup(memoryGovernance());
  await expect(rbac.openReview('ciso', draft as never)).rejects.toMatchObject({ code: 'E_REVIEW_INVALID' });
  expect(await rbac.reviews()).toEqual([]);
});

test('neither a review nor a report takes the last administrator away', async () => {
  const { rbac, clock } = await setup(memoryGovernance());
  await rbac.grantRole('boss', 'ada', 'admin');
  await rbac.grantRole('boss', 'pat', 'patron');
  const review = await rbac.openReview('ciso', { reviewers: ['rita'], scope: { users: ['ada'] } });
  const revoke = { disposition: 'revoke', reason: 'left' } as const;
  await expect(rbac.decideReview('rita', review.id, 1, revoke)).rejects.toMatchObject({
    code: 'E_LAST_ADMINISTRATOR',
  });
  expect((await rbac.review(review.id)).items[0]).not.toHaveProperty('decision');
  clock.advance('100d');
  expect(await rbac.inactiveUsers('ciso', { days: 90, action: 'suspend' })).toMatchObject([
    { userId: 'ada', suspended: false },
    { userId: 'pat', suspended: true },
  ]);
  expect(await rbac.administrators()).toMatchObject([{ userId: 'ada' }]);
});

test('a review does not say "keep" of what it took away, and takes for revoked what ended with its role', async () => {
  const { rbac, clock } = await setup(memoryGovernance());
  await rbac.defineRole('boss', 'guest', { allow: ['book:read'] });
  await rbac.grantRole('boss', 'ann', 'staff');
  await rbac.grantRole('boss', 'bob', 'staff');
  await rbac.grantRole('boss', 'cat', 'guest' as never);
  const { id } = await rbac.openReview('ciso', { reviewers: ['rita'] });
  const decide = (item: number, disposition: 'keep' | 'revoke' | 'modify', until?: number) =>
    rbac.decideReview('rita', id, item, { disposition, reason: 'because', until });
  await decide(1, 'keep');
  await decide(1, 'revoke');
  await decide(2, 'modify', clock.now() + DAY);
  for (const item of [1, 2]) {
    await expect(decide(item, 'keep')).rejects.toMatchObject({ code: 'E_REVIEW_CONFLICT' });
  }
  await decide(2, 'revoke');
  await rbac.removeRole('boss', 'guest' as never);
  expect((await decide(3, 'revoke')).items[2]!.decision).toMatchObject({ disposition: 'revoke' });
  await rbac.closeReview('ciso', id);
});

test('a review of nobody, of roles that there are not, or of what is misspelt is none; so with reports', async () => {
  const { rbac } = await setup(memoryGovernance());
  const invalid = { code: 'E_REVIEW_INVALID', status: 400 };
  const drafts = [null, [], { reviewers: ['rita'], scope: { users: [] } }, { reviewers: ['rita'], scope: 'all' }, { reviewers: ['rita'], scope: { rols: ['staff'] } }, { reviewers: ['rita'], scoop: {} }]; // prettier-ignore
  for (const draft of drafts) {
    await expect(rbac.openReview('ciso', draft as never)).rejects.toMatchObject(invalid);
  }
  const unknown = rbac.openReview('ciso', { reviewers: ['rita'], scope: { roles: ['stafff'] } });
  await expect(unknown).rejects.toMatchObject({ code: 'E_ROLE_UNKNOWN' });
  expect(await rbac.reviews()).toEqual([]);
  for (const about of [undefined, null, { days: 9, action: 'delete' }, { days: 9, actoin: 'suspend' }]) {
    await expect(rbac.inactiveUsers('ciso', about as never)).rejects.toMatchObject(invalid);
    if (about?.action === undefined) await expect(rbac.unused(about as never)).rejects.toMatchObject(invalid);
  }
  await rbac.grantRole('boss', 'ann', 'staff');
  const { id } = await rbac.openReview('ciso', { reviewers: ['rita'] });
  await expect(rbac.decideReview('rita', id, 1, null as never)).rejects.toMatchObject(invalid);
  expect(verifyEvidence(undefined as never)).toBe(false);
});

test('uses that cannot be written wait, are told, and do not fill the memory', async () => {
  const store = memoryGovernance();
  let down = true;
  const flaky: GovernanceStore = {
    ...store,
    noteUses: async (uses) => {
      if (down) throw new Error('down');
      await store.noteUses(uses);
    },
  };
  const { rbac, events } = await setup(flaky);
  await rbac.grantRole('boss', 'ann', 'staff');
  await rbac.require('ann', 'book:read');
  await rbac.unused({ days: 1 });
  expect(events.of('store.failed')).toMatchObject([{ store: 'rbac', operation: 'note uses' }]);
  down = false;
  await rbac.unused({ days: 1 });
  expect(await store.uses(['ann'])).toHaveLength(1);
});

test('the pack of a review is the same in every process that reads the same store', async () => {
  const governance = memoryGovernance();
  const { rbac } = await setup(governance);
  await rbac.grantRole('boss', 'ann', 'staff');
  const { id } = await rbac.openReview('ciso', { reviewers: ['rita'] });
  await rbac.decideReview('rita', id, 1, { disposition: 'keep', reason: 'needed' });
  await rbac.closeReview('ciso', id);
  const other = createRbac({ permissions, store: memoryRoles({ feed: createMemoryFeed() }), governance });
  open.push(other);
  expect(await other.evidence(id)).toEqual(await rbac.evidence(id));
});
