import { randomBytes, randomUUID } from 'node:crypto';

/** The only source of chance; cryptographic in production. */
export interface Random {
  bytes(count: number): Buffer;
  /** A random (version 4) UUID, RFC 9562. */
  uuid(): string;
}

export const systemRandom: Random = Object.freeze({
  bytes: (count: number) => randomBytes(count),
  uuid: () => randomUUID(),
});
