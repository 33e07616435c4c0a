import { closeSync, fstatSync, openSync, readSync } from 'node:fs';

const NEWLINE = 10;
const TAIL = 1 << 16;

/** How many bytes of a file are whole lines, and the last of them. What follows was never acknowledged. */
export function endOf(path: string): { readonly bytes: number; readonly last: string | undefined } {
  let file: number;
  try {
    file = openSync(path, 'r');
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ENOENT') return { bytes: 0, last: undefined };
    throw error;
  }
  try {
    const { size } = fstatSync(file);
    for (let length = Math.min(TAIL, size); ; length = Math.min(length * 2, size)) {
      const tail = Buffer.alloc(length);
      readSync(file, tail, 0, length, size - length);
      const end = tail.lastIndexOf(NEWLINE);
      const before = end <= 0 ? -1 : tail.lastIndexOf(NEWLINE, end - 1);
      if (length < size && before === -1) continue;
      const last = end === -1 ? undefined : tail.toString('utf8', before + 1, end);
      return { bytes: size - length + end + 1, last };
    }
  } finally {
    closeSync(file);
  }
}
