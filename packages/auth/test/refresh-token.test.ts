import { randomBytes } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { systemRandom } from '@portcullis/core';
import {
  hashToken,
  isOfFamily,
  makeRefreshToken,
  openWith,
  parseRefreshToken,
  sameHash,
  sealUnder,
} from '../src/sessions/refresh-token.js';

const sessionId = '0123abcd-4567-89ab-cdef-0123456789ab';
const tagKey = randomBytes(32).toString('base64url');
const make = (generation = 0, id = sessionId) =>
  makeRefreshToken({ sessionId: id, generation, tagKey }, systemRandom);

describe('a refresh token', () => {
  test('says of which session and generation it is, and is of its family only', () => {
    for (const generation of [0, 1, 258, 2 ** 32 - 1]) {
      const token = parseRefreshToken(make(generation))!;
      expect(token).toMatchObject({ sessionId, generation });
      expect(isOfFamily(token, tagKey)).toBe(true);
      expect(isOfFamily(token, randomBytes(32).toString('base64url'))).toBe(false);
    }
  });

  test('is 91 characters of canonical base64url', () => {
    const token = make();
    expect(token).toHaveLength(91);
    const twin = token.slice(0, -1) + String.fromCharCode(token.charCodeAt(90) + 1);
    for (const text of [
      token.slice(1),
      `${token}A`,
      `${token}====`,
      `=${token.slice(1)}`,
      twin,
      '',
      7,
      null,
      [token],
    ])
      expect(parseRefreshToken(text)).toBeUndefined();
    expect(parseRefreshToken(token)?.text).toBe(token);
  });

  test('is made for a lower-case UUID only: another spelling would be another session', () => {
    for (const id of ['', 'abcd', sessionId.toUpperCase(), sessionId.replaceAll('-', ''), `${sessionId}00`])
      expect(() => make(0, id)).toThrow(/lower-case UUID/);
  });

  test('opens what was sealed under it, and no other does', () => {
    const [one, two] = [parseRefreshToken(make(1))!, parseRefreshToken(make(1))!];
    const sealed = sealUnder(one, { pair: ['\u00fc', 7] }, systemRandom);
    expect(openWith(one, sealed)).toEqual({ pair: ['\u00fc', 7] });
    expect(() => openWith(two, sealed)).toThrow();
    const bytes = Buffer.from(sealed, 'base64url');
    for (const at of [0, 12, 27, 28, bytes.length - 1]) {
      const changed = Buffer.from(bytes);
      changed[at]! ^= 1;
      expect(() => openWith(one, changed.toString('base64url'))).toThrow();
    }
  });
});

test('hashes are the same only if they are there and every character of them is', () => {
  const [a, b] = [hashToken('a'), hashToken('b')];
  expect(sameHash(a, hashToken('a'))).toBe(true);
  for (const other of [b, null, '', a.slice(1), `${a}A`]) expect(sameHash(a, other)).toBe(false);
});
