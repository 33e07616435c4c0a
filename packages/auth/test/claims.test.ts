import { describe, expect, test } from '@jest/globals';
import { isSeconds, readClaims } from '../src/tokens/claims.js';

const expected = { issuer: 'https://library.example', audience: 'api', now: 1_000_000_000, tolerance: 0 };
const good = { iss: expected.issuer, aud: 'api', sub: 'u1', exp: 1_000_060 };
const jkt = 'A'.repeat(43);
const read = (change: object, settings: Partial<typeof expected> = {}) =>
  readClaims(Buffer.from(JSON.stringify({ ...good, ...change })), { ...expected, ...settings });

describe('claims', () => {
  test('issuer, audience, user and end are enough; what else is there may be anything', () => {
    expect(read({})).toEqual(good);
    const more = { sid: 's', jti: 'j', iat: 0, nbf: 0, scope: null, roles: [{ of: ['library'] }, null] };
    expect(read(more)).toEqual({ ...good, ...more });
    for (const text of ['null', '[]', '"x"', ''])
      expect(readClaims(Buffer.from(text), expected)).toBe('payload');
  });

  test('the audience is one of several, or the one: never a part of another', () => {
    expect(read({ aud: ['other', 'api'] })).toMatchObject({ aud: ['other', 'api'] });
    for (const aud of ['api.evil.example', 'an api', ['apis'], ['api', 7], [['api']], {}, null, 7, []])
      expect(read({ aud })).toBe('claim-aud');
  });

  test('nothing of them can be changed, however deep', () => {
    const claims = read({ a: { b: [{ c: null }] }, n: null }) as unknown as { a: { b: { c: unknown }[] } };
    for (const part of [claims, claims.a, claims.a.b, claims.a.b[0]])
      expect(Object.isFrozen(part)).toBe(true);
  });

  test('a token has ended at exp, to the millisecond, and a tolerance later where clocks may differ', () => {
    const end = good.exp * 1000;
    expect(read({}, { now: end - 1 })).toMatchObject(good);
    expect(read({}, { now: end })).toBe('expired');
    expect(read({}, { now: end + 4_999, tolerance: 5_000 })).toMatchObject(good);
    expect(read({}, { now: end + 5_000, tolerance: 5_000 })).toBe('expired');
  });

  test.each([
    ['iat', 5, 'five seconds, because it says when and not from when'],
    ['nbf', 0, 'none'],
  ])('%s may be %d s ahead of this clock, and more where clocks may differ: %s', (name, least) => {
    const now = expected.now / 1000;
    const at = (ahead: number, tolerance = 0) => read({ [name]: now + ahead }, { tolerance });
    expect(at(least)).toMatchObject({ [name]: now + least });
    expect(at(least + 0.001)).toBe(`claim-${name}`);
    expect(at(10, 10_000)).toMatchObject({ [name]: now + 10 });
    expect(at(10.001, 10_000)).toBe(`claim-${name}`);
    for (const wrong of [null, String(now), -1, [now]]) expect(read({ [name]: wrong })).toBe(`claim-${name}`);
  });

  test('seconds are numbers from 0 to below 10^11', () => {
    for (const value of [0, 1.5, 1e11 - 1]) expect(isSeconds(value)).toBe(true);
    for (const value of [-1, 1e11, NaN, Infinity, -Infinity, '5', null, undefined, [5], 5n])
      expect(isSeconds(value)).toBe(false);
  });

  test('bindings that are known are read, each alone or both together', () => {
    for (const cnf of [{ jkt }, { 'x5t#S256': jkt }, { jkt, 'x5t#S256': jkt }])
      expect(read({ cnf })).toMatchObject({ cnf });
  });

  test.each([
    [null],
    [7],
    [true],
    ['jkt'],
    [[]],
    [[jkt]],
    [{}],
    [{ jkt: 'A'.repeat(42) }],
    [{ jkt: 'A'.repeat(44) }],
    [{ jkt: `${'A'.repeat(42)}=` }],
    [{ jkt: [jkt] }],
    [{ jkt: null }],
    [{ kid: jkt }],
    [{ jkt, kid: jkt }],
    [{ jkt, 'x5t#S256': 7 }],
  ])('cnf %j names no key that could be checked', (cnf) => {
    expect(read({ cnf })).toBe('claim-cnf');
  });

  test.each([
    ['claim-sub', { sub: ['u1'] }],
    ['claim-sid', { sid: null }],
    ['claim-jti', { jti: 7 }],
    ['claim-jti', { jti: null }],
    ['claim-exp', { exp: null }],
    ['claim-exp', { exp: [good.exp] }],
  ])('%s: %j', (fault, change) => {
    expect(read(change)).toBe(fault);
  });
});
