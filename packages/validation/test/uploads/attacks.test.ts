import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { onBothExpress } from '@portcullis/test-support';
import { readFileSync, statSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import {
  avif,
  bmp,
  docx,
  gif,
  ico,
  jp2,
  jpeg,
  latin,
  odf,
  pdf,
  pdfObjectStream,
  png,
  psd,
  samples,
  svg,
  tar,
  tiff,
  wav,
  webp,
  zip,
} from './files.js';
import { anyOf, multipart, station, type Station } from './harness.js';

const MEDIA = [
  'png',
  'jpeg',
  'gif',
  'webp',
  'avif',
  'heic',
  'bmp',
  'tiff',
  'ico',
  'psd',
  'jp2',
  'svg',
  'pdf',
  'wav',
  'mp4',
  'zip',
  'docx',
  'odt',
  'gzip',
  'tar',
  'csv',
  'json',
  'text',
  'xml',
  'woff',
];
const zeros = (n: number): Buffer => Buffer.alloc(n);
const large = gzipSync(zeros(400_000_000), { level: 1 });
const rubbish = Buffer.from(large.map((_byte, i) => Math.imul(i, 2_654_435_761) >>> 24));
const typeOf: Readonly<Record<string, string>> = {
  ...{
    png: 'image/png',
    jpg: 'image/jpeg',
    gif: 'image/gif',
    webp: 'image/webp',
    avif: 'image/avif',
    bmp: 'image/bmp',
    tiff: 'image/tiff',
    ico: 'image/x-icon',
  },
  ...{
    psd: 'image/vnd.adobe.photoshop',
    jp2: 'image/jp2',
    svg: 'image/svg+xml',
    pdf: 'application/pdf',
    zip: 'application/zip',
    gz: 'application/gzip',
  },
  ...{ tar: 'application/x-tar', wav: 'audio/wav', csv: 'text/csv', txt: 'text/plain', woff: 'font/woff' },
  ...{
    docx: 'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
    odt: 'application/vnd.oasis.opendocument.text',
  },
};

type Attack = readonly [name: string, extension: string, data: Buffer, status: number, reason: string];

const pixelBombs: readonly Attack[] = [
  ['PNG of 65535 by 65535', 'png', png({ width: 65_535, height: 65_535 }), 413, 'pixels'],
  ['PNG of 2^31 by 2^31', 'png', png({ width: 2 ** 31, height: 2 ** 31 }), 413, 'pixels'],
  [
    'animated PNG of a million frames',
    'png',
    png({ width: 1000, height: 1000, frames: 1_000_000 }),
    413,
    'pixels',
  ],
  ['JPEG of 65535 by 65535', 'jpg', jpeg({ width: 65_535, height: 65_535 }), 413, 'pixels'],
  ['GIF of 65535 by 65535', 'gif', gif({ width: 65_535, height: 65_535 }), 413, 'pixels'],
  [
    'GIF whose frame is larger than its screen',
    'gif',
    gif({ width: 1, height: 60_000, frameWidth: 60_000 }),
    413,
    'pixels',
  ],
  [
    'GIF of many frames',
    'gif',
    gif({ width: 5000, height: 5000, frames: 20, frameWidth: 5000 }),
    413,
    'pixels',
  ],
  ['WebP (extended) of 16384 by 16384', 'webp', webp({ width: 16_384, height: 16_384 }), 413, 'pixels'],
  [
    'WebP (lossless) of 16384 by 16384',
    'webp',
    webp({ width: 16_384, height: 16_384, form: 'VP8L' }),
    413,
    'pixels',
  ],
  [
    'WebP (lossy) of 16383 by 16383',
    'webp',
    webp({ width: 16_383, height: 16_383, form: 'VP8 ' }),
    413,
    'pixels',
  ],
  ['WebP animation', 'webp', webp({ width: 4000, height: 4000, frames: 100 }), 413, 'pixels'],
  ['AVIF of 65535 by 65535', 'avif', avif({ width: 65_535, height: 65_535 }), 413, 'pixels'],
  ['BMP of 60000 by 60000', 'bmp', bmp({ width: 60_000, height: 60_000 }), 413, 'pixels'],
  ['TIFF of 60000 by 60000', 'tiff', tiff({ width: 60_000, height: 60_000 }), 413, 'pixels'],
  ['TIFF whose directories go round', 'tiff', tiff({ loop: true }), 422, 'damaged'],
  [
    'icon that holds a PNG of 65535 by 65535',
    'ico',
    ico({ inner: png({ width: 65_535, height: 65_535 }) }),
    413,
    'pixels',
  ],
  ['PSD of 300000 by 300000', 'psd', psd({ width: 300_000, height: 300_000 }), 413, 'pixels'],
  ['JPEG 2000 of 100000 by 100000', 'jp2', jp2({ width: 100_000, height: 100_000 }), 413, 'pixels'],
  ['SVG of a million by a million', 'svg', svg('', 'width="1000000" height="1000000"'), 413, 'pixels'],
  ['SVG by its view box', 'svg', svg('', 'viewBox="0 0 1e6 1e6"'), 413, 'pixels'],
  ['PNG without width', 'png', png({ width: 0 }), 422, 'damaged'],
  ['PNG cut in the middle', 'png', png().subarray(0, 50), 422, 'damaged'],
  ['JPEG without end', 'jpg', jpeg().subarray(0, -2), 422, 'damaged'],
  ['JPEG without frame', 'jpg', latin('\xff\xd8\xff\xd9'), 422, 'damaged'],
];

const overlapping = (): Buffer => {
  const data = zeros(5_000_000);
  return zip([
    { name: 'a', data },
    ...Array.from({ length: 30 }, (_, i) => ({ name: `b${i}`, data, at: 0 })),
  ]);
};
const bombs: readonly Attack[] = [
  ['zip of 1:1000', 'zip', zip([{ name: 'a', data: zeros(20_000_000) }]), 413, 'ratio'],
  [
    'zip that says how large it is',
    'zip',
    zip([{ name: 'a', data: Buffer.from('a'), declared: 2 ** 31 }]),
    413,
    'unpacked',
  ],
  [
    'zip that says less than it unpacks to',
    'zip',
    zip([{ name: 'a', data: zeros(5_000_000), declared: 100 }]),
    422,
    'undeclared',
  ],
  [
    'small zip entry that says less',
    'zip',
    zip([{ name: 'a', data: zeros(5000), declared: 100 }]),
    422,
    'undeclared',
  ],
  ['zip of overlapping entries (Fifield 2019)', 'zip', overlapping(), 422, 'overlap'],
  [
    'zip of 20,000 entries',
    'zip',
    zip(Array.from({ length: 20_000 }, (_, i) => ({ name: `f${i}`, store: true }))),
    413,
    'entries',
  ],
  [
    'zip in zip in zip (42.zip)',
    'zip',
    zip([{ name: 'b.zip', data: zip([{ name: 'c.zip', data: zip([{ name: 'd', data: zeros(100) }]) }]) }]),
    422,
    'nested',
  ],
  [
    'zip bomb in a zip',
    'zip',
    zip([{ name: 'b.zip', data: zip([{ name: 'c', data: zeros(20_000_000) }]), store: true }]),
    413,
    'ratio',
  ],
  [
    '7z in a zip, which cannot be looked into',
    'zip',
    zip([{ name: 'b.7z', data: samples['7z']! }]),
    422,
    'nested',
  ],
  ['docx bomb', 'docx', docx([{ name: 'word/media/a.bin', data: zeros(20_000_000) }]), 413, 'ratio'],
  ['gzip of 1:1000', 'gz', gzipSync(zeros(20_000_000)), 413, 'ratio'],
  [
    'gzip of many members',
    'gz',
    Buffer.concat(Array.from({ length: 300 }, () => gzipSync(zeros(1_000_000)))),
    413,
    'ratio',
  ],
  ['gzip in gzip in gzip', 'gz', gzipSync(gzipSync(gzipSync('a'))), 422, 'nested'],
  ['tar.gz bomb', 'gz', gzipSync(tar([{ name: 'a', data: zeros(20_000_000) }])), 413, 'ratio'],
  [
    'encrypted zip, which cannot be looked into',
    'zip',
    zip([{ name: 'a', data: Buffer.from('a'), flags: 1 }]),
    422,
    'encrypted',
  ],
  [
    'zip by another method (LZMA)',
    'zip',
    zip([{ name: 'a', data: Buffer.from('a'), method: 14 }]),
    422,
    'method',
  ],
  [
    'zip with a wrong checksum',
    'zip',
    zip([{ name: 'a', data: Buffer.from('abc'), crc: 1 }]),
    422,
    'damaged',
  ],
  [
    'zip cut at its end',
    'zip',
    zip([{ name: 'a', data: Buffer.from('abc') }]).subarray(0, -10),
    422,
    'damaged',
  ],
  ['damaged gzip', 'gz', gzipSync(Buffer.from('abc')).fill(7, 12), 422, 'damaged'],
];

const slips: readonly Attack[] = [
  ...[
    '../evil',
    'a/../../evil',
    '/etc/passwd',
    '..\\evil',
    'C:\\evil',
    'C:evil',
    'a\0b',
    '\\\\host\\share',
    'a/.. /b',
    'a\u202etxt.exe',
  ].map((name): Attack => [
    `zip entry ${JSON.stringify(name)}`,
    'zip',
    zip([{ name, data: Buffer.from('a') }]),
    422,
    'entry-name',
  ]),
  [
    'zip entry whose local name differs',
    'zip',
    zip([{ name: 'good', localName: '../evil', data: Buffer.from('a') }]),
    422,
    'entry-twice',
  ],
  [
    'two zip entries of one name',
    'zip',
    zip([
      { name: 'a', data: Buffer.from('1') },
      { name: 'A', data: Buffer.from('2') },
    ]),
    422,
    'entry-twice',
  ],
  [
    'ASVS V5.2.5: symbolic link in a zip',
    'zip',
    zip([{ name: 'link', data: Buffer.from('/etc/passwd'), unixMode: 0o120777, store: true }]),
    422,
    'link',
  ],
  ['device in a zip', 'zip', zip([{ name: 'dev', unixMode: 0o060666 }]), 422, 'link'],
  [
    'tar entry that leads out',
    'tar',
    tar([{ name: '../../evil', data: Buffer.from('a') }]),
    422,
    'entry-name',
  ],
  ['tar entry with an absolute path', 'tar', tar([{ name: '/etc/cron.d/x' }]), 422, 'entry-name'],
  ['ASVS V5.2.5: symbolic link in a tar', 'tar', tar([{ name: 'a', type: '2', link: '/etc' }]), 422, 'link'],
  ['hard link in a tar', 'tar', tar([{ name: 'a', type: '1', link: '/etc/passwd' }]), 422, 'link'],
  ['device in a tar', 'tar', tar([{ name: 'a', type: '4' }]), 422, 'link'],
  [
    'long name (GNU) that leads out',
    'tar',
    tar([{ name: '././@LongLink', type: 'L', data: Buffer.from('../../evil\0') }, { name: 'x' }]),
    422,
    'entry-name',
  ],
  [
    'pax path that leads out',
    'tar',
    tar([{ name: 'PaxHeader', type: 'x', data: Buffer.from('22 path=../../../evil\n') }, { name: 'x' }]),
    422,
    'entry-name',
  ],
  ['link in a tar.gz', 'gz', gzipSync(tar([{ name: 'a', type: '2', link: '/etc' }])), 422, 'link'],
  [
    'zip in a tar',
    'tar',
    tar([{ name: 'a.zip', data: zip([{ name: 'x', data: zeros(10) }]) }]),
    422,
    'nested',
  ],
];

const jar = zip([
  { name: 'META-INF/MANIFEST.MF', data: Buffer.from('Manifest-Version: 1.0') },
  { name: 'Evil.class', data: Buffer.from('x') },
]);
const shifted = (before: Buffer): Buffer => zip([{ name: 'Evil.class', data: Buffer.from('x') }], { before });
const polyglots: readonly Attack[] = [
  ['GIFAR: a GIF that is a JAR', 'gif', Buffer.concat([gif(), jar]), 422, 'polyglot'],
  ['GIFAR with right offsets', 'gif', shifted(gif()), 422, 'polyglot'],
  ['PNG that is a zip file', 'png', Buffer.concat([png(), jar]), 422, 'polyglot'],
  ['JPEG that is a zip file', 'jpg', Buffer.concat([jpeg(), jar]), 422, 'polyglot'],
  ['PDF that is a zip file', 'pdf', Buffer.concat([pdf(), jar]), 422, 'polyglot'],
  ['WAV that is a JAR', 'wav', Buffer.concat([wav(), jar]), 422, 'polyglot'],
  ['film that is a zip file', 'mp4', Buffer.concat([samples['mp4']!, jar]), 422, 'polyglot'],
  [
    'zip file with a program before it',
    'zip',
    zip([{ name: 'a', data: Buffer.from('a') }], { before: Buffer.from('PK\x03\x04 something else ') }),
    422,
    'polyglot',
  ],
  [
    'zip file with bytes behind it',
    'zip',
    Buffer.concat([zip([{ name: 'a', data: Buffer.from('a') }]), Buffer.from('<script>')]),
    422,
    'damaged',
  ],
  [
    'PNG with a page in a comment',
    'png',
    png({ extra: [['tEXt', Buffer.from('Comment\0<script>alert(1)</script>')]] }),
    422,
    'polyglot',
  ],
  [
    'PNG with a page behind it',
    'png',
    Buffer.concat([png(), Buffer.from('<html><script>alert(1)</script>')]),
    422,
    'polyglot',
  ],
  [
    'PNG with PHP in it',
    'png',
    png({ extra: [['tEXt', Buffer.from('Comment\0<?php system($_GET[0]);?>')]] }),
    422,
    'polyglot',
  ],
  [
    'GIF with a script behind it',
    'gif',
    Buffer.concat([gif(), Buffer.from('/*<script>*/alert(1)')]),
    422,
    'polyglot',
  ],
  ['GIF89a that is JavaScript', 'gif', Buffer.from('GIF89a=1;alert(1)//'), 422, 'damaged'],
  ['JPEG with PHP in a comment', 'jpg', jpeg({ comment: '<?php phpinfo();' }), 422, 'polyglot'],
  ['JPEG with a program behind it', 'jpg', Buffer.concat([jpeg(), latin('\x7fELF')]), 422, 'polyglot'],
  ['JPEG with a RAR behind it', 'jpg', Buffer.concat([jpeg(), latin('Rar!\x1a\x07\0')]), 422, 'polyglot'],
  [
    'BMP that is a page',
    'bmp',
    Buffer.concat([bmp(), Buffer.from('<script>alert(1)</script>')]),
    422,
    'polyglot',
  ],
  [
    'a PDF in the first kilobyte of a PNG',
    'png',
    png({ extra: [['tEXt', Buffer.from('a\0%PDF-1.4')]] }),
    422,
    'polyglot',
  ],
  [
    'font with a page in it',
    'woff',
    Buffer.concat([samples['woff']!, Buffer.from('<script>x')]),
    422,
    'polyglot',
  ],
  [
    'markup across two chunks of reading',
    'png',
    png({ extra: [['tEXt', Buffer.concat([Buffer.alloc(65_536 - 50, 65), Buffer.from('<script>')])]] }),
    422,
    'polyglot',
  ],
];

const active: readonly Attack[] = [
  ['SVG with a script', 'svg', svg('<script>alert(1)</script>'), 422, 'active'],
  ['SVG with an event handler', 'svg', svg('<path onload="alert(1)" d=""/>'), 422, 'active'],
  ['SVG with an event handler on the root', 'svg', svg('', 'onload="alert(1)"'), 422, 'active'],
  [
    'SVG with a javascript: link',
    'svg',
    svg('<a href="javascript:alert(1)"><path d=""/></a>'),
    422,
    'active',
  ],
  ['SVG with foreign content', 'svg', svg('<foreignObject><iframe/></foreignObject>'), 422, 'active'],
  [
    'SVG that animates a link',
    'svg',
    svg('<animate attributeName="href" values="javascript:alert(1)"/>'),
    422,
    'active',
  ],
  ['SVG that loads a picture', 'svg', svg('<image href="https://evil.example/x"/>'), 422, 'active'],
  ['SVG with a style sheet', 'svg', svg('<style>@import "https://evil.example"</style>'), 422, 'active'],
  ['SVG that uses itself (billion laughs)', 'svg', svg('<use href="#a"/>'), 422, 'active'],
  [
    'SVG with an external reference in paint',
    'svg',
    svg('<path fill="url(https://evil.example/#x)" d=""/>'),
    422,
    'reference',
  ],
  [
    'SVG with an encoded reference',
    'svg',
    svg('<path fill="url&#40;//evil.example)" d=""/>'),
    422,
    'reference',
  ],
  ['SVG with a CSS escape', 'svg', svg('<path fill="u\\72l(//evil.example)" d=""/>'), 422, 'active'],
  [
    'SVG with entities (XXE)',
    'svg',
    Buffer.from(
      '<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]><svg xmlns="http://www.w3.org/2000/svg">&x;</svg>',
    ),
    422,
    'markup',
  ],
  ['SVG with an unknown entity', 'svg', svg('<text>&x;</text>'), 422, 'entity'],
  [
    'SVG with a style instruction',
    'svg',
    Buffer.from('<?xml-stylesheet href="//evil.example"?><svg xmlns="http://www.w3.org/2000/svg"/>'),
    422,
    'markup',
  ],
  ['SVG with a CDATA script', 'svg', svg('<![CDATA[<script>]]>'), 422, 'markup'],
  [
    'SVG in another name space prefix',
    'svg',
    Buffer.from('<x:svg xmlns:x="http://www.w3.org/2000/svg"><x:script/></x:svg>'),
    422,
    'active',
  ],
  ['SVG with unclosed tags', 'svg', svg('<g><g>'), 422, 'markup'],
  ['SVG nested a thousand deep', 'svg', svg('<g>'.repeat(1000) + '</g>'.repeat(1000)), 422, 'markup'],
  ['PDF with JavaScript', 'pdf', pdf('/OpenAction << /S /JavaScript /JS (app.alert(1)) >>'), 422, 'active'],
  [
    'PDF with JavaScript in hexadecimal letters',
    'pdf',
    pdf('/OpenAction << /S /J#61v#61Script /JS (x) >>'),
    422,
    'active',
  ],
  [
    'PDF with JavaScript in an object stream',
    'pdf',
    pdfObjectStream('<< /S /JavaScript /JS (x) >>'),
    422,
    'active',
  ],
  [
    'PDF with JavaScript behind a false stream',
    'pdf',
    Buffer.concat([pdf(), latin('% << >>\nstream\n<< /S /JavaScript >>\nendstream')]),
    422,
    'active',
  ],
  ['PDF that starts a program', 'pdf', pdf('/OpenAction << /S /Launch /F (cmd.exe) >>'), 422, 'active'],
  ['PDF that carries a file', 'pdf', pdf('/Names << /EmbeddedFiles 3 0 R >>'), 422, 'active'],
  ['PDF with forms that run (XFA)', 'pdf', pdf('/AcroForm << /XFA [ ] >>'), 422, 'active'],
  ['encrypted PDF', 'pdf', pdf('/Encrypt 4 0 R'), 422, 'encrypted'],
  [
    'document with macros',
    'docx',
    docx([{ name: 'word/vbaProject.bin', data: Buffer.from('x') }]),
    415,
    'kind',
  ],
  [
    'OpenDocument with Basic',
    'odt',
    odf('text', [{ name: 'Basic/Standard/x.xml', data: Buffer.from('x') }]),
    422,
    'active',
  ],
  [
    'text with control characters (terminal escapes)',
    'txt',
    latin('log\x1b]0;evil\x07'.padEnd(5000, 'x') + '\x1b[2J'),
    415,
    'kind',
  ],
  [
    'text that turns binary after the start',
    'txt',
    Buffer.concat([Buffer.alloc(5000, 65), Buffer.from([0, 1, 2])]),
    422,
    'encoding',
  ],
];

const lies: readonly Attack[] = [
  ['program as a picture', 'png', samples['exe']!, 415, 'kind'],
  ['shell script as a picture', 'jpg', samples['script']!, 415, 'kind'],
  ['page as a picture', 'png', samples['html']!, 415, 'kind'],
  ['page as a text', 'txt', samples['html']!, 415, 'kind'],
  ['PHP as a text', 'txt', samples['php']!, 415, 'kind'],
  ['JAR as a zip file', 'zip', jar, 415, 'kind'],
  ['APK as a zip file', 'zip', samples['apk']!, 415, 'kind'],
  ['PNG with the extension of a JPEG', 'jpg', png(), 415, 'declared'],
  ['zip as a document', 'docx', samples['zip']!, 415, 'declared'],
  ['noise', 'png', Buffer.from([1, 2, 3, 200, 201, 202, 0, 0, 0, 7]), 415, 'kind'],
  ['UTF-16 text', 'txt', Buffer.from('\ufeffhello', 'utf16le'), 415, 'kind'],
];

onBothExpress((express) => {
  let one: Station;
  beforeAll(async () => {
    one = await station(express, { files: { file: anyOf(...MEDIA) } });
  });
  afterAll(() => one.close());

  const groups: readonly (readonly [string, readonly Attack[]])[] = [
    ['ASVS V5.2.6: pixel bombs', pixelBombs],
    ['ASVS V5.2.3: archive bombs', bombs],
    ['ASVS V5.3.3: archives that lead out of their folder', slips],
    ['polyglots', polyglots],
    ['what runs by itself', active],
    ['ASVS V5.2.2: content that is not what it says', lies],
  ];
  describe.each(groups)('%s', (_title, attacks) => {
    test.each(attacks)('%s', async (_name, extension, data, status, reason) => {
      const answer = await one.file({
        name: `file.${extension}`,
        type: typeOf[extension] ?? 'application/octet-stream',
        data,
      });
      expect([answer.status, answer.body.problem?.reason]).toEqual([status, reason]);
      expect(one.left()).toEqual([]);
    });
  });

  test.each([
    ['a PNG', 'png', png({ width: 1200, height: 900 })],
    [
      'a JPEG with a film behind it, as phones make them',
      'jpg',
      Buffer.concat([jpeg({ width: 4000, height: 3000 }), samples['mp4']!]),
    ],
    ['an animated GIF', 'gif', gif({ width: 200, height: 200, frames: 50, frameWidth: 200 })],
    ['a WebP', 'webp', webp({ width: 800, height: 600, form: 'VP8L' })],
    ['a PDF', 'pdf', pdf()],
    ['a PDF with object streams', 'pdf', pdfObjectStream('<< /Type /Catalog >>')],
    [
      'an SVG',
      'svg',
      svg(
        '<!-- drawn --><g><path fill="url(#a)" d="M0 0"/><text>&lt;&#65;</text></g>',
        'viewBox="0 0 24 24"',
      ),
    ],
    ['a document with a picture', 'docx', docx([{ name: 'word/media/image1.png', data: png() }])],
    [
      'a document with a table of another',
      'docx',
      docx([{ name: 'word/embeddings/a.xlsx', data: samples['xlsx']! }]),
    ],
    [
      'an archive of folders',
      'zip',
      zip([
        { name: 'a/' },
        { name: 'a/b.txt', data: Buffer.from('b') },
        { name: '\u00e4.txt', data: zeros(300_000) },
      ]),
    ],
    [
      'a tar.gz',
      'gz',
      gzipSync(
        tar([
          { name: 'a/b', data: Buffer.alloc(2000, 65) },
          { name: 'a', type: '5' },
        ]),
      ),
    ],
    ['a table', 'csv', Buffer.from('a;b\n\u00e4;2\n')],
  ])('%s passes, and is stored as it was sent', async (_name, extension, data) => {
    const answer = await one.file({ name: `file.${extension}`, type: typeOf[extension]!, data });
    expect([answer.status, answer.body]).toMatchObject([
      200,
      { files: [{ name: `file.${extension}`, size: data.length }] },
    ]);
    const [path, ...rest] = one.left();
    expect(rest).toEqual([]);
    expect(readFileSync(path!).equals(data)).toBe(true);
    await one.uploads.remove((answer.body.files![0] as { key: string }).key);
    expect(one.left()).toEqual([]);
  });

  test('a bomb is stopped where it passes the limit: what stands behind it, damaged, is not even read', async () => {
    const whole = { name: 'a.gz', type: 'application/gzip' };
    // The first so many percent of it, and rubbish up to its size: 200 MiB may come out.
    const damagedAt = (percent: number) => {
      const good = large.subarray(0, Math.floor((large.length * percent) / 100));
      return Buffer.concat([good, rubbish.subarray(good.length)]);
    };
    const reasonOf = async (data: Buffer) =>
      (await one.send(multipart([{ ...whole, data }]))).body.problem?.reason;
    expect([await reasonOf(large), await reasonOf(damagedAt(70)), await reasonOf(damagedAt(30))]).toEqual([
      'unpacked',
      'unpacked',
      'damaged',
    ]);
  });

  test('ASVS V5.3.1: what is stored has a random name without extension and cannot be executed', async () => {
    const answer = await one.file({ name: '../../shell.php.png', type: 'image/png', data: png() });
    expect(answer.body.files).toMatchObject([{ name: 'shell.php.png', kind: 'png', width: 2, height: 2 }]);
    const [path] = one.left();
    expect(path).toMatch(/[/\\][0-9a-f]{2}[/\\][0-9a-f]{32}$/);
    expect(statSync(path!).mode & 0o177).toBe(0);
    await one.uploads.remove((answer.body.files![0] as { key: string }).key);
  });
});
