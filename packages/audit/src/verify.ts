import { verify, type KeyObject } from 'node:crypto';
import { canonicalJson } from './canonical-json.js';
import type { Body } from './entry.js';
import { openCheckpoint, parseCheckpoint, type Checkpoint } from './checkpoint.js';
import { BEFORE_FIRST, leafHash, placeOf } from './leaf.js';
import { readBatch, readCheckpointLine } from './log/lines.js';
import { Frontier } from './merkle/frontier.js';
import { parseNote, parseVerifierKey, publicKeyOf, signedBy, type NoteKey } from './note.js';
import { batchStatement, writerStatement } from './statements.js';

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
  /** Signs that the log is not as it was written; the first 100. */
  readonly tampered: readonly Finding[];
  /** What keeps the result from saying more. */
  readonly warnings: readonly string[];
}

interface Chain {
  next: number;
  head: Buffer;
  key: KeyObject | undefined;
  /** A key-change entry was the last one: the key after the next signature. */
  successor: KeyObject | undefined;
  /** Entries before this number are covered by a signature. */
  covered: number;
}

const MAX_FINDINGS = 100;

/**
 * Checks an export of the log (`audit.export()`), line by line: that every entry is canonical (RFC 8785), stands in its
 * writer's chain without gap, and is covered by the signature of a key that the log's key certified; that every checkpoint has
 * the root of the Merkle tree over the entries before it (RFC 6962); and that the log says what the anchors say.
 * Memory grows with the number of writers, and of anchors, only.
 * What it cannot see: entries that no checkpoint of an anchor covers, cut off together with their signatures.
 * @throws TypeError for a verifier key that is none
 */
export async function verifyLog(
  lines: AsyncIterable<string> | Iterable<string>,
  options: VerifyOptions = {},
): Promise<LogReport> {
  const check = new LogCheck(options);
  for await (const line of lines) check.line(line);
  return check.report();
}

class LogCheck {
  readonly #key: NoteKey | undefined;
  readonly #chains = new Map<string, Chain>();
  readonly #tampered: Finding[] = [];
  #line = 0;
  #entries = 0;
  #batches = 0;
  #checkpoints = 0;
  #sealed = 0;
  #anchored = 0;
  #unsigned = 0;
  #log: string | undefined;
  readonly #tree = new Frontier();
  /** By size, the largest first. */
  readonly #anchors: Checkpoint[] = [];
  #hasAnchors = false;
  readonly #warnings: string[] = [];

  constructor({ verifierKey, anchors = [], witnesses }: VerifyOptions) {
    this.#key = verifierKey === undefined ? undefined : parseVerifierKey(verifierKey);
    this.#log = this.#key?.name;
    const cosigners = witnesses?.map((key) => parseVerifierKey(key, 'cosignature'));
    let rejected = 0;
    for (const note of anchors) {
      const anchor = readAnchor(note, this.#key, cosigners);
      if (anchor && anchor.size > 0) this.#anchors.push(anchor);
      else if (!anchor) rejected++;
    }
    this.#hasAnchors = this.#anchors.length > 0;
    this.#anchors.sort((a, b) => b.size - a.size);
    if (rejected > 0) this.#warnings.push(`${rejected} anchors do not count: not signed as they must be`);
  }

  line(text: string): void {
    this.#line++;
    if (text === '') return;
    if (text.startsWith('{"batch":')) this.#batch(text);
    else if (text.startsWith('{"checkpoint":')) this.#checkpoint(text);
    else this.#entry(text);
  }

  report(): LogReport {
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

  #entry(text: string): void {
    this.#entries++;
    const place = placeOf(text);
    const body = place && parse(text);
    if (!place || !body) return this.#find('this is no entry');
    if (canonicalJson(body) !== text) this.#find('the entry is not in canonical form');
    this.#log ??= place.log;
    if (place.log !== this.#log) this.#find('the entry belongs to another log');
    let chain = this.#chains.get(place.writer);
    if (!chain) {
      chain = { next: 0, head: BEFORE_FIRST, key: undefined, successor: undefined, covered: 0 };
      this.#chains.set(place.writer, chain);
    }
    if (place.number !== chain.next) {
      this.#find(`writer ${place.writer}: entry ${place.number} stands where ${chain.next} belongs`);
    } else if (place.previous !== chain.head.toString('base64')) {
      this.#find(`writer ${place.writer}: entry ${place.number} does not follow the one before`);
    }
    this.#keys(body, place.writer, chain);
    chain.head = leafHash(text);
    chain.next = place.number + 1;
    this.#tree.append(chain.head);
    this.#compareAnchors();
  }

  #compareAnchors(): void {
    const { size } = this.#tree;
    while (this.#anchors.at(-1)?.size === size) {
      if (this.#anchors.pop()!.root.equals(this.#tree.root())) this.#anchored = size;
      else this.#find(`the first ${size} entries are not those of the anchor`);
    }
  }

  #checkpoint(text: string): void {
    this.#checkpoints++;
    const note = readCheckpointLine(text);
    const checkpoint = note === undefined ? undefined : readAnchor(note, this.#key, undefined);
    if (!checkpoint) return this.#find('this is no checkpoint of the log');
    const { size, root } = checkpoint;
    if (size !== this.#tree.size) {
      this.#find(`a checkpoint of ${size} entries stands after ${this.#tree.size}`);
    } else if (!root.equals(this.#tree.root())) {
      this.#find(`the first ${size} entries are not those of the checkpoint`);
    }
    this.#sealed = Math.max(this.#sealed, size);
  }

  /** Entries of the log about itself say which key speaks for the writer. */
  #keys({ k, n, e }: Body, writer: string, chain: Chain): void {
    const { key, certificate } = (e.data ?? {}) as { key?: unknown; certificate?: unknown };
    if (n === 0) {
      if (k !== 'log' || e.type !== 'writer.opened')
        return this.#find(`writer ${writer} does not open its chain`);
      chain.key = typeof key === 'string' ? keyOf(key) : undefined;
      if (this.#key && !isCertified(this.#key, writer, key, certificate)) {
        this.#find(`writer ${writer} is not certified by the log's key`);
        chain.key = undefined;
      }
    } else if (k === 'log' && e.type === 'writer.key-changed') {
      chain.successor = typeof key === 'string' ? keyOf(key) : undefined;
    }
  }

  #batch(text: string): void {
    this.#batches++;
    const { writer, last, signature } = readBatch(text) ?? {};
    const chain = writer === undefined ? undefined : this.#chains.get(writer);
    if (writer === undefined || last === undefined || signature === undefined) {
      return this.#find('this is no batch');
    }
    if (!chain || last !== chain.next - 1)
      return this.#find(`writer ${writer}: entries up to ${last} are missing`);
    if (chain.key) {
      const statement = batchStatement(this.#log ?? '', writer, last, chain.head);
      if (!verify(null, statement, chain.key, Buffer.from(signature, 'base64'))) {
        this.#find(`writer ${writer}: the signature over entries up to ${last} is wrong`);
      }
    } else if (this.#key) {
      this.#find(`writer ${writer}: nobody certified could have signed this batch`);
    } else {
      this.#unsigned++;
    }
    chain.covered = chain.next;
    if (chain.successor) [chain.key, chain.successor] = [chain.successor, undefined];
  }

  #find(problem: string, line = this.#line): void {
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

function keyOf(text: string): KeyObject | undefined {
  try {
    return publicKeyOf(Buffer.from(text, 'base64'));
  } catch {
    return undefined;
  }
}
