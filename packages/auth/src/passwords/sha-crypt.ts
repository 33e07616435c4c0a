import { option, readOptions } from '@portcullis/core';
import { inPool } from './computations.js';
import { sameText } from './encodings.js';
import type { PasswordVerifier } from './hasher.js';

export interface ShaCryptOptions {
  /** Stored hashes with more rounds never match. 5,000 to 10,000,000. @default 1_000_000 (passlib makes 656,000) */
  readonly maxRounds?: number;
}

const FORMAT =
  /^\$([56])\$(?:rounds=([1-9]\d{0,8})\$)?([\x21-\x23\x25-\x39\x3b-\x7e]{0,16})\$([./0-9A-Za-z]{43}(?:[./0-9A-Za-z]{43})?)$/;
const DEFAULT_ROUNDS = 5_000;
const MIN_ROUNDS = 1_000;
const DIGITS = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

// The work grows with the square of the length (CVE-2016-20013), and nobody has such a password.
const MAX_BYTES = 512;

/**
 * Verifies SHA-crypt, `$5$` and `$6$`, as crypt(3) and passlib's `sha256_crypt` and `sha512_crypt` write it, over the text as
 * it was typed. A password of more than 512 bytes or with a NUL is wrong, and only found to be so after the same work.
 * @see https://www.akkadia.org/drepper/SHA-crypt.txt
 * @throws OptionError
 */
export function shaCrypt(options: ShaCryptOptions = {}): PasswordVerifier {
  const { maxRounds } = readOptions('shaCrypt', options, {
    maxRounds: option.integer({ min: DEFAULT_ROUNDS, max: 10_000_000, default: 1_000_000 }),
  });

  return {
    name: 'sha-crypt',
    accepts(stored) {
      const read = parse(stored);
      return read !== undefined && read.rounds >= MIN_ROUNDS && read.rounds <= maxRounds;
    },
    async verify({ raw }, stored, compute = inPool) {
      const { hash, rounds, salt, digest } = parse(stored)!;
      const bytes = Buffer.from(raw);
      const fits = bytes.length <= MAX_BYTES && !bytes.includes(0);
      bytes.fill(0, MAX_BYTES);
      const computed = await compute('shaCrypt', bytes.subarray(0, MAX_BYTES), salt, rounds, hash);
      return sameText(encode(computed), digest) && fits;
    },
  };
}

function parse(stored: string) {
  const [, scheme, rounds = DEFAULT_ROUNDS, salt = '', digest = ''] = FORMAT.exec(stored) ?? [];
  if (digest.length !== (scheme === '6' ? 86 : 43)) return undefined;
  return { hash: scheme === '6' ? 'sha512' : 'sha256', rounds: Number(rounds), salt, digest } as const;
}

/** 24 bits at a time, the lowest six first, of bytes in the order of step 22 of the specification. */
function encode(digest: Buffer): string {
  const third = Math.floor(digest.length / 3);
  const isLong = digest.length === 64;
  let order = [0, third, 2 * third] as [number, number, number];
  let text = '';
  const write = (bits: number, digits: number): void => {
    for (let i = 0; i < digits; i++) text += DIGITS[(bits >> (6 * i)) & 63];
  };
  for (let i = 0; i < third; i++) {
    const [a, b, c] = order;
    write((digest[a]! << 16) | (digest[b]! << 8) | digest[c]!, 4);
    order = isLong ? [b + 1, c + 1, a + 1] : [c + 1, a + 1, b + 1];
  }
  if (isLong) write(digest[63]!, 2);
  else write((digest[31]! << 8) | digest[30]!, 3);
  return text;
}
