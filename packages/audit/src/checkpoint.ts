import type { LogSigner } from './signer.js';
import {
  canonicalBase64,
  parseNote,
  parseVerifierKey,
  signatureLine,
  signedBy,
  type NoteKey,
} from './note.js';

/** "The log of this name has this many entries, and this is the root of the tree over them." @see https://c2sp.org/tlog-checkpoint */
export interface Checkpoint {
  /** Origin of the log. */
  readonly log: string;
  readonly size: number;
  /** RFC 6962 root, 32 bytes. */
  readonly root: Buffer;
  /** The signed note, as text. */
  readonly note: string;
}

/** @throws what the signer throws */
export async function signCheckpoint(signer: LogSigner, size: number, root: Buffer): Promise<Checkpoint> {
  const text = `${signer.origin}\n${size}\n${root.toString('base64')}\n`;
  const signature = await signer.sign(Buffer.from(text));
  const note = `${text}\n${signatureLine(parseVerifierKey(signer.verifierKey), signature)}`;
  return { log: signer.origin, size, root, note };
}

/** Reads a checkpoint without asking who signed it. @throws TypeError */
export function parseCheckpoint(note: string): Checkpoint {
  const { text } = parseNote(note);
  const [log = '', count = '', hash = ''] = text.split('\n');
  const root = canonicalBase64(hash);
  const size = Number(count);
  if (
    log === '' ||
    !/^(0|[1-9]\d{0,15})$/.test(count) ||
    !Number.isSafeInteger(size) ||
    root?.length !== 32
  ) {
    throw new TypeError('This is no checkpoint (C2SP tlog-checkpoint).');
  }
  return { log, size, root, note };
}

/** The checkpoint, if this key of its log signed it. */
export function openCheckpoint(note: string, key: NoteKey): Checkpoint | undefined {
  try {
    const checkpoint = parseCheckpoint(note);
    if (checkpoint.log !== key.name || signedBy(parseNote(note), key) !== 'yes') return undefined;
    return checkpoint;
  } catch {
    return undefined;
  }
}
