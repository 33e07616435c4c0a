import { option, readOptions } from '@portcullis/core';
import { inPool } from './computations.js';
import type { PasswordHasher } from './hasher.js';

export interface Argon2idOptions {
  /** Memory in KiB, 7,168 to 1,048,576. @default 19_456 (19 MiB; OWASP Password Storage Cheat Sheet) */
  readonly memoryKib?: number;
  /** Passes over the memory, 1 to 16. @default 2 */
  readonly passes?: number;
  /** Lanes, 1 to 16. @default 1 */
  readonly parallelism?: number;
  /** Stored hashes that ask for more memory than this (KiB) or more than 16 passes or lanes never match. @default 262_144 */
  readonly maxMemoryKib?: number;
}

const FORMAT =
  /^\$argon2(id|i|d)\$(?:v=(16|19)\$)?m=(\d{1,10}),t=(\d{1,10}),p=(\d{1,3})\$([A-Za-z0-9+/]{11,128})\$([A-Za-z0-9+/]{16,256})$/;
const MAX_PASSES = 16;
const MAX_LANES = 16;

// The package's own enum is a compile-time constant, which separately compiled files cannot see.
const ARGON2ID = 2;

function isWhole(base64: string): boolean {
  return Buffer.from(base64, 'base64').toString('base64').replace(/=+$/, '') === base64;
}

/**
 * argon2id (RFC 9106) by `@node-rs/argon2`: 19 MiB, 2 passes, 1 lane by default. Verifies argon2i and argon2d too.
 * @throws OptionError
 */
export function argon2id(options: Argon2idOptions = {}): PasswordHasher {
  const { memoryKib, passes, parallelism, maxMemoryKib } = readOptions('argon2id', options, {
    memoryKib: option.integer({ min: 7_168, max: 1_048_576, default: 19_456 }),
    passes: option.integer({ min: 1, max: MAX_PASSES, default: 2 }),
    parallelism: option.integer({ min: 1, max: MAX_LANES, default: 1 }),
    maxMemoryKib: option.integer({ min: 19_456, max: 4_194_304, default: 262_144 }),
  });
  const limit = Math.max(maxMemoryKib, memoryKib);
  const current = `$argon2id$v=19$m=${memoryKib},t=${passes},p=${parallelism}$`;
  const parameters = { algorithm: ARGON2ID, memoryCost: memoryKib, timeCost: passes, parallelism };

  return {
    name: 'argon2id',
    accepts(stored) {
      const match = FORMAT.exec(stored);
      if (!match) return false;
      const [memory, time, lanes] = match.slice(3, 6).map(Number) as [number, number, number];
      return (
        // One that was cut off on its way into the database is no hash: the library throws.
        match.slice(6).every(isWhole) &&
        memory <= limit &&
        time >= 1 &&
        time <= MAX_PASSES &&
        lanes >= 1 &&
        lanes <= MAX_LANES &&
        memory >= 8 * lanes
      );
    },
    hash: ({ normal }, compute = inPool) => compute('argon2Hash', Buffer.from(normal), parameters),
    verify: ({ normal }, stored, compute = inPool) => compute('argon2Verify', stored, Buffer.from(normal)),
    isCurrent: (stored) => stored.startsWith(current),
  };
}
