import { describe, expect, test } from '@jest/globals';
import { context, isSecurityError, parseAddress, type Principal } from '@portcullis/core';
import { manualClock } from '@portcullis/core/testing';
import { onBothExpress } from '@portcullis/test-support';
import type { NextFunction, Request, Response } from 'express';
import { randomBytes, randomUUID } from 'node:crypto';
import request from 'supertest';
import { hotp, stepOf } from '../src/factors/one-time-codes.js';
import {
  argon2id,
  bcrypt,
  createPasswordPolicy,
  createTokens,
  createVerifier,
  type AuthOptions,
} from '../src/index.js';
import * as exported from '../src/index.js';
import { asUser } from '../src/testing.js';
import { ada, factorKeys, from, keys, mailKit, password } from './support/auth-kit.js';

const other = 'plover sings at nine';
const bob = { login: 'bob@library.example', password };

const makeAuth = (options: Partial<AuthOptions> = {}) =>
  mailKit({
    registration: 'open',
    factors: { keys: factorKeys, issuer: 'Library' },
    apiKeys: { prefix: 'lib' },
    ...options,
  });
type Kit = ReturnType<typeof makeAuth>;

function fromBase32(text: string): Buffer {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const bits = [...text].map((one) => alphabet.indexOf(one).toString(2).padStart(5, '0')).join('');
  return Buffer.from((bits.match(/.{8}/g) ?? []).map((byte) => Number.parseInt(byte, 2)));
}

/** An account with a second factor, and what its app shows. */
async function enrolled({ auth, clock }: Pick<Kit, 'auth' | 'clock'>, account = ada) {
  const { userId } = await auth.register(account, from);
  const { secret, token } = await auth.startTotp({ id: userId }, { password }, from);
  const code = (steps = 0) => hotp(fromBase32(secret), stepOf(clock.now()) + steps);
  const { recoveryCodes } = await auth.confirmTotp({ id: userId }, { token, code: code() });
  clock.advance('2m'); // The code of the enrolment is used up.
  return { userId, code, secret, recoveryCodes };
}

async function challengeOf({ auth }: Pick<Kit, 'auth'>, account = ada) {
  const error: unknown = await auth.signIn(account, from).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'E_SECOND_FACTOR_REQUIRED' });
  return (error as { problem: { challenge: string; methods: readonly string[]; expires_in: number } })
    .problem;
}

const codeOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => 'done',
    (error: unknown) => (isSecurityError(error) ? error.code : String(error)),
  );

