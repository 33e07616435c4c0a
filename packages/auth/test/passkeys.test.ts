import { describe, expect, test } from '@jest/globals';
import { createMemoryStore, isSecurityError, parseAddress } from '@portcullis/core';
import { onBothExpress, type ExpressLike } from '@portcullis/test-support';
import type { Request, Response } from 'express';
import request from 'supertest';
import { hotp, stepOf } from '../src/factors/one-time-codes.js';
import {
  createAuth,
  type AuthOptions,
  type PasskeyCeremony,
  type PasskeyPort,
  type RequestMeta,
} from '../src/index.js';
import { passkeys, type PasskeysOptions } from '../src/passkeys.js';
import { memoryUsers, testHasher } from '../src/testing.js';
import { ada, codeOf, factorKeys, from, keys, mailKit, password, serve } from './support/auth-kit.js';
import { authenticate, register, type Credential, type Spoilt } from './support/authenticator.js';

const eve = { login: 'eve@library.example', password };
const site: PasskeysOptions = {
  rpId: 'library.example',
  rpName: 'Library',
  origins: ['https://library.example', 'https://www.library.example'],
};

const makeAuth = (more: Partial<PasskeysOptions> = {}, options: Partial<AuthOptions> = {}) =>
  mailKit({
    registration: 'open',
    factors: { keys: factorKeys, issuer: 'Library' },
    passkeys: passkeys({ ...site, ...more }),
    ...options,
  });
type Kit = ReturnType<typeof makeAuth>;

/** Signed in with a password, as the principal that routes see. */
async function present({ auth }: Pick<Kit, 'auth'>, who = ada) {
  const pair = await auth.signIn(who, from);
  return auth.sessions.check(auth.tokens.verify(pair.accessToken));
}

/** An account with one passkey. */
async function owner(
  more: Partial<PasskeysOptions> = {},
  spoilt: Spoilt = {},
  options: Partial<AuthOptions> = {},
) {
  const kit = makeAuth(more, options);
  const { userId } = await kit.auth.register(ada, from);
  const who = await present(kit);
  const start = await kit.auth.startPasskeyRegistration(who);
  const { response, credential } = register(start.options, spoilt);
  const info = await kit.auth.addPasskey(who, { ceremony: start.ceremony, response, name: ' Telephone ' });
  return { ...kit, userId, who, credential, info };
}

/** One whole sign-in with a passkey. */
async function signIn(
  { auth }: Pick<Kit, 'auth'>,
  credential: Credential,
  spoilt: Spoilt = {},
  meta: RequestMeta = from,
) {
  const { ceremony, options } = await auth.startPasskeySignIn({});
  return auth.completePasskeySignIn({ ceremony, response: authenticate(options, credential, spoilt) }, meta);
}

