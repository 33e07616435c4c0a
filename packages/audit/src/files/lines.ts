import { open, type FileHandle } from 'node:fs/promises';

const CHUNK = 1 << 20;
const STEP_BACK = 1 << 18;
const NEWLINE = 10;

/** Part of a file in pieces of whole lines, each with the newline at its end; a last line without one is left out. */
export async function* pieces(path: string, to: number, from = 0): AsyncGenerator<Buffer> {
  if (from >= to) return;
  const file = await open(path, 'r');
  try {
    let rest: Buffer = Buffer.alloc(0);
    let at = from;
    while (at < to) {
      const chunk = Buffer.allocUnsafe(Math.min(CHUNK, to - at));
      const { bytesRead } = await file.read(chunk, 0, chunk.length, at);
      if (bytesRead === 0) return;
      at += bytesRead;
      const read = chunk.subarray(0, bytesRead);
      const whole = rest.length === 0 ? read : Buffer.concat([rest, read]);
      const end = whole.lastIndexOf(NEWLINE) + 1;
      if (end > 0) yield whole.subarray(0, end);
      rest = whole.subarray(end);
    }
  } finally {
    await file.close();
  }
}

/** The lines of a piece, without their newlines. */
export function* linesOf(piece: Buffer): Generator<Buffer> {
  for (let from = 0; from < piece.length;) {
    const to = piece.indexOf(NEWLINE, from);
    yield piece.subarray(from, to);
    from = to + 1;
  }
}

export async function* lines(path: string, to: number, from = 0): AsyncGenerator<string> {
  for await (const piece of pieces(path, to, from)) {
    for (const line of linesOf(piece)) yield line.toString('utf8');
  }
}

/** The last line first. */
export async function* linesBackwards(path: string, size: number): AsyncGenerator<string> {
  if (size === 0) return;
  const file = await open(path, 'r');
  try {
    let [at, tail] = [size, Buffer.alloc(0) as Buffer];
    while (at > 0) {
      const length = Math.min(STEP_BACK, at);
      at -= length;
      const whole = Buffer.concat([await readAt(file, at, length), tail]);
      // What stands before the first newline may begin further up.
      const first = at === 0 ? -1 : whole.indexOf(NEWLINE);
      if (at > 0 && first === -1) {
        tail = whole;
        continue;
      }
      for (let to = whole.length - 1; to > first;) {
        const from = to === 0 ? -1 : whole.lastIndexOf(NEWLINE, to - 1);
        const begin = Math.max(from, first);
        yield whole.toString('utf8', begin + 1, to);
        to = begin;
      }
      tail = whole.subarray(0, first + 1);
    }
  } finally {
    await file.close();
  }
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length);
  const { bytesRead } = await file.read(buffer, 0, length, position);
  return buffer.subarray(0, bytesRead);
}
