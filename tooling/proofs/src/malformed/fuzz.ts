import type { Places } from './target.js';

/** The same numbers for the same seed. */
export function seeded(seed: number): (below: number) => number {
  let state = seed | 0;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % below;
  };
}

const ODD = [
  '\0',
  '\r',
  '\n',
  '\r\n',
  '\r\n\r\n',
  ' ',
  '\t',
  ':',
  '%',
  '%00',
  '%ff',
  '\u00ff',
  '\u0080',
  '/',
  '//',
  '\\',
  '?',
  '#',
  '"',
  '{',
  '[',
  ';',
  ',',
  '0',
  '-1',
  'chunked',
  '__proto__',
  ' HTTP/1.1',
  '9'.repeat(40),
  'A'.repeat(9000),
];

/** A request as a client would send it, spoilt in one to four places. */
export function spoilt(places: Places, chance: (below: number) => number): Buffer {
  const host = [`Host: ${places.host}`, ...places.proxied].join('\r\n');
  const requests = [
    `GET ${places.page}?q=a&page=1 HTTP/1.1\r\n${host}\r\nAccept: application/json\r\nCookie: a=b; c=d\r\n\r\n`,
    `GET ${places.file} HTTP/1.1\r\n${host}\r\nRange: bytes=0-9\r\nIf-None-Match: "x"\r\n\r\n`,
    `POST ${places.json} HTTP/1.1\r\n${host}\r\nAccept: application/json\r\nSec-Fetch-Site: same-origin\r\nContent-Type: application/json\r\nContent-Length: 27\r\n\r\n{"name":"a","price":1.5}   `,
    `POST ${places.json} HTTP/1.1\r\n${host}\r\nSec-Fetch-Site: same-origin\r\nAuthorization: Bearer a.b.c\r\nContent-Type: application/json; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n8\r\n{"name":\r\n3\r\n1}\n\r\n0\r\n\r\n`,
    `POST ${places.form} HTTP/1.1\r\n${host}\r\nSec-Fetch-Site: same-origin\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: 14\r\n\r\nname=a&price=1`,
  ];
  let text = requests[chance(requests.length)]!;
  for (let left = 1 + chance(4); left > 0; left--) {
    const at = chance(text.length);
    const to = Math.min(text.length, at + 1 + chance(20));
    const odd = ODD[chance(ODD.length)]!;
    switch (chance(6)) {
      case 0:
        text = text.slice(0, at) + odd + text.slice(at);
        break;
      case 1:
        text = text.slice(0, at) + odd + text.slice(to);
        break;
      case 2:
        text = text.slice(0, at) + text.slice(to);
        break;
      case 3:
        text = text.slice(0, to) + text.slice(at);
        break;
      case 4:
        text = text.slice(0, at) + String.fromCharCode(chance(256)) + text.slice(at + 1);
        break;
      default:
        text = text.slice(0, at + 1);
    }
  }
  return Buffer.from(text, 'latin1');
}
