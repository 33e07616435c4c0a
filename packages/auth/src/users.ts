import type { PasskeyPort } from './passkeys/passkey-port.js';

/** An account as the package needs it. */
export interface AuthUser {
  readonly id: string;
  /** The canonical name under which the account signs in. */
  readonly login: string;
  /** Absent or null: nobody signs in to this account with a password. */
  readonly passwordHash?: string | null | undefined;
  /** `false`: no sign-in and no refresh. */
  readonly active: boolean;
  /** `false`: nobody has shown yet that the mailbox is theirs, and nobody signs in. @default true */
  readonly emailVerified?: boolean | undefined;
  /** What `saveFactors()` has stored; absent or null: no second factor. */
  readonly factors?: string | null | undefined;
  /** The person's name, if there is one: it may not be the password. */
  readonly name?: string | null | undefined;
}

export interface NewCredential {
  /** Null where an account is to have none any more: it signs in with passkeys. */
  readonly passwordHash: string | null;
  /** The hash that is being replaced; null where there was none. */
  readonly replaces: string | null;
}

export interface NewAccount {
  readonly login: string;
  /** Null for an account that is to sign in with passkeys. */
  readonly passwordHash: string | null;
  readonly name?: string;
  /** True where the mailbox has been shown to be theirs. */
  readonly emailVerified?: boolean;
}

export interface NewFactors {
  /** Text to be stored as it is, up to some 1,000 characters; null for none. */
  readonly factors: string | null;
  /** What is being replaced. */
  readonly replaces: string | null;
}

export interface NewLogin {
  readonly login: string;
  /** The login that is being replaced. */
  readonly replaces: string;
}

/**
 * Your users in your database: three functions over whatever you have. One that rejects makes the request fail with
 * 503, never pass. `@portcullis/auth/postgres` has an implementation for those who have none.
 */
export interface UserPort {
  /** The account with this canonical login, or undefined. */
  findByLogin(login: string): Promise<AuthUser | null | undefined>;
  findById(id: string): Promise<AuthUser | null | undefined>;
  /**
   * Stores a new password hash if the stored one is still `replaces`, in one statement
   * (`update ... where id = $1 and password_hash is not distinct from $2`). Returns whether it did.
   */
  saveCredential(id: string, credential: NewCredential): Promise<boolean>;
  /** Needed for `auth.deactivate()`: from now on the account is not active. Returns whether there is such an account. */
  deactivate?(id: string): Promise<boolean>;
  /** Needed for registration: adds an account, or returns undefined if the login is taken. */
  create?(account: NewAccount): Promise<AuthUser | null | undefined>;
  /**
   * Needed where accounts may be unverified, as those that begin with a passkey are at first: notes that the mailbox is theirs, if the login is still this one. Returns whether
   * it did.
   */
  markVerified?(id: string, login: string): Promise<boolean>;
  /**
   * Needed for a change of e-mail: stores the new login, verified, if the stored one is still `replaces` and nobody has the
   * new one, in one statement. Returns whether it did.
   */
  changeLogin?(id: string, change: NewLogin): Promise<boolean>;
  /** Needed for second factors: as {@link saveCredential}, for the column of `factors`. */
  saveFactors?(id: string, change: NewFactors): Promise<boolean>;
  /** Needed for passkeys: a table of them. */
  readonly passkeys?: PasskeyPort;
}
