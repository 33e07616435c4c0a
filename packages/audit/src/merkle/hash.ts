import { hash } from 'node:crypto';

/** Hash of the empty tree (RFC 6962 section 2.1). */
export const EMPTY_ROOT: Buffer = hash('sha256', '', 'buffer');

/** RFC 6962 section 2.1: SHA-256 over 0x01 and two hashes. */
export function nodeHash(left: Buffer, right: Buffer): Buffer {
  const node = Buffer.allocUnsafe(65);
  node[0] = 1;
  left.copy(node, 1);
  right.copy(node, 33);
  return hash('sha256', node, 'buffer');
}
