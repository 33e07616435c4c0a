import { describe, expect, test } from '@jest/globals';
import { decodeCanonical, endsCanonically } from '../src/tokens/base64url.js';
import { parseHeader, parseObject, parseToken } from '../src/tokens/parse.js';

const DIGITS = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'];
const b64 = (text: string) => Buffer.from(text).toString('base64url');
const head = (header: object) => b64(JSON.stringify(header));

describe('canonical base64url', () => {
  test('of one to three bytes each has exactly one spelling, for every last digit', () => {
    for (const before of ['', 'A', 'Ab', 'Ab-', 'Ab-_', 'Ab-_A']) {
      for (const digit of DIGITS) {
        const text = before + digit;
        const decoded = Buffer.from(text, 'base64url');
        const canonical = decoded.toString('base64url') === text;
        expect([text, endsCanonically(text)]).toEqual([text, canonical]);
        expect(decodeCanonical(text)).toEqual(canonical ? decoded : undefined);
      }
    }
    expect(decodeCanonical('')).toEqual(Buffer.alloc(0));
  });

  test('other characters are none of it, wherever they stand', () => {
    for (const text of ['AAA=', 'AA==', 'A+AA', 'A/AA', ' AAA', 'AAA\n', 'AA.A', 'AA\u00e9A'])
      expect(decodeCanonical(text)).toBeUndefined();
  });
});

describe('the form of a token', () => {
  test('three segments are taken apart as they are written; the middle one may be empty', () => {
    expect(parseToken('QUE.QkI.Q0M')).toEqual({
      head: 'QUE',
      payload: Buffer.from('BB'),
      signature: Buffer.from('CC'),
      signed: Buffer.from('QUE.QkI'),
    });
    expect(parseToken('QUE..Q0M')).toMatchObject({ payload: Buffer.alloc(0), signed: Buffer.from('QUE.') });
  });

  test('it has at most 8,192 characters', () => {
    const ofLength = (length: number) => `QUE.QkI.${'A'.repeat(length - 8)}`;
    expect(parseToken(ofLength(8_192))).toMatchObject({ head: 'QUE' });
    expect(parseToken(ofLength(8_193))).toBe('too-long');
  });

  test.each([
    ['', 'not-a-token'],
    [7, 'not-a-token'],
    ['QUE', 'segments'],
    ['QUE.QkI', 'segments'],
    ['QUE.QkI.Q0M.', 'segments'],
    ['QUE.QkI.Q0M.QUE', 'segments'],
    ['....', 'segments'],
    ['.QkI.Q0M', 'encoding'],
    ['QUE.QkI.', 'encoding'],
    ['..', 'encoding'],
    ['QUF.QkI.Q0M', 'encoding'],
    ['QUE.QkJ.Q0M', 'encoding'],
    ['QUE.QkI.Q0N', 'encoding'],
    ['Q.QkI.Q0M', 'encoding'],
    ['QUE.QkI=.Q0M', 'encoding'],
    ['QU\u00c9.QkI.Q0M', 'encoding'],
  ])('%j is refused as %s', (token, fault) => {
    expect(parseToken(token)).toBe(fault);
  });
});

describe('the header of a token', () => {
  test('alg is enough; kid and typ are there only if they were written', () => {
    expect(parseHeader(head({ alg: 'ES256' }))).toStrictEqual({ all: { alg: 'ES256' }, alg: 'ES256' });
    expect(parseHeader(head({ alg: 'ES256', kid: 'k', typ: 'Application/At+JWT' }))).toMatchObject({
      alg: 'ES256',
      kid: 'k',
      typ: 'at+jwt',
    });
  });

  test('a parameter that brings a key is taken only where its reader asks for it, and no other with it', () => {
    const proof = head({ alg: 'ES256', jwk: {} });
    expect(parseHeader(proof)).toBe('header-parameter');
    expect(parseHeader(proof, ['jwk'])).toMatchObject({ all: { jwk: {} } });
    expect(parseHeader(head({ alg: 'ES256', jwk: {}, crit: [] }), ['jwk'])).toBe('header-parameter');
    expect(parseHeader(proof, ['jku'])).toBe('header-parameter');
  });

  test.each([
    '[]',
    'null',
    '"alg"',
    '{',
    '{}',
    '{"alg":7}',
    '{"alg":"ES256","kid":7}',
    '{"alg":"ES256","kid":null}',
    '{"alg":"ES256","typ":7}',
    '{"alg":"ES256","typ":null}',
  ])('%s is none', (text) => {
    expect(parseHeader(b64(text))).toBe('header');
  });
});

test('a payload is a JSON object in UTF-8 and nothing else', () => {
  expect(parseObject(Buffer.from('{"a":[1]}'))).toEqual({ a: [1] });
  for (const text of ['', 'null', '[]', '[{}]', '7', 'true', '"{}"', '{"a":1}}'])
    expect(parseObject(Buffer.from(text))).toBeUndefined();
  // A decoder that is lenient reads U+FFFD here.
  expect(parseObject(Buffer.from([...Buffer.from('{"a":"'), 0xff, ...Buffer.from('"}')]))).toBeUndefined();
});
