import { openCheckpoint } from './checkpoint.js';
import { fromDraft, type AuditEntry, type Body } from './entry.js';
import { canonicalJson } from './canonical-json.js';
import { leafHash } from './leaf.js';
import type { Sealer } from './log/sealer.js';
import type { AuditTree } from './log/tree.js';
import { inclusionProof } from './merkle/tiles.js';
import { parseVerifierKey } from './note.js';
import { checkProof, readProof, writeProof } from './tlog-proof.js';

/** An entry with the proof that it is in the log: verifiable offline, with nothing but the log's verifier key. */
export interface ProvedEntry {
  /** The entry's canonical JSON, as stored and hashed. */
  readonly body: string;
  /** `c2sp.org/tlog-proof@v1`: checkpoint, leaf index and the hashes up to the root. */
  readonly proof: string;
}

/** Undefined if there is no such entry. @throws SqlError, or what the signer throws */
export async function proveEntry(
  id: string,
  tree: AuditTree,
  sealer: Sealer,
): Promise<ProvedEntry | undefined> {
  const found = await tree.find(id);
  if (!found) return undefined;
  if (found.index === undefined) await sealer.seal();
  const placed = found.index === undefined ? await tree.find(id) : found;
  const note = await tree.newest();
  if (placed?.index === undefined || note === undefined) throw new Error('The entry is in no checkpoint.');
  const { size } = sealer.open(note);
  const hashes = await inclusionProof(placed.index, size, tree.tiles);
  return { body: placed.body, proof: writeProof({ index: placed.index, hashes, checkpoint: note }) };
}

/** A line of a disclosure: one entry that somebody may see, and its proof. */
export function disclosureLine({ body, proof }: ProvedEntry): string {
  return canonicalJson({ body, proof });
}

export type DisclosedEntry =
  | { readonly proved: true; readonly entry: AuditEntry; readonly index: number; readonly size: number }
  | { readonly proved: false; readonly problem: string };

/**
 * What a line of a disclosure (`audit.disclose()`) shows to who knows the log's verifier key.
 * @throws TypeError for a verifier key that is none
 */
export function verifyDisclosure(line: string, verifierKey: string): DisclosedEntry {
  const key = parseVerifierKey(verifierKey);
  const refuse = (problem: string): DisclosedEntry => ({ proved: false, problem });
  try {
    const { body, proof } = JSON.parse(line) as Partial<ProvedEntry>;
    if (typeof body !== 'string' || typeof proof !== 'string') return refuse('this is no disclosed entry');
    const read = readProof(proof);
    if (!openCheckpoint(read.checkpoint, key)) return refuse('the checkpoint is not signed by the log');
    const checkpoint = checkProof(read, leafHash(body), key);
    if (!checkpoint) return refuse('the entry is not in the log');
    const parsed = JSON.parse(body) as Body;
    if (canonicalJson(parsed) !== body || parsed.log !== key.name)
      return refuse('this is no entry of the log');
    return { proved: true, entry: fromDraft(parsed), index: read.index, size: checkpoint.size };
  } catch {
    return refuse('this is no disclosed entry');
  }
}
