import { openCheckpoint } from '../checkpoint.js';
import { readCheckpointLine } from '../log/lines.js';
import { Frontier } from '../merkle/frontier.js';
import { inclusionRanges } from '../merkle/ranges.js';
import { parseVerifierKey } from '../note.js';
import { disclosureLine, type ProvedEntry } from '../prove.js';
import { readPruned } from '../retention/statement.js';
import { writeProof } from '../tlog-proof.js';
import { scanLines } from '../verify/scan.js';
import { UsageError, type CommandLine, type ExitCode } from './console.js';
import { readKey, sizeOf } from './inputs.js';
import { readPieces } from './pieces.js';
import { Progress } from './progress.js';
import { reportOf } from './verify-command.js';

export interface ProveArguments {
  readonly export: string;
  readonly key: string;
  readonly ids: readonly string[];
  readonly workers: number;
}

/** The proof of one entry, from an export that is verified first. */
export async function proveCommand(given: ProveArguments, line: CommandLine): Promise<ExitCode> {
  const proved = await prove(given, line);
  if (proved) line.out.write(proved[0]!.proof);
  return proved ? 0 : 2;
}

/** Entries with their proofs. */
export async function discloseCommand(given: ProveArguments, line: CommandLine): Promise<ExitCode> {
  const proved = await prove(given, line);
  for (const one of proved ?? []) line.out.write(`${disclosureLine(one)}\n`);
  return proved ? 0 : 2;
}

/** Undefined if the log has been tampered with: what it says proves nothing. */
async function prove(given: ProveArguments, line: CommandLine): Promise<ProvedEntry[] | undefined> {
  if (given.export === '-') throw new UsageError('Proofs read the export more than once: give a file.');
  const key = await readKey(given.key);
  const report = await reportOf({ ...given, key, anchors: [], witnesses: [], json: false }, line);
  if (report.tampered.length > 0) {
    line.err.write(`The log has been tampered with (line ${report.tampered[0]!.line}): see verify.\n`);
    return undefined;
  }
  const progress = new Progress(line.err, await sizeOf(given.export), line.now);
  try {
    const found = await find(given, key, report.sealed, progress);
    const missing = given.ids.filter((id) => !found.entries.has(id));
    if (missing.length > 0) throw new Error(`No checkpoint covers an entry of the id ${missing.join(', ')}.`);
    const proved: ProvedEntry[] = [];
    for (const id of given.ids) {
      const { index, body } = found.entries.get(id)!;
      const hashes = await rootsOf(given.export, index, found);
      proved.push({ body, proof: writeProof({ index, hashes, checkpoint: found.note }) });
    }
    return proved;
  } finally {
    progress.end();
  }
}

interface Found {
  readonly entries: Map<string, { index: number; body: string }>;
  readonly size: number;
  readonly note: string;
  /** Of the entries that were removed before. */
  readonly before: Frontier;
}

/** Where the entries stand, and the newest checkpoint. */
async function find(given: ProveArguments, key: string, sealed: number, progress: Progress): Promise<Found> {
  const entries: Found['entries'] = new Map();
  const verifier = parseVerifierKey(key);
  const marks = given.ids.map((id) => ({ id, mark: `,"id":${JSON.stringify(id)},"k":"` }));
  let index = 0;
  let note: string | undefined;
  let before = new Frontier();
  for await (const piece of readPieces(given.export, (bytes) => progress.add(bytes))) {
    for (const text of piece.toString('utf8', 1).split('\n')) {
      if (text.startsWith('{"checkpoint":')) {
        const read = readCheckpointLine(text);
        if (read !== undefined && openCheckpoint(read, verifier)?.size === sealed) note = read;
      } else if (text.startsWith('{"c":')) {
        const mark = index < sealed && marks.find((one) => text.includes(one.mark));
        if (mark) entries.set(mark.id, { index, body: text });
        index++;
      } else if (text.startsWith('{"pruned":')) {
        before = readPruned(text)!.tree;
        index = before.size;
      }
    }
  }
  if (note === undefined) throw new Error('There is no checkpoint in this export yet.');
  return { entries, size: sealed, note, before };
}

/** The hashes of an inclusion proof, in one pass and constant memory. */
async function rootsOf(path: string, index: number, { size, before }: Found): Promise<Buffer[]> {
  const ranges = inclusionRanges(index, size).map((range) => ({ ...range, tree: before.within(range) }));
  const inOrder = ranges.toSorted((a, b) => a.from - b.from);
  let at = before.size;
  let next = 0;
  for await (const piece of readPieces(path, () => undefined)) {
    const { leaves } = scanLines(piece);
    for (let i = 0; i < leaves.length && at < size; i += 32, at++) {
      while (inOrder[next] && at >= inOrder[next]!.to) next++;
      const range = inOrder[next];
      if (range && at >= range.from) range.tree.append(leaves, i);
    }
  }
  return ranges.map(({ tree }) => tree.root());
}
