import { brotliDecompressSync } from 'node:zlib';
import { COMMON_PASSWORDS } from './common-list.js';

let unpacked: ReadonlySet<string> | undefined;

/** The embedded list, in lower case. A constant: unpacked when the first policy asks for it, which takes a few milliseconds. */
export function commonPasswords(): ReadonlySet<string> {
  unpacked ??= unpack();
  return unpacked;
}

function unpack(): ReadonlySet<string> {
  const lines = brotliDecompressSync(Buffer.from(COMMON_PASSWORDS, 'base64')).toString('utf8').split('\n');
  const words = new Set<string>();
  let word = '';
  for (const line of lines) {
    word = word.slice(0, Number.parseInt(line[0]!, 36)) + line.slice(1);
    words.add(word);
  }
  return words;
}
