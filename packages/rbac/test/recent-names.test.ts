import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { RecentNames } from '../src/recent-names.js';

/** A map, asked by way of what was asked for before. */
function kept<Value>() {
  const all = new Map<string, Value>();
  let lookUps = 0;
  const recent = new RecentNames<Value>(
    (name) => {
      lookUps++;
      return all.get(name);
    },
    () => all.size,
  );
  return {
    get: (name: string) => recent.get(name),
    set(name: string, value: Value): void {
      all.set(name, value);
      recent.forget(name);
    },
    delete(name: string): void {
      all.delete(name);
      recent.forget(name);
    },
    clear(): void {
      all.clear();
      recent.clear();
    },
    lookUps: (): number => lookUps,
  };
}

/** Names that differ where nobody looks, so that many of them share a place; and others. */
const name = fc.oneof(
  fc.nat(9).map((i) => `user-${i}${i}-with-a-common-end`),
  fc.nat(300).map((i) => `user-${i}`),
  fc.string({ maxLength: 12 }).filter((each) => each !== ''),
);
const step = fc.oneof(
  fc.tuple(fc.constant('set' as const), name),
  fc.tuple(fc.constant('get' as const), name),
  fc.tuple(fc.constant('get' as const), name),
  fc.tuple(fc.constant('delete' as const), name),
  fc.tuple(fc.constant('clear' as const), name),
);

test('what a name means is what a Map says, whatever was asked for before, and whichever names share a place', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 50, maxLength: 200 }), (steps) => {
      const [map, expected] = [kept<number>(), new Map<string, number>()];
      for (const [i, [what, key]] of steps.entries()) {
        if (what === 'set') {
          map.set(key, i);
          expected.set(key, i);
        } else if (what === 'delete') {
          map.delete(key);
          expected.delete(key);
        } else if (what === 'clear' && i % 20 === 0) {
          map.clear();
          expected.clear();
        }
        expect(map.get(key)).toBe(expected.get(key));
      }
      for (const each of [...expected.keys(), ...expected.keys()]) expect(map.get(each)).toBe(expected.get(each));
    }),
    { seed: 3, numRuns: 60 },
  );
}); // prettier-ignore

test('names that share a place are all found, again and again, and what one of them was is not what it is', () => {
  const names = Array.from({ length: 10 }, (_, i) => `user-${i}${i}-with-a-common-end`);
  const map = kept<number>();
  for (const each of names) map.set(each, 1);
  for (let round = 2; round < 6; round++) {
    for (const each of names) {
      expect([map.get(each), map.get(each)]).toEqual([round - 1, round - 1]);
      map.set(each, round);
      expect(map.get(each)).toBe(round);
    }
  }
  map.delete(names[4]!);
  expect(names.map((each) => map.get(each))).toEqual(names.map((_, i) => (i === 4 ? undefined : 5)));
});

test('a name is looked up once, and again when it has been forgotten; two of one place keep it to themselves', () => {
  const map = kept<number>();
  const [first, second, third] = ['user-00-with-a-common-end', 'user-11-with-a-common-end', 'user-22-with-a-common-end'] as const;
  const asked = (...names: string[]): number => {
    const before = map.lookUps();
    for (const each of names) map.get(each);
    return map.lookUps() - before;
  };
  for (const [i, each] of [first, second, third, 'ann'].entries()) map.set(each, i);
  expect(asked('ann', 'ann', first, second, first, second, 'ann')).toBe(3);
  expect(asked(third, second, third)).toBe(1); // The first had waited longest, and is gone.
  expect(asked(first)).toBe(1);
  map.set('ann', 7);
  expect([asked('ann', 'ann'), map.get('ann')]).toEqual([1, 7]);
  expect(asked('nobody', 'nobody')).toBe(2);
}); // prettier-ignore

test('many names find all they mean, and what is no name means nothing', () => {
  const names = Array.from({ length: 5000 }, (_, i) => `resource-${i % 100}:action-${i}`);
  const map = kept<number>();
  for (const [i, each] of names.entries()) map.set(each, i);
  for (let round = 0; round < 2; round++) expect(names.map((each) => map.get(each))).toEqual(names.map((_, i) => i));
  expect(['', undefined, null, 7, {}, ['user-1']].map((each) => map.get(each as string))).toEqual(Array(6).fill(undefined));
  map.clear();
  expect(map.get(names[0]!)).toBeUndefined();
}); // prettier-ignore
