import { describe, expect, test } from '@jest/globals';
import { createCatalogue } from '../src/catalogue.js';
import type { DirectRule, RoleAssignment, RoleRecord, UserRecord } from '../src/index.js';
import {
  inEffect,
  isAllowed,
  isPlain,
  judge,
  judgeRole,
  makeEntry,
  maskOf,
  plainly,
  rule,
  tenantsOf,
  unnamedTenant,
  type Relation,
} from '../src/judge.js';
import { compilePolicy } from '../src/policy.js';
import { RoleIds } from '../src/role-ids.js';
import { permissions } from './support.js';

const catalogue = createCatalogue(permissions);
const by = { grantedBy: 'root', grantedAt: 0 };
const give = (role: string, bounds: Partial<RoleAssignment> = {}): RoleAssignment => ({
  role,
  ...by,
  ...bounds,
});
const allow = (permission: string, bounds: Partial<DirectRule> = {}): DirectRule => ({
  effect: 'allow',
  permission,
  ...by,
  ...bounds,
});
const deny = (permission: string, bounds: Partial<DirectRule> = {}): DirectRule => ({ ...allow(permission, bounds), effect: 'deny' }); // prettier-ignore

type Roles = Readonly<Record<string, Partial<RoleRecord>>>;

/** `idle` is there so that the roles of the user have other numbers than their places. */
function world(roles: Roles, user: Partial<UserRecord>, inactivePermissions: readonly string[] = []) {
  const rest = { description: '', active: true, inherits: [], allow: [], deny: [] };
  const records = Object.entries({ idle: {}, ...roles }).map(([name, role]) => ({ name, ...rest, ...role }));
  const ids = new RoleIds();
  const policy = compilePolicy(catalogue, { roles: records, inactivePermissions }, 1, ids);
  const entry = makeEntry(catalogue, { active: true, roles: [], rules: [], ...user }, 1, ids);
  const moment = (now: number, tenant: string | undefined) => ({ now, latest: now, tenant });
  return {
    entry,
    asked(name: string, relation: Relation = 'unknown', now = 1000, tenant?: string) {
      const verdict = judge(policy, entry, catalogue.check(name)!, relation, moment(now, tenant));
      return [verdict.reason, ...(verdict.by === undefined ? [] : [verdict.by])].join(' ');
    },
    ruling: (name: string) => rule(policy, entry, catalogue.check(name)!, 'unknown', moment(1000, undefined)),
    has(role: string, now = 1000, tenant?: string) {
      const verdict = judgeRole(policy, entry, role, moment(now, tenant));
      return [verdict.reason, ...(verdict.by === undefined ? [] : [verdict.by])].join(' ');
    },
    plainly: (name: string) => plainly(policy, entry, catalogue.direct(name)),
  };
}

const roles: Roles = {
  first: { allow: ['book:read'] },
  second: { allow: ['book:*'] },
  root: { allow: ['**'] },
  chief: { inherits: ['root'] },
  ban: { deny: ['book:delete'] },
  own: { allow: ['loan:read:own'] },
};

test('a grant of every tenant ends like others, and one of a tenant for ever is of that tenant', () => {
  const everywhere = world(roles, { roles: [give('first', { tenant: '*', until: 1500 })] });
  const rules = [allow('book:create', { tenant: '*', from: 1500 }), allow('loan:approve', { tenant: 'north' })];
  const direct = world(roles, { rules });
  for (const tenant of ['north', undefined]) {
    expect([1000, 1500].map((now) => everywhere.asked('book:read', 'unknown', now, tenant))).toEqual(['role first', 'not-granted']);
    expect([1000, 1500].map((now) => direct.asked('book:create', 'unknown', now, tenant))).toEqual(['not-granted', 'direct book:create']);
  }
  const places = ['north', 'south', undefined];
  expect(places.map((tenant) => direct.asked('loan:approve', 'unknown', 1000, tenant))).toEqual(['direct loan:approve', 'not-granted', 'not-granted']);
}); // prettier-ignore

