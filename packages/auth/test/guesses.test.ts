import { describe, expect, test } from '@jest/globals';
import { createMemoryStore, type ClientAddress } from '@portcullis/core';
import { manualClock } from '@portcullis/core/testing';
import { onBothExpress, type ExpressLike } from '@portcullis/test-support';
import request from 'supertest';
import { createLockout, type AuthOptions } from '../src/index.js';
import { ada, authKit, password, serve } from './support/auth-kit.js';
import { at, guessStoreClaims } from './support/guesses.js';

const deviceKeys = [{ id: 'a', key: 'd'.repeat(32) }];

const makeAuth = (options: Partial<AuthOptions> = {}) =>
  authKit({ devices: { keys: deviceKeys }, ...options });
type Kit = ReturnType<typeof makeAuth>;

/** What became of a wrong guess: judged, or refused by a budget. */
async function guess(
  { auth, events }: Kit,
  meta: { address: ClientAddress | undefined; devices?: string[] },
  login = ada.login,
) {
  events.clear();
  await expect(auth.signIn({ login, password: 'guess' }, meta)).rejects.toMatchObject({
    status: expect.any(Number),
  });
  return events.of('auth.limited')[0]?.by ?? 'judged';
}

describe('one network at one account', () => {
  test('five guesses are free, then the waits double for this network; knocking meanwhile does not lengthen them', async () => {
    const kit = makeAuth();
    await kit.auth.register(ada, at('192.0.2.1'));
    for (let i = 0; i < 6; i++) expect(await guess(kit, at('198.51.100.7'))).toBe('judged');
    for (let i = 0; i < 100; i++) expect(await guess(kit, at('198.51.100.8'))).toBe('pair');
    kit.clock.advance('30s');
    expect(await guess(kit, at('198.51.100.7'))).toBe('judged'); // The seventh: now a minute.
    kit.clock.advance('59s');
    expect(await guess(kit, at('198.51.100.7'))).toBe('pair');
    kit.clock.advance('1s');
    expect(await guess(kit, at('198.51.100.7'))).toBe('judged');
  });

  test('it cannot lock out the owner, who signs in from elsewhere without a known device all day', async () => {
    const kit = makeAuth();
    await kit.auth.register(ada, at('192.0.2.1'));
    let judged = 0;
    for (let minute = 0; minute < 1_440; minute++) {
      if ((await guess(kit, at('198.51.100.7'))) === 'judged') judged++;
      if (minute % 60 === 0) await kit.auth.signIn(ada, at('192.0.2.1'));
      kit.clock.advance('1m');
    }
    expect(judged).toBeGreaterThan(10);
    expect(judged).toBeLessThanOrEqual(20);
    expect(kit.events.of('auth.locked-out')).toEqual([]);
  });

  test('addresses of one /24 or /64 are one network', async () => {
    const kit = makeAuth();
    const sent = async (address: (n: number) => string) => {
      const seen: string[] = [];
      for (let n = 0; n < 8; n++)
        seen.push(await guess(kit, at(address(n)), `${address(0).length}@library.example`));
      return seen.filter((one) => one === 'judged').length;
    };
    expect(await sent((n) => `203.0.113.${n}`)).toBe(6);
    expect(await sent((n) => `2001:db8:1:2::${n + 1}`)).toBe(6);
  });

  test('guesses sent at once do not share one budget', async () => {
    const kit = makeAuth();
    await Promise.allSettled(
      Array.from({ length: 50 }, () => kit.auth.signIn({ ...ada, password: 'guess' }, at('192.0.2.1'))),
    );
    const judged = kit.events.of('auth.failed').filter(({ reason }) => reason !== 'limited');
    expect(judged.length).toBeLessThanOrEqual(6);
  });
});

