import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  hkdfSync,
  timingSafeEqual,
} from 'node:crypto';
import type { Random } from '@portcullis/core';
import { decodeCanonical } from '../tokens/base64url.js';

/**
 * A refresh token is 68 bytes, 91 characters of base64url:
 * session id (16) | generation (4) | secret (32) | tag (16).
 * The secret makes it unguessable. The tag, keyed per session, shows that a token was really issued, so that an old one
 * can be told from an invented one without keeping every hash, and nobody can end a session by knowing its id.
 */
export interface RefreshToken {
  readonly text: string;
  readonly sessionId: string;
  readonly generation: number;
}

const TAGGED_BYTES = 52;

export function makeRefreshToken(
  of: { readonly sessionId: string; readonly generation: number; readonly tagKey: string },
  random: Random,
): string {
  const tagged = Buffer.concat([uuidBytes(of.sessionId), generationBytes(of.generation), random.bytes(32)]);
  return Buffer.concat([tagged, tagOf(tagged, of.tagKey)]).toString('base64url');
}

export function parseRefreshToken(text: unknown): RefreshToken | undefined {
  // In canonical form so many characters are 68 bytes.
  if (typeof text !== 'string' || text.length !== 91) return undefined;
  const bytes = decodeCanonical(text);
  return bytes && { text, sessionId: uuidText(bytes.subarray(0, 16)), generation: bytes.readUInt32BE(16) };
}

/** True if this family issued the token, at whatever time. */
export function isOfFamily(token: RefreshToken, tagKey: string): boolean {
  const bytes = Buffer.from(token.text, 'base64url');
  return timingSafeEqual(tagOf(bytes.subarray(0, TAGGED_BYTES), tagKey), bytes.subarray(TAGGED_BYTES));
}

/** What is stored of a token. 32 random bytes need no slow hash. */
export function hashToken(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}

/** Compares hashes, which have one length. */
export function sameHash(a: string, b: string | null): boolean {
  return b !== null && a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b));
}

/** Seals a value so that only the bearer of this refresh token can open it: AES-256-GCM, key by HKDF from the token. */
export function sealUnder(token: RefreshToken, value: unknown, random: Random): string {
  const iv = random.bytes(12);
  const cipher = createCipheriv('aes-256-gcm', sealKey(token), iv);
  const body = Buffer.concat([cipher.update(JSON.stringify(value), 'utf8'), cipher.final()]);
  return Buffer.concat([iv, cipher.getAuthTag(), body]).toString('base64url');
}

/** @throws if it was not sealed under this token */
export function openWith(token: RefreshToken, sealed: string): unknown {
  const bytes = Buffer.from(sealed, 'base64url');
  const decipher = createDecipheriv('aes-256-gcm', sealKey(token), bytes.subarray(0, 12), {
    authTagLength: 16,
  });
  decipher.setAuthTag(bytes.subarray(12, 28));
  return JSON.parse(Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString('utf8'));
}

function sealKey(token: RefreshToken): Buffer {
  return Buffer.from(hkdfSync('sha256', token.text, token.sessionId, 'portcullis auth successor', 32));
}

function tagOf(tagged: Buffer, tagKey: string): Buffer {
  return createHmac('sha256', Buffer.from(tagKey, 'base64url')).update(tagged).digest().subarray(0, 16);
}

function uuidBytes(id: string): Buffer {
  const bytes = Buffer.from(id.replaceAll('-', ''), 'hex');
  if (bytes.length !== 16 || uuidText(bytes) !== id)
    throw new TypeError('A session id is a lower-case UUID.');
  return bytes;
}

function uuidText(bytes: Buffer): string {
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

function generationBytes(generation: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(generation);
  return bytes;
}
