import { randomBytes } from 'node:crypto';
import { option, readOptions } from '@portcullis/core';
import { inPool, type Compute } from './computations.js';
import { fromAb64, sameBytes, toAb64 } from './encodings.js';
import type { PasswordHasher } from './hasher.js';

export interface Pbkdf2Options {
  /** Iterations of HMAC-SHA-256 for new hashes, 210,000 to 10,000,000. @default 600_000 (OWASP Password Storage Cheat Sheet) */
  readonly iterations?: number;
  /** Stored hashes with more iterations never match. 600,000 to 100,000,000. @default 3_000_000 */
  readonly maxIterations?: number;
}

export type Pbkdf2Hash = 'sha1' | 'sha256' | 'sha512';

const FORMAT =
  /^\$pbkdf2(?:-(sha1|sha256|sha512))?\$(\d{1,9})\$([A-Za-z0-9./]{11,128})\$([A-Za-z0-9./]{22,86})$/;

/** A digest longer than the hash makes the work several times as long. */
export const DIGEST_BYTES: Readonly<Record<Pbkdf2Hash, number>> = { sha1: 20, sha256: 32, sha512: 64 };

/**
 * PBKDF2 (RFC 8018) with HMAC-SHA-256 by `node:crypto`, in passlib's format `$pbkdf2-sha256$...`; verifies SHA-1 and
 * SHA-512 too. For those who must use what FIPS 140 approves: graphics cards compute it fast.
 * @throws OptionError
 */
export function pbkdf2(options: Pbkdf2Options = {}): PasswordHasher {
  const { iterations, maxIterations } = readOptions('pbkdf2', options, {
    iterations: option.integer({ min: 210_000, max: 10_000_000, default: 600_000 }),
    maxIterations: option.integer({ min: 600_000, max: 100_000_000, default: 3_000_000 }),
  });
  const limit = Math.max(iterations, maxIterations);
  const current = `$pbkdf2-sha256$${iterations}$`;

  return {
    name: 'pbkdf2',
    accepts(stored) {
      const read = parse(stored);
      return read !== undefined && read.iterations <= limit;
    },
    async hash({ normal }, compute = inPool) {
      const salt = randomBytes(16);
      const start = `${current}${toAb64(salt)}$`;
      return `${start}${toAb64(await pbkdf2Digest(compute, 'sha256', normal, salt, iterations, 32))}`;
    },
    async verify({ normal }, stored, compute = inPool) {
      const { hash, salt, digest, iterations: count } = parse(stored)!;
      return sameBytes(await pbkdf2Digest(compute, hash, normal, salt, count, digest.length), digest);
    },
    isCurrent: (stored) => stored.startsWith(current),
  };
}

function parse(stored: string) {
  const match = FORMAT.exec(stored);
  const salt = fromAb64(match?.[3] ?? '-');
  const digest = fromAb64(match?.[4] ?? '-');
  if (!match || !salt || !digest) return undefined;
  const hash = (match[1] ?? 'sha1') as Pbkdf2Hash;
  const iterations = Number(match[2]);
  return iterations >= 1 && digest.length <= DIGEST_BYTES[hash]
    ? { hash, iterations, salt, digest }
    : undefined;
}

export function pbkdf2Digest(
  compute: Compute,
  hash: Pbkdf2Hash,
  password: string,
  salt: string | Buffer,
  iterations: number,
  bytes: number,
): Promise<Buffer> {
  return compute('pbkdf2', Buffer.from(password), salt, iterations, bytes, hash);
}