describe('what decides is named', () => {
  test('of roles that allow it the first one that was given, with denials in the policy and without', () => {
    const { ban: _ban, ...free } = roles;
    for (const some of [roles, free]) {
      const of = (...given: string[]) => world(some, { roles: given.map((role) => give(role)) });
      expect(of('first', 'second', 'own').asked('book:read')).toBe('role first');
      expect(of('second', 'first').asked('book:read')).toBe('role second');
      expect(of('root', 'first').asked('book:read')).toBe('role first');
      expect(of('root', 'chief').asked('book:read')).toBe('superuser root');
      expect(of('chief', 'root').asked('book:create')).toBe('superuser chief');
      expect(of('idle', 'own').asked('book:read')).toBe('not-granted');
    }
  });

  test('of direct grants the first one; one of everything is a superuser, after everything that is not', () => {
    const of = (given: readonly string[], ...rules: string[]) =>
      world(roles, { roles: given.map((role) => give(role)), rules: rules.map((each) => allow(each)) });
    expect(of([], 'loan:approve', 'book:*', 'book:read').asked('book:read')).toBe('direct book:*');
    expect(of([], '**', 'book:read').asked('book:read')).toBe('direct book:read');
    expect(of(['root'], 'book:read').asked('book:read')).toBe('direct book:read');
    expect(of(['second'], 'book:read').asked('book:read')).toBe('role second');
    expect(of(['root'], '**').asked('book:read')).toBe('superuser root');
    expect(of([], '**').asked('book:read')).toBe('superuser **');
    expect(of([], 'loan:approve', '*:**').asked('book:read')).toBe('superuser *:**');
  });

  test('a denial before everything, of a role before a direct one', () => {
    const user = { roles: [give('root'), give('second'), give('ban')] };
    expect(world(roles, user).asked('book:delete')).toBe('denied ban');
    expect(world(roles, user).asked('book:create')).toBe('role second');
    const rules = [allow('book:delete'), deny('book:*')];
    expect(world(roles, { ...user, rules }).asked('book:delete')).toBe('denied ban');
    expect(world(roles, { ...user, rules }).asked('book:create')).toBe('denied book:*');
    expect(world(roles, { roles: [give('root')], rules }).asked('loan:approve')).toBe('superuser root');
  });

  test('a denial of what is switched off is one, a grant of it is none, not even of everything', () => {
    const off = ['book:delete', 'loan:read:any'];
    const rules = [allow('**'), allow('book:delete')];
    expect(world(roles, { rules: [...rules, deny('book:delete')] }, off).asked('book:delete')).toBe('denied book:delete');
    for (const user of [{ rules }, { roles: [give('root'), give('second')] }]) {
      const { asked } = world(roles, user, off);
      expect(asked('book:delete', 'own')).toBe('not-granted');
      expect(asked('loan:read', 'own')).toMatch(/^superuser/);
      expect(asked('loan:read', 'other')).toBe('not-owner');
      expect(asked('loan:read', 'unknown')).toBe('owner-unknown');
    }
  }); // prettier-ignore

  test('whose it is, only where that would change the answer', () => {
    const { asked } = world(roles, { roles: [give('own')] });
    expect(asked('loan:read', 'own')).toBe('role own');
    expect(asked('loan:read', 'other')).toBe('not-owner');
    expect(asked('loan:read')).toBe('owner-unknown');
    expect(asked('loan:approve', 'other')).toBe('not-granted');
    const nobody = world(roles, {});
    for (const relation of ['own', 'other', 'unknown'] as const)
      expect(nobody.asked('loan:read', relation)).toBe('not-granted');
  });

  test('that the user is switched off, before everything', () => {
    const { asked, has } = world(roles, { active: false, roles: [give('root'), give('ban')] });
    expect([asked('book:delete'), has('root')]).toEqual(['user-inactive', 'user-inactive']);
  });

  test('what is allowed, and what of it nobody has to be told, can be seen in the number', () => {
    const of = (user: Partial<UserRecord>) => {
      const ruling = world(roles, user).ruling('book:delete');
      return [isAllowed(ruling), isPlain(ruling)];
    };
    expect(of({ roles: [give('second')] })).toEqual([true, true]);
    expect(of({ rules: [allow('book:delete')] })).toEqual([true, true]);
    expect(of({ roles: [give('root')] })).toEqual([true, false]);
    expect(of({ rules: [allow('**')] })).toEqual([true, false]);
    expect(of({ roles: [give('ban')] })).toEqual([false, false]);
    expect(of({})).toEqual([false, false]);
  });
});

describe('a role', () => {
  test('is had by who holds it or one that inherits it, and named by what is held', () => {
    const { has } = world(roles, { roles: [give('chief'), give('first')] });
    expect([has('root'), has('chief'), has('first')]).toEqual(['role chief', 'role chief', 'role first']);
    expect([has('second'), has('no such role')]).toEqual(['not-granted', 'not-granted']);
    const zero = world({}, { roles: [give('idle')] }); // Its number is 0.
    expect([zero.has('idle'), zero.has('no such role')]).toEqual(['role idle', 'not-granted']);
  });

  test('that is switched off is had by nobody, nor what it inherits', () => {
    const off = { ...roles, chief: { ...roles['chief'], active: false } };
    const { has } = world(off, { roles: [give('chief')] });
    expect([has('chief'), has('root')]).toEqual(['not-granted', 'not-granted']);
    const { has: gone } = world(roles, { roles: [give('a role that is gone'), give('first')] });
    expect([gone('a role that is gone'), gone('first')]).toEqual(['not-granted', 'role first']);
  });

  test('is had in its time and its tenant only', () => {
    const { has } = world(roles, {
      roles: [give('chief', { until: 1000 }), give('root', { from: 2000 }), give('first', { tenant: 'acme' })],
    });
    expect([has('root', 999), has('root', 1000), has('root', 2000)]).toEqual(['role chief', 'not-granted', 'role root']);
    expect([has('first'), has('first', 0, 'acme'), has('first', 0, 'globex')]).toEqual(['not-granted', 'role first', 'not-granted']);
    expect(has('root', 0, 'acme')).toBe('not-granted');
  }); // prettier-ignore
});

