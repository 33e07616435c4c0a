import type { ReadTiles } from '../merkle/tiles.js';
import { EXTEND_LIMIT, type ExtendTree, type PlacedEntry, type TreeBatch, type TreeGrowth } from './tree.js';

export interface PlacedBatch {
  readonly writer: string;
  readonly first: number;
  readonly count: number;
  readonly start: number;
}

/** The tree of a store that lives in one process. */
export class MemoryTree {
  readonly #unplaced = new Map<string, TreeBatch>();
  readonly #tiles = new Map<string, Buffer>();
  placed: PlacedBatch[] = [];
  checkpoints: { readonly size: number; readonly note: string }[] = [];
  #running: Promise<unknown> = Promise.resolve();
  #busy = 0;

  /** A batch that has just become durable. */
  add({ writer, first, leaves }: TreeBatch): void {
    this.#unplaced.set(`${writer} ${first}`, { writer, first, leaves });
  }

  /** The largest leaf index up to this one where a batch begins, or where the tree ends. */
  cutAt(index: number): number {
    const ends = this.placed.map(({ start, count }) => start + count);
    return Math.max(0, ...ends.filter((end) => end <= index));
  }

  /** Forgets what is before this leaf index but for its hashes; returns the batches that went. */
  cut(to: number): PlacedBatch[] {
    const gone = this.placed.filter(({ start }) => start < to);
    this.placed = this.placed.filter(({ start }) => start >= to);
    this.checkpoints = this.checkpoints.filter(({ size }) => size > to);
    return gone;
  }

  newest(): string | undefined {
    return this.checkpoints.at(-1)?.note;
  }

  readonly tiles: ReadTiles = (names) =>
    Promise.resolve(names.map(({ level, place }) => this.#tiles.get(`${level}/${place}`)));

  place(entry: { readonly writer: string; readonly number: number; readonly body: string }): PlacedEntry {
    const { writer, number, body } = entry;
    const at = this.placed.find(
      (batch) => batch.writer === writer && batch.first <= number && number < batch.first + batch.count,
    );
    return { body, index: at && at.start + number - at.first };
  }

  async extend(step: ExtendTree, { wait }: { wait: boolean }): Promise<TreeGrowth | 'busy' | undefined> {
    if (this.#busy > 0 && !wait) return 'busy';
    this.#busy++;
    const run = this.#running.then(() => this.#extend(step));
    this.#running = run.catch(() => undefined);
    try {
      return await run;
    } finally {
      this.#busy--;
    }
  }

  async #extend(step: ExtendTree): Promise<TreeGrowth | undefined> {
    const batches = [...this.#unplaced.values()].slice(0, EXTEND_LIMIT);
    const growth = await step({ newest: this.newest(), batches, tiles: this.tiles });
    if (!growth) return undefined;
    let { start } = growth;
    for (const { writer, first, leaves } of growth.batches) {
      const count = leaves.length / 32;
      this.placed.push({ writer, first, count, start });
      this.#unplaced.delete(`${writer} ${first}`);
      start += count;
    }
    for (const { level, place, hashes } of growth.tiles) this.#tiles.set(`${level}/${place}`, hashes);
    this.checkpoints.push({ size: growth.size, note: growth.note });
    return growth;
  }
}
