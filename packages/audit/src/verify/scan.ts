import { isUtf8 } from 'node:buffer';
import { hash } from 'node:crypto';
import { canonicalJson } from '../canonical-json.js';
import { placeOf } from '../leaf.js';
import { isCertainlyCanonical } from './canonical-scan.js';

/**
 * What can be said of a piece of an export by itself, so that pieces can be looked at side by side. Lines count from 0 within the
 * piece; `leaves` of the result holds a leaf hash for each entry, in order, in the memory of the piece itself.
 */
export type ScanItem =
  /** Entries of one writer, each following the one before. */
  | {
      readonly kind: 'run';
      readonly line: number;
      readonly log: string;
      readonly writer: string;
      readonly first: number;
      /** Leaf hash before the first, as it says; base64, like `last`. */
      readonly previous: string;
      count: number;
      /** Leaf hash of the last one. */
      last: string;
    }
  /** What the log says about itself: it is in the run that follows, and speaks of keys. */
  | { readonly kind: 'log-entry'; readonly line: number; readonly text: string }
  | { readonly kind: 'batch'; readonly line: number; readonly text: string }
  | { readonly kind: 'checkpoint'; readonly line: number; readonly text: string }
  | { readonly kind: 'pruned'; readonly line: number; readonly text: string }
  | { readonly kind: 'problem'; readonly line: number; readonly problem: string };
type Run = Extract<ScanItem, { kind: 'run' }>;

export interface ScanResult {
  readonly items: readonly ScanItem[];
  readonly leaves: Uint8Array;
  readonly lines: number;
}

const NEWLINE = 10;
/** From the end of an entry: `"p":"<44>","t":"<24>","v":1,"w":"<22>"}`. */
const AFTER_PREVIOUS = 68;
const TAIL = 420;

/**
 * Whole lines. The first byte is room for what leaf hashes begin with, the lines begin after it. The bytes are written to: they
 * are lost to the caller.
 */
export function scanLines(bytes: Buffer): ScanResult {
  return new Scan(bytes).run();
}

class Scan {
  readonly #bytes: Buffer;
  readonly #utf8: boolean;
  readonly #items: ScanItem[] = [];
  #entries = 0;
  #line = 0;
  /** The run that the last line belongs to. */
  #open: Run | undefined;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
    this.#utf8 = isUtf8(bytes.subarray(1));
  }

  run(): ScanResult {
    const bytes = this.#bytes;
    let from = 1;
    while (from < bytes.length) {
      const newline = bytes.indexOf(NEWLINE, from);
      const to = newline === -1 ? bytes.length : newline;
      if (to > from) this.#read(from, to);
      this.#line++;
      from = to + 1;
    }
    return { items: this.#items, leaves: this.#bytes.subarray(0, this.#entries * 32), lines: this.#line };
  }

  #read(from: number, to: number): void {
    // Entries begin with {"c":{
    const [third, fourth] = [this.#bytes[from + 2], this.#bytes[from + 3]];
    if (third === 99 && fourth === 34) return this.#entry(from, to);
    const text = this.#bytes.toString('utf8', from, to);
    this.#open = undefined;
    if (text.startsWith('{"batch":')) this.#items.push({ kind: 'batch', line: this.#line, text });
    else if (text.startsWith('{"checkpoint":'))
      this.#items.push({ kind: 'checkpoint', line: this.#line, text });
    else if (text.startsWith('{"pruned":')) this.#items.push({ kind: 'pruned', line: this.#line, text });
    else this.#problem('this is no entry');
  }

  #entry(from: number, to: number): void {
    const bytes = this.#bytes;
    const canonical = this.#isCanonical(from, to);
    if (canonical !== true) this.#problem(canonical);
    const open = this.#open;
    if (open && canonical === true && this.#continues(open, from, to)) {
      open.count++;
      open.last = this.#leaf(from, to);
      return;
    }
    this.#open = undefined;
    const place = placeOf(bytes.toString('utf8', Math.max(from, to - TAIL), to));
    if (!place) return this.#problem('this is no entry');
    const { log, writer, number, previous } = place;
    const own = this.#isAboutLog(to - AFTER_PREVIOUS - this.#placeLength(log, number, previous));
    if (own)
      this.#items.push({ kind: 'log-entry', line: this.#line, text: bytes.toString('utf8', from, to) });
    const run: Run = {
      kind: 'run',
      line: this.#line,
      log,
      writer,
      first: number,
      previous,
      count: 1,
      last: this.#leaf(from, to),
    };
    this.#items.push(run);
    if (!own) this.#open = run;
  }

  /** `,"log":"<log>","n":<number>,"p":"<previous>` */
  #placeLength(log: string, number: number, previous: string): number {
    return 20 + log.length + String(number).length + previous.length;
  }

  /** The entry is no word of the log about itself, and stands right after the last one of the run. */
  #continues(run: Run, from: number, to: number): boolean {
    const { log, writer, first, count, last } = run;
    const bytes = this.#bytes;
    const place = `,"log":"${log}","n":${first + count},"p":"${last}","t":"`;
    const at = to - AFTER_PREVIOUS - place.length + 7;
    return (
      at > from &&
      bytes.toString('latin1', at, at + place.length) === place &&
      bytes.toString('latin1', to - 38, to) === `Z","v":1,"w":"${writer}"}` &&
      !this.#isAboutLog(at)
    );
  }

  /** `"k":"log"` stands before the place. */
  #isAboutLog(place: number): boolean {
    return this.#bytes[place - 2] === 103;
  }

  #isCanonical(from: number, to: number): true | string {
    if (this.#utf8 && isCertainlyCanonical(this.#bytes, from, to)) return true;
    const line = this.#bytes.subarray(from, to);
    if (!isUtf8(line)) return 'the entry is not UTF-8';
    const text = line.toString('utf8');
    try {
      return canonicalJson(JSON.parse(text)) === text ? true : 'the entry is not in canonical form';
    } catch {
      return 'this is no entry';
    }
  }

  /**
   * RFC 6962 section 2.1: over 0x00 and the entry. The byte before it is one that nobody needs any more; neither are those that the
   * hash is written over, since each entry is longer than its hash.
   */
  #leaf(from: number, to: number): string {
    const bytes = this.#bytes;
    bytes[from - 1] = 0;
    const leaf = hash('sha256', bytes.subarray(from - 1, to), 'base64');
    bytes.write(leaf, this.#entries * 32, 'base64');
    this.#entries++;
    return leaf;
  }

  #problem(problem: string): void {
    this.#items.push({ kind: 'problem', line: this.#line, problem });
  }
}
