import type { AuthenticationMethod } from '@portcullis/core';

/** The key that whoever brings a token of this session must hold. */
export interface SenderBinding {
  /** RFC 7638 thumbprint, as `cnf.jkt` (RFC 9449). */
  readonly jkt: string;
}

/** Who really acts in a session, when one acts for another. */
export interface SessionActor {
  readonly id: string;
  /** The actor's own session: when it ends, this one counts no more. */
  readonly sessionId: string;
}

/** Facts of a session that only grow: later methods, devices and bindings find their place here. */
export interface SessionDetails {
  readonly methods: readonly AuthenticationMethod[];
  readonly aal: 1 | 2 | 3;
  readonly authenticatedAt: number;
  /** The client's address at sign-in or at the last refresh. */
  readonly address?: string;
  readonly userAgent?: string;
  readonly binding?: SenderBinding;
  /** Set in a session that somebody began to act for its user. */
  readonly actor?: SessionActor;
}

/**
 * A session, which is also the family of its refresh tokens. Holds hashes only: with a copy of it nobody can act as
 * its user. All times in milliseconds since 1970.
 */
export interface SessionRecord {
  /** A UUID. */
  readonly id: string;
  readonly userId: string;
  readonly createdAt: number;
  /** When the current refresh token was made. */
  readonly rotatedAt: number;
  /** When the current refresh token ends: the session is idle from then on. Never later than `expiresAt`. */
  readonly idleExpiresAt: number;
  /** When the session ends whatever happens. */
  readonly expiresAt: number;
  /** 0 for the first refresh token. */
  readonly generation: number;
  /** SHA-256 of the current refresh token, base64url. */
  readonly current: string;
  /** SHA-256 of the one before it; null for the first. */
  readonly previous: string | null;
  /** The current pair, sealed under the previous refresh token; null for the first. */
  readonly sealed: string | null;
  /** Keys the authenticity tags of this family's refresh tokens, base64url. It opens nothing. */
  readonly tagKey: string;
  readonly details: SessionDetails;
}

/** What a rotation writes. */
export type SessionRotation = Pick<
  SessionRecord,
  'rotatedAt' | 'idleExpiresAt' | 'generation' | 'current' | 'previous' | 'sealed' | 'details'
>;

export type SessionCreation =
  | {
      readonly created: true;
      /** Sessions that had to end to keep the bound. */ readonly ended: readonly string[];
    }
  /** The epoch has moved: the user's sessions were ended while this one was being made. */
  | { readonly created: false };

/**
 * Where sessions are kept. Every method is atomic as far as its description says; `sessionStoreSuite` of
 * `@portcullis/auth/testing` shows it. A store that cannot answer rejects (status 503); it never answers "no".
 *
 * The epoch of a user counts how often all sessions were ended. It is read before a credential is checked and given to
 * `create`, so that a sign-in with an old password cannot finish after the password was changed.
 */
export interface SessionStore {
  /** Short name for messages: `memory`, `redis`, `postgres`. */
  readonly kind: string;
  /** True if other processes see what is written here. */
  readonly shared: boolean;
  epoch(userId: string): Promise<number>;
  /** Adds a session unless the epoch has moved. More than `max` live ones: the longest unused ones end. */
  create(
    record: SessionRecord,
    conditions: { readonly epoch: number; readonly max: number },
  ): Promise<SessionCreation>;
  /** The session, or undefined when it has ended. May still return one whose time has passed. */
  find(id: string): Promise<SessionRecord | undefined>;
  /** Replaces the tokens if `current` is still the current one, in one step: of many callers exactly one gets `true`. */
  rotate(id: string, current: string, next: SessionRotation): Promise<boolean>;
  /** Ends a session of this user. Returns whether there was one. Afterwards no `rotate` of it succeeds. */
  end(id: string, userId: string): Promise<boolean>;
  /** Ends all sessions of a user, except one, and moves the epoch. Returns the ended ones. */
  endAll(userId: string, except?: string): Promise<readonly string[]>;
  /** The sessions of a user, in no order. */
  list(userId: string): Promise<readonly SessionRecord[]>;
}

/** The topic under which ended sessions are announced on the change feed; the subject is the user. */
export const SESSION_TOPIC = 'auth';
