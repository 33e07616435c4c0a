import { createHash } from 'node:crypto';
import {
  createSessions,
  createTokens,
  generateKeys,
  type Sessions,
  type SessionStore,
  type TokenPair,
} from '@portcullis/auth';
import { hasCode, isSecurityError } from '@portcullis/core';
import { manualClock, recordedEvents } from '@portcullis/core/testing';
import type { Chance } from '../tokens/chance.js';

export const USES = 50;
const GRACE_MS = 20_000;
const SIGNING = generateKeys('HS256');
type Answer = TokenPair | 'dropped' | 'signed-out';
const ACTIVE = { epoch: 0, methods: [] };

export interface Tally {
  rounds: number;
  uses: number;
  /** Answers that did not reach their client. */
  dropped: number;
  /** Rounds of which no answer reached anybody, so that the client tried again. */
  allDropped: number;
  /** Rotations that were written, and whose answer the service itself did not get. */
  lostByStore: number;
  /** Rounds that did not end with exactly one successor, the one that every client has. */
  forked: number;
  /** Honest clients that were told to sign in again. */
  signedOut: number;
  thefts: number;
  /** Thefts after which some token of the family still worked, or of which nobody was told. */
  survived: number;
}

export interface Case {
  /** The way to the store of each of two processes. */
  readonly stores: readonly [SessionStore, SessionStore];
  readonly chance: Chance;
  readonly rounds: number;
  /** In percent, of answers to clients. */
  readonly drop: number;
  /** One round in so many is a theft. */
  readonly theftEvery: number;
  readonly grace?: number;
}

/** Families of refresh tokens under fire, one after another; every round renews one and perhaps ends in a theft. */
export async function runRounds(of: Case, tally: Tally, family: string): Promise<void> {
  const { stores, chance, rounds, theftEvery } = of;
  const clock = manualClock({ now: 1_800_000_000_000 });
  const events = recordedEvents({ clock });
  const tokens = createTokens({ issuer: 'i', audience: 'a', keys: SIGNING, clock });
  const grace = of.grace ?? GRACE_MS;
  const nodes = stores.map((store) => createSessions({ store, tokens, clock, events, grace }));
  const [first] = nodes;

  const begin = (n: number): Promise<TokenPair> => first!.create({ ...ACTIVE, userId: `${family}-${n}` });
  let pair = await begin(0);
  for (let n = 1; n <= rounds; n++) {
    const next = await renew(pair);
    tally.rounds++;
    if (!next) {
      pair = await begin(n);
      continue;
    }
    if (n % theftEvery === 0) {
      await steal(pair, next);
      pair = await begin(n);
    } else pair = next;
    events.clear();
    clock.advance(1_000);
  }

  /** One use; undefined for a client that never heard. */
  async function use(node: Sessions, token: string): Promise<Answer> {
    tally.uses++;
    for (;;) {
      try {
        const answer = await node.refresh(token);
        if (chance.number(100) >= of.drop) return answer;
        tally.dropped++;
        return 'dropped';
      } catch (error) {
        if (isSecurityError(error) && error.status === 401) return 'signed-out';
        // What a service answers with 503: the client tries again.
        if (!isSecurityError(error) || error.status !== 503) throw error;
      }
    }
  }

  /** 50 uses at once of the current token, from two processes; the pair that all of them got. */
  async function renew(now: TokenPair): Promise<TokenPair | undefined> {
    const early = Array.from({ length: USES - 5 }, (_, i) => use(nodes[i % 2]!, now.refreshToken));
    const answers: Answer[] = await Promise.all(early);
    // Requests that were on a slow way, or are tried again because no answer came; still within the window.
    clock.advance(1 + chance.number(GRACE_MS));
    answers.push(
      ...(await Promise.all(Array.from({ length: 5 }, (_, i) => use(nodes[i % 2]!, now.refreshToken)))),
    );
    const heard: TokenPair[] = answers.filter((answer) => typeof answer !== 'string');
    if (heard.length === 0 && answers.includes('dropped')) {
      tally.allDropped++;
      for (let tries = 0; tries < 1000 && answers.at(-1) === 'dropped'; tries++) {
        const again = await use(first!, now.refreshToken);
        answers.push(again);
        if (typeof again !== 'string') heard.push(again);
      }
    }
    tally.signedOut += answers.filter((answer) => answer === 'signed-out').length;
    const [got] = heard;
    const stands = await stores[0].find(now.sessionId);
    const one =
      got !== undefined &&
      new Set(heard.map((answer) => JSON.stringify(answer))).size === 1 &&
      stands !== undefined &&
      stands.generation === generationOf(now) + 1 &&
      // The successor that the clients have is the one that stands in the store: it renews.
      stands.current === hashOf(got);
    if (!one) tally.forked++;
    return one ? got : undefined;
  }

  /** Somebody has a copy of an old token: the last one, after the window, or an older one at any time. */
  async function steal(old: TokenPair, current: TokenPair): Promise<void> {
    tally.thefts++;
    let newest = current;
    if (chance.number(2) === 0) clock.advance(GRACE_MS + 1);
    else newest = (await renewOnce(current)) ?? current;
    const thieves = await Promise.all(
      Array.from({ length: USES }, (_, i) =>
        nodes[i % 2]!.refresh(old.refreshToken).then(() => 'passed', refusal),
      ),
    );
    tally.uses += USES;
    const claims = tokens.verify(newest.accessToken);
    const after = await Promise.all([
      first!.refresh(newest.refreshToken).then(() => 'passed', refusal),
      first!.check(claims).then(() => 'passed', refusal),
    ]);
    const told = events.of('auth.token-reused').some(({ sessionId }) => sessionId === old.sessionId);
    const revoked = events
      .of('auth.session-revoked')
      .filter(({ reason }) => reason === 'token-reused').length;
    const refused = [...thieves, ...after].every((answer) => answer !== 'passed');
    const gone = (await stores[1].find(old.sessionId)) === undefined;
    if (!(refused && gone && told && revoked === 1 && thieves.includes('E_TOKEN_REUSED'))) tally.survived++;
  }

  async function renewOnce(now: TokenPair): Promise<TokenPair | undefined> {
    for (let tries = 0; tries < 1000; tries++) {
      const next = await use(first!, now.refreshToken);
      if (typeof next !== 'string') return next;
      if (next === 'signed-out') tally.signedOut++;
    }
    return undefined;
  }
}

function refusal(error: unknown): string {
  for (const code of ['E_TOKEN_REUSED', 'E_SESSION_ENDED']) if (hasCode(error, code)) return code;
  throw error;
}

/** Bytes 16 to 19 of a refresh token. */
function generationOf({ refreshToken }: TokenPair): number {
  return Buffer.from(refreshToken, 'base64url').readUInt32BE(16);
}

function hashOf({ refreshToken }: TokenPair): string {
  return createHash('sha256').update(refreshToken).digest('base64url');
}
