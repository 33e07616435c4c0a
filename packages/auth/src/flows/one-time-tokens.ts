import { createHash } from 'node:crypto';
import { storeKey, type Clock, type KeyValueStore, type Random } from '@portcullis/core';
import type { PasskeyPurpose } from '../events.js';

/** What a token is for: one of another purpose is none. */
export type TokenPurpose =
  | 'complete-registration'
  | 'reset-password'
  | 'change-login'
  | 'second-factor'
  | 'enrol-totp'
  | `passkey-${PasskeyPurpose}`;

/** What was known when a token was issued, small and without secrets. */
export type TokenFacts = Readonly<Record<string, string | number>>;

export interface IssuedOnce {
  /** 43 base64url characters; only its hash is stored. */
  readonly token: string;
  readonly expiresAt: number;
}

export interface OneTimeTokens {
  /** A new token; the one before of this purpose and subject, if it has one, is worth nothing any more. */
  issue(
    purpose: TokenPurpose,
    subject: string | undefined,
    facts: TokenFacts,
    ttlMs: number,
  ): Promise<IssuedOnce>;
  /** Looks without using it up, to judge what else was sent. */
  peek(purpose: TokenPurpose, token: string): Promise<TokenFacts | undefined>;
  /** Uses it up: of many callers at once exactly one gets the facts. */
  take(purpose: TokenPurpose, token: string): Promise<TokenFacts | undefined>;
  /** Makes the live token of a subject worthless. */
  cancel(purpose: TokenPurpose, subject: string): Promise<void>;
}

const TAG = 'auth-once';
const FORMAT = /^[A-Za-z0-9_-]{43}$/;

/**
 * Tokens that are sent to a mailbox or kept between two steps: 256 random bits, stored as SHA-256, bound to a purpose, used up
 * by one atomic `take()`. A reader of the store can redeem none (CVE-2026-53518: one redemption, however many try at once).
 */
export function createOneTimeTokens(store: KeyValueStore, clock: Clock, random: Random): OneTimeTokens {
  const entryKey = (hash: string) => storeKey(TAG, hash);
  const latestKey = (purpose: TokenPurpose, subject: string) => storeKey(TAG, subject, purpose);
  const hashOf = (purpose: TokenPurpose, token: string) =>
    createHash('sha256').update(`${purpose}\0${token}`).digest('base64url');

  async function open(text: string | undefined): Promise<TokenFacts | undefined> {
    if (text === undefined) return undefined;
    const { facts, expiresAt } = JSON.parse(text) as { facts: TokenFacts; expiresAt: number };
    return clock.now() < expiresAt ? facts : undefined;
  }

  return {
    async issue(purpose, subject, facts, ttlMs) {
      const token = random.bytes(32).toString('base64url');
      const hash = hashOf(purpose, token);
      const expiresAt = clock.now() + ttlMs;
      await store.set(entryKey(hash), JSON.stringify({ facts, expiresAt }), { ttlMs });
      if (subject === undefined) return { token, expiresAt };
      const latest = latestKey(purpose, subject);
      const before = await store.take(latest);
      if (before !== undefined) await store.delete(entryKey(before));
      await store.set(latest, hash, { ttlMs });
      return { token, expiresAt };
    },
    async peek(purpose, token) {
      return FORMAT.test(token) ? open(await store.get(entryKey(hashOf(purpose, token)))) : undefined;
    },
    async take(purpose, token) {
      return FORMAT.test(token) ? open(await store.take(entryKey(hashOf(purpose, token)))) : undefined;
    },
    async cancel(purpose, subject) {
      const hash = await store.take(latestKey(purpose, subject));
      if (hash !== undefined) await store.delete(entryKey(hash));
    },
  };
}
