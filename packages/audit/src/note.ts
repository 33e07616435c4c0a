import { createPublicKey, hash, type KeyObject } from 'node:crypto';

/** Keys of C2SP signed notes. @see https://c2sp.org/signed-note */

/** Signature type: Ed25519 over the text of the note. */
const ED25519 = 1;

/** A key that verifies notes, from its text form. */
export interface NoteKey {
  readonly name: string;
  readonly keyId: Buffer;
  readonly publicKey: KeyObject;
}

/** `<name>+<key id>+<type and key>` of an Ed25519 key (32 raw bytes). */
export function verifierKey(name: string, publicKey: Buffer): string {
  const typed = Buffer.concat([Buffer.of(ED25519), publicKey]);
  return `${name}+${keyIdOf(name, typed).toString('hex')}+${typed.toString('base64')}`;
}

/** @throws TypeError */
export function parseVerifierKey(text: string): NoteKey {
  const match = /^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+={0,2})$/u.exec(text);
  const typed = match ? Buffer.from(match[3]!, 'base64') : undefined;
  // Canonical base64 only: two texts of one key would be two keys.
  if (!match || typed?.length !== 33 || typed[0] !== ED25519 || typed.toString('base64') !== match[3]) {
    throw new TypeError('This is no verifier key of a C2SP note with Ed25519.');
  }
  const name = match[1]!;
  const keyId = keyIdOf(name, typed);
  if (keyId.toString('hex') !== match[2]) {
    throw new TypeError('The key id does not belong to this verifier key.');
  }
  return { name, keyId, publicKey: publicKeyOf(typed.subarray(1)) };
}

/** From 32 raw bytes. */
export function publicKeyOf(raw: Buffer): KeyObject {
  return createPublicKey({
    key: { kty: 'OKP', crv: 'Ed25519', x: raw.toString('base64url') },
    format: 'jwk',
  });
}

function keyIdOf(name: string, typed: Buffer): Buffer {
  return hash('sha256', Buffer.concat([Buffer.from(`${name}\n`), typed]), 'buffer').subarray(0, 4);
}
