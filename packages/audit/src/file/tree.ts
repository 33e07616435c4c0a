import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { parseCheckpoint } from '../checkpoint.js';
import { AppendFile, syncFolder, writeAt } from '../files/append-file.js';
import { endOf } from '../files/end-of.js';
import { lines } from '../files/lines.js';
import { leafHash, placeOf } from '../leaf.js';
import { checkpointLine, readBatch, readCheckpointLine } from '../log/lines.js';
import { EXTEND_LIMIT, type ExtendTree, type TreeBatch, type TreeGrowth } from '../log/tree.js';
import type { ReadTiles, Tile, TileName } from '../merkle/tiles.js';
import { CHECKPOINTS, replaceFile, TREE } from './folder.js';
import { checkpointSize, type Checkpoints } from './reading.js';
import type { Segment, Segments } from './segments.js';

const WIDTH = 256;
const HASH = 32;

/** Where in the segments the tree ends. */
interface Position {
  readonly segment: number;
  readonly offset: number;
}

/**
 * The Merkle tree beside the segments. The order of entries in the files is the order of the leaves, so that only how far the tree
 * has come has to be known: what the newest checkpoint says.
 */
export class FileTree {
  readonly #folder: string;
  readonly #segments: Segments;
  #checkpoints: AppendFile;
  #newest: string | undefined;
  #sealed = 0;
  #position: Position | undefined;

  constructor(folder: string, segments: Segments) {
    this.#folder = folder;
    this.#segments = segments;
    const path = join(folder, CHECKPOINTS);
    const { bytes, last } = endOf(path);
    this.#checkpoints = new AppendFile(path, bytes);
    if (last !== undefined) this.#note(readCheckpointLine(last));
  }

  /** Entries under the newest checkpoint. */
  get sealed(): number {
    return this.#sealed;
  }

  get newest(): string | undefined {
    return this.#newest;
  }

  get checkpoints(): Checkpoints {
    return { path: this.#checkpoints.path, bytes: this.#checkpoints.size };
  }

  readonly tiles: ReadTiles = (names) => Promise.all(names.map((name) => this.#tile(name)));

  /** One call at a time. Hashes are on disk before the checkpoint that speaks of them. */
  async extend(step: ExtendTree): Promise<TreeGrowth | undefined> {
    const { batches, end } = await this.#unplaced();
    const growth = await step({ newest: this.#newest, batches, tiles: this.tiles });
    if (!growth) return undefined;
    await this.#write(growth.tiles);
    await this.#checkpoints.append(Buffer.from(`${checkpointLine(growth.note)}\n`));
    this.#note(growth.note);
    // A step that took fewer than it was given leaves the place to be looked for.
    this.#position = growth.batches.length === batches.length ? end : undefined;
    return growth;
  }

  /** Checkpoints of what is gone say nothing any more. One call at a time with `extend()`. */
  async cut(to: number): Promise<void> {
    const { path, size } = this.#checkpoints;
    const kept: string[] = [];
    for await (const line of lines(path, size)) if (checkpointSize(line) > to) kept.push(`${line}\n`);
    await this.#checkpoints.close();
    replaceFile(this.#folder, CHECKPOINTS, kept.join(''));
    await syncFolder(this.#folder);
    this.#checkpoints = new AppendFile(path, endOf(path).bytes);
  }

  close(): Promise<void> {
    return this.#checkpoints.close();
  }

  #note(note: string | undefined): void {
    this.#newest = note;
    try {
      this.#sealed = note === undefined ? 0 : parseCheckpoint(note).size;
    } catch {
      // Who opens it will say that the log's key did not sign it.
    }
  }

  async #unplaced(): Promise<{ batches: TreeBatch[]; end: Position | undefined }> {
    const segments = this.#segments.all;
    let position = this.#position ?? (await positionOf(segments, this.#sealed));
    const batches: TreeBatch[] = [];
    for (const { first, path, bytes } of segments) {
      if (first < position.segment) continue;
      let offset = first === position.segment ? position.offset : 0;
      let bodies: string[] = [];
      for await (const line of lines(path, bytes, offset)) {
        offset += Buffer.byteLength(line) + 1;
        const place = placeOf(bodies[0] ?? '');
        if (!readBatch(line)) bodies.push(line);
        else if (place) {
          const { writer, number } = place;
          batches.push({ writer, first: number, leaves: Buffer.concat(bodies.map(leafHash)) });
          bodies = [];
          position = { segment: first, offset };
          if (batches.length === EXTEND_LIMIT) return { batches, end: position };
        }
      }
    }
    return { batches, end: batches.length > 0 ? position : this.#position };
  }

  async #tile({ level, place }: TileName): Promise<Buffer | undefined> {
    // What stands behind the size of the checkpoint is of an extension that was not completed.
    const count = Math.min(Math.floor(this.#sealed / WIDTH ** level) - place * WIDTH, WIDTH);
    if (count <= 0) return undefined;
    try {
      const file = await open(join(this.#folder, TREE, String(level)), 'r');
      try {
        const hashes = Buffer.alloc(count * HASH);
        const { bytesRead } = await file.read(hashes, 0, hashes.length, place * WIDTH * HASH);
        return hashes.subarray(0, bytesRead);
      } finally {
        await file.close();
      }
    } catch (error) {
      if ((error as { code?: unknown }).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  async #write(tiles: readonly Tile[]): Promise<void> {
    for (const level of new Set(tiles.map((tile) => tile.level))) {
      const path = join(this.#folder, TREE, String(level));
      const file = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
      try {
        for (const tile of tiles) {
          if (tile.level === level) await writeAt(file, tile.hashes, tile.place * WIDTH * HASH);
        }
        await file.datasync();
      } finally {
        await file.close();
      }
    }
    await syncFolder(join(this.#folder, TREE));
  }
}

/** Where the entry of this leaf index begins. */
async function positionOf(segments: readonly Segment[], index: number): Promise<Position> {
  const segment = segments.findLast(({ first }) => first <= index) ?? segments[0]!;
  let [at, offset] = [segment.first, 0];
  if (at === index) return { segment: segment.first, offset };
  for await (const line of lines(segment.path, segment.bytes)) {
    offset += Buffer.byteLength(line) + 1;
    // A tree ends where a batch ends.
    if (!readBatch(line)) at++;
    else if (at >= index) break;
  }
  return { segment: segment.first, offset };
}
