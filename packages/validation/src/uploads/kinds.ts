import { isSvg, textKindOf } from './text-kinds.js';

export type KindFamily =
  'image' | 'audio' | 'video' | 'archive' | 'document' | 'font' | 'text' | 'program' | 'data';

/** A kind of file, recognised by its content. */
export interface Kind {
  readonly name: string;
  /** The media type that it is stored and served as. */
  readonly type: string;
  /** Other media types that clients declare for it. */
  readonly aliases: readonly string[];
  /** Lower-case, without the dot. */
  readonly extensions: readonly string[];
  readonly family: KindFamily;
  /** The kind that its bytes show at first sight, where a closer look is needed to tell it apart. */
  readonly inside?: 'zip' | 'text' | 'cfb';
  /** Its content cannot be looked into here: archives without a decoder, encrypted or macro formats. */
  readonly opaque?: true;
}

type Signature = (head: Buffer) => boolean;
type Row = readonly [kind: Kind, signature?: Signature];

const k = (
  name: string,
  family: KindFamily,
  type: string,
  extensions: string,
  rest: Partial<Pick<Kind, 'aliases' | 'inside' | 'opaque'>> = {},
): Kind => ({ name, family, type, extensions: extensions.split(' '), aliases: [], ...rest });

/** Bytes at an offset: a text is Latin-1, so that '\x89PNG' reads as it is written down elsewhere. */
const at =
  (offset: number, ...texts: readonly string[]): Signature =>
  (head) =>
    texts.some((text) => head.toString('latin1', offset, offset + text.length) === text);
const both =
  (...signatures: readonly Signature[]): Signature =>
  (head) =>
    signatures.every((one) => one(head));
/** The brands of an ISO base media file: the major one, and the compatible ones. */
const brand =
  (...brands: readonly string[]): Signature =>
  (head) => {
    if (head.toString('latin1', 4, 8) !== 'ftyp') return false;
    const end = Math.min(head.readUInt32BE(0), head.length, 256);
    const found = [head.toString('latin1', 8, 12)];
    for (let i = 16; i + 4 <= end; i += 4) found.push(head.toString('latin1', i, i + 4));
    return (
      brands.includes(found[0]!) ||
      (['mif1', 'msf1'].includes(found[0]!) && found.some((one) => brands.includes(one)))
    );
  };
const ole = at(0, '\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1');
const zip = at(0, 'PK\x03\x04', 'PK\x05\x06');
const ebml = at(0, '\x1a\x45\xdf\xa3');

