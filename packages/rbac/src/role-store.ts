import type { CallOptions, Change, ChangeFeed } from '@portcullis/core';

/** Topic of the feed for facts about one user; the subject is the user's id. */
export const USER_TOPIC = 'rbac';
/** Topic of the feed for roles and permissions; the subject is `*`. */
export const POLICY_TOPIC = 'rbac-policy';

export type Effect = 'allow' | 'deny';

/** A role as stored. Names are case-sensitive ASCII; permissions are names or patterns. */
export interface RoleRecord {
  readonly name: string;
  readonly description: string;
  /** An inactive role contributes nothing, not even what it inherits. */
  readonly active: boolean;
  /** Roles whose allowances and denials this one has too. */
  readonly inherits: readonly string[];
  readonly allow: readonly string[];
  readonly deny: readonly string[];
}

/** When and where a grant counts. */
export interface Bounds {
  /** Milliseconds since 1970: `from <= now < until`. */
  readonly from?: number;
  readonly until?: number;
  /** `*` is every tenant, and none; absent, the grant counts only where there is no tenant. */
  readonly tenant?: string;
}

/** Who wrote a grant, when and why. */
export interface Provenance {
  readonly grantedBy: string;
  readonly grantedAt: number;
  readonly reason?: string;
}

export interface RoleAssignment extends Bounds, Provenance {
  readonly role: string;
}

/** A permission (or pattern) granted to or denied to a user without a role. */
export interface DirectRule extends Bounds, Provenance {
  readonly effect: Effect;
  readonly permission: string;
}

export interface UserRecord {
  /** False: nothing is allowed. Users nobody wrote about are active. */
  readonly active: boolean;
  readonly roles: readonly RoleAssignment[];
  readonly rules: readonly DirectRule[];
}

export interface PolicyRecord {
  readonly roles: readonly RoleRecord[];
  /** Declared permissions that are switched off. */
  readonly inactivePermissions: readonly string[];
}

/** What to load: all roles, one user's grants, or a page of users. Later versions may add kinds; answer an unknown one by throwing. */
export type LoadScope =
  | { readonly kind: 'policy' }
  | { readonly kind: 'user'; readonly id: string }
  | {
      /** Users about whom something is stored, by id in order of its UTF-8 bytes: for administration and reviews only. */
      readonly kind: 'users';
      /** The last id of the page before. */
      readonly after?: string;
      readonly limit: number;
      /** Only those to whom one of these is assigned, whenever it counts. */
      readonly roles?: readonly string[];
    };

export interface Snapshot {
  /** The revision of the feed at which roles or permissions last changed, in the same snapshot; 0 if never. */
  readonly policyRevision: number;
  /** Present if asked for. */
  readonly policy?: PolicyRecord;
  /** Present if asked for; a user nobody wrote about is `{ active: true, roles: [], rules: [] }`. */
  readonly user?: UserRecord;
  /** Present if a page was asked for; fewer than its limit is the last one. */
  readonly users?: readonly { readonly id: string; readonly user: UserRecord }[];
}

/** One write. `put` replaces what has the same key; removing what is not there is no error. */
export type RoleWrite =
  | { readonly kind: 'put-role'; readonly role: RoleRecord }
  /** Also ends every assignment of the role. */
  | { readonly kind: 'remove-role'; readonly name: string }
  /** Key: user, role and tenant. */
  | { readonly kind: 'put-assignment'; readonly userId: string; readonly assignment: RoleAssignment }
  | {
      readonly kind: 'remove-assignment';
      readonly userId: string;
      readonly role: string;
      readonly tenant?: string;
    }
  /** Key: user, effect, permission and tenant. */
  | { readonly kind: 'put-rule'; readonly userId: string; readonly rule: DirectRule }
  | {
      readonly kind: 'remove-rule';
      readonly userId: string;
      readonly effect: Effect;
      readonly permission: string;
      readonly tenant?: string;
    }
  | { readonly kind: 'set-user-active'; readonly userId: string; readonly active: boolean }
  | { readonly kind: 'set-permission-active'; readonly permission: string; readonly active: boolean };

export interface RoleBatch {
  readonly writes: readonly RoleWrite[];
  /** To be published to the feed in the same transaction. Never empty. */
  readonly changes: readonly Change[];
  /** Refuse with `{ conflict: true }`, and write nothing, unless `policyRevision` is still this one. */
  readonly ifPolicyRevision: number;
  /** True if roles or permissions change: `policyRevision` becomes the revision of this batch. */
  readonly changesPolicy: boolean;
}

export type CommitResult = { readonly revision: number } | { readonly conflict: true };

/**
 * Where roles and grants are kept. Two calls and a feed; the rules (validation, hierarchy, decisions, caching) are
 * not the store's business. `roleStoreSuite` of `@portcullis/rbac/testing` shows whether an implementation is right.
 */
export interface RoleStore {
  /**
   * Reads one snapshot. Must see every batch whose commit has resolved: from the primary, never from a replica.
   * May reject; never guesses.
   */
  load(scope: LoadScope, options?: CallOptions): Promise<Snapshot>;
  /** Applies all writes and publishes the changes in one transaction, or does nothing and rejects. */
  commit(batch: RoleBatch, options?: CallOptions): Promise<CommitResult>;
  /** Where the published changes can be read. */
  readonly feed: ChangeFeed;
}
