import { damaged, type FileView } from './file-view.js';

export interface Picture {
  readonly width: number;
  readonly height: number;
  /** Frames of an animation, pages of a document, pictures of an icon. */
  readonly frames: number;
  /** Where the picture ends, if the format says so: what follows belongs to something else. */
  readonly end?: number;
}

type Reader = (file: FileView) => Promise<Picture>;

const MAX_STEPS = 200_000;

/** Reads how large a picture will be once it is decoded, without decoding it. */
export const pictureReaders: Readonly<Record<string, Reader>> = Object.assign(Object.create(null), {
  png: readPng,
  jpeg: readJpeg,
  gif: readGif,
  webp: readWebp,
  bmp: readBmp,
  tiff: readTiff,
  ico: readIco,
  psd: readPsd,
  avif: readHeif,
  heic: readHeif,
  jp2: readJp2,
} satisfies Record<string, Reader>);

async function readPng(file: FileView): Promise<Picture> {
  const header = await file.need(0, 33);
  if (header.readUInt32BE(8) !== 13 || header.toString('latin1', 12, 16) !== 'IHDR') damaged();
  let frames = 1;
  let at = 8;
  for (let step = 0; step < MAX_STEPS; step++) {
    const chunk = await file.need(at, 8);
    const type = chunk.toString('latin1', 4, 8);
    if (type === 'acTL') frames = Math.max(frames, (await file.need(at + 8, 4)).readUInt32BE(0));
    at += 12 + chunk.readUInt32BE(0);
    if (type === 'IEND') {
      return { width: header.readUInt32BE(16), height: header.readUInt32BE(20), frames, end: at };
    }
  }
  return damaged();
}

/** Start-of-frame markers hold the size; only what is decoded counts, so thumbnails inside segments do not. */
async function readJpeg(file: FileView): Promise<Picture> {
  let [width, height, at] = [0, 0, 2];
  for (let step = 0; step < MAX_STEPS; step++) {
    const marker = await file.need(at, 2);
    if (marker[0] !== 0xff) damaged();
    const code = marker[1]!;
    if (code === 0xff) at += 1;
    else if (code === 0xd9) return { width, height, frames: 1, end: at + 2 };
    else if (code === 0x01 || (code >= 0xd0 && code <= 0xd8)) at += 2;
    else {
      const length = (await file.need(at + 2, 2)).readUInt16BE(0);
      if (length < 2) damaged();
      if (code >= 0xc0 && code <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(code)) {
        const frame = await file.need(at + 5, 4);
        height = Math.max(height, frame.readUInt16BE(0));
        width = Math.max(width, frame.readUInt16BE(2));
      }
      at += 2 + length;
      if (code === 0xda) at = await endOfScan(file, at);
    }
  }
  return damaged();
}

/** The next marker after entropy-coded data, in which 0xff is followed by 0 or a restart marker. */
async function endOfScan(file: FileView, from: number): Promise<number> {
  for (let at = from; ;) {
    const bytes = await file.read(at, 65_536);
    if (bytes.length < 2) return damaged();
    for (let i = bytes.indexOf(0xff); i >= 0 && i + 1 < bytes.length; i = bytes.indexOf(0xff, i + 1)) {
      const next = bytes[i + 1]!;
      if (next !== 0 && next !== 0xff && (next < 0xd0 || next > 0xd7)) return at + i;
    }
    at += bytes.length - 1;
  }
}

