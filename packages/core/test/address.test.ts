import assert from 'node:assert/strict';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { isIP } from 'node:net';
import { parseAddress, parseForwardedAddress, parseNetwork } from '../src/index.js';

describe('client addresses', () => {
  test.each([
    ['192.0.2.7', '192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7', '192.0.2.7'],
    ['::FFFF:c000:0207', '192.0.2.7', '192.0.2.7'],
    ['64:ff9b::192.0.2.7', '192.0.2.7', '192.0.2.7'],
    ['2001:DB8:0:0:1:0:0:1', '2001:db8::1:0:0:1', '2001:db8::/64'],
    ['2001:db8::192.0.2.7', '2001:db8::c000:207', '2001:db8::/64'],
    ['fe80::1%eth0', 'fe80::1', 'fe80::/64'],
    ['::', '::', '::/64'],
    ['::1', '::1', '::/64'],
    ['1::', '1::', '1::/64'],
    ['0:0:0:1::', '0:0:0:1::', '0:0:0:1::/64'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ])('%s is written %s and counts as %s', (text, ip, key) => {
    expect(parseAddress(text)).toMatchObject({ ip, key });
  });

  test.each([
    '',
    ' ',
    '1.2.3',
    '1.2.3.4.5',
    '256.1.1.1',
    '01.2.3.4',
    '0x7f.1.1.1',
    '2130706433',
    '1.2.3.4 ',
    '1.2.3.4/8',
    ':::',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '1:2:3:4:5:6:7:8::',
    'g::1',
    '12345::',
    '::1.2.3',
    '::1.2.3.4.5',
    '1.2.3.4::',
    '%eth0',
    '::1%',
    '[::1]',
    'localhost',
    '::ffff:1.2.3.256',
    'a'.repeat(10_000),
  ])('%j is no address', (text) => {
    expect(parseAddress(text)).toBeUndefined();
  });

  test('every address that Node knows is read, and its canonical form is a fixed point', () => {
    fc.assert(
      fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
        const address = parseAddress(text);
        assert.equal(isIP(text) !== 0, address !== undefined);
        if (!address) return;
        assert.equal(isIP(address.ip), address.version);
        assert.equal(parseAddress(address.ip)?.ip, address.ip);
        if (address.version === 6)
          assert.equal(address.ip, new URL(`http://[${address.ip}]/`).hostname.slice(1, -1));
      }),
      { numRuns: 2000 },
    );
  });

  test('2^16 addresses of one /64 count as one client; neighbours do not', () => {
    const keys = new Set<string>();
    for (let i = 0; i < 65_536; i++) keys.add(parseAddress(`2001:db8:0:7::${i.toString(16)}`)!.key);
    expect([...keys]).toEqual(['2001:db8:0:7::/64']);
    expect(parseAddress('2001:db8:0:8::1')!.key).not.toBe('2001:db8:0:7::/64');
  });

  test('prefixes are networks with zero host bits, and wrong sizes are refused', () => {
    const address = parseAddress('203.0.113.200')!;
    expect([32, 24, 20, 8, 0].map((bits) => address.prefix(bits))).toEqual([
      '203.0.113.200/32',
      '203.0.113.0/24',
      '203.0.112.0/20',
      '203.0.0.0/8',
      '0.0.0.0/0',
    ]);
    expect(() => address.prefix(33)).toThrow(RangeError);
    expect(parseAddress('2001:db8:ffff:ffff::1')!.prefix(33)).toBe('2001:db8:8000::/33');
  });

  test('forwarded forms carry ports and brackets; anything else is refused', () => {
    expect(parseForwardedAddress('192.0.2.7:8080')?.ip).toBe('192.0.2.7');
    expect(parseForwardedAddress('[2001:db8::1]:443')?.ip).toBe('2001:db8::1');
    expect(parseForwardedAddress('[2001:db8::1]')?.ip).toBe('2001:db8::1');
    for (const text of ['unknown', '_hidden', '[::1', '1.2.3.4:', '1.2.3.4:x', '']) {
      expect(parseForwardedAddress(text)).toBeUndefined();
    }
  });

  test('networks contain what they should; host bits and families are not mixed', () => {
    const ten = parseNetwork('10.0.0.0/8')!;
    expect(ten.contains(parseAddress('10.200.3.4')!)).toBe(true);
    expect(ten.contains(parseAddress('::ffff:10.1.1.1')!)).toBe(true);
    expect(ten.contains(parseAddress('11.0.0.1')!)).toBe(false);
    expect(parseNetwork('::/0')!.contains(parseAddress('10.1.1.1')!)).toBe(false);
    for (const text of [
      '10.0.0.1/8',
      '10.0.0.0/33',
      '10.0.0.0/',
      '10.0.0.0/8/8',
      'x/8',
      '10.0.0.0/-1',
      '10.0.0.0/08x',
    ]) {
      expect(parseNetwork(text)).toBeUndefined();
    }
  });
});
