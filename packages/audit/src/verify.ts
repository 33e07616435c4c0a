import { verify, type KeyObject } from 'node:crypto';
import { canonicalJson } from './canonical-json.js';
import type { Body } from './entry.js';
import { BEFORE_FIRST, leafHash, placeOf } from './leaf.js';
import { parseVerifierKey, publicKeyOf, type NoteKey } from './note.js';
import { batchStatement, writerStatement } from './statements.js';

export interface VerifyOptions {
  /** `status().verifierKey` of the log, kept where who can write the log cannot. Without it, writers are not certified. */
  readonly verifierKey?: string;
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
 * writer's chain without gap, and is covered by the signature of a key that the log's key certified. Memory grows with the
 * number of writers only.
 * What it cannot see: entries cut off the end of a chain together with their signatures, and whole chains that are gone.
 * @throws TypeError for a verifier key that is none
 */
export async function verifyLog(
  lines: AsyncIterable<string> | Iterable<string>,
  options: VerifyOptions = {},
): Promise<LogReport> {
  const check = new LogCheck(
    options.verifierKey === undefined ? undefined : parseVerifierKey(options.verifierKey),
  );
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
  #unsigned = 0;
  #log: string | undefined;

  constructor(key: NoteKey | undefined) {
    this.#key = key;
    this.#log = key?.name;
  }

  line(text: string): void {
    this.#line++;
    if (text === '') return;
    if (text.startsWith('{"batch":')) this.#batch(text);
    else this.#entry(text);
  }

  report(): LogReport {
    for (const [writer, { next, covered }] of this.#chains) {
      if (covered < next) this.#find(`writer ${writer}: entries from ${covered} on are in no batch`, 0);
    }
    if (this.#entries === 0) this.#find('there is no entry, and a log that was started has one', 0);
    const warnings: string[] = [];
    if (!this.#key) warnings.push('no verifier key was given: anybody could have made these chains');
    if (this.#unsigned > 0) warnings.push(`${this.#unsigned} batches are not signed`);
    return {
      entries: this.#entries,
      batches: this.#batches,
      writers: this.#chains.size,
      tampered: this.#tampered,
      warnings,
    };
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

/** The line that follows the entries of a batch in an export. */
export function batchLine(batch: {
  readonly writer: string;
  readonly last: number;
  readonly signature: string;
}): string {
  const { writer, last, signature } = batch;
  return canonicalJson({ batch: { last, signature, writer } });
}

function readBatch(text: string): { writer: string; last: number; signature: string } | undefined {
  try {
    const { batch } = JSON.parse(text) as { batch: { writer: string; last: number; signature: string } };
    return typeof batch.writer === 'string' && typeof batch.signature === 'string' ? batch : undefined;
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
