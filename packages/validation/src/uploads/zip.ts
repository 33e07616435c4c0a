import { crc32, createInflateRaw, inflateRaw } from 'node:zlib';
import { promisify } from 'node:util';
import type { Budget } from './budget.js';
import { checkEntryName } from './entry-names.js';
import { damaged, Finding, type FileView } from './file-view.js';

export interface ZipEntry {
  readonly name: string;
  readonly method: number;
  readonly flags: number;
  readonly packed: number;
  readonly unpacked: number;
  readonly crc: number;
  readonly offset: number;
  readonly isDirectory: boolean;
}

/** Called with the first bytes of each entry; true if the whole of it is wanted as a file of its own. */
export interface EntryVisitor {
  (entry: ZipEntry, head: Buffer): ((chunk: Buffer | undefined) => Promise<void>) | undefined;
}

const inflate = promisify(inflateRaw);
const SMALL = 256 * 1024;

/**
 * Reads the directory of a zip file. Refused are entries that overlap (one of the better bombs), that the local headers describe
 * otherwise, encrypted ones, symbolic links, names that lead out of the folder, and bytes before the first entry.
 * @throws Finding
 * @see OWASP ASVS 5.0 V5.2.3, V5.2.5, V5.3.3
 */
export async function readDirectory(file: FileView, budget: Budget): Promise<readonly ZipEntry[]> {
  const end = await findEnd(file);
  const entries: ZipEntry[] = [];
  const names = new Set<string>();
  let at = end.offset;
  for (let i = 0; i < end.count; i++) {
    budget.entry();
    const header = await file.need(at, 46);
    if (header.readUInt32LE(0) !== 0x02014b50) damaged();
    const [nameLength, extraLength, commentLength] = [
      header.readUInt16LE(28),
      header.readUInt16LE(30),
      header.readUInt16LE(32),
    ];
    const rest = await file.need(at + 46, nameLength + extraLength);
    const entry = readEntry(header, rest.subarray(0, nameLength), rest.subarray(nameLength));
    checkEntryName(entry.name);
    // Two of one name: what is checked may not be what is unpacked.
    const key = entry.name.toLowerCase().normalize('NFC');
    if (names.has(key)) throw new Finding('content', 'entry-twice');
    names.add(key);
    entries.push(entry);
    at += 46 + nameLength + extraLength + commentLength;
  }
  if (at !== end.at) damaged();
  budget.announce(entries.reduce((sum, { unpacked }) => sum + unpacked, 0));
  await checkLayout(file, entries, end.offset);
  return entries;
}

interface End {
  readonly count: number;
  readonly offset: number;
  /** Where the directory ends. */
  readonly at: number;
}

async function findEnd(file: FileView): Promise<End> {
  const length = Math.min(file.size, 65_536);
  const tail = await file.read(file.size - length, length);
  // The comment must reach exactly to the end: what stands behind it is read by others.
  for (let i = tail.length - 22; i >= 0; i--) {
    if (tail.readUInt32LE(i) !== 0x06054b50 || i + 22 + tail.readUInt16LE(i + 20) !== tail.length) continue;
    const at = file.size - length + i;
    const [disk, count, size, offset] = [
      tail.readUInt16LE(i + 4),
      tail.readUInt16LE(i + 10),
      tail.readUInt32LE(i + 12),
      tail.readUInt32LE(i + 16),
    ];
    if (count === 0xffff || size === 0xffffffff || offset === 0xffffffff) return zip64End(file, at);
    if (disk !== 0 || offset + size !== at) damaged();
    return { count, offset, at };
  }
  return damaged();
}

async function zip64End(file: FileView, at: number): Promise<End> {
  const locator = await file.need(at - 20, 20);
  if (locator.readUInt32LE(0) !== 0x07064b50) damaged();
  const where = toNumber(locator.readBigUInt64LE(8));
  const end = await file.need(where, 56);
  if (end.readUInt32LE(0) !== 0x06064b50) damaged();
  const [count, size, offset] = [
    end.readBigUInt64LE(32),
    end.readBigUInt64LE(40),
    end.readBigUInt64LE(48),
  ].map(toNumber);
  if (offset! + size! !== where) damaged();
  return { count: count!, offset: offset!, at: where };
}

function readEntry(header: Buffer, rawName: Buffer, extra: Buffer): ZipEntry {
  const flags = header.readUInt16LE(8);
  const attributes = header.readUInt32LE(38);
  const unixType = (attributes >>> 16) & 0xf000;
  if (flags & 0x2041) throw new Finding('content', 'encrypted');
  // Symbolic links, devices, sockets: only files and folders are taken out of an archive.
  if (header[5] === 3 && unixType !== 0 && unixType !== 0x8000 && unixType !== 0x4000) {
    throw new Finding('content', 'link');
  }
  let [packed, unpacked, offset] = [
    header.readUInt32LE(20),
    header.readUInt32LE(24),
    header.readUInt32LE(42),
  ];
  for (let i = 0; i + 4 <= extra.length; i += 4 + extra.readUInt16LE(i + 2)) {
    if (extra.readUInt16LE(i) !== 1) continue;
    let at = i + 4;
    const wide = (value: number): number => {
      if (value !== 0xffffffff || at + 8 > extra.length) return value;
      at += 8;
      return toNumber(extra.readBigUInt64LE(at - 8));
    };
    [unpacked, packed, offset] = [wide(unpacked), wide(packed), wide(offset)];
  }
  const name = rawName.toString(flags & 0x800 || isUtf8(rawName) ? 'utf8' : 'latin1');
  const method = header.readUInt16LE(10);
  if (method !== 0 && method !== 8) throw new Finding('content', 'method');
  if (method === 0 && packed !== unpacked) damaged();
  return {
    name,
    method,
    flags,
    packed,
    unpacked,
    crc: header.readUInt32LE(16),
    offset,
    isDirectory: name.endsWith('/'),
  };
}