describe('many networks at one account', () => {
  test('get at most 100 guesses a day together, silently; the owner is told once', async () => {
    const kit = makeAuth();
    await kit.auth.register(ada, at('192.0.2.1'));
    let judged = 0;
    let told = 0;
    for (let n = 0; n < 2_880; n++) {
      if ((await guess(kit, at(`${10 + (n % 200)}.${n % 251}.${n % 13}.9`))) === 'judged') judged++;
      told += kit.events.of('auth.locked-out').length;
      kit.clock.advance('30s');
    }
    expect(judged).toBeGreaterThan(40);
    expect(judged).toBeLessThanOrEqual(100);
    expect(told).toBe(1);
  });

  test('after 100 in a row nothing is judged until a whole day has passed without a guess', async () => {
    const budget = createLockout({ store: createMemoryStore({ clock: manualClock() }), perAccount: 99 });
    const results = [];
    for (let n = 0; n < 120; n++) results.push(await budget.take({ account: 'a', ...at(`10.${n}.0.1`) }));
    expect(results.filter((one) => one.allowed)).toHaveLength(100);
    const clock = manualClock();
    const other = createLockout({ store: createMemoryStore({ clock }), perAccount: 99, maxRest: '1h' });
    for (let n = 0; n < 100; n++) await other.take({ account: 'a', ...at(`10.${n}.0.1`) });
    clock.advance('23h');
    expect(await other.take({ account: 'a', ...at('10.200.0.1') })).toMatchObject({
      allowed: false,
      by: 'account',
    });
    clock.advance('1h');
    expect(await other.take({ account: 'a', ...at('10.200.0.1') })).toMatchObject({ allowed: true });
  });

  test('an owner who signs in does not give the attackers their guesses back', async () => {
    const kit = makeAuth();
    await kit.auth.register(ada, at('192.0.2.1'));
    let judged = 0;
    for (let n = 0; n < 60; n++) {
      if ((await guess(kit, at(`10.${n}.0.1`))) === 'judged') judged++;
      if (n % 5 === 0 && n < 20) await kit.auth.signIn(ada, at('192.0.2.1'));
    }
    expect(judged).toBeLessThanOrEqual(21);
  });
});

describe('a known device', () => {
  async function known(kit: Kit) {
    await kit.auth.register(ada, at('192.0.2.1'));
    const { deviceToken } = await kit.auth.signIn(ada, at('192.0.2.1'));
    return { ...at('192.0.2.1'), devices: [deviceToken!] };
  }
  async function attack(kit: Kit) {
    for (let n = 0; n < 60; n++) await guess(kit, at(`10.${n}.0.1`));
    expect(await guess(kit, at('192.0.2.1'))).toBe('account');
  }

  test('lets its owner in while strangers have locked the account for everybody else', async () => {
    const kit = makeAuth();
    const device = await known(kit);
    await attack(kit);
    await expect(kit.auth.signIn(ada, at('192.0.2.1'))).rejects.toMatchObject({
      details: { reason: 'limited' },
    });
    const again = await kit.auth.signIn(ada, device);
    expect(kit.events.of('auth.signed-in').at(-1)).toMatchObject({ known: true });
    // The device keeps its id: a copy of its cookie shares its budget.
    expect(again.deviceToken!.split('.')[1]).toBe(device.devices[0]!.split('.')[1]);
  });

  test('has a budget of its own, which a right password fills again', async () => {
    const kit = makeAuth();
    const device = await known(kit);
    for (let i = 0; i < 4; i++) expect(await guess(kit, device)).toBe('judged');
    await kit.auth.signIn(ada, device);
    for (let i = 0; i < 6; i++) expect(await guess(kit, device)).toBe('judged');
    expect(await guess(kit, device)).toBe('device');
    // Whoever has stolen it does not lock the owner's other way in.
    await kit.auth.signIn(ada, at('192.0.2.1'));
  });

  test('is one for its account only, for its time, and under a key that is known', async () => {
    const kit = makeAuth();
    const device = await known(kit);
    const [token] = device.devices as [string];
    const [id, name, since, mac] = token.split('.') as [string, string, string, string];
    await attack(kit);
    const changed = (text: string) => text.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'));
    for (const forged of [
      `b.${name}.${since}.${mac}`,
      `${id}.${changed(name)}.${since}.${mac}`,
      `${id}.${name}.${changed(since)}.${mac}`,
      `${id}.${name}.${since}.${mac.replace(/^./, (c) => (c === 'x' ? 'y' : 'x'))}`,
      `${id}.${name}.${since}`,
      '',
      'x'.repeat(10_000),
    ]) {
      expect([forged, await guess(kit, { ...at('192.0.2.1'), devices: [forged] })]).toEqual([
        forged,
        'account',
      ]);
    }
    const bob = { login: 'bob@library.example', password };
    await kit.auth.register(bob, at('192.0.2.1'));
    await kit.auth.signIn(bob, device);
    expect(kit.events.of('auth.signed-in').at(-1)).toMatchObject({ known: false });
    expect(await guess(kit, device)).toBe('judged');
    kit.clock.advance('181d');
    await attack(kit);
    expect(await guess(kit, device)).toBe('account');
  });

  test('keys rotate: the first signs, the others verify', async () => {
    const store = createMemoryStore();
    const one = makeAuth({ store });
    const device = await known(one);
    const both = makeAuth({ devices: { keys: [{ id: 'b', key: 'e'.repeat(32) }, ...deviceKeys] } });
    await both.auth.register(ada, at('192.0.2.1'));
    const { deviceToken } = await both.auth.signIn(ada, device);
    expect(both.events.of('auth.signed-in')).toMatchObject([{ known: true }]);
    expect(deviceToken).toMatch(/^b\./);
  });

  test('short keys and one name twice do not start', () => {
    for (const [devices, message] of [
      [{ keys: [] }, /devices\.keys/],
      [{ keys: [{ id: 'a', key: 'short' }] }, /32 bytes/],
      [{ keys: [...deviceKeys, ...deviceKeys] }, /one id twice/],
      [{ keys: deviceKeys, ttl: '1h' }, /devices\.ttl/],
      [{}, /devices\.keys/],
    ] as const) {
      expect(() => makeAuth({ devices: devices as unknown as NonNullable<AuthOptions['devices']> })).toThrow(
        message,
      );
    }
    for (const [guesses, message] of [
      [{ rest: '1h', maxRest: '30m' }, /maxRest must be at least rest/],
      [{ perAccount: 50, most: 50 }, /perAccount must be less than most/],
      [{ most: 101 }, /guesses\.most/],
    ] as const) {
      expect(() => makeAuth({ guesses })).toThrow(message);
    }
  });
});