describe('passwords', () => {
  test('ASVS V6.2.1: 15 characters by default, 8 where that is asked for, and no less can be', () => {
    const asked = createPasswordPolicy({ minLength: 8 });
    expect(asked.check('trq9wmz')).toMatchObject([{ reason: 'too-short' }]);
    expect(asked.check('trq9wmzk')).toEqual([]);
    const byDefault = createPasswordPolicy();
    expect(byDefault.check('trq9wmzkbvxplc')).toMatchObject([{ reason: 'too-short' }]);
    expect(byDefault.check('trq9wmzkbvxplcd')).toEqual([]);
    expect(() => createPasswordPolicy({ minLength: 7 })).toThrow(/minLength/);
  });

  test('ASVS V6.2.5 V6.2.9: no kind of character is asked for, all are allowed, and 64 and 128 of them too', () => {
    const { check } = createPasswordPolicy();
    for (const text of [
      'trqmwzkbvxplcdfghjns',
      'TRQMWZKBVXPLCDFGHJNS',
      '84 71 09 35 62 17 40',
      '\u00e4\u00f6\u00fc \u65e5\u672c\u8a9e \u{1F511} <>&"\'; --',
      randomBytes(32).toString('hex'),
      randomBytes(64).toString('hex'),
    ])
      expect([text, check(text)]).toEqual([text, []]);
  });

  test.each([
    ['argon2id', argon2id({ memoryKib: 7_168, passes: 1 })],
    ['bcrypt', bcrypt({ cost: 10 })],
  ])(
    'ASVS V6.2.8: %s: the 73rd byte, the case of a letter, a blank at the end and the last byte of 200 count',
    async (_name, hash) => {
      const { auth } = makeAuth({ passwords: { hash, accept: [] } });
      const long = `Kestrel bakes ${randomBytes(93).toString('hex')}`;
      await auth.register({ ...ada, password: long }, from);
      const changed = (at: number) =>
        `${long.slice(0, at)}${long[at] === 'a' ? 'b' : 'a'}${long.slice(at + 1)}`;
      for (const wrong of [
        changed(72),
        changed(199),
        long.slice(0, 72),
        long.toLowerCase(),
        `${long} `,
        ` ${long}`,
      ]) {
        const verdict = await auth.passwords.verify(wrong, await auth.passwords.hash(long));
        expect(verdict.matches).toBe(false);
      }
      expect(await codeOf(auth.signIn({ ...ada, password: long }, from))).toBe('done');
    },
    30_000,
  );

  test('ASVS V6.2.10: a password of twenty years counts as on its first day', async () => {
    const { auth, clock } = makeAuth({ factors: undefined } as object);
    await auth.register(ada, from);
    for (let year = 0; year < 20; year++) clock.advance('365d');
    expect(await codeOf(auth.signIn(ada, from))).toBe('done');
  });

  test('ASVS V6.4.2: there are no hints and no secret questions, in what is exported and in what is served', async () => {
    const { auth } = makeAuth();
    const words = [...Object.keys(exported), ...Object.keys(auth), ...Object.keys(exported.authErrors)];
    expect(words.length).toBeGreaterThan(60);
    expect(words.filter((word) => /hint|question|answer/i.test(word))).toEqual([]);
  });
});

describe('guesses', () => {
  test('ASVS V6.3.1: of 10,000 stuffed credentials as many are judged as the README says, from few networks and from many', async () => {
    const judged = ({ events }: Kit) =>
      events.of('auth.failed').filter(({ reason }) => reason !== 'limited').length;
    const few = makeAuth();
    for (let n = 0; n < 5_000; n++) {
      const address = parseAddress(`10.0.${n % 20}.${n % 250}`);
      await codeOf(
        few.auth.signIn({ login: `user-${n % 1_000}@library.example`, password: 'stolen' }, { address }),
      );
    }
    // 100 for each of 20 networks.
    expect(judged(few)).toBe(2_000);
    const many = makeAuth();
    await many.auth.register(ada, from);
    for (let n = 0; n < 5_000; n++) {
      const address = parseAddress(`10.${n % 200}.${Math.floor(n / 200)}.1`);
      await codeOf(many.auth.signIn({ ...ada, password: 'stolen' }, { address }));
    }
    // 20 without a wait, and the one with which the waits begin.
    expect(judged(many)).toBe(21);
  }, 60_000);

  test('ASVS V6.3.4: every way in shares the budget of guesses and the second factor; the document names them all', async () => {
    const kit = makeAuth();
    const { auth, clock } = kit;
    const { userId, code } = await enrolled(kit);
    const who = { id: userId };
    const ways: readonly (() => Promise<unknown>)[] = [
      () => auth.signIn({ ...ada, password: 'wrong' }, from),
      () => auth.stepUp(who, { password: 'wrong', code: code() }, from),
      () => auth.changePassword(who, { currentPassword: 'wrong', newPassword: other }, from),
      () => auth.startLoginChange(who, { login: 'a@b.example', password: 'wrong' }, from),
      () => auth.startTotp(who, { password: 'wrong' }, from),
      () => auth.removeTotp(who, { password: 'wrong' }, from),
    ];
    for (const way of ways) expect(await codeOf(way())).toMatch(/^E_(?:SIGN_IN_FAILED|PASSWORD_WRONG)$/);
    // Six wrong ones, one by each way: the network has to wait, whichever way it takes, with the right password too.
    expect(await codeOf(auth.signIn(ada, from))).toBe('E_SIGN_IN_FAILED');
    expect(await codeOf(auth.stepUp(who, { password, code: code() }, from))).toBe('E_PASSWORD_WRONG');
    clock.advance('1d');
    expect(await codeOf(auth.signIn(ada, from))).toBe('E_SECOND_FACTOR_REQUIRED');
    expect(await codeOf(auth.stepUp(who, { password }, from))).toBe('E_FACTOR_WRONG');
    const served = (await servedBy(kit)).filter((path) => /sign-in|refresh|step-up/.test(path));
    expect(served).toEqual(['/refresh', '/sign-in', '/sign-in/complete', '/step-up']);
  });
});

