import { openCheckpoint } from './checkpoint.js';
import { fromDraft, type AuditEntry, type Body } from './entry.js';
import { canonicalJson } from './canonical-json.js';
import { leafHash } from './leaf.js';
import type { Sealer } from './log/sealer.js';
import type { AuditTree } from './log/tree.js';
import { inclusionProof } from './merkle/tiles.js';
import { parseVerifierKey } from './note.js';
import { commitmentsAt, isCommitment, type PersonalField } from './people/fields.js';
import { commitmentOf, ERASED, type OpenedValue, type People } from './people/people.js';
import type { AuditPeople } from './store.js';
import { checkProof, readProof, writeProof } from './tlog-proof.js';

/** An entry with the proof that it is in the log: verifiable offline, with nothing but the log's verifier key. */
export interface ProvedEntry {
  /** The entry's canonical JSON, as stored and hashed. */
  readonly body: string;
  /** `c2sp.org/tlog-proof@v1`: checkpoint, leaf index and the hashes up to the root. */
  readonly proof: string;
  /** Personal values that are shown with it. */
  readonly personal?: readonly OpenedValue[];
  /** Commitments of personal values that were asked for, and whose people have been erased. */
  readonly erased?: readonly string[];
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
export function disclosureLine(proved: ProvedEntry): string {
  return canonicalJson(proved);
}

/** Shows the personal values of these fields, or that their people have been erased. */
export async function withPersonal(
  proved: ProvedEntry,
  fields: readonly PersonalField[],
  people: People,
  store: AuditPeople,
): Promise<ProvedEntry> {
  const asked = commitmentsAt(JSON.parse(proved.body) as Body, fields);
  if (asked.length === 0) return proved;
  const personal = (await store.find(asked)).flatMap((one) => people.opening(one) ?? []);
  const shown = new Set(personal.map(({ commitment }) => commitment));
  const erased = asked.filter((commitment) => !shown.has(commitment));
  return {
    ...proved,
    ...(personal.length > 0 ? { personal } : {}),
    ...(erased.length > 0 ? { erased } : {}),
  };
}

/** Personal values of `entry` are what was shown, `[Erased]` where the log says so, and otherwise the commitment `{ $c }` that was hashed. */
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
    const { body, proof, personal = [], erased = [] } = JSON.parse(line) as Partial<ProvedEntry>;
    if (typeof body !== 'string' || typeof proof !== 'string') return refuse('this is no disclosed entry');
    const read = readProof(proof);
    if (!openCheckpoint(read.checkpoint, key)) return refuse('the checkpoint is not signed by the log');
    const checkpoint = checkProof(read, leafHash(body), key);
    if (!checkpoint) return refuse('the entry is not in the log');
    const parsed = JSON.parse(body) as Body;
    if (canonicalJson(parsed) !== body || parsed.log !== key.name)
      return refuse('this is no entry of the log');
    const values = new Map<string, unknown>(erased.map((commitment) => [commitment, ERASED]));
    for (const { commitment, salt, value } of personal) {
      if (commitmentOf(Buffer.from(salt, 'base64url'), canonicalJson(value)) !== commitment) {
        return refuse('a personal value is not the one that was committed to');
      }
      values.set(commitment, value);
    }
    const seen = new Set<string>();
    const entry = opened(fromDraft(parsed), values, seen);
    if (seen.size !== values.size) return refuse('a personal value is not of this entry');
    return { proved: true, entry, index: read.index, size: checkpoint.size };
  } catch {
    return refuse('this is no disclosed entry');
  }
}

function opened<T>(value: T, values: ReadonlyMap<string, unknown>, seen: Set<string>): T {
  if (isCommitment(value)) {
    if (!values.has(value.$c)) return value;
    seen.add(value.$c);
    return values.get(value.$c) as T;
  }
  if (Array.isArray(value)) return value.map((item: unknown) => opened(item, values, seen)) as T;
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).map(([key, item]: [string, unknown]) => [
    key,
    opened(item, values, seen),
  ]);
  return Object.fromEntries(entries) as T;
}
