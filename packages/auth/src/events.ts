declare module '@portcullis/core' {
  interface SecurityEvents {
    'auth.registered': { readonly userId: string; readonly ip?: string };
    /** `known`: on a device that the owner has used before; always false without `devices`. */
    'auth.signed-in': {
      readonly userId: string;
      readonly sessionId: string;
      readonly known: boolean;
      readonly ip?: string;
    };
    /** `account`: a hash of the name that was typed, the same for the same name. */
    'auth.failed': {
      readonly reason: SignInFault;
      readonly account: string;
      readonly userId?: string;
      readonly ip?: string;
    };
    /** A budget of guesses is used up: of a network (429); of an account, one network at it, or a known device (silently). */
    'auth.limited': {
      readonly by: 'account' | 'pair' | 'device' | 'network';
      readonly account: string;
      readonly ip?: string;
    };
    /** An account has been guessed at from several networks so often that it rests now; its known devices do not. */
    'auth.locked-out': { readonly account: string; readonly ip?: string };
    /** A bearer token or cookie was refused. */
    'auth.token-refused': { readonly reason: string; readonly ip?: string };
    /** A refresh token came back after its time: somebody has a copy. Its session ends. */
    'auth.token-reused': { readonly userId: string; readonly sessionId: string; readonly ip?: string };
    'auth.refreshed': { readonly userId: string; readonly sessionId: string; readonly replayed: boolean };
    'auth.signed-out': { readonly userId: string; readonly sessionId: string };
    'auth.session-revoked': {
      readonly userId: string;
      readonly sessionIds: readonly string[];
      readonly reason: SessionEnd;
    };
    /** The keys of a foreign provider were read, and are others than before. */
    'auth.issuer-loaded': { readonly issuer: string; readonly keys: readonly string[] };
    /** A foreign provider could not be asked, or its answer was not taken. */
    'auth.issuer-failed': { readonly issuer: string; readonly reason: string };
    'auth.api-key-created': {
      readonly userId: string;
      readonly keyId: string;
      readonly scopes: readonly string[];
    };
    'auth.api-key-revoked': { readonly userId: string; readonly keyIds: readonly string[] };
    /** `actorId` has begun to act for `userId`, in a session that is marked so. */
    'auth.impersonation-started': {
      readonly userId: string;
      readonly actorId: string;
      readonly sessionId: string;
      readonly expiresAt: number;
    };
    /** An account was closed; all its sessions and keys have ended. */
    'auth.deactivated': { readonly userId: string };
    'auth.password-changed': { readonly userId: string };
    /** By a link that was sent to the mailbox. */
    'auth.password-reset': { readonly userId: string };
    'auth.factor-added': { readonly userId: string; readonly factor: 'otp' };
    'auth.factor-removed': { readonly userId: string; readonly factor: 'otp' };
    /** A wrong code of a second factor, or one while wrong ones have to wait. */
    'auth.factor-refused': { readonly userId: string; readonly reason: 'wrong' | 'limited' };
    'auth.passkey-added': { readonly userId: string; readonly passkeyId: string };
    'auth.passkey-removed': { readonly userId: string; readonly passkeyId: string };
    /** A response of a passkey was refused. `reason` is for people who look after the service. */
    'auth.passkey-refused': {
      readonly purpose: PasskeyPurpose;
      readonly reason: string;
      readonly userId?: string;
      readonly ip?: string;
    };
    /** The counter of a passkey did not grow: there may be two of it. It was refused; the one that counts on goes on. */
    'auth.passkey-repeated': {
      readonly userId: string;
      readonly passkeyId: string;
      readonly stored: number;
      readonly received: number;
    };
    'auth.recovery-code-used': { readonly userId: string; readonly left: number };
    'auth.login-changed': { readonly userId: string };
    /** A message to somebody could not be sent, three times. */
    'auth.notification-failed': { readonly kind: string; readonly reason: string };
    /** The stored hash was replaced by one with today's parameters. */
    'auth.password-upgraded': { readonly userId: string };
    /** A stored hash names a pepper that is not configured: nobody can sign in with it until the key is back. */
    'auth.pepper-missing': { readonly keyId: string };
    /** The list of breached passwords could not be asked. */
    'auth.breach-list-failed': { readonly reason: string };
    /** A thread for hashes did not start, or ended: for a minute its hashes are computed in libuv's pool. */
    'auth.hashing-thread-failed': { readonly reason: string };
  }
}

/** What a challenge for a passkey is for: one of another purpose is none. */
export type PasskeyPurpose = 'sign-in' | 'second-factor' | 'step-up' | 'registration' | 'account';

export type SignInFault =
  'unknown-account' | 'wrong-password' | 'inactive' | 'unverified' | 'limited' | 'revoked-meanwhile';

export type SessionEnd =
  | 'signed-out'
  | 'revoked'
  | 'too-many-sessions'
  | 'token-reused'
  | 'password-changed'
  | 'password-reset'
  | 'login-changed'
  | 'factors-changed'
  | 'stepped-up'
  | 'deactivated'
  | (string & {});
