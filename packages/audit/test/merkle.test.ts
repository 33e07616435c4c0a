import { describe, expect, test } from '@jest/globals';
import { vectorsDirectory } from '@portcullis/test-support';
import { hash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { leafHash } from '../src/leaf.js';
import { Frontier } from '../src/merkle/frontier.js';
import { EMPTY_ROOT, nodeHash } from '../src/merkle/hash.js';
import { verifyConsistency, verifyInclusion } from '../src/merkle/proofs.js';
import {
  consistencyProof,
  edgeOf,
  inclusionProof,
  rootAt,
  TileAppender,
  TileMissingError,
  type ReadTiles,
  type Tile,
} from '../src/merkle/tiles.js';

const vectors = vectorsDirectory('merkle', 'inclusion', 'consistency');
const bytes = (text: string | null): Buffer => Buffer.from(text ?? '', 'base64');
const leaves = (count: number): Buffer[] => Array.from({ length: count }, (_, i) => leafHash(`entry ${i}`));

/** The definition of RFC 6962 section 2.1, word by word. */
function treeHash(list: readonly Buffer[]): Buffer {
  if (list.length === 0) return EMPTY_ROOT;
  if (list.length === 1) return list[0]!;
  let split = 1;
  while (split * 2 < list.length) split *= 2;
  return nodeHash(treeHash(list.slice(0, split)), treeHash(list.slice(split)));
}

/** Tiles in a map, which counts what is read. */
function tileStore() {
  const kept = new Map<string, Buffer>();
  const reads: number[] = [];
  const nameOf = ({ level, place }: { level: number; place: number }): string => `${level}/${place}`;
  const read: ReadTiles = (names) => {
    reads.push(names.length);
    return Promise.resolve(names.map((name) => kept.get(nameOf(name))));
  };
  let size = 0;
  const append = async (added: readonly Buffer[]): Promise<void> => {
    const names = edgeOf(size);
    const edge = await read(names);
    const appender = new TileAppender(
      size,
      names.map((name, i): Tile => ({ ...name, hashes: edge[i]! })),
    );
    for (const leaf of added) appender.append(leaf);
    for (const tile of appender.tiles()) kept.set(nameOf(tile), tile.hashes);
    size = appender.size;
  };
  return { read, append, reads, kept };
}

describe('vectors of transparency-dev/merkle 417fb0c', () => {
  const cases = (kind: string): Record<string, unknown>[] =>
    readdirSync(join(vectors!, kind), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.json'))
      .map((name) => JSON.parse(readFileSync(join(vectors!, kind, name), 'utf8')) as Record<string, unknown>);

  (vectors ? test : test.skip)('inclusion: all 98, corrupted ones refused', () => {
    const all = cases('inclusion') as unknown as {
      leafIdx: number;
      treeSize: number;
      root: string;
      leafHash: string;
      proof: string[] | null;
      wantErr: boolean;
    }[];
    expect(all).toHaveLength(98);
    for (const { leafIdx, treeSize, leafHash: leaf, proof, root, wantErr } of all) {
      const holds = verifyInclusion(leafIdx, treeSize, bytes(leaf), (proof ?? []).map(bytes), bytes(root));
      expect(holds).toBe(!wantErr);
    }
  });

  (vectors ? test : test.skip)('consistency: all 98, corrupted ones refused', () => {
    const all = cases('consistency') as unknown as {
      size1: number;
      size2: number;
      root1: string;
      root2: string;
      proof: string[] | null;
      wantErr: boolean;
      desc: string;
    }[];
    expect(all).toHaveLength(98);
    const wrong = all.filter(
      ({ size1, size2, root1, root2, proof, wantErr }) =>
        verifyConsistency(size1, size2, bytes(root1), bytes(root2), (proof ?? []).map(bytes)) === wantErr,
    );
    expect(wrong.map(({ desc }) => desc)).toEqual([]);
  });
});

test('the frontier has the root that RFC 6962 defines, at every size to 300', () => {
  const all = leaves(300);
  const frontier = new Frontier();
  expect(frontier.root()).toEqual(hash('sha256', '', 'buffer'));
  for (const [i, leaf] of all.entries()) {
    frontier.append(leaf);
    expect(frontier.root()).toEqual(treeHash(all.slice(0, i + 1)));
  }
});

describe('tiles', () => {
  test('grown in steps, they prove every inclusion and consistency that RFC 9162 verifies, at sizes around the edges of tiles', async () => {
    const all = leaves(1030);
    const { append, read } = tileStore();
    let size = 0;
    for (const step of [1, 2, 252, 1, 1, 255, 256, 3, 252, 7]) {
      await append(all.slice(size, size + step));
      size += step;
      const root = treeHash(all.slice(0, size));
      expect(await rootAt(size, read)).toEqual(root);
      for (const index of new Set([0, 1, size >> 1, size - 2, size - 1])) {
        if (index < 0 || index >= size) continue;
        const proof = await inclusionProof(index, size, read);
        expect([size, index, verifyInclusion(index, size, all[index]!, proof, root)]).toEqual([
          size,
          index,
          true,
        ]);
        expect(verifyInclusion(index, size, all[(index + 1) % 1030]!, proof, root)).toBe(false);
      }
      for (const old of new Set([1, 2, 3, 255, 256, 257, size - 1, size])) {
        if (old < 1 || old > size) continue;
        const proof = await consistencyProof(old, size, read);
        const oldRoot = treeHash(all.slice(0, old));
        expect([old, size, verifyConsistency(old, size, oldRoot, root, proof)]).toEqual([old, size, true]);
        if (old < size) expect(verifyConsistency(old, size, root, root, proof)).toBe(false);
      }
    }
    expect(size).toBe(1030);
  });

  test('a proof costs one read of O(log n) tiles: two for each level at most', async () => {
    const { append, read, reads } = tileStore();
    await append(leaves(70_000));
    reads.length = 0;
    await inclusionProof(33_333, 70_000, read);
    await consistencyProof(33_333, 70_000, read);
    expect(reads).toHaveLength(2);
    expect(Math.max(...reads)).toBeLessThanOrEqual(6);
  });

  test('a tile that is gone is an error, never a wrong proof', async () => {
    const { append, read, kept } = tileStore();
    await append(leaves(600));
    kept.delete('1/0');
    await expect(inclusionProof(590, 600, read)).rejects.toThrow(TileMissingError);
  });
});
