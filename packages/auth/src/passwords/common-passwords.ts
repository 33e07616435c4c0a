import { brotliDecompressSync } from 'node:zlib';
import { COMMON_PASSWORDS } from './common-list.js';

/** The embedded list, in lower case: a constant that is unpacked, in some milliseconds, when the first policy asks for it. */
export const commonPasswords = once((): ReadonlySet<string> => {
  const lines = brotliDecompressSync(Buffer.from(COMMON_PASSWORDS, 'base64')).toString('utf8').split('\n');
  const words = new Set<string>();
  let word = '';
  for (const line of lines) {
    word = word.slice(0, Number.parseInt(line[0]!, 36)) + line.slice(1);
    words.add(word);
  }
  return words;
});

function once<T>(make: () => T): () => T {
  let made: T | undefined;
  return () => (made ??= make());
}
