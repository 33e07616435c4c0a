import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { endOf } from '../files/end-of.js';
import { linesBackwards } from '../files/lines.js';
import { readBatch } from '../log/lines.js';
import { CHECKPOINTS, ENTRIES, prunedIn, segmentFile, segmentsIn } from './folder.js';
import { logPieces } from './reading.js';

export interface FolderSource {
  readonly bytes: number;
  /** Bytes behind the last whole batch: of a write that is under way, or was when the process ended. */
  readonly unfinished: number;
  pieces(): AsyncGenerator<Buffer>;
}

/** The log in a folder of `fileAudit()`, whether or not a process is writing there; nothing is changed. */
export async function folderSource(directory: string): Promise<FolderSource> {
  const path = join(directory, CHECKPOINTS);
  // Checkpoints first: there is none then of entries that come later.
  const checkpoints = { path, bytes: endOf(path).bytes };
  const pruned = prunedIn(directory);
  const begin = pruned?.to ?? 0;
  const folder = join(directory, ENTRIES);
  const segments: { first: number; path: string; bytes: number }[] = [];
  for (const first of segmentsIn(folder)) {
    // Left by a removal that a crash has cut short.
    if (first < begin) continue;
    const file = join(folder, segmentFile(first));
    segments.push({ first, path: file, bytes: (await stat(file)).size });
  }
  const last = segments.at(-1);
  const written = last?.bytes ?? 0;
  if (last) last.bytes = await endOfBatches(last.path);
  return {
    bytes: segments.reduce((sum, { bytes }) => sum + bytes, checkpoints.bytes),
    unfinished: written - (last?.bytes ?? 0),
    pieces: () => logPieces(segments, checkpoints, pruned?.line),
  };
}

async function endOfBatches(path: string): Promise<number> {
  let { bytes } = endOf(path);
  for await (const line of linesBackwards(path, bytes)) {
    if (readBatch(line)) break;
    bytes -= Buffer.byteLength(line) + 1;
  }
  return bytes;
}
