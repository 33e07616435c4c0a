import assert from 'node:assert/strict';
import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { emptyBits, setBit } from '../src/bit-set.js';
import type { Coverage } from '../src/catalogue.js';
import { BitRows } from '../src/bit-rows.js';
import { Holders } from '../src/holders.js';
import { hasPacked, pack, PACKABLE } from '../src/packed-roles.js';

const PERMISSIONS = 40;
const ROLES = 100;

const id = fc.nat(PERMISSIONS - 1);
const role = fc.nat(ROLES - 1);
const grant = fc.record({
  heirs: fc.uniqueArray(role, { minLength: 1, maxLength: 30 }),
  covered: fc.oneof(id, fc.uniqueArray(id, { maxLength: 10 })),
});

test('who holds what is the same whether few hold it (a list) or many (bits), and in whatever way it is asked', () => {
  const seen = { few: 0, many: 0 };
  fc.assert(
    fc.property(
      fc.array(grant, { maxLength: 12 }),
      fc.uniqueArray(fc.nat(ROLES + 40), { maxLength: 6 }),
      (grants, asked) => {
        const expected = Array.from({ length: PERMISSIONS }, () => new Set<number>());
        for (const { heirs, covered } of grants) {
          for (const each of [covered].flat()) for (const heir of heirs) expected[each]!.add(heir);
        }
        const holders = new Holders(PERMISSIONS, ROLES, {
          heirs: grants.map(({ heirs }) => heirs),
          covered: grants.map(({ covered }): Coverage => {
            if (typeof covered === 'number') return covered;
            const bits = emptyBits(PERMISSIONS);
            for (const each of covered) setBit(bits, each);
            return bits;
          }),
        });
        assert.equal(holders.empty, grants.length === 0);
        for (const [permission, theirs] of expected.entries()) {
          if (theirs.size > 7) seen.many++;
          else if (theirs.size > 0) seen.few++;
          const held = Array.from({ length: ROLES + 40 }, (_, each) => each).filter((each) =>
            holders.has(permission, each),
          );
          assert.deepEqual(new Set(held), theirs);
          assert.equal(
            holders.hasAny(permission, pack(asked), asked),
            asked.some((each) => theirs.has(each)),
          );
        }
      },
    ),
    { seed: 5, numRuns: 300 },
  );
  expect(Math.min(seen.few, seen.many)).toBeGreaterThan(300);
});

test('where there are more roles than can be packed, who holds what is the same', () => {
  const roles = [0, 5, PACKABLE - 1, PACKABLE, PACKABLE + 1, 0xffff, 0x1_0003];
  const holders = new Holders(3, 0x1_0010, { heirs: [roles, [3]], covered: [1, 2] });
  const held = [0, 3, 5, 6, PACKABLE - 1, PACKABLE, PACKABLE + 1, 0xffff, 0x1_0003, 0x1_0004];
  expect(held.filter((role) => holders.has(1, role))).toEqual(roles);
  expect(held.filter((role) => holders.has(2, role))).toEqual([3]);
  expect(held.filter((role) => holders.has(0, role))).toEqual([]);
  const few = new Holders(2, 10, { heirs: [[1, 2]], covered: [1] });
  expect([1, 2, 3, PACKABLE, 0xffff, 0x1_0001].filter((role) => few.has(1, role))).toEqual([1, 2]);
});

test('six roles are packed, and each of them is found, and no other', () => {
  const id = fc.oneof(fc.nat(40), fc.nat(PACKABLE - 1), fc.constantFrom(0, 1, 0x4000, PACKABLE - 1));
  fc.assert(
    fc.property(fc.uniqueArray(id, { maxLength: 6 }), fc.array(id, { maxLength: 30 }), (roles, others) => {
      const packed = pack(roles);
      expect(packed.first).toBeGreaterThanOrEqual(0);
      for (const each of [...roles, ...others]) assert.equal(hasPacked(packed, each), roles.includes(each));
    }),
    { seed: 8, numRuns: 1000 },
  );
  for (const roles of [[0, 1, 2, 3, 4, 5, 6], [PACKABLE], [1, PACKABLE + 1]]) expect(pack(roles).first).toBe(-1);
}); // prettier-ignore

test('rows of bits are sets of numbers', () => {
  const pair = fc.tuple(fc.nat(4), fc.nat(95));
  fc.assert(
    fc.property(
      fc.array(pair, { maxLength: 40 }),
      fc.array(fc.tuple(fc.nat(4), fc.nat(4))),
      (added, united) => {
        const rows = new BitRows(5, 96);
        const expected = Array.from({ length: 5 }, () => new Set<number>());
        for (const [row, bit] of added) {
          rows.add(row, bit);
          expected[row]!.add(bit);
        }
        for (const [into, from] of united) {
          rows.uniteRow(into, from);
          for (const bit of expected[from]!) expected[into]!.add(bit);
        }
        for (const [row, bits] of expected.entries()) {
          const listed: number[] = [];
          rows.each(row, (bit) => listed.push(bit));
          assert.deepEqual(
            listed,
            [...bits].sort((a, b) => a - b),
          );
          const had = Array.from({ length: 140 }, (_, bit) => bit).filter((bit) => rows.has(row, bit));
          assert.deepEqual(had, listed);
        }
      },
    ),
    { seed: 6, numRuns: 200 },
  );
});
