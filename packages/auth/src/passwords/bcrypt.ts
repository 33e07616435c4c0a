import { createHash, createHmac } from 'node:crypto';
import engine from 'bcrypt';
import { option, readOptions } from '@portcullis/core';
import { inPool, type Compute } from './computations.js';
import { sameText } from './encodings.js';
import type { PasswordHasher } from './hasher.js';

export interface BcryptOptions {
  /** Base-2 logarithm of the rounds for new hashes, 10 to 16. @default 12 */
  readonly cost?: number;
  /** Stored hashes with a higher cost never match: one of cost 31 would run for days. 10 to 20. @default 15 */
  readonly maxCost?: number;
}

// passlib's bcrypt-sha256, version 2, so that our hashes are not only ours.
const SHA256 = /^\$bcrypt-sha256\$v=2,t=2b,r=(\d{1,2})\$([./A-Za-z0-9]{22})\$([./A-Za-z0-9]{31})$/;
// Its version 1, over a plain SHA-256.
const SHA256_V1 = /^\$bcrypt-sha256\$2[ab],(\d{1,2})\$([./A-Za-z0-9]{22})\$([./A-Za-z0-9]{31})$/;
const RAW = /^\$2[aby]\$(\d\d)\$([./A-Za-z0-9]{22}[./A-Za-z0-9]{31})$/;
const MAX_RAW_BYTES = 72;

/**
 * bcrypt by npm `bcrypt`, without its three traps. New hashes are over `base64(HMAC-SHA-256(salt, password))`, 44 bytes
 * without NUL, so that no byte of a password is ignored (format: passlib's `$bcrypt-sha256$v=2`; its version 1 verifies). Raw `$2a$`, `$2b$` and
 * `$2y$` hashes of other systems verify; for them a password of more than 72 bytes is wrong, and only found to be so
 * after the same work (CVE-2025-22228, CVE-2025-22234); `$2a$` is computed as `$2b$`, because the engine wraps its
 * length at 256 bytes otherwise.
 * @throws OptionError
 */
export function bcrypt(options: BcryptOptions = {}): PasswordHasher {
  const { cost, maxCost } = readOptions('bcrypt', options, {
    cost: option.integer({ min: 10, max: 16, default: 12 }),
    maxCost: option.integer({ min: 10, max: 20, default: 15 }),
  });
  const limit = Math.max(cost, maxCost);
  const current = `$bcrypt-sha256$v=2,t=2b,r=${cost}$`;

  return {
    name: 'bcrypt',
    accepts(stored) {
      const rounds = Number(
        [SHA256, SHA256_V1, RAW].map((form) => form.exec(stored)?.[1]).find(Boolean) ?? Number.NaN,
      );
      return rounds >= 4 && rounds <= limit;
    },
    async hash({ normal }, compute = inPool) {
      const salt = (await engine.genSalt(cost, 'b')).slice(-22);
      return `${current}${salt}$${await digest(compute, keyed(normal, salt), salt, cost)}`;
    },
    async verify({ raw, normal }, stored, compute = inPool) {
      const ours = SHA256.exec(stored);
      if (ours) {
        const prehash = keyed(normal, ours[2]!);
        return sameText(await digest(compute, prehash, ours[2]!, Number(ours[1])), ours[3]!);
      }
      const first = SHA256_V1.exec(stored);
      if (first) {
        const prehash = createHash('sha256').update(normal).digest('base64');
        return sameText(await digest(compute, prehash, first[2]!, Number(first[1])), first[3]!);
      }
      const bytes = Buffer.from(raw);
      const fits = bytes.length <= MAX_RAW_BYTES && !bytes.includes(0);
      bytes.fill(0, MAX_RAW_BYTES);
      const matches = await compute(
        'bcryptCompare',
        // A buffer of at most 72 bytes: the engine neither truncates nor wraps, and the work is always the same.
        bytes.subarray(0, MAX_RAW_BYTES),
        stored.replace(/^\$2[ay]\$/, '$2b$'),
      );
      return matches && fits;
    },
    isCurrent: (stored) => stored.startsWith(current),
  };
}

const keyed = (password: string, salt: string) =>
  createHmac('sha256', salt).update(password).digest('base64');

async function digest(compute: Compute, prehash: string, salt: string, cost: number): Promise<string> {
  const setting = `$2b$${String(cost).padStart(2, '0')}$${salt}`;
  const hash = await compute('bcryptHash', Buffer.from(prehash), setting);
  return hash.slice(-31);
}
