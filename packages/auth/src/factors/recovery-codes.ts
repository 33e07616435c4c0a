import { createHash } from 'node:crypto';
import type { Random } from '@portcullis/core';
import { toBase32 } from './one-time-codes.js';

const COUNT = 10;

/**
 * Ten codes of 136 random bits, such as `ABCD-EFGH-IJKL-MNOP-QRST-UVWX-YZ23`; each counts once. With more than 112 bits a plain hash
 * is enough to keep them (NIST SP 800-63B-4 section 3.1.2.2).
 */
export function makeRecoveryCodes(random: Random): readonly string[] {
  return Array.from({ length: COUNT }, () => toBase32(random.bytes(17)).match(/.{4}/g)!.join('-'));
}

/** The hash under which a code is kept; spaces, hyphens and the case of letters do not count. */
export function recoveryHash(code: string): string {
  const text = code.toUpperCase().replace(/[^A-Z2-7]/g, '');
  return createHash('sha256').update(`portcullis recovery\0${text}`).digest('base64url');
}
