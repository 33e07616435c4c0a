import { describe, expect, test } from '@jest/globals';
import { createRbac, definePermissions, memoryRoles } from '../src/index.js';

const permissions = definePermissions({
  user: ['read', 'contact:own', 'contact:any', 'promote'],
  salary: ['read'],
});

async function library() {
  const rbac = createRbac({ permissions, store: memoryRoles() });
  await rbac.seed({ reader: { allow: ['user:read', 'user:contact:own'] }, desk: { allow: ['user:*:any'] } });
  await rbac.grantRole('root', 'ann', 'reader');
  await rbac.grantRole('root', 'desk', 'desk');
  const fields = rbac.fields({
    id: true,
    name: 'user:read',
    email: 'user:contact',
    salary: ['salary:read', 'user:promote'],
  });
  return { rbac, fields };
}
const user = { id: 'u1', name: 'Ann', email: 'ann@example.org', salary: 7, password: 'x' };

describe('fields', () => {
  test('pick() gives a copy with the fields that are listed and allowed, whoever asks and whose ever it is', async () => {
    const { fields } = await library();
    expect(await fields.pick('ann', user, { owner: 'bob' })).toEqual({ id: 'u1', name: 'Ann' });
    expect(await fields.pick('ann', user, { owner: 'ann' })).toEqual({
      id: 'u1',
      name: 'Ann',
      email: 'ann@example.org',
    });
    expect(await fields.pick('desk', user)).toEqual({ id: 'u1', email: 'ann@example.org' });
    expect(await fields.pick(undefined, user)).toEqual({ id: 'u1' });
    expect(user).toHaveProperty('password');
  });

  test('one of several permissions is enough, and a revoked one counts at the next object', async () => {
    const { rbac, fields } = await library();
    await rbac.grantPermission('root', 'ann', 'user:promote');
    expect(await fields.pick('ann', user)).toHaveProperty('salary', 7);
    await rbac.revokePermission('root', 'ann', 'user:promote');
    expect(await fields.pick('ann', user)).not.toHaveProperty('salary');
  });

  test('require() refuses what is sent with any field that is not listed or not allowed', async () => {
    const { fields } = await library();
    await expect(fields.require('ann', { name: 'A', email: 'b' }, { owner: 'ann' })).resolves.toBeUndefined();
    for (const body of [{ name: 'A', salary: 1 }, { password: 'x' }, JSON.parse('{"__proto__":{"a":1}}')]) {
      await expect(fields.require('ann', body as object)).rejects.toMatchObject({
        code: 'E_PERMISSION_DENIED',
      });
    }
    await expect(fields.require(undefined, { name: 'A' })).rejects.toMatchObject({
      code: 'E_SIGN_IN_REQUIRED',
    });
  });

  test('T10: names such as __proto__ and constructor are fields like others', async () => {
    const { rbac } = await library();
    const fields = rbac.fields(JSON.parse('{"__proto__":true,"constructor":true}') as Record<string, true>);
    const object = JSON.parse('{"__proto__":{"polluted":1},"constructor":2,"toString":3}') as object;
    const picked = await fields.pick('ann', object);
    expect(Object.keys(picked).sort()).toEqual(['__proto__', 'constructor']);
    expect(Object.getPrototypeOf(picked)).toBe(Object.prototype);
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined();
  });

  test('rules that make no sense are refused when they are made', async () => {
    const { rbac } = await library();
    expect(() => rbac.fields({ name: 'user:reed' as never })).toThrow(/user:read/);
    for (const rule of [false, [], 7, null]) {
      expect(() => rbac.fields({ name: rule as never })).toThrow(/must be true, a permission or several/);
    }
  });

  test('T24: with the store down nothing is shown, and it says so', async () => {
    const store = { ...memoryRoles(), load: async () => Promise.reject(new Error('down')) };
    const fields = createRbac({ permissions, store }).fields({ name: 'user:read' });
    await expect(fields.pick('ann', user)).rejects.toMatchObject({ status: 503 });
    await expect(fields.require('ann', user)).rejects.toMatchObject({ status: 503 });
  });
});
