import { describe, expect, test } from '@jest/globals';
import { createRbac, definePermissions, memoryRoles, type RoleRecord } from '../src/index.js';
import { hasBit } from '../src/bit-set.js';
import { createCatalogue } from '../src/catalogue.js';
import { findCycle } from '../src/hierarchy.js';
import { makeEntry, plainly } from '../src/judge.js';
import { compilePolicy } from '../src/policy.js';
import { answer, relationOf } from '../src/question.js';
import { RoleIds } from '../src/role-ids.js';
import { explainFails } from './explain-check.js';
import {
  bruteForce,
  mulberry32,
  permissions,
  randomQuestion,
  randomWorld,
  type Asked,
  type World,
} from './worlds.js';

const WORLDS = Number(process.env['PORTCULLIS_WORLDS'] ?? 5_000);
const catalogue = createCatalogue(permissions);
const at = { grantedBy: 'root', grantedAt: 0 };

function compiled(world: World) {
  const ids = new RoleIds();
  const policy = compilePolicy(catalogue, world, 1, ids);
  const entry = makeEntry(catalogue, world.user, 1, ids);
  const short = (permission: string): boolean | undefined => {
    const id = catalogue.direct(permission);
    return id < 0 ? undefined : plainly(policy, entry, id);
  };
  const whole = ({ permission, mine, now, tenant, scopes }: Asked) => {
    const checks = [catalogue.check(permission)!];
    const question = { kind: 'permission', text: permission, mode: 'all', checks } as const;
    const moment = { now, latest: now, tenant };
    const who = { id: 'u', ...(scopes ? { scopes } : {}) };
    return answer(
      catalogue,
      policy,
      entry,
      question,
      mine ? 'own' : 'other',
      moment,
      who,
      undefined,
      undefined,
    );
  };
  return { short, whole };
}

test(`the engine agrees with a brute-force evaluator on ${WORLDS} random worlds`, () => {
  const random = mulberry32(20_260_101);
  const ends: Record<string, number> = {
    allowed: 0,
    denied: 0,
    'not-granted': 0,
    scope: 0,
    superuser: 0,
    'short true': 0,
    'short false': 0,
  };
  for (let i = 0; i < WORLDS; i++) {
    const world = randomWorld(random);
    const engine = compiled(world);
    for (const permission of permissions.names) {
      const found = engine.short(permission);
      if (found === undefined) continue;
      const asked = { permission, mine: false, now: 0, tenant: undefined, scopes: undefined };
      if (found !== bruteForce(world, asked as Asked)) {
        throw new Error(`world ${i}, the short way: ${JSON.stringify({ permission, world, found })}`);
      }
      ends[`short ${found}`]!++;
    }
    for (let question = 0; question < 5; question++) {
      const asked = randomQuestion(random);
      const expected = bruteForce(world, asked);
      const found = engine.whole(asked);
      if (found.allowed !== expected) {
        throw new Error(`world ${i}: ${JSON.stringify({ asked, world, expected, found })}`);
      }
      const end = found.allowed && found.reason !== 'superuser' ? 'allowed' : found.reason;
      ends[end] = (ends[end] ?? 0) + 1;
    }
  }
  // The worlds must exercise all ends, or agreement says nothing.
  for (const count of Object.values(ends)) expect(count).toBeGreaterThan(WORLDS / 100);
});

