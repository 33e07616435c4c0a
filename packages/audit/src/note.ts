import { createPublicKey, hash, verify, type KeyObject } from 'node:crypto';

/** Signed notes and their keys. @see https://c2sp.org/signed-note (Ed25519 only) and https://c2sp.org/tlog-cosignature */

/** Signature types: Ed25519 over the text of the note; timestamped Ed25519 cosignature of a checkpoint. */
const ED25519 = 1;
const COSIGNATURE = 4;
export type NoteKeyKind = 'signature' | 'cosignature';
const TYPES = { signature: ED25519, cosignature: COSIGNATURE } as const;

/** A key that verifies notes, from its text form. */
export interface NoteKey {
  readonly name: string;
  readonly keyId: Buffer;
  readonly kind: NoteKeyKind;
  readonly publicKey: KeyObject;
}

export interface NoteSignature {
  readonly name: string;
  readonly keyId: Buffer;
  /** What follows the key id. */
  readonly bytes: Buffer;
}

export interface Note {
  /** With its final newline: what is signed. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

const MAX_CHARS = 65_536;
const MAX_SIGNATURES = 64;
const SIGNATURE = /^\u2014 ([^\s+]+) ([A-Za-z0-9+/]+={0,2})$/u;

/** `<name>+<key id>+<type and key>` of an Ed25519 key (32 raw bytes). */
export function verifierKey(name: string, publicKey: Buffer, kind: NoteKeyKind = 'signature'): string {
  const typed = Buffer.concat([Buffer.of(TYPES[kind]), publicKey]);
  return `${name}+${keyIdOf(name, typed).toString('hex')}+${typed.toString('base64')}`;
}

/** @throws TypeError */
export function parseVerifierKey(text: string, kind: NoteKeyKind = 'signature'): NoteKey {
  const match = /^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+={0,2})$/u.exec(text);
  const typed = match && canonicalBase64(match[3]!);
  if (!match || typed?.length !== 33 || typed[0] !== TYPES[kind]) {
    throw new TypeError(`This is no verifier key of an Ed25519 ${kind} (C2SP signed-note).`);
  }
  const name = match[1]!;
  const keyId = keyIdOf(name, typed);
  if (keyId.toString('hex') !== match[2]) {
    throw new TypeError('The key id does not belong to this verifier key.');
  }
  return { name, keyId, kind, publicKey: publicKeyOf(typed.subarray(1)) };
}

/** From 32 raw bytes. */
export function publicKeyOf(raw: Buffer): KeyObject {
  return createPublicKey({
    key: { kty: 'OKP', crv: 'Ed25519', x: raw.toString('base64url') },
    format: 'jwk',
  });
}

/** @throws TypeError if this is no signed note */
export function parseNote(note: string): Note {
  const end = note.lastIndexOf('\n\n');
  if (note.length > MAX_CHARS || end === -1 || !note.endsWith('\n') || hasControls(note)) throw notANote();
  const lines = note.slice(end + 2, -1).split('\n');
  if (lines.length > MAX_SIGNATURES || !note.isWellFormed()) throw notANote();
  const signatures = lines.map((line) => {
    const match = SIGNATURE.exec(line);
    const bytes = match && canonicalBase64(match[2]!);
    if (!match || !bytes || bytes.length < 5) throw notANote();
    return { name: match[1]!, keyId: bytes.subarray(0, 4), bytes: bytes.subarray(4) };
  });
  return { text: note.slice(0, end + 1), signatures };
}

export function signatureLine({ name, keyId }: Pick<NoteKey, 'name' | 'keyId'>, bytes: Buffer): string {
  return `\u2014 ${name} ${Buffer.concat([keyId, bytes]).toString('base64')}\n`;
}

/**
 * Whether this key signed the note. `wrong`: there is a signature of the key's name and id, but it is not the key's; then the
 * whole note is to be refused.
 */
export function signedBy({ text, signatures }: Note, key: NoteKey): 'yes' | 'no' | 'wrong' {
  const own = signatures.filter(({ name, keyId }) => name === key.name && keyId.equals(key.keyId));
  if (own.length === 0) return 'no';
  return own.every(({ bytes }) => isGood(text, bytes, key)) ? 'yes' : 'wrong';
}

function isGood(text: string, bytes: Buffer, { kind, publicKey }: NoteKey): boolean {
  if (kind === 'signature') return bytes.length === 64 && verify(null, Buffer.from(text), publicKey, bytes);
  if (bytes.length !== 72) return false;
  return verify(null, cosigned(text, bytes.readBigUInt64BE()), publicKey, bytes.subarray(8));
}

/** What a cosigner signs: the time, in seconds since 1970, and the text of the checkpoint. */
export function cosigned(text: string, seconds: bigint): Buffer {
  return Buffer.from(`cosignature/v1\ntime ${seconds}\n${text}`);
}

export function keyIdOf(name: string, typed: Buffer): Buffer {
  return hash('sha256', Buffer.concat([Buffer.from(`${name}\n`), typed]), 'buffer').subarray(0, 4);
}

/** Two texts of the same bytes would be two keys, or two signatures. */
export function canonicalBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}

function hasControls(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code < 32 && code !== 10) return true;
  }
  return false;
}

function notANote(): TypeError {
  return new TypeError('This is no signed note (C2SP signed-note).');
}
