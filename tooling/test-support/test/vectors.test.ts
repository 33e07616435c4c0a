import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { vectorsDirectory } from '../src/index.js';

const before = { ...process.env };
let base: string;

beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'portcullis-vectors-'));
  mkdirSync(join(base, 'there'));
  writeFileSync(join(base, 'there', 'one.json'), '{}');
  process.env['PORTCULLIS_VECTORS'] = base;
  delete process.env['REQUIRE_VECTORS'];
});

afterEach(() => {
  for (const name of ['PORTCULLIS_VECTORS', 'REQUIRE_VECTORS']) {
    if (before[name] === undefined) delete process.env[name];
    else process.env[name] = before[name];
  }
  jest.restoreAllMocks();
  rmSync(base, { recursive: true });
});

test('vectors that are there are found, required or not', () => {
  expect(vectorsDirectory('there', 'one.json')).toBe(join(base, 'there'));
  process.env['REQUIRE_VECTORS'] = '1';
  expect(vectorsDirectory('there', 'one.json')).toBe(join(base, 'there'));
});

test('a missing folder and a missing file are a skip with a visible line', () => {
  const warn = jest.spyOn(console, 'warn').mockReturnValue();
  expect(vectorsDirectory('absent')).toBeUndefined();
  expect(vectorsDirectory('there', 'one.json', 'two.json')).toBeUndefined();
  expect(warn.mock.calls.map(([line]) => String(line))).toEqual([
    expect.stringContaining('SKIPPED: no external vectors "absent"'),
    expect.stringContaining('SKIPPED: no external vectors "there/two.json"'),
  ]);
});

test('REQUIRE_VECTORS=1 turns the skip into a failure', () => {
  process.env['REQUIRE_VECTORS'] = '1';
  expect(() => vectorsDirectory('absent')).toThrow(/^REQUIRE_VECTORS=1, .*"absent"/);
  expect(() => vectorsDirectory('there', 'two.json')).toThrow(/"there\/two\.json"/);
});
