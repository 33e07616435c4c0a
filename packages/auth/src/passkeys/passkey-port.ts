/** A passkey as it is kept. Nobody can sign in with what stands here: the private key never leaves its authenticator. */
export interface PasskeyRecord {
  /** The credential id, base64url, at most 1,364 characters. Compared exactly. */
  readonly id: string;
  readonly userId: string;
  /** COSE key, base64url. */
  readonly publicKey: string;
  /** How often it signed, as its authenticator counts; 0 for those that do not count. At most 2^32 - 1. */
  readonly counter: number;
  /** Ways on which its authenticator is reached, as the browser named them. */
  readonly transports: readonly string[];
  /** It may be copied to other devices of its owner (a synced passkey); never changes. */
  readonly backupEligible: boolean;
  /** It has been copied, as of the last use. */
  readonly backedUp: boolean;
  /** The owner's word for it, 1 to 64 characters. */
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly createdAt: number;
  readonly lastUsedAt: number | null;
}

export interface PasskeyUse {
  readonly counter: number;
  readonly backedUp: boolean;
  /** Milliseconds since 1970. */
  readonly at: number;
}

/**
 * Passkeys beside your users: a table with the credential id as its key. `passkeyPortSuite` of `@portcullis/auth/testing` has
 * every claim. A method that rejects makes the request fail with 503.
 */
export interface PasskeyPort {
  /** The passkey with this credential id, whosever it is. */
  find(id: string): Promise<PasskeyRecord | null | undefined>;
  /** All of one account, in no order. */
  list(userId: string): Promise<readonly PasskeyRecord[]>;
  /**
   * Adds it, in one step with both checks: `taken` where any account has this id already, `full` where the account has `max`.
   */
  add(passkey: PasskeyRecord, max: number): Promise<'added' | 'taken' | 'full'>;
  /**
   * Notes a use, in one statement, if its counter is above the stored one or both are 0. Returns whether it did: false says that
   * there are two of it, or none any more.
   */
  use(id: string, use: PasskeyUse): Promise<boolean>;
  /** Returns whether this account has it. */
  rename(userId: string, id: string, name: string): Promise<boolean>;
  /** Removes it; with `keepOne` not if it is the only one of the account, in one step. Returns whether it did. */
  remove(userId: string, id: string, options: { readonly keepOne: boolean }): Promise<boolean>;
}
