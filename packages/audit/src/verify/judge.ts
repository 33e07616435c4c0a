import { verify, type KeyObject } from 'node:crypto';
import { openCheckpoint, parseCheckpoint, type Checkpoint } from '../checkpoint.js';
import type { Body } from '../entry.js';
import { BEFORE_FIRST } from '../leaf.js';
import { readBatch, readCheckpointLine } from '../log/lines.js';
import { Frontier } from '../merkle/frontier.js';
import { parseNote, parseVerifierKey, publicKeyOf, signedBy, type NoteKey } from '../note.js';
import { digestOf, isSignedPruned, readPruned, statementOf, type ChainEnd } from '../retention/statement.js';
import { batchStatement, writerStatement } from '../statements.js';
import type { ScanItem, ScanResult } from './scan.js';

export interface VerifyOptions {
  /** `status().verifierKey` of the log, kept where who can write the log cannot. Without it, writers are not certified. */
  readonly verifierKey?: string;
  /**
   * Checkpoints that were kept outside of the database: signed notes, read from an anchor before the export was made. The log must
   * have said what they say.
   */
  readonly anchors?: Iterable<string>;
  /** Verifier keys (cosignatures) of witnesses. With them, an anchor without the cosignature of one of them does not count. */
  readonly witnesses?: readonly string[];
}

export interface Finding {
  /** Of the export, from 1; 0 for what is missing at its end. */
  readonly line: number;
  readonly problem: string;
}

export interface LogReport {
  readonly entries: number;
  readonly batches: number;
  readonly writers: number;
  readonly checkpoints: number;
  /** Entries under the newest checkpoint; the others have only their batch's signature. */
  readonly sealed: number;
  /** Size of the largest anchored checkpoint that agrees with the log. */
  readonly anchored: number;
  /** Entries that retention has removed from its beginning, with a signed record that is in the log. */
  readonly pruned: number;
  /** Signs that the log is not as it was written; the first 100. */
  readonly tampered: readonly Finding[];
  /** What keeps the result from saying more. */
  readonly warnings: readonly string[];
}

/** Where a log stands after some of its entries: what can be gone on from. */
export interface LogState {
  readonly tree: Frontier;
  readonly writers: readonly ChainEnd[];
}

interface Chain {
  next: number;
  /** Leaf hash of the last entry, base64. */
  head: string;
  key: WriterKey | undefined;
  /** A key-change entry was the last one: the key after the next signature. */
  successor: WriterKey | undefined;
  /** Entries before this number are covered by a signature. */
  covered: number;
  closed: boolean;
}

interface WriterKey {
  /** Raw, base64. */
  readonly raw: string;
  readonly object: KeyObject;
}

/** What the log says about itself when entries are removed. */
export const PRUNED = 'retention.pruned';

const MAX_FINDINGS = 100;

/** Puts together, in order, what was found in the pieces of an export. Memory grows with the number of writers and anchors. */
export class Judge {
  readonly #key: NoteKey | undefined;
  readonly #chains = new Map<string, Chain>();
  readonly #tampered: Finding[] = [];
  readonly #warnings: string[] = [];
  #tree = new Frontier();
  /** By size, the largest first. */
  readonly #anchors: Checkpoint[];
  readonly #hasAnchors: boolean;
  #lines = 0;
  #entries = 0;
  #batches = 0;
  #checkpoints = 0;
  #sealed = 0;
  #anchored = 0;
  #unsigned = 0;
  #log: string | undefined;
  #pruned: { readonly to: number; readonly digest: (log: string) => string } | undefined;
  /** What the log says of entries that were removed: up to where, by the digest of the statement. */
  readonly #prunings = new Map<string, number>();
  /** What the log says about itself in the next run. */
  #own: Body | undefined;

