import { randomBytes } from 'node:crypto';
import { option, readOptions } from '@portcullis/core';
import { inPool, type Compute } from './computations.js';
import { fromBase64, sameBytes, toBase64 } from './encodings.js';
import type { PasswordHasher } from './hasher.js';

export interface ScryptOptions {
  /** Base-2 logarithm of N for new hashes, 14 to 20. @default 17 (OWASP Password Storage Cheat Sheet) */
  readonly logN?: number;
  /** Stored hashes that ask for more memory than this (KiB) never match. 131,072 to 4,194,304. @default 262_144 */
  readonly maxMemoryKib?: number;
}

export interface ScryptParameters {
  readonly logN: number;
  readonly r: number;
  readonly p: number;
}

const FORMAT =
  /^\$scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,128})\$([A-Za-z0-9+/]{22,171})$/;
const R = 8;
const P = 1;

/**
 * scrypt (RFC 7914) by `node:crypto`, in passlib's format `$scrypt$ln=17,r=8,p=1$...`: N 2^17, r 8, p 1 by default, which
 * is 128 MiB for each hash. For those who may not use a package with native code; `argon2id()` costs an attacker more.
 * @throws OptionError
 */
export function scrypt(options: ScryptOptions = {}): PasswordHasher {
  const { logN, maxMemoryKib } = readOptions('scrypt', options, {
    logN: option.integer({ min: 14, max: 20, default: 17 }),
    maxMemoryKib: option.integer({ min: 131_072, max: 4_194_304, default: 262_144 }),
  });
  const limit = Math.max(maxMemoryKib, 2 ** logN);
  const current = `$scrypt$ln=${logN},r=${R},p=${P}$`;

  return {
    name: 'scrypt',
    accepts(stored) {
      const read = parse(stored);
      return read !== undefined && isWithin(read, limit);
    },
    async hash({ normal }, compute = inPool) {
      const salt = randomBytes(16);
      const start = `${current}${toBase64(salt)}$`;
      return `${start}${toBase64(await scryptDigest(compute, { logN, r: R, p: P }, normal, salt, 32))}`;
    },
    async verify({ normal }, stored, compute = inPool) {
      const { salt, digest, ...parameters } = parse(stored)!;
      return sameBytes(await scryptDigest(compute, parameters, normal, salt, digest.length), digest);
    },
    isCurrent: (stored) => stored.startsWith(current),
  };
}

function parse(stored: string): (ScryptParameters & { salt: Buffer; digest: Buffer }) | undefined {
  const match = FORMAT.exec(stored);
  const salt = fromBase64(match?.[4] ?? '-');
  const digest = fromBase64(match?.[5] ?? '-');
  if (!match || !salt || !digest) return undefined;
  return { logN: Number(match[1]), r: Number(match[2]), p: Number(match[3]), salt, digest };
}

/** Memory within `limitKib`, and at most 16 times the time that the memory alone allows. */
export function isWithin({ logN, r, p }: ScryptParameters, limitKib: number): boolean {
  return logN >= 1 && logN <= 24 && r >= 1 && r <= 32 && p >= 1 && p <= 16 && 2 ** logN * r <= limitKib * 8;
}

export function scryptDigest(
  compute: Compute,
  { logN, r, p }: ScryptParameters,
  password: string,
  salt: string | Buffer,
  bytes: number,
): Promise<Buffer> {
  const N = 2 ** logN;
  // OpenSSL counts the whole of it: 128 N r for the table and 128 r p for the blocks.
  const maxmem = 128 * r * (N + p + 2) + 1_048_576;
  return compute('scrypt', Buffer.from(password), salt, bytes, { N, r, p, maxmem });
}
