import type { Secret } from '@portcullis/core';

interface Base {
  /** The address that the account has, never the one that was typed. */
  readonly to: string;
}
interface WithToken extends Base {
  /** For the link: it is all that is needed. `reveal()` it into the message and nowhere else. */
  readonly token: Secret<string>;
  /** Milliseconds since 1970. */
  readonly expiresAt: number;
}

/** What the package asks the app to tell somebody, in the app's words. */
export type AuthMessage =
  /** Choose a password, or make a passkey, to finish the registration. */
  | ({ readonly type: 'complete-registration' } & WithToken)
  /** Somebody, perhaps you, wanted to register: there is an account already. */
  | ({ readonly type: 'account-exists' } & Base)
  | ({ readonly type: 'reset-password'; readonly userId: string } & WithToken)
  /** A reset was asked for, but this account has no password: sign in as usual. */
  | ({ readonly type: 'reset-without-password'; readonly userId: string } & Base)
  /** To the new address: confirm that it is yours. */
  | ({ readonly type: 'confirm-login'; readonly userId: string } & WithToken)
  /** To the old address: a change was asked for, then it was made. */
  | ({ readonly type: 'login-change-asked' | 'login-changed'; readonly userId: string } & Base)
  | ({ readonly type: 'password-changed'; readonly userId: string } & Base)
  /** Second factors were added, removed or used up. */
  | ({ readonly type: 'factors-changed'; readonly userId: string } & Base)
  /**
   * A passkey was added or removed; or one was refused because its counter did not grow, which says that somebody may have copied
   * it: remove it and add another.
   */
  | ({
      readonly type: 'passkey-added' | 'passkey-removed' | 'passkey-repeated';
      readonly userId: string;
      /** The owner's word for it. */
      readonly name: string;
    } & Base)
  /** A sign-in on a device that was not known. */
  | ({
      readonly type: 'new-device';
      readonly userId: string;
      readonly ip?: string;
      readonly userAgent?: string;
    } & Base)
  /** Somebody has given wrong codes after the right password, again and again: change it, it is known. */
  | ({ readonly type: 'codes-guessed'; readonly userId: string } & Base)
  /** Strangers have guessed at the password: sign in on a known device, or reset it. */
  | ({ readonly type: 'locked-out'; readonly userId: string } & Base);

export type Notify = (message: AuthMessage) => Promise<void>;
