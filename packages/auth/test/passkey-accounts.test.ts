import type { PGlite } from '@electric-sql/pglite';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { fromPg, fromPglite, migrate } from '@portcullis/core/postgres';
import {
  describeWithPostgres,
  embeddedPostgres,
  onBothExpress,
  startPostgres,
  type ExpressLike,
  type PostgresServer,
} from '@portcullis/test-support';
import pg from 'pg';
import request from 'supertest';
import type { AccountOwner, AuthOptions, UserPort } from '../src/index.js';
import { passkeys } from '../src/passkeys.js';
import { accountMigrations, postgresUsers } from '../src/postgres.js';
import { memoryUsers } from '../src/testing.js';
import { codeOf, factorKeys, from, library, mailKit, password, serve } from './support/auth-kit.js';
import { authenticate, register, type Credential } from './support/authenticator.js';

const makeAuth = (users: UserPort, options: Partial<AuthOptions> = {}) =>
  mailKit(
    { factors: { keys: factorKeys, issuer: 'Library' }, passkeys: passkeys(library), ...options },
    users,
  );
type Kit = ReturnType<typeof makeAuth>;
const other = 'plover sings at nine';

const newLogin = () => `${crypto.randomUUID()}@library.example`;

/** The link of a registration. */
async function linkFor({ auth, mail }: Kit, login: string): Promise<string> {
  await auth.startRegistration({ login });
  await auth.settled();
  return mail.token('complete-registration', login);
}

async function complete({ auth }: Kit, token: string, name = 'Ada') {
  const { ceremony, options } = await auth.startPasskeyAccount({ token, name });
  const { response, credential } = register(options);
  const { userId } = await auth.completePasskeyAccount(
    { token, ceremony, response, name: 'Telephone' },
    from,
  );
  return { userId, credential, options };
}

async function signIn({ auth }: Kit, credential: Credential) {
  const { ceremony, options } = await auth.startPasskeySignIn({});
  const response = authenticate(options, credential);
  const { accessToken } = await auth.completePasskeySignIn({ ceremony, response }, from);
  return auth.sessions.check(auth.tokens.verify(accessToken));
}

