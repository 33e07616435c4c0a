import { createHash, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { context, createMemoryStore, isSecurityError, parseAddress } from '@portcullis/core';
import { manualClock } from '@portcullis/core/testing';
import type { ExpressLike } from '@portcullis/test-support';
import type { NextFunction, Request, Response } from 'express';
import request from 'supertest';
import { errors } from '../../src/error-codes.js';
import { hotp, stepOf } from '../../src/factors/one-time-codes.js';
import { createAuth, generateKeys, keyValueSessions, type AuthOptions } from '../../src/index.js';
import { passkeys } from '../../src/passkeys.js';
import { mailbox, memoryUsers, testHasher } from '../../src/testing.js';
import { authenticate, register, type Credential, type Spoilt } from './authenticator.js';

export const origin = 'https://library.example';
export const password = 'kestrel bakes ochre bread';
export const ada = { login: 'ada@library.example', password };
export const here = { address: parseAddress('127.0.0.1') };
const keys = generateKeys();

interface Operation {
  readonly security: readonly object[];
  readonly requestBody?: object;
  readonly responses: Readonly<
    Record<
      string,
      { readonly content?: Record<string, { schema: { properties: { code?: { enum: string[] } } } }> }
    >
  >;
}
interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

/** What the document says that a route may refuse with: `POST /sign-in E_SIGN_IN_FAILED`. */
export function promisesOf({ paths }: Document): ReadonlySet<string> {
  const all = Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).flatMap(([method, { responses }]) =>
      Object.values(responses).flatMap(({ content }) =>
        (content?.['application/problem+json']?.schema.properties.code?.enum ?? []).map(
          (code) => `${method.toUpperCase()} ${path} ${code}`,
        ),
      ),
    ),
  );
  return new Set(all);
}

export type World = Awaited<ReturnType<typeof makeWorld>>;

/** A service with everything on, one account, and faults to be turned on. `told` hears what each request was refused with. */
export async function makeWorld(
  express: ExpressLike,
  told: (refusal: string) => void,
  options: Partial<AuthOptions> = {},
) {
  const clock = manualClock({ now: 1_800_000_000_000 });
  const mail = mailbox();
  const faults = {
    users: false,
    factorsRaced: false,
    breachList: false,
    store: undefined as Error | undefined,
    sessions: undefined as Error | undefined,
    hash: undefined as Promise<void> | undefined,
    notify: undefined as Promise<void> | undefined,
  };
  const store = failing(createMemoryStore({ clock }), () => faults.store);
  const users = memoryUsers();
  const noDatabase = () => (faults.users ? new Error('no database') : undefined);
  const hasher = testHasher();
  const settings: AuthOptions = {
    issuer: origin,
    audience: origin,
    keys,
    users: failing(
      {
        ...users,
        saveFactors: async (id, change) => !faults.factorsRaced && users.saveFactors(id, change),
        passkeys: failing(users.passkeys, noDatabase),
      },
      noDatabase,
    ),
    store,
    sessions: { store: failing(keyValueSessions({ store }), () => faults.sessions) },
    passwords: {
      hash: {
        ...hasher,
        async hash(forms) {
          await faults.hash;
          return hasher.hash(forms);
        },
      },
      accept: [],
      slots: 1,
      maxQueue: 0,
      policy: {
        breached: {
          async includes() {
            if (faults.breachList) throw new Error('no answer');
            return false;
          },
        },
      },
    },
    guesses: { perNetwork: 30 },
    apiKeys: { prefix: 'lib', max: 1 },
    factors: { keys: [{ id: 'a', key: Buffer.alloc(32, 1).toString('base64url') }], issuer: 'Library' },
    passkeys: passkeys({
      rpId: 'library.example',
      rpName: 'Library',
      origins: [origin],
      userVerification: 'preferred',
      max: 2,
    }),
    async notify(message) {
      await faults.notify;
      return mail.notify(message);
    },
    clock,
    ...options,
  };
  const auth = createAuth(settings);
  const app = express();
  app.use(context({ trustProxy: false, clock }), express.json(), auth.authenticate());
  app.use('/auth', auth.router());
  app.use((error: unknown, _req: Request, res: Response, _next: NextFunction) => {
    const { status, problem, code } = isSecurityError(error)
      ? error
      : { status: 500, problem: {}, code: String(error) };
    res.status(status).json({ code, ...problem });
  });
  const { userId } = await auth.register(ada, here);

  /** `POST /sign-in`, with `{id}` in the place of an id. */
  async function call(
    endpoint: string,
    body?: unknown,
    {
      token,
      id = 'none',
      ...headers
    }: { token?: string | undefined; id?: string } & Record<string, string | undefined> = {},
  ): Promise<Record<string, string> & { readonly options?: object }> {
    const [method = '', path = ''] = endpoint.split(' ');
    const asked = request(app)[method.toLowerCase() as 'post'](`/auth${path.replace('{id}', id)}`);
    if (token !== undefined) void asked.set('authorization', `Bearer ${token}`);
    for (const [name, value] of Object.entries(headers)) if (value !== undefined) void asked.set(name, value);
    const spoilt = world.spoilt?.endpoint === endpoint ? world.spoilt : undefined;
    await spoilt?.begin();
    const answer = await (body === undefined ? asked : asked.send(body as object));
    spoilt?.end();
    const answered = (answer.body ?? {}) as Record<string, string>;
    if (answer.status >= 400) told(`${endpoint} ${answered['code']}`);
    return answered;
  }

  const world = {
    auth,
    clock,
    mail,
    faults,
    users,
    userId,
    settings,
    call,
    /** What is broken while one endpoint is asked. */
    spoilt: undefined as
      { readonly endpoint: string; readonly begin: () => unknown; readonly end: () => void } | undefined,
    /** Of a session that began with the password, at level 1. */
    token: async () => (await auth.signIn(ada, here)).accessToken,
    /** Of one that began with a passkey. */
    async strong(credential: Credential) {
      const { ceremony, options: asked } = await auth.startPasskeySignIn({});
      const response = authenticate(asked, credential);
      return (await auth.completePasskeySignIn({ ceremony, response }, here)).accessToken;
    },
    /** What a person is to routes. */
    principal: async (token: string) => auth.sessions.check(auth.tokens.verify(token)),
    async passkey(spoilt: Spoilt = {}, token?: string) {
      const who = await world.principal(token ?? (await world.token()));
      const { ceremony, options: asked } = await auth.startPasskeyRegistration(who);
      const { response, credential } = register(asked, spoilt);
      await auth.addPasskey(who, { ceremony, response });
      return credential;
    },
    /** Turns an authenticator app on; returns what shows its next code. */
    async totp(signedIn?: string) {
      const who = await world.principal(signedIn ?? (await world.token()));
      const { secret, token } = await auth.startTotp(who, { password }, here);
      const code = () => {
        clock.advance('2m');
        return hotp(fromBase32(secret), stepOf(clock.now()));
      };
      await auth.confirmTotp(who, { token, code: code() });
      return code;
    },
    apiKey: async () => (await auth.apiKeys!.create(userId, { name: 'Import', scopes: ['a:b'] })).key,
    /** From now on hashing is at its bound. */
    busy() {
      faults.hash = new Promise(() => undefined);
      void auth.passwords.hash(password);
    },
    /** From now on this network has used its guesses up. */
    async limited() {
      for (let i = 0; i < 31; i++)
        await auth.guesses.take({ account: `account ${i}`, address: here.address });
    },
    /** From now on no message finds a place. */
    async mailFull() {
      faults.notify = new Promise(() => undefined);
      const fill = async (from: number, to: number) => {
        for (let i = from; i < to; i++)
          await auth.startRegistration({ login: `reader${i}@library.example` }).catch(() => undefined);
      };
      await fill(0, 1_000);
      // Those that are being sent, for ever, no longer wait.
      void auth.settled();
      await fill(1_000, 1_010);
    },
    async unreadable() {
      users.put({ ...(await users.findById(userId))!, factors: 'not ours' });
    },
    link: async (type: Parameters<typeof mail.token>[0], address: string = ada.login) => {
      await auth.settled();
      return mail.token(type, address);
    },
  };
  return world;
}

