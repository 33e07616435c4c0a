import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';

export type TextFile =
  { readonly text: string } | { readonly problem: string; readonly missing?: true | undefined };

/**
 * Reads a small UTF-8 file completely, or says why not. Refuses what a mistaken or hostile path could name:
 * directories, pipes and devices (opened without blocking), files over the limit, and bytes that are not text.
 */
export function readTextFile(path: string, maxBytes: number): TextFile {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    return { problem: `the file cannot be opened (${code})`, missing: code === 'ENOENT' ? true : undefined };
  }
  try {
    if (!fstatSync(file).isFile()) return { problem: 'the path does not name a regular file' };
    // One byte more than allowed is asked for: a size reported beforehand may change, or be 0 as in /proc.
    const buffer = Buffer.alloc(maxBytes + 1);
    let length = 0;
    for (let read = -1; read !== 0 && length <= maxBytes; length += read) {
      read = readSync(file, buffer, length, buffer.length - length, null);
    }
    if (length > maxBytes) return { problem: `the file has more than ${maxBytes} bytes` };
    const text = new TextDecoder('utf-8', { fatal: true }).decode(buffer.subarray(0, length));
    return text.includes('\0') ? { problem: 'the file holds a NUL byte' } : { text };
  } catch (error) {
    if (error instanceof TypeError) return { problem: 'the file is not UTF-8 text' };
    return { problem: `the file cannot be read (${(error as NodeJS.ErrnoException).code})` };
  } finally {
    closeSync(file);
  }
}
