import type {
  AnonymousPrincipal,
  Clock,
  Duration,
  Events,
  Freshness,
  KeyValueStore,
  Middleware,
  Principal,
  Random,
  Secret,
  SecurityRequest,
} from '@portcullis/core';
import type { Administration } from './administration.js';
import type { AdminRouterOptions } from './admin-router.js';
import type { AuthzenOptions } from './authzen.js';
import type { AskOptions, Decision, Subject } from './decision.js';
import type { Duty } from './duties.js';
import type { Explanation } from './explain.js';
import type { FieldRules, Fields } from './fields.js';
import type { GovernanceStore } from './governance-store.js';
import type { Guards } from './guards.js';
import type { Askable, Permissions } from './permissions.js';
import type { Governance } from './reviews.js';
import type { RoleDefinitions } from './role-definition.js';
import type { RoleStore } from './role-store.js';
import type { RouteOptions, RouteRule } from './route-rules.js';
import type { RowFilter } from './row-filter.js';

export type PrincipalOf = (
  req: SecurityRequest,
) => Principal | AnonymousPrincipal | undefined | Promise<Principal | AnonymousPrincipal | undefined>;

export interface RbacOptions<Name extends string, Role extends string = string> {
  /** From `definePermissions()`. */
  readonly permissions: Permissions<Name>;
  /** Where roles and grants are kept: `memoryRoles()`, `postgresRoles()`, or one of your own. */
  readonly store: RoleStore;
  /** Roles that the app counts on: typed names for guards, and what `seed()` writes. @default none */
  readonly roles?: RoleDefinitions<Name, Role>;
  /**
   * The process's lease on the change feed; share one with the other packages that read the same feed.
   * @default a new one on the store's feed, stopped by `close()`
   */
  readonly freshness?: Freshness;
  /** Who asks, where it is not `authenticate()` that says so; `req` may be
   * declared as Express's own `Request`. @default what is on `req.security.principal` */
  principal?(req: SecurityRequest): ReturnType<PrincipalOf>;
  /**
   * `'store'`: live grants, with the promise of freshness. `'principal'`: the roles that the credential carries; its user's
   * grants and denials in the store are not read, and a revoke counts when the credential ends. @default 'store'
   */
  readonly rolesFrom?: 'store' | 'principal';
  /**
   * When the store is down and the lease has ended: `'deny'` with 503, or go on with what is cached for at most
   * `graceMs` (up to 1 hour), in which revokes do not arrive. @default 'deny'
   */
  readonly onStoreDown?: 'deny' | { readonly graceMs: Duration };
  /**
   * A cache that processes share, such as `redisStore(client)` of core, to spare the store. It decides nothing: entries are
   * authenticated and count only if the change log shows that they are current, so it may be down, slow, rolled back or
   * written by others. Not for stores of one process (memory, PGlite). @default none
   */
  readonly l2?: SharedCacheOptions;
  /**
   * Separation of duties, cardinality, prerequisites: checked at every way in which a role is acquired (grants, edits of roles,
   * seeds), across processes; and who must not act on an object, at decisions. @default none
   */
  readonly duties?: readonly Duty[];
  /** Where sessions' active roles are kept, for `dynamicSeparation()`: shared by all processes. */
  readonly activations?: KeyValueStore;
  /** Where access reviews and the last use of permissions are kept; with it, uses are noted. @default none */
  readonly governance?: GovernanceStore;
  /** When users were last seen (signed in), for reviews and reports about inactive ones. @default by their uses alone */
  lastSeen?(userIds: readonly string[]): Promise<ReadonlyMap<string, number>>;
  /** The role that `breakGlass()` gives, and for how long at most (1 minute to 24 hours). @default none */
  readonly breakGlass?: { readonly role: string; readonly maxMs?: Duration };
  /** For one decision, reads included; then 503. 10 ms to 60 s. @default 1_000 */
  readonly deadlineMs?: Duration;
  /** For one administrative write, or an administrative read; then 503. 10 ms to 10 minutes. @default 5_000 */
  readonly writeDeadlineMs?: Duration;
  /** Users kept in memory; beyond it the oldest entry makes room. @default 100_000 */
  readonly maxUsers?: number;
  /**
   * False: guards and `requireDecision()` refuse nobody, and tell what they would have refused by events
   * (`rbac.refusal-spared`, `rbac.decision-missed`); for trying new rules beside old ones. `decide()`, `can()` and `require()`
   * answer as ever. @default true
   */
  readonly enforce?: boolean;
  /** `WWW-Authenticate` of a 401 (RFC 9110 section 11.6.1). @default 'Bearer' */
  readonly challenge?: string;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly events?: Events;
}

