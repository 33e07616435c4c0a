import assert from 'node:assert/strict';
import type { TestGlobals } from '@portcullis/core/testing';
import { globalsOf } from './globals.js';
import { memoryRoles } from '../memory-store.js';
import type { Permissions } from '../permissions.js';
import { createRbac } from '../create-rbac.js';
import type { Rbac } from '../rbac.js';
import type { RoleDefinitions } from '../role-definition.js';

/** What a policy says, as rows: what YAML, JSON or a literal of this shape describes. */
export interface PolicyTable {
  readonly name?: string;
  /** People by a name that the rows use; what is granted and denied to them. */
  readonly people: Readonly<Record<string, PersonOfTable>>;
  readonly rows: readonly PolicyRow[];
}

export interface PersonOfTable {
  readonly roles?: readonly string[];
  readonly allow?: readonly string[];
  readonly deny?: readonly string[];
  readonly tenant?: string;
  readonly scopes?: readonly string[];
  readonly active?: boolean;
}

export interface PolicyRow {
  readonly permission: string;
  /** Whose the object is: a name of `people`, or anybody else. */
  readonly owner?: string;
  readonly tenant?: string;
  /** Who may; everybody else in `people` may not. */
  readonly allowed: readonly string[];
}

export interface PolicyTableOptions {
  readonly permissions: Permissions;
  readonly roles: RoleDefinitions;
  /** @default the global `describe` and `test` (or `it`) of the test runner */
  readonly globals?: TestGlobals;
}

/**
 * One test for each row, and in it each person of the table: who is named may, who is not named may not. A misspelt name, role or
 * permission fails; so does a declared permission that no row speaks of.
 * @example policyTable(parse(readFileSync('policy.yaml', 'utf8')), { permissions, roles }); // parse of `yaml`
 */
export function policyTable(table: PolicyTable, options: PolicyTableOptions): void {
  const { describe, test } = globalsOf(options.globals);
  const { permissions, roles } = options;
  checkTable(table);
  const people = Object.entries(table.people);

  async function housed<T>(work: (rbac: Rbac) => Promise<T>): Promise<T> {
    const rbac = createRbac({ permissions, roles, store: memoryRoles() });
    try {
      await rbac.seed();
      for (const [id, person] of people) {
        const place = person.tenant === undefined ? {} : { tenant: person.tenant };
        for (const role of person.roles ?? []) await rbac.grantRole('policy table', id, role, place);
        for (const name of person.allow ?? []) await rbac.grantPermission('policy table', id, name, place);
        for (const name of person.deny ?? []) await rbac.denyPermission('policy table', id, name);
        if (person.active === false) await rbac.setUserActive('policy table', id, false);
      }
      return await work(rbac);
    } finally {
      await rbac.close();
    }
  }

  describe(`policy: ${table.name ?? 'table'}`, () => {
    for (const row of table.rows) {
      const { permission, owner, tenant, allowed } = row;
      const about = `${owner === undefined ? '' : ` of ${owner}`}${tenant === undefined ? '' : ` in ${tenant}`}`;
      test(`${permission}${about}: ${allowed.length > 0 ? allowed.join(', ') : 'nobody'}`, () =>
        housed(async (rbac) => {
          const wrong: string[] = [];
          for (const [id, person] of people) {
            const principal = {
              id,
              kind: 'user',
              ...(person.tenant === undefined ? {} : { tenant: person.tenant }),
              ...(person.scopes === undefined ? {} : { scopes: person.scopes }),
            } as const;
            const { decision, because } = await rbac.explain(principal, permission, {
              ...(owner === undefined ? {} : { owner }),
              ...(tenant === undefined ? {} : { tenant }),
            });
            if (decision.allowed !== allowed.includes(id)) wrong.push(`${id}: ${because.join(' ')}`);
          }
          assert.deepEqual(wrong, [], `${permission}${about} is not as the table says`);
        }));
    }
    test('every declared permission has a row', async () => {
      const asked = new Set(table.rows.map(({ permission }) => permission));
      const silent = permissions.names.filter((name) => {
        const [resource, action] = name.split(':');
        return !asked.has(name) && !asked.has(`${resource}:${action}`);
      });
      assert.deepEqual(silent, [], 'no row speaks of these permissions');
    });
  });
}

function checkTable(table: PolicyTable): void {
  assert.ok(
    isObject(table) && isObject(table.people) && Array.isArray(table.rows),
    'a policy table has people and rows',
  );
  const known = ['name', 'people', 'rows'];
  for (const key of Object.keys(table)) assert.ok(known.includes(key), `a policy table has no "${key}"`);
  for (const [id, person] of Object.entries(table.people)) {
    assert.ok(isObject(person), `"${id}" of a policy table is no person`);
    // YAML reads `no` as a text.
    const active: unknown = person.active ?? true;
    assert.ok(typeof active === 'boolean', `active of "${id}" is true or false`);
    for (const key of Object.keys(person)) {
      assert.ok(
        ['roles', 'allow', 'deny', 'tenant', 'scopes', 'active'].includes(key),
        `"${id}" of a policy table has no "${key}"`,
      );
    }
  }
  for (const row of table.rows) {
    assert.ok(isObject(row), 'a row of a policy table has permission and allowed');
    for (const key of Object.keys(row)) {
      assert.ok(['permission', 'owner', 'tenant', 'allowed'].includes(key), `a row has no "${key}"`);
    }
    assert.ok(Array.isArray(row.allowed), `the row of ${row.permission} lists who is allowed`);
    for (const id of row.allowed) assert.ok(Object.hasOwn(table.people, id), `"${id}" is not in people`);
  }
}

function isObject<T>(value: T | null | undefined): value is T & object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
