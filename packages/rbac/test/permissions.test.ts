import { describe, expect, test } from '@jest/globals';
import { vectorsDirectory } from '@portcullis/test-support';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  createRbac,
  definePermissions,
  memoryRoles,
  rbacErrors,
  type PermissionOf,
  type Permissions,
} from '../src/index.js';
import { covers, createCatalogue, parsePattern } from '../src/catalogue.js';
import type { ErrorFactory } from '@portcullis/core';

const permissions = definePermissions({
  book: ['create', 'read', 'update', 'delete'],
  loan: ['read:own', 'read:any', 'approve'],
});
const rbac = createRbac({
  permissions,
  store: memoryRoles(),
  roles: { patron: { allow: ['book:read'] }, staff: { inherits: ['patron'], allow: ['book:*'] } },
});

test('every error code of the package has a factory that carries its code', () => {
  for (const [code, make] of Object.entries<ErrorFactory>(rbacErrors)) expect(make().code).toBe(code);
});

describe('names', () => {
  test('are literal types: a typo is a compile error, and an error with the near miss where types are not checked', () => {
    const name: PermissionOf<typeof permissions> = 'book:create';
    expect(permissions.has(name)).toBe(true);
    // @ts-expect-error a typo
    const wrong: PermissionOf<typeof permissions> = 'book:craete';
    expect(permissions.has(wrong)).toBe(false);

    rbac.requirePermission('loan:read', { owner: () => 'x' }); // Asks for :own and :any.
    // @ts-expect-error a typo
    expect(() => rbac.requirePermission('book:craete')).toThrow(/Did you mean "book:create"\?/);
    // @ts-expect-error an unknown resource
    expect(() => rbac.requireAnyPermission('book:read', 'bok:read')).toThrow(/Did you mean "book:read"\?/);
    // @ts-expect-error an action that does not exist on this resource
    expect(() => rbac.requireAllPermissions('loan:create')).toThrow(/E_OPTION_VALUE/);
    // @ts-expect-error not a declared role
    expect(() => rbac.requireRole('staf')).toThrow(/Did you mean "staff"\?/);
    const store = memoryRoles();
    // @ts-expect-error an unknown permission in a role
    const wrongName = () => createRbac({ permissions, store, roles: { x: { allow: ['book:raed'] } } });
    expect(wrongName).toThrow(/Did you mean "book:read"\?/);
    // @ts-expect-error an unknown parent in a role
    expect(() => createRbac({ permissions, store, roles: { x: { inherits: ['y'] } } })).toThrow(
      /E_OPTION_VALUE/,
    );
    const circle = { x: { inherits: ['y'] }, y: { inherits: ['x'] } } as const;
    expect(() => createRbac({ permissions, store, roles: circle })).toThrow(/x -> y -> x/);
    expect(() => createRbac({ permissions, store, roles: 'x' as never })).toThrow(/E_OPTION_VALUE/);
  });

  test('with dots are refused, with colons as the near miss', () => {
    // @ts-expect-error dotted
    expect(() => rbac.requirePermission('book.create')).toThrow(/has a dot.*Did you mean "book:create"\?/);
    expect(() => definePermissions({ 'book.page': ['read'] })).toThrow(/Did you mean "book:page"\?/);
    expect(() => definePermissions({ book: ['read.own'] })).toThrow(/Did you mean "book:read:own"\?/);
  });

  test('that are malformed, repeated or empty are refused when they are declared', () => {
    const bad: unknown[] = [
      undefined, null, [], 'book:read', {}, { book: [] }, { book: 'read' }, { book: [1] }, { Book: ['read'] },
      { book: ['Read'] }, { book: ['read', 'read'] }, { book: ['a:b:c'] }, { book: ['*'] }, { book: [''] },
      { '': ['read'] }, { book: ['read '] }, { book: ['read\n'] }, { 'bоok': ['read'] }, { book: ['réad'] },
      { book: ['a'.repeat(65)] },
    ]; // prettier-ignore
    for (const definitions of bad) {
      expect(() => definePermissions(definitions as never)).toThrow(/E_OPTION_VALUE/);
    }
  });

  test('T10: names such as __proto__ and constructor pollute nothing', async () => {
    expect(() => definePermissions(JSON.parse('{"__proto__":["read"]}') as never)).toThrow(/E_OPTION_VALUE/);
    expect(() => definePermissions({ a: ['__proto__'] })).toThrow(/E_OPTION_VALUE/);
    const odd = definePermissions({ constructor: ['read'], a: ['constructor', 'valueof'] });
    const store = memoryRoles();
    const roles = createRbac({ permissions: odd, store });
    for (const name of ['constructor', 'toString', 'hasOwnProperty', 'a.__proto__.b']) {
      await roles.defineRole('root', name, { allow: ['constructor:read'] });
      await roles.grantRole('root', '__proto__', name);
    }
    await expect(roles.defineRole('root', '__proto__', {})).rejects.toMatchObject({ code: 'E_ROLE_INVALID' });
    expect(await roles.can('__proto__', 'constructor:read')).toBe(true);
    expect(await roles.can('constructor', 'constructor:read')).toBe(false);
    expect(await roles.can('toString', 'a:constructor')).toBe(false);
    await expect(roles.can('u', 'toString' as never)).rejects.toMatchObject({ code: 'E_PERMISSION_UNKNOWN' });
    await expect(roles.can('u', '__proto__' as never)).rejects.toMatchObject({
      code: 'E_PERMISSION_UNKNOWN',
    });
    const hostile = JSON.parse('{"__proto__":{"allow":["**"]}}') as Record<string, never>;
    await roles.defineRole('root', 'plain', hostile).catch(() => undefined);
    await roles.grantRole('root', 'u2', 'plain').catch(() => undefined);
    expect(await roles.can('u2', 'constructor:read')).toBe(false);
    expect(({} as Record<string, unknown>)['read']).toBeUndefined();
    expect(({} as Record<string, unknown>)['allow']).toBeUndefined();
  });
});

