import { mkdirSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { OptionError, type Random } from '@portcullis/core';
import { AppendFile } from './files/append-file.js';
import { endOf } from './files/end-of.js';
import { claimLock, releaseLock } from './files/lock-file.js';
import { leafHash } from './leaf.js';
import type { AuditBatch } from './store.js';

export interface SpoolOptions {
  /** A folder of this process alone, on a disk that survives it. Made if absent (mode 0700). */
  readonly directory: string;
  /** What the spool may hold, in bytes. 64 KiB to 16 GiB. @default 64 MiB */
  readonly maxBytes?: number;
}

const FILE = 'audit-spool.ndjson';
const LOCK = 'audit-spool.lock';
const CHUNK = 1 << 20;

/**
 * Batches on disk while the store is down: one per line, acknowledged after fsync. What an earlier process left behind is
 * replayed first. A last line without its end was never acknowledged and is cut off.
 * Batches are kept as they were signed, and stores take a batch once, so that a replay that is repeated stores nothing twice.
 */
export class Spool {
  readonly #maxBytes: number;
  readonly #lock: string;
  readonly #file: AppendFile;
  /** Where the lines begin that are not in the store yet. */
  #position = 0;

  private constructor(file: AppendFile, lock: string, maxBytes: number) {
    this.#file = file;
    this.#lock = lock;
    this.#maxBytes = maxBytes;
  }

  /** Synchronous, so that a folder that cannot be used does not start. @throws OptionError */
  static claim(options: { readonly directory: string; readonly maxBytes: number }, random: Random): Spool {
    const { directory, maxBytes } = options;
    const lock = join(directory, LOCK);
    const path = join(directory, FILE);
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      if (claimLock(lock, random)) return new Spool(new AppendFile(path, endOf(path).bytes), lock, maxBytes);
    } catch (error) {
      throw new OptionError(
        'E_OPTION_VALUE',
        'createAudit',
        'spool.directory',
        `spool.directory cannot be used: ${(error as { code?: string }).code ?? 'unknown error'}`,
      );
    }
    throw new OptionError(
      'E_OPTION_CONFLICT',
      'createAudit',
      'spool.directory',
      'spool.directory is in use by another process, or by another audit log of this one',
    );
  }

  get bytes(): number {
    return this.#file.size - this.#position;
  }

  get isEmpty(): boolean {
    return this.#file.size === this.#position;
  }

  /** Resolves when the batch is on disk. @throws if there is no room or the disk refuses; then nothing of it is there */
  async append(batch: AuditBatch): Promise<void> {
    const line = Buffer.from(`${JSON.stringify(toLine(batch))}\n`);
    if (this.bytes + line.length > this.#maxBytes) {
      throw Object.assign(new Error('The audit spool is full.'), { code: 'ENOSPC' });
    }
    await this.#file.append(line);
  }

  /** Hands the oldest batch to `store`; once that resolves it is done with. Returns how many entries it had. */
  async replay(store: (batch: AuditBatch) => Promise<void>): Promise<number> {
    if (this.isEmpty) return 0;
    const { line, end } = await this.#read(await this.#file.handle());
    const batch = fromLine(line);
    await store(batch);
    this.#position = end;
    if (this.isEmpty) {
      await this.#file.truncate(0);
      this.#position = 0;
    }
    return batch.bodies.length;
  }

  async close(): Promise<void> {
    await this.#file.close();
    releaseLock(this.#lock);
  }

  async #read(file: FileHandle): Promise<{ line: string; end: number }> {
    let length = Math.min(CHUNK, this.bytes);
    for (;;) {
      const buffer = Buffer.alloc(length);
      await file.read(buffer, 0, length, this.#position);
      const at = buffer.indexOf(10);
      if (at !== -1) return { line: buffer.toString('utf8', 0, at), end: this.#position + at + 1 };
      if (length === this.bytes) throw new Error('The audit spool is damaged.');
      length = Math.min(length * 2, this.bytes);
    }
  }
}

function toLine({ writer, first, bodies, signature, sealed }: AuditBatch): object {
  return { writer, first, bodies, signature, ...(sealed.length > 0 ? { sealed } : {}) };
}

function fromLine(line: string): AuditBatch {
  const { writer, first, bodies, signature, sealed } = JSON.parse(line) as Pick<
    AuditBatch,
    'writer' | 'first' | 'bodies' | 'signature'
  > &
    Partial<Pick<AuditBatch, 'sealed'>>;
  const leaves = Buffer.concat(bodies.map(leafHash));
  return { writer, first, bodies, signature, leaves, sealed: sealed ?? [], outbox: [] };
}