async function readGif(file: FileView): Promise<Picture> {
  const header = await file.need(0, 13);
  let [width, height, frames] = [header.readUInt16LE(6), header.readUInt16LE(8), 0];
  let at = 13 + colours(header[10]!);
  for (let step = 0; step < MAX_STEPS; step++) {
    const kind = (await file.need(at, 1))[0];
    if (kind === 0x3b) return { width, height, frames: Math.max(1, frames), end: at + 1 };
    if (kind === 0x21) at = await skipBlocks(file, at + 2);
    else if (kind === 0x2c) {
      const frame = await file.need(at, 10);
      frames++;
      width = Math.max(width, frame.readUInt16LE(1) + frame.readUInt16LE(5));
      height = Math.max(height, frame.readUInt16LE(3) + frame.readUInt16LE(7));
      at = await skipBlocks(file, at + 10 + colours(frame[9]!) + 1);
    } else damaged();
  }
  return damaged();
}

function colours(flags: number): number {
  return flags & 0x80 ? 3 << ((flags & 7) + 1) : 0;
}

/** Behind a row of sub-blocks; without a pause for each of them, of which a hostile file has millions. */
async function skipBlocks(file: FileView, from: number): Promise<number> {
  for (let at = from; ;) {
    const bytes = await file.read(at, 65_536);
    if (bytes.length === 0) return damaged();
    let i = 0;
    while (i < bytes.length) {
      const length = bytes[i]!;
      i += 1 + length;
      if (length === 0) return at + i;
    }
    at += i;
  }
}

async function readWebp(file: FileView): Promise<Picture> {
  const riff = await file.need(0, 12);
  const end = 8 + riff.readUInt32LE(4) + (riff.readUInt32LE(4) & 1);
  let [width, height, frames] = [0, 0, 0];
  for (let at = 12, step = 0; at + 8 <= Math.min(end, file.size) && step < MAX_STEPS; step++) {
    const chunk = await file.need(at, 8);
    const type = chunk.toString('latin1', 0, 4);
    const [w, h] = await webpSize(file, type, at + 8);
    width = Math.max(width, w);
    height = Math.max(height, h);
    if (type === 'ANMF') frames++;
    const length = chunk.readUInt32LE(4);
    at += 8 + length + (length & 1);
  }
  return { width, height, frames: Math.max(1, frames), end };
}

async function webpSize(file: FileView, type: string, at: number): Promise<readonly [number, number]> {
  if (type === 'VP8X') {
    const data = await file.need(at, 10);
    return [data.readUIntLE(4, 3) + 1, data.readUIntLE(7, 3) + 1];
  }
  if (type === 'VP8L') {
    const bits = (await file.need(at, 5)).readUInt32LE(1);
    return [(bits & 0x3fff) + 1, ((bits >>> 14) & 0x3fff) + 1];
  }
  if (type === 'VP8 ') {
    const data = await file.need(at, 10);
    return [data.readUInt16LE(6) & 0x3fff, data.readUInt16LE(8) & 0x3fff];
  }
  if (type === 'ANMF') {
    const data = await file.need(at, 16);
    return [data.readUIntLE(6, 3) + 1, data.readUIntLE(9, 3) + 1];
  }
  return [0, 0];
}

async function readBmp(file: FileView): Promise<Picture> {
  const header = await file.need(14, 12);
  if (header.readUInt32LE(0) === 12) {
    return { width: header.readUInt16LE(4), height: header.readUInt16LE(6), frames: 1 };
  }
  return { width: Math.abs(header.readInt32LE(4)), height: Math.abs(header.readInt32LE(8)), frames: 1 };
}

async function readTiff(file: FileView): Promise<Picture> {
  const big = (await file.need(0, 2)).toString('latin1') === 'MM';
  const u16 = async (at: number) => (await file.need(at, 2))[big ? 'readUInt16BE' : 'readUInt16LE'](0);
  const u32 = async (at: number) => (await file.need(at, 4))[big ? 'readUInt32BE' : 'readUInt32LE'](0);
  let [width, height, frames, at] = [0, 0, 0, await u32(4)];
  let entries = 0;
  const seen = new Set<number>();
  while (at !== 0) {
    // A directory that leads back to itself has no end.
    if (seen.has(at) || seen.size >= 10_000) damaged();
    seen.add(at);
    const count = await u16(at);
    entries += count;
    if (entries > MAX_STEPS) damaged();
    for (let i = 0; i < count; i++) {
      const entry = at + 2 + i * 12;
      const [tag, type] = [await u16(entry), await u16(entry + 2)];
      if (tag !== 256 && tag !== 257) continue;
      const value = type === 3 ? await u16(entry + 8) : await u32(entry + 8);
      if (tag === 256) width = Math.max(width, value);
      else height = Math.max(height, value);
    }
    frames++;
    at = await u32(at + 2 + count * 12);
  }
  return { width, height, frames };
}