async function servedBy({ auth }: Kit): Promise<string[]> {
  const { walkRoutes } = await import('@portcullis/core');
  const { default: express } = await import('express');
  const app = express();
  app.use(auth.router());
  return [...new Set(walkRoutes(app).map(({ path }) => path!))].toSorted();
}

describe('factors', () => {
  test('ASVS V6.3.6 V6.6.1: neither e-mail nor telephone is a factor: a mailbox begins no session, and no challenge offers it', async () => {
    const kit = makeAuth({ registration: 'by-mail' });
    const { auth, mail } = kit;
    await auth.startRegistration(ada);
    await auth.settled();
    const link = mail.token('complete-registration', ada.login);
    expect(Object.keys(await auth.completeRegistration({ token: link, password }, from))).toEqual(['userId']);
    await auth.startReset(ada);
    await auth.settled();
    const reset = mail.token('reset-password', ada.login);
    expect(Object.keys(await auth.completeReset({ token: reset, password }, from))).toEqual(['userId']);
    const second = makeAuth();
    await enrolled(second);
    expect((await challengeOf(second)).methods).toEqual(['otp', 'recovery-code']);
  });

  test('ASVS V6.5.2 V6.5.4: recovery codes have 136 random bits and are kept as hashes only', async () => {
    const kit = makeAuth();
    const { userId, recoveryCodes } = await enrolled(kit);
    const stored = (await kit.users.findById(userId))!.factors!;
    for (const code of recoveryCodes) {
      const bytes = fromBase32(code.replaceAll('-', ''));
      expect(bytes.length).toBe(17);
      for (const form of [code, code.replaceAll('-', ''), bytes.toString('hex'), bytes.toString('base64url')])
        expect(stored.toLowerCase()).not.toContain(form.toLowerCase());
    }
    expect(new Set(recoveryCodes).size).toBe(10);
  });

  test('ASVS V6.5.5: with drift 0 a code counts in its own thirty seconds only; a challenge counts for five minutes', async () => {
    const factors = {
      keys: [{ id: 'a', key: Buffer.alloc(32, 7).toString('base64url') }],
      issuer: 'Library',
    };
    const kit = makeAuth({ factors: { ...factors, drift: 0 } });
    const { code } = await enrolled(kit);
    const { auth, clock } = kit;
    const { challenge, expires_in: seconds } = await challengeOf(kit);
    expect(seconds).toBe(300);
    const now = code();
    clock.advance('30s');
    expect(await codeOf(auth.completeSignIn({ challenge, code: now }, from))).toBe('E_FACTOR_WRONG');
    expect(await codeOf(auth.completeSignIn({ challenge, code: code(1) }, from))).toBe('E_FACTOR_WRONG');
    const late = await challengeOf(kit);
    clock.advance('5m');
    expect(await codeOf(auth.completeSignIn({ challenge: late.challenge, code: code() }, from))).toBe(
      'E_CHALLENGE_INVALID',
    );
    const intime = await challengeOf(kit);
    expect(await codeOf(auth.completeSignIn({ challenge: intime.challenge, code: code() }, from))).toBe(
      'done',
    );
  });

  test('ASVS V6.6.2: a challenge takes the code of its own account only, and what was made for one purpose serves no other', async () => {
    const kit = makeAuth();
    const { auth, mail } = kit;
    const first = await enrolled(kit, ada);
    const second = await enrolled(kit, bob);
    const { challenge } = await challengeOf(kit, ada);
    expect(await codeOf(auth.completeSignIn({ challenge, code: second.code() }, from))).toBe(
      'E_FACTOR_WRONG',
    );
    await auth.startReset(ada);
    await auth.settled();
    const link = mail.token('reset-password', ada.login);
    expect(await codeOf(auth.completeSignIn({ challenge: link, code: first.code() }, from))).toBe(
      'E_CHALLENGE_INVALID',
    );
    expect(await codeOf(auth.completeReset({ token: challenge, password: other }, from))).toBe(
      'E_LINK_INVALID',
    );
    expect(await codeOf(auth.completeSignIn({ challenge, code: first.code() }, from))).toBe('done');
  });
});

