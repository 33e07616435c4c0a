import type { Clock, Principal } from '@portcullis/core';
import type { Factors } from '../factors/factors.js';
import { stepUpRequired } from '../identify.js';
import type { AuthUser } from '../users.js';
import type { Passkeys } from './ceremonies.js';
import type { PasskeyPort, PasskeyRecord } from './passkey-port.js';

/** Who asks: the principal. Its level and age decide what may be changed. */
export type AccountOwner = Pick<Principal, 'id' | 'sessionId' | 'actor' | 'aal' | 'authenticatedAt'>;

/** Whether somebody has shown, not long ago and as strongly as they can, that an account is theirs. */
export interface OwnAccount {
  /** @returns the passkeys of the account @throws E_STEP_UP_REQUIRED (401) */
  assertShown(
    who: Pick<AccountOwner, 'aal' | 'authenticatedAt'>,
    user: AuthUser,
  ): Promise<readonly PasskeyRecord[]>;
}

export interface OwnAccountDeps {
  readonly passkeys: Pick<Passkeys, 'freshMs'>;
  readonly port: PasskeyPort;
  readonly factors: Factors | undefined;
  /** Scheme of the challenge of RFC 9470. */
  readonly scheme: string;
  readonly clock: Clock;
}

export function createOwnAccount({ passkeys, port, factors, scheme, clock }: OwnAccountDeps): OwnAccount {
  return {
    async assertShown({ aal: shown = 1, authenticatedAt = Number.NEGATIVE_INFINITY }, user) {
      const existing = await port.list(user.id);
      // NIST SP 800-63B-4 section 4.1.2: what is added may not be stronger than how it is added.
      const aal = existing.length > 0 || factors?.required(user) ? 2 : 1;
      if (shown < aal || clock.now() - authenticatedAt > passkeys.freshMs)
        throw stepUpRequired(scheme, aal, passkeys.freshMs);
      return existing;
    },
  };
}
