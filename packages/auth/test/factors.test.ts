import { describe, expect, test } from '@jest/globals';
import { context, isSecurityError } from '@portcullis/core';
import { redisStore } from '@portcullis/core/redis';
import { asPrincipal } from '@portcullis/core/testing';
import { describeWithRedis, onBothExpress, startRedis, type ExpressLike } from '@portcullis/test-support';
import type { NextFunction, Request, Response } from 'express';
import { Redis } from 'ioredis';
import request from 'supertest';
import { hotp, matchingStep, stepOf, toBase32 } from '../src/factors/one-time-codes.js';
import type { AuthOptions, RequestMeta, SecurityContext } from '../src/index.js';
import { asUser, memoryUsers } from '../src/testing.js';
import { ada, codeOf, factorKeys, from, mailKit, password, serve } from './support/auth-kit.js';
import { at } from './support/guesses.js';

const makeAuth = (options: Partial<AuthOptions> = {}) =>
  mailKit({
    registration: 'open',
    factors: { keys: factorKeys, issuer: 'Digital Library' },
    ...options,
  });
type Kit = ReturnType<typeof makeAuth>;

/** What an authenticator app shows. */
function appOf(secret: string, { clock }: Pick<Kit, 'clock'>) {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const bits = [...secret].map((c) => alphabet.indexOf(c).toString(2).padStart(5, '0')).join('');
  const bytes = Buffer.from(bits.match(/.{8}/g)!.map((byte) => Number.parseInt(byte, 2)));
  return (steps = 0) => hotp(bytes, stepOf(clock.now()) + steps);
}

async function enrolled(options: Partial<AuthOptions> = {}) {
  const kit = makeAuth(options);
  const { userId } = await kit.auth.register(ada, from);
  const { secret, uri, token } = await kit.auth.startTotp({ id: userId }, { password }, from);
  const app = appOf(secret, kit);
  const { recoveryCodes } = await kit.auth.confirmTotp({ id: userId }, { token, code: app() });
  kit.clock.advance('2m'); // The code of the enrolment is used up.
  const challenge = async (): Promise<string> => {
    const error: unknown = await kit.auth.signIn(ada, from).catch((thrown: unknown) => thrown);
    if (!isSecurityError(error) || error.code !== 'E_SECOND_FACTOR_REQUIRED') throw error;
    return (error.problem as { challenge: string }).challenge;
  };
  return { ...kit, userId, secret, uri, app, recoveryCodes, challenge };
}

describe('codes by counter and time', () => {
  test('RFC 4226 appendix D: the ten values of the counter', () => {
    const secret = Buffer.from('12345678901234567890');
    expect(Array.from({ length: 10 }, (_, counter) => hotp(secret, counter))).toEqual([
      '755224',
      '287082',
      '359152',
      '969429',
      '338314',
      '254676',
      '287922',
      '162583',
      '399871',
      '520489',
    ]);
  });

  test('RFC 6238 appendix B: the values for SHA-1, eight digits', () => {
    const secret = Buffer.from('12345678901234567890');
    for (const [seconds, code] of [
      [59, '94287082'],
      [1_111_111_109, '07081804'],
      [1_111_111_111, '14050471'],
      [1_234_567_890, '89005924'],
      [2_000_000_000, '69279037'],
      [20_000_000_000, '65353130'],
    ] as const) {
      expect([seconds, hotp(secret, stepOf(seconds * 1000), 8)]).toEqual([seconds, code]);
    }
  });

  test('RFC 4648 section 10: base32', () => {
    for (const [text, encoded] of [
      ['', ''],
      ['f', 'MY'],
      ['fo', 'MZXQ'],
      ['foo', 'MZXW6'],
      ['foob', 'MZXW6YQ'],
      ['fooba', 'MZXW6YTB'],
      ['foobar', 'MZXW6YTBOI'],
    ] as const) {
      expect(toBase32(Buffer.from(text))).toBe(encoded);
    }
  });

  test('a code counts in its step and the two beside it, whatever else is typed does not', () => {
    const secret = Buffer.alloc(20, 1);
    const now = 1_800_000_015_000;
    const step = stepOf(now);
    for (const off of [-1, 0, 1])
      expect(matchingStep(secret, hotp(secret, step + off), now)).toBe(step + off);
    for (const off of [-2, 2, 10])
      expect(matchingStep(secret, hotp(secret, step + off), now)).toBeUndefined();
    const code = hotp(secret, step);
    expect(matchingStep(secret, `${code.slice(0, 3)} ${code.slice(3)}`, now)).toBe(step);
    for (const bad of [
      '',
      '12345',
      '1234567',
      'abcdef',
      `${code}0`,
      `-${code.slice(1)}`,
      '\u0661\u0662\u0663\u0664\u0665\u0666',
    ])
      expect(matchingStep(secret, bad, now)).toBeUndefined();
  });
});

