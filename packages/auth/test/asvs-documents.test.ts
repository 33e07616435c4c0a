import { readFileSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { isSecurityError, parseAddress, toMs, walkRoutes } from '@portcullis/core';
import { onBothExpress } from '@portcullis/test-support';
import request from 'supertest';
import { hotp, stepOf } from '../src/factors/one-time-codes.js';
import { createPasswordPolicy, type PasskeyCeremony } from '../src/index.js';
import { passkeys } from '../src/passkeys.js';
import { commonPasswords } from '../src/passwords/common-passwords.js';
import { ada, authKit, factorKeys, from, mailKit, password, serve } from './support/auth-kit.js';

const readme = readFileSync(new URL('../README.md', import.meta.url), 'utf8');
/** The default that the README's table of options gives for one of them. */
function documented(option: string): string {
  const row = readme.split('\n').find((line) => line.startsWith(`| \`${option}\` `))!;
  return row.split('|').at(-2)!.trim().replaceAll(/[`']/g, '');
}
const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'done',
    (error: unknown) => (isSecurityError(error) ? error.code : String(error)),
  );

describe('what is documented is what is in force', () => {
  test('ASVS V7.1.1: how long a session may be idle and last, and how long an access token counts', async () => {
    const { auth, clock } = authKit();
    const { userId } = await auth.register(ada, from);
    const pair = await auth.signIn(ada, from);
    const now = clock.now();
    expect(pair.accessExpiresAt - now).toBe(toMs(documented('sessions.accessTtl') as never));
    expect(pair.refreshExpiresAt - now).toBe(toMs(documented('sessions.refreshTtl') as never));
    const [session] = await auth.sessions.list(userId);
    expect(session!.expiresAt - now).toBe(toMs(documented('sessions.absolute') as never));
  });

  test('ASVS V7.1.2: how many sessions one account may have at a time, and which ends with one more', async () => {
    const { auth, clock } = authKit();
    const { userId } = await auth.register(ada, from);
    const max = Number(documented('sessions.max'));
    expect(readme).toContain('one more ends the longest unused');
    const ids: string[] = [];
    for (let n = 0; n <= max; n++) {
      clock.advance(1_000);
      ids.push((await auth.signIn(ada, from)).sessionId);
    }
    const live = (await auth.sessions.list(userId)).map(({ id }) => id);
    expect(live.toSorted()).toEqual(ids.slice(1).toSorted());
  });

  test('ASVS V6.1.1: how many guesses there are from one network, from all, and over all accounts, and how long the first wait is', async () => {
    const [, one, all, wait, network, minutes] =
      /^per account: (\d+) free from one network, (\d+) from all, then waits from (\d+) s; (\d+) per network in (\d+) min$/
        .exec(documented('guesses'))!
        .map(Number) as number[];
    const judged = async (
      times: number,
      address: (n: number) => string,
      login = (_n: number) => ada.login,
    ) => {
      const { auth, events } = authKit();
      await auth.register(ada, from);
      for (let n = 0; n < times; n++)
        await codeOf(
          auth.signIn({ login: login(n), password: 'guess' }, { address: parseAddress(address(n)) }),
        );
      return events.of('auth.failed').filter(({ reason }) => reason !== 'limited').length;
    };
    // The one with which a wait begins is judged too.
    expect(await judged(50, () => '10.0.0.1')).toBe(one! + 1);
    expect(await judged(50, (n) => `10.0.${n}.1`)).toBe(all! + 1);
    expect(
      await judged(
        150,
        () => '10.0.0.1',
        (n) => `${n}@library.example`,
      ),
    ).toBe(network);
    const { auth, clock, events } = authKit();
    await auth.register(ada, from);
    for (let n = 0; n <= one!; n++) await codeOf(auth.signIn({ ...ada, password: 'guess' }, from));
    clock.advance(wait! * 1_000 - 1);
    expect(await codeOf(auth.signIn(ada, from))).toBe('E_SIGN_IN_FAILED');
    clock.advance(1);
    expect(await codeOf(auth.signIn(ada, from))).toBe('done');
    for (let n = 0; n < 150; n++)
      await codeOf(auth.signIn({ login: `${n}@library.example`, password: 'guess' }, from));
    clock.advance(minutes! * 60_000);
    events.clear();
    await codeOf(auth.signIn({ login: 'one@library.example', password: 'guess' }, from));
    expect(events.of('auth.limited')).toEqual([]);
  });

  test('ASVS V6.1.2: which words a password may not be made of: those of the service, and a list of a known length', () => {
    expect(readme).toContain("`words` are the service's own");
    expect(readme).toContain(`${commonPasswords().size.toLocaleString('en')} that are embedded`);
    const { check } = createPasswordPolicy({ words: ['Riverside Library'] });
    for (const text of ['riverside library', 'Riverside2026!', 'riversideLIBRARY'])
      expect(check(text)).toContainEqual(expect.objectContaining({ reason: 'common' }));
  });
});

describe('a factor that is lost', () => {
  test('ASVS V6.4.4: is given up with the password and a code that was handed out with it; no mail and no password alone takes it away', async () => {
    const { auth, mail, clock } = mailKit({
      registration: 'open',
      factors: { keys: factorKeys, issuer: 'Library' },
    });
    const { userId } = await auth.register(ada, from);
    const who = { id: userId };
    const { secret, token } = await auth.startTotp(who, { password }, from);
    const code = hotp(fromBase32(secret), stepOf(clock.now()));
    const { recoveryCodes } = await auth.confirmTotp(who, { token, code });
    await auth.startReset(ada);
    await auth.settled();
    const next = 'plover sings at nine';
    await auth.completeReset({ token: mail.token('reset-password', ada.login), password: next }, from);
    expect(await codeOf(auth.signIn({ ...ada, password: next }, from))).toBe('E_SECOND_FACTOR_REQUIRED');
    expect(await codeOf(auth.removeTotp(who, { password: next }, from))).not.toBe('done');
    expect(await codeOf(auth.removeTotp(who, { password: next, code: recoveryCodes[0]! }, from))).toBe(
      'done',
    );
    expect(await codeOf(auth.signIn({ ...ada, password: next }, from))).toBe('done');
  });
});

function fromBase32(text: string): Buffer {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const bits = [...text].map((one) => alphabet.indexOf(one).toString(2).padStart(5, '0')).join('');
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
}

describe('passkeys', () => {
  const site = passkeys({
    rpId: 'library.example',
    rpName: 'Library',
    origins: ['https://library.example'],
  });
  const challengeOf = ({ options }: PasskeyCeremony) =>
    Buffer.from((options as { challenge: string }).challenge, 'base64url');

  test('ASVS V6.7.2: a challenge is 256 bits of the given source of chance, and of 1,000 no two are alike', async () => {
    const { auth } = authKit({ passkeys: site });
    const seen = new Set<string>();
    for (let n = 0; n < 1_000; n++) {
      const challenge = challengeOf(await auth.startPasskeySignIn({}));
      expect(challenge).toHaveLength(32);
      seen.add(challenge.toString('hex'));
    }
    expect(seen.size).toBe(1_000);

    // Not from a counter, a clock or a source of its own: what the port gives is what the challenge is.
    const given: Buffer[] = [];
    const bytes = (length: number) => {
      given.push(Buffer.alloc(length, given.length + 1));
      return given.at(-1)!;
    };
    const { auth: predictable } = authKit({ passkeys: site, random: { bytes, uuid: randomUUID } });
    for (let n = 0; n < 3; n++) {
      given.length = 0;
      const challenge = challengeOf(await predictable.startPasskeySignIn({}));
      expect(given.filter((one) => one.equals(challenge))).toHaveLength(1);
    }
  });
});

onBothExpress((express) => {
  test('ASVS V7.6.2: a session begins when somebody sends a password on purpose, and with nothing else', async () => {
    const kit = mailKit({ transport: { cookies: {} }, registration: 'open' });
    const { auth, events, mail } = kit;
    const app = serve(express, kit);
    const { userId } = await auth.register(ada, from);
    const gets = new Set(walkRoutes(app).map(({ path }) => path!.replaceAll(/:[^/]+/g, 'x')));
    expect(gets.size).toBeGreaterThan(5);
    // A link, an image, a prefetch: whatever is asked for with GET.
    for (const path of gets)
      await request(app)
        .get(path)
        .query({ ...ada, token: 'x' });
    // A page of somebody else that posts the password for them, and a form.
    const post = (path: string) => request(app).post(path);
    await post('/auth/sign-in').set({ 'sec-fetch-site': 'cross-site' }).send(ada);
    await post('/auth/sign-in').type('form').send(ada);
    // What has to do with the account and is no sign-in.
    await post('/auth/register').send({ login: 'bob@library.example', password });
    await auth.startReset(ada);
    await auth.settled();
    await post('/auth/reset/complete').send({ token: mail.token('reset-password', ada.login), password });
    await post('/auth/refresh').send({});
    expect(events.of('auth.signed-in')).toEqual([]);
    expect(await auth.sessions.list(userId)).toEqual([]);
    expect((await post('/auth/sign-in').send(ada)).status).toBe(200);
    expect(await auth.sessions.list(userId)).toHaveLength(1);
  });
});
