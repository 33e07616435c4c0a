import { open, type FileHandle } from 'node:fs/promises';
import { Budget, type ArchiveLimits } from './budget.js';
import { damaged, FileView, Finding } from './file-view.js';
import { gunzipping, TarWalker } from './gzip-tar.js';
import { pictureReaders, type Picture } from './images.js';
import { detectKind, HEAD_BYTES, kinds, type Kind } from './kinds.js';
import { checkPdf } from './pdf.js';
import { checkSvg } from './svg.js';
import { isPlainText } from './text-kinds.js';
import { readDirectory, unpackAll, type ZipEntry } from './zip.js';

export interface PictureLimits {
  /** Pixels of one frame. */
  readonly maxPixels: number;
  /** Pixels of all frames together. */
  readonly maxAllPixels: number;
}

export interface InspectParts {
  readonly archives: ArchiveLimits;
  readonly pictures: PictureLimits;
  /** Where nested archives are unpacked to be looked into; whoever made it removes it. */
  readonly scratch: () => string;
}

export interface Inspected {
  readonly kind: Kind;
  readonly picture: Picture | undefined;
}

/** Scripts, pages and PHP inside of something that is none: what a confused server or browser would run. */
const MARKUP = /<script|<\?php|<html|<iframe|<!doctype html|<object\s|<embed\s|javascript:/i;
/** Starts of archives, documents and programs, at least four bytes each. */
const FOREIGN = new RegExp(
  [
    'PK\x03\x04',
    'Rar!\x1a\x07',
    '7z\xbc\xaf\x27\x1c',
    '%PDF-',
    '\x7fELF',
    'MZ\x90\0',
    '<[?]php',
    '\xca\xfe\xba\xbe',
  ].join('|'),
);
const OVERLAP = 32;
const MAX_TEXT_BYTES = 16 * 2 ** 20;

/**
 * Looks into a stored file: what it is, and whether it is only that. Nothing is decoded that could grow beyond the limits.
 * @throws Finding
 */
export async function inspect(
  path: string,
  size: number,
  parts: InspectParts,
  budget = new Budget(parts.archives),
  depth = 0,
): Promise<Inspected> {
  const handle = await open(path, 'r');
  try {
    return await inspectOpen(new FileView(path, size, handle), handle, parts, budget, depth);
  } finally {
    await handle.close();
  }
}

async function inspectOpen(
  file: FileView,
  handle: FileHandle,
  parts: InspectParts,
  budget: Budget,
  depth: number,
): Promise<Inspected> {
  const head = Buffer.from(await file.read(0, HEAD_BYTES));
  const first = detectKind(head);
  if (!first) throw new Finding('content', 'unknown');
  if (first.name === 'zip') return { kind: await inspectZip(file, parts, budget, depth), picture: undefined };
  // A tar holds files as they are, zip files among them; what stands in it is looked at one by one.
  if (first.name !== 'tar') await refuseAppendedZip(file);
  if (first.name !== 'pdf' && head.subarray(0, 1024).includes('%PDF-'))
    throw new Finding('content', 'polyglot');
  if (first.name === 'gzip') await inspectGzip(file, parts, budget, depth);
  if (first.name === 'tar') await inspectTar(file.stream() as AsyncIterable<Buffer>, parts, budget);
  if (first.name === 'pdf') await checkPdf(await whole(file, handle));
  if (first.family === 'text' || first.name === 'html') await checkTextFile(file);
  const picture =
    first.family === 'image' ? await inspectPicture(file, handle, first, parts.pictures) : undefined;
  if (['image', 'audio', 'font'].includes(first.family) && first.name !== 'svg') await refuseMarkup(file);
  return { kind: first, picture };
}

async function inspectPicture(
  file: FileView,
  handle: FileHandle,
  kind: Kind,
  limits: PictureLimits,
): Promise<Picture | undefined> {
  if (kind.name === 'svg') {
    const picture = checkSvg(new TextDecoder('utf-8', { ignoreBOM: true }).decode(await whole(file, handle)));
    checkPixels(picture, limits);
    return picture;
  }
  const read = pictureReaders[kind.name];
  if (!read) return undefined;
  const picture = await read(file);
  checkPixels(picture, limits);
  await checkTrailer(file, kind, picture);
  return picture;
}

function checkPixels({ width, height, frames }: Picture, { maxPixels, maxAllPixels }: PictureLimits): void {
  if (!(width > 0 && height > 0)) damaged();
  if (width * height > maxPixels || width * height * frames > maxAllPixels)
    throw new Finding('size', 'pixels');
}

/**
 * Formats that say where they end, end there. Cameras append previews and films to JPEG, so there only what another program would
 * take for its own is refused.
 */
async function checkTrailer(file: FileView, { name }: Kind, { end }: Picture): Promise<void> {
  if (end === undefined || end === file.size) return;
  if (end > file.size) damaged();
  if (name !== 'jpeg') throw new Finding('content', 'polyglot');
  await search(file.stream(end), FOREIGN);
}

async function refuseMarkup(file: FileView): Promise<void> {
  await search(file.stream(), MARKUP);
}

async function search(stream: AsyncIterable<Buffer>, pattern: RegExp): Promise<void> {
  let before = '';
  for await (const chunk of stream) {
    const text = before + chunk.toString('latin1');
    if (pattern.test(text)) throw new Finding('content', 'polyglot');
    before = text.slice(-OVERLAP);
  }
}

