import { errors } from '../error-codes.js';
import { placeOf } from '../leaf.js';
import type { Sealer } from '../log/sealer.js';
import type { AuditTree } from '../log/tree.js';
import { rootAt } from '../merkle/tiles.js';
import type { LogSigner } from '../signer.js';
import type { AuditPruning } from '../store.js';
import { Judge } from '../verify/judge.js';
import { scanLines } from '../verify/scan.js';
import type { LegalHold } from './holds.js';
import { digestOf, prunedLine, readPruned, signPruned, statementOf, type Pruned } from './statement.js';

export interface PruneDeps {
  readonly pruning: AuditPruning;
  readonly tree: AuditTree;
  readonly sealer: Sealer;
  readonly signer: LogSigner;
  /** The log from its beginning. */
  readonly lines: () => AsyncIterable<string>;
  /** Writes what the log says of it, durably. */
  readonly record: (about: Readonly<Record<string, unknown>>) => Promise<void>;
}

export interface PruneResult {
  /** How many entries were removed. */
  readonly entries: number;
  /** Leaf index of the first entry that is there. */
  readonly first: number;
  /** Names of the legal holds that kept entries which are old enough. */
  readonly held: readonly string[];
}

/** Two bounds of the same kind: entries from either on stay. */
interface Bound {
  readonly index: number;
  readonly from: number;
}

/**
 * Removes entries that are older than `before`. First what goes is verified, so that nothing is covered up; then the log says what is
 * removed, under a checkpoint; then its key signs from where a verifier goes on; then the entries go.
 */
export async function pruneLog(
  before: string,
  holds: readonly LegalHold[],
  deps: PruneDeps,
): Promise<PruneResult> {
  const { pruning, tree, sealer, signer } = deps;
  await pruning.finish();
  const sealed = (await sealer.seal())?.size ?? 0;
  const old = await boundOf(deps.lines(), before, sealed);
  const held = holds.filter(({ from }) => from === undefined || from < before);
  const limit = held.map(({ from = '' }) => from).reduce((a, b) => (a < b ? a : b), before);
  const free = limit === before ? old : await boundOf(deps.lines(), limit, sealed);
  const to = await pruning.cutAt(free.index);
  const names = free.index < old.index ? held.map(({ name }) => name) : [];
  if (to <= free.from) return { entries: 0, first: free.from, held: names };

  const { state, problem } = await verified(deps.lines(), to, signer.verifierKey);
  const root = state.tree.root();
  if (problem !== undefined || !(await rootAt(to, tree.tiles)).equals(root)) {
    throw errors.E_AUDIT_PRUNE_REFUSED({ details: { problem: problem ?? 'the tree is of other entries' } });
  }
  const unsigned: Omit<Pruned, 'signature'> = {
    from: free.from,
    to,
    root: root.toString('base64'),
    frontier: state.tree.hashes.map((one) => one.toString('base64')),
    writers: state.writers,
  };
  const entries = to - free.from;
  const statement = digestOf(statementOf(signer.origin, unsigned));
  await deps.record({ from: free.from, to, entries, root: unsigned.root, before: limit, statement });
  await sealer.seal();
  await pruning.prune(to, prunedLine(await signPruned(signer, unsigned)));
  return { entries, first: to, held: names };
}

/** Where the first batch begins that has an entry of this time or later, and where the log begins. */
async function boundOf(lines: AsyncIterable<string>, before: string, sealed: number): Promise<Bound> {
  let from = 0;
  let index = 0;
  let bound = 0;
  for await (const line of lines) {
    if (line.startsWith('{"c":')) {
      const time = placeOf(line)?.time;
      if (index >= sealed || time === undefined || time >= before) break;
      index++;
    } else if (line.startsWith('{"batch":')) {
      bound = index;
    } else if (line.startsWith('{"pruned":')) {
      from = index = bound = readPruned(line)?.to ?? 0;
    }
  }
  return { index: bound, from };
}

const PIECE_CHARS = 1 << 18;

/** Whether the entries before this leaf index are as they were written, and how the log stands there. */
async function verified(lines: AsyncIterable<string>, to: number, verifierKey: string) {
  const judge = new Judge({ verifierKey });
  let piece = '';
  let index = 0;
  for await (const line of lines) {
    if (line.startsWith('{"pruned":')) index = readPruned(line)?.to ?? 0;
    if (line.startsWith('{"c":') && index++ === to) break;
    piece += `\n${line}`;
    if (piece.length < PIECE_CHARS) continue;
    judge.add(scanLines(Buffer.from(piece)));
    piece = '';
  }
  if (piece !== '') judge.add(scanLines(Buffer.from(piece)));
  return { state: judge.state, problem: judge.firstProblem };
}
