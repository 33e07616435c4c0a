import { describe, expect, test } from '@jest/globals';
import { manualClock, recordedEvents } from '@portcullis/core/testing';
import {
  createStatelessSessions,
  createTokens,
  generateKeys,
  type StatelessSessionsOptions,
} from '../src/index.js';

const keys = generateKeys();
const signing = { issuer: 'i', audience: 'a', keys };
const binding = { jkt: 'A'.repeat(43) };

function kit(options: Partial<StatelessSessionsOptions> = {}) {
  const clock = manualClock();
  const events = recordedEvents({ clock });
  const tokens = createTokens({ ...signing, clock });
  const sessions = createStatelessSessions({ tokens, signing, clock, events, ...options });
  const verify = ({ accessToken }: { accessToken: string }) => tokens.verify(accessToken, { bound: true });
  return { clock, events, tokens, sessions, verify };
}
const start = { userId: 'ada', epoch: 0 };

describe('sessions in tokens', () => {
  test('hold what a record would, in seconds', async () => {
    const { sessions, clock, verify } = kit();
    const methods = [{ method: 'pwd', at: clock.now() }] as const;
    const pair = await sessions.create({ ...start, methods, aal: 2 });
    expect(pair).toMatchObject({ tokenType: 'Bearer', refreshExpiresAt: clock.now() + 86_400_000 });
    const claims = verify(pair);
    for (const name of ['cnf', 'jkt', 'undefined']) expect(claims).not.toHaveProperty(name);
    expect(await sessions.check(claims)).toEqual({
      id: 'ada',
      kind: 'user',
      sessionId: pair.sessionId,
      methods,
      aal: 2,
      authenticatedAt: clock.now(),
    });
    const { sid: _sid, ...nameless } = claims;
    expect(await sessions.check(nameless as typeof claims)).not.toHaveProperty('sessionId');
  });

  test('end when they are told to, whatever the lifetime of a token', async () => {
    const { sessions, clock } = kit();
    const pair = await sessions.create({ ...start, lifetime: '5m' });
    const end = clock.now() + 300_000;
    expect(pair).toMatchObject({ accessExpiresAt: end, refreshExpiresAt: end });
    const long = await sessions.create({ ...start, lifetime: '40d' });
    expect(long.refreshExpiresAt).toBe(clock.now() + 86_400_000);
  });

  test('bound to a key stay bound to it, in both tokens and as a claim of its own', async () => {
    const { sessions, verify } = kit();
    const pair = await sessions.create(start, { binding });
    expect(pair.tokenType).toBe('DPoP');
    for (const meta of [undefined, { binding: { jkt: 'B'.repeat(43) } }])
      await expect(sessions.refresh(pair.refreshToken, meta)).rejects.toMatchObject({
        details: { fault: 'claim-cnf' },
      });
    const next = await sessions.refresh(pair.refreshToken, { binding });
    for (const one of [pair, next]) {
      expect(one.tokenType).toBe('DPoP');
      expect(verify(one)).toMatchObject({ cnf: binding });
      expect(verify(one)).not.toHaveProperty('jkt');
    }
  });

  test('tell each refresh, and refuse those of a closed account', async () => {
    const active = { ada: true, bob: false } as Record<string, boolean>;
    const { sessions, events } = kit({ isActive: async (userId) => active[userId]! });
    const pair = await sessions.create(start);
    const next = await sessions.refresh(pair.refreshToken);
    expect(next.sessionId).toBe(pair.sessionId);
    expect(events.all).toMatchObject([
      { type: 'auth.refreshed', userId: 'ada', sessionId: pair.sessionId, replayed: false },
    ]);
    const closed = await sessions.create({ userId: 'bob', epoch: 0 });
    await expect(sessions.refresh(closed.refreshToken)).rejects.toMatchObject({ code: 'E_SESSION_ENDED' });
    expect(events.all).toHaveLength(1);
    // Nobody is inactive unless somebody says so.
    const open = kit().sessions;
    expect((await open.refresh((await open.create(start)).refreshToken)).userId).toBe('ada');
  });

  test('cannot be ended, so nobody can begin one for somebody else', async () => {
    const { sessions } = kit();
    expect(sessions.stateless).toBe(true);
    await expect(sessions.create({ ...start, actor: { id: 'staff', sessionId: 'x' } })).rejects.toThrow(
      /Nobody can act for somebody else/,
    );
  });

  test.each([
    [{ session_end: 2_000_000_000, methods: [] }],
    [{ auth_time: 1, methods: [] }],
    [{ auth_time: 1, session_end: 2_000_000_000 }],
    [{ auth_time: '1', session_end: 2_000_000_000, methods: [] }],
    [{ auth_time: 1, session_end: '2', methods: [] }],
    [{ auth_time: 1, session_end: 2_000_000_000, methods: 'pwd' }],
  ])('are not made of a token that the same keys signed for something else: %j', async (facts) => {
    const { sessions, tokens } = kit();
    const { token } = tokens.issue({ userId: 'ada', sessionId: 'x' }, { aal: 1, ...facts });
    await expect(sessions.check(tokens.verify(token))).rejects.toMatchObject({
      details: { fault: 'payload' },
    });
  });

  test('have lifetimes that fit each other, or do not start', () => {
    for (const options of [
      { refreshTtl: '365d', absolute: '400d' },
      { refreshTtl: '11m', absolute: '11m' },
    ] as const)
      expect(kit(options).sessions.stateless).toBe(true);
    for (const [options, message] of [
      [{ refreshTtl: '366d', absolute: '400d' }, /refreshTtl must be between/],
      [{ absolute: '401d' }, /absolute must be between/],
      [{ refreshTtl: '10m' }, /refreshTtl must be longer than the lifetime of an access token/],
      [{ refreshTtl: '11m', absolute: '10m' }, /absolute must be at least refreshTtl/],
    ] as const)
      expect(() => kit(options)).toThrow(message);
  });
});
