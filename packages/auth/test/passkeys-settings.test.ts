import { describe, expect, test } from '@jest/globals';
import { passkeys, type PasskeysOptions } from '../src/passkeys.js';

const good: PasskeysOptions = {
  rpId: 'library.example',
  rpName: 'Library',
  origins: ['https://library.example'],
};
const tried = (more: object) => () => passkeys({ ...good, ...more } as PasskeysOptions);

describe('settings of passkeys', () => {
  test.each([
    [
      'the domain itself, below it, with a port',
      { origins: ['https://library.example', 'https://www.library.example:8443'] },
    ],
    ['this machine', { rpId: 'localhost', origins: ['http://localhost:3000', 'https://localhost'] }],
    ['a name on this machine', { rpId: 'localhost', origins: ['http://app.localhost:3000'] }],
    ['a domain below a registry of a country', { rpId: 'library.co.uk', origins: ['https://library.co.uk'] }],
  ])('accepted: %s', (_title, more) => {
    expect(tried(more)).not.toThrow();
  });

  test.each([
    ['a scheme in the RP id', { rpId: 'https://library.example' }, /rpId .* is no domain/],
    ['a port in the RP id', { rpId: 'library.example:443' }, /rpId .* is no domain/],
    ['capitals in the RP id', { rpId: 'Library.example' }, /rpId .* is no domain/],
    ['an address as RP id', { rpId: '127.0.0.1', origins: ['http://127.0.0.1'] }, /rpId is an address/],
    [
      'a top-level domain as RP id',
      { rpId: 'example' },
      /rpId "example" is a suffix under which others register/,
    ],
    [
      'a registry of a country as RP id',
      { rpId: 'co.uk', origins: ['https://library.co.uk'] },
      /rpId "co.uk" is a suffix/,
    ],
    [
      'an RP id that is no suffix of the origin',
      { rpId: 'books.example' },
      /origins\[0\] "https:\/\/library.example" is neither on rpId "books.example" nor below it/,
    ],
    ['an RP id below the origin', { rpId: 'www.library.example' }, /is neither on rpId/],
    ['an RP id that ends alike', { origins: ['https://evillibrary.example'] }, /is neither on rpId/],
    [
      'an origin without TLS',
      { origins: ['http://library.example'] },
      /origins\[0\] "http:\/\/library.example" is not https/,
    ],
    ['an origin with a path', { origins: ['https://library.example/'] }, /is no origin as browsers write it/],
    [
      'an origin with the default port',
      { origins: ['https://library.example:443'] },
      /is no origin as browsers write it/,
    ],
    ['no origin', { origins: [] }, /origins/],
    ['an unknown option', { rpID: 'library.example' }, /Did you mean "rpId"/],
    [
      'user verification that does not count',
      { userVerification: 'discouraged' },
      /userVerification must be one of/,
    ],
    ['no algorithm', { algorithms: [] }, /algorithms/],
    ['a challenge for an hour', { timeout: '1h' }, /timeout/],
  ])('refused: %s', (_title, more, message) => {
    expect(tried(more)).toThrow(message);
  });

  test('with the whole list of suffixes, what a host of other people lets register is refused too', () => {
    const publicSuffix = (domain: string) => (domain.endsWith('github.io') ? 'github.io' : 'example');
    expect(tried({ rpId: 'github.io', origins: ['https://ada.github.io'], publicSuffix })).toThrow(
      /is a suffix/,
    );
    expect(tried({ rpId: 'ada.github.io', origins: ['https://ada.github.io'], publicSuffix })).not.toThrow();
  });
});
