import { createHmac } from 'node:crypto';
import type { Chance } from './chance.js';
import { audience, issuer, NOW, type Kind } from './kinds.js';

const DIGITS = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const FOREIGN = '+/=. \t\n%*~:,;"\'\\\0\u00e9\u200b\u{1f511}';

export const b64 = (value: string | Buffer | object): string =>
  (typeof value === 'object' && !Buffer.isBuffer(value)
    ? Buffer.from(JSON.stringify(value))
    : Buffer.from(value as string)
  ).toString('base64url');

export const headerOf = ({ alg, kid }: Kind) => ({ alg, typ: 'at+jwt', kid });

/** Claims that have to be accepted, with more around them. */
export function goodClaims(chance: Chance): Record<string, unknown> {
  const extra = chance.number(4);
  return {
    iss: issuer,
    aud: chance.of<unknown>([audience, [audience], ['https://other.example', audience]]),
    sub: `u-${chance.text(1 + chance.number(20), DIGITS)}`,
    exp: NOW + 1 + chance.number(100_000),
    ...(chance.number(2) === 0 ? {} : { iat: NOW - chance.number(1000) }),
    ...(chance.number(3) === 0 ? { nbf: NOW - chance.number(1000) } : {}),
    ...(chance.number(2) === 0 ? { jti: chance.text(12, DIGITS) } : {}),
    ...(extra === 0 ? { scope: chance.text(30, `${DIGITS} `) } : {}),
    ...(extra === 1 ? { deep: { a: [1, 2, { b: chance.text(8, `${DIGITS}\u00e9\u{1f511}`) }] } } : {}),
  };
}

export function signed(kind: Kind, header: unknown, claims: unknown): string {
  const input = `${typeof header === 'string' ? header : b64(header as object)}.${
    typeof claims === 'string' ? claims : b64(claims as object)
  }`;
  return `${input}.${b64(kind.sign(input))}`;
}

/** A way to make a token that must not pass; undefined where this kind of key has none. */
export interface Forgery {
  readonly family: string;
  make(kind: Kind, good: string, chance: Chance): unknown;
}

type Segments = [string, string, string];
const split = (token: string) => token.split('.') as Segments;

const BAD_ALGS = [
  'none',
  'None',
  'NONE',
  'nOnE',
  '',
  'hs256',
  'HS256 ',
  'HS512',
  'RS256',
  'ES256',
  'EdDSA',
  'PS256',
  'ES256K',
  'constructor',
  '__proto__',
  'toString',
  7,
  null,
  true,
  [],
  {},
  ['HS256'],
];
const PARAMETERS: readonly Record<string, unknown>[] = [
  { crit: ['exp'] },
  { crit: [] },
  { crit: ['b64'], b64: false },
  { b64: false },
  { b64: true },
  { jku: 'https://attacker.example/jwks.json' },
  { x5u: 'https://attacker.example/cert' },
  { x5c: ['MIIB'] },
  { jwk: { kty: 'oct', k: 'AAAA' } },
  { zip: 'DEF' },
  { enc: 'A128GCM' },
];
const BAD_CLAIMS: readonly Record<string, unknown>[] = [
  { iss: undefined },
  { iss: 'https://library.example/' },
  { iss: [issuer] },
  { iss: 'https://attacker.example' },
  { aud: undefined },
  { aud: [] },
  { aud: 'https://api.library.example.attacker.example' },
  { aud: { 0: audience } },
  { aud: [[audience]] },
  { sub: undefined },
  { sub: '' },
  { sub: 7 },
  { sub: { toString: 'root' } },
  { exp: undefined },
  { exp: null },
  { exp: NOW },
  { exp: NOW - 1 },
  { exp: 0 },
  { exp: -1 },
  { exp: String(NOW + 60) },
  { exp: [NOW + 60] },
  { exp: 1e20 },
  { nbf: NOW + 1 },
  { nbf: 'now' },
  { iat: NOW + 6 },
  { iat: true },
  { jti: 7 },
  { sid: '' },
  { sid: {} },
  { cnf: {} },
  { cnf: { jkt: 'short' } },
  { cnf: { kid: 'x' } },
];
const NOT_CLAIMS = [
  '',
  'null',
  'true',
  '7',
  '"text"',
  '[]',
  '[{}]',
  '{',
  '{}{}',
  '{"sub":',
  '\uFEFF{}',
  '{"a":1}\0',
];
const NOT_STRINGS = [
  undefined,
  null,
  0,
  1,
  true,
  Number.NaN,
  Symbol('t'),
  7n,
  [],
  {},
  () => 'x',
  new Date(0),
];

