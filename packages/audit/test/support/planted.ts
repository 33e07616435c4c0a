import { existsSync, readdirSync } from 'node:fs';

/** What a person leaves behind, at every place where it can. */
export const PLANTED = {
  name: 'Wilhelmine Oberpfalz-Zq9',
  mail: 'wilhelmine.zq9@oberpfalz.example',
  phone: '+49 170 5551234987',
  street: 'K\u00f6nigsallee 17b-Zq9',
  born: '1971-02-28/Zq9',
  card: 'LIBRARY-CARD-88231947',
  note: 'asked for the large print, Zq9',
  oldName: 'Wilhelmine Zq9-Sommer',
  reason: 'moved to Passau, says Zq9',
  address: '203.0.113.77',
  agent: 'NetscapeZq9/4.8 (of a person)',
  path: '/people/wilhelmine-zq9-oberpfalz',
} as const;

/** Every way in which a value can stand in a file. */
function encodings(value: string): string[] {
  const utf8 = Buffer.from(value);
  const utf16 = Buffer.from(value, 'utf16le');
  const big = Buffer.from(utf16).swap16();
  const base64 = [0, 1, 2].flatMap((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), utf8]).toString('base64');
    // Without the characters that hold bits of the neighbours.
    const core = text.slice(shift === 0 ? 0 : shift + 1, -4);
    return [core, core.replaceAll('+', '-').replaceAll('/', '_')];
  });
  return [
    value,
    utf8.toString('latin1'),
    JSON.stringify(value).slice(1, -1),
    encodeURIComponent(value),
    encodeURIComponent(value).replaceAll('%20', '+'),
    ...[utf8, utf16, big].flatMap((bytes) => [bytes.toString('hex'), bytes.toString('hex').toUpperCase()]),
    utf16.toString('latin1'),
    big.toString('latin1'),
    ...base64,
    utf16.toString('base64').slice(0, -4),
    [...value].toReversed().join(''),
    [...utf8].map((byte) => `\\${byte.toString(8).padStart(3, '0')}`).join(''),
  ];
}

/** Names of the values that stand in a text, in whatever encoding. */
export function foundIn(text: string): string[] {
  return Object.entries(PLANTED)
    .filter(([, value]) => encodings(value).some((one) => text.includes(one)))
    .map(([name]) => name);
}

/** pg_dump, where there is one. */
export const dumper = existsSync('/usr/lib/postgresql')
  ? readdirSync('/usr/lib/postgresql')
      .map((version) => `/usr/lib/postgresql/${version}/bin/pg_dump`)
      .find((path) => existsSync(path))
  : undefined;
