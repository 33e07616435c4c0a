import type { AnonymousPrincipal, Principal } from '@portcullis/core';
import type { Reason } from './judge.js';

/** The answer to one question, with its reason. A value: enforcing it is the guard's or `require()`'s business. */
export interface Decision {
  readonly allowed: boolean;
  /** What was asked: `book:create`, `any of book:read, book:list`, `role staff`, `public: health check`. */
  readonly asked: string;
  readonly reason: Reason;
  /** The role, or the permission of the direct rule, that decided. */
  readonly by?: string | undefined;
  /** Of several that were asked for, the permission that decided. */
  readonly permission?: string | undefined;
  /** Absent for anonymous requests. */
  readonly principalId?: string;
  /** Where it was asked, if there are tenants. */
  readonly tenant?: string | undefined;
  /** The request's method when a guard decided: another one needs another decision. */
  readonly method?: string | undefined;
  /** The newest revision of the change feed that was known here. */
  readonly revision: number;
  /** Where the facts came from: memory under the lease, the store, the principal's own roles, or nowhere. */
  readonly source: 'cache' | 'store' | 'principal' | 'none';
  /** Why it could not be found out, if `reason` is `unavailable`. For the log only; not enumerable. */
  readonly cause?: unknown;
}

/** For the log only: nobody enumerates it into an answer. */
export function hideCause(decision: Decision, cause: unknown): void {
  Object.defineProperty(decision, 'cause', { value: cause, enumerable: false });
}

/** Who is asked about: a user's id, a principal (whose scopes then count), or nobody. */
export type Subject = string | Principal | AnonymousPrincipal | undefined;

export interface AskOptions {
  /**
   * Id of the object's owner, for permissions of one's own. Only a non-empty string that is exactly the principal's id
   * counts; nothing is converted.
   */
  readonly owner?: unknown;
  /**
   * Id of the tenant that the question is about. Named but not a non-empty string, it refuses, and so does another one than
   * that of the credential. @default the principal's own
   */
  readonly tenant?: unknown;
  /** The object itself, where a duty asks who acted on it before (`differentActor()`). */
  readonly object?: unknown;
  /** Read the user from the store for this one answer, whatever is cached. @default false */
  readonly fresh?: boolean;
}

declare module '@portcullis/core' {
  interface SecurityContext {
    /** The latest decision about this request, refusals included. */
    decision?: Decision;
    /** The very object that an `object:` loader gave and the guard judged. */
    resource?: unknown;
  }
}