export interface SharedCacheOptions {
  readonly store: KeyValueStore;
  /** Of this app and database alone, at least 32 bytes; what is written with another one is ignored. */
  readonly secret: string | Secret<string>;
  /** How long an entry may lie there, 1 s to 1 hour. @default '30s' */
  readonly ttlMs?: Duration;
}

export interface Rbac<Name extends string = string, Role extends string = string>
  extends Guards<Name, Role>, Administration<Name, Role>, Governance {
  /**
   * The decision with its reason. Resolves whatever happens to the store: what cannot be found out is refused
   * with reason `unavailable`.
   * @throws E_PERMISSION_UNKNOWN for a name that was not declared
   */
  decide(subject: Subject, permission: Askable<Name>, options?: AskOptions): Promise<Decision>;
  /** Like {@link Rbac.decide}, as a boolean. */
  can(subject: Subject, permission: Askable<Name>, options?: AskOptions): Promise<boolean>;
  /**
   * For jobs, sockets and resolvers: resolves with the decision if it is allowed.
   * @throws E_SIGN_IN_REQUIRED, E_PERMISSION_DENIED, or why it cannot be found out (503)
   */
  require(subject: Subject, permission: Askable<Name>, options?: AskOptions): Promise<Decision>;
  /** Why, from the store's newest facts: what contributes, what does not, and what would change the answer. */
  explain(subject: Subject, permission: Askable<Name>, options?: AskOptions): Promise<Explanation>;
  /**
   * The rows of a table that the subject may, as a condition for a query that agrees with `can()` on every row.
   * Nobody signed in: no rows.
   * @throws why it cannot be found out (503)
   */
  where(subject: Subject, permission: Askable<Name>): Promise<RowFilter>;
  /** Rules for the fields of an object, compiled: which permission shows which. @throws OptionError, E_PERMISSION_UNKNOWN */
  fields(rules: FieldRules<Name>): Fields;
  /** What the subject may do now, `:own` with what is their own, in order of declaration: for menus and buttons. */
  permissionsOf(subject: Subject): Promise<Name[]>;
  /**
   * The administration as this principal may use it: each function asks for `rbac:grant`, `rbac:define` or `rbac:read`, nobody gives
   * what they do not hold (E_GRANT_BEYOND_OWN), and the last administrator stays (E_LAST_ADMINISTRATOR).
   * @throws OptionError unless `rbacPermissions` are declared
   */
  onBehalfOf(principal: Principal): Administration<Name, Role>;
  /** Middleware with `onBehalfOf()`, reviews and reports as a JSON API, which guards itself. @throws OptionError like it */
  adminRouter(options?: AdminRouterOptions): Middleware;
  /** Middleware that decides for others (OpenID AuthZEN Authorization API 1.0), for who is allowed `rbac:evaluate`. */
  authzen(options?: AuthzenOptions): Middleware;
  /**
   * Emergency access: gives the principal, who is allowed `rbac:break-glass`, the role of the option `breakGlass` until it ends by
   * itself, and emits `rbac.glass-broken`. What that role allows cannot be handed on by `onBehalfOf()` and `adminRouter()`.
   * @throws E_BREAK_GLASS without a reason of at least 10 characters, or for longer than `maxMs`
   */
  breakGlass(
    principal: Principal,
    options: { readonly reason: string; readonly forMs: number },
  ): Promise<{ readonly revision: number; readonly until: number }>;
  /**
   * Makes a role count in the principal's session, of those that `dynamicSeparation()` keeps apart.
   * @throws E_DUTY_CONFLICT if another of them is active there, E_PERMISSION_DENIED for who does not have the role
   */
  activateRole(principal: Principal, role: Role): Promise<void>;
  /** Ends it; then another one can be activated. */
  dropRole(principal: Principal, role: Role): Promise<void>;
  /**
   * Middleware for the beginning of the app: no 2xx or 3xx leaves without a decision that allows it, or `public('reason')`.
   * Preflights, redirects and whatever else a middleware made by core's `guard()` answers by itself is exempt, auth's routes too.
   */
  requireDecision(): Middleware;
  /**
   * Reads the routes of an Express 4 or 5 app and refuses those that nothing guards. Call it when all of them are there, before
   * the app listens; what is added later is not seen.
   * @returns the matrix of routes and rules; `showRoutes()` makes it text
   * @throws E_ROUTE_UNGUARDED with every such route and why, unless `unguarded: 'report'`
   */
  seal(app: unknown, options?: SealOptions): readonly RouteRule[];
  /** Resolves when roles have been read once; for readiness. @throws why they cannot be (503) */
  ready(): Promise<void>;
  /** Forgets everything cached and stops listening; stops the lease if it was made here. */
  close(): Promise<void>;
}

export interface SealOptions extends RouteOptions {
  /** `'report'`: they are in the matrix, marked. @default 'throw' */
  readonly unguarded?: 'throw' | 'report';
}