/** Every claim over one port of users. */
function accountsWithPasskeys(name: string, makeUsers: () => UserPort): void {
  describe(`accounts that begin with a passkey: ${name}`, () => {
    test('by the link of the message one is made, and signs in at level 2; no password does', async () => {
      const kit = makeAuth(makeUsers());
      const { auth, events, users } = kit;
      const login = newLogin();
      const { userId, credential, options } = await complete(kit, await linkFor(kit, login));
      expect(options).toMatchObject({ user: { name: login, displayName: 'Ada' }, excludeCredentials: [] });
      expect(await signIn(kit, credential)).toMatchObject({ id: userId, aal: 2 });
      const user = await users.findById(userId);
      expect(user?.passwordHash ?? null).toBeNull();
      expect(user).toMatchObject({ login, emailVerified: true, name: 'Ada' });
      expect(await auth.listPasskeys({ id: userId })).toMatchObject([{ name: 'Telephone' }]);
      expect(events.of('auth.registered')).toMatchObject([{ userId, ip: '192.0.2.1' }]);
      for (const typed of ['', password, 'undefined', 'null'])
        expect(await codeOf(auth.signIn({ login, password: typed || ' ' }, from))).toBe('E_SIGN_IN_FAILED');
    });

    test('the link counts once, and one that is none begins nothing', async () => {
      const kit = makeAuth(makeUsers());
      const { auth } = kit;
      const token = await linkFor(kit, newLogin());
      const starts = await Promise.all([0, 1, 2].map(() => auth.startPasskeyAccount({ token })));
      const ends = starts.map(({ ceremony, options }) =>
        codeOf(auth.completePasskeyAccount({ token, ceremony, response: register(options).response }, from)),
      );
      const codes = (await Promise.all(ends)).toSorted();
      expect(codes.filter((code) => code === 'passed')).toHaveLength(1);
      for (const code of codes) expect(['passed', 'E_LINK_INVALID', 'E_ACCOUNT_EXISTS']).toContain(code);
      expect(await codeOf(auth.startPasskeyAccount({ token }))).toBe('E_LINK_INVALID');
      expect(await codeOf(auth.startPasskeyAccount({ token: 'none' }))).toBe('E_LINK_INVALID');
    });

    test('until it is finished nobody signs in, and another link begins again, with a passkey or a password', async () => {
      const kit = makeAuth(makeUsers());
      const { auth, users } = kit;
      const login = newLogin();
      const first = await auth.startPasskeyAccount({ token: await linkFor(kit, login) });
      const begun = await users.findByLogin(login);
      expect(begun).toMatchObject({ active: true, emailVerified: false });
      expect(await codeOf(auth.signIn({ login, password }, from))).toBe('E_SIGN_IN_FAILED');
      const token = await linkFor(kit, login);
      const { response } = register(first.options);
      // The ceremony of the link before is still its own; the link is not.
      const late = { token: 'x'.repeat(43), ceremony: first.ceremony, response };
      expect(await codeOf(auth.completePasskeyAccount(late, from))).toBe('E_LINK_INVALID');
      expect(await auth.completeRegistration({ token, password }, from)).toEqual({ userId: begun!.id });
      await auth.signIn({ login, password }, from);
    });

    test('a password that somebody else chose before the mailbox was shown is gone, and so is their passkey', async () => {
      const kit = makeAuth(makeUsers());
      const { auth, users } = kit;
      const login = newLogin();
      const passwordHash = await auth.passwords.hash(password);
      const planted = await users.create!({ login, passwordHash, emailVerified: false });
      const stranger = {
        id: crypto.randomUUID().replaceAll('-', ''),
        userId: planted!.id,
        publicKey: 'AAAA',
        counter: 0,
        transports: [],
        backupEligible: false,
        backedUp: false,
        name: 'Not yours',
        createdAt: 1_800_000_000_000,
        lastUsedAt: null,
      };
      await users.passkeys!.add(stranger, 10);
      const { userId } = await complete(kit, await linkFor(kit, login));
      expect(userId).toBe(planted!.id);
      expect(await codeOf(auth.signIn({ login, password }, from))).toBe('E_SIGN_IN_FAILED');
      expect(await auth.listPasskeys({ id: userId })).toMatchObject([{ name: 'Telephone' }]);

      const other = newLogin();
      const again = await users.create!({ login: other, passwordHash: null, emailVerified: false });
      await users.passkeys!.add({ ...stranger, id: `${stranger.id}0`, userId: again!.id }, 10);
      await auth.completeRegistration({ token: await linkFor(kit, other), password }, from);
      expect(await auth.listPasskeys({ id: again!.id })).toEqual([]);
    });

    test('a response that is spoilt uses its challenge up and not the link', async () => {
      const kit = makeAuth(makeUsers());
      const { auth } = kit;
      const token = await linkFor(kit, newLogin());
      const { ceremony, options } = await auth.startPasskeyAccount({ token });
      const spoilt = register(options, { origin: 'https://evil.example' }).response;
      expect(await codeOf(auth.completePasskeyAccount({ token, ceremony, response: spoilt }, from))).toBe(
        'E_PASSKEY_INVALID',
      );
      const { response } = register(options);
      expect(await codeOf(auth.completePasskeyAccount({ token, ceremony, response }, from))).toBe(
        'E_CHALLENGE_INVALID',
      );
      const { credential } = await complete(kit, token);
      await signIn(kit, credential);
    });

    test('the challenge of one registration finishes no other', async () => {
      const kit = makeAuth(makeUsers());
      const { auth } = kit;
      const [mine, theirs] = [await linkFor(kit, newLogin()), await linkFor(kit, newLogin())];
      const { ceremony, options } = await auth.startPasskeyAccount({ token: mine });
      await auth.startPasskeyAccount({ token: theirs });
      const { response } = register(options);
      expect(await codeOf(auth.completePasskeyAccount({ token: theirs, ceremony, response }, from))).toBe(
        'E_CHALLENGE_INVALID',
      );
    });

    test('of a finished account: a registration tells its owner, a reset gives it no password, its last passkey stays', async () => {
      const kit = makeAuth(makeUsers());
      const { auth, mail } = kit;
      const login = newLogin();
      const { credential } = await complete(kit, await linkFor(kit, login));
      mail.clear();
      await auth.startRegistration({ login });
      await auth.startReset({ login });
      await auth.settled();
      expect(
        mail
          .to(login)
          .map(({ type }) => type)
          .toSorted(),
      ).toEqual(['account-exists', 'reset-without-password']);
      const who = await signIn(kit, credential);
      expect(await codeOf(auth.removePasskey(who, credential.id))).toBe('E_LAST_SIGN_IN');
    });

    test('who has just shown its passkey gives it a password, which from then on is asked for', async () => {
      const kit = makeAuth(makeUsers());
      const { auth, clock, events, mail } = kit;
      const login = newLogin();
      const { userId, credential } = await complete(kit, await linkFor(kit, login));
      const elsewhere = await signIn(kit, credential);
      const who = await signIn(kit, credential);
      const add = (asked: AccountOwner, newPassword = password) =>
        codeOf(auth.changePassword(asked, { newPassword }, from));
      expect(await add({ ...who, aal: 1 })).toBe('E_STEP_UP_REQUIRED');
      expect(await add({ ...who, actor: { id: 'staff' } })).toBe('E_NOT_IN_PERSON');
      expect(await add(who, 'short')).toBe('E_PASSWORD_POLICY');
      clock.advance(300_000);
      expect(await add(who)).toBe('passed');
      expect(events.of('auth.password-changed')).toMatchObject([{ userId }]);
      await auth.settled();
      expect(mail.to(login).map(({ type }) => type)).toContain('password-changed');
      expect((await auth.sessions.list(userId)).map(({ id }) => id)).toEqual([who.sessionId]);
      expect(elsewhere.sessionId).not.toBe(who.sessionId);
      await auth.signIn({ login, password }, from);

      expect(await add(who, other)).toBe('E_VALIDATION');
      const change = (currentPassword: string) => ({ currentPassword, newPassword: other });
      expect(await codeOf(auth.changePassword(who, change('wrong'), from))).toBe('E_PASSWORD_WRONG');
      expect(await codeOf(auth.changePassword(who, change(password), from))).toBe('passed');
    });

    test('of two that give it a password at once one wins, and a sign-in that is not recent gives it none', async () => {
      const kit = makeAuth(makeUsers());
      const { auth, clock } = kit;
      const { credential } = await complete(kit, await linkFor(kit, newLogin()));
      const who = await signIn(kit, credential);
      const add = (newPassword: string) => codeOf(auth.changePassword(who, { newPassword }, from));
      clock.advance(300_001);
      expect(await add(password)).toBe('E_STEP_UP_REQUIRED');
      const again = await signIn(kit, credential);
      const both = [password, other].map((newPassword) =>
        codeOf(auth.changePassword(again, { newPassword }, from)),
      );
      expect((await Promise.all(both)).toSorted()).toEqual(['E_PASSWORD_WRONG', 'passed']);
    });

    test('who has just shown its passkey changes its address; the old link of a changed account is worth nothing', async () => {
      const kit = makeAuth(makeUsers());
      const { auth, clock, mail } = kit;
      const [login, next] = [newLogin(), newLogin()];
      const { userId, credential } = await complete(kit, await linkFor(kit, login));
      const who = await signIn(kit, credential);
      clock.advance(300_001);
      expect(await codeOf(auth.startLoginChange(who, { login: next }, from))).toBe('E_STEP_UP_REQUIRED');
      const again = await signIn(kit, credential);
      await auth.startLoginChange(again, { login: next }, from);
      await auth.settled();
      expect(mail.to(login).map(({ type }) => type)).toContain('login-change-asked');
      const token = mail.token('confirm-login', next);
      expect(await auth.completeLoginChange({ token })).toEqual({ userId });
      expect(await auth.sessions.list(userId)).toEqual([]);
      expect(await signIn(kit, credential)).toMatchObject({ id: userId });

      const third = newLogin();
      await auth.startLoginChange(await signIn(kit, credential), { login: third }, from);
      await auth.settled();
      await auth.changePassword(await signIn(kit, credential), { newPassword: password }, from);
      const late = { token: mail.token('confirm-login', third) };
      expect(await codeOf(auth.completeLoginChange(late))).toBe('E_LINK_INVALID');
    });
  });
}

