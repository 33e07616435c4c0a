import { open } from 'node:fs/promises';
import { folderSource } from '../file/folder-source.js';
import { isFolder } from './inputs.js';

/** No entry is longer than 1 MiB; a line that is has not been written by us. */
const MAX_LINE = 1 << 24;
export const PIECE_BYTES = 1 << 22;
const NEWLINE = 10;

/** Reads into the buffer; resolves to 0 at the end. */
type Read = (into: Buffer, at: number) => Promise<number>;

/**
 * A file (or a folder of `fileAudit()`, or `-`, standard input) in pieces of whole lines, each with one byte of room before them, as `scanLines()` takes them.
 * A piece has memory of its own, so that it can be handed to a worker; what is in `free` is used again.
 * @throws if the file cannot be read, or has a line of more than 16 MiB
 */
export async function* readPieces(
  path: string,
  onBytes: (count: number) => void,
  free: Buffer[] = [],
): AsyncGenerator<Buffer> {
  const source = await openSource(path);
  try {
    let piece = free.pop() ?? Buffer.allocUnsafeSlow(PIECE_BYTES);
    let length = 1;
    for (;;) {
      if (length === piece.length) {
        if (length > MAX_LINE) throw new RangeError('A line of the export is too long.');
        piece = Buffer.concat([piece, Buffer.alloc(piece.length)]);
      }
      const count = await source.read(piece, length);
      if (count === 0) break;
      onBytes(count);
      length += count;
      if (length < piece.length) continue;
      const end = piece.lastIndexOf(NEWLINE) + 1;
      if (end === 0) continue;
      const next = free.pop() ?? Buffer.allocUnsafeSlow(PIECE_BYTES);
      // What follows the last whole line begins the next piece.
      const rest = piece.subarray(end);
      const roomy = rest.length + 1 < next.length ? next : Buffer.allocUnsafeSlow(rest.length + PIECE_BYTES);
      const begun = 1 + rest.copy(roomy, 1);
      yield piece.subarray(0, end);
      // Whoever took the piece may have given its memory away.
      [piece, length] = [roomy, begun];
    }
    if (length > 1) yield piece.subarray(0, length);
  } finally {
    await source.close();
  }
}

async function openSource(path: string): Promise<{ read: Read; close(): Promise<void> }> {
  if (path === '-') return { read: fromStream(process.stdin), close: () => Promise.resolve() };
  if (await isFolder(path)) {
    return { read: fromStream((await folderSource(path)).pieces()), close: () => Promise.resolve() };
  }
  const file = await open(path, 'r');
  return {
    read: async (into, at) => (await file.read(into, at, into.length - at)).bytesRead,
    close: () => file.close(),
  };
}

function fromStream(stream: AsyncIterable<Buffer>): Read {
  const parts = stream[Symbol.asyncIterator]();
  let rest: Buffer = Buffer.alloc(0);
  return async (into, at) => {
    while (rest.length === 0) {
      const next = await parts.next();
      if (next.done) return 0;
      rest = next.value;
    }
    const count = rest.copy(into, at);
    rest = rest.subarray(count);
    return count;
  };
}
