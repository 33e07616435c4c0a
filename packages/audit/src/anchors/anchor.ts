import type { Checkpoint } from '../checkpoint.js';

/** Keeps checkpoints where whoever can write the log cannot. */
export interface Anchor {
  /** For events and `status()`, such as `file`. */
  readonly name: string;
  /**
   * Resolves when the checkpoint is kept. Called with growing sizes, one call at a time; a failed one is repeated with the
   * newest checkpoint of then.
   */
  publish(checkpoint: Checkpoint, log: AnchoredLog): Promise<void>;
  /** The newest checkpoint that it holds of this log, as signed note: what the log must not fall behind of. */
  latest?(log: string): Promise<string | undefined>;
}

export interface AnchoredLog {
  /** RFC 6962 consistency proof between two sizes of the log. */
  consistency(from: number, to: number): Promise<readonly Buffer[]>;
}