describe('a second factor', () => {
  test('ASVS V6.3.3: xg6x-h9c9-2m83: a right password alone begins no session and makes no device known; the code does, with level 2', async () => {
    const { auth, app, challenge, userId, uri, events } = await enrolled({
      devices: { keys: [{ id: 'a', key: 'd'.repeat(32) }] },
    });
    expect(uri).toMatch(
      /^otpauth:\/\/totp\/Digital%20Library:ada%40library\.example\?secret=[A-Z2-7]{32}&issuer=Digital%20Library&/,
    );
    const token = await challenge();
    expect(await auth.sessions.list(userId)).toEqual([]);
    expect(events.of('auth.signed-in')).toEqual([]);
    const pair = await auth.completeSignIn({ challenge: token, code: app() }, from);
    expect(pair.deviceToken).toBeDefined();
    expect(await auth.sessions.check(auth.tokens.verify(pair.accessToken))).toMatchObject({
      aal: 2,
      methods: [{ method: 'pwd' }, { method: 'otp' }],
    });
    await expect(auth.completeSignIn({ challenge: token, code: app(1) }, from)).rejects.toMatchObject({
      code: 'E_CHALLENGE_INVALID',
    });
  });

  test('ASVS V6.5.1 V15.4.2: TOTP replay: a code counts once, also of 20 at the same time', async () => {
    const { auth, app, challenge } = await enrolled();
    const code = app();
    const first = await challenge();
    const tries = await Promise.allSettled(
      Array.from({ length: 5 }, () => auth.completeSignIn({ challenge: first, code }, from)),
    );
    expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    await expect(auth.completeSignIn({ challenge: await challenge(), code }, from)).rejects.toMatchObject({
      code: 'E_FACTOR_WRONG',
    });
    await auth.completeSignIn({ challenge: await challenge(), code: app(1) }, from);
  });

  test('ASVS V6.5.1: a recovery code counts once, in any spelling; the others go on, and the owner sees how many are left', async () => {
    const { auth, challenge, recoveryCodes, events, users, userId } = await enrolled();
    expect(new Set(recoveryCodes).size).toBe(10);
    expect(recoveryCodes[0]).toMatch(/^(?:[A-Z2-7]{4}-){6}[A-Z2-7]{4}$/);
    const [one, two] = recoveryCodes as [string, string];
    const spelt = one.toLowerCase().replaceAll('-', ' ');
    await auth.completeSignIn({ challenge: await challenge(), code: spelt }, from);
    await expect(
      auth.completeSignIn({ challenge: await challenge(), code: one }, from),
    ).rejects.toMatchObject({
      code: 'E_FACTOR_WRONG',
    });
    const both = await Promise.allSettled(
      [await challenge(), await challenge()].map((token) =>
        auth.completeSignIn({ challenge: token, code: two }, from),
      ),
    );
    expect(both.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect(events.of('auth.recovery-code-used')).toMatchObject([{ left: 9 }, { left: 8 }]);
    const stored = JSON.stringify(await users.findById(userId));
    for (const code of recoveryCodes) expect(stored).not.toContain(code);
  });

  test('ASVS V6.6.3: wrong codes are capped: at most 20 of a million a day, and the right one is refused meanwhile like a wrong one', async () => {
    const { auth, app, challenge, clock, events } = await enrolled();
    let judged = 0;
    for (let minute = 0; minute < 1_440; minute++) {
      if (minute % 4 === 0) events.clear();
      const token = await challenge();
      await expect(auth.completeSignIn({ challenge: token, code: '000000' }, from)).rejects.toMatchObject({
        code: 'E_FACTOR_WRONG',
      });
      if (events.of('auth.factor-refused').at(-1)?.reason === 'wrong') judged++;
      clock.advance('1m');
    }
    expect(judged).toBeGreaterThan(5);
    expect(judged).toBeLessThanOrEqual(20);
    await expect(
      auth.completeSignIn({ challenge: await challenge(), code: app() }, from),
    ).rejects.toMatchObject({
      code: 'E_FACTOR_WRONG',
    });
    clock.advance('1d');
    await auth.completeSignIn({ challenge: await challenge(), code: app() }, from);
  });

  describe('strangers who know the password', () => {
    const devices = { keys: [{ id: 'a', key: 'd'.repeat(32) }] };
    type Enrolled = Awaited<ReturnType<typeof enrolled>>;
    const outcome = async ({ auth, challenge }: Enrolled, code: string, meta: RequestMeta) =>
      codeOf(auth.completeSignIn({ challenge: await challenge(), code }, meta));
    /** Wrong codes, one from each of many networks: in the end the account rests. */
    async function attack(kit: Enrolled): Promise<void> {
      for (let n = 0; n < 40; n++)
        expect(await outcome(kit, '000000', at(`10.0.${n}.1`))).toBe('E_FACTOR_WRONG');
      expect(await outcome(kit, kit.app(), at('198.51.100.1'))).toBe('E_FACTOR_WRONG');
    }

    test('from one network, all day: the owner signs in from another one', async () => {
      const kit = await enrolled();
      for (let minute = 0; minute < 1_440; minute += 4) {
        expect(await outcome(kit, '000000', at('10.0.0.1'))).toBe('E_FACTOR_WRONG');
        if (minute % 240 === 0) expect(await outcome(kit, kit.app(), at('192.0.2.7'))).toBe('passed');
        kit.clock.advance('4m');
      }
      expect(kit.events.of('auth.locked-out')).toEqual([]);
    });

    test('from many networks, all day: at most 40 of a million codes are judged, and the owner is told once', async () => {
      const kit = await enrolled();
      for (let n = 0; n < 720; n++) {
        await outcome(kit, '000000', at(`10.${n % 200}.${n % 251}.1`));
        kit.clock.advance('2m');
      }
      const judged = kit.events.of('auth.factor-refused').filter(({ reason }) => reason === 'wrong');
      expect(judged.length).toBeGreaterThan(20);
      expect(judged.length).toBeLessThanOrEqual(40);
      await kit.auth.settled();
      expect(kit.mail.to(ada.login).filter(({ type }) => type === 'codes-guessed')).toHaveLength(1);
    });

    test('the owner signs in where a code was shown before, whatever they do; that device has its own budget', async () => {
      const kit = await enrolled({ devices });
      const { auth, app, challenge, clock } = kit;
      const { deviceToken } = await auth.completeSignIn({ challenge: await challenge(), code: app() }, from);
      clock.advance('2m');
      const known = { ...at('198.51.100.1'), devices: [deviceToken!] };
      await attack(kit);
      for (let n = 0; n < 4; n++) expect(await outcome(kit, '000000', known)).toBe('E_FACTOR_WRONG');
      expect(await outcome(kit, app(), known)).toBe('passed');
      clock.advance('2m');
      for (let n = 0; n < 6; n++) await outcome(kit, '000000', known);
      expect(await outcome(kit, app(), known)).toBe('E_FACTOR_WRONG');
      expect(kit.events.of('auth.limited').at(-1)).toMatchObject({ by: 'device' });
    });

    test('a device that is known by the password or the mailbox alone gives no more codes; one that was proven stays so', async () => {
      const kit = makeAuth({ devices });
      const { auth, clock, mail } = kit;
      const { userId } = await auth.register(ada, from);
      const early = await auth.signIn(ada, from);
      const { secret, token } = await auth.startTotp({ id: userId }, { password }, from);
      const app = appOf(secret, kit);
      await auth.confirmTotp({ id: userId }, { token, code: app() });
      clock.advance('2m');
      await auth.startReset({ login: ada.login });
      await auth.settled();
      const reset = await auth.completeReset(
        { token: mail.token('reset-password', ada.login), password },
        from,
      );
      const challenge = () =>
        auth.signIn(ada, from).then(
          () => '',
          (error: { problem: { challenge: string } }) => error.problem.challenge,
        );
      const all: Enrolled = { ...kit, challenge, app } as never;
      await attack(all);
      for (const deviceToken of [early.deviceToken!, reset.deviceToken!])
        expect(await outcome(all, app(), { ...from, devices: [deviceToken] })).toBe('E_FACTOR_WRONG');

      clock.advance('1d');
      const meta = (...tokens: (string | undefined)[]) => ({ ...from, devices: tokens.map(String) });
      const shown = await auth.completeSignIn(
        { challenge: await challenge(), code: app() },
        meta(early.deviceToken),
      );
      expect(shown.deviceToken!.split('.')[1]).toBe(early.deviceToken!.split('.')[1]);
      const weak = await auth.sessions.check(auth.tokens.verify(shown.accessToken));
      clock.advance('2m');
      const again = await auth.stepUp(weak, { password, code: app() }, meta(shown.deviceToken));
      clock.advance('2m');
      await attack(all);
      // Beside one of a later reset, which the browser keeps before it.
      expect(await outcome(all, app(), meta(reset.deviceToken, again.deviceToken))).toBe('passed');
    });

    test('a challenge stays good however often they ask for another', async () => {
      const { auth, app, challenge } = await enrolled();
      const mine = await challenge();
      for (let n = 0; n < 5; n++) await challenge();
      await auth.completeSignIn({ challenge: mine, code: app() }, from);
    });
  });

  test('ASVS V6.4.3: a reset of the password does not get around it, and ends what a challenge had begun', async () => {
    const { auth, app, challenge, mail } = await enrolled();
    const begun = await challenge();
    await auth.startReset({ login: ada.login });
    await auth.settled();
    const token = mail.token('reset-password', ada.login);
    const changed = 'plover sings at nine';
    expect(Object.keys(await auth.completeReset({ token, password: changed }, from))).toEqual(['userId']);
    await expect(auth.completeSignIn({ challenge: begun, code: app() }, from)).rejects.toMatchObject({
      status: 401,
    });
    await expect(auth.signIn({ ...ada, password: changed }, from)).rejects.toMatchObject({
      code: 'E_SECOND_FACTOR_REQUIRED',
      status: 401,
    });
  });

  test('ASVS V6.3.7 V6.5.6 V7.4.3 V7.5.1: turning it on, off and renewing codes need the password and the code, end the other sessions and are told', async () => {
    const { auth, app, challenge, clock, users, userId, mail, recoveryCodes } = await enrolled();
    const sign = async () => {
      clock.advance('2m');
      return auth.completeSignIn({ challenge: await challenge(), code: app() }, from);
    };
    const [mine, other] = [await sign(), await sign()];
    const who = { id: userId, sessionId: mine.sessionId };
    for (const [input, code] of [
      [{ password: 'wrong', code: app(1) }, 'E_PASSWORD_WRONG'],
      [{ password }, 'E_FACTOR_WRONG'],
      [{ password, code: '000000' }, 'E_FACTOR_WRONG'],
    ] as const) {
      for (const change of [auth.removeTotp, auth.renewRecoveryCodes, auth.startTotp])
        await expect(change(who, input, from)).rejects.toMatchObject({ code });
    }
    clock.advance('1d');
    const renewed = await auth.renewRecoveryCodes(who, { password, code: app() }, from);
    expect(renewed.recoveryCodes).not.toEqual(recoveryCodes);
    await expect(auth.refresh(other.refreshToken)).rejects.toMatchObject({ status: 401 });
    await auth.removeTotp(who, { password, code: renewed.recoveryCodes[0]! }, from);
    expect((await users.findById(userId))?.factors).toBeNull();
    await auth.signIn(ada, from);
    await auth.settled();
    const told = mail.to(ada.login).filter(({ type }) => type === 'factors-changed');
    expect(told).toHaveLength(3);
  });

  test('the secret is sealed for its account: moved, changed or without its key it is an error, never no factor', async () => {
    const { auth, users, userId, secret, challenge, app } = await enrolled();
    const user = (await users.findById(userId))!;
    expect(user.factors).not.toContain(secret);
    await auth.register({ login: 'eve@library.example', password }, from);
    const eve = (await users.findByLogin('eve@library.example'))!;
    users.put({ ...eve, factors: user.factors });
    const token = await auth.signIn({ login: eve.login, password }, from).then(
      () => undefined,
      (error: { problem: { challenge: string } }) => error.problem.challenge,
    );
    await expect(auth.completeSignIn({ challenge: token!, code: app() }, from)).rejects.toMatchObject({
      code: 'E_FACTORS_UNREADABLE',
      status: 500,
    });
    for (const factors of [
      '',
      'null',
      '{}',
      '[]',
      '{"totp":7,"recovery":[]}',
      user.factors!.replace('a.', 'b.'),
    ]) {
      users.put({ ...user, factors });
      const refusal = auth.signIn(ada, from).then(
        () => 'signed in',
        (error: { code: string }) => error.code,
      );
      expect(['E_FACTORS_UNREADABLE', 'E_SECOND_FACTOR_REQUIRED']).toContain(await refusal);
    }
    users.put({ ...user });
    await auth.completeSignIn({ challenge: await challenge(), code: app() }, from);
  });

  test('wrong settings do not start', () => {
    const { saveFactors: _none, ...without } = memoryUsers();
    expect(() => makeAuth({ users: without })).toThrow(/users\.saveFactors/);
    for (const [factors, message] of [
      [{ keys: [], issuer: 'x' }, /factors\.keys/],
      [{ keys: [{ id: 'a', key: 'k'.repeat(43).replace(/.$/, '') }], issuer: 'x' }, /43/],
      [{ keys: [{ id: 'a', key: 'k'.repeat(60) }], issuer: 'x' }, /32 bytes/],
      [{ keys: [...factorKeys, ...factorKeys], issuer: 'x' }, /one id twice/],
      [{ keys: factorKeys, issuer: 'a:b' }, /factors\.issuer/],
      [{ keys: factorKeys }, /factors\.issuer/],
    ] as const) {
      expect(() => makeAuth({ factors: factors as unknown as NonNullable<AuthOptions['factors']> })).toThrow(
        message,
      );
    }
  });
});

describeWithRedis('a second factor over two processes with one Redis', () => {
  test('TOTP replay: of 20 uses of one code over both, one counts', async () => {
    const server = await startRedis();
    const clients = [new Redis(server.url), new Redis(server.url)];
    try {
      const users = memoryUsers();
      const kits = clients.map((client) =>
        makeAuth({ users, store: redisStore(client, { timeoutMs: 10_000 }) }),
      );
      const [one, two] = kits as [Kit, Kit];
      const { userId } = await one.auth.register(ada, from);
      const { secret, token } = await one.auth.startTotp({ id: userId }, { password }, from);
      const app = appOf(secret, one);
      await two.auth.confirmTotp({ id: userId }, { token, code: app() });
      const challenges: string[] = [];
      for (let i = 0; i < 4; i++) {
        await kits[i % 2]!.auth.signIn(ada, from).catch((error: { problem: { challenge: string } }) => {
          challenges.push(error.problem.challenge);
        });
      }
      const code = app(1);
      const results = await Promise.allSettled(
        Array.from({ length: 5 }, (_, i) =>
          kits[i % 2]!.auth.completeSignIn({ challenge: challenges.at(-1)!, code }, from),
        ),
      );
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      expect(challenges).toHaveLength(4);
    } finally {
      for (const client of clients) client.disconnect();
      await server.stop();
    }
  }, 60_000);
});

onBothExpress((express: ExpressLike) => {
  function makeApp(kit: Kit) {
    return serve(express, kit, (app) => {
      const done = (_req: Request, res: Response) => void res.json({});
      app.get('/strong', kit.auth.required({ aal: 2, fresh: '5m' }), done);
      app.get('/fresh', kit.auth.required({ fresh: '5m' }), done);
    });
  }

  test('sign-in in two steps, enrolment, recovery codes and removal through the router', async () => {
    const kit = makeAuth();
    const app = makeApp(kit);
    const post = (path: string, body: object, token?: string) => {
      const sent = request(app).post(`/auth${path}`);
      return (token ? sent.set('authorization', `Bearer ${token}`) : sent).send(body);
    };
    await kit.auth.register(ada, from);
    const first = ((await post('/sign-in', ada)).body as { access_token: string }).access_token;
    expect((await post('/totp', { password })).status).toBe(401);
    const start = (await post('/totp', { password }, first)).body as { secret: string; token: string };
    const code = appOf(start.secret, kit);
    const confirmed = await post('/totp/confirm', { token: start.token, code: code() }, first);
    expect((confirmed.body as { recovery_codes: string[] }).recovery_codes).toHaveLength(10);
    kit.clock.advance('2m');
    const half = await post('/sign-in', ada);
    expect(half).toMatchObject({
      status: 401,
      body: { code: 'E_SECOND_FACTOR_REQUIRED', methods: ['otp', 'recovery-code'] },
    });
    const { challenge } = half.body as { challenge: string };
    const whole = await post('/sign-in/complete', { challenge, code: code() });
    expect(whole.status).toBe(200);
    const access = (whole.body as { access_token: string }).access_token;
    const renewed = await post('/recovery-codes', { password, code: code(1) }, access);
    const [recovery] = (renewed.body as { recovery_codes: string[] }).recovery_codes;
    expect((await post('/totp/remove', { password, code: recovery }, access)).status).toBe(204);
    expect((await post('/sign-in', ada)).status).toBe(200);
    expect((await post('/sign-in/complete', { challenge: 'x', code: '1' })).status).toBe(401);
    expect((await post('/sign-in/complete', {})).status).toBe(400);
  });

  test('ASVS V6.3.3 V7.2.4 V7.5.3 V10.3.4: RFC 9470, CVE-2024-45042: what needs level 2 or a fresh sign-in answers with what is asked for; stepping up changes the session', async () => {
    const kit = await enrolled();
    const app = makeApp(kit);
    const weak = await asUser(kit.auth, kit.userId);
    const get = (path: string, token: string) =>
      request(app).get(path).set('authorization', `Bearer ${token}`);
    const refused = await get('/strong', weak.pair.accessToken);
    expect(refused).toMatchObject({
      status: 401,
      body: { code: 'E_STEP_UP_REQUIRED', aal: 2, max_age: 300 },
    });
    expect(refused.headers['www-authenticate']).toBe(
      'Bearer error="insufficient_user_authentication", error_description="A stronger or more recent authentication is required", acr_values="urn:portcullis:aal:2", max_age="300"',
    );
    expect((await request(app).get('/strong')).body).toMatchObject({ code: 'E_AUTHENTICATION_REQUIRED' });
    const step = (body: object, token: string) =>
      request(app).post('/auth/step-up').set('authorization', `Bearer ${token}`).send(body);
    expect((await step({ password }, weak.pair.accessToken)).body).toMatchObject({ code: 'E_FACTOR_WRONG' });
    const stepped = await step({ password, code: kit.app() }, weak.pair.accessToken);
    expect(stepped.status).toBe(200);
    const strong = stepped.body as { access_token: string; session_id: string };
    expect(strong.session_id).not.toBe(weak.pair.sessionId);
    expect((await get('/strong', strong.access_token)).status).toBe(200);
    // The session before has ended: a copy of its tokens did not become stronger.
    expect((await get('/fresh', weak.pair.accessToken)).status).toBe(401);
    kit.clock.advance('5m');
    expect((await get('/strong', strong.access_token)).status).toBe(200);
    kit.clock.advance(1);
    expect((await get('/fresh', strong.access_token)).body).toMatchObject({ code: 'E_STEP_UP_REQUIRED' });
  });

  test('a principal that somebody else has set, without level or time, is neither strong nor fresh', async () => {
    const kit = makeAuth();
    const app = express();
    const security = (req: Request) => (req as Request & { security: SecurityContext }).security;
    app.use(context({ trustProxy: false }), (req: Request, _res: Response, next: NextFunction) => {
      asPrincipal({ id: 'outer' })(req, _res, next);
      void security(req);
    });
    app.get('/strong', kit.auth.required({ aal: 2 }), (_req: Request, res: Response) => void res.json({}));
    app.get(
      '/fresh',
      kit.auth.required({ fresh: '5m' }),
      (_req: Request, res: Response) => void res.json({}),
    );
    app.get('/any', kit.auth.required(), (_req: Request, res: Response) => void res.json({}));
    app.use((error: unknown, _req: Request, res: Response, _next: NextFunction) => {
      res
        .status(isSecurityError(error) ? error.status : 500)
        .json({ code: (error as { code?: string }).code });
    });
    expect((await request(app).get('/any')).status).toBe(200);
    for (const path of ['/strong', '/fresh'])
      expect((await request(app).get(path)).body).toEqual({ code: 'E_STEP_UP_REQUIRED' });
    expect(() => kit.auth.required({ aal: 4 as never })).toThrow(/aal/);
    expect(() => kit.auth.required({ fresh: 'soon' as never })).toThrow(/fresh/);
  });
});