  /** @throws TypeError for a verifier key that is none */
  constructor({ verifierKey, anchors = [], witnesses }: VerifyOptions) {
    this.#key = verifierKey === undefined ? undefined : parseVerifierKey(verifierKey);
    this.#log = this.#key?.name;
    const cosigners = witnesses?.map((key) => parseVerifierKey(key, 'cosignature'));
    let rejected = 0;
    const known = new Map<string, Checkpoint>();
    for (const note of anchors) {
      const anchor = readAnchor(note, this.#key, cosigners);
      // Every start of a process anchors the newest checkpoint once more.
      if (anchor && anchor.size > 0) known.set(`${anchor.size} ${anchor.root.toString('base64')}`, anchor);
      else if (!anchor) rejected++;
    }
    this.#anchors = [...known.values()];
    this.#hasAnchors = this.#anchors.length > 0;
    this.#anchors.sort((a, b) => b.size - a.size);
    if (rejected > 0) this.#warnings.push(`${rejected} anchors do not count: not signed as they must be`);
  }

  /** Problems so far; for progress. */
  get problems(): number {
    return this.#tampered.length;
  }

  get firstProblem(): string | undefined {
    return this.#tampered[0]?.problem;
  }

  add({ items, leaves, lines }: ScanResult): void {
    let leaf = 0;
    for (const item of items) {
      const line = this.#lines + item.line + 1;
      if (item.kind === 'run') {
        this.#run(item, line);
        this.#append(leaves, leaf, item.count, line);
        leaf += item.count;
      } else if (item.kind === 'log-entry') this.#own = parse(item.text);
      else if (item.kind === 'batch') this.#batch(item.text, line);
      else if (item.kind === 'checkpoint') this.#checkpoint(item.text, line);
      else if (item.kind === 'pruned') this.#begin(item.text, line);
      else this.#find(item.problem, line);
    }
    this.#lines += lines;
  }

  /** Where the log stands now. */
  get state(): LogState {
    const writers = [...this.#chains].filter(([, { closed }]) => !closed);
    return {
      tree: this.#tree,
      writers: writers.map(([w, { next: n, head, key }]) => ({
        w,
        n,
        head,
        ...(key ? { key: key.raw } : {}),
      })),
    };
  }

  report(): LogReport {
    this.#checkPrunings();
    for (const [writer, { next, covered }] of this.#chains) {
      if (covered < next) this.#find(`writer ${writer}: entries from ${covered} on are in no batch`, 0);
    }
    if (this.#entries === 0) this.#find('there is no entry, and a log that was started has one', 0);
    // What the anchors hold and the log does not: after its last checkpoint, nothing is in the order of the tree.
    for (const { size } of this.#anchors) {
      const where = `an anchor holds a checkpoint of ${size} entries, the log's end at ${this.#sealed}`;
      this.#find(`${where}: entries are gone, or the export is older than the anchor`, 0);
    }
    return {
      entries: this.#entries,
      batches: this.#batches,
      writers: this.#chains.size,
      checkpoints: this.#checkpoints,
      sealed: this.#sealed,
      anchored: this.#anchored,
      pruned: this.#pruned?.to ?? 0,
      tampered: this.#tampered,
      warnings: [...this.#warnings, ...this.#limits()],
    };
  }

  #limits(): string[] {
    const limits: string[] = [];
    if (!this.#key) limits.push('no verifier key was given: anybody could have made these chains');
    if (this.#unsigned > 0) limits.push(`${this.#unsigned} batches are not signed`);
    if (this.#checkpoints === 0) limits.push('there is no checkpoint');
    if (!this.#hasAnchors)
      limits.push('no anchor was given: newest entries that were cut off cannot be seen');
    return limits;
  }

  #run({ log, writer, first, previous, count, last }: ScanItem & { kind: 'run' }, line: number): void {
    this.#entries += count;
    this.#log ??= log;
    if (log !== this.#log) this.#find('the entry belongs to another log', line);
    let chain = this.#chains.get(writer);
    if (!chain) {
      const head = BEFORE_FIRST.toString('base64');
      chain = { next: 0, head, key: undefined, successor: undefined, covered: 0, closed: false };
      this.#chains.set(writer, chain);
    }
    if (first !== chain.next) {
      this.#find(`writer ${writer}: entry ${first} stands where ${chain.next} belongs`, line);
    } else if (previous !== chain.head) {
      this.#find(`writer ${writer}: entry ${first} does not follow the one before`, line);
    }
    this.#keys(writer, first, chain, line);
    chain.head = last;
    chain.next = first + count;
  }

  /** Entries of the log about itself say which key speaks for the writer. */
  #keys(writer: string, number: number, chain: Chain, line: number): void {
    const own = this.#own;
    this.#own = undefined;
    const data = (own?.e.data ?? {}) as {
      key?: unknown;
      certificate?: unknown;
      statement?: unknown;
      to?: unknown;
    };
    const { key, certificate } = data;
    chain.closed = own?.e.type === 'writer.closed';
    if (number === 0) {
      if (own?.e.type !== 'writer.opened')
        return this.#find(`writer ${writer} does not open its chain`, line);
      chain.key = typeof key === 'string' ? keyOf(key) : undefined;
      if (this.#key && !isCertified(this.#key, writer, key, certificate)) {
        this.#find(`writer ${writer} is not certified by the log's key`, line);
        chain.key = undefined;
      }
    } else if (own?.e.type === 'writer.key-changed') {
      chain.successor = typeof key === 'string' ? keyOf(key) : undefined;
    } else if (own?.e.type === PRUNED && typeof data.statement === 'string') {
      this.#prunings.set(data.statement, Number(data.to));
    }
  }

  /** The log begins after entries that were removed: only as its key has said, and (looked for at the end) as its record says. */
  #begin(text: string, line: number): void {
    if (this.#entries > 0 || this.#pruned) return this.#find('entries cannot have been removed here', line);
    const pruned = readPruned(text);
    if (!pruned) return this.#find('this is no statement of removed entries', line);
    if (this.#key && !isSignedPruned(this.#key, pruned)) {
      return this.#find("entries were removed, and the log's key did not say so", line);
    }
    const { to, tree, writers } = pruned;
    this.#pruned = { to, digest: (log) => digestOf(statementOf(log, pruned)) };
    this.#tree = tree;
    this.#sealed = to;
    for (const { w, n, head, key } of writers) {
      const known = key === undefined ? undefined : keyOf(key);
      this.#chains.set(w, { next: n, head, key: known, successor: undefined, covered: n, closed: false });
    }
    // What older ones hold is of entries that nobody can look at any more.
    while ((this.#anchors.at(-1)?.size ?? to) < to) this.#anchors.pop();
    if (this.#hasAnchors && this.#anchors.length === 0) {
      this.#warnings.push('all anchors are older than what was removed');
    }
    this.#compareAnchors(line);
  }

  #checkPrunings(): void {
    const { to, digest } = this.#pruned ?? { to: 0 };
    if (digest && !this.#prunings.has(digest(this.#log ?? ''))) {
      this.#find(`the first ${to} entries were removed, and there is no record of it in the log`, 0);
    }
    const later = Math.max(...this.#prunings.values());
    if (later > to)
      this.#warnings.push(`a removal of the first ${later} entries is recorded, and not carried out`);
  }

  #append(leaves: Uint8Array, from: number, count: number, line: number): void {
    const due = (): number => this.#anchors.at(-1)?.size ?? Number.POSITIVE_INFINITY;
    let next = due();
    for (let i = from; i < from + count; i++) {
      this.#tree.append(leaves, i * 32);
      if (this.#tree.size < next) continue;
      this.#compareAnchors(line);
      next = due();
    }
  }

  #compareAnchors(line: number): void {
    const { size } = this.#tree;
    while (this.#anchors.at(-1)?.size === size) {
      if (this.#anchors.pop()!.root.equals(this.#tree.root())) this.#anchored = size;
      else this.#find(`the first ${size} entries are not those of the anchor`, line);
    }
  }

  #checkpoint(text: string, line: number): void {
    this.#checkpoints++;
    const note = readCheckpointLine(text);
    const checkpoint = note === undefined ? undefined : readAnchor(note, this.#key, undefined);
    if (!checkpoint) return this.#find('this is no checkpoint of the log', line);
    const { size, root } = checkpoint;
    if (size !== this.#tree.size) {
      this.#find(`a checkpoint of ${size} entries stands after ${this.#tree.size}`, line);
    } else if (!root.equals(this.#tree.root())) {
      this.#find(`the first ${size} entries are not those of the checkpoint`, line);
    }
    this.#sealed = Math.max(this.#sealed, size);
  }

  #batch(text: string, line: number): void {
    this.#batches++;
    const { writer, last, signature } = readBatch(text) ?? {};
    const chain = writer === undefined ? undefined : this.#chains.get(writer);
    if (writer === undefined || last === undefined || signature === undefined) {
      return this.#find('this is no batch', line);
    }
    if (!chain || last !== chain.next - 1) {
      return this.#find(`writer ${writer}: entries up to ${last} are missing`, line);
    }
    if (chain.key) {
      const statement = batchStatement(this.#log ?? '', writer, last, chain.head);
      if (!verify(null, statement, chain.key.object, Buffer.from(signature, 'base64'))) {
        this.#find(`writer ${writer}: the signature over entries up to ${last} is wrong`, line);
      }
    } else if (this.#key) {
      this.#find(`writer ${writer}: nobody certified could have signed this batch`, line);
    } else {
      this.#unsigned++;
    }
    chain.covered = chain.next;
    if (chain.successor) [chain.key, chain.successor] = [chain.successor, undefined];
  }

  #find(problem: string, line: number): void {
    if (this.#tampered.length < MAX_FINDINGS) this.#tampered.push({ line, problem });
  }
}

/** A checkpoint that the log's key signed (if we have that) and, if witnesses are given, one of them cosigned. */
function readAnchor(
  note: string,
  key: NoteKey | undefined,
  witnesses: readonly NoteKey[] | undefined,
): Checkpoint | undefined {
  try {
    const checkpoint = key ? openCheckpoint(note, key) : parseCheckpoint(note);
    if (!checkpoint || !witnesses) return checkpoint;
    const read = parseNote(note);
    return witnesses.some((witness) => signedBy(read, witness) === 'yes') ? checkpoint : undefined;
  } catch {
    return undefined;
  }
}

function parse(text: string): Body | undefined {
  try {
    const body = JSON.parse(text) as Body;
    return typeof body.e.type === 'string' ? body : undefined;
  } catch {
    return undefined;
  }
}

function isCertified(log: NoteKey, writer: string, key: unknown, certificate: unknown): boolean {
  if (typeof key !== 'string' || typeof certificate !== 'string') return false;
  const statement = writerStatement(log.name, writer, key);
  return verify(null, statement, log.publicKey, Buffer.from(certificate, 'base64'));
}

function keyOf(raw: string): WriterKey | undefined {
  try {
    return { raw, object: publicKeyOf(Buffer.from(raw, 'base64')) };
  } catch {
    return undefined;
  }
}
