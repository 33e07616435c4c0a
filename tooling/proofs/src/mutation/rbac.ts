import type { Scored } from './scored.js';

const tests = (...names: readonly string[]): readonly string[] =>
  names.map((name) => `packages/rbac/test/${name}.test.ts`);
const src = (name: string): string => `packages/rbac/src/${name}.ts`;

const SPEED = 'only the short way is lost';
const SAME = 'the same by another way';

/** Engine and cache. */
export const rbac: readonly Scored[] = [
  {
    file: src('judge'),
    tests: tests('judge', 'engine', 'tenants', 'permissions', 'short-ways', 'cache', 'guards'),
    equivalent: [
      ['rule: break; -> ;', SPEED],
      ['judgeRole: wanted === undefined -> false', SAME],
    ],
  },
  {
    file: src('holders'),
    tests: tests('holders', 'engine'),
    equivalent: [
      ['this.empty -> false', SAME],
      ["typeof coverage === 'number' -> false", SAME],
    ],
  },
  { file: src('packed-roles'), tests: tests('holders', 'judge') },
  { file: src('recent-names'), tests: tests('recent-names') },
  { file: src('bit-rows'), tests: tests('holders', 'engine') },
  { file: src('bit-set'), tests: tests('holders', 'engine', 'permissions') },
  { file: src('hierarchy'), tests: tests('engine', 'administration') },
  { file: src('policy'), tests: tests('engine', 'judge', 'permissions', 'short-ways', 'cache') },
  {
    file: src('engine'),
    tests: tests('engine', 'guards', 'cache', 'shared-cache', 'tenants', 'short-ways', 'duties'),
  },
  { file: src('ask'), tests: tests('short-ways', 'engine', 'cache', 'duties') },
  { file: src('catalogue'), tests: tests('permissions', 'engine', 'judge') },
  { file: src('role-ids'), tests: tests('judge', 'cache') },
  { file: src('records'), tests: tests('engine', 'facts', 'cache') },
  { file: src('question'), tests: tests('engine', 'permissions', 'tenants', 'guards', 'duties') },
  {
    file: src('authority'),
    tests: tests('authority', 'admin-router'),
    equivalent: [
      ['overlap: id < size -> id <= size', SAME],
      ['wherever: patterns.length === 0 -> false', SPEED],
    ],
  },
  { file: src('facts'), tests: tests('facts', 'short-ways', 'cache', 'shared-cache') },
  { file: src('shared-entries'), tests: tests('shared-entries', 'shared-cache') },
];
