import { expect, test } from '@jest/globals';
import type { SecurityRequest } from '@portcullis/core';
import { authorizationOf } from '../src/transport/authorization.js';

const read = (authorization: unknown) => () =>
  authorizationOf({ headers: { authorization } } as unknown as SecurityRequest);

test('the scheme in any case, spaces and a token are a credential; no header is none', () => {
  expect(read(undefined)()).toBeUndefined();
  for (const header of ['Bearer a.b.c', 'bearer a.b.c', 'BEARER   a.b.c  '])
    expect(read(header)()).toEqual({ scheme: 'Bearer', token: 'a.b.c' });
});

test.each<[string, unknown]>([
  ['CVE-2026-47673: another scheme', 'Basic a.b.c'],
  ['CVE-2026-47673: another scheme', 'Token a.b.c'],
  ['DPoP where it is off', 'DPoP a.b.c'],
  ['no scheme', 'a.b.c'],
  ['no token', 'Bearer '],
  ['two tokens', 'Bearer a.b.c, Bearer d.e.f'],
  ['CVE-2026-73418: percent-encoding that is none', 'Bearer %E0%A4%A'],
  ['a NUL', 'Bearer a\0.b.c'],
  ['100 kB', `Bearer ${'a'.repeat(100_000)}`],
  ['an array of one, as if it were text', ['Bearer a.b.c']],
  ['an array of two', ['Bearer a.b.c', 'Bearer d.e.f']],
  ['null', null],
  ['an empty header', ''],
])('%s is refused with 401', (_title, header) => {
  expect(read(header)).toThrow(expect.objectContaining({ code: 'E_TOKEN_INVALID', status: 401 }));
});