describe('T14: wildcards', () => {
  /** What a grant of `pattern` makes possible among the given names, through the public API. */
  async function granted(all: Permissions, pattern: string): Promise<readonly string[] | 'refused'> {
    const roles = createRbac({ permissions: all, store: memoryRoles() });
    try {
      await roles.grantPermission('root', 'u', pattern);
    } catch (error) {
      expect(error).toMatchObject({ code: 'E_PERMISSION_UNKNOWN', status: 400 });
      expect(await roles.grantsOf('u')).toEqual({ active: true, roles: [], rules: [] });
      return 'refused';
    }
    return roles.permissionsOf('u');
  }

  const all = definePermissions({
    book: ['read', 'read:any', 'create'],
    bookshelf: ['read'],
    loan: ['read', 'read:any'],
  });

  test.each<[string, readonly string[] | 'refused']>([
    ['book:read', ['book:read']],
    ['book:*', ['book:read', 'book:create']],
    ['book:**', ['book:read', 'book:read:any', 'book:create']],
    ['*:read', ['book:read', 'bookshelf:read', 'loan:read']],
    ['*:read:any', ['book:read', 'book:read:any', 'loan:read', 'loan:read:any']],
    ['*:*:any', ['book:read', 'book:read:any', 'loan:read', 'loan:read:any']],
    ['*:**', [...all.names]],
    ['**', [...all.names]],
    ['*', 'refused'],
    ['**:read', 'refused'],
    ['book:**:any', 'refused'],
    ['book*', 'refused'],
    ['book*:read', 'refused'],
    ['book:re*', 'refused'],
    ['book:***', 'refused'],
    ['book', 'refused'],
    ['book:', 'refused'],
    [':read', 'refused'],
    ['book::read', 'refused'],
    ['book:read:', 'refused'],
    ['book:read:**', ['book:read', 'book:read:any']],
    ['book:read\n', 'refused'],
    ['book.read', 'refused'],
    ['book:read,create', 'refused'],
    ['BOOK:read', 'refused'],
    ['book:r.ad', 'refused'],
    ['', 'refused'],
    ['a:b:c:d', 'refused'],
  ])('a grant of %j gives %j', async (pattern, expected) => {
    const names = await granted(all, pattern);
    // `book:read`, asked for without an owner, is also answered by `book:read:any`.
    const sorted = (list: readonly string[] | 'refused') => (list === 'refused' ? list : [...list].sort());
    expect(sorted(names)).toEqual(sorted(expected));
  });

  test('"**" needs at least one segment to stand for', () => {
    expect(covers(parsePattern('book:read:**')!, ['book', 'read'])).toBe(false);
    expect(covers(parsePattern('book:read:**')!, ['book', 'read', 'own'])).toBe(true);
  });

  test('no pattern is accepted in a question', async () => {
    // @ts-expect-error patterns are for grants
    expect(() => rbac.requirePermission('book:*')).toThrow(/patterns are for grants/);
    // @ts-expect-error patterns are for grants
    await expect(rbac.can('u', '**')).rejects.toMatchObject({ code: 'E_PERMISSION_UNKNOWN', status: 500 });
  });

  const folder = vectorsDirectory('rbac', 'wildcards/shiro_wildcard.json', 'wildcards/real_bugs.json');
  const external = folder === undefined ? test.skip : test;
  interface Pair {
    readonly grant: string;
    readonly required: string;
    readonly expect: boolean;
  }
  const pairs = (file: string): readonly Pair[] =>
    (JSON.parse(readFileSync(join(folder!, 'wildcards', file), 'utf8')) as { cases: Pair[] }).cases;

  /** Declares the required name where the grammar can say it, and asks. */
  async function ours({ grant, required }: Pair): Promise<boolean> {
    const [resource = '', ...rest] = required.split(':');
    let declared: Permissions;
    try {
      declared = definePermissions({ [resource]: [rest.join(':')], other: ['thing'] });
    } catch {
      return false; // Not a name of ours: it can be neither declared nor asked for.
    }
    const names = await granted(declared, grant);
    return names !== 'refused' && names.includes(required);
  }

  /** `WildcardPermission.implies` of Apache Shiro: parts are sets, a missing part of the grant covers everything. */
  function shiro({ grant, required }: Pick<Pair, 'grant' | 'required'>): boolean {
    const [has, wants] = [grant, required].map((text) =>
      text.toLowerCase().split(':').map((part) => part.split(',')),
    ) as [string[][], string[][]]; // prettier-ignore
    const covered = wants.every((part, i) => {
      const own = has[i];
      return own === undefined || own.includes('*') || part.every((token) => own.includes(token));
    });
    return covered && has.slice(wants.length).every((part) => part.includes('*'));
  }

  external("never allow what Apache Shiro denies, on Shiro's own pairs", async () => {
    const shiros = pairs('shiro_wildcard.json');
    let asked = 0;
    for (const pair of shiros) {
      expect([pair, shiro(pair)]).toEqual([pair, pair.expect]);
      // Shiro's names of one segment get a common resource before them, which changes nothing for Shiro.
      const longer = { ...pair, grant: `r:${pair.grant}`, required: `r:${pair.required}` };
      for (const each of [pair, longer]) {
        const allowed = await ours(each);
        asked++;
        if (allowed) expect(each).toMatchObject({ expect: true });
      }
    }
    expect(asked).toBe(2 * shiros.length);
    expect(await ours({ grant: 'newsletter:*:read', required: 'newsletter:123:read', expect: true })).toBe(
      true,
    );
  });

  test("never allow what Shiro's algorithm denies, on all short patterns and names", () => {
    const tokens = ['a', 'b', 'ab', '*', '**', '', 'a*', 'a,b'];
    const lists = [1, 2, 3, 4].flatMap((length) => product(tokens, length));
    const names = [2, 3].flatMap((length) => product(['a', 'b', 'ab'], length));
    let allowed = 0;
    for (const list of lists) {
      const pattern = parsePattern(list.join(':'));
      if (!pattern) continue;
      for (const name of names) {
        if (!covers(pattern, name)) continue;
        allowed++;
        const grant = pattern.join(':').replace('**', '*');
        expect([grant, name.join(':'), shiro({ grant, required: name.join(':') })]).toEqual([
          grant,
          name.join(':'),
          true,
        ]);
      }
    }
    expect(allowed).toBeGreaterThan(100);
  });

  external('repeat none of the known bugs of others', async () => {
    for (const pair of pairs('real_bugs.json')) expect([pair, await ours(pair)]).toEqual([pair, false]);
  });
});

function product(tokens: readonly string[], length: number): string[][] {
  if (length === 0) return [[]];
  return product(tokens, length - 1).flatMap((list) => tokens.map((token) => [...list, token]));
}

test('a catalogue keeps only patterns that mean something, so that refused input cannot fill the memory', () => {
  const catalogue = createCatalogue(permissions);
  expect(catalogue.expand('book:*')).toBe(catalogue.expand('book:*'));
  expect(catalogue.expand('nothing:*')).toBeUndefined();
});
