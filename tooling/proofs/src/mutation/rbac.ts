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
      ['rule: deny.empty -> false', SPEED],
      ['judgeRole: wanted === undefined -> false', SAME],
      ['boundsOf: !isBounded(bounds) -> false', SAME],
      ['boundsOf: bounds.tenant === EVERYWHERE.tenant && !isTimed(bounds) -> false', SAME],
      ['boundsOf: bounds.from === undefined -> false', SAME],
      ['boundsOf: bounds.until === undefined -> false', SAME],
      ['boundsOf: bounds.tenant === undefined -> false', SAME],
      ['makeEntry: rules.length > 0 -> true', SAME],
      ['makeEntry: rules.length > 0 -> rules.length >= 0', SAME],
      ['makeEntry: bounded -> true', SAME],
      ['holds: check.only >= 0 -> check.only > 0', SPEED],
      ['holds: check.only >= 0 -> false', SPEED],
    ],
  },
  {
    file: src('holders'),
    tests: tests('holders', 'engine'),
    equivalent: [
      ['this.empty -> false', SAME],
      ["typeof coverage === 'number' -> false", SAME],
      ['constructor: roles > PACKABLE -> roles >= PACKABLE', SPEED],
      ['constructor: roles > PACKABLE -> true', SPEED],
      ['has: role >= PACKABLE -> role > PACKABLE', SAME],
      ['hasAny: role === NOBODY -> false', SPEED],
    ],
  },
  { file: src('packed-roles'), tests: tests('holders', 'judge') },
  {
    file: src('recent-names'),
    tests: tests('recent-names'),
    equivalent: [
      ['hashOf:', 'what a name means is looked up all the same; only which names share a place is another'],
      ['#find: count > this.#mask', SPEED],
      ['#find: count + 1 -> count - 1', SPEED],
      ['#find: this.#makePlaces(count + 1); -> ;', SPEED],
      ['#makePlaces: many < atLeast -> many <= atLeast', SPEED],
      ['#makePlaces: many * PLACE -> many / PLACE', SPEED],
      ['#makePlaces: many - 1 ->', SPEED],
      ['#makePlaces: this.#mask = many - 1; -> ;', SPEED],
    ],
  },
  { file: src('bit-rows'), tests: tests('holders', 'engine') },
  { file: src('bit-set'), tests: tests('holders', 'engine', 'permissions') },
  { file: src('hierarchy'), tests: tests('engine', 'administration') },
  { file: src('policy'), tests: tests('engine', 'judge', 'permissions', 'short-ways', 'cache') },
  {
    file: src('engine'),
    tests: tests(
      'decisions',
      'guards',
      'cache',
      'shared-cache',
      'tenants',
      'short-ways',
      'duties',
      'governance',
    ),
    equivalent: [
      ['entryNow: entry && activations?.concerns(facts.heldPolicy, entry) -> entry ||', SPEED],
      ['entryNow: entry && activations?.concerns(facts.heldPolicy, entry) -> true', SPEED],
      ['entryNow: stored -> false', SPEED],
      ['factsNow: found && activations?.concerns(found.policy, found.entry) -> found ||', SPEED],
      ['factsNow: found && activations?.concerns(found.policy, found.entry) -> true', SPEED],
      ['moment: !timed -> false', SPEED],
      ['moment: tenant === undefined -> false', SPEED],
      ['refusal: cause !== undefined -> true', SAME],
      ['usable: Object.isFrozen(principal) -> false', SAME],
    ],
  },
  {
    file: src('ask'),
    tests: tests('decisions', 'short-ways', 'engine', 'cache', 'duties'),
    equivalent: [
      ['questionFor: !question -> true', SPEED],
      ['decide: about.fresh -> true', SPEED],
      ["can: about !== undefined || typeof subject !== 'string' || actors -> true", SPEED],
      ['can: entry !== undefined -> false', SPEED],
      ['can: id < 0 -> true', SPEED],
      ['can: id < 0 -> id <= 0', SPEED],
      ['can: plain !== undefined -> false', SPEED],
      ['canOtherwise: check -> false', SPEED],
      ['canOtherwise: about.fresh -> true', SPEED],
      ['canOtherwise: !found -> true', SPEED],
    ],
  },
  {
    file: src('catalogue'),
    tests: tests('catalogue', 'permissions', 'judge', 'authority', 'engine'),
    equivalent: [
      ['eachId: id < coverage.length * 32 -> id <=', SAME],
      ['makeCheck: id === undefined -> false', SAME],
      ["expand: id !== undefined || !pattern.includes('*') -> false", SAME],
      ["expand: id !== undefined || !pattern.includes('*') -> id !== undefined && ", SAME],
    ],
  },
  { file: src('role-ids'), tests: tests('judge', 'cache') },
  { file: src('records'), tests: tests('records', 'facts') },
  {
    file: src('question'),
    tests: tests('decisions', 'tenants', 'permissions', 'guards', 'duties', 'engine'),
    equivalent: [['answer: question.checks.length === 1 -> false', SAME]],
  },
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
