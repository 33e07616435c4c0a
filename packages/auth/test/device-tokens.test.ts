import { describe, expect, test } from '@jest/globals';
import { systemRandom, type SecurityRequest, type SecurityResponse } from '@portcullis/core';
import { manualClock } from '@portcullis/core/testing';
import { createDeviceCookie } from '../src/guesses/device-cookie.js';
import { createDevices, type DevicesOptions } from '../src/guesses/devices.js';

const DAY = 86_400_000;
const keys = [{ id: 'new', key: 'n'.repeat(32) }];
const old = { id: 'old', key: 'o'.repeat(32) };

function kit(options: Partial<DevicesOptions> = {}) {
  const clock = manualClock();
  return {
    clock,
    devices: createDevices({ keys, ...options }, { clock, random: systemRandom }, 'test', 'devices'),
  };
}

describe('tokens of devices', () => {
  test('are found among others, for their own account only, and keep their device', () => {
    const { devices } = kit();
    const [token, other] = [devices.issue('ada'), devices.issue('bob')];
    const device = token.split('.')[1]!;
    expect(devices.find('ada', ['x', other, token])).toBe(device);
    expect(devices.find('carol', [token, other])).toBeUndefined();
    expect(devices.find('ada', [])).toBeUndefined();
    expect(devices.find('ada', [devices.issue('ada', device)])).toBe(device);
  });

  test('end with their time, to the second in which they were made; a clock may be a day behind', () => {
    const { devices, clock } = kit({ ttl: '2d' });
    const token = devices.issue('ada');
    const made = clock.now();
    for (const [now, known] of [
      [made + 2 * DAY - 1, true],
      [made + 2 * DAY, false],
      [made - DAY, true],
      [made - DAY - 1, false],
    ] as const) {
      clock.setNow(now);
      expect([now - made, devices.find('ada', [token]) !== undefined]).toEqual([now - made, known]);
    }
  });

  test('of an older key are known as long as the key is', () => {
    const token = kit({ keys: [old] }).devices.issue('ada');
    expect(kit({ keys: [...keys, old] }).devices.find('ada', [token])).toBeDefined();
    expect(kit({ keys: [old, ...keys] }).devices.find('ada', [token])).toBeDefined();
    expect(kit().devices.find('ada', [token])).toBeUndefined();
    expect(kit({ keys: [{ ...old, key: 'x'.repeat(32) }] }).devices.find('ada', [token])).toBeUndefined();
  });

  test('live up to 400 days, under keys with names of their own', () => {
    expect(kit({ ttl: '400d' }).devices.ttlMs).toBe(400 * DAY);
    expect(() => kit({ ttl: '401d' })).toThrow(/devices\.ttl must be between/);
    expect(() => kit({ keys: [...keys, { ...old, id: 'new' }] })).toThrow(
      expect.objectContaining({ code: 'E_OPTION_CONFLICT', option: 'devices.keys' }) as never,
    );
  });
});

describe('the cookie of a device', () => {
  const NAME = '__Host-device';
  const cookie = createDeviceCookie('host', 90_999);
  const request = (header: string | undefined) =>
    ({ headers: { cookie: header } }) as unknown as SecurityRequest;
  function write(token: string, brought: string | undefined, before?: string | string[]) {
    const headers = new Map<string, unknown>(before === undefined ? [] : [['Set-Cookie', before]]);
    const res = {
      req: brought === undefined ? undefined : request(brought),
      getHeader: (name: string) => headers.get(name),
      setHeader: (name: string, value: unknown) => void headers.set(name, value),
    };
    cookie.write(res as unknown as SecurityResponse, token);
    return headers.get('Set-Cookie') as string[];
  }
  const token = (device: string) => `k.${device}.s.m`;
  const flags = 'Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=90';

  test('is read among others; two of one name are none', () => {
    expect(cookie.read(request(`a=b; ${NAME}=x~y ; c=d`))).toEqual(['x', 'y']);
    expect(cookie.read(request(`${NAME}=a~b~c~d~e`))).toEqual(['a', 'b', 'c', 'd']);
    for (const header of [
      undefined,
      '',
      'a=b',
      `${NAME}=x; ${NAME}=y`,
      `x${NAME}=x`,
      `a=${NAME}=`,
      `${NAME}x=y`,
    ])
      expect(cookie.read(request(header))).toEqual([]);
  });

  test('carries the newest of four people first, each once', () => {
    expect(write(token('d'), undefined)).toEqual([`${NAME}=${token('d')}; ${flags}`]);
    expect(write('k.b.new.m', `${NAME}=${['a', 'b', 'c'].map(token).join('~')}`)).toEqual([
      `${NAME}=${['k.b.new.m', token('a'), token('c')].join('~')}; ${flags}`,
    ]);
    const four = ['a', 'b', 'c', 'd'].map(token);
    expect(write(token('e'), `${NAME}=${four.join('~')}`)).toEqual([
      `${NAME}=${[token('e'), ...four.slice(0, 3)].join('~')}; ${flags}`,
    ]);
  });

  test('replaces itself among the cookies of an answer, and no other', () => {
    const own = `${NAME}=${token('d')}; ${flags}`;
    expect(write(token('d'), undefined, 'a=b')).toEqual(['a=b', own]);
    expect(write(token('d'), undefined, ['a=b', `${NAME}=old; ${flags}`, `b=${NAME}=`])).toEqual([
      'a=b',
      `b=${NAME}=`,
      own,
    ]);
  });

  test('has a plain name without Secure in development only', () => {
    const headers = new Map<string, unknown>();
    const res = {
      getHeader: () => undefined,
      setHeader: (name: string, value: unknown) => headers.set(name, value),
    };
    createDeviceCookie('development', 1_000).write(res as unknown as SecurityResponse, token('d'));
    expect(headers.get('Set-Cookie')).toEqual([
      `dev-device=${token('d')}; Path=/; HttpOnly; SameSite=Strict; Max-Age=1`,
    ]);
  });
});