/** In the order in which they are tried: the narrow before the wide. */
const ROWS: readonly Row[] = [
  [
    k('png', 'image', 'image/png', 'png apng', { aliases: ['image/apng', 'image/x-png'] }),
    at(0, '\x89PNG\r\n\x1a\n'),
  ],
  [
    k('jpeg', 'image', 'image/jpeg', 'jpg jpeg jpe jfif', { aliases: ['image/jpg', 'image/pjpeg'] }),
    at(0, '\xff\xd8\xff'),
  ],
  [k('gif', 'image', 'image/gif', 'gif'), at(0, 'GIF87a', 'GIF89a')],
  [k('webp', 'image', 'image/webp', 'webp'), both(at(0, 'RIFF'), at(8, 'WEBP'))],
  [k('avif', 'image', 'image/avif', 'avif'), brand('avif', 'avis')],
  [
    k('heic', 'image', 'image/heic', 'heic heif', {
      aliases: ['image/heif', 'image/heic-sequence', 'image/heif-sequence'],
    }),
    brand('heic', 'heix', 'hevc', 'heim', 'heis', 'mif1', 'msf1'),
  ],
  [
    k('bmp', 'image', 'image/bmp', 'bmp dib', { aliases: ['image/x-ms-bmp', 'image/x-bmp'] }),
    (head) =>
      at(0, 'BM')(head) && head.length > 18 && [12, 40, 52, 56, 64, 108, 124].includes(head.readUInt32LE(14)),
  ],
  [k('tiff', 'image', 'image/tiff', 'tif tiff'), at(0, 'II*\0', 'MM\0*')],
  [
    k('ico', 'image', 'image/vnd.microsoft.icon', 'ico', { aliases: ['image/x-icon', 'image/ico'] }),
    (head) => at(0, '\0\0\x01\0')(head) && head.length > 22 && head.readUInt16LE(4) > 0 && head[9] === 0,
  ],
  [
    k('psd', 'image', 'image/vnd.adobe.photoshop', 'psd', {
      aliases: ['image/x-photoshop', 'application/x-photoshop'],
    }),
    at(0, '8BPS\0\x01'),
  ],
  [
    k('jp2', 'image', 'image/jp2', 'jp2 jpx', { aliases: ['image/jpx', 'image/jpeg2000'] }),
    at(0, '\0\0\0\x0cjP  \r\n\x87\n'),
  ],
  [k('jxl', 'image', 'image/jxl', 'jxl', { opaque: true }), at(0, '\xff\x0a', '\0\0\0\x0cJXL \r\n\x87\n')],
  [k('pdf', 'document', 'application/pdf', 'pdf', { aliases: ['application/x-pdf'] }), at(0, '%PDF-')],
  [k('rtf', 'document', 'application/rtf', 'rtf', { aliases: ['text/rtf'], opaque: true }), at(0, '{\\rtf')],
  [
    k('postscript', 'document', 'application/postscript', 'ps eps', { opaque: true }),
    at(0, '%!PS', '\xc5\xd0\xd3\xc6'),
  ],
  [
    k('gzip', 'archive', 'application/gzip', 'gz tgz', {
      aliases: ['application/x-gzip', 'application/x-tgz', 'application/x-compressed-tar'],
    }),
    at(0, '\x1f\x8b\x08'),
  ],
  [
    k('bzip2', 'archive', 'application/x-bzip2', 'bz2 tbz2', {
      aliases: ['application/bzip2', 'application/x-bzip'],
      opaque: true,
    }),
    (head) => at(0, 'BZh')(head) && at(4, '1AY&SY', '\x17\x72\x45\x38')(head),
  ],
  [k('xz', 'archive', 'application/x-xz', 'xz txz', { opaque: true }), at(0, '\xfd7zXZ\0')],
  [
    k('zstd', 'archive', 'application/zstd', 'zst', { aliases: ['application/x-zstd'], opaque: true }),
    at(0, '\x28\xb5\x2f\xfd'),
  ],
  [k('lz4', 'archive', 'application/x-lz4', 'lz4', { opaque: true }), at(0, '\x04\x22\x4d\x18')],
  [k('7z', 'archive', 'application/x-7z-compressed', '7z', { opaque: true }), at(0, '7z\xbc\xaf\x27\x1c')],
  [
    k('rar', 'archive', 'application/vnd.rar', 'rar', {
      aliases: ['application/x-rar-compressed', 'application/x-rar'],
      opaque: true,
    }),
    at(0, 'Rar!\x1a\x07'),
  ],
  [k('cab', 'archive', 'application/vnd.ms-cab-compressed', 'cab', { opaque: true }), at(0, 'MSCF\0\0\0\0')],
  [k('rpm', 'program', 'application/x-rpm', 'rpm', { opaque: true }), at(0, '\xed\xab\xee\xdb')],
  [
    k('ar', 'archive', 'application/x-archive', 'a deb ar', {
      aliases: ['application/vnd.debian.binary-package'],
      opaque: true,
    }),
    at(0, '!<arch>\n'),
  ],
  [k('tar', 'archive', 'application/x-tar', 'tar'), at(257, 'ustar')],
  [
    k('wav', 'audio', 'audio/wav', 'wav', { aliases: ['audio/x-wav', 'audio/wave', 'audio/vnd.wave'] }),
    both(at(0, 'RIFF'), at(8, 'WAVE')),
  ],
  [
    k('mp3', 'audio', 'audio/mpeg', 'mp3', { aliases: ['audio/mp3'] }),
    (head) => (at(0, 'ID3')(head) && head[3]! < 16) || isMpegAudio(head),
  ],
  [
    k('aac', 'audio', 'audio/aac', 'aac', { aliases: ['audio/x-aac'] }),
    (head) => head[0] === 0xff && (head[1]! & 0xf6) === 0xf0,
  ],
  [k('flac', 'audio', 'audio/flac', 'flac', { aliases: ['audio/x-flac'] }), at(0, 'fLaC')],
  [
    k('ogg', 'audio', 'audio/ogg', 'ogg oga opus ogv', {
      aliases: ['application/ogg', 'video/ogg', 'audio/opus'],
    }),
    at(0, 'OggS\0'),
  ],
  [
    k('aiff', 'audio', 'audio/aiff', 'aif aiff', { aliases: ['audio/x-aiff'] }),
    both(at(0, 'FORM'), at(8, 'AIFF', 'AIFC')),
  ],
  [k('midi', 'audio', 'audio/midi', 'mid midi', { aliases: ['audio/x-midi'] }), at(0, 'MThd\0\0\0\x06')],
  [k('amr', 'audio', 'audio/amr', 'amr'), at(0, '#!AMR')],
  [
    k('m4a', 'audio', 'audio/mp4', 'm4a m4b', { aliases: ['audio/x-m4a', 'audio/m4a'] }),
    brand('M4A ', 'M4B '),
  ],
  [
    k('3gp', 'video', 'video/3gpp', '3gp 3g2', { aliases: ['video/3gpp2'] }),
    brand('3gp4', '3gp5', '3gp6', '3g2a'),
  ],
  [
    k('mov', 'video', 'video/quicktime', 'mov qt'),
    (head) => brand('qt  ')(head) || at(4, 'moov', 'wide')(head),
  ],
  [
    k('mp4', 'video', 'video/mp4', 'mp4 m4v', { aliases: ['video/x-m4v'] }),
    brand('isom', 'iso2', 'iso3', 'iso4', 'iso5', 'iso6', 'mp41', 'mp42', 'avc1', 'M4V ', 'dash', 'MSNV'),
  ],
  [
    k('webm', 'video', 'video/webm', 'webm', { aliases: ['audio/webm'] }),
    (head) => ebml(head) && head.subarray(0, 128).includes('webm'),
  ],
  [
    k('matroska', 'video', 'video/x-matroska', 'mkv mka', {
      aliases: ['video/matroska', 'audio/x-matroska'],
    }),
    ebml,
  ],
  [
    k('avi', 'video', 'video/x-msvideo', 'avi', { aliases: ['video/avi', 'video/msvideo'] }),
    both(at(0, 'RIFF'), at(8, 'AVI ')),
  ],
  [k('flv', 'video', 'video/x-flv', 'flv'), at(0, 'FLV\x01')],
  [k('mpeg', 'video', 'video/mpeg', 'mpg mpeg'), at(0, '\0\0\x01\xba', '\0\0\x01\xb3')],
  [
    k('mpegts', 'video', 'video/mp2t', 'ts mts m2ts'),
    (head) => head[0] === 0x47 && head[188] === 0x47 && head[376] === 0x47,
  ],
  [
    k('asf', 'video', 'video/x-ms-asf', 'wmv wma asf', { aliases: ['video/x-ms-wmv', 'audio/x-ms-wma'] }),
    at(0, '\x30\x26\xb2\x75\x8e\x66\xcf\x11'),
  ],
  [k('woff', 'font', 'font/woff', 'woff', { aliases: ['application/font-woff'] }), at(0, 'wOFF')],
  [k('woff2', 'font', 'font/woff2', 'woff2', { aliases: ['application/font-woff2'] }), at(0, 'wOF2')],
  [
    k('otf', 'font', 'font/otf', 'otf', {
      aliases: ['application/vnd.ms-opentype', 'application/x-font-otf'],
    }),
    at(0, 'OTTO\0'),
  ],
  [
    k('ttf', 'font', 'font/ttf', 'ttf', { aliases: ['application/x-font-ttf', 'font/sfnt'] }),
    (head) => at(0, '\0\x01\0\0\0')(head) && head.length > 12,
  ],
  [
    k('sqlite', 'data', 'application/vnd.sqlite3', 'sqlite sqlite3 db', {
      aliases: ['application/x-sqlite3'],
    }),
    at(0, 'SQLite format 3\0'),
  ],
  [k('parquet', 'data', 'application/vnd.apache.parquet', 'parquet'), at(0, 'PAR1')],
  [k('pcap', 'data', 'application/vnd.tcpdump.pcap', 'pcap'), at(0, '\xd4\xc3\xb2\xa1', '\xa1\xb2\xc3\xd4')],
  [k('wasm', 'program', 'application/wasm', 'wasm'), at(0, '\0asm')],
  [
    k('elf', 'program', 'application/x-elf', 'elf so o', {
      aliases: ['application/x-executable', 'application/x-sharedlib'],
    }),
    at(0, '\x7fELF'),
  ],
  [
    k('exe', 'program', 'application/vnd.microsoft.portable-executable', 'exe dll', {
      aliases: ['application/x-msdownload', 'application/x-dosexec'],
    }),
    both(at(0, 'MZ'), (head) => head.subarray(0, 64).includes(0)),
  ],
  [
    k('macho', 'program', 'application/x-mach-binary', 'dylib macho'),
    at(0, '\xfe\xed\xfa\xce', '\xfe\xed\xfa\xcf', '\xce\xfa\xed\xfe', '\xcf\xfa\xed\xfe'),
  ],
  [k('class', 'program', 'application/java-vm', 'class'), at(0, '\xca\xfe\xba\xbe')],
  [k('lnk', 'program', 'application/x-ms-shortcut', 'lnk'), at(0, 'L\0\0\0\x01\x14\x02\0')],
  [k('swf', 'program', 'application/x-shockwave-flash', 'swf'), at(0, 'FWS', 'CWS', 'ZWS')],
  [
    k('script', 'program', 'text/x-shellscript', 'sh bash py pl', { aliases: ['application/x-sh'] }),
    at(0, '#!'),
  ],
  [
    k('php', 'program', 'application/x-httpd-php', 'php phtml phar', { aliases: ['text/x-php'] }),
    (head) => /^\s*<\?php/i.test(head.toString('latin1', 0, 64)),
  ],
  // What stands inside of another kind comes after a closer look.
  [k('zip', 'archive', 'application/zip', 'zip', { aliases: ['application/x-zip-compressed'] }), zip],
  [
    k('docx', 'document', 'application/vnd.openxmlformats-officedocument.wordprocessingml.document', 'docx', {
      inside: 'zip',
    }),
  ],
  [
    k('xlsx', 'document', 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet', 'xlsx', {
      inside: 'zip',
    }),
  ],
  [
    k(
      'pptx',
      'document',
      'application/vnd.openxmlformats-officedocument.presentationml.presentation',
      'pptx',
      { inside: 'zip' },
    ),
  ],
  [
    k('ooxml-macros', 'program', 'application/vnd.ms-word.document.macroenabled.12', 'docm xlsm pptm', {
      inside: 'zip',
    }),
  ],
  [k('odt', 'document', 'application/vnd.oasis.opendocument.text', 'odt', { inside: 'zip' })],
  [k('ods', 'document', 'application/vnd.oasis.opendocument.spreadsheet', 'ods', { inside: 'zip' })],
  [k('odp', 'document', 'application/vnd.oasis.opendocument.presentation', 'odp', { inside: 'zip' })],
  [k('epub', 'document', 'application/epub+zip', 'epub', { inside: 'zip' })],
  [
    k('jar', 'program', 'application/java-archive', 'jar war ear', {
      aliases: ['application/x-java-archive'],
      inside: 'zip',
    }),
  ],
  [k('apk', 'program', 'application/vnd.android.package-archive', 'apk', { inside: 'zip' })],
  [
    k('cfb', 'document', 'application/x-ole-storage', 'doc xls ppt msg msi', {
      aliases: [
        'application/msword',
        'application/vnd.ms-excel',
        'application/vnd.ms-powerpoint',
        'application/vnd.ms-outlook',
      ],
      opaque: true,
    }),
    ole,
  ],
  [k('svg', 'image', 'image/svg+xml', 'svg')],
  [k('html', 'program', 'text/html', 'html htm xhtml', { aliases: ['application/xhtml+xml'] })],
  [k('xml', 'text', 'application/xml', 'xml', { aliases: ['text/xml'] })],
  [k('json', 'text', 'application/json', 'json', { aliases: ['text/json'], inside: 'text' })],
  [
    k('csv', 'text', 'text/csv', 'csv', {
      aliases: ['application/csv', 'application/vnd.ms-excel'],
      inside: 'text',
    }),
  ],
  [k('markdown', 'text', 'text/markdown', 'md markdown', { aliases: ['text/x-markdown'], inside: 'text' })],
  [k('text', 'text', 'text/plain', 'txt text log')],
];

/** All kinds by name. */
export const kinds: ReadonlyMap<string, Kind> = new Map(ROWS.map(([kind]) => [kind.name, kind]));

/** Bytes from the start that {@link detectKind} wants to see. */
export const HEAD_BYTES = 4096;

/**
 * The kind that the first bytes show, or undefined. Zip-based documents are `zip` here, and every text without markup is `text`:
 * a closer look tells them apart.
 */
export function detectKind(head: Buffer): Kind | undefined {
  if (head.length === 0) return undefined;
  for (const [kind, signature] of ROWS) if (signature?.(head)) return kind;
  if (isSvg(head)) return kinds.get('svg');
  const text = textKindOf(head);
  return text && kinds.get(text);
}

/** Layer I to III frames: sync, no reserved version, layer, bit rate and sampling rate. */
function isMpegAudio(head: Buffer): boolean {
  if (head.length < 4 || head[0] !== 0xff || (head[1]! & 0xe0) !== 0xe0) return false;
  const [version, layer] = [(head[1]! >> 3) & 3, (head[1]! >> 1) & 3];
  return (
    version !== 1 && layer !== 0 && head[2]! >> 4 !== 15 && head[2]! >> 4 !== 0 && ((head[2]! >> 2) & 3) !== 3
  );
}
