import { crc32 } from 'node:zlib';
import type { Random } from '@portcullis/core';

/**
 * An API key is `<prefix>_<id><secret><checksum>`: 16, 32 and 4 bytes as 22, 43 and 6 digits of base 62. The prefix says whose key it is
 * and lets secret scanners find it; the checksum (CRC-32 of all before it) tells a key from what only looks like one, without asking a store.
 */
export interface ApiKeyParts {
  /** A UUID. */
  readonly id: string;
  readonly text: string;
}

const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const ID_LENGTH = 22;
const SECRET_LENGTH = 43;
const CHECK_LENGTH = 6;

/** For secret scanners: what a key with this prefix looks like. */
export function apiKeyPattern(prefix: string): RegExp {
  return new RegExp(`^${prefix}_[0-9A-Za-z]{${ID_LENGTH + SECRET_LENGTH + CHECK_LENGTH}}$`);
}

export function makeApiKey(prefix: string, random: Random): ApiKeyParts {
  const id = random.uuid();
  const body =
    toDigits(Buffer.from(id.replaceAll('-', ''), 'hex'), ID_LENGTH) +
    toDigits(random.bytes(32), SECRET_LENGTH);
  const text = `${prefix}_${body}`;
  return { id, text: text + checksumOf(text) };
}

/** Undefined for what is no key of this prefix, or mistyped. */
export function parseApiKey(prefix: string, text: string): ApiKeyParts | undefined {
  const start = prefix.length + 1;
  if (text.length !== start + ID_LENGTH + SECRET_LENGTH + CHECK_LENGTH || !apiKeyPattern(prefix).test(text))
    return undefined;
  if (checksumOf(text.slice(0, -CHECK_LENGTH)) !== text.slice(-CHECK_LENGTH)) return undefined;
  const bytes = toBytes(text.slice(start, start + ID_LENGTH));
  const id = bytes?.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  return id === undefined ? undefined : { id, text };
}

function checksumOf(text: string): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32(text));
  return toDigits(bytes, CHECK_LENGTH);
}

function toDigits(bytes: Uint8Array, length: number): string {
  let value = BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
  let text = '';
  for (let i = 0; i < length; i++) {
    text = DIGITS[Number(value % 62n)]! + text;
    value /= 62n;
  }
  return text;
}

/** 16 bytes, or undefined for digits that are more than those. */
function toBytes(text: string): Buffer | undefined {
  let value = 0n;
  for (const digit of text) value = value * 62n + BigInt(DIGITS.indexOf(digit));
  return value < 1n << 128n ? Buffer.from(value.toString(16).padStart(32, '0'), 'hex') : undefined;
}
