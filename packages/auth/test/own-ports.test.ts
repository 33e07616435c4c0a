// Ports of the app's own that fail as code of others does: plain errors, thrown at once or later, or no answer at all.
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import { createMemoryStore } from '@portcullis/core';
import {
  createApiKeys,
  createAuth,
  createDpop,
  createLockout,
  createSessions,
  createTokens,
  generateKeys,
  keyValueApiKeys,
  keyValueSessions,
} from '../src/index.js';
import { memoryUsers, testHasher } from '../src/testing.js';

const [issuer, keys] = ['https://library.example', generateKeys()];
const tokens = createTokens({ issuer, audience: issuer, keys });
const from = { address: undefined };
const ada = { login: 'ada@library.example', password: 'kestrel bakes ochre bread' };

const failures: Record<string, () => Promise<never>> = {
  throws: () => {
    throw new Error('connect ECONNREFUSED 10.0.0.1');
  },
  rejects: () => Promise.reject(new Error('connect ECONNREFUSED 10.0.0.1')),
  'does not answer': () => new Promise(() => undefined),
};

/** The same port, of which every function fails once `fail()` was called. */
function failing<T extends object>(port: T, how: () => Promise<never>): { port: T; fail: () => void } {
  let down = false;
  const get = (_target: T, name: string | symbol): unknown => {
    const value: unknown = Reflect.get(port, name, port);
    if (typeof value !== 'function') return value;
    return (...args: unknown[]): unknown => (down ? how() : Reflect.apply(value, port, args));
  };
  return { port: new Proxy({} as T, { get }), fail: () => void (down = true) };
}

async function outcome(call: Promise<unknown>): Promise<unknown> {
  const settled = call.then(
    () => 'answered',
    (error: { code: string; status: number; message: string }) => [error.code, error.status, error.message],
  );
  await jest.advanceTimersByTimeAsync(8_001);
  return settled;
}

afterEach(() => void jest.useRealTimers());

describe.each(Object.entries(failures))('a port of the app that %s is a 503', (_title, how) => {
  const unavailable = ['E_STORE_UNAVAILABLE', 503, expect.not.stringContaining('ECONN')];
  const usersUnavailable = ['E_USERS_UNAVAILABLE', 503, expect.not.stringContaining('ECONN')];

  test('sessions: check, refresh, list and revoke, and nobody is signed in', async () => {
    const { port: store, fail } = failing(keyValueSessions({ store: createMemoryStore() }), how);
    const sessions = createSessions({ tokens, store });
    const pair = await sessions.create({ userId: 'ada', epoch: 0 });
    const claims = tokens.verify(pair.accessToken);
    expect(await sessions.check(claims)).toMatchObject({ id: 'ada' });
    fail();
    jest.useFakeTimers();
    expect(await outcome(sessions.check(claims))).toEqual(unavailable);
    expect(await outcome(sessions.refresh(pair.refreshToken))).toEqual(unavailable);
    expect(await outcome(sessions.list('ada'))).toEqual(unavailable);
    expect(await outcome(sessions.revoke('ada', pair.sessionId))).toEqual(unavailable);
  });

  test('API keys, guesses and proofs', async () => {
    const apiKeyStore = failing(keyValueApiKeys({ store: createMemoryStore() }), how);
    const apiKeys = createApiKeys({ prefix: 'lib', store: apiKeyStore.port });
    const { key } = await apiKeys.create('ada', { name: 'x', scopes: ['book:read'] });
    const guessStore = failing(createMemoryStore(), how);
    const guesses = createLockout({ store: guessStore.port });
    apiKeyStore.fail();
    guessStore.fail();
    jest.useFakeTimers();
    expect(await outcome(apiKeys.check(key))).toEqual(unavailable);
    expect(await outcome(guesses.take({ account: 'ada' }))).toEqual(unavailable);
    expect(() => createDpop({ origin: issuer, replays: {} as never })).toThrow(/lacks the method "firstUse"/);
  });

  test('accounts and the store of createAuth(): sign-in and registration', async () => {
    const [users, store] = [failing(memoryUsers(), how), failing(createMemoryStore(), how)];
    const auth = createAuth({
      issuer,
      audience: issuer,
      keys,
      users: users.port,
      store: store.port,
      passwords: { hash: testHasher(), accept: [] },
    });
    await auth.register(ada, from);
    const pair = await auth.signIn(ada, from);
    users.fail();
    jest.useFakeTimers();
    expect(await outcome(auth.signIn(ada, from))).toEqual(usersUnavailable);
    expect(await outcome(auth.refresh(pair.refreshToken))).toEqual(usersUnavailable);
    expect(await outcome(auth.register(ada, from))).toEqual(usersUnavailable);
    store.fail();
    expect(await outcome(auth.signIn(ada, from))).toEqual(unavailable);
  });
});
