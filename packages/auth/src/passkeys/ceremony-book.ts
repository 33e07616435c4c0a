import { createHash } from 'node:crypto';
import type { Clock, Random } from '@portcullis/core';
import { errors } from '../error-codes.js';
import type { PasskeyPurpose } from '../events.js';
import type { OneTimeTokens, TokenFacts } from '../flows/one-time-tokens.js';
import {
  isPasskeyFault,
  type PasskeyBrowserOptions,
  type PasskeyResponse,
  type Passkeys,
} from './ceremonies.js';
import type { PasskeyRecord } from './passkey-port.js';
import { TRANSPORTS } from './read-response.js';

/** What a browser needs for one use of a passkey. */
export interface PasskeyCeremony {
  /** To be brought back with the response, and kept from others meanwhile: it binds the response to whoever began. Counts once. */
  readonly ceremony: string;
  readonly options: PasskeyBrowserOptions;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

/** Challenges that were given out, each for one purpose and one use. */
export interface CeremonyBook {
  /** A challenge, kept with whom it is for under the hash of a secret that comes back with the response. */
  begin(
    purpose: PasskeyPurpose,
    bound: TokenFacts,
    options: (challenge: string) => Promise<PasskeyBrowserOptions>,
  ): Promise<PasskeyCeremony>;
  /** Uses the challenge up, whatever comes of it. @throws E_CHALLENGE_INVALID (401) */
  challengeOf(purpose: PasskeyPurpose, ceremony: string, bound: TokenFacts): Promise<string>;
  /** The same for one account in all its passkeys, and without a way back to who it is (section 14.6.1). */
  handleOf(userId: string): string;
  /** A new passkey of an account, as it is kept. @throws E_PASSKEY_INVALID (400) */
  made(
    response: PasskeyResponse,
    challenge: string,
    owner: { readonly userId: string; readonly name: string | undefined },
  ): Promise<PasskeyRecord>;
}

export interface CeremonyDeps {
  readonly passkeys: Passkeys;
  readonly tokens: OneTimeTokens;
  readonly clock: Clock;
  readonly random: Random;
}

export const notTaken = (reason: string): Error => errors.E_PASSKEY_INVALID({ details: { reason } });

export function createCeremonyBook({ passkeys, tokens, clock, random }: CeremonyDeps): CeremonyBook {
  return {
    async begin(purpose, bound, options) {
      const challenge = random.bytes(32).toString('base64url');
      const facts = { ...bound, challenge };
      const { token, expiresAt } = await tokens.issue(
        `passkey-${purpose}`,
        undefined,
        facts,
        passkeys.timeoutMs,
      );
      return { ceremony: token, options: await options(challenge), expiresAt };
    },

    async challengeOf(purpose, ceremony, bound) {
      const facts = await tokens.take(`passkey-${purpose}`, ceremony);
      if (!facts || Object.entries(bound).some(([name, value]) => facts[name] !== value))
        throw errors.E_CHALLENGE_INVALID();
      return String(facts['challenge']);
    },

    handleOf: (userId) =>
      createHash('sha256').update(`portcullis passkey\0${passkeys.rpId}\0${userId}`).digest('base64url'),

    async made(response, challenge, { userId, name }) {
      try {
        return {
          ...(await passkeys.verifyRegistration(response, challenge)),
          userId,
          transports: TRANSPORTS.filter((way) => response.response.transports?.includes(way)),
          name: name?.trim() || 'Passkey',
          createdAt: clock.now(),
          lastUsedAt: null,
        };
      } catch (error) {
        throw isPasskeyFault(error) ? notTaken(error.message) : error;
      }
    },
  };
}
