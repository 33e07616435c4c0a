import { afterEach, describe, expect, test } from '@jest/globals';
import express from 'express';
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { createRbac, memoryRoles } from '../src/index.js';
import { policyTable, rbacMatchers, type PolicyTable } from '../src/testing.js';
import { permissions, roles } from './support.js';

const table = parse(readFileSync(new URL('policy.yaml', import.meta.url), 'utf8')) as PolicyTable;

policyTable(table, { permissions, roles, globals: { describe, test } });

/** Runs a table with a runner of its own and tells which of its tests fail, with what. */
async function failures(edit: (copy: { people: Record<string, object>; rows: object[] }) => void) {
  const copy = structuredClone(table) as never as { people: Record<string, object>; rows: object[] };
  edit(copy);
  const claims: [string, () => Promise<void>][] = [];
  const globals = {
    describe: (_title: string, suite: () => void) => suite(),
    test: (title: string, claim: () => Promise<void>) => void claims.push([title, claim]),
  };
  policyTable(copy as never, { permissions, roles, globals });
  const failed: string[] = [];
  for (const [title, claim] of claims) {
    await claim().catch((error: unknown) => failed.push(`${title} | ${(error as Error).message}`));
  }
  return failed;
}

test('a table fails where the policy differs: who may although not named, who may not although named, what no row speaks of', async () => {
  expect(await failures(() => undefined)).toEqual([]);
  const tooFew = await failures(({ rows }) => void Object.assign(rows[1]!, { allowed: ['sam'] }));
  expect(tooFew).toHaveLength(1);
  expect(tooFew[0]).toMatch(/^book:read: sam .*ann: .*patron/s);
  const tooMany = await failures(({ rows }) => void Object.assign(rows[0]!, { allowed: ['sam', 'eve'] }));
  expect(tooMany[0]).toMatch(/eve: .*No role and no direct grant/s);
  expect((await failures(({ rows }) => void rows.pop())).join()).toMatch(/loan:approve/);
  expect(await failures(({ people }) => void (people['ann'] = { roles: ['patrn'] }))).not.toEqual([]);
  expect(
    (await failures(({ rows }) => void rows.push({ permission: 'book:reed', allowed: [] }))).join(),
  ).toMatch(/book:read/);
});

test.each([
  ['a misspelt person', { people: {}, rows: [{ permission: 'book:read', allowed: ['ann'] }] }],
  ['a misspelt key of a row', { people: {}, rows: [{ permission: 'book:read', allow: [] }] }],
  ['a misspelt key of a person', { people: { ann: { role: ['patron'] } }, rows: [] }],
  ['a misspelt key', { people: {}, rows: [], row: [] }],
  ['no table', undefined],
  ['people that YAML left empty', { people: null, rows: [] }],
  ['a person that YAML left empty', { people: { ann: null }, rows: [] }],
  ['a row that is none', { people: {}, rows: [null] }],
  ['no, which is a text in YAML', { people: { ann: { active: 'no' } }, rows: [] }],
])('a malformed table is refused: %s', (_what, given) => {
  expect(() => policyTable(given as never, { permissions, roles, globals: { describe, test } })).toThrow();
});

describe('matchers', () => {
  const open: { close(): Promise<void> }[] = [];
  afterEach(() => Promise.all(open.splice(0).map((each) => each.close())));

  test('toAllow and toDeny say why, toGuardEveryRoute says which', async () => {
    const rbac = createRbac({ permissions, store: memoryRoles(), roles });
    open.push(rbac);
    await rbac.seed();
    await rbac.grantRole('root', 'ann', 'patron');
    const { toAllow, toDeny, toGuardEveryRoute } = rbacMatchers;
    const given = rbac as never;
    expect((await toAllow(given, 'ann', 'book:read')).pass).toBe(true);
    expect((await toDeny(given, 'ann', 'book:read')).pass).toBe(false);
    const denied = await toAllow(given, 'ann', 'book:update');
    expect([denied.pass, denied.message()]).toEqual([
      false,
      expect.stringMatching(/ann, book:update: .*No role/),
    ]);
    expect((await toAllow(given, 'ann', 'loan:read', { owner: 'ann' })).pass).toBe(true);
    expect((await toDeny(given, undefined, 'book:read')).pass).toBe(true);
    const app = express();
    expect(toGuardEveryRoute(given, app).pass).toBe(false);
    app.get('/', rbac.requirePermission('book:read'), (_req, res) => void res.end());
    expect(toGuardEveryRoute(given, app).pass).toBe(true);
    app.get('/open', (_req, res) => void res.end());
    const result = toGuardEveryRoute(given, app);
    expect([result.pass, result.message()]).toEqual([false, 'GET  /open  UNGUARDED: no guard']);
  });
});