describe('secrets', () => {
  test('ASVS V6.5.3 V7.2.3 V11.5.1: every secret holds at least 128 bits of the given source of chance, none of it twice', async () => {
    const drawn: Buffer[] = [];
    const bytes = (count: number) => {
      const made = randomBytes(count);
      drawn.push(made);
      return made;
    };
    const kit = makeAuth({ random: { bytes, uuid: randomUUID }, registration: 'by-mail' });
    const { auth, mail } = kit;
    await auth.startRegistration(ada);
    await auth.settled();
    const link = mail.token('complete-registration', ada.login);
    const { userId } = await auth.completeRegistration({ token: link, password }, from);
    const pair = await auth.signIn(ada, from);
    const { key } = await auth.apiKeys!.create(userId, { name: 'Import', scopes: ['book:read'] });
    const { secret, token } = await auth.startTotp({ id: userId }, { password }, from);
    const code = hotp(fromBase32(secret), stepOf(kit.clock.now()));
    const { recoveryCodes } = await auth.confirmTotp({ id: userId }, { token, code });
    kit.clock.advance('2m');
    const { challenge } = await challengeOf(kit);
    await auth.startReset(ada);
    await auth.settled();

    const url = (text: string) => Buffer.from(text, 'base64url');
    const secrets: readonly (readonly [string, Buffer])[] = [
      ['link', url(link)],
      ['reset', url(mail.token('reset-password', ada.login))],
      ['refresh token', url(pair.refreshToken)],
      ['enrolment', url(token)],
      ['challenge', url(challenge)],
      ['TOTP secret', fromBase32(secret)],
      ...recoveryCodes.map((one) => ['recovery code', fromBase32(one.replaceAll('-', ''))] as const),
    ];
    const used = new Set<Buffer>();
    for (const [name, held] of secrets) {
      const found = drawn.filter((one) => one.length >= 16 && held.includes(one));
      expect([name, found.length]).toEqual([name, 1]);
      used.add(found[0]!);
    }
    expect(used.size).toBe(secrets.length);
    const inKey = drawn.filter((one) => one.length >= 16 && keyHolds(key, one));
    expect(inKey).toHaveLength(1);
  });

  /** An API key is written in its own alphabet. */
  function keyHolds(key: string, random: Buffer): boolean {
    return key.includes(toBase62(random));
  }
  function toBase62(bytes: Buffer): string {
    const alphabet = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
    let value = BigInt(`0x${bytes.toString('hex')}`);
    let text = '';
    while (value > 0n) {
      text = alphabet[Number(value % 62n)]! + text;
      value /= 62n;
    }
    return text;
  }

  test('ASVS V7.2.2: no two sign-ins have a token in common, and what is no token of ours is nobody', async () => {
    const { auth } = makeAuth();
    await auth.register(ada, from);
    const pairs = [await auth.signIn(ada, from), await auth.signIn(ada, from)];
    const parts = pairs.flatMap((pair) => [pair.accessToken, pair.refreshToken, pair.sessionId]);
    expect(new Set(parts).size).toBe(6);
    for (const fixed of ['', 'secret', 'x'.repeat(43), keys.keys[0]!.kid!])
      expect(() => auth.tokens.verify(fixed)).toThrow(expect.objectContaining({ code: 'E_TOKEN_INVALID' }));
  });

  test('ASVS V9.2.4: with one key for two audiences, a token of one is refused by the other', () => {
    const issuer = 'https://library.example';
    const clock = manualClock();
    const [a, b] = ['https://a.example', 'https://b.example'].map((audience) =>
      createTokens({ issuer, audience, keys, clock }),
    ) as [ReturnType<typeof createTokens>, ReturnType<typeof createTokens>];
    const { token } = a.issue({ userId: 'u1', sessionId: 's1' } as never);
    expect(a.verify(token).aud).toBe('https://a.example');
    expect(() => b.verify(token)).toThrow(expect.objectContaining({ code: 'E_TOKEN_INVALID' }));
    expect(() => createVerifier({ issuer, keys, clock } as never)).toThrow(/audience/);
  });
});

