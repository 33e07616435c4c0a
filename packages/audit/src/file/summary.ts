import type { AuditBatch } from '../store.js';
import { placeOf } from '../leaf.js';

/** Numbers from the first up to, not including, the second. */
type Range = [from: number, to: number];

/** What the store knows of a part of the log without reading it again. */
export interface SummaryFacts {
  readonly entries: number;
  /** The oldest and the newest time of an entry, ISO 8601; empty without entries. */
  readonly from: string;
  readonly to: string;
  /** Numbers of each writer's entries. */
  readonly written: Readonly<Record<string, readonly Range[]>>;
}

/** Grows with the number of writers, not of entries: those of one writer come one after the other. */
export class Summary {
  entries = 0;
  from = '';
  to = '';
  readonly #written = new Map<string, Range[]>();

  add(writer: string, number: number, time: string): void {
    this.entries++;
    if (this.from === '' || time < this.from) this.from = time;
    if (time > this.to) this.to = time;
    this.#addRange(writer, number, number + 1);
  }

  addBatch({ writer, first, bodies }: AuditBatch): void {
    for (const [i, body] of bodies.entries()) this.add(writer, first + i, placeOf(body)?.time ?? '');
  }

  addAll({ entries, from, to, written }: SummaryFacts): void {
    this.entries += entries;
    if (this.from === '' || from < this.from) this.from = from;
    if (to > this.to) this.to = to;
    for (const [writer, ranges] of Object.entries(written)) {
      for (const [first, end] of ranges) this.#addRange(writer, first, end);
    }
  }

  has(writer: string, number: number): boolean {
    return this.#written.get(writer)?.some(([from, to]) => from <= number && number < to) ?? false;
  }

  get facts(): SummaryFacts {
    const { entries, from, to } = this;
    return { entries, from, to, written: Object.fromEntries(this.#written) };
  }

  #addRange(writer: string, from: number, to: number): void {
    const ranges = this.#written.get(writer);
    const last = ranges?.at(-1);
    if (!ranges) this.#written.set(writer, [[from, to]]);
    else if (last![1] === from) last![1] = to;
    else ranges.push([from, to]);
  }
}
