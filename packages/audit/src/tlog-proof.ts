import { openCheckpoint, type Checkpoint } from './checkpoint.js';
import { verifyInclusion } from './merkle/proofs.js';
import { canonicalBase64, type NoteKey } from './note.js';

/** That a leaf is in a log, verifiable offline: a text of a signed checkpoint and the way up to its root. @see https://c2sp.org/tlog-proof */
export interface InclusionProof {
  readonly index: number;
  readonly hashes: readonly Buffer[];
  /** Signed note. */
  readonly checkpoint: string;
}

const HEADER = 'c2sp.org/tlog-proof@v1';
const MAX_CHARS = 131_072;

export function writeProof({ index, hashes, checkpoint }: InclusionProof): string {
  const lines = [HEADER, `index ${index}`, ...hashes.map((hash) => hash.toString('base64')), '', checkpoint];
  return lines.join('\n');
}

/** @throws TypeError */
export function readProof(text: string): InclusionProof {
  const end = text.indexOf('\n\n');
  const [header, ...lines] = end === -1 || text.length > MAX_CHARS ? [] : text.slice(0, end).split('\n');
  // Extra data is not authenticated; we write none and read none.
  const [place = '', ...rest] = lines[0]?.startsWith('extra ') ? lines.slice(1) : lines;
  const match = /^index (0|[1-9]\d{0,15})$/.exec(place);
  const hashes = rest.map(canonicalBase64);
  if (header !== HEADER || !match || !hashes.every((hash) => hash?.length === 32)) {
    throw new TypeError('This is no inclusion proof (C2SP tlog-proof).');
  }
  return { index: Number(match[1]), hashes: hashes as Buffer[], checkpoint: text.slice(end + 2) };
}

/** The checkpoint in which this key of the log says that the leaf is in it; undefined if it does not. */
export function checkProof(proof: InclusionProof, leaf: Buffer, key: NoteKey): Checkpoint | undefined {
  const checkpoint = openCheckpoint(proof.checkpoint, key);
  if (!checkpoint) return undefined;
  const { size, root } = checkpoint;
  return verifyInclusion(proof.index, size, leaf, proof.hashes, root) ? checkpoint : undefined;
}