describe('an entry', () => {
  test('keeps the bounds that there are and nothing for the rest; what counts everywhere is one object', () => {
    const assignments = [give('first'), give('second', { until: 5 }), give('own', { from: 4, tenant: 'acme' }), give('root', { tenant: '*' }), give('ban', { tenant: '*', until: 7 })];
    const { entry } = world(roles, { roles: assignments, rules: [allow('book:read'), allow('book:*', { tenant: '*' })] });
    expect(entry.bounds).toStrictEqual([undefined, { until: 5 }, { from: 4, tenant: 'acme' }, { tenant: '*' }, { until: 7, tenant: '*' }]);
    expect(entry.rules!.map(({ bounds }) => bounds)).toStrictEqual([undefined, { tenant: '*' }]);
    expect(entry.rules![1]!.bounds).toBe(entry.bounds![3]);
    expect(world(roles, { roles: [give('first')] }).entry).toMatchObject({ bounds: undefined, rules: undefined });
    expect(world(roles, { rules: [allow('film:read')] }).entry.rules).toBeUndefined();
  }); // prettier-ignore

  test('is timed if anything in it begins or ends', () => {
    const timed = (user: Partial<UserRecord>): boolean => world(roles, user).entry.timed;
    expect(timed({ roles: [give('first'), give('own', { until: 5 })] })).toBe(true);
    expect(timed({ roles: [give('own', { from: 5 })], rules: [allow('book:read')] })).toBe(true);
    expect(timed({ roles: [give('first')], rules: [allow('book:read'), deny('book:*', { until: 5 })] })).toBe(true);
    expect(timed({ roles: [give('first', { tenant: 'acme' })], rules: [allow('book:read')] })).toBe(false);
    expect(timed({})).toBe(false);
  }); // prettier-ignore

  test('names tenants, of roles and of rules; one that it does not name is found whatever it names', () => {
    const tenants = (user: Partial<UserRecord>) => [...tenantsOf(world(roles, user).entry)];
    expect(tenants({})).toEqual([]);
    const given = [give('first', { tenant: 'acme' }), give('own', { tenant: '*' }), give('root')];
    expect(tenants({ roles: given, rules: [deny('book:*', { tenant: 'globex' }), allow('book:read')] })).toEqual(['acme', 'globex']);
    expect(unnamedTenant(new Set())).toBe('another');
    expect(unnamedTenant(new Set(['another', 'another!']))).toBe('another!!');
  }); // prettier-ignore

  test('has its roles as bits that tell two of them apart up to 32', () => {
    expect([maskOf([]), maskOf([0, 5]), maskOf([33]), maskOf([1, 33])]).toEqual([0, 33, 2, 2]);
  });
});

test('the short way answers for unbounded roles where nothing is denied, and for nothing else', () => {
  const { ban: _ban, ...free } = roles;
  const of = (user: Partial<UserRecord>, some: Roles = free) => world(some, user).plainly('book:read');
  const given = [give('first')];
  expect([of({ roles: given }), of({ roles: [give('idle')] }), of({})]).toEqual([true, false, false]);
  expect(of({ roles: [give('root'), give('first')] })).toBe(true);
  expect(of({ roles: [give('root')] })).toBeUndefined();
  expect(of({ roles: [give('chief')] })).toBeUndefined();
  expect(of({ roles: given }, roles)).toBeUndefined();
  expect(of({ roles: given, active: false })).toBeUndefined();
  expect(of({ roles: given, rules: [allow('book:create')] })).toBeUndefined();
  expect(of({ roles: [give('first', { tenant: '*' })] })).toBeUndefined();
});

test('where the clock was set back, the reading that refuses counts: for a grant and for a denial', () => {
  const back = { now: 1000, latest: 2000, tenant: undefined };
  const bounds = [{ from: 1500 }, { until: 1500 }, { from: 1000 }, { until: 2000 }, { until: 1000 }, { until: 2001 }, {}];
  expect(bounds.map((each) => inEffect(each, back, 'allow'))).toEqual([false, false, true, false, false, true, true]);
  expect(bounds.map((each) => inEffect(each, back, 'deny'))).toEqual([true, true, true, true, false, true, true]);
}); // prettier-ignore
