import type { SecurityEventType } from '@portcullis/core';

declare module '@portcullis/core' {
  interface SecurityEvents {
    /** A guard or `require()` refused. */
    'rbac.denied': {
      readonly asked: string;
      readonly reason: string;
      readonly principalId?: string;
      readonly requestId?: string;
    };
    /** A guard or `require()` let somebody pass whom nothing but a grant of everything (`**`) allows it. */
    'rbac.superuser-used': {
      readonly asked: string;
      readonly by: string;
      readonly principalId: string;
      readonly tenant?: string;
      readonly requestId?: string;
    };
    /** A user was given a role or a permission, or was denied one. */
    'rbac.granted': {
      readonly actor: string;
      readonly userId: string;
      readonly what: string;
      readonly tenant?: string;
      readonly until?: number;
      readonly revision: number;
    };
    'rbac.revoked': {
      readonly actor: string;
      readonly userId: string;
      readonly what: string;
      readonly tenant?: string;
      readonly revision: number;
    };
    /** Roles or permissions themselves were changed. */
    'rbac.policy-changed': { readonly actor: string; readonly what: string; readonly revision: number };
    'rbac.user-switched': {
      readonly actor: string;
      readonly userId: string;
      readonly active: boolean;
      readonly revision: number;
    };
    /** The store holds grants that this version of the app does not declare; they grant nothing here. */
    'rbac.grants-ignored': { readonly permissions: readonly string[] };
    /** What `l2` answered was not written by this app for this user; it was ignored. */
    'rbac.cache-forged': { readonly userId: string };
    /** `requireDecision()` withheld an answer, or would have with `enforce: false`. */
    'rbac.decision-missed': {
      readonly method: string;
      readonly path: string;
      readonly missing: 'decision' | 'allowed-decision' | 'decision-of-this-method';
      readonly requestId?: string;
    };
    /** With `enforce: false` a guard let pass what it would have refused. */
    'rbac.refusal-spared': {
      readonly asked: string;
      readonly reason: string;
      readonly principalId?: string;
      readonly requestId?: string;
    };
    /** Somebody took emergency access: to be looked at by people, at once. */
    'rbac.glass-broken': {
      readonly userId: string;
      readonly role: string;
      readonly reason: string;
      readonly until: number;
      readonly revision: number;
    };
    'rbac.review-opened': {
      readonly actor: string;
      readonly review: string;
      readonly items: number;
      readonly dueAt: number;
    };
    /** `evidence` is the last hash of its evidence pack: keep it where the pack is not. */
    'rbac.review-closed': { readonly actor: string; readonly review: string; readonly evidence: string };
    /** The lease has ended and `onStoreDown: { graceMs }` let a cached fact count. */
    'rbac.grace-used': { readonly overMs: number };
  }
}
/** Every event that this package emits. */
export type RbacEventType = Extract<SecurityEventType, `rbac.${string}`>;
