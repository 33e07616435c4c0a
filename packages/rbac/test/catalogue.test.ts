import { expect, test } from '@jest/globals';
import { createCatalogue, eachId, includesId, isEverything, type Coverage } from '../src/catalogue.js';
import { definePermissions } from '../src/index.js';

const many = Array.from({ length: 70 }, (_, i) => `a${i}`);
const catalogue = createCatalogue(
  definePermissions({ note: ['read:own', 'read:any', 'write', 'own'], loan: ['own'], page: many }),
);

test('what a question asks for: its own name, and of a name without a scope what answers it', () => {
  const asked = (name: string): unknown => {
    const { always, own, only } = catalogue.check(name) ?? {};
    return [always, own, only];
  };
  expect(asked('note:read')).toEqual([[1], 0, -1]);
  expect(asked('note:read:own')).toEqual([[], 0, -1]);
  expect(asked('note:read:any')).toEqual([[1], -1, 1]);
  expect(asked('note:write')).toEqual([[2], -1, 2]);
  // An action may be called so: it is no scope.
  expect(asked('note:own')).toEqual([[3], -1, 3]);
  for (const unknown of ['note', 'loan', 'note:write:own', 'note:any', 'page:b', '', 'toString', 'note:*']) {
    expect([unknown, catalogue.check(unknown), catalogue.direct(unknown)]).toEqual([unknown, undefined, -1]);
  }
  expect(['note:read', 'note:read:own', 'note:read:any', 'note:write'].map((name) => catalogue.direct(name))).toEqual([-1, -1, 1, 2]); // prettier-ignore
  expect(catalogue.check('note:read')).toBe(catalogue.check('note:read'));
});

test('what a grant covers, by name and by pattern, and that what covers nothing is nothing', () => {
  const ids = (coverage: Coverage | undefined): readonly number[] | undefined => {
    if (coverage === undefined) return undefined;
    const found: number[] = [];
    eachId(coverage, (id) => found.push(id));
    const all = Array.from({ length: catalogue.size + 40 }, (_, id) => id);
    expect(all.filter((id) => includesId(coverage, id))).toEqual(found);
    return found;
  };
  const expand = (pattern: string) => ids(catalogue.expand(pattern));
  expect(expand('note:write')).toEqual([2]);
  expect(expand('note:*')).toEqual([2, 3]);
  expect(expand('note:**')).toEqual([0, 1, 2, 3]);
  expect(expand('*:own')).toEqual([3, 4]);
  expect(expand('*:*:own')).toEqual([0]);
  expect(expand('page:*')).toHaveLength(70);
  expect(expand('**')).toHaveLength(75);
  expect(expand('page:*')).toEqual(expand('page:*'));
  for (const nothing of ['note:gone', 'film:*', '*', 'note:wr*', '**:own', 'A:*', 'a:b:c:*', '', '***']) {
    expect([nothing, expand(nothing)]).toEqual([nothing, undefined]);
  }
  expect(['**', '*:**', 'note:**', '*:*', '*'].map(isEverything)).toEqual([true, true, false, false, false]);
});
