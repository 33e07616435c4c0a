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
    tests: tests('engine', 'tenants', 'permissions', 'short-ways', 'cache', 'guards'),
    equivalent: [
      ['break; -> ;', SPEED],
      ['!isBounded(bounds) -> false', SAME],
      ['wanted === undefined || policy.names[wanted] === undefined ->', SAME],
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
  { file: src('bit-rows'), tests: tests('holders', 'engine') },
  { file: src('bit-set'), tests: tests('holders', 'engine', 'permissions') },
  { file: src('hierarchy'), tests: tests('engine', 'administration') },
  {
    file: src('policy'),
    tests: tests('engine', 'permissions', 'short-ways', 'cache'),
    equivalent: [
      ['inherits.length === 0 -> false', SPEED],
      ['each !== id -> true', SAME],
      ['done.add(start.name); -> ;', SAME],
      ['continue; -> ;', SAME],
    ],
  },
  { file: src('question'), tests: tests('engine', 'permissions', 'tenants', 'guards', 'duties') },
  {
    file: src('authority'),
    tests: tests('authority', 'admin-router'),
    equivalent: [['id < size -> id <= size', SAME]],
  },
  {
    file: src('facts'),
    tests: tests('short-ways', 'cache', 'shared-cache'),
    equivalent: [
      ['policy !== undefined -> policy === undefined', SPEED],
      ['92: !this.#current() -> true', SPEED],
      ['this.evictUsers(); -> ;', SAME],
      ['round < MAX_ROUNDS -> round <= MAX_ROUNDS', 'one round more'],
      ['excused -> false', SAME],
      ['223: !this.#current() -> true', SPEED],
    ],
  },
  { file: src('shared-entries'), tests: tests('shared-cache') },
];