export const forgeries: readonly Forgery[] = [
  {
    family: 'a character changed',
    make: (_kind, good, chance) => {
      const at = chance.number(good.length);
      const one = chance.of([...(chance.number(4) === 0 ? FOREIGN : DIGITS)]);
      return `${good.slice(0, at)}${one}${good.slice(at + 1)}`;
    },
  },
  {
    family: 'characters put in, taken out or turned around',
    make: (_kind, good, chance) => {
      const at = chance.number(good.length);
      const count = 1 + chance.number(5);
      const piece = good.slice(at, at + count);
      return chance.of([
        `${good.slice(0, at)}${chance.text(count, DIGITS + FOREIGN)}${good.slice(at)}`,
        good.slice(0, at) + good.slice(at + count),
        `${good.slice(0, at)}${[...piece].toReversed().join('')}${good.slice(at + count)}`,
        good.slice(0, at),
        good.slice(at),
      ]);
    },
  },
  {
    family: 'segments changed round',
    make: (_kind, good, chance) => {
      const [h, p, s] = split(good);
      return chance
        .of([
          [p, h, s],
          [h, s, p],
          [h, p],
          [h, p, ''],
          ['', p, s],
          [h, '', s],
          [h, p, s, ''],
          [h, p, s, s],
          [h, p, s, s, s],
          [h, h, s],
          [h, p, p],
          ['', '', ''],
          [`${h}.`, p, s],
        ])
        .join('.');
    },
  },
  {
    family: 'another spelling of the same bytes',
    make: (_kind, good, chance) => {
      const parts = split(good);
      const which = chance.number(3);
      const part = parts[which]!;
      const twin = [...DIGITS].map((last) => part.slice(0, -1) + last);
      const same = twin.filter((one) => Buffer.from(one, 'base64url').equals(Buffer.from(part, 'base64url')));
      parts[which] = chance.of([
        `${part}=`,
        `${part}==`,
        `${part}\n`,
        ` ${part}`,
        `${part.slice(0, 4)} ${part.slice(4)}`,
        part.replaceAll('-', '+').replaceAll('_', '/'),
        Buffer.from(part, 'base64url').toString('base64'),
        `%${part.charCodeAt(0).toString(16)}${part.slice(1)}`,
        chance.of(same),
        `${part}A`,
        `${part}*`,
      ]);
      return parts.join('.');
    },
  },
  {
    family: 'another algorithm in the header, signed all the same',
    make: (kind, good, chance) => {
      const alg = chance.of(BAD_ALGS.filter((one) => one !== kind.alg));
      return signed(kind, { ...headerOf(kind), alg }, split(good)[1]);
    },
  },
  {
    family: 'a parameter that turns verification around, signed all the same',
    make: (kind, good, chance) =>
      signed(kind, { ...headerOf(kind), ...chance.of(PARAMETERS) }, split(good)[1]),
  },
  {
    family: 'another or no key name, signed all the same',
    make: (kind, good, chance) => {
      const kid = chance.of<unknown>([
        '',
        `${kind.kid} `,
        '../../dev/null',
        "' OR 1=1",
        'constructor',
        '__proto__',
        0,
        null,
        [kind.kid],
        { kid: kind.kid },
      ]);
      return signed(kind, { ...headerOf(kind), kid }, split(good)[1]);
    },
  },
  {
    family: 'another or no type, signed all the same',
    make: (kind, good, chance) => {
      const typ = chance.of<unknown>([
        undefined,
        '',
        'JWT',
        'rt+jwt',
        'at+jwt;x',
        ' at+jwt',
        'dpop+jwt',
        'x/at+jwt',
        7,
        null,
        ['at+jwt'],
      ]);
      return signed(kind, { ...headerOf(kind), typ }, split(good)[1]);
    },
  },
  {
    family: 'a header that is none, signed all the same',
    make: (kind, good, chance) => signed(kind, b64(chance.of(NOT_CLAIMS.slice(1))), split(good)[1]),
  },
  {
    family: 'one claim wrong, signed all the same',
    make: (kind, _good, chance) => {
      const claims = { ...goodClaims(chance), ...chance.of(BAD_CLAIMS) };
      return signed(kind, headerOf(kind), claims);
    },
  },
  {
    family: 'claims that are none, signed all the same',
    make: (kind, _good, chance) => {
      const payload = chance.of<string | Buffer>([
        ...NOT_CLAIMS,
        Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]),
      ]);
      return signed(kind, headerOf(kind), b64(payload));
    },
  },
  {
    family: 'claims changed, not signed again',
    make: (kind, good, chance) => {
      const [h, , s] = split(good);
      const claims = { ...goodClaims(chance), sub: 'root', roles: ['admin'] };
      return `${chance.number(2) === 0 ? h : b64(headerOf(kind))}.${b64(claims)}.${s}`;
    },
  },
  {
    family: 'signed by somebody else',
    make: (kind, good, chance) => {
      const header = {
        ...headerOf(kind),
        ...(chance.number(3) === 0 ? { kid: undefined } : {}),
        ...(chance.number(3) === 0 ? { jwk: kind.publicJwk ?? { kty: 'oct', k: 'AAAA' } } : {}),
      };
      const input = `${b64(header)}.${split(good)[1]}`;
      return `${input}.${b64(kind.signElsewhere(input))}`;
    },
  },
  {
    family: 'HMAC keyed with the public key',
    make: (kind, good, chance) => {
      if (kind.publicTexts.length === 0) return undefined;
      const bits = chance.of([256, 384, 512]);
      const header = { ...headerOf(kind), alg: `HS${bits}` };
      const input = `${b64(header)}.${split(good)[1]}`;
      return `${input}.${createHmac(`sha${bits}`, chance.of(kind.publicTexts)).update(input).digest('base64url')}`;
    },
  },
  {
    family: 'not signed at all',
    make: (kind, good, chance) => {
      const alg = chance.of(['none', 'None', 'NONE', 'nOnE', kind.alg]);
      const header = b64({ ...headerOf(kind), alg });
      return `${header}.${split(good)[1]}.${chance.of(['', 'AA', '=', ' '])}`;
    },
  },
  {
    family: 'a signature of another form',
    make: (_kind, good, chance) => {
      const [h, p, s] = split(good);
      const bytes = Buffer.from(s, 'base64url');
      const der = Buffer.concat([Buffer.from([0x30, bytes.length + 4, 0x02, bytes.length / 2]), bytes]);
      const other = chance.of([
        Buffer.alloc(bytes.length),
        Buffer.alloc(bytes.length, 0xff),
        Buffer.concat([bytes, bytes]),
        Buffer.concat([bytes, Buffer.alloc(1)]),
        Buffer.concat([Buffer.alloc(1), bytes]),
        bytes.subarray(0, bytes.length - 1),
        bytes.subarray(0, 1),
        Buffer.from(bytes.toString('hex')),
        der,
      ]);
      return `${h}.${p}.${b64(other)}`;
    },
  },
  {
    family: 'noise',
    make: (kind, good, chance) =>
      chance.of<unknown>([
        chance.text(chance.number(200), DIGITS + FOREIGN),
        chance.text(chance.number(200), `${DIGITS}...`),
        `${good}${'A'.repeat(8_192)}`,
        'A'.repeat(100_000),
        '.'.repeat(1 + chance.number(5_000)),
        `${b64('['.repeat(2_000))}.${split(good)[1]}.AA`,
        Buffer.from(good),
        [good],
        { toString: () => good },
        new String(good),
        kind.kid,
        ...NOT_STRINGS,
      ]),
  },
];
