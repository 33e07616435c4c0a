import { canonicalJson } from '../canonical-json.js';

/** Lines of an export that are no entries. */

export interface BatchEnd {
  readonly writer: string;
  /** Number of the last entry of the batch. */
  readonly last: number;
  readonly signature: string;
}

/** Follows the entries of a batch. */
export function batchLine({ writer, last, signature }: BatchEnd): string {
  return canonicalJson({ batch: { last, signature, writer } });
}

export function readBatch(text: string): BatchEnd | undefined {
  try {
    const { batch } = JSON.parse(text) as { batch: BatchEnd };
    return typeof batch.writer === 'string' && typeof batch.signature === 'string' ? batch : undefined;
  } catch {
    return undefined;
  }
}

/** Follows the entry that is the last one under the checkpoint. Anchors write such lines too. */
export function checkpointLine(note: string): string {
  return canonicalJson({ checkpoint: note });
}

export function readCheckpointLine(text: string): string | undefined {
  try {
    const { checkpoint } = JSON.parse(text) as { checkpoint: unknown };
    return typeof checkpoint === 'string' ? checkpoint : undefined;
  } catch {
    return undefined;
  }
}
