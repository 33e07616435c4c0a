import type { SecurityRequest } from '@portcullis/core';

/** Something that a request to the router did, or was refused. */
export interface AccountAction {
  readonly type:
    | 'registered'
    | 'signed-in'
    | 'sign-in-refused'
    | 'signed-out'
    | 'sessions-ended'
    | 'password-changed'
    | 'api-key-created'
    | 'api-key-revoked'
    | 'password-reset'
    | 'login-changed'
    | 'factors-changed';
  /** Whose account it is; undefined for a refused sign-in, which may be nobody's. */
  readonly userId: string | undefined;
}

export type RecordAction = (action: AccountAction, req: SecurityRequest) => Promise<void>;