/** An icon says 0 for 256; a picture inside of it may be a PNG that says something else. */
async function readIco(file: FileView): Promise<Picture> {
  const count = (await file.need(4, 2)).readUInt16LE(0);
  let [width, height] = [0, 0];
  for (let i = 0; i < count; i++) {
    const entry = await file.need(6 + i * 16, 16);
    const inside = await file.need(entry.readUInt32LE(12), 24);
    const isPng = inside.toString('latin1', 1, 4) === 'PNG';
    width = Math.max(width, entry[0] || 256, isPng ? inside.readUInt32BE(16) : inside.readInt32LE(4));
    height = Math.max(height, entry[1] || 256, isPng ? inside.readUInt32BE(20) : inside.readInt32LE(8) / 2);
  }
  return { width, height, frames: count };
}

async function readPsd(file: FileView): Promise<Picture> {
  const header = await file.need(0, 26);
  return { width: header.readUInt32BE(18), height: header.readUInt32BE(14), frames: 1 };
}

/** Boxes of ISO 14496-12 at one level: type, content, end. */
async function* boxes(
  file: FileView,
  from: number,
  to: number,
): AsyncGenerator<{ type: string; from: number; to: number }> {
  for (let at = from, step = 0; at + 8 <= to && step < MAX_STEPS; step++) {
    const header = await file.need(at, 8);
    const large = header.readUInt32BE(0) === 1;
    const length = large ? Number((await file.need(at + 8, 8)).readBigUInt64BE(0)) : header.readUInt32BE(0);
    const end = length === 0 ? to : at + length;
    if (length !== 0 && length < 8) damaged();
    yield { type: header.toString('latin1', 4, 8), from: at + (large ? 16 : 8), to: Math.min(end, to) };
    at = end;
  }
}

/** AVIF and HEIC: every `ispe` of the item properties, and the tracks of a sequence. */
async function readHeif(file: FileView): Promise<Picture> {
  let [width, height, frames] = [0, 0, 1];
  const walk = async (from: number, to: number, depth: number): Promise<void> => {
    if (depth > 8) damaged();
    for await (const box of boxes(file, from, to)) {
      if (box.type === 'ispe') {
        const data = await file.need(box.from + 4, 8);
        width = Math.max(width, data.readUInt32BE(0));
        height = Math.max(height, data.readUInt32BE(4));
      } else if (box.type === 'stsz') {
        frames = Math.max(frames, (await file.need(box.from + 8, 4)).readUInt32BE(0));
      } else if (box.type === 'meta') await walk(box.from + 4, box.to, depth + 1);
      else if (['iprp', 'ipco', 'moov', 'trak', 'mdia', 'minf', 'stbl'].includes(box.type)) {
        await walk(box.from, box.to, depth + 1);
      }
    }
  };
  await walk(0, file.size, 0);
  return { width, height, frames };
}

async function readJp2(file: FileView): Promise<Picture> {
  for await (const box of boxes(file, 0, file.size)) {
    if (box.type !== 'jp2h') continue;
    for await (const inner of boxes(file, box.from, box.to)) {
      if (inner.type !== 'ihdr') continue;
      const data = await file.need(inner.from, 8);
      return { width: data.readUInt32BE(4), height: data.readUInt32BE(0), frames: 1 };
    }
  }
  return damaged();
}
