import { createGunzip } from 'node:zlib';
import type { Budget } from './budget.js';
import { checkEntryName } from './entry-names.js';
import { damaged, Finding, type FileView } from './file-view.js';

/**
 * Unpacks all members of a gzip file within the budget and hands the content on, chunk by chunk.
 * @throws Finding
 */
export async function* gunzipping(file: FileView, budget: Budget): AsyncGenerator<Buffer> {
  const source = file.stream();
  const inflating = createGunzip();
  source.on('error', (error) => inflating.destroy(error));
  let unpacked = 0;
  try {
    for await (const chunk of source.pipe(inflating) as AsyncIterable<Buffer>) {
      unpacked += chunk.length;
      budget.spend(chunk.length, unpacked, file.size);
      yield chunk;
    }
  } catch (error) {
    throw (error as { code?: string }).code?.startsWith('Z_') ? new Finding('content', 'damaged') : error;
  } finally {
    source.destroy();
    inflating.destroy();
  }
}

const BLOCK = 512;
const MAX_LONG = 4096;

/**
 * Walks a tar archive as it streams by: names stay below the folder, links and devices are refused, entries are counted.
 * Content is passed over; `visit` sees the first bytes of each file.
 * @throws Finding
 */
export class TarWalker {
  #pending: Buffer = Buffer.alloc(0);
  /** Bytes of content and padding still to pass over. */
  #skip = 0;
  #long: { left: number; text: string; kind: string } | undefined;
  #nextName: string | undefined;
  #ended = false;
  #wantsHead = false;

  constructor(
    private readonly budget: Budget,
    private readonly visit: (head: Buffer) => void,
  ) {}

  push(chunk: Buffer): void {
    this.#pending = this.#pending.length === 0 ? chunk : Buffer.concat([this.#pending, chunk]);
    for (;;) {
      if (this.#skip > 0) {
        const passed = Math.min(this.#skip, this.#pending.length);
        if (passed === 0) return;
        // Enough of the start to recognise an archive, or all that there is.
        if (this.#wantsHead && this.#pending.length < Math.min(this.#skip, BLOCK)) return;
        this.#take(this.#pending.subarray(0, passed));
        this.#pending = this.#pending.subarray(passed);
        this.#skip -= passed;
      } else if (this.#pending.length < BLOCK) {
        return;
      } else {
        this.#header(this.#pending.subarray(0, BLOCK));
        this.#pending = this.#pending.subarray(BLOCK);
      }
    }
  }

  /** @throws Finding if the archive was cut */
  end(): void {
    if (this.#skip > 0 || (this.#pending.length > 0 && !this.#ended)) damaged();
  }

  #take(bytes: Buffer): void {
    if (this.#wantsHead) this.visit(bytes.subarray(0, BLOCK));
    this.#wantsHead = false;
    const long = this.#long;
    if (!long) return;
    const part = bytes.subarray(0, Math.min(bytes.length, long.left));
    long.left -= part.length;
    long.text += part.toString('utf8');
    if (long.left > 0) return;
    this.#long = undefined;
    if (long.kind === 'L') this.#nextName = long.text.replace(/\0[^]*$/, '');
    else this.#nextName = /(?:^|\n)\d+ path=([^\n]*)\n/.exec(long.text)?.[1] ?? this.#nextName;
  }

  #header(header: Buffer): void {
    if (header.every((byte) => byte === 0)) {
      this.#ended = true;
      return;
    }
    // What stands behind the end is read by some programs.
    if (this.#ended || !hasChecksum(header)) damaged();
    const kind = String.fromCharCode(header[156]!);
    const size = readSize(header);
    this.#skip = Math.ceil(size / BLOCK) * BLOCK;
    if (kind === 'L' || kind === 'x' || kind === 'g') {
      if (size > MAX_LONG) damaged();
      this.#long = { left: size, text: '', kind };
      return;
    }
    if (!['0', '\0', '5', '7'].includes(kind)) throw new Finding('content', 'link');
    this.budget.entry();
    const prefix = header.toString('latin1', 257, 262) === 'ustar' ? text(header, 345, 155) : '';
    const own = text(header, 0, 100);
    checkEntryName(this.#nextName ?? (prefix === '' ? own : `${prefix}/${own}`));
    this.#nextName = undefined;
    this.#wantsHead = size > 0;
  }
}

function text(header: Buffer, at: number, length: number): string {
  return header.toString('utf8', at, at + length).replace(/\0[^]*$/, '');
}

function readSize(header: Buffer): number {
  if (header[124]! & 0x80) {
    const value = header.readBigUInt64BE(128);
    return value > BigInt(Number.MAX_SAFE_INTEGER) ? damaged() : Number(value);
  }
  const digits = text(header, 124, 12).trim();
  return /^[0-7]{1,12}$/.test(digits) ? Number.parseInt(digits, 8) : damaged();
}

/** The sum of all bytes, with the eight of the checksum as spaces. */
function hasChecksum(header: Buffer): boolean {
  let sum = 8 * 0x20;
  for (let i = 0; i < BLOCK; i++) if (i < 148 || i >= 156) sum += header[i]!;
  return Number.parseInt(text(header, 148, 8).trim(), 8) === sum;
}