describe('many people behind one address', () => {
  test('500 who mistype once or twice and then sign in see no lock, nor does the network', async () => {
    const kit = makeAuth();
    const office = at('192.0.2.1');
    const people = Array.from({ length: 500 }, (_, i) => ({ login: `p${i}@library.example`, password }));
    for (const person of people) await kit.auth.register(person, office);
    for (const [i, person] of people.entries()) {
      for (let n = 0; n < i % 3; n++) expect(await guess(kit, office, person.login)).toBe('judged');
      await kit.auth.signIn(person, office);
    }
    expect(kit.events.of('auth.limited')).toEqual([]);
  });

  test('somebody among them who knocks at one account does not use up the budget of the network', async () => {
    const kit = makeAuth();
    await kit.auth.register(ada, at('192.0.2.1'));
    for (let i = 0; i < 1_000; i++)
      expect(await guess(kit, at('192.0.2.2'), 'eve@library.example')).not.toBe('network');
    await kit.auth.signIn(ada, at('192.0.2.1'));
  });
});

onBothExpress((express: ExpressLike) => {
  test('the device is a __Host- cookie that signing out leaves, or device_token for those without cookies', async () => {
    const kit = makeAuth({ transport: { cookies: {} } });
    const { auth } = kit;
    const app = serve(express, kit);
    await auth.register(ada, at('192.0.2.1'));
    const signedIn = await request(app).post('/auth/sign-in').send(ada);
    const cookies = signedIn.headers['set-cookie'] as unknown as string[];
    const device = cookies.find((line) => line.startsWith('__Host-device='))!;
    expect(device).toMatch(/; Path=\/; Secure; HttpOnly; SameSite=Strict; Max-Age=15552000$/);
    expect(signedIn.body).not.toHaveProperty('device_token');
    const value = device.split(';', 1)[0]!;
    const bob = { login: 'bob@library.example', password };
    await auth.register(bob, at('192.0.2.1'));
    const second = await request(app).post('/auth/sign-in').set('cookie', value).send(bob);
    const both = (second.headers['set-cookie'] as unknown as string[]).find((line) =>
      line.startsWith('__Host-device='),
    )!;
    expect(both.split(';', 1)[0]!.split('~')).toHaveLength(2);
    expect(both).toContain(value.slice('__Host-device='.length));
    const out = await request(app)
      .post('/auth/sign-out')
      .set('cookie', cookies.map((line) => line.split(';', 1)[0]).join('; '));
    expect(JSON.stringify(out.headers['set-cookie'])).not.toContain('__Host-device');

    const bearer = await request(app)
      .post('/auth/sign-in')
      .send({ ...ada, transport: 'bearer' });
    const { device_token: token } = bearer.body as { device_token: string };
    expect(auth.metaOf).toBeDefined();
    const known = await request(app)
      .post('/auth/sign-in')
      .send({ ...ada, transport: 'bearer', device_token: token });
    expect((known.body as { device_token: string }).device_token.split('.')[1]).toBe(token.split('.')[1]);
    expect(
      (
        await request(app)
          .post('/auth/sign-in')
          .send({ ...ada, device_token: 7 })
      ).status,
    ).toBe(400);
  });
});

describe('guesses in memory', () => guessStoreClaims(() => createMemoryStore()));