accountsWithPasskeys('memoryUsers', () => memoryUsers());

describe('PGlite', () => {
  let db: PGlite;
  let users: UserPort;
  beforeAll(async () => {
    db = await embeddedPostgres();
    const sql = fromPglite(db);
    await migrate(sql, accountMigrations);
    users = postgresUsers({ sql });
  });
  afterAll(() => db.close());
  accountsWithPasskeys('postgresUsers on PGlite', () => users);
});

describeWithPostgres('PostgreSQL', () => {
  let server: PostgresServer;
  let pool: pg.Pool;
  let users: UserPort;
  beforeAll(async () => {
    server = await startPostgres();
    pool = new pg.Pool({ connectionString: server.url, max: 4 });
    pool.on('error', () => undefined);
    const sql = fromPg(pool);
    await migrate(sql, accountMigrations);
    users = postgresUsers({ sql });
  });
  afterAll(async () => {
    await pool.end();
    await server.stop();
  });
  accountsWithPasskeys('postgresUsers on PostgreSQL', () => users);
});

test('where registration is open, off, or the port cannot mark a mailbox as shown, no account begins with a passkey', async () => {
  const { markVerified: _none, ...without } = memoryUsers();
  for (const [users, options] of [
    [memoryUsers(), { registration: 'open' }],
    [memoryUsers(), { registration: false }],
    [without, {}],
  ] as const)
    expect(await codeOf(makeAuth(users, options).auth.startPasskeyAccount({ token: 'x' }))).toMatch(
      /cannot begin with a passkey.*markVerified/,
    );
});

