import {
  closeSync,
  fsyncSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { readPruned } from '../retention/statement.js';

/**
 * What is in the folder of a log:
 * - `entries/<first>.ndjson`: segments, named by the leaf index of their first entry; entries as they were hashed, and after each batch
 *   its signature. `entries/<first>.json` sums up one that is full, and is made anew if it is not there.
 * - `checkpoints.ndjson`; `tree/<level>`: hashes of the Merkle tree, 32 bytes each: those of level n are over 256^n leaves.
 * - `people/<first>.ndjson`: personal values of the segment, encrypted; `people/erased`: who is gone, by pseudonym.
 * - `pruned.json`: what a verifier goes on from, where retention has removed the beginning.
 * - `lock`: who writes.
 */
export const ENTRIES = 'entries';
export const PEOPLE = 'people';
export const TREE = 'tree';
export const CHECKPOINTS = 'checkpoints.ndjson';
export const LOCK = 'lock';
export const PRUNED = 'pruned.json';

const SEGMENT = /^(\d{15})\.ndjson$/;

export function segmentFile(first: number): string {
  return `${String(first).padStart(15, '0')}.ndjson`;
}

export function summaryFile(first: number): string {
  return `${String(first).padStart(15, '0')}.json`;
}

/** Where the segments in a folder begin, in order. */
export function segmentsIn(folder: string): number[] {
  return readdirSync(folder)
    .flatMap((name) => SEGMENT.exec(name)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
}

/** Puts a whole file in place, durably, or leaves what was there. */
export function replaceFile(folder: string, name: string, text: string): void {
  const next = join(folder, `${name}.next`);
  const file = openSync(next, 'w', 0o600);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(next, join(folder, name));
}

/** Files of segments that begin before this leaf index. */
export function removeBefore(folder: string, index: number): void {
  for (const name of readdirSync(folder)) {
    if (/^\d{15}\.(?:ndjson|json)$/.test(name) && Number.parseInt(name, 10) < index) removeFile(folder, name);
  }
}

export function removeFile(folder: string, name: string): void {
  rmSync(join(folder, name), { force: true });
}

export function readOrNothing(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return Buffer.alloc(0);
    throw error;
  }
}

/** Files that were being replaced when the process ended. */
export function removeUnfinished(folder: string): void {
  for (const name of readdirSync(folder)) if (name.endsWith('.next')) rmSync(join(folder, name));
}

/** Where the log begins, if its beginning was removed. */
export function prunedIn(directory: string): { readonly line: string; readonly to: number } | undefined {
  const line = readOrNothing(join(directory, PRUNED)).toString('utf8');
  // What cannot be read is shown, for the verifier to find.
  return line === '' ? undefined : { line, to: readPruned(line)?.to ?? 0 };
}
