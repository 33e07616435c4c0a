import { crc32, deflateRawSync, deflateSync, gzipSync } from 'node:zlib';

/** Files by hand: small, and wrong in exactly the way that a test is about. */

const u16 = (n: number): Buffer => Buffer.from([n & 255, n >> 8]);
const u32 = (n: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(n >>> 0);
  return bytes;
};
const b32 = (n: number): Buffer => u32(n).swap32();
const b16 = (n: number): Buffer => u16(n).swap16();
export const latin = (text: string): Buffer => Buffer.from(text, 'latin1');

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([latin(type), data]);
  return Buffer.concat([b32(data.length), body, b32(crc32(body))]);
}

export function png({
  width = 2,
  height = 2,
  frames = 0,
  extra = [] as readonly (readonly [string, Buffer])[],
} = {}): Buffer {
  const header = Buffer.concat([b32(width), b32(height), Buffer.from([8, 2, 0, 0, 0])]);
  const rows = Buffer.alloc(Math.min(height, 64) * (1 + Math.min(width, 64) * 3));
  return Buffer.concat([
    latin('\x89PNG\r\n\x1a\n'),
    chunk('IHDR', header),
    ...(frames > 0 ? [chunk('acTL', Buffer.concat([b32(frames), b32(0)]))] : []),
    ...extra.map(([type, data]) => chunk(type, data)),
    chunk('IDAT', deflateSync(rows)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

export function jpeg({ width = 2, height = 2, comment = '' } = {}): Buffer {
  const segment = (code: number, data: Buffer) =>
    Buffer.concat([Buffer.from([0xff, code]), b16(data.length + 2), data]);
  return Buffer.concat([
    Buffer.from([0xff, 0xd8]),
    segment(0xe0, latin('JFIF\0\x01\x01\0\0\x01\0\x01\0\0')),
    ...(comment === '' ? [] : [segment(0xfe, latin(comment))]),
    segment(0xc0, Buffer.concat([Buffer.from([8]), b16(height), b16(width), Buffer.from([1, 1, 0x11, 0])])),
    segment(0xda, Buffer.from([1, 1, 0, 0, 63, 0])),
    Buffer.from([0x12, 0xff, 0x00, 0x34, 0xff, 0xd0, 0x56, 0xff, 0xd9]),
  ]);
}

export function gif({
  width = 2,
  height = 2,
  frames = 1,
  frameWidth = 2,
}: { width?: number; height?: number; frames?: number; frameWidth?: number } = {}): Buffer {
  const frame = Buffer.concat([
    Buffer.from([0x2c]),
    u16(0),
    u16(0),
    u16(frameWidth),
    u16(height),
    Buffer.from([0, 2, 2, 0x4c, 0x01, 0]),
  ]);
  return Buffer.concat([
    latin('GIF89a'),
    u16(width),
    u16(height),
    Buffer.from([0x80, 0, 0, 0, 0, 0, 255, 255, 255]),
    ...Array.from({ length: frames }, () => frame),
    Buffer.from([0x3b]),
  ]);
}

function riff(kind: string, ...chunks: (readonly [string, Buffer])[]): Buffer {
  const body = Buffer.concat([
    latin(kind),
    ...chunks.flatMap(([name, data]) => [latin(name), u32(data.length), data, Buffer.alloc(data.length & 1)]),
  ]);
  return Buffer.concat([latin('RIFF'), u32(body.length), body]);
}

const u24 = (n: number): Buffer => u32(n).subarray(0, 3);
export function webp({
  width = 2,
  height = 2,
  form = 'VP8X' as 'VP8X' | 'VP8L' | 'VP8 ',
  frames = 0,
} = {}): Buffer {
  const size = Buffer.concat([u24(width - 1), u24(height - 1)]);
  const data = {
    VP8X: Buffer.concat([Buffer.alloc(4), size]),
    VP8L: Buffer.concat([Buffer.from([0x2f]), u32((width - 1) | ((height - 1) << 14))]),
    'VP8 ': Buffer.concat([Buffer.from([0, 0, 0, 0x9d, 1, 0x2a]), u16(width), u16(height)]),
  }[form];
  const animation = Array.from(
    { length: frames },
    () => ['ANMF', Buffer.concat([Buffer.alloc(6), size, Buffer.alloc(8)])] as const,
  );
  return riff('WEBP', [form, data], ...animation);
}
export const wav = (): Buffer => riff('WAVE', ['fmt ', Buffer.alloc(16)], ['data', Buffer.alloc(32)]);

export function bmp({ width = 2, height = 2 } = {}): Buffer {
  return Buffer.concat([
    latin('BM'),
    u32(70),
    u32(0),
    u32(54),
    u32(40),
    u32(width),
    u32(height),
    Buffer.alloc(44),
  ]);
}

export function tiff({ width = 2, height = 2, loop = false } = {}): Buffer {
  const entry = (tag: number, value: number) => Buffer.concat([u16(tag), u16(4), u32(1), u32(value)]);
  return Buffer.concat([
    latin('II*\0'),
    u32(8),
    u16(2),
    entry(256, width),
    entry(257, height),
    u32(loop ? 8 : 0),
  ]);
}

export function ico({ inner = Buffer.alloc(40) as Buffer, size = 16 } = {}): Buffer {
  return Buffer.concat([
    Buffer.from([0, 0, 1, 0, 1, 0, size, size, 0, 0, 1, 0, 32, 0]),
    u32(inner.length),
    u32(22),
    inner,
  ]);
}

const box = (type: string, ...content: Buffer[]): Buffer => {
  const body = Buffer.concat(content);
  return Buffer.concat([b32(body.length + 8), latin(type), body]);
};
export function avif({ width = 2, height = 2, brand = 'avif' } = {}): Buffer {
  const ispe = box('ispe', Buffer.alloc(4), b32(width), b32(height));
  return Buffer.concat([
    box('ftyp', latin(brand), Buffer.alloc(4), latin(`${brand}mif1`)),
    box('meta', Buffer.alloc(4), box('iprp', box('ipco', ispe))),
  ]);
}
export const jp2 = ({ width = 2, height = 2 } = {}): Buffer =>
  Buffer.concat([
    latin('\0\0\0\x0cjP  \r\n\x87\n'),
    box('jp2h', box('ihdr', b32(height), b32(width), Buffer.alloc(6))),
  ]);
export const psd = ({ width = 2, height = 2 } = {}): Buffer =>
  Buffer.concat([latin('8BPS\0\x01'), Buffer.alloc(6), b16(3), b32(height), b32(width), Buffer.alloc(8)]);

export const iso = (brand: string): Buffer =>
  Buffer.concat([box('ftyp', latin(brand), Buffer.alloc(4), latin(brand)), box('mdat', Buffer.alloc(64))]);

const zeroBytes: Buffer = Buffer.alloc(0);
export interface Entry {
  readonly name: string;
  readonly data?: Buffer;
  readonly store?: boolean;
  /** What the directory says instead of the truth. */
  readonly declared?: number;
  readonly localName?: string;
  readonly unixMode?: number;
  readonly flags?: number;
  readonly method?: number;
  /** The offset of another entry. */
  readonly at?: number;
  readonly crc?: number;
}

export function zip(
  entries: readonly Entry[],
  { before = zeroBytes }: { readonly before?: Buffer } = {},
): Buffer {
  const parts: Buffer[] = [before];
  const central: Buffer[] = [];
  let offset = before.length;
  for (const {
    name,
    data = Buffer.alloc(0),
    store = false,
    declared,
    localName = name,
    unixMode = 0,
    flags = 0,
    method,
    at,
    crc,
  } of entries) {
    const packed = store ? data : deflateRawSync(data, { level: 9 });
    const common = (length: number) =>
      Buffer.concat([
        u16(20),
        u16(flags),
        u16(method ?? (store ? 0 : 8)),
        u32(0),
        u32(crc ?? crc32(data)),
        u32(packed.length),
        u32(declared ?? data.length),
        u16(length),
        u16(0),
      ]);
    const own = Buffer.from(name);
    const local = Buffer.from(localName);
    central.push(
      Buffer.concat([
        latin('PK\x01\x02'),
        Buffer.from([20, 3]),
        common(own.length),
        u16(0),
        u16(0),
        u16(0),
        u32(unixMode << 16),
        u32(at ?? offset),
        own,
      ]),
    );
    if (at === undefined) {
      const header = Buffer.concat([latin('PK\x03\x04'), common(local.length), local, packed]);
      parts.push(header);
      offset += header.length;
    }
  }
  const directory = Buffer.concat(central);
  const end = Buffer.concat([
    latin('PK\x05\x06'),
    u16(0),
    u16(0),
    u16(entries.length),
    u16(entries.length),
    u32(directory.length),
    u32(offset),
    u16(0),
  ]);
  return Buffer.concat([...parts, directory, end]);
}

export const docx = (extra: readonly Entry[] = []): Buffer =>
  zip([
    { name: '[Content_Types].xml', data: latin('<Types/>') },
    { name: 'word/document.xml', data: latin('<w/>') },
    ...extra,
  ]);
export const odf = (type: string, extra: readonly Entry[] = []): Buffer =>
  zip([
    { name: 'mimetype', data: latin(`application/vnd.oasis.opendocument.${type}`), store: true },
    { name: 'content.xml', data: latin('<o/>') },
    ...extra,
  ]);

export function tarHeader(name: string, { size = 0, type = '0', link = '' } = {}): Buffer {
  const header = Buffer.alloc(512);
  header.write(name.slice(0, 100), 0);
  header.write('0000644\0', 100);
  header.write(`${size.toString(8).padStart(11, '0')}\0`, 124);
  header.write('        ', 148);
  header.write(type, 156);
  header.write(link, 157);
  header.write('ustar\x0000', 257, 'latin1');
  header.write(
    `${header
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, '0')}\0 `,
    148,
  );
  return header;
}
export function tar(
  entries: readonly {
    readonly name: string;
    readonly data?: Buffer;
    readonly type?: string;
    readonly link?: string;
  }[],
): Buffer {
  const parts = entries.flatMap(({ name, data = Buffer.alloc(0), type = '0', link = '' }) => [
    tarHeader(name, { size: data.length, type, link }),
    data,
    Buffer.alloc((512 - (data.length % 512)) % 512),
  ]);
  return Buffer.concat([...parts, Buffer.alloc(1024)]);
}

export const pdf = (body = ''): Buffer =>
  latin(
    `%PDF-1.7\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R ${body} >>\nendobj\ntrailer << /Root 1 0 R >>\n%%EOF\n`,
  );
/** The catalog in a compressed object stream, where no plain search finds it. */
export function pdfObjectStream(inner: string): Buffer {
  const data = deflateSync(latin(`1 0 ${inner}`));
  return Buffer.concat([
    latin(
      `%PDF-1.7\n5 0 obj\n<< /Type /ObjStm /N 1 /First 4 /Filter /FlateDecode /Length ${data.length} >>\nstream\n`,
    ),
    data,
    latin('\nendstream\nendobj\n%%EOF\n'),
  ]);
}

export const svg = (inner = '<path d="M0 0h1v1z"/>', attributes = 'width="10" height="10"'): Buffer =>
  Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg" ${attributes}>${inner}</svg>`);

const filled = (start: string, length = 512): Buffer =>
  Buffer.concat([latin(start), Buffer.alloc(Math.max(0, length - start.length), 1)]);

/** One of each kind, as its own program writes its start. */
export const samples: Readonly<Record<string, Buffer>> = {
  png: png(),
  jpeg: jpeg(),
  gif: gif(),
  webp: webp(),
  avif: avif(),
  heic: avif({ brand: 'heic' }),
  bmp: bmp(),
  tiff: tiff(),
  ico: ico(),
  psd: psd(),
  jp2: jp2(),
  jxl: filled('\xff\x0a'),
  svg: svg(),
  pdf: pdf(),
  rtf: filled('{\\rtf1'),
  postscript: filled('%!PS-Adobe-3.0'),
  gzip: gzipSync('text'),
  bzip2: filled('BZh91AY&SY'),
  xz: filled('\xfd7zXZ\0'),
  zstd: filled('\x28\xb5\x2f\xfd'),
  lz4: filled('\x04\x22\x4d\x18'),
  '7z': filled('7z\xbc\xaf\x27\x1c'),
  rar: filled('Rar!\x1a\x07\x01\0'),
  cab: filled('MSCF\0\0\0\0'),
  rpm: filled('\xed\xab\xee\xdb'),
  ar: filled('!<arch>\n'),
  tar: tar([{ name: 'a.txt', data: latin('a') }]),
  wav: wav(),
  mp3: filled('ID3\x04\0\0'),
  aac: filled('\xff\xf1\x50\x80'),
  flac: filled('fLaC\0'),
  ogg: filled('OggS\0'),
  aiff: Buffer.concat([latin('FORM'), b32(100), latin('AIFF'), Buffer.alloc(100)]),
  midi: filled('MThd\0\0\0\x06'),
  amr: filled('#!AMR\n'),
  m4a: iso('M4A '),
  '3gp': iso('3gp5'),
  mov: iso('qt  '),
  mp4: iso('isom'),
  webm: filled('\x1a\x45\xdf\xa3\x9f\x42\x82\x84webm'),
  matroska: filled('\x1a\x45\xdf\xa3\x9f\x42\x82\x88matroska'),
  avi: riff('AVI ', ['hdrl', Buffer.alloc(16)]),
  flv: filled('FLV\x01\x05'),
  mpeg: filled('\0\0\x01\xba'),
  mpegts: Buffer.concat([0, 1, 2, 3].map(() => Buffer.concat([Buffer.from([0x47]), Buffer.alloc(187)]))),
  asf: filled('\x30\x26\xb2\x75\x8e\x66\xcf\x11'),
  woff: filled('wOFF\0\x01\0\0'),
  woff2: filled('wOF2\0\x01\0\0'),
  otf: filled('OTTO\0'),
  ttf: filled('\0\x01\0\0\0'),
  sqlite: filled('SQLite format 3\0'),
  parquet: filled('PAR1'),
  pcap: filled('\xd4\xc3\xb2\xa1'),
  wasm: filled('\0asm\x01\0\0\0'),
  elf: filled('\x7fELF\x02'),
  exe: filled('MZ\x90\0\x03\0'),
  macho: filled('\xcf\xfa\xed\xfe'),
  class: filled('\xca\xfe\xba\xbe\0\0\0\x34'),
  lnk: filled('L\0\0\0\x01\x14\x02\0'),
  swf: filled('CWS\x0a'),
  script: latin('#!/bin/sh\nrm -rf /\n'),
  php: latin('<?php system($_GET[0]); ?>'),
  zip: zip([{ name: 'a.txt', data: latin('a') }]),
  docx: docx(),
  xlsx: zip([
    { name: '[Content_Types].xml', data: latin('<Types/>') },
    { name: 'xl/workbook.xml', data: latin('<w/>') },
  ]),
  pptx: zip([
    { name: '[Content_Types].xml', data: latin('<Types/>') },
    { name: 'ppt/presentation.xml', data: latin('<w/>') },
  ]),
  'ooxml-macros': docx([{ name: 'word/vbaProject.bin', data: latin('x') }]),
  odt: odf('text'),
  ods: odf('spreadsheet'),
  odp: odf('presentation'),
  epub: zip([{ name: 'mimetype', data: latin('application/epub+zip'), store: true }]),
  jar: zip([{ name: 'META-INF/MANIFEST.MF', data: latin('Manifest-Version: 1.0') }]),
  apk: zip([{ name: 'AndroidManifest.xml', data: latin('x') }]),
  cfb: filled('\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1'),
  html: latin('<!DOCTYPE html><html></html>'),
  xml: latin('<?xml version="1.0"?><a/>'),
  json: latin('{"a":1}'),
  csv: latin('a,b\n1,2\n'),
  markdown: latin('# Title\n'),
  text: latin('plain text\n'),
};