onBothExpress((express: ExpressLike) => {
  function makeApp(options: Partial<AuthOptions> = {}) {
    const kit = makeAuth(memoryUsers(), options);
    const app = serve(express, kit);
    const post = (path: string, body: object, cookie = '') =>
      request(app).post(`/auth${path}`).set('sec-fetch-site', 'same-origin').set('cookie', cookie).send(body);
    return { ...kit, post };
  }

  test('a registration begins with the same answer whoever has the address, and ends with a passkey', async () => {
    const kit = makeApp();
    const { post, users } = kit;
    const known = newLogin();
    await complete(kit, await linkFor(kit, known));
    await users.create!({ login: 'password@library.example', passwordHash: 'x' });
    const answers = [];
    for (const login of [known, 'password@library.example', 'nobody@library.example']) {
      const { status, text, headers } = await post('/register', { login });
      answers.push({ status, text, names: Object.keys(headers).toSorted() });
    }
    expect(answers[0]).toMatchObject({ status: 202, text: '' });
    expect(answers[1]).toEqual(answers[0]);
    expect(answers[2]).toEqual(answers[0]);
    await kit.auth.settled();
    const token = kit.mail.token('complete-registration', 'nobody@library.example');
    const start = await post('/register/passkey/options', { token });
    const { ceremony, options } = start.body as { ceremony: string; options: object };
    const { response, credential } = register(options);
    expect(await post('/register/passkey', { token, ceremony, response })).toMatchObject({ status: 201 });
    expect(await signIn(kit, credential)).toMatchObject({ aal: 2 });
    expect(await post('/register/passkey/options', { token })).toMatchObject({
      status: 400,
      body: { code: 'E_LINK_INVALID' },
    });
  });

  test('without a password: a new address and a password ask for a step-up with the passkey, and then for nothing', async () => {
    const kit = makeApp();
    const { post, clock, auth } = kit;
    const login = newLogin();
    const { credential } = await complete(kit, await linkFor(kit, login));
    const show = async (path: string, token?: string) => {
      const bearer = token === undefined ? {} : { authorization: `Bearer ${token}` };
      const start = (await post(`${path}/options`, {}).set(bearer)).body as { options: object };
      const response = authenticate(start.options, credential);
      const answer = await post(path, { ...start, options: undefined, response }).set(bearer);
      return (answer.body as { access_token: string }).access_token;
    };
    const first = await show('/passkeys/sign-in');
    clock.advance('6m');
    const elsewhere = newLogin();
    const asks = [
      ['/login', { login: elsewhere }, 202],
      ['/password', { newPassword: password }, 204],
    ] as const;
    for (const [path, body] of asks) {
      const { status, headers, body: problem } = await post(path, body).auth(first, { type: 'bearer' });
      expect({ status, problem }).toMatchObject({
        status: 401,
        problem: { code: 'E_STEP_UP_REQUIRED', aal: 2, max_age: 300 },
      });
      expect(headers['www-authenticate']).toContain('insufficient_user_authentication');
    }
    const second = await show('/passkeys/step-up', first);
    for (const [path, body, status] of asks)
      expect(await post(path, body).auth(second, { type: 'bearer' })).toMatchObject({ status });
    expect(await post('/sign-in', { login, password })).toMatchObject({ status: 200 });
    await auth.settled();
  });

  test('an account with a password is asked for it, however recent the sign-in; the document says when it may be left out', async () => {
    const { post, auth } = makeApp({ registration: 'open' });
    await auth.register({ login: 'ada@library.example', password }, from);
    const { accessToken } = await auth.signIn({ login: 'ada@library.example', password }, from);
    for (const [path, body, pointer] of [
      ['/login', { login: newLogin() }, '/password'],
      ['/password', { newPassword: other }, '/currentPassword'],
    ] as const)
      expect(await post(path, body).auth(accessToken, { type: 'bearer' })).toMatchObject({
        status: 400,
        body: { code: 'E_VALIDATION', errors: [{ pointer, keyword: 'required' }] },
      });
    const required = async (options: Partial<AuthOptions>) => {
      const app = serve(express, makeAuth(memoryUsers(), options));
      const { paths } = (await request(app).get('/auth/openapi.json')).body as {
        paths: Record<string, { post: { requestBody: { content: Record<string, { schema: object }> } } }>;
      };
      return ['/login', '/password'].map(
        (path) =>
          (
            paths[path]!.post.requestBody.content['application/json']!.schema as {
              required: string[];
            }
          ).required,
      );
    };
    expect(await required({})).toEqual([['login'], ['newPassword']]);
    expect(await required({ passkeys: undefined as never })).toEqual([
      ['login', 'password'],
      ['newPassword', 'currentPassword'],
    ]);
  });

  test('with cookies the challenge belongs to the browser that asked', async () => {
    const kit = makeApp({ transport: { cookies: {} } });
    const token = await linkFor(kit, newLogin());
    const start = await kit.post('/register/passkey/options', { token });
    const { options, ceremony } = start.body as { options: object; ceremony?: string };
    expect(ceremony).toBeUndefined();
    const cookie = start.get('Set-Cookie')![0]!.split(';')[0]!;
    const { response } = register(options);
    expect(await kit.post('/register/passkey', { token, response })).toMatchObject({ status: 401 });
    expect(await kit.post('/register/passkey', { token, response }, cookie)).toMatchObject({ status: 201 });
  });
});