describe('mail', () => {
  test('ASVS V1.3.11: an address with a line break, a second recipient or a header reaches no mailer', async () => {
    const { auth, mail } = makeAuth({ registration: 'by-mail' });
    for (const login of [
      'ada@library.example\r\nBcc: eve@attacker.example',
      'ada@library.example\nSubject: hello',
      'ada\r\n@library.example',
      'ada@library.example,eve@attacker.example',
      'ada@library.example eve@attacker.example',
      '"a\r\nBcc: eve"@library.example',
      'ada@library.example%0aBcc:eve@attacker.example',
      'ada@library.example\u2028Bcc: eve',
      '<ada@library.example>',
    ]) {
      for (const flow of [auth.startRegistration, auth.startReset])
        expect([login, await codeOf(flow({ login }))]).toEqual([login, 'E_VALIDATION']);
    }
    await auth.startRegistration({ login: ' ada@library.example\r\n' });
    await auth.settled();
    expect(mail.all.map(({ to }) => to)).toEqual(['ada@library.example']);
  });

  test('ASVS V6.4.6: staff can begin a reset, and choose no password: the link goes to the owner', async () => {
    const { auth, mail, users } = makeAuth({
      impersonation: { allow: () => true, record: async () => undefined },
    });
    await auth.register(ada, from);
    const { userId } = await auth.register(bob, from);
    const hash = (await users.findById(userId))!.passwordHash;
    await auth.startReset({ login: bob.login });
    await auth.settled();
    expect(mail.all).toMatchObject([{ type: 'reset-password', to: bob.login }]);
    expect((await users.findById(userId))!.passwordHash).toBe(hash);
    // Acting for Bob, with Bob's own password, staff change nothing of it.
    const who = { id: userId, sessionId: 's', actor: { id: 'staff', sessionId: 't' } };
    const change = { currentPassword: password, newPassword: other };
    expect(await codeOf(auth.changePassword(who, change, from))).toBe('E_NOT_IN_PERSON');
  });
});

