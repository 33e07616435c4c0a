declare module '@portcullis/core' {
  interface SecurityEvents {
    'auth.registered': { readonly userId: string; readonly ip?: string };
    'auth.signed-in': { readonly userId: string; readonly sessionId: string; readonly ip?: string };
    /** `account`: a hash of the name that was typed, the same for the same name. */
    'auth.failed': {
      readonly reason: SignInFault;
      readonly account: string;
      readonly userId?: string;
      readonly ip?: string;
    };
    /** The budget of guesses is used up: of an account (silently) or of a network (429). */
    'auth.limited': { readonly by: 'account' | 'network'; readonly account: string; readonly ip?: string };
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
    /** The stored hash was replaced by one with today's parameters. */
    'auth.password-upgraded': { readonly userId: string };
  }
}

export type SignInFault = 'unknown-account' | 'wrong-password' | 'inactive' | 'limited' | 'revoked-meanwhile';

export type SessionEnd =
  | 'signed-out'
  | 'revoked'
  | 'too-many-sessions'
  | 'token-reused'
  | 'password-changed'
  | 'deactivated'
  | (string & {});
