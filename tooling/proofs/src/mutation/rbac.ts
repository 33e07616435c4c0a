import type { Scored } from './scored.js';

const tests = (...names: readonly string[]): readonly string[] =>
  names.map((name) => `packages/rbac/test/${name}.test.ts`);
const src = (name: string): string => `packages/rbac/src/${name}.ts`;

/** Engine and cache. */
export const rbac: readonly Scored[] = [
  { file: src('judge'), tests: tests('engine', 'tenants', 'permissions', 'cache', 'guards') },
  { file: src('holders'), tests: tests('holders', 'engine') },
  { file: src('bit-rows'), tests: tests('engine') },
  { file: src('bit-set'), tests: tests('holders', 'engine', 'permissions') },
  { file: src('hierarchy'), tests: tests('engine', 'administration') },
  { file: src('policy'), tests: tests('engine', 'permissions', 'cache') },
  { file: src('question'), tests: tests('engine', 'permissions', 'tenants', 'guards', 'duties') },
  { file: src('authority'), tests: tests('admin-router') },
  { file: src('facts'), tests: tests('cache', 'shared-cache') },
  { file: src('shared-entries'), tests: tests('shared-cache') },
];
