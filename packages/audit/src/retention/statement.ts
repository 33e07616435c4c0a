import { hash, verify } from 'node:crypto';
import { canonicalJson } from '../canonical-json.js';
import { Frontier } from '../merkle/frontier.js';
import { canonicalBase64, type NoteKey } from '../note.js';
import type { LogSigner } from '../signer.js';
import { pruneStatement } from '../statements.js';

/** Where a chain stood when the entries before were removed: what its next entry must continue. */
export interface ChainEnd {
  readonly w: string;
  /** Number of the next entry. */
  readonly n: number;
  /** Leaf hash of the last one, base64. */
  readonly head: string;
  /** Raw Ed25519 key that signs next, base64; absent without one. */
  readonly key?: string;
}

/** What a verifier needs to go on where entries were removed, and that it was the log that removed them. */
export interface Pruned {
  /** Leaf indexes: entries from the first up to, not including, the second are gone. All before `from` were gone already. */
  readonly from: number;
  readonly to: number;
  /** Root of the tree over the first `to` entries (RFC 6962), base64. */
  readonly root: string;
  /** The complete subtrees of that tree, from the left, base64. */
  readonly frontier: readonly string[];
  /** Chains that may go on. */
  readonly writers: readonly ChainEnd[];
  /** Ed25519 by the log's key over the statement, base64. */
  readonly signature: string;
}

/** First line of the export of a log of which entries were removed. */
export function prunedLine(pruned: Pruned): string {
  return canonicalJson({ pruned });
}

/** The statement that the log's key signs. */
export function statementOf(log: string, pruned: Omit<Pruned, 'signature'>): Buffer {
  const { from, to, root, frontier, writers } = pruned;
  const state = hash('sha256', canonicalJson({ frontier, writers }), 'base64');
  return pruneStatement(log, from, to, root, state);
}

/** What the log says of it: the record holds this. */
export function digestOf(statement: Buffer): string {
  return hash('sha256', statement, 'hex');
}

/** @throws what the signer throws */
export async function signPruned(signer: LogSigner, pruned: Omit<Pruned, 'signature'>): Promise<Pruned> {
  const signature = await signer.sign(statementOf(signer.origin, pruned));
  return { ...pruned, signature: signature.toString('base64') };
}

/** Undefined if it is none, or contradicts itself. */
export function readPruned(line: string): (Pruned & { readonly tree: Frontier }) | undefined {
  try {
    const { pruned } = JSON.parse(line) as { pruned: Pruned };
    const { from, to, root, frontier, writers, signature } = pruned;
    const isRight =
      Number.isSafeInteger(from) &&
      Number.isSafeInteger(to) &&
      from >= 0 &&
      to > from &&
      typeof signature === 'string' &&
      writers.every(({ w, n, head }) => /^[\w-]{22}$/.test(w) && n > 0 && typeof head === 'string');
    if (!isRight || canonicalJson({ pruned }) !== line) return undefined;
    const tree = Frontier.of(
      to,
      frontier.map((one) => canonicalBase64(one) ?? Buffer.alloc(0)),
    );
    return tree?.root().toString('base64') === root ? { ...pruned, tree } : undefined;
  } catch {
    return undefined;
  }
}

/** Did the log's key sign it? */
export function isSignedPruned(key: NoteKey, pruned: Pruned): boolean {
  return verify(null, statementOf(key.name, pruned), key.publicKey, Buffer.from(pruned.signature, 'base64'));
}
