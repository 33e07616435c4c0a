import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { packages, readText, type Package } from '../src/repository.js';
import { importsOf, parseSource } from '../src/source-file.js';

const all = packages();
const forTests = (subpath: string): boolean => /(^|\/)testing$/.test(subpath);

const imports = new Map<string, readonly string[]>();

function importsIn(file: string): readonly string[] {
  const known = imports.get(file) ?? importsOf(parseSource(file));
  imports.set(file, known);
  return known;
}

/** Every source that one entry of a package loads, its own and those of other packages of ours. */
function loadedBy(start: string): ReadonlySet<string> {
  const seen = new Set<string>();
  const waiting = [start];
  for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
    if (seen.has(file)) continue;
    seen.add(file);
    for (const name of importsIn(file)) {
      const next = name.startsWith('.')
        ? resolve(dirname(file), name.replace(/\.js$/, '.ts'))
        : entryOf(name);
      if (next !== undefined && existsSync(next)) waiting.push(next);
    }
  }
  return seen;
}

function entryOf(name: string): string | undefined {
  const owner = all.find(({ manifest }) => name === manifest.name || name.startsWith(`${manifest.name}/`));
  return owner && sourceOf(owner, `.${name.slice(owner.manifest.name.length)}`);
}

function sourceOf({ directory, manifest }: Package, subpath: string): string | undefined {
  const target = manifest.exports[subpath];
  const source = typeof target === 'object' ? target['@portcullis/source'] : undefined;
  return typeof source === 'string' ? join(directory, source) : undefined;
}

describe.each(all.map((p) => [p.folder, p] as const))('%s', (_folder, p) => {
  const entries = Object.keys(p.manifest.exports).filter((subpath) => sourceOf(p, subpath) !== undefined);

  test('ASVS V15.2.3: no entry but those for tests loads what is for tests or samples', () => {
    for (const subpath of entries.filter((name) => !forTests(name))) {
      const loaded = [...loadedBy(sourceOf(p, subpath)!)].map((file) => file.replaceAll('\\', '/'));
      expect(loaded.length).toBeGreaterThan(0);
      expect(loaded.filter((file) => /\/(?:testing|test|examples|fixtures)(?:\/|\.ts$)/.test(file))).toEqual(
        [],
      );
    }
  });

  test('ASVS V15.2.3: neither tests nor samples are published', () => {
    for (const pattern of p.manifest.files ?? [])
      expect(pattern).toMatch(/^(?:dist|errors|peers|!dist\/\*\*\/\*\.tsbuildinfo|migrations|bin)$/);
    expect(readText(join(p.directory, 'tsup.config.ts'))).not.toMatch(/['"]test\//);
  });
});

test('ASVS V15.2.3: the control: an entry for tests is seen to load what is for tests', () => {
  const core = all.find(({ folder }) => folder === 'core')!;
  const loaded = [...loadedBy(sourceOf(core, './testing')!)].map((file) => file.replaceAll('\\', '/'));
  expect(loaded.some((file) => file.includes('/testing/'))).toBe(true);
});
