import { describe, expect, test } from '@jest/globals';
import { isLoopbackHost, parseOrigin } from '../src/index.js';

describe('an origin has one spelling', () => {
  test.each([
    ['https://example.com', { scheme: 'https', host: 'example.com', port: undefined, kind: 'name' }],
    ['https://example.com:8443', { scheme: 'https', host: 'example.com', port: 8443, kind: 'name' }],
    ['http://127.0.0.1:3000', { scheme: 'http', host: '127.0.0.1', port: 3000, kind: 'ipv4' }],
    ['http://[::1]:3000', { scheme: 'http', host: '[::1]', port: 3000, kind: 'ipv6' }],
    ['https://xn--bcher-kva.example', { host: 'xn--bcher-kva.example', kind: 'name' }],
    ['capacitor://localhost', { scheme: 'capacitor', host: 'localhost' }],
  ])('%s is read', (text, parts) => {
    expect(parseOrigin(text)).toMatchObject({ text, ...parts });
  });

  test.each([
    'null',
    '',
    'https://',
    'https://example.com/',
    'https://example.com?',
    'https://example.com#x',
    'https://user@example.com',
    'https://user:secret@example.com',
    'https://example.com@evil.example',
    'https://example.com:443',
    'http://example.com:80',
    'https://example.com:',
    'https://example.com:0',
    'https://example.com:08443',
    'https://example.com:65536',
    'HTTPS://example.com',
    'https://Example.com',
    'https://exa mple.com',
    'https://example..com',
    'https://127.1',
    'https://0177.0.0.1',
    'https://2130706433',
    'https://0x7f000001',
    'https://foo.0x',
    'https://[::ffff:127.0.0.1]',
    'https://[0:0:0:0:0:0:0:1]',
    'https://[fe80::1%eth0]',
    'https://xn--f',
    'file:///etc/passwd',
    'https://example.com\n',
    ' https://example.com',
    `https://${'a'.repeat(64)}.example`,
    `https://${'a.'.repeat(200)}example`,
  ])('%j is none', (text) => {
    expect(parseOrigin(text)).toBeUndefined();
  });

  test('a host that only begins or ends like the loopback is not it', () => {
    expect(['localhost', 'app.localhost', '127.0.0.1', '127.9.9.9', '[::1]'].every(isLoopbackHost)).toBe(
      true,
    );
    expect(
      ['localhost.evil.example', '127.0.0.1.evil.example', 'notlocalhost', '128.0.0.1', '::1'].some(
        isLoopbackHost,
      ),
    ).toBe(false);
  });
});
