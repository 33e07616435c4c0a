import { describe, expect, test } from '@jest/globals';
import { displayName, downloadHeaders, uploadKinds } from '../../src/uploads.js';
import { detectKind, kinds } from '../../src/uploads/kinds.js';
import { samples } from './files.js';

test('at least 40 kinds are told apart by their content, each with a sample here', () => {
  expect(uploadKinds.length).toBeGreaterThanOrEqual(40);
  expect(Object.keys(samples).toSorted()).toEqual(uploadKinds.map(({ name }) => name).toSorted());
});

test.each(Object.entries(samples))('%s', (name, bytes) => {
  const kind = kinds.get(name)!;
  // A zip file or a text shows what it is only at a closer look.
  const inside = kind.inside === 'zip' ? 'zip' : kind.inside === 'text' ? 'text' : name;
  expect(detectKind(bytes.subarray(0, 4096))?.name).toBe(inside);
});

test('noise is of no kind', () => {
  let seed = 1;
  const noise = Buffer.from(
    Array.from({ length: 200_000 }, () => (seed = (seed * 48_271) % 2_147_483_647) & 255),
  );
  const found = new Set<string>();
  for (let i = 0; i + 600 < noise.length; i += 600) {
    found.add(detectKind(noise.subarray(i, i + 600))?.name ?? 'nothing');
  }
  expect([...found]).toEqual(['nothing']);
});

describe('ASVS V5.3.2: hostile names never become more than a name', () => {
  const hostile: readonly (readonly [attack: string, given: string, shown: string])[] = [
    ['path traversal', '../../../etc/passwd', 'passwd'],
    ['path traversal, Windows', '..\\..\\windows\\system32\\config', 'config'],
    ['absolute path', '/etc/cron.d/job', 'job'],
    ['drive letter', 'C:\\fakepath\\photo.png', 'photo.png'],
    ['drive-relative', 'C:photo.png', 'C_photo.png'],
    ['alternate data stream', 'photo.png:evil.exe', 'photo.png_evil.exe'],
    ['NUL before the extension', 'shell.php\0.png', 'shell.php.png'],
    ['line ends (header injection)', 'a\r\nSet-Cookie: b=c.png', 'aSet-Cookie_ b=c.png'],
    ['right-to-left override', 'photo\u202egnp.exe', 'photognp.exe'],
    ['isolates', 'a\u2066b\u2069.png', 'ab.png'],
    ['zero-width characters', 'pho\u200bto\ufeff.png', 'photo.png'],
    ['Windows device', 'CON', '_CON'],
    ['Windows device with extension', 'nul.txt', '_nul.txt'],
    ['Windows device with superscript digit', 'COM\u00b9.png', '_COM\u00b9.png'],
    ['dot file', '.htaccess', 'htaccess'],
    ['only dots', '..', 'file'],
    ['trailing dot (Windows drops it)', 'shell.php.', 'shell.php'],
    ['trailing space', 'shell.php ', 'shell.php'],
    ['leading dash (an option)', '-rf', 'rf'],
    ['shell characters', 'a;`id`|$(x)&.png', 'a__id___(x)_.png'],
    ['markup', '<img src=x onerror=alert(1)>.png', '_img src=x onerror=alert(1)_.png'],
    ['quotes', 'a"b\'.png', 'a_b_.png'],
    ['percent encoding', '%2e%2e%2fpasswd', '_2e_2e_2fpasswd'],
    ['fullwidth slash', 'a\uff0fb.png', 'b.png'],
    ['division slash', 'a\u2215b.png', 'b.png'],
    ['empty', '', 'file'],
    ['lone surrogate', 'a\ud800.png', 'a.png'],
    ['environment variable', '%PATH%.png', '_PATH_.png'],
  ];
  test.each(hostile)('%s', (_attack, given, shown) => expect(displayName(given)).toBe(shown));

  test('a long name keeps its extension and whole characters', () => {
    const name = displayName(`${'\u{1F4D6}'.repeat(400)}.png`);
    expect(name.length).toBeLessThanOrEqual(120);
    expect([name.endsWith('.png'), name.isWellFormed()]).toEqual([true, true]);
  });
});

describe('serving', () => {
  test('ASVS V5.4.1: the answer names the file itself, says its type, and lets nothing run', () => {
    expect(downloadHeaders({ name: 'cover.png', type: 'image/png', size: 5 })).toEqual({
      'Content-Type': 'image/png',
      'Content-Disposition': 'attachment; filename="cover.png"',
      'X-Content-Type-Options': 'nosniff',
      'Content-Security-Policy': "default-src 'none'; sandbox; frame-ancestors 'none'",
      'Cross-Origin-Resource-Policy': 'same-origin',
      'Content-Length': '5',
    });
  });

  test.each([
    ['a"; filename=evil.exe', 'attachment; filename="a__ filename=evil.exe"'],
    ['a\r\nX-Injected: yes', 'attachment; filename="aX-Injected_ yes"'],
    [
      'na\u00efve \u20ac.pdf',
      'attachment; filename="naive _.pdf"; filename*=UTF-8\'\'na%C3%AFve%20%E2%82%AC.pdf',
    ],
    ['\u672c(1)*.pdf', 'attachment; filename="_(1)_.pdf"; filename*=UTF-8\'\'%E6%9C%AC%281%29_.pdf'],
    ['../../etc/passwd', 'attachment; filename="passwd"'],
    ['\u202efdp.exe', 'attachment; filename="fdp.exe"'],
  ])('ASVS V5.4.2: %j is encoded (RFC 6266, RFC 8187)', (name, field) => {
    expect(downloadHeaders({ name, type: 'application/pdf' })['Content-Disposition']).toBe(field);
  });

  test.each([
    ['image/png', 'inline', 'image/png'],
    ['image/svg+xml', 'attachment', 'application/octet-stream'],
    ['text/html', 'attachment', 'application/octet-stream'],
    ['application/xhtml+xml', 'attachment', 'application/octet-stream'],
    ['text/javascript', 'attachment', 'application/octet-stream'],
    ['application/pdf', 'attachment', 'application/pdf'],
    ['text/plain', 'attachment', 'text/plain'],
    ['image/png\r\nX: y', 'attachment', 'application/octet-stream'],
  ])('%s asked for inline is %s', (type, disposition, served) => {
    const headers = downloadHeaders({ name: 'a', type, inline: true });
    expect([headers['Content-Disposition']!.split(';')[0], headers['Content-Type']]).toEqual([
      disposition,
      served,
    ]);
  });
});
