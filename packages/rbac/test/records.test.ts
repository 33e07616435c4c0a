import { expect, test } from '@jest/globals';
import { checkPolicyRecord, checkUserRecord, isRoleName, isUserId } from '../src/records.js';

const role = { name: 'staff', description: '', active: true, inherits: ['a'], allow: ['b:c'], deny: ['b:d'] };
const policy = { roles: [role, { ...role, name: 'z' }], inactivePermissions: ['b:c'] };
const given = { role: 'staff', grantedBy: 'root', grantedAt: 0 };
const rule = { effect: 'allow', permission: 'b:c', grantedBy: 'root', grantedAt: 0 };
const user = { active: true, roles: [given, { ...given, from: 0, until: 9, tenant: 'a' }], rules: [rule, { ...rule, effect: 'deny' }] }; // prettier-ignore

/** The same with one thing wrong, and everything beside it as it was. */
const spoilt = <T extends object>(good: T, fields: readonly (keyof T)[], bad: readonly unknown[]): T[] =>
  fields.flatMap((field) => bad.map((value) => ({ ...good, [field]: value })));
const NO_LISTS = [undefined, null, 'x', {}, 7];
const NO_TEXTS = [undefined, null, 7, {}];

test('what a store answers about roles is taken if all of it is sound, and not if any part of it is not', () => {
  expect(checkPolicyRecord(policy)).toBe(policy);
  expect(checkPolicyRecord({ roles: [], inactivePermissions: [] })).toBeDefined();
  const roles = [
    ...[undefined, null, 7, 'staff'],
    ...spoilt(role, ['name'], [...NO_TEXTS, '', 'a b', '-a', 'x'.repeat(101), 'ä']),
    ...spoilt(role, ['active'], [undefined, 1, 'true']),
    ...spoilt(role, ['inherits', 'allow', 'deny'], [...NO_LISTS, [7], ['a', undefined]]),
  ];
  const records = [
    ...[undefined, null, 7],
    ...spoilt(policy, ['roles', 'inactivePermissions'], NO_LISTS),
    ...spoilt(policy, ['inactivePermissions'], [[7], ['b:c', null]]),
    ...roles.map((each) => ({ ...policy, roles: [role, each] })),
  ];
  for (const record of records) {
    expect(() => checkPolicyRecord(record as never)).toThrow(expect.objectContaining({ code: 'E_POLICY_INVALID' }));
  }
}); // prettier-ignore

test('what a store answers about a user is taken if all of it is sound, and not if any part of it is not', () => {
  expect(checkUserRecord(user as never)).toBe(user);
  const bounds = (good: typeof given | typeof rule) => [
    ...spoilt({ ...good, from: 1, until: 2 }, ['from', 'until'], [null, '1', Number.NaN, Infinity]),
    ...spoilt({ ...good, tenant: 'a' }, ['tenant'], [null, '', 7, {}]),
  ];
  const roles = [undefined, null, 'staff', ...spoilt(given, ['role'], NO_TEXTS), ...bounds(given)];
  const rules = [
    ...[undefined, null, 'b:c'],
    ...spoilt(rule, ['permission'], NO_TEXTS),
    ...spoilt(rule, ['effect'], [undefined, 'DENY', 'denied', true]),
    ...bounds(rule),
  ];
  const records = [
    ...[undefined, null, 7],
    ...spoilt(user, ['active'], [undefined, 1, 'true']),
    ...spoilt(user, ['roles', 'rules'], NO_LISTS),
    ...roles.map((each) => ({ ...user, roles: [given, each] })),
    ...rules.map((each) => ({ ...user, rules: [rule, each] })),
  ];
  for (const record of records) {
    expect(() => checkUserRecord(record as never)).toThrow(expect.objectContaining({ code: 'E_ROLES_UNAVAILABLE' }));
  }
}); // prettier-ignore

test('ids are 1 to 256 characters that every store keeps apart, names of roles 1 to 100 of ASCII', () => {
  expect(['a', 'ä 1', 'x'.repeat(256)].map(isUserId)).toEqual([true, true, true]);
  expect(['', 'x'.repeat(257), 'a\0', '\ud800', 7, undefined].map(isUserId)).toEqual(Array(6).fill(false));
  expect(['a', '9', 'a:b_c.d-e', 'x'.repeat(100)].map(isRoleName)).toEqual(Array(4).fill(true));
  expect(['', '-a', 'a b', 'x'.repeat(101), 7, ['a']].map(isRoleName)).toEqual(Array(6).fill(false));
}); // prettier-ignore
