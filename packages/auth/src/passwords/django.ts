import { createHash } from 'node:crypto';
import { option, readOptions } from '@portcullis/core';
import { argon2id } from './argon2id.js';
import { bcrypt } from './bcrypt.js';
import { inPool, type Compute } from './computations.js';
import { fromBase64, sameBytes } from './encodings.js';
import type { PasswordForms, PasswordVerifier } from './hasher.js';
import { DIGEST_BYTES, pbkdf2Digest, type Pbkdf2Hash } from './pbkdf2.js';
import { isWithin, scryptDigest } from './scrypt.js';

export interface DjangoOptions {
  /** Stored PBKDF2 hashes with more iterations never match. 600,000 to 100,000,000. @default 3_000_000 */
  readonly maxIterations?: number;
  /** Stored scrypt and argon2 hashes that ask for more memory (KiB) never match. @default 262_144 */
  readonly maxMemoryKib?: number;
  /** Stored bcrypt hashes with a higher cost never match. 10 to 20. @default 15 */
  readonly maxCost?: number;
}

type Reader = (password: PasswordForms, compute: Compute) => Promise<boolean>;

const PBKDF2 = /^pbkdf2_(sha1|sha256)\$(\d{1,9})\$([\x21-\x23\x25-\x7e]{1,128})\$([A-Za-z0-9+/]{27,43}=)$/;
const SCRYPT =
  /^scrypt\$(\d{1,8})\$([\x21-\x23\x25-\x7e]{1,128})\$(\d{1,2})\$(\d{1,2})\$([A-Za-z0-9+/]{86}==)$/;
const BCRYPT_SHA256 = /^bcrypt_sha256\$(\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53})$/;
const PREFIX = /^(?:argon2|bcrypt\$)(?=\$)/;

/**
 * Verifies the password column of Django (`auth_user.password`): `pbkdf2_sha256`, `pbkdf2_sha1`, `scrypt`,
 * `bcrypt_sha256`, `bcrypt` and `argon2`, over the text as it was typed. MD5 and unsalted formats never match.
 * @see django.contrib.auth.hashers
 * @throws OptionError
 */
export function django(options: DjangoOptions = {}): PasswordVerifier {
  const { maxIterations, maxMemoryKib, maxCost } = readOptions('django', options, {
    maxIterations: option.integer({ min: 600_000, max: 100_000_000, default: 3_000_000 }),
    maxMemoryKib: option.integer({ min: 19_456, max: 4_194_304, default: 262_144 }),
    maxCost: option.integer({ min: 10, max: 20, default: 15 }),
  });
  const wrapped = [argon2id({ maxMemoryKib }), bcrypt({ maxCost })];

  function readerOf(stored: string): Reader | undefined {
    if (PREFIX.test(stored)) {
      const inner = stored.slice(stored.indexOf('$', stored.startsWith('bcrypt$') ? 7 : 0));
      // Not our own pre-hashed format, which Django does not have.
      const owner = inner.startsWith('$bcrypt') ? undefined : wrapped.find((one) => one.accepts(inner));
      return owner && (({ raw }, compute) => owner.verify({ raw, normal: raw }, inner, compute));
    }
    return (
      pbkdf2Reader(stored, maxIterations) ??
      scryptReader(stored, maxMemoryKib) ??
      bcryptReader(stored, maxCost)
    );
  }

  return {
    name: 'django',
    accepts: (stored) => readerOf(stored) !== undefined,
    verify: (password, stored, compute = inPool) => readerOf(stored)!(password, compute),
  };
}

function pbkdf2Reader(stored: string, maxIterations: number): Reader | undefined {
  const match = PBKDF2.exec(stored);
  const digest = fromBase64(match?.[4] ?? '-');
  if (!match || !digest) return undefined;
  const hash = match[1] as Pbkdf2Hash;
  const [iterations, salt] = [Number(match[2]), match[3]!];
  if (iterations < 1 || iterations > maxIterations || digest.length !== DIGEST_BYTES[hash]) return undefined;
  return async ({ raw }, compute) =>
    sameBytes(await pbkdf2Digest(compute, hash, raw, salt, iterations, digest.length), digest);
}

function scryptReader(stored: string, maxMemoryKib: number): Reader | undefined {
  const match = SCRYPT.exec(stored);
  const digest = fromBase64(match?.[5] ?? '-');
  if (!match || !digest) return undefined;
  const [logN, salt, r, p] = [Math.log2(Number(match[1])), match[2]!, Number(match[3]), Number(match[4])];
  if (!Number.isInteger(logN) || !isWithin({ logN, r, p }, maxMemoryKib)) return undefined;
  return async ({ raw }, compute) =>
    sameBytes(await scryptDigest(compute, { logN, r, p }, raw, salt, digest.length), digest);
}

function bcryptReader(stored: string, maxCost: number): Reader | undefined {
  const match = BCRYPT_SHA256.exec(stored);
  const cost = Number(match?.[2] ?? Number.NaN);
  if (!match || cost < 4 || cost > maxCost) return undefined;
  // 64 hexadecimal digits: neither cut at 72 bytes nor wrapped at 256.
  const hash = match[1]!.replace(/^\$2[ay]\$/, '$2b$');
  return ({ raw }, compute) =>
    compute('bcryptCompare', Buffer.from(createHash('sha256').update(raw).digest('hex')), hash);
}
