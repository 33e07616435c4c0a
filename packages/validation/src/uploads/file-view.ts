import { createReadStream } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { Readable } from 'node:stream';

/** What an inspection found wrong: a file that is not what it says, or that harms whoever opens it. */
export class Finding extends Error {
  constructor(
    /** `size` is answered with 413, everything else with 422. */
    readonly concern: 'size' | 'content',
    readonly reason: string,
  ) {
    super(reason);
    this.name = 'Finding';
  }
}

export function damaged(): never {
  throw new Finding('content', 'damaged');
}

const WINDOW = 64 * 1024;

/** A stored file, read at will through one window of 64 KiB. */
export class FileView {
  #window: Buffer = Buffer.alloc(0);
  #start = 0;

  constructor(
    readonly path: string,
    readonly size: number,
    readonly handle: FileHandle,
  ) {}

  /** Up to `length` bytes (at most 64 KiB) from `position`; fewer at the end of the file. */
  async read(position: number, length: number): Promise<Buffer> {
    if (position < 0 || position >= this.size) return Buffer.alloc(0);
    const end = Math.min(position + Math.min(length, WINDOW), this.size);
    if (position < this.#start || end > this.#start + this.#window.length) {
      const window = Buffer.allocUnsafe(Math.min(WINDOW, this.size - position));
      const { bytesRead } = await this.handle.read(window, 0, window.length, position);
      this.#window = window.subarray(0, bytesRead);
      this.#start = position;
    }
    return this.#window.subarray(position - this.#start, end - this.#start);
  }

  /** Exactly `length` bytes. @throws Finding if the file ends before */
  async need(position: number, length: number): Promise<Buffer> {
    const bytes = await this.read(position, length);
    return bytes.length === length ? bytes : damaged();
  }

  stream(start = 0, end = this.size): Readable {
    if (end <= start) return Readable.from([]);
    return createReadStream(this.path, { start, end: end - 1, highWaterMark: WINDOW });
  }
}
