import { promisify } from 'node:util';
import { inflate as inflateCallback } from 'node:zlib';
import { Finding } from './file-view.js';

const inflate = promisify(inflateCallback);

/**
 * Names of actions and contents that run, fetch, send or carry something (ISO 32000-1 12.6, 7.11, 13). Searched for in the
 * whole file: which bytes belong to a stream is what a hostile file lies about. All are too long to occur by chance in pixels.
 */
const ACTIVE =
  /\/(?:(?:JavaScript|Launch|EmbeddedFiles?|RichMedia|ImportData|SubmitForm|GoTo[ER]|Rendition|Movie|Sound)(?![A-Za-z0-9])|XFA(?=[\s[]))/;
const MAX_STREAMS = 20_000;
const MAX_STREAM_BYTES = 16 * 2 ** 20;

/**
 * Looks for what a PDF does by itself: in its own bytes, and in its compressed object streams, with names written in
 * hexadecimal read as names. Encrypted ones cannot be looked into and are refused. What a viewer makes of a broken file may still
 * differ: hand PDFs out as downloads ({@link downloadHeaders} does).
 * @throws Finding
 */
export async function checkPdf(bytes: Buffer): Promise<void> {
  const text = bytes.toString('latin1');
  const plain = plainNames(text);
  if (/\/Encrypt(?![A-Za-z0-9])/.test(plain)) throw new Finding('content', 'encrypted');
  if (ACTIVE.test(plain)) throw new Finding('content', 'active');
  let [left, count] = [MAX_STREAM_BYTES * 4, 0];
  for (const { dictionary, from, to } of streams(text)) {
    if (++count > MAX_STREAMS) throw new Finding('size', 'entries');
    if (!/\/ObjStm(?![A-Za-z0-9])/.test(plainNames(dictionary))) continue;
    const unpacked = await unpack(bytes.subarray(from, to), dictionary, left);
    left -= unpacked.length;
    if (left <= 0) throw new Finding('size', 'unpacked');
    if (ACTIVE.test(plainNames(unpacked.toString('latin1')))) throw new Finding('content', 'active');
  }
}

/** `/J#61vaScript` is `/JavaScript` (7.3.5). */
function plainNames(text: string): string {
  return text.replaceAll(/#([0-9a-fA-F]{2})/g, (_all, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

function* streams(
  text: string,
): Generator<{ readonly dictionary: string; readonly from: number; readonly to: number }> {
  for (let at = text.indexOf('stream'); at >= 0; at = text.indexOf('stream', at)) {
    if (text.slice(at - 3, at) === 'end') {
      at += 6;
      continue;
    }
    const from = at + 6 + (text[at + 6] === '\r' ? 1 : 0) + (/\n/.test(text.slice(at + 6, at + 8)) ? 1 : 0);
    const end = text.indexOf('endstream', from);
    const to = end < 0 ? text.length : end;
    const before = text.slice(Math.max(0, at - 2048), at);
    yield { dictionary: before.slice(Math.max(0, before.lastIndexOf(' obj'))), from, to };
    at = to + 9;
  }
}

async function unpack(bytes: Buffer, dictionary: string, left: number): Promise<Buffer> {
  const filters =
    plainNames(dictionary).match(
      /\/(?:FlateDecode|Fl|ASCIIHexDecode|ASCII85Decode|LZWDecode|RunLengthDecode)(?![A-Za-z0-9])/g,
    ) ?? [];
  if (filters.length === 0) return bytes;
  // Writers use deflate; whoever uses something else for objects hides them.
  if (filters.length > 1 || !/Fl/.test(filters[0]!)) throw new Finding('content', 'method');
  try {
    return await inflate(bytes, { maxOutputLength: Math.min(left, MAX_STREAM_BYTES), finishFlush: 2 });
  } catch (error) {
    const tooLong = (error as { code?: string }).code === 'ERR_BUFFER_TOO_LARGE';
    throw tooLong ? new Finding('size', 'unpacked') : new Finding('content', 'damaged');
  }
}