describe('passkeys', () => {
  test('one is added, and signs in without a name or password, at level 2', async () => {
    const kit = await owner();
    const { auth, credential, userId, info, events, clock, mail } = kit;
    expect(info).toEqual({
      id: credential.id,
      transports: ['hybrid', 'internal'],
      backupEligible: true,
      backedUp: false,
      name: 'Telephone',
      createdAt: clock.now(),
      lastUsedAt: null,
    });
    clock.advance('1h');
    const pair = await signIn(kit, credential);
    const principal = await auth.sessions.check(auth.tokens.verify(pair.accessToken));
    expect(principal).toMatchObject({
      id: userId,
      aal: 2,
      methods: [{ method: 'passkey', at: clock.now() }],
    });
    expect(await auth.listPasskeys(principal)).toMatchObject([
      { name: 'Telephone', lastUsedAt: clock.now() },
    ]);
    expect(events.of('auth.passkey-added')).toMatchObject([{ userId, passkeyId: credential.id }]);
    await auth.settled();
    expect(mail.to(ada.login)).toMatchObject([{ type: 'passkey-added', name: 'Telephone' }]);
    expect(JSON.stringify(await kit.users.passkeys.find(credential.id))).not.toContain('ada');
  });

  test('the options ask for what was chosen, and name nobody', async () => {
    const kit = await owner();
    const who = await strong(kit);
    const { options } = await kit.auth.startPasskeyRegistration(who);
    expect(options).toMatchObject({
      rp: { id: 'library.example', name: 'Library' },
      user: { name: ada.login },
      pubKeyCredParams: [-8, -7, -257].map((alg) => ({ alg, type: 'public-key' })),
      attestation: 'none',
      authenticatorSelection: { residentKey: 'required', userVerification: 'required' },
      excludeCredentials: [{ id: kit.credential.id, transports: ['hybrid', 'internal'] }],
      timeout: 300_000,
    });
    const handle = Buffer.from((options as { user: { id: string } }).user.id, 'base64url');
    expect(handle).toHaveLength(32);
    expect(handle.toString()).not.toContain(kit.userId);
    const { options: asked } = await kit.auth.startPasskeySignIn({});
    expect(asked).toMatchObject({
      rpId: 'library.example',
      allowCredentials: [],
      userVerification: 'required',
    });
  });

  test('enumeration: what a sign-in begins with is the same whoever asks, and there is no name to give', async () => {
    const kit = await owner();
    const shape = async (input: object) => {
      const { options } = await kit.auth.startPasskeySignIn(input);
      return { ...options, challenge: 'x' };
    };
    const nobody = await shape({});
    for (const login of [ada.login, 'nobody@library.example']) expect(await shape({ login })).toEqual(nobody);
  });

  test('as a second factor after the password, for an account with a code and, where it is asked for, for every one with a passkey', async () => {
    for (const more of [{ secondFactor: true }, {}]) {
      const kit = await owner(more);
      const { auth, credential } = kit;
      if (!more.secondFactor) {
        await auth.signIn(ada, from);
        await enrol(kit);
      }
      const refused = await auth.signIn(ada, from).catch((error: unknown) => error);
      if (!isSecurityError(refused)) throw refused;
      const methods = more.secondFactor ? ['passkey'] : ['otp', 'recovery-code', 'passkey'];
      expect(refused).toMatchObject({ code: 'E_SECOND_FACTOR_REQUIRED', problem: { methods } });
      const { challenge } = refused.problem as { challenge: string };
      const { ceremony, options } = await auth.startPasskeySignIn({ challenge });
      expect(options).toMatchObject({ allowCredentials: [{ id: credential.id }] });
      const response = authenticate(options, credential, { userHandle: null });
      const pair = await auth.completePasskeySignIn({ challenge, ceremony, response }, from);
      const principal = await auth.sessions.check(auth.tokens.verify(pair.accessToken));
      expect(principal).toMatchObject({ aal: 2, methods: [{ method: 'pwd' }, { method: 'passkey' }] });
      expect(await codeOf(auth.startPasskeySignIn({ challenge }))).toBe('E_CHALLENGE_INVALID');
    }
  });

  test('one without user verification is one factor: level 1, and a code is asked for where there is one', async () => {
    const kit = await owner({ userVerification: 'preferred' });
    const { auth, credential } = kit;
    const pair = await signIn(kit, credential, { userVerified: false });
    expect(await auth.sessions.check(auth.tokens.verify(pair.accessToken))).toMatchObject({ aal: 1 });
    const code = await enrol(kit);
    const refused = await signIn(kit, credential, { userVerified: false }).catch((error: unknown) => error);
    expect(refused).toMatchObject({
      code: 'E_SECOND_FACTOR_REQUIRED',
      problem: { methods: ['otp', 'recovery-code'] },
    });
    const { challenge } = (refused as { problem: { challenge: string } }).problem;
    // The same passkey once more is not a second factor.
    expect(await codeOf(auth.startPasskeySignIn({ challenge }))).toBe('E_CHALLENGE_INVALID');
    const whole = await auth.completeSignIn({ challenge, code: code() }, from);
    expect(await auth.sessions.check(auth.tokens.verify(whole.accessToken))).toMatchObject({
      aal: 2,
      methods: [{ method: 'passkey' }, { method: 'otp' }],
    });
    const verified = await signIn(kit, credential);
    expect(await auth.sessions.check(auth.tokens.verify(verified.accessToken))).toMatchObject({ aal: 2 });
  });

  test('stepping up begins a new session and ends the old one', async () => {
    const kit = await owner();
    const { auth, credential } = kit;
    const weak = await present(kit);
    const { ceremony, options } = await auth.startPasskeyStepUp(weak);
    const response = authenticate(options, credential);
    const pair = await auth.stepUpWithPasskey(weak, { ceremony, response }, from);
    expect(pair.sessionId).not.toBe(weak.sessionId);
    expect(await auth.sessions.check(auth.tokens.verify(pair.accessToken))).toMatchObject({ aal: 2 });
    expect((await auth.sessions.list(kit.userId)).map(({ id }) => id)).not.toContain(weak.sessionId);
    await auth.register(eve, from);
    expect(await codeOf(auth.startPasskeyStepUp(await present(kit, eve)))).toBe('E_PASSKEY_NOT_FOUND');
  });

  test('what changes passkeys needs a recent sign-in, at level 2 once there is one', async () => {
    const kit = await owner();
    const { auth, credential, clock } = kit;
    const weak = await present(kit);
    const acts = (who: typeof weak) => [
      auth.startPasskeyRegistration(who),
      auth.renamePasskey(who, credential.id, { name: 'x' }),
      auth.removePasskey(who, credential.id),
    ];
    for (const act of acts(weak)) {
      await expect(act).rejects.toMatchObject({
        code: 'E_STEP_UP_REQUIRED',
        problem: { aal: 2, max_age: 300 },
        headers: { 'WWW-Authenticate': expect.stringContaining('acr_values="urn:portcullis:aal:2"') },
      });
    }
    const who = await strong(kit);
    clock.advance(300_001);
    for (const act of acts(who)) expect(await codeOf(act)).toBe('E_STEP_UP_REQUIRED');
    const again = await strong(kit);
    await auth.renamePasskey(again, credential.id, { name: 'Laptop' });
    expect(await auth.listPasskeys(again)).toMatchObject([{ name: 'Laptop' }]);
    expect(await codeOf(auth.renamePasskey(again, 'nobody', { name: 'x' }))).toBe('E_PASSKEY_NOT_FOUND');
  });

  test('a password is not enough to add a code of an app beside a passkey', async () => {
    const kit = await owner();
    expect(await codeOf(kit.auth.startTotp(await present(kit), { password }, from))).toBe(
      'E_STEP_UP_REQUIRED',
    );
    await enrol(kit);
  });

  test('who acts for somebody else touches no passkey', async () => {
    const kit = await owner();
    const { auth, credential } = kit;
    const who = await strong(kit); // Whatever else there is to ask for is there.
    const acting = { ...who, actor: { id: 'staff' } };
    const { response } = register((await auth.startPasskeyRegistration(who)).options);
    for (const act of [
      () => auth.startPasskeyRegistration(acting),
      () => auth.addPasskey(acting, { ceremony: 'any', response }),
      () => auth.startPasskeyStepUp(acting),
      () => auth.removePasskey(acting, credential.id),
      () => auth.renamePasskey(acting, credential.id, { name: 'x' }),
    ])
      expect(await codeOf(act())).toBe('E_NOT_IN_PERSON');
  });

  test('adding and removing end the other sessions and are told to the owner', async () => {
    const kit = await owner();
    const { auth, credential, mail, events } = kit;
    const other = await auth.signIn(ada, from);
    const who = await strong(kit);
    await auth.removePasskey(who, credential.id);
    expect(await codeOf(auth.refresh(other.refreshToken))).toBe('E_SESSION_ENDED');
    expect((await auth.sessions.list(kit.userId)).map(({ id }) => id)).toEqual([who.sessionId]);
    expect(await codeOf(auth.removePasskey(who, credential.id))).toBe('E_PASSKEY_NOT_FOUND');
    expect(await codeOf(signIn(kit, credential))).toBe('E_PASSKEY_REFUSED');
    await auth.settled();
    expect(mail.to(ada.login).map(({ type }) => type)).toEqual(['passkey-added', 'passkey-removed']);
    expect(events.of('auth.session-revoked')).toMatchObject([{ reason: 'factors-changed' }]);
  });

  test('the last way to sign in stays: the only passkey of an account without password', async () => {
    const kit = await owner();
    const { auth, users, userId, credential } = kit;
    users.put({ ...(await users.findById(userId))!, passwordHash: null });
    const who = await strong(kit);
    expect(await codeOf(auth.removePasskey(who, credential.id))).toBe('E_LAST_SIGN_IN');
    const second = await add(kit, who);
    const both = await Promise.all(
      [credential.id, second.id].map((id) => codeOf(auth.removePasskey(who, id))),
    );
    expect(both.sort()).toEqual(['E_LAST_SIGN_IN', 'passed']);
  });

  test('an account has at most as many as it may have', async () => {
    const kit = await owner({ max: 2 });
    const who = await strong(kit);
    const late = await kit.auth.startPasskeyRegistration(who);
    await add(kit, who);
    expect(await codeOf(kit.auth.startPasskeyRegistration(who))).toBe('E_PASSKEY_LIMIT');
    const { response } = register(late.options);
    expect(await codeOf(kit.auth.addPasskey(who, { ceremony: late.ceremony, response }))).toBe(
      'E_PASSKEY_LIMIT',
    );
  });

  test('a counter that grows is noted; those of synced passkeys, which stay at 0, may', async () => {
    const counting = await owner({}, { counter: 7 });
    await signIn(counting, counting.credential);
    expect(await counting.users.passkeys.find(counting.credential.id)).toMatchObject({ counter: 8 });
    const synced = await owner();
    for (let i = 0; i < 3; i++) await signIn(synced, synced.credential);
  });

  test('the guess budget counts refused passkeys by credential: its owner waits, their password and other networks do not', async () => {
    const kit = await owner();
    const { auth, credential, events, clock } = kit;
    for (let i = 0; i < 6; i++)
      expect(await codeOf(signIn(kit, credential, { origin: 'https://evil.example' }))).toBe(
        'E_PASSKEY_REFUSED',
      );
    expect(await codeOf(signIn(kit, credential))).toBe('E_PASSKEY_REFUSED');
    expect(events.of('auth.passkey-refused').at(-1)).toMatchObject({ reason: 'limited', purpose: 'sign-in' });
    await auth.signIn(ada, from);
    await signIn(kit, credential, {}, { address: parseAddress('198.51.100.1') });
    clock.advance('1d');
    await signIn(kit, credential);
  });

  test('who shows spoilt responses from many networks makes it rest, but not on devices that the owner has used', async () => {
    const kit = await owner({}, {}, { devices: { keys: [{ id: 'a', key: 'd'.repeat(32) }] } });
    const { credential } = kit;
    const { deviceToken } = await signIn(kit, credential);
    for (let n = 0; n < 25; n++)
      await codeOf(
        signIn(kit, credential, { origin: 'https://evil.example' }, { address: parseAddress(`10.0.${n}.1`) }),
      );
    expect(await codeOf(signIn(kit, credential))).toBe('E_PASSKEY_REFUSED');
    await signIn(kit, credential, {}, { ...from, devices: [deviceToken!] });
  });

  test('a network that tries many is told so', async () => {
    const kit = makeAuth({}, { guesses: { perNetwork: 3 } });
    const stranger = { id: 'x', handle: 'aaaa', key: (await owner()).credential.key, counter: 0 };
    const tries = [];
    for (let i = 0; i < 5; i++) tries.push(await codeOf(signIn(kit, { ...stranger, id: `stranger${i}` })));
    expect(tries).toEqual([
      'E_PASSKEY_REFUSED',
      'E_PASSKEY_REFUSED',
      'E_PASSKEY_REFUSED',
      'E_SIGN_IN_LIMITED',
      'E_SIGN_IN_LIMITED',
    ]);
  });

  test('where passkeys are not on, or the port of users has none, it does not start or says so', async () => {
    const { passkeys: _none, ...without } = memoryUsers();
    expect(() => makeAuth({}, { users: without })).toThrow(/passkeys needs users\.passkeys/);
    expect(() => makeAuth({}, { passkeys: site as never })).toThrow(
      /make it with passkeys\(\) of "@portcullis\/auth\/passkeys", which needs @simplewebauthn\/server/,
    );
    const { find: _find, ...lame } = memoryUsers().passkeys;
    expect(() => makeAuth({}, { users: { ...memoryUsers(), passkeys: lame as never } })).toThrow(/"find"/);
    const { passkeys: _off, ...off } = { passkeys: undefined };
    const auth = createAuth({
      issuer: 'i',
      audience: 'a',
      keys,
      users: memoryUsers(),
      store: createMemoryStore(),
      passwords: { hash: testHasher(), accept: [] },
      ...off,
    });
    await expect(auth.startPasskeySignIn({})).rejects.toThrow(/Passkeys are off/);
  });

  test('a port that fails is a 503, not a stranger', async () => {
    const users = memoryUsers();
    const broken = { ...users.passkeys, find: () => Promise.reject(new Error('down')) };
    const kit = makeAuth({}, { users: { ...users, passkeys: broken } });
    const { credential } = await owner();
    await expect(signIn(kit, credential)).rejects.toMatchObject({ code: 'E_USERS_UNAVAILABLE', status: 503 });
  });
});

