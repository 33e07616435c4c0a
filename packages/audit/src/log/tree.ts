import type { ReadTiles, Tile } from '../merkle/tiles.js';

/**
 * Where a store keeps the Merkle tree over its entries (RFC 6962). Nothing in it is believed: whoever verifies
 * computes the tree anew from the entries.
 */
export interface AuditTree {
  /** Signed note of the newest checkpoint. */
  newest(): Promise<string | undefined>;
  readonly tiles: ReadTiles;
  /** An entry and its leaf; without index while it waits for the tree. */
  find(id: string): Promise<PlacedEntry | undefined>;
  /**
   * Runs `step` alone among all processes of the store, and keeps what it returns: all of it or nothing. `busy` if another
   * process is at it and `wait` is false; undefined if `step` returned nothing.
   */
  extend(step: ExtendTree, options: { readonly wait: boolean }): Promise<TreeGrowth | 'busy' | undefined>;
}

export type ExtendTree = (state: TreeState) => Promise<TreeGrowth | undefined>;

export interface TreeState {
  readonly newest: string | undefined;
  /** Batches that are not in the tree: those of one writer in their order, at most {@link EXTEND_LIMIT}. */
  readonly batches: readonly TreeBatch[];
  readonly tiles: ReadTiles;
}

export interface TreeBatch {
  readonly writer: string;
  readonly first: number;
  /** Leaf hashes, 32 bytes each. */
  readonly leaves: Buffer;
}

export interface TreeGrowth {
  /** Leaf index of the first entry of the first batch; the others follow. */
  readonly start: number;
  readonly batches: readonly TreeBatch[];
  readonly tiles: readonly Tile[];
  readonly size: number;
  /** Signed note of the checkpoint of this size. */
  readonly note: string;
}

export interface PlacedEntry {
  readonly body: string;
  readonly index: number | undefined;
}

export const EXTEND_LIMIT = 128;