/** A zip directory at the end opens as an archive (and runs as a JAR), whatever the file begins with. */
async function refuseAppendedZip(file: FileView): Promise<void> {
  const length = Math.min(file.size, 65_536);
  const tail = await file.read(file.size - length, length);
  for (
    let i = tail.lastIndexOf('PK\x05\x06', undefined, 'latin1');
    i >= 0;
    i = i === 0 ? -1 : tail.lastIndexOf('PK\x05\x06', i - 1, 'latin1')
  ) {
    if (i + 22 > tail.length) continue;
    const size = tail.readUInt32LE(i + 12);
    const at = file.size - length + i;
    const starts =
      size > 0 && size <= at && (await file.read(at - size, 4)).toString('latin1') === 'PK\x01\x02';
    if (starts || (size === 0 && i + 22 === tail.length)) throw new Finding('content', 'polyglot');
  }
}

async function inspectZip(file: FileView, parts: InspectParts, budget: Budget, depth: number): Promise<Kind> {
  const entries = await readDirectory(file, budget);
  let mimetype = '';
  const nested: { readonly path: string; size: number; readonly kind: Kind }[] = [];
  await unpackAll(file, entries, budget, (entry, head) => {
    if (entry === entries[0] && entry.name === 'mimetype') mimetype = head.toString('latin1').trim();
    const kind = nestedArchive(head, depth, parts);
    if (!kind) return undefined;
    const one = { path: parts.scratch(), size: 0, kind };
    nested.push(one);
    return writing(one);
  });
  for (const { path, size } of nested) await inspect(path, size, parts, budget, depth + 1);
  return kindInside(entries, mimetype);
}

/** The archive that the first bytes show; undefined if they show none. @throws Finding if it lies too deep or cannot be looked into */
function nestedArchive(head: Buffer, depth: number, { archives }: InspectParts): Kind | undefined {
  const kind = detectKind(head.subarray(0, HEAD_BYTES));
  if (kind?.family !== 'archive') return undefined;
  if (kind.opaque || depth >= archives.maxNesting) throw new Finding('content', 'nested');
  return kind;
}

function writing(to: { readonly path: string; size: number }): (chunk: Buffer | undefined) => Promise<void> {
  let handle: FileHandle | undefined;
  return async (chunk) => {
    handle ??= await open(to.path, 'wx', 0o600);
    if (chunk === undefined) return handle.close();
    to.size += chunk.length;
    await handle.write(chunk);
  };
}

async function inspectGzip(
  file: FileView,
  parts: InspectParts,
  budget: Budget,
  depth: number,
): Promise<void> {
  budget.entry();
  let head: Buffer | undefined;
  let tar: TarWalker | undefined;
  let nested: { readonly path: string; size: number } | undefined;
  let write: ((chunk: Buffer | undefined) => Promise<void>) | undefined;
  for await (const chunk of gunzipping(file, budget)) {
    if (!head) {
      head = chunk;
      const kind = detectKind(chunk.subarray(0, HEAD_BYTES));
      if (kind?.name === 'tar') tar = tarWalker(parts, budget);
      else if (nestedArchive(chunk, depth, parts)) {
        nested = { path: parts.scratch(), size: 0 };
        write = writing(nested);
      }
    }
    tar?.push(chunk);
    await write?.(chunk);
  }
  tar?.end();
  await write?.(undefined);
  if (nested) await inspect(nested.path, nested.size, parts, budget, depth + 1);
}

async function inspectTar(stream: AsyncIterable<Buffer>, parts: InspectParts, budget: Budget): Promise<void> {
  const tar = tarWalker(parts, budget);
  for await (const chunk of stream) {
    budget.spend(chunk.length, 0, 0);
    tar.push(chunk);
  }
  tar.end();
}

/** Files in a tar are not written out, so archives among them are refused. */
function tarWalker(parts: InspectParts, budget: Budget): TarWalker {
  return new TarWalker(budget, (head) => void nestedArchive(head, parts.archives.maxNesting, parts));
}

/** What a zip file is by what is in it. */
function kindInside(entries: readonly ZipEntry[], mimetype: string): Kind {
  const names = new Set(entries.map(({ name }) => name));
  const some = (test: RegExp): boolean => entries.some(({ name }) => test.test(name));
  const found = (name: string): Kind => kinds.get(name)!;
  if (names.has('[Content_Types].xml')) {
    if (some(/(?:^|\/)(?:vbaProject\.bin|vbaData\.xml)$/i) || some(/\/(?:activeX|macrosheets)\//i))
      return found('ooxml-macros');
    if (some(/^word\//)) return found('docx');
    if (some(/^xl\//)) return found('xlsx');
    if (some(/^ppt\//)) return found('pptx');
  }
  const odf = /^application\/vnd\.oasis\.opendocument\.(text|spreadsheet|presentation)$/.exec(mimetype);
  if (odf) {
    // Basic and scripts travel in folders of these names.
    if (some(/^(?:Basic|Scripts)\//)) throw new Finding('content', 'active');
    return found({ text: 'odt', spreadsheet: 'ods', presentation: 'odp' }[odf[1]!]!);
  }
  if (mimetype === 'application/epub+zip') return found('epub');
  if (names.has('AndroidManifest.xml')) return found('apk');
  if (some(/^META-INF\/MANIFEST\.MF$/i) || some(/\.class$/i)) return found('jar');
  return found('zip');
}

/** All of a text file is text: no control characters, valid UTF-8. */
async function checkTextFile(file: FileView): Promise<void> {
  const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  const check = (text: string): void => {
    if (!isPlainText(text)) throw new Finding('content', 'encoding');
  };
  for await (const chunk of file.stream()) check(decoder.decode(chunk as Buffer, { stream: true }));
  check(decoder.decode());
}

async function whole(file: FileView, handle: FileHandle): Promise<Buffer> {
  if (file.size > MAX_TEXT_BYTES) throw new Finding('size', 'document');
  const bytes = Buffer.allocUnsafe(file.size);
  const { bytesRead } = await handle.read(bytes, 0, file.size, 0);
  return bytesRead === file.size ? bytes : damaged();
}
