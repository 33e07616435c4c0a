import { EMPTY_ROOT, nodeHash } from './hash.js';
import { consistencyRanges, inclusionRanges, subtreesOf, type Range, type Subtree } from './ranges.js';

/**
 * The tree is kept in tiles as in c2sp.org/tlog-tiles: a tile of level `t` holds up to 256 hashes, each the root of 256^t
 * leaves. A proof needs at most two tiles of each level, which is O(log n) reads of at most 8 KiB.
 */
export interface TileName {
  readonly level: number;
  readonly place: number;
}
export interface Tile extends TileName {
  /** 32 bytes each; fewer than 256 at the right edge only. */
  readonly hashes: Buffer;
}

const HEIGHT = 8;
const WIDTH = 256;

export type ReadTiles = (names: readonly TileName[]) => Promise<readonly (Buffer | undefined)[]>;

/** The tiles are not there, or shorter than they must be: somebody has changed the tables. */
export class TileMissingError extends Error {
  override readonly name = 'TileMissingError';
}

/** @throws TileMissingError */
export async function rootAt(size: number, read: ReadTiles): Promise<Buffer> {
  return size === 0 ? EMPTY_ROOT : (await rootsOf([{ from: 0, to: size }], read))[0]!;
}

/** @throws TileMissingError */
export function inclusionProof(index: number, size: number, read: ReadTiles): Promise<Buffer[]> {
  return rootsOf(inclusionRanges(index, size), read);
}

/** @throws TileMissingError */
export function consistencyProof(size1: number, size2: number, read: ReadTiles): Promise<Buffer[]> {
  return rootsOf(consistencyRanges(size1, size2), read);
}

/** One read for all tiles that the ranges need. */
async function rootsOf(ranges: readonly Range[], read: ReadTiles): Promise<Buffer[]> {
  const parts = ranges.map(subtreesOf);
  const names = new Map(parts.flat().map((subtree) => [keyOf(tileOf(subtree)), tileOf(subtree)]));
  const wanted = [...names.values()];
  const found = await read(wanted);
  const tiles = new Map(wanted.map((name, i) => [keyOf(name), found[i]]));
  return parts.map((subtrees) =>
    subtrees.map((subtree) => hashIn(tiles.get(keyOf(tileOf(subtree))), subtree)).reduceRight(join),
  );
}

function join(right: Buffer, left: Buffer): Buffer {
  return nodeHash(left, right);
}

function tileOf({ level, place }: Subtree): TileName {
  const tile = Math.floor(level / HEIGHT);
  return { level: tile, place: Math.floor((place * 2 ** (level - tile * HEIGHT)) / WIDTH) };
}

function keyOf({ level, place }: TileName): string {
  return `${level}/${place}`;
}

function hashIn(tile: Buffer | undefined, { level, place }: Subtree): Buffer {
  const count = 2 ** (level % HEIGHT);
  const first = (place * count) % WIDTH;
  if (!tile || tile.length < (first + count) * 32) throw new TileMissingError('The tree is not complete.');
  return rootOf(hashesOf(tile).slice(first, first + count));
}

function hashesOf(tile: Buffer): Buffer[] {
  return Array.from({ length: tile.length / 32 }, (_, i) => tile.subarray(i * 32, i * 32 + 32));
}

/** Of a power of two. */
function rootOf(hashes: readonly Buffer[]): Buffer {
  let row = hashes;
  while (row.length > 1) {
    row = Array.from({ length: row.length / 2 }, (_, i) => nodeHash(row[2 * i]!, row[2 * i + 1]!));
  }
  return row[0]!;
}

/** The tiles at the right edge of a tree of this size: all that is needed to append. */
export function edgeOf(size: number): TileName[] {
  const edge: TileName[] = [];
  for (let level = 0, count = size; count > 0; level++, count = Math.floor(count / WIDTH)) {
    if (count % WIDTH !== 0) edge.push({ level, place: Math.floor(count / WIDTH) });
  }
  return edge;
}

/** Appends leaves to a tree of which only the edge is known. Keeps the tiles that have changed. */
export class TileAppender {
  readonly #changed = new Map<string, Tile>();
  readonly #open: Buffer[][] = [];
  #size: number;

  constructor(size: number, edge: readonly Tile[]) {
    this.#size = size;
    for (const { level, hashes } of edge) this.#open[level] = hashesOf(hashes);
  }

  get size(): number {
    return this.#size;
  }

  append(leaf: Buffer): void {
    this.#add(0, Math.floor(this.#size / WIDTH), leaf);
    this.#size++;
  }

  #add(level: number, place: number, hash: Buffer): void {
    const open = (this.#open[level] ??= []);
    open.push(hash);
    if (open.length < WIDTH) return;
    this.#changed.set(keyOf({ level, place }), { level, place, hashes: Buffer.concat(open) });
    this.#open[level] = [];
    this.#add(level + 1, Math.floor(place / WIDTH), rootOf(open));
  }

  /** What must be written, the open tiles at the edge included. */
  tiles(): Tile[] {
    const edge = edgeOf(this.#size).map((name) => ({
      ...name,
      hashes: Buffer.concat(this.#open[name.level] ?? []),
    }));
    return [...this.#changed.values(), ...edge];
  }
}
