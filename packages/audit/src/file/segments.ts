import { readFileSync, statSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '@portcullis/core';
import { AppendFile } from '../files/append-file.js';
import { linesOf } from '../files/lines.js';
import { placeOf } from '../leaf.js';
import { batchLine } from '../log/lines.js';
import type { AuditBatch } from '../store.js';
import { readOrNothing, removeFile, replaceFile, segmentFile, segmentsIn, summaryFile } from './folder.js';
import { Summary, type SummaryFacts } from './summary.js';

/** A segment as it is at one moment, for reading. */
export interface Segment {
  /** Leaf index of its first entry. */
  readonly first: number;
  readonly path: string;
  /** What of the file counts. */
  readonly bytes: number;
  readonly entries: number;
  readonly from: string;
  readonly to: string;
}

export interface SegmentsOptions {
  readonly folder: string;
  readonly maxBytes: number;
  readonly maxAgeMs: number;
  readonly clock: Clock;
}

/**
 * The entries, in files that are only appended to. A new file begins when the last one is large or old enough; where a file ends,
 * a batch ends. One call at a time: the store sees to that.
 */
export class Segments {
  readonly #options: SegmentsOptions;
  #closed: Segment[] = [];
  /** Everything that is there, to know a batch that comes again. */
  readonly #known = new Summary();
  #open: {
    readonly first: number;
    readonly file: AppendFile;
    readonly summary: Summary;
    /** Milliseconds since 1970; undefined while it is empty. */
    since: number | undefined;
  };

  /** Bytes behind the last whole batch of the last file that have been cut off: they were being written when the process ended. */
  readonly torn: number;

  /** @throws what the file system says */
  constructor(options: SegmentsOptions) {
    this.#options = options;
    const { folder } = options;
    const firsts = segmentsIn(folder);
    const last = firsts.pop() ?? 0;
    for (const first of firsts) this.#addClosed(first, summaryOf(folder, first));
    const path = join(folder, segmentFile(last));
    const { summary, bytes, torn } = scan(readOrNothing(path));
    this.torn = torn;
    if (torn > 0) truncateSync(path, bytes);
    const since = summary.from === '' ? undefined : Date.parse(summary.from);
    this.#open = { first: last, file: new AppendFile(path, bytes), summary, since };
    this.#known.addAll(summary.facts);
  }

  /** Entries of the log, those that have been pruned included: the leaf index of the next one. */
  get next(): number {
    const { first, summary } = this.#open;
    return first + summary.entries;
  }

  get all(): Segment[] {
    const { first, file, summary } = this.#open;
    const { entries, from, to } = summary;
    return [...this.#closed, { first, path: file.path, bytes: file.size, entries, from, to }];
  }

  has({ writer, first }: AuditBatch): boolean {
    return this.#known.has(writer, first);
  }

  /** Where the next batch goes: first to be asked, so that what stands beside the entries goes to the same place. */
  async place(): Promise<number> {
    const { maxBytes, maxAgeMs, clock } = this.#options;
    const { file, since } = this.#open;
    const now = clock.now();
    if (file.size >= maxBytes || (since !== undefined && now - since >= maxAgeMs)) await this.#rotate();
    this.#open.since ??= now;
    return this.#open.first;
  }

  /** All of it is on disk when this resolves, or nothing of it counts. */
  async append(batches: readonly AuditBatch[]): Promise<void> {
    const text = batches.map(
      ({ writer, first, bodies, signature }) =>
        `${bodies.join('\n')}\n${batchLine({ writer, last: first + bodies.length - 1, signature })}\n`,
    );
    await this.#open.file.append(Buffer.from(text.join('')));
    for (const batch of batches) {
      this.#open.summary.addBatch(batch);
      this.#known.addBatch(batch);
    }
  }

  /** Removes the files whose entries are all before this leaf index; returns where they began. */
  cut(to: number): number[] {
    const gone = this.#closed.filter(({ first, entries }) => first + entries <= to).map(({ first }) => first);
    this.#closed = this.#closed.filter(({ first }) => !gone.includes(first));
    for (const first of gone) {
      removeFile(this.#options.folder, segmentFile(first));
      removeFile(this.#options.folder, summaryFile(first));
    }
    return gone;
  }

  close(): Promise<void> {
    return this.#open.file.close();
  }

  async #rotate(): Promise<void> {
    const { first, file, summary } = this.#open;
    const { folder } = this.#options;
    replaceFile(folder, summaryFile(first), JSON.stringify(summary.facts));
    await file.close();
    const next = this.next;
    this.#closed.push({ ...summary.facts, first, path: file.path, bytes: file.size });
    this.#open = {
      first: next,
      file: new AppendFile(join(folder, segmentFile(next)), 0),
      summary: new Summary(),
      since: undefined,
    };
  }

  #addClosed(first: number, facts: SummaryFacts): void {
    const path = join(this.#options.folder, segmentFile(first));
    const { entries, from, to } = facts;
    this.#closed.push({ first, path, bytes: statSync(path).size, entries, from, to });
    this.#known.addAll(facts);
  }
}

/** Of a full segment; what the summary says is checked against the evidence by verifiers only. */
function summaryOf(folder: string, first: number): SummaryFacts {
  try {
    return JSON.parse(readFileSync(join(folder, summaryFile(first)), 'utf8')) as SummaryFacts;
  } catch {
    const { facts } = scan(readFileSync(join(folder, segmentFile(first)))).summary;
    replaceFile(folder, summaryFile(first), JSON.stringify(facts));
    return facts;
  }
}

const BATCH = '{"batch":';

/** Counts whole batches only. */
function scan(content: Buffer): { summary: Summary; bytes: number; torn: number } {
  const summary = new Summary();
  const whole = content.subarray(0, content.lastIndexOf(10) + 1);
  let pending: { writer: string; number: number; time: string }[] = [];
  let [at, bytes] = [0, 0];
  for (const line of linesOf(whole)) {
    at += line.length + 1;
    if (line.toString('latin1', 0, BATCH.length) !== BATCH) {
      // What cannot be read keeps its place, for the verifier to find.
      pending.push(placeOf(line.toString('utf8')) ?? { writer: '', number: 0, time: '' });
      continue;
    }
    for (const { writer, number, time } of pending) summary.add(writer, number, time);
    pending = [];
    bytes = at;
  }
  return { summary, bytes, torn: content.length - bytes };
}