onBothExpress((express) => {
  function makeApp(options: Partial<AuthOptions> = {}) {
    const kit = makeAuth(options);
    const app = express();
    app.use(context({ trustProxy: false, clock: kit.clock }), express.json(), kit.auth.authenticate());
    app.use('/auth/sessions', kit.auth.required({ fresh: '5m' }));
    app.use('/auth', kit.auth.router());
    app.get('/me', kit.auth.required(), (req: Request, res: Response) => {
      res.json({ id: (req.security.principal as Principal).id });
    });
    app.use((error: unknown, _req: Request, res: Response, _next: NextFunction) => {
      const { status, code } = isSecurityError(error) ? error : { status: 500, code: String(error) };
      res.status(status).json({ code });
    });
    return { ...kit, app };
  }

  test('ASVS V7.4.5: an administrator ends all sessions of a person, who is nobody from then on', async () => {
    const { app, auth } = makeApp();
    const { userId } = await auth.register(ada, from);
    const pairs = [await auth.signIn(ada, from), await auth.signIn(ada, from)];
    const asked = () =>
      Promise.all(
        pairs.map(async ({ accessToken }) => {
          const { status } = await request(app).get('/me').set('authorization', `Bearer ${accessToken}`);
          return status;
        }),
      );
    expect(await asked()).toEqual([200, 200]);
    expect(await auth.sessions.revokeAll(userId)).toBe(2);
    expect(await asked()).toEqual([401, 401]);
    for (const { refreshToken } of pairs)
      expect(await codeOf(auth.refresh(refreshToken))).toBe('E_SESSION_ENDED');
  });

  test('ASVS V7.5.2: people see their sessions and end them, where the app asks for it after showing again who they are', async () => {
    const { app, auth, clock } = makeApp();
    await auth.register(ada, from);
    const [here, there] = [await auth.signIn(ada, from), await auth.signIn(ada, from)];
    const call = (method: 'get' | 'delete', path: string, token: string) =>
      request(app)[method](`/auth${path}`).set('authorization', `Bearer ${token}`);
    const { body } = await call('get', '/sessions', here.accessToken);
    const ids = (body as { sessions: { id: string }[] }).sessions.map(({ id }) => id);
    expect(ids.toSorted()).toEqual([here.sessionId, there.sessionId].toSorted());
    clock.advance('6m');
    const stale = await call('delete', `/sessions/${there.sessionId}`, here.accessToken);
    expect(stale).toMatchObject({ status: 401, body: { code: 'E_STEP_UP_REQUIRED' } });
    const { body: again } = await request(app)
      .post('/auth/step-up')
      .set('authorization', `Bearer ${here.accessToken}`)
      .send({ password });
    const { access_token: fresh } = again as { access_token: string };
    expect((await call('delete', `/sessions/${there.sessionId}`, fresh)).status).toBe(204);
    expect((await call('delete', '/sessions', fresh)).status).toBe(200);
  });

  test('ASVS V6.5.8: what a client says of the time moves no code', async () => {
    const kit = makeApp();
    const { app, clock } = kit;
    const { code } = await enrolled(kit);
    const { challenge } = await challengeOf(kit);
    const ahead = new Date(clock.now() + 600_000).toUTCString();
    const answer = await request(app)
      .post('/auth/sign-in/complete')
      .set({ date: ahead, 'x-time': ahead, 'x-request-start': `t=${clock.now() + 600_000}` })
      .send({ challenge, code: code(20), time: clock.now() + 600_000 });
    expect(answer).toMatchObject({ status: 401, body: { code: 'E_FACTOR_WRONG' } });
    expect((await request(app).post('/auth/sign-in/complete').send({ challenge, code: code() })).status).toBe(
      200,
    );
  });

  test('ASVS V7.2.1: a token that a client has changed, or whose session has ended here, is refused here', async () => {
    const { app, auth } = makeApp();
    const { userId } = await auth.register(ada, from);
    const { pair } = await asUser(auth, userId);
    const get = (token: string) => request(app).get('/me').set('authorization', `Bearer ${token}`);
    const [head = '', payload = '', signature = ''] = pair.accessToken.split('.');
    const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as object;
    const forged = Buffer.from(JSON.stringify({ ...claims, sub: 'root' })).toString('base64url');
    expect((await get([head, forged, signature].join('.'))).status).toBe(401);
    expect((await get(pair.accessToken)).status).toBe(200);
    await auth.sessions.revoke(userId, pair.sessionId);
    expect((await get(pair.accessToken)).status).toBe(401);
  });
});
