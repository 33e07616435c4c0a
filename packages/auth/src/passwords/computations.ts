import { createHash, pbkdf2, scrypt, type ScryptOptions } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import { promisify } from 'node:util';
import argon2 from '@node-rs/argon2';
import bcrypt from 'bcrypt';
import { shaCryptSteps } from './sha-crypt-steps.js';

/** What costs a processor's time in hashing, by name, so that another thread can be asked for it. */
export interface HashComputations {
  argon2Hash(password: Buffer, options: Argon2Parameters): string;
  argon2Verify(stored: string, password: Buffer): boolean;
  bcryptHash(password: Buffer, salt: string): string;
  bcryptCompare(password: Buffer, stored: string): boolean;
  scrypt(password: Buffer, salt: string | Buffer, bytes: number, options: ScryptOptions): Buffer;
  pbkdf2(password: Buffer, salt: string | Buffer, iterations: number, bytes: number, hash: string): Buffer;
  shaCrypt(password: Buffer, salt: string, rounds: number, hash: 'sha256' | 'sha512'): Buffer;
}

export interface Argon2Parameters {
  readonly algorithm: number;
  readonly memoryCost: number;
  readonly timeCost: number;
  readonly parallelism: number;
}

/** Runs one of {@link HashComputations}. Buffers among the arguments are the computation's: they are zeros after it. */
export type Compute = <Name extends keyof HashComputations>(
  name: Name,
  ...args: Parameters<HashComputations[Name]>
) => Promise<ReturnType<HashComputations[Name]>>;

type Computation<Name extends keyof HashComputations> = {
  /** The synchronous function, for a thread of its own; without an engine one that the thread's program has. */
  readonly engine?: string;
  readonly name: string;
  /** The asynchronous one, which takes a thread of libuv's pool. */
  readonly inPool: (
    ...args: Parameters<HashComputations[Name]>
  ) => Promise<ReturnType<HashComputations[Name]>>;
};

export const computations: { readonly [Name in keyof HashComputations]: Computation<Name> } = {
  argon2Hash: {
    engine: '@node-rs/argon2',
    name: 'hashSync',
    inPool: (password, options) => argon2.hash(password, options),
  },
  argon2Verify: {
    engine: '@node-rs/argon2',
    name: 'verifySync',
    inPool: (stored, password) => argon2.verify(stored, password),
  },
  bcryptHash: {
    engine: 'bcrypt',
    name: 'hashSync',
    inPool: (password, salt) => bcrypt.hash(password, salt),
  },
  bcryptCompare: {
    engine: 'bcrypt',
    name: 'compareSync',
    inPool: (password, stored) => bcrypt.compare(password, stored),
  },
  scrypt: {
    engine: 'node:crypto',
    name: 'scryptSync',
    inPool: promisify<Buffer, string | Buffer, number, ScryptOptions, Buffer>(scrypt),
  },
  pbkdf2: { engine: 'node:crypto', name: 'pbkdf2Sync', inPool: promisify(pbkdf2) },
  shaCrypt: { name: 'shaCrypt', inPool: shaCryptBetween },
};

/** Computes in libuv's pool, beside file access, DNS look-ups and TLS handshakes. */
export const inPool: Compute = async (name, ...args) => {
  try {
    return await computations[name].inPool(...args);
  } finally {
    wipe(args);
  }
};

/** No pool computes JavaScript: in the event loop, which goes round every few milliseconds. */
async function shaCryptBetween(...args: Parameters<HashComputations['shaCrypt']>): Promise<Buffer> {
  const steps = shaCryptSteps(createHash, ...args);
  for (;;) {
    const { done, value } = steps.next();
    if (done) return value;
    await setImmediate();
  }
}

export function wipe(args: readonly unknown[]): void {
  for (const arg of args) if (Buffer.isBuffer(arg)) arg.fill(0);
}
