import { describe, expect, test } from '@jest/globals';
import { createMemoryStore } from '@portcullis/core';
import { manualClock, recordedEvents } from '@portcullis/core/testing';
import {
  createSessions,
  createTokens,
  generateKeys,
  keyValueSessions,
  type SessionsOptions,
  type SessionStore,
} from '../../src/index.js';

const keys = generateKeys();

export function sessionKit(store: SessionStore, options: Partial<SessionsOptions> = {}) {
  const clock = manualClock({ now: Math.floor(Date.now() / 1000) * 1000 });
  const events = recordedEvents({ clock });
  const tokens = createTokens({ issuer: 'i', audience: 'a', keys, clock });
  const sessions = createSessions({ store, tokens, clock, events, ...options });
  const signIn = async (userId = `u-${Math.random()}`) =>
    sessions.create({ userId, epoch: await sessions.epoch(userId) });
  return { clock, events, tokens, sessions, signIn };
}

export const memorySessions = () => keyValueSessions({ store: createMemoryStore() });
/** A 401 with this code. */
export const refused = (code: string): unknown => expect.objectContaining({ code, status: 401 });

/** What must hold wherever the sessions are. */
export function rotationClaims(name: string, makeStore: () => SessionStore): void {
  describe(`refresh on ${name}`, () => {
    test('ASVS V10.4.5 V15.4.2: CVE-2026-53517: of 50 uses of one token at once all receive one and the same pair; there is one successor', async () => {
      const { sessions, signIn, events } = sessionKit(makeStore());
      let pair = await signIn();
      for (let round = 0; round < 5; round++) {
        const before = pair.refreshToken;
        const answers = await Promise.all(Array.from({ length: 50 }, () => sessions.refresh(before)));
        expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
        pair = answers[0]!;
        expect(pair.refreshToken).not.toBe(before);
      }
      const { userId } = pair;
      expect(
        events.of('auth.refreshed').filter((event) => event.userId === userId && !event.replayed),
      ).toHaveLength(5);
      expect(events.of('auth.token-reused')).toHaveLength(0);
      expect(await sessions.list(userId)).toHaveLength(1);
    });

    test('a lost answer is no theft: a retry within the grace window receives the same pair', async () => {
      const { sessions, signIn, clock } = sessionKit(makeStore());
      const first = await signIn();
      const second = await sessions.refresh(first.refreshToken);
      clock.advance('20s');
      expect(await sessions.refresh(first.refreshToken)).toEqual(second);
      expect((await sessions.refresh(second.refreshToken)).sessionId).toBe(first.sessionId);
    });

    test('ASVS V10.4.5: a stolen token ends the session for thief and owner, in whatever order they come', async () => {
      for (const thiefFirst of [true, false]) {
        const { sessions, signIn, clock, events, tokens } = sessionKit(makeStore());
        const stolen = await signIn();
        const taken = await sessions.refresh(stolen.refreshToken);
        clock.advance(20_001);
        await expect(sessions.refresh(stolen.refreshToken)).rejects.toEqual(refused('E_TOKEN_REUSED'));
        expect(events.of('auth.token-reused')).toMatchObject([
          { userId: stolen.userId, sessionId: stolen.sessionId },
        ]);
        for (const { refreshToken } of thiefFirst ? [taken, stolen] : [stolen, taken]) {
          await expect(sessions.refresh(refreshToken)).rejects.toEqual(refused('E_SESSION_ENDED'));
        }
        await expect(sessions.check(tokens.verify(taken.accessToken))).rejects.toEqual(
          refused('E_SESSION_ENDED'),
        );
        expect(await sessions.list(stolen.userId)).toEqual([]);
      }
    });

    test('a token older than the last one ends the session even within the grace window', async () => {
      const { sessions, signIn } = sessionKit(makeStore());
      const first = await signIn();
      await sessions.refresh((await sessions.refresh(first.refreshToken)).refreshToken);
      await expect(sessions.refresh(first.refreshToken)).rejects.toEqual(refused('E_TOKEN_REUSED'));
    });

    test('who knows only the id of a session can neither renew nor end it', async () => {
      const { sessions, signIn } = sessionKit(makeStore());
      const mine = await signIn();
      const other = await signIn();
      const bytes = Buffer.from(other.refreshToken, 'base64url');
      Buffer.from(mine.sessionId.replaceAll('-', ''), 'hex').copy(bytes);
      await expect(sessions.refresh(bytes.toString('base64url'))).rejects.toEqual(refused('E_TOKEN_INVALID'));
      await sessions.end(bytes.toString('base64url'));
      const forged = Buffer.from(mine.refreshToken, 'base64url');
      for (const at of [16, 19, 20, 51, 52, 67]) {
        const copy = Buffer.from(forged);
        copy[at]! ^= 1;
        await expect(sessions.refresh(copy.toString('base64url'))).rejects.toEqual(
          refused('E_TOKEN_INVALID'),
        );
      }
      expect((await sessions.refresh(mine.refreshToken)).sessionId).toBe(mine.sessionId);
    });

    test('ASVS V7.4.1: CVE-2020-10594: a revoked session neither answers nor refreshes', async () => {
      const { sessions, signIn, tokens } = sessionKit(makeStore());
      const [one, two, three] = [await signIn('ada'), await signIn('ada'), await signIn('ada')];
      expect(await sessions.revoke('bob', one.sessionId)).toBe(false);
      expect((await sessions.check(tokens.verify(one.accessToken))).id).toBe('ada');
      expect(await sessions.revoke('ada', one.sessionId)).toBe(true);
      expect(await sessions.revokeOthers('ada', two.sessionId)).toBe(1);
      for (const gone of [one, three]) {
        await expect(sessions.check(tokens.verify(gone.accessToken))).rejects.toEqual(
          refused('E_SESSION_ENDED'),
        );
        await expect(sessions.refresh(gone.refreshToken)).rejects.toEqual(refused('E_SESSION_ENDED'));
      }
      expect((await sessions.check(tokens.verify(two.accessToken))).sessionId).toBe(two.sessionId);
      expect(await sessions.revokeAll('ada')).toBe(1);
      await expect(sessions.check(tokens.verify(two.accessToken))).rejects.toEqual(
        refused('E_SESSION_ENDED'),
      );
    });
  });
}
