import { open, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { AppendFile, syncFolder } from '../files/append-file.js';
import { endOf } from '../files/end-of.js';
import { lines, linesBackwards, linesOf, pieces } from '../files/lines.js';
import type { SealedValue } from '../store.js';
import { PEOPLE, readOrNothing, removeFile, removeUnfinished, segmentFile, segmentsIn } from './folder.js';

const MAX_GONE = 100_000;

/**
 * Personal values, encrypted, beside the segments: one file for each, made anew without a person who is erased. One call at a time but
 * for `find()`.
 */
export class FilePeople {
  readonly #folder: string;
  readonly #files = new Map<number, AppendFile>();
  readonly #erasures: AppendFile;
  readonly #erased = new Map<string, number>();
  /** Commitments whose values are not there: an entry and its values are written together, so that none comes later. */
  readonly #gone = new Set<string>();

  constructor(folder: string) {
    this.#folder = join(folder, PEOPLE);
    removeUnfinished(this.#folder);
    for (const first of segmentsIn(this.#folder)) this.#add(first);
    const path = join(this.#folder, 'erased.ndjson');
    this.#erasures = new AppendFile(path, endOf(path).bytes);
    const known = readOrNothing(path).toString('utf8', 0, this.#erasures.size).split('\n').slice(0, -1);
    for (const line of known) {
      const { subject, at } = JSON.parse(line) as { subject: string; at: number };
      this.#erased.set(subject, Math.max(at, this.#erased.get(subject) ?? at));
    }
  }

  /** Values whose key is not younger than the erasure of their person are dropped: they come from a spool. */
  async append(first: number, values: readonly SealedValue[]): Promise<void> {
    const kept = values.filter(({ subject, since }) => since > (this.#erased.get(subject) ?? -1));
    if (kept.length === 0) return;
    const file = this.#files.get(first) ?? this.#add(first);
    await file.append(Buffer.from(kept.map((value) => `${JSON.stringify(inOrder(value))}\n`).join('')));
  }

  async find(commitments: readonly string[]): Promise<SealedValue[]> {
    const wanted = new Set(commitments.filter((one) => !this.#gone.has(one)));
    const found: SealedValue[] = [];
    for (const first of [...this.#files.keys()].sort((a, b) => b - a)) {
      if (wanted.size === 0) return found;
      const { path, size } = this.#files.get(first)!;
      for await (const line of linesBackwards(path, size)) {
        if (!wanted.has(commitmentIn(line))) continue;
        const value = JSON.parse(line) as SealedValue;
        wanted.delete(value.commitment);
        found.push(value);
        if (wanted.size === 0) break;
      }
    }
    for (const one of wanted) this.#gone.add(one);
    if (this.#gone.size > MAX_GONE) this.#gone.clear();
    return found;
  }

  /** First the word that they are gone, then their values; after a crash in between it is done again by who asks again. */
  async erase(subjects: readonly string[], at: number): Promise<number> {
    await this.#erasures.append(
      Buffer.from(subjects.map((subject) => `${JSON.stringify({ subject, at })}\n`).join('')),
    );
    for (const subject of subjects) {
      this.#erased.set(subject, Math.max(at, this.#erased.get(subject) ?? at));
    }
    const gone = new Set(subjects);
    const commitments = new Set<string>();
    for (const first of this.#files.keys()) {
      for (const one of await this.#without(first, gone)) commitments.add(one);
    }
    return commitments.size;
  }

  /** The values of segments that are gone. */
  async remove(firsts: readonly number[]): Promise<void> {
    for (const first of firsts) {
      await this.#files.get(first)?.close();
      this.#files.delete(first);
      removeFile(this.#folder, segmentFile(first));
    }
  }

  async close(): Promise<void> {
    await this.#erasures.close();
    for (const file of this.#files.values()) await file.close();
  }

  /** Writes the file anew without these people, if they are in it; returns what went. */
  async #without(first: number, subjects: ReadonlySet<string>): Promise<string[]> {
    const file = this.#files.get(first)!;
    const isGone = (line: string): boolean => {
      const { subject, since } = JSON.parse(line) as SealedValue;
      return subjects.has(subject) && since <= this.#erased.get(subject)!;
    };
    const gone: string[] = [];
    for await (const line of lines(file.path, file.size)) if (isGone(line)) gone.push(commitmentIn(line));
    if (gone.length === 0) return gone;
    const next = `${file.path}.next`;
    const written = await open(next, 'w', 0o600);
    try {
      for await (const piece of pieces(file.path, file.size)) {
        const kept = [...linesOf(piece)].filter((line) => !isGone(line.toString('utf8')));
        await written.appendFile(kept.map((line) => `${line.toString('utf8')}\n`).join(''));
      }
      await written.sync();
    } finally {
      await written.close();
    }
    await file.close();
    await rename(next, file.path);
    await syncFolder(this.#folder);
    this.#add(first);
    return gone;
  }

  #add(first: number): AppendFile {
    const path = join(this.#folder, segmentFile(first));
    const file = new AppendFile(path, endOf(path).bytes);
    this.#files.set(first, file);
    return file;
  }
}

/** `{"commitment":"<43 characters>", ...` */
function commitmentIn(line: string): string {
  return line.slice(15, 58);
}

function inOrder({ commitment, ...rest }: SealedValue): SealedValue {
  return { commitment, ...rest };
}