describe('hierarchy', () => {
  const role = (name: string, inherits: string[], allow: string[] = []): RoleRecord => ({
    name,
    description: '',
    active: true,
    inherits,
    allow,
    deny: [],
  });

  test('T9: a chain of 1,000 roles is followed to its end', async () => {
    const store = memoryRoles();
    const rbac = createRbac({ permissions, store });
    const roles = Object.fromEntries(
      Array.from({ length: 1000 }, (_, i) => [
        `r${i}`,
        i === 999 ? { allow: ['loan:approve' as const] } : { inherits: [`r${i + 1}`] },
      ]),
    );
    await rbac.seed(roles);
    await rbac.grantRole('root', 'u', 'r0');
    expect(await rbac.can('u', 'loan:approve')).toBe(true);
    await rbac.setRoleActive('root', 'r500', false);
    expect(await rbac.can('u', 'loan:approve')).toBe(false);
  });

  test('T9: a chain of 10,000 roles does not exhaust the stack', () => {
    const small = createCatalogue(definePermissions({ a: ['b'] }));
    const roles = Array.from({ length: 10_000 }, (_, i) => role(`r${i}`, i === 9_999 ? [] : [`r${i + 1}`]));
    const inheriting = new Map(roles.map((each) => [each.name, each]));
    expect(findCycle(inheriting)).toBeUndefined();
    inheriting.set('r9999', role('r9999', ['r0']));
    expect(findCycle(inheriting)).toHaveLength(10_001);
    expect(() =>
      compilePolicy(small, { roles: [...inheriting.values()], inactivePermissions: [] }, 1, new RoleIds()),
    ).toThrow(expect.objectContaining({ code: 'E_POLICY_INVALID' }) as unknown as Error);
  });

  test('T8: a cycle is refused when it is written, with its path, and changes nothing', async () => {
    const rbac = createRbac({ permissions, store: memoryRoles() });
    await rbac.seed({ a: { inherits: ['b'] }, b: { inherits: ['c'] }, c: {}, d: { inherits: ['a'] } });
    const before = await rbac.roles();
    await expect(rbac.defineRole('root', 'c', { inherits: ['a'] })).rejects.toMatchObject({
      code: 'E_ROLE_CYCLE',
      message: expect.stringMatching(/(a -> b -> c -> a|b -> c -> a -> b|c -> a -> b -> c)/),
    });
    await expect(rbac.defineRole('root', 'c', { inherits: ['c'] })).rejects.toMatchObject({
      code: 'E_ROLE_CYCLE',
    });
    await expect(rbac.seed({ x: { inherits: ['y'] }, y: { inherits: ['x'] } })).rejects.toMatchObject({
      code: 'E_ROLE_CYCLE',
    });
    expect(await rbac.roles()).toEqual(before);
  });

  test('T8: two administrators who write at once cannot make a cycle between them', async () => {
    const rbac = createRbac({ permissions, store: memoryRoles() });
    await rbac.seed({ a: {}, b: {} });
    const results = await Promise.allSettled([
      rbac.defineRole('one', 'a', { inherits: ['b'] }),
      rbac.defineRole('two', 'b', { inherits: ['a'] }),
    ]);
    expect(results.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
    expect(await rbac.can('u', 'book:read')).toBe(false); // And the policy still compiles.
  });

  test('each role is looked at once, however many ways lead to it: forty diamonds on top of one another', () => {
    class Counted extends Map<string, RoleRecord> {
      looks = 0;
      override get(name: string): RoleRecord | undefined {
        if (++this.looks > 1000) throw new Error('a role is looked at again and again');
        return super.get(name);
      }
    }
    const ladder = new Counted();
    for (let i = 0; i < 40; i++) {
      for (const side of ['a', 'b']) ladder.set(`${side}${i}`, role(`${side}${i}`, i === 39 ? [] : [`a${i + 1}`, `b${i + 1}`]));
    }
    expect(findCycle(ladder)).toBeUndefined();
    ladder.set('b39', role('b39', ['b38']));
    expect(findCycle(ladder)).toEqual(expect.arrayContaining(['b38', 'b39']));
  }); // prettier-ignore

  test('a role whose parents inherit from one another holds what they hold, in whatever order they are named', () => {
    for (const parents of [['a', 'b'], ['b', 'a']]) {
      const roles = [role('top', parents), role('a', [], ['book:read']), role('b', ['a'], ['loan:approve'])];
      const user = { active: true, roles: [{ role: 'top', ...at }], rules: [] };
      for (const world of [roles, roles.toReversed()].map((each) => compiled({ roles: each, inactivePermissions: [], user }))) {
        for (const permission of ['book:read', 'loan:approve'] as const) {
          expect(world.short(permission)).toBe(true);
          expect(world.whole({ permission, mine: false, now: 0, tenant: undefined, scopes: undefined }).allowed).toBe(true);
        }
      }
    }
  }); // prettier-ignore

  test('stored roles with a parent that is not there, or with one role twice, are no policy', () => {
    const compile = (...roles: RoleRecord[]) =>
      compilePolicy(catalogue, { roles, inactivePermissions: ['film:read'] }, 1, new RoleIds());
    const invalid = expect.objectContaining({ code: 'E_POLICY_INVALID' }) as unknown as Error;
    expect(() => compile(role('a', ['gone']))).toThrow(invalid);
    expect(() => compile(role('a', []), role('a', []))).toThrow(invalid);
    const policy = compile(role('a', []), role('b', ['a']));
    expect(policy.names).toEqual(['a', 'b']);
    // What is switched off and was never declared switches off nothing else.
    expect(permissions.names.filter((_, id) => !hasBit(policy.active, id))).toEqual([]);
  });

  test('a diamond of inactive and active parents passes on what an active path reaches', () => {
    const roles = [
      role('top', ['left', 'right']),
      { ...role('left', ['base']), active: false },
      role('right', ['base']),
      role('base', [], ['book:read']),
    ];
    const user = { active: true, roles: [{ role: 'top', ...at }], rules: [] };
    const asked = {
      permission: 'book:read',
      mine: false,
      now: 0,
      tenant: undefined,
      scopes: undefined,
    } as const;
    expect(compiled({ roles, inactivePermissions: [], user }).whole(asked).allowed).toBe(true);
  });
});

test('T16: of user, role and permission, each switched off alone is enough to refuse', async () => {
  for (let bits = 0; bits < 8; bits++) {
    const [user, role, permission] = [1, 2, 4].map((bit) => (bits & bit) !== 0) as [
      boolean,
      boolean,
      boolean,
    ];
    const rbac = createRbac({ permissions, store: memoryRoles() });
    await rbac.seed({ parent: { allow: ['book:read'] }, staff: { inherits: ['parent'] } });
    await rbac.grantRole('root', 'u', 'staff');
    expect(await rbac.can('u', 'book:read')).toBe(true);
    await rbac.setUserActive('root', 'u', user);
    await rbac.setRoleActive('root', 'staff', role);
    await rbac.setPermissionActive('root', 'book:read', permission);
    expect([bits, await rbac.can('u', 'book:read')]).toEqual([bits, bits === 7]);
    const { decision, because } = await rbac.explain('u', 'book:read');
    expect(decision.allowed).toBe(bits === 7);
    if (!user) expect(decision.reason).toBe('user-inactive');
    else if (!role) expect(because.join(' ')).toContain('role-inactive');
    else if (!permission) expect(because.join(' ')).toContain('permission-inactive');
  }
});

describe('T12: ownership', () => {
  const nothings: unknown[] = [
    undefined, null, Number.NaN, '', 0, 1, true, [], ['ann'], {}, { toString: () => 'ann' },
    Object('ann'), Symbol('ann'), 'Ann', 'ann ', 'ann\0', 'аnn', 'ann\u0301',
  ]; // prettier-ignore

  test('needs the very same non-empty string: nothing is converted, and nothing owns nothing', async () => {
    const rbac = createRbac({ permissions, store: memoryRoles() });
    await rbac.seed({ patron: { allow: ['loan:read:own'] } });
    await rbac.grantRole('root', 'ann', 'patron');
    expect(await rbac.can('ann', 'loan:read', { owner: 'ann' })).toBe(true);
    expect(await rbac.can('ann', 'loan:read:own', { owner: 'ann' })).toBe(true);
    for (const owner of nothings) {
      expect([owner, relationOf(owner, 'ann')]).not.toEqual([owner, 'own']);
      expect(await rbac.can('ann', 'loan:read', { owner })).toBe(false);
      expect(await rbac.can('ann', 'loan:read:own', { owner })).toBe(false);
    }
    expect(relationOf('', '')).not.toBe('own');
  });

  test('of ids that are no ids nothing is asked at all', async () => {
    const rbac = createRbac({ permissions, store: memoryRoles() });
    for (const id of [...nothings, '\ud800', 'x'.repeat(257)]) {
      if (typeof id === 'string' && id !== '' && id.length < 257 && id.isWellFormed() && !id.includes('\0'))
        continue;
      const principal = { id, kind: 'user' } as never;
      await expect(rbac.can(principal, 'loan:read', { owner: id })).rejects.toMatchObject({
        code: 'E_PRINCIPAL_INVALID',
      });
    }
  });
});

describe('T26: time', () => {
  const world = (from?: number, until?: number): World => ({
    roles: [{ name: 'r', description: '', active: true, inherits: [], allow: ['book:read'], deny: [] }],
    inactivePermissions: [],
    user: {
      active: true,
      roles: [
        {
          role: 'r',
          ...at,
          ...(from === undefined ? {} : { from }),
          ...(until === undefined ? {} : { until }),
        },
      ],
      rules: [],
    },
  });
  const allowedAt = (now: number, from?: number, until?: number): boolean =>
    compiled(world(from, until)).whole({
      permission: 'book:read',
      mine: false,
      now,
      tenant: undefined,
      scopes: undefined,
    }).allowed;

  test('bounds are half-open: from the first moment on, and no more at the last', () => {
    expect([9, 10, 19, 20, 21].map((now) => allowedAt(now, 10, 20))).toEqual([
      false,
      true,
      true,
      false,
      false,
    ]);
    expect([allowedAt(19, undefined, 20), allowedAt(20, undefined, 20)]).toEqual([true, false]);
    expect([allowedAt(9, 10), allowedAt(10, 10)]).toEqual([false, true]);
  });

  test('a bound is a moment, not a local time: the hours of a DST change count as what they are', () => {
    // 2026-03-29 01:00 UTC: Central European clocks go from 02:00 to 03:00.
    const change = Date.UTC(2026, 2, 29, 1);
    expect(allowedAt(change - 1, undefined, change)).toBe(true);
    expect(allowedAt(change, undefined, change)).toBe(false);
    expect(allowedAt(change + 1_799_999, change, change + 1_800_000)).toBe(true);
  });
});

describe('explain', () => {
  test('the reason replays to the decision that is made, and the remedy turns a denial around (1,000 random worlds)', async () => {
    const random = mulberry32(7);
    const seen = { denials: 0, remedies: 0, roles: 0 };
    for (let i = 0; i < 1000; i++) {
      const world = randomWorld(random);
      const asked = randomQuestion(random);
      const failure = await explainFails(world, asked, seen);
      if (failure) throw new Error(`world ${i}: ${JSON.stringify({ failure, asked, world })}`);
    }
    expect(seen.denials).toBeGreaterThan(200);
    expect(seen.remedies).toBeGreaterThan(200);
    expect(seen.roles).toBeGreaterThan(50);
  });
});
