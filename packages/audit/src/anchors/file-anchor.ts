import { open } from 'node:fs/promises';
import { option, readOptions } from '@portcullis/core';
import { parseCheckpoint } from '../checkpoint.js';
import { checkpointLine, readCheckpointLine } from '../log/lines.js';
import type { Anchor } from './anchor.js';

export interface FileAnchorOptions {
  /**
   * A file on a disk of its own: not where whoever can write the database can write. Appended to, about 250 bytes for each
   * checkpoint; several processes may share it. Made if absent (mode 0600).
   */
  readonly path: string;
}

const TAIL_BYTES = 65_536;

/** Appends checkpoints to a file, fsynced, as lines that `portcullis-audit verify --anchor` reads. @throws OptionError */
export function fileAnchor(options: FileAnchorOptions): Anchor {
  const { path } = readOptions('fileAnchor', options, { path: option.string({ max: 4096 }) });
  return Object.freeze<Anchor>({
    name: 'file',
    async publish({ note }) {
      // Opened anew, so that a file that was rotated away does not get what nobody will look for there.
      const file = await open(path, 'a', 0o600);
      try {
        await file.write(`${checkpointLine(note)}\n`);
        await file.datasync();
      } finally {
        await file.close();
      }
    },
    async latest(log) {
      const notes = (await tail(path)).split('\n').flatMap((line) => readCheckpointLine(line) ?? []);
      return newestOf(notes, log);
    },
  });
}

/** The largest checkpoint of this log; notes that are none are passed over. */
export function newestOf(notes: readonly string[], log: string): string | undefined {
  let newest: { readonly size: number; readonly note: string } | undefined;
  for (const note of notes) {
    try {
      const checkpoint = parseCheckpoint(note);
      if (checkpoint.log === log && checkpoint.size >= (newest?.size ?? 0)) newest = checkpoint;
    } catch {
      // Half a line, as after a crash.
    }
  }
  return newest?.note;
}

async function tail(path: string): Promise<string> {
  let file;
  try {
    file = await open(path, 'r');
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return '';
    throw error;
  }
  try {
    const { size } = await file.stat();
    const length = Math.min(size, TAIL_BYTES);
    const { buffer } = await file.read(Buffer.alloc(length), 0, length, size - length);
    return buffer.toString();
  } finally {
    await file.close();
  }
}