describe('attacks on passkeys', () => {
  const refused: readonly (readonly [string, Spoilt, string])[] = [
    ['another origin', { origin: 'https://evil.example' }, 'origin'],
    ['a subdomain that is not listed', { origin: 'https://books.library.example' }, 'origin'],
    ['the origin without TLS', { origin: 'http://library.example' }, 'origin'],
    ['the hash of another RP id', { rpId: 'evil.example' }, 'RP'],
    ['a cross-origin frame', { crossOrigin: true }, 'cross-origin frame'],
    ['a cross-origin frame that says so otherwise', { crossOrigin: 'true' }, 'cross-origin frame'],
    ['a page around ours', { topOrigin: 'https://evil.example' }, 'cross-origin frame'],
    ['no user present', { userPresent: false }, 'present'],
    ['no user verification where it is required', { userVerified: false }, 'verif'],
    ['the type of the other ceremony', { type: 'webauthn.create' }, 'type'],
    ['another challenge', { challenge: Buffer.alloc(32, 1).toString('base64url') }, 'challenge'],
    ['a backup flag that has changed', { backupEligible: false }, 'backup eligibility'],
    ['a handle of another account', { userHandle: Buffer.alloc(32, 1).toString('base64url') }, 'user-handle'],
    ['no handle where no name was given', { userHandle: null }, 'user-handle'],
    ['an unknown credential', { id: 'bm9ib2R5' }, 'unknown'],
  ];

  test.each(refused)(
    'sign-in with %s is refused, and answered like every other refusal',
    async (_title, spoilt, reason) => {
      const kit = await owner();
      const error = await signIn(kit, kit.credential, spoilt).catch((thrown: unknown) => thrown);
      expect(error).toMatchObject({ code: 'E_PASSKEY_REFUSED', status: 401 });
      if (!isSecurityError(error)) throw error;
      expect(error.problem).toEqual({});
      expect(kit.events.of('auth.passkey-refused')).toMatchObject([
        { purpose: 'sign-in', reason: expect.stringContaining(reason), ip: '192.0.2.1' },
      ]);
      await signIn(kit, kit.credential);
    },
  );

  test('a response that is changed after it was signed is refused: data, flags, signature', async () => {
    const kit = await owner();
    const { auth, credential } = kit;
    const flip = (text: string, at: number) => {
      const bytes = Buffer.from(text, 'base64url');
      bytes[bytes.length + at]! ^= 1;
      return bytes.toString('base64url');
    };
    for (const [member, at] of [
      ['signature', -1],
      ['authenticatorData', -1],
      ['clientDataJSON', -3],
    ] as const) {
      const { ceremony, options } = await auth.startPasskeySignIn({});
      const good = authenticate(options, credential);
      const response = {
        ...good,
        response: { ...good.response, [member]: flip(good.response[member]!, at) },
      };
      expect([member, await codeOf(auth.completePasskeySignIn({ ceremony, response }, from))]).toEqual([
        member,
        'E_PASSKEY_REFUSED',
      ]);
    }
  });

  test('a response that was used already signs in nobody again, of 5 at once one counts', async () => {
    const kit = await owner();
    const { auth, credential } = kit;
    const { ceremony, options } = await auth.startPasskeySignIn({});
    const response = authenticate(options, credential);
    const all = await Promise.all(
      Array.from({ length: 5 }, () => codeOf(auth.completePasskeySignIn({ ceremony, response }, from))),
    );
    expect(all.sort()).toEqual([...Array.from({ length: 4 }, () => 'E_CHALLENGE_INVALID'), 'passed']);
    expect(await codeOf(auth.completePasskeySignIn({ ceremony, response }, from))).toBe(
      'E_CHALLENGE_INVALID',
    );
    const next = await auth.startPasskeySignIn({});
    expect(await codeOf(auth.completePasskeySignIn({ ceremony: next.ceremony, response }, from))).toBe(
      'E_PASSKEY_REFUSED',
    );
  });

  test('a refused response uses its challenge up', async () => {
    const { auth, credential } = await owner();
    const { ceremony, options } = await auth.startPasskeySignIn({});
    const bad = authenticate(options, credential, { origin: 'https://evil.example' });
    expect(await codeOf(auth.completePasskeySignIn({ ceremony, response: bad }, from))).toBe(
      'E_PASSKEY_REFUSED',
    );
    const good = authenticate(options, credential);
    expect(await codeOf(auth.completePasskeySignIn({ ceremony, response: good }, from))).toBe(
      'E_CHALLENGE_INVALID',
    );
  });

  test('an expired challenge is none', async () => {
    const { auth, credential, clock } = await owner({ timeout: '30s' });
    const { ceremony, options, expiresAt } = await auth.startPasskeySignIn({});
    expect(expiresAt).toBe(clock.now() + 30_000);
    clock.advance('30s');
    const response = authenticate(options, credential);
    expect(await codeOf(auth.completePasskeySignIn({ ceremony, response }, from))).toBe(
      'E_CHALLENGE_INVALID',
    );
  });

  test('a challenge of another purpose is none', async () => {
    const kit = await owner();
    const { auth, credential } = kit;
    const who = await strong(kit);
    const starts: Record<string, () => Promise<PasskeyCeremony>> = {
      'sign-in': () => auth.startPasskeySignIn({}),
      'step-up': () => auth.startPasskeyStepUp(who),
      registration: () => auth.startPasskeyRegistration(who),
    };
    const ends: Record<string, (start: PasskeyCeremony) => Promise<unknown>> = {
      'sign-in': ({ ceremony, options }) =>
        auth.completePasskeySignIn(
          { ceremony, response: authenticate({ rpId: site.rpId, ...options }, credential) },
          from,
        ),
      'step-up': ({ ceremony, options }) =>
        auth.stepUpWithPasskey(
          who,
          { ceremony, response: authenticate({ rpId: site.rpId, ...options }, credential) },
          from,
        ),
      registration: ({ ceremony, options }) =>
        auth.addPasskey(who, {
          ceremony,
          response: register({ rp: { id: site.rpId }, user: { id: 'AAAA' }, ...options }).response,
        }),
    };
    for (const [begun, start] of Object.entries(starts)) {
      for (const [ended, end] of Object.entries(ends)) {
        if (begun === ended) continue;
        expect([begun, ended, await codeOf(end(await start()))]).toEqual([
          begun,
          ended,
          'E_CHALLENGE_INVALID',
        ]);
      }
    }
  });

  test('a challenge of another session is none, and one of another browser does not fit', async () => {
    const kit = await owner();
    const { auth, credential } = kit;
    const [one, two] = [await strong(kit), await strong(kit)];
    const step = await auth.startPasskeyStepUp(one);
    const response = authenticate(step.options, credential);
    expect(await codeOf(auth.stepUpWithPasskey(two, { ceremony: step.ceremony, response }, from))).toBe(
      'E_CHALLENGE_INVALID',
    );
    const begun = await auth.startPasskeyRegistration(one);
    const made = register(begun.options).response;
    expect(await codeOf(auth.addPasskey(two, { ceremony: begun.ceremony, response: made }))).toBe(
      'E_CHALLENGE_INVALID',
    );
    const [mine, theirs] = [await auth.startPasskeySignIn({}), await auth.startPasskeySignIn({})];
    const signed = authenticate(mine.options, credential);
    expect(
      await codeOf(auth.completePasskeySignIn({ ceremony: theirs.ceremony, response: signed }, from)),
    ).toBe('E_PASSKEY_REFUSED');
  });

  test('the passkey of another account is no second factor and no step-up', async () => {
    const kit = await owner({ secondFactor: true });
    const { auth } = kit;
    await auth.register(eve, from);
    const hers = await add(kit, await present(kit, eve));
    const refused = await auth.signIn(ada, from).catch((error: unknown) => error);
    const { challenge } = (refused as { problem: { challenge: string } }).problem;
    const second = await auth.startPasskeySignIn({ challenge });
    const response = authenticate(second.options, hers);
    expect(
      await codeOf(auth.completePasskeySignIn({ challenge, ceremony: second.ceremony, response }, from)),
    ).toBe('E_PASSKEY_REFUSED');
    const who = await strong(kit);
    const step = await auth.startPasskeyStepUp(who);
    const stolen = { ceremony: step.ceremony, response: authenticate(step.options, hers) };
    expect(await codeOf(auth.stepUpWithPasskey(who, stolen, from))).toBe('E_PASSKEY_REFUSED');
    expect(kit.events.of('auth.passkey-refused').map(({ reason }) => reason)).toEqual([
      'of-another',
      'of-another',
    ]);
  });

  test('a credential is registered once: neither by its owner again nor by another account', async () => {
    const kit = await owner();
    const { auth, credential } = kit;
    await auth.register(eve, from);
    for (const who of [await strong(kit), await present(kit, eve)]) {
      const { ceremony, options } = await auth.startPasskeyRegistration(who);
      const { response } = register(options, { id: credential.id });
      expect(await codeOf(auth.addPasskey(who, { ceremony, response }))).toBe('E_PASSKEY_INVALID');
    }
    const pair = await signIn(kit, credential);
    expect(pair.userId).toBe(kit.userId);
  });

  test('a counter that goes back or stays is a copy: refused, told to the owner, and the one that counts on goes on', async () => {
    const kit = await owner({}, { counter: 10 });
    const { auth, credential, events, mail, userId } = kit;
    await signIn(kit, credential);
    for (const counter of [11, 10, 3, 0])
      expect(await codeOf(signIn(kit, credential, { counter }))).toBe('E_PASSKEY_REFUSED');
    expect(events.of('auth.passkey-repeated')).toMatchObject(
      [11, 10, 3, 0].map((received) => ({ userId, passkeyId: credential.id, stored: 11, received })),
    );
    await auth.settled();
    expect(mail.to(ada.login).filter(({ type }) => type === 'passkey-repeated')).toHaveLength(4);
    await signIn(kit, credential, { counter: 12 });
  });

  const notAdded: readonly (readonly [string, Spoilt])[] = [
    ['an algorithm that was not offered', { alg: -65_535 }],
    ['another origin', { origin: 'https://evil.example' }],
    ['the hash of another RP id', { rpId: 'evil.example' }],
    ['a cross-origin frame', { crossOrigin: true }],
    ['the type of the other ceremony', { type: 'webauthn.get' }],
    ['another challenge', { challenge: Buffer.alloc(32, 1).toString('base64url') }],
    ['no user present', { userPresent: false }],
    ['no user verification where it is required', { userVerified: false }],
  ];

  test.each(notAdded)('registration with %s adds nothing', async (_title, spoilt) => {
    const kit = makeAuth();
    await kit.auth.register(ada, from);
    const who = await present(kit);
    const { ceremony, options } = await kit.auth.startPasskeyRegistration(who);
    const { response } = register(options, spoilt);
    expect(await codeOf(kit.auth.addPasskey(who, { ceremony, response }))).toBe('E_PASSKEY_INVALID');
    expect(await kit.auth.listPasskeys(who)).toEqual([]);
  });

  test('registration with an algorithm that is not among `algorithms` adds nothing', async () => {
    const kit = makeAuth({ algorithms: [-257] });
    await kit.auth.register(ada, from);
    const who = await present(kit);
    const { ceremony, options } = await kit.auth.startPasskeyRegistration(who);
    const { response } = register(options); // ES256, which counts by default.
    expect(await codeOf(kit.auth.addPasskey(who, { ceremony, response }))).toBe('E_PASSKEY_INVALID');
    expect(await kit.auth.listPasskeys(who)).toEqual([]);
  });

  test('an id beside the response that is not the one inside adds nothing', async () => {
    const kit = makeAuth();
    await kit.auth.register(ada, from);
    const who = await present(kit);
    const { ceremony, options } = await kit.auth.startPasskeyRegistration(who);
    const response = { ...register(options).response, id: 'c29tZWJvZHk', rawId: 'c29tZWJvZHk' };
    expect(await codeOf(kit.auth.addPasskey(who, { ceremony, response }))).toBe('E_PASSKEY_INVALID');
  });

  test('closed and unverified accounts sign in nobody, and are answered like strangers', async () => {
    for (const change of [{ active: false }, { emailVerified: false }]) {
      const kit = await owner();
      kit.users.put({ ...(await kit.users.findById(kit.userId))!, ...change });
      expect(await codeOf(signIn(kit, kit.credential))).toBe('E_PASSKEY_REFUSED');
    }
  });

  test('a sign-in that all sessions were ended during does not begin', async () => {
    const users = memoryUsers();
    let during = async (): Promise<unknown> => undefined;
    const slow: PasskeyPort = {
      ...users.passkeys,
      async use(...args) {
        await during();
        return users.passkeys.use(...args);
      },
    };
    const kit = await owner({}, {}, { users: { ...users, passkeys: slow } });
    during = () => kit.auth.sessions.revokeAll(kit.userId, 'incident');
    expect(await codeOf(signIn(kit, kit.credential))).toBe('E_SESSION_ENDED');
    during = async () => undefined;
    await signIn(kit, kit.credential);
  });

  test('whatever stands in a response is a typed refusal: 400 or 401, never a fault of ours', async () => {
    const kit = await owner();
    const { auth, credential } = kit;
    const { options } = await auth.startPasskeySignIn({});
    const good = authenticate(options, credential);
    const bad: unknown[] = [
      undefined,
      null,
      [],
      'text',
      {},
      { ...good, id: '' },
      { ...good, id: 'not base64url!' },
      { ...good, id: 'A'.repeat(1_365) },
      { ...good, rawId: 'B'.repeat(43) },
      { ...good, type: 'password' },
      { ...good, response: null },
      { ...good, response: [] },
      { ...good, response: { ...good.response, clientDataJSON: 'e30' } },
      { ...good, response: { ...good.response, clientDataJSON: 'bnVsbA' } },
      { ...good, response: { ...good.response, clientDataJSON: 'AAAA' } },
      { ...good, response: { ...good.response, clientDataJSON: 'A'.repeat(16_385) } },
      { ...good, response: { ...good.response, authenticatorData: 'AAAA' } },
      { ...good, response: { ...good.response, signature: 7 } },
      { ...good, response: { ...good.response, signature: undefined } },
      { ...good, response: { ...good.response, userHandle: '\u0000' } },
    ];
    for (const response of bad) {
      const { ceremony } = await auth.startPasskeySignIn({});
      const meta = { address: undefined };
      const error = await auth
        .completePasskeySignIn({ ceremony, response: response as never }, meta)
        .catch((thrown: unknown) => thrown);
      expect(isSecurityError(error) && [400, 401].includes(error.status)).toBe(true);
    }
    const who = await strong(kit);
    for (const response of [
      ...bad,
      { ...good, response: { clientDataJSON: 'AAAA', attestationObject: 'oA' } },
    ]) {
      const { ceremony } = await auth.startPasskeyRegistration(who);
      const error = await auth
        .addPasskey(who, { ceremony, response: response as never })
        .catch((thrown: unknown) => thrown);
      expect(isSecurityError(error) && error.status === 400).toBe(true);
    }
  });
});

