import { createCipheriv, createDecipheriv } from 'node:crypto';
import { option, optionConflict, readOptions, type Random, type Secret } from '@portcullis/core';
import { errors } from '../error-codes.js';

export interface FactorKey {
  /** Short name that is written beside what it seals; never use one twice. 1 to 32 of `a-z A-Z 0-9 _ -`. */
  readonly id: string;
  /** 32 bytes as base64url (43 characters) or base64, kept apart from the database. */
  readonly key: string | Secret<string>;
}

/** The second factors of an account, as one text in the column behind `users.saveFactors`. */
export interface FactorRecord {
  /** Sealed: `<key>.<iv>.<tag>.<ciphertext>`. */
  readonly totp?: string;
  readonly recovery: readonly string[];
}

export interface Sealer {
  seal(secret: Buffer, userId: string): string;
  /** @throws E_FACTORS_UNREADABLE (500): a key is missing, or the column was changed or moved to another account */
  open(text: string, userId: string): Buffer;
}

/** AES-256-GCM with the account as additional data, so that a sealed secret counts in no other row. */
export function createSealer(
  keys: readonly FactorKey[],
  random: Random,
  owner: string,
  path: string,
): Sealer {
  const ring = keys.map((entry, i) => {
    const at = `${path}[${i}]`;
    const { id, key } = readOptions(
      owner,
      entry,
      { id: option.string({ pattern: /^[A-Za-z0-9_-]{1,32}$/ }), key: option.secret({ minBytes: 43 }) },
      at,
    );
    const bytes = Buffer.from(key.reveal(), 'base64');
    if (bytes.length !== 32) optionConflict(owner, `${at}.key`, `${at}.key must be 32 bytes as base64url`);
    return { id, bytes };
  });
  if (new Set(ring.map(({ id }) => id)).size < ring.length)
    optionConflict(owner, path, `${path} names one id twice. Give each key an id of its own`);

  return {
    seal(secret, userId) {
      const { id, bytes } = ring[0]!;
      const iv = random.bytes(12);
      const cipher = createCipheriv('aes-256-gcm', bytes, iv).setAAD(Buffer.from(`totp\0${userId}`));
      const sealed = Buffer.concat([cipher.update(secret), cipher.final()]);
      return [id, ...[iv, cipher.getAuthTag(), sealed].map((part) => part.toString('base64url'))].join('.');
    },
    open(text, userId) {
      const [id, ...parts] = text.split('.');
      const entry = ring.find((one) => one.id === id);
      const [iv, tag, sealed] = parts.map((part) => Buffer.from(part, 'base64url'));
      try {
        const decipher = createDecipheriv('aes-256-gcm', entry!.bytes, iv!, { authTagLength: 16 })
          .setAAD(Buffer.from(`totp\0${userId}`))
          .setAuthTag(tag!);
        return Buffer.concat([decipher.update(sealed!), decipher.final()]);
      } catch (cause) {
        throw errors.E_FACTORS_UNREADABLE({ cause, details: { key: id, known: entry !== undefined } });
      }
    },
  };
}

/** @throws E_FACTORS_UNREADABLE (500): whatever stands there, it is not "no second factor" */
export function readRecord(text: string | null | undefined): FactorRecord {
  if (text === null || text === undefined) return { recovery: [] };
  try {
    const { totp, recovery } = JSON.parse(text) as { totp?: unknown; recovery?: unknown };
    if (!(totp === undefined || typeof totp === 'string') || !Array.isArray(recovery))
      throw new TypeError('form');
    return { ...(totp === undefined ? {} : { totp }), recovery: recovery.map(String) };
  } catch (cause) {
    throw errors.E_FACTORS_UNREADABLE({ cause });
  }
}

export function writeRecord(record: FactorRecord): string | null {
  return record.totp === undefined ? null : JSON.stringify(record);
}
