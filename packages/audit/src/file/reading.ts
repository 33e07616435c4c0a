import { lines, linesOf, pieces } from '../files/lines.js';
import { readCheckpointLine } from '../log/lines.js';
import { parseCheckpoint } from '../checkpoint.js';
import type { Segment } from './segments.js';

/** `{"c":` begins an entry, and nothing else that stands in a segment. */
export function isEntry(line: Uint8Array | string): boolean {
  return typeof line === 'string' ? line.startsWith('{"c":') : line[2] === 99 && line[3] === 34;
}

export interface Checkpoints {
  readonly path: string;
  readonly bytes: number;
}

/**
 * The log in the order of the tree, as `verifyLog()` reads it: pieces of whole lines. Checkpoints stand where the last entry under
 * them ends.
 */
export async function* logPieces(
  segments: readonly Pick<Segment, 'first' | 'path' | 'bytes'>[],
  { path, bytes }: Checkpoints,
  pruned: string | undefined,
): AsyncGenerator<Buffer> {
  if (pruned !== undefined) yield Buffer.from(`${pruned}\n`);
  const checkpoints = lines(path, bytes);
  const next = async (): Promise<{ line: string; size: number } | undefined> => {
    const { done, value: line } = await checkpoints.next();
    return done ? undefined : { line, size: checkpointSize(line) };
  };
  let due = await next();
  let index = segments[0]?.first ?? 0;
  if (pruned !== undefined) {
    // Left by a removal that a crash has cut short.
    while (due && due.size <= index) due = await next();
  }
  for (const segment of segments) {
    for await (const piece of pieces(segment.path, segment.bytes)) {
      let [from, at] = [0, 0];
      for (const line of linesOf(piece)) {
        if (isEntry(line)) {
          while (due && due.size <= index) {
            if (at > from) yield piece.subarray(from, at);
            from = at;
            yield Buffer.from(`${due.line}\n`);
            due = await next();
          }
          index++;
        }
        at += line.length + 1;
      }
      if (at > from) yield piece.subarray(from, at);
    }
  }
  for (; due; due = await next()) yield Buffer.from(`${due.line}\n`);
}

/** A line that is no checkpoint is shown where it stands, for the verifier to find. */
export function checkpointSize(line: string): number {
  try {
    return parseCheckpoint(readCheckpointLine(line) ?? '').size;
  } catch {
    return 0;
  }
}