/** Signed in with the passkey of {@link owner}. */
async function strong(kit: Awaited<ReturnType<typeof owner>>) {
  const pair = await signIn(kit, kit.credential);
  return kit.auth.sessions.check(kit.auth.tokens.verify(pair.accessToken));
}

async function add(
  { auth }: Pick<Kit, 'auth'>,
  who: Awaited<ReturnType<typeof present>>,
): Promise<Credential> {
  const { ceremony, options } = await auth.startPasskeyRegistration(who);
  const { response, credential } = register(options);
  await auth.addPasskey(who, { ceremony, response });
  return credential;
}

/** A code of an app beside the passkey; returns what shows the next one. */
async function enrol(kit: Awaited<ReturnType<typeof owner>>): Promise<() => string> {
  const { auth, clock } = kit;
  const who = await strong(kit);
  const { secret, token } = await auth.startTotp(who, { password }, from);
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const bits = [...secret].map((c) => alphabet.indexOf(c).toString(2).padStart(5, '0')).join('');
  const bytes = Buffer.from(bits.match(/.{8}/g)!.map((byte) => Number.parseInt(byte, 2)));
  const code = () => hotp(bytes, stepOf(clock.now()));
  await auth.confirmTotp(who, { token, code: code() });
  clock.advance('2m');
  return code;
}