/** Entries follow one another from the first byte on, none within another, and their own headers say the same. */
async function checkLayout(file: FileView, entries: readonly ZipEntry[], directory: number): Promise<void> {
  const sorted = entries.toSorted((a, b) => a.offset - b.offset);
  if ((sorted[0]?.offset ?? directory) !== 0) throw new Finding('content', 'polyglot');
  let free = 0;
  for (const entry of sorted) {
    if (entry.offset < free) throw new Finding('content', 'overlap');
    const { data, sameName } = await localHeader(file, entry);
    if (!sameName) throw new Finding('content', 'entry-twice');
    free = data + entry.packed;
    if (free > directory) throw new Finding('content', 'overlap');
  }
}

async function localHeader(
  file: FileView,
  entry: ZipEntry,
): Promise<{ readonly data: number; readonly sameName: boolean }> {
  const header = await file.need(entry.offset, 30);
  if (header.readUInt32LE(0) !== 0x04034b50) damaged();
  const [nameLength, extraLength] = [header.readUInt16LE(26), header.readUInt16LE(28)];
  const raw = await file.need(entry.offset + 30, nameLength);
  const name = raw.toString(entry.flags & 0x800 || isUtf8(raw) ? 'utf8' : 'latin1');
  const sizesLater = (header.readUInt16LE(6) & 8) !== 0;
  const [packed, unpacked] = [header.readUInt32LE(18), header.readUInt32LE(22)];
  const sameSizes =
    sizesLater ||
    ((packed === entry.packed || packed === 0xffffffff) &&
      (unpacked === entry.unpacked || unpacked === 0xffffffff));
  return {
    data: entry.offset + 30 + nameLength + extraLength,
    sameName: name === entry.name && header.readUInt16LE(8) === entry.method && sameSizes,
  };
}

/**
 * Unpacks every entry, keeps nothing, and holds it against what the directory says: length, checksum, and the budget, which is
 * spent while unpacking. `visit` sees the first bytes of each.
 * @throws Finding
 */
export async function unpackAll(
  file: FileView,
  entries: readonly ZipEntry[],
  budget: Budget,
  visit: EntryVisitor,
): Promise<void> {
  for (const entry of entries) {
    if (entry.isDirectory && entry.unpacked === 0) continue;
    const { data } = await localHeader(file, entry);
    let [unpacked, crc] = [0, 0];
    let want: ((chunk: Buffer | undefined) => Promise<void>) | undefined;
    for await (const chunk of unpacking(file, data, entry)) {
      budget.spend(chunk.length, unpacked + chunk.length, entry.packed);
      if (unpacked === 0) want = visit(entry, chunk);
      unpacked += chunk.length;
      crc = crc32(chunk, crc);
      if (unpacked > entry.unpacked) throw new Finding('content', 'undeclared');
      await want?.(chunk);
    }
    await want?.(undefined);
    if (unpacked !== entry.unpacked || crc !== entry.crc) damaged();
  }
}

async function* unpacking(
  file: FileView,
  at: number,
  { method, packed, unpacked }: ZipEntry,
): AsyncGenerator<Buffer> {
  if (packed === 0 && unpacked === 0) return;
  // Most entries are small: one call instead of a stream. More than was declared ends with an error.
  if (method === 8 && packed <= 65_536 && unpacked <= SMALL) {
    yield await inflateSmall(await file.need(at, packed), unpacked);
    return;
  }
  const source = file.stream(at, at + packed);
  if (method === 0) {
    yield* source as AsyncIterable<Buffer>;
    return;
  }
  const inflating = createInflateRaw();
  source.on('error', (error) => inflating.destroy(error));
  try {
    yield* source.pipe(inflating) as AsyncIterable<Buffer>;
  } catch (error) {
    throw error instanceof Finding ? error : new Finding('content', 'damaged');
  } finally {
    source.destroy();
    inflating.destroy();
  }
}

async function inflateSmall(bytes: Buffer, expected: number): Promise<Buffer> {
  try {
    return await inflate(bytes, { maxOutputLength: expected + 1 });
  } catch (error) {
    const tooLong = (error as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE';
    throw new Finding('content', tooLong ? 'undeclared' : 'damaged');
  }
}

function isUtf8(bytes: Buffer): boolean {
  return Buffer.from(bytes.toString('utf8'), 'utf8').equals(bytes);
}

function toNumber(value: bigint): number {
  return value > BigInt(Number.MAX_SAFE_INTEGER) ? damaged() : Number(value);
}