/** The same object, whose functions reject while `fault` returns an error. */
function failing<T extends object>(port: T, fault: () => Error | undefined): T {
  return new Proxy(port, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]): unknown => {
        const error = fault();
        return error ? Promise.reject(error) : (value as (...args: unknown[]) => unknown).apply(target, args);
      };
    },
  });
}

/** A client with a key, for proofs of possession. */
export function holder() {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const jwk = publicKey.export({ format: 'jwk' });
  const b64 = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const sha = (text: string) => createHash('sha256').update(text).digest('base64url');
  return {
    jkt: sha(JSON.stringify({ crv: jwk.crv, kty: jwk.kty, x: jwk.x, y: jwk.y })),
    proof(method: string, path: string, token: string, now: number): string {
      const claims = {
        jti: randomUUID(),
        htm: method,
        htu: `${origin}${path}`,
        iat: Math.floor(now / 1000),
        ath: sha(token),
      };
      const input = `${b64({ typ: 'dpop+jwt', alg: 'ES256', jwk })}.${b64(claims)}`;
      const signature = sign('sha256', Buffer.from(input), { key: privateKey, dsaEncoding: 'ieee-p1363' });
      return `${input}.${signature.toString('base64url')}`;
    },
  };
}

/** Says that it knows one token, and cannot ask its issuer. */
export const silentIssuer = {
  claims: (token: string) => token === 'foreign.token.x',
  verify: () => Promise.reject(errors.E_ISSUER_UNAVAILABLE()),
};

export function fromBase32(text: string): Buffer {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
  const bits = [...text.replaceAll('=', '')]
    .map((character) => alphabet.indexOf(character).toString(2).padStart(5, '0'))
    .join('');
  const bytes = bits.match(/.{8}/g) ?? [];
  return Buffer.from(bytes.map((byte) => Number.parseInt(byte, 2)));
}
