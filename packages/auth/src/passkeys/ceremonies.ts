import type { PasskeyRecord } from './passkey-port.js';

/** A browser's answer to the options, `PublicKeyCredential.toJSON()`; nothing of it has been verified. */
export interface PasskeyResponse {
  readonly id: string;
  readonly rawId: string;
  readonly type: string;
  readonly response: {
    readonly clientDataJSON: string;
    readonly attestationObject?: string;
    readonly authenticatorData?: string;
    readonly signature?: string;
    readonly userHandle?: string;
    readonly transports?: readonly string[];
  };
}

/** Options for the browser: `PublicKeyCredential.parseCreationOptionsFromJSON()` or `parseRequestOptionsFromJSON()`. */
export type PasskeyBrowserOptions = object;

export type VerifiedPasskey = Pick<
  PasskeyRecord,
  'id' | 'publicKey' | 'counter' | 'backupEligible' | 'backedUp'
>;

/** What `passkeys()` of `@portcullis/auth/passkeys` makes, for `createAuth({ passkeys })`. Challenges are base64url. */
export interface Passkeys {
  readonly rpId: string;
  readonly timeoutMs: number;
  readonly max: number;
  readonly secondFactor: boolean;
  /** False: one without PIN, finger or face is taken too, and is one factor. */
  readonly verifiesUser: boolean;
  readonly freshMs: number;
  creationOptions(ask: {
    readonly challenge: string;
    /** Names the account without saying who it is, base64url. */
    readonly handle: string;
    readonly login: string;
    readonly name: string;
    readonly existing: readonly PasskeyRecord[];
  }): Promise<PasskeyBrowserOptions>;
  requestOptions(ask: {
    readonly challenge: string;
    /** Empty: whichever the browser has. */
    readonly allowed: readonly PasskeyRecord[];
  }): Promise<PasskeyBrowserOptions>;
  /** @throws PasskeyFault */
  verifyRegistration(response: PasskeyResponse, challenge: string): Promise<VerifiedPasskey>;
  /** All but the counter, which the port judges. @throws PasskeyFault */
  verifyAuthentication(
    response: PasskeyResponse,
    challenge: string,
    passkey: PasskeyRecord,
  ): Promise<{ readonly counter: number; readonly userVerified: boolean; readonly backedUp: boolean }>;
}

/** Why a response was not taken; for events, never for the client. */
export class PasskeyFault extends Error {
  override readonly name = 'PasskeyFault';
  readonly passkeyFault = true;
}

/** The mark survives a second copy of this module; `instanceof` would not. */
export function isPasskeyFault(error: unknown): error is PasskeyFault {
  return error instanceof Error && 'passkeyFault' in error;
}
