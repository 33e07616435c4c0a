import { closeSync, existsSync, mkdirSync, openSync, readFileSync, unlinkSync, writeSync } from 'node:fs';
import { open, type FileHandle } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { OptionError, type Random } from '@portcullis/core';
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
  readonly #path: string;
  readonly #lock: string;
  #file: FileHandle | undefined;
  /** Where the acknowledged lines end. */
  #size = 0;
  /** Where the lines begin that are not in the store yet. */
  #position = 0;

  private constructor(path: string, lock: string, maxBytes: number) {
    this.#path = path;
    this.#lock = lock;
    this.#maxBytes = maxBytes;
  }

  /** Synchronous, so that a folder that cannot be used does not start. @throws OptionError */
  static claim(options: { readonly directory: string; readonly maxBytes: number }, random: Random): Spool {
    const { directory, maxBytes } = options;
    const lock = join(directory, LOCK);
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      claimLock(lock, random.uuid());
      const spool = new Spool(join(directory, FILE), lock, maxBytes);
      spool.#size = spool.#recover();
      return spool;
    } catch (error) {
      if ((error as { code?: unknown }).code === 'E_OPTION_CONFLICT') throw error;
      throw new OptionError(
        'E_OPTION_VALUE',
        'createAudit',
        'spool.directory',
        `spool.directory cannot be used: ${(error as { code?: string }).code ?? 'unknown error'}`,
      );
    }
  }

  get bytes(): number {
    return this.#size - this.#position;
  }

  get isEmpty(): boolean {
    return this.#size === this.#position;
  }

  /** Resolves when the batch is on disk. @throws if there is no room or the disk refuses; then nothing of it is there */
  async append(batch: AuditBatch): Promise<void> {
    const line = Buffer.from(`${JSON.stringify(toLine(batch))}\n`);
    if (this.bytes + line.length > this.#maxBytes) {
      throw Object.assign(new Error('The audit spool is full.'), { code: 'ENOSPC' });
    }
    const file = (this.#file ??= await open(this.#path, existsSync(this.#path) ? 'r+' : 'wx+', 0o600));
    try {
      let written = 0;
      while (written < line.length) {
        const part = await file.write(line, written, line.length - written, this.#size + written);
        written += part.bytesWritten;
      }
      await file.datasync();
    } catch (error) {
      // Half a line must not be taken for a batch later.
      await file.truncate(this.#size).catch(() => undefined);
      throw error;
    }
    this.#size += line.length;
  }

  /** Hands the oldest batch to `store`; once that resolves it is done with. Returns how many entries it had. */
  async replay(store: (batch: AuditBatch) => Promise<void>): Promise<number> {
    if (this.isEmpty) return 0;
    const file = (this.#file ??= await open(this.#path, 'r+', 0o600));
    const { line, end } = await this.#read(file);
    const batch = fromLine(line);
    await store(batch);
    this.#position = end;
    if (this.isEmpty) {
      await file.truncate(0);
      await file.datasync();
      this.#size = 0;
      this.#position = 0;
    }
    return batch.bodies.length;
  }

  async close(): Promise<void> {
    await this.#file?.close();
    this.#file = undefined;
    unlinkSync(this.#lock);
  }

  async #read(file: FileHandle): Promise<{ line: string; end: number }> {
    let length = Math.min(CHUNK, this.#size - this.#position);
    for (;;) {
      const buffer = Buffer.alloc(length);
      await file.read(buffer, 0, length, this.#position);
      const at = buffer.indexOf(10);
      if (at !== -1) return { line: buffer.toString('utf8', 0, at), end: this.#position + at + 1 };
      if (length === this.#size - this.#position) throw new Error('The audit spool is damaged.');
      length = Math.min(length * 2, this.#size - this.#position);
    }
  }

  #recover(): number {
    if (!existsSync(this.#path)) return 0;
    const content = readFileSync(this.#path);
    return content.lastIndexOf(10) + 1;
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

/** Two processes with one spool would truncate each other's lines. */
function claimLock(path: string, token: string): void {
  const mine = { pid: process.pid, host: hostname(), started: performance.timeOrigin, token };
  for (let attempt = 0; attempt < 3; attempt++) {
    try {
      const file = openSync(path, 'wx', 0o600);
      writeSync(file, JSON.stringify(mine));
      closeSync(file);
      return;
    } catch (error) {
      if ((error as { code?: unknown }).code !== 'EEXIST') throw error;
    }
    if (isHeld(path)) break;
    unlinkSync(path);
  }
  throw new OptionError(
    'E_OPTION_CONFLICT',
    'createAudit',
    'spool.directory',
    'spool.directory is in use by another process, or by another audit log of this one',
  );
}

function isHeld(path: string): boolean {
  try {
    const { pid, host, started } = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>;
    if (host !== hostname()) return false; // A container that is gone; one that lives must not share the folder.
    if (pid === process.pid) return started === performance.timeOrigin;
    process.kill(pid as number, 0);
    return true;
  } catch (error) {
    return (error as { code?: unknown }).code === 'EPERM';
  }
}