onBothExpress((express: ExpressLike) => {
  function makeApp(kit: Kit) {
    return serve(express, kit, (app) => {
      const done = (_req: Request, res: Response) => void res.json({});
      app.get('/strong', kit.auth.required({ aal: 2, fresh: '5m' }), done);
    });
  }

  test('added, used, stepped up with, renamed and removed through the router', async () => {
    const kit = makeAuth();
    const app = makeApp(kit);
    await kit.auth.register(ada, from);
    const send = async (
      method: 'get' | 'post' | 'patch' | 'delete',
      path: string,
      body?: object,
      token?: string,
    ) => {
      const sent = request(app)[method](`/auth${path}`);
      const answer = await (token ? sent.set('authorization', `Bearer ${token}`) : sent).send(body);
      const answered = (answer.body ?? {}) as Record<string, string>;
      const { options = {} } = (answer.body ?? {}) as { options?: object };
      return { status: answer.status, body: answered, options };
    };
    expect(await send('post', '/passkeys/options')).toMatchObject({ status: 401 });
    const first = (await send('post', '/sign-in', ada)).body['access_token'];
    const start = await send('post', '/passkeys/options', {}, first);
    expect(start).toMatchObject({ status: 200, body: { expires_in: 300 } });
    const { response, credential } = register(start.options);
    const added = await send(
      'post',
      '/passkeys',
      { ceremony: start.body['ceremony'], response, name: 'Key' },
      first,
    );
    expect(added).toMatchObject({ status: 201, body: { id: credential.id, name: 'Key' } });
    expect(JSON.stringify(added.body)).not.toMatch(/publicKey|userId|counter/);

    const use = async (path: string, token?: string) => {
      const { body, options } = await send('post', `${path}/options`, undefined, token);
      return send(
        'post',
        path,
        { ceremony: body['ceremony'], response: authenticate(options, credential) },
        token,
      );
    };
    const signed = await use('/passkeys/sign-in');
    expect(signed).toMatchObject({ status: 200, body: { token_type: 'Bearer' } });
    const token = signed.body['access_token'];
    expect((await request(app).get('/strong').set('authorization', `Bearer ${token}`)).status).toBe(200);

    const weak = (await send('post', '/sign-in', ada)).body['access_token'];
    const challenge = await request(app).get('/strong').set('authorization', `Bearer ${weak}`);
    expect(challenge).toMatchObject({ status: 401, body: { code: 'E_STEP_UP_REQUIRED' } });
    const stepped = (await use('/passkeys/step-up', weak)).body['access_token'];
    expect((await request(app).get('/strong').set('authorization', `Bearer ${stepped}`)).status).toBe(200);

    const at = `/passkeys/${credential.id}`;
    expect(await send('patch', at, { name: '' }, token)).toMatchObject({ status: 400 });
    expect(await send('patch', at, { name: 'Ring' }, token)).toMatchObject({ status: 204 });
    expect(await send('get', '/passkeys', undefined, token)).toMatchObject({
      status: 200,
      body: { passkeys: [{ name: 'Ring' }] },
    });
    expect(await send('delete', '/passkeys/nobody', undefined, token)).toMatchObject({ status: 404 });
    expect(await send('delete', at, undefined, token)).toMatchObject({ status: 204 });
    expect(await use('/passkeys/sign-in')).toMatchObject({
      status: 401,
      body: { code: 'E_PASSKEY_REFUSED' },
    });
    expect((await request(app).put('/auth/passkeys')).get('Allow')).toBe('GET, HEAD, POST');
  });

  test('with cookies the challenge belongs to the browser that asked: another one cannot answer it, nor a body stand in', async () => {
    const kit = makeAuth({}, { transport: { cookies: {} } });
    const { userId } = await kit.auth.register(ada, from);
    const { credential } = await ownerOf(kit);
    const app = makeApp(kit);
    const post = (path: string, body: object, cookie = '') =>
      request(app).post(`/auth${path}`).set('sec-fetch-site', 'same-origin').set('cookie', cookie).send(body);
    const start = await post('/passkeys/sign-in/options', {});
    const { options, ceremony } = start.body as { options: object; ceremony?: string };
    expect(ceremony).toBeUndefined();
    const [cookie] = start.get('Set-Cookie')!;
    expect(cookie).toMatch(
      /^__Host-passkey=[\w-]{43}; Path=\/; Secure; HttpOnly; SameSite=Strict; Max-Age=300$/,
    );
    const value = cookie!.split(';')[0]!;
    const response = authenticate(options, credential);
    const elsewhere = await post('/passkeys/sign-in', { response, ceremony: value.split('=')[1] });
    expect(elsewhere).toMatchObject({ status: 401, body: { code: 'E_CHALLENGE_INVALID' } });
    const here = await post('/passkeys/sign-in', { response }, value);
    expect(here.status).toBe(200);
    expect(here.get('Set-Cookie')!.join('\n')).toMatch(/__Host-passkey=; .*Max-Age=0[^]*__Host-access=/);
    const levels = (await kit.auth.sessions.list(userId)).map(({ aal }) => aal);
    expect(levels.toSorted((a, b) => a - b)).toEqual([1, 2]);
    const bearer = await post('/passkeys/sign-in/options', { transport: 'bearer' });
    expect(bearer.body).toMatchObject({ ceremony: expect.stringMatching(/^[\w-]{43}$/) });
    const foreign = await request(app)
      .post('/auth/passkeys/sign-in/options')
      .set('sec-fetch-site', 'cross-site')
      .send({});
    expect(foreign).toMatchObject({ status: 403, body: { code: 'E_CROSS_SITE' } });
  });

  async function ownerOf(kit: Kit) {
    const who = await present(kit);
    return { credential: await add(kit, who) };
  }
});
