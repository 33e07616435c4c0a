import {
  createFreshness,
  freezePrincipal,
  isAuthenticated,
  isSecurityError,
  noEvents,
  option,
  optionConflict,
  OptionError,
  readOptions,
  systemClock,
  systemRandom,
  type AnonymousPrincipal,
  type Clock,
  type Duration,
  type Events,
  type Freshness,
  type KeyValueStore,
  type Middleware,
  type Principal,
  type Random,
  type Secret,
  type SecurityError,
  type SecurityRequest,
} from '@portcullis/core';
import { createAdministration, type Administration } from './administration.js';
import { createAdminRouter, type AdminRouterOptions } from './admin-router.js';
import { createAuthzen, type AuthzenOptions } from './authzen.js';
import { authorityCheck, lastAdministratorCheck } from './authority.js';
import { Activations } from './activations.js';
import { delegated } from './delegated.js';
import type { GovernanceStore } from './governance-store.js';
import { createGovernance, type Governance } from './reviews.js';
import { UseLog } from './use-log.js';
import type { WriteCheck } from './write-check.js';
import { createCatalogue, type Catalogue, type Check } from './catalogue.js';
import { hideCause, type AskOptions, type Decision, type Subject } from './decision.js';
import { actorRules, checkDuties, dutyCheck, SOME_OBJECT, type ActorRules, type Duty } from './duties.js';
import { errors } from './error-codes.js';
import { createExplain, type Explanation } from './explain.js';
import { FactsCache, type Facts } from './facts.js';
import { createGuards, type Guards } from './guards.js';
import { createFields, type FieldRules, type Fields } from './fields.js';
import {
  isAllowed,
  judgeRole,
  makeEntry,
  plainly,
  rule,
  tenantsOf,
  unnamedTenant,
  type Moment,
  type Relation,
  type Ruling,
  type UserEntry,
  verdictOf,
} from './judge.js';
import { grammarHint, type Askable, type Permissions } from './permissions.js';
import type { CompiledPolicy } from './policy.js';
import {
  answer,
  relationOf,
  tenantFor,
  WRONG_TENANT,
  type Answer,
  type PermissionQuestion,
  type Question,
} from './question.js';
import { isUserId } from './records.js';
import { createRequireDecision } from './require-decision.js';
import { routeRules, showRoutes, type RouteOptions, type RouteRule } from './route-rules.js';
import { noRows, rowFilter, type RowFilter } from './row-filter.js';
import { SharedEntries } from './shared-entries.js';
import type { RoleDefinitions } from './role-definition.js';
import type { RoleStore } from './role-store.js';
import { EVERY_TENANT } from './tenant.js';
import { WallClock } from './wall-clock.js';

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
  /** What the subject may do now without owning anything, in order of declaration: for menus and buttons. */
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
   * itself, and emits `rbac.glass-broken`.
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

type DynamicDuty = Extract<Duty, { kind: 'dynamic' }>;

/** As `tenantFor()` finds it; false refuses. */
export type Tenant = string | undefined | false;

/** What guards, `decide()` and `explain()` share. */
export interface Engine {
  readonly catalogue: Catalogue;
  readonly facts: FactsCache;
  readonly events: Events;
  readonly challenge: string;
  /** Who asks is not what `req.security` says. */
  readonly ownPrincipal: boolean;
  readonly enforce: boolean;
  /** For entries in which nothing begins or ends the clock is not read. */
  moment(timed: boolean, tenant: string | undefined): Moment;
  questionOf(names: readonly string[], mode: 'any' | 'all'): PermissionQuestion;
  principalOf(req: SecurityRequest): Principal | undefined | Promise<Principal | undefined>;
  asPrincipal(subject: Subject): Principal | undefined;
  /** A user's entry that counts now with `facts.heldPolicy`; for roles from the store, and nothing is made for it. */
  entryNow(userId: string): UserEntry | undefined;
  /** Without waiting; undefined if something has to be read first. */
  factsNow(principal: Principal): Facts | undefined;
  factsOf(principal: Principal, fresh: boolean): Promise<Facts>;
  /** Who must not act; undefined if no duty asks. */
  readonly actors: ActorRules | undefined;
  /** Without the roles that the principal's session has not activated. */
  narrow(facts: Facts, principal: Principal): Facts | Promise<Facts>;
  judge(
    principal: Principal,
    facts: Facts,
    question: Question,
    relation: Relation,
    tenant: Tenant,
    object?: unknown,
  ): Answer;
  conclude(
    principal: Principal,
    facts: Facts,
    question: Question,
    relation: Relation,
    tenant: Tenant,
    object?: unknown,
  ): Decision;
  /** The decision of a ruling that allows, from memory. */
  granted(
    asked: string,
    check: Check,
    policy: CompiledPolicy,
    entry: UserEntry,
    ruling: Ruling,
    principalId: string,
    tenant: string | undefined,
    method: string | undefined,
  ): Decision;
  /** Notes that a permission was used; undefined where nobody asks. */
  readonly used: ((userId: string, permission: string) => void) | undefined;
  /** Tells that somebody passed as a superuser. */
  passed(decision: Decision, requestId?: string): void;
  refusal(
    question: { readonly text: string },
    reason: Decision['reason'],
    principal?: Principal,
    cause?: unknown,
  ): Decision;
  errorOf(decision: Decision): SecurityError;
}

/**
 * Role-based access control: "may this principal do this to that?", from memory while the lease on the change feed
 * shows that nothing was revoked, from the store otherwise, and refused with 503 if neither can be had.
 * @throws OptionError
 */
export function createRbac<Name extends string, const Role extends string = string>(
  options: RbacOptions<Name, Role>,
): Rbac<Name, Role> {
  const given = readOptions('createRbac', options, {
    permissions: option.port<Permissions<Name>>(['has', 'indexOf']),
    store: option.port<RoleStore>(['load', 'commit']),
    roles: option.optional((value) => value as RoleDefinitions<Name, Role>),
    freshness: option.optional(option.port<Freshness>(['current', 'ensure', 'changedAt', 'onChanges'])),
    principal: option.optional(option.fn<PrincipalOf>()),
    rolesFrom: option.oneOf(['store', 'principal'], 'store'),
    onStoreDown: readOnStoreDown,
    l2: option.optional(
      option.group({
        store: option.port<KeyValueStore>(['get', 'set']),
        secret: option.secret({ minBytes: 32 }),
        ttlMs: option.duration({ minMs: 1000, maxMs: 3_600_000, default: '30s' }),
      }),
    ),
    duties: option.optional((value) => value as readonly Duty[]),
    activations: option.optional(option.port<KeyValueStore>(['get', 'swap', 'delete'])),
    governance: option.optional(option.port<GovernanceStore>(['putReview', 'review', 'noteUses', 'uses'])),
    lastSeen: option.optional(
      option.fn<(userIds: readonly string[]) => Promise<ReadonlyMap<string, number>>>(),
    ),
    breakGlass: option.optional(
      option.group({
        role: option.string({ max: 100 }),
        maxMs: option.duration({ minMs: 60_000, maxMs: 86_400_000, default: '1h' }),
      }),
    ),
    deadlineMs: option.duration({ minMs: 10, maxMs: 60_000, default: 1_000 }),
    writeDeadlineMs: option.duration({ minMs: 10, maxMs: 600_000, default: 5_000 }),
    maxUsers: option.integer({ min: 1, max: 10_000_000, default: 100_000 }),
    enforce: option.boolean(true),
    challenge: option.string({ max: 200, pattern: /^[\x20-\x7e]+$/, default: 'Bearer' }),
    clock: option.port<Clock>(['now', 'monotonic'], systemClock),
    random: option.port<Random>(['uuid'], systemRandom),
    events: option.port<Events>(['emit'], noEvents),
  });
  const { store, clock, events } = given;
  const catalogue = createCatalogue(given.permissions);
  const freshness = given.freshness ?? createFreshness({ feed: store.feed, clock, events });
  if (given.l2 && store.feed.synchronous) {
    optionConflict('createRbac', 'l2', 'the store is of one process, which has its own memory; leave l2 out');
  }
  const shared =
    given.l2 &&
    new SharedEntries({
      store: given.l2.store,
      key: given.l2.secret.reveal(),
      ttlMs: given.l2.ttlMs,
      freshness,
      clock,
      events,
    });
  const facts = new FactsCache({
    catalogue,
    store,
    freshness,
    clock,
    events,
    deadlineMs: given.deadlineMs,
    maxUsers: given.maxUsers,
    graceMs: given.onStoreDown,
    shared,
  });
  const duties = checkDuties(given.duties ?? [], catalogue, given.roles);
  const actors = actorRules(duties, catalogue);
  const dynamic = duties.filter(({ kind }) => kind === 'dynamic').map((duty) => (duty as DynamicDuty).roles);
  if (dynamic.length > 0 && !given.activations) {
    const problem = 'dynamicSeparation() needs activations: a store that all processes share';
    throw new OptionError('E_OPTION_REQUIRED', 'createRbac', 'activations', problem);
  }
  const activations = dynamic.length > 0 ? new Activations(given.activations!, dynamic) : undefined;
  const uses = given.governance && new UseLog(given.governance, clock, events);
  const wallClock = new WallClock(clock);
  const stored = given.rolesFrom === 'store';
  const entryNow = (userId: string): UserEntry | undefined => {
    const entry = stored ? facts.entryNow(userId) : undefined;
    return entry && activations?.concerns(facts.heldPolicy, entry) ? undefined : entry;
  };

  const engine: Engine = {
    catalogue,
    facts,
    events,
    challenge: given.challenge,
    ownPrincipal: given.principal !== undefined,
    enforce: given.enforce,
    used: uses && ((userId, permission) => uses.note(userId, permission)),
    moment(timed, tenant) {
      if (!timed) return tenant === undefined ? ANYTIME : { tenant, now: 0, latest: 0 };
      const { now, latest } = wallClock.read();
      return { tenant, now, latest };
    },
    questionOf(names, mode) {
      const checks = names.map((name) => {
        const check = typeof name === 'string' ? catalogue.check(name) : undefined;
        if (!check) throw unknownPermission(catalogue, name);
        return check;
      });
      const text = names.length === 1 ? names[0]! : `${mode} of ${names.join(', ')}`;
      return { kind: 'permission', text, mode, checks };
    },
    principalOf(req) {
      if (!given.principal) return usable(req.security?.principal);
      const found = given.principal(req);
      return isThenable(found) ? Promise.resolve(found).then(usable) : usable(found);
    },
    asPrincipal(subject) {
      if (typeof subject !== 'string') return usable(subject);
      if (!isUserId(subject)) throw errors.E_PRINCIPAL_INVALID();
      return { id: subject, kind: 'user' };
    },
    entryNow,
    factsNow(principal) {
      if (stored) {
        const found = facts.now(principal.id);
        return found && activations?.concerns(found.policy, found.entry) ? undefined : found;
      }
      const policy = facts.policyNow();
      return policy && fromPrincipal(catalogue, principal, policy, 'cache');
    },
    async factsOf(principal, fresh) {
      if (stored) {
        return engine.narrow(await (fresh ? facts.fresh(principal.id) : facts.get(principal.id)), principal);
      }
      return fromPrincipal(catalogue, principal, await facts.policy(), 'store');
    },
    actors,
    narrow: (found, principal) => (activations ? activations.narrow(found, principal) : found),
    judge(principal, { policy, entry }, question, relation, tenant, object) {
      if (tenant === false) return WRONG_TENANT;
      const moment = engine.moment(entry.timed, tenant);
      return answer(catalogue, policy, entry, question, relation, moment, principal, actors, object);
    },
    conclude(principal, found, question, relation, tenant, object) {
      const judged = engine.judge(principal, found, question, relation, tenant, object);
      const { allowed, reason, by, permission } = judged;
      return {
        allowed,
        asked: question.text,
        reason,
        by,
        permission,
        principalId: principal.id,
        tenant: tenant === false ? undefined : tenant,
        revision: freshness.revision,
        source: given.rolesFrom === 'principal' ? 'principal' : found.source,
      };
    },
    granted(asked, check, policy, entry, ruling, principalId, tenant, method) {
      const { reason, by } = verdictOf(policy, entry, ruling);
      return {
        allowed: true,
        asked,
        reason,
        by,
        permission: check.name,
        principalId,
        tenant,
        method,
        revision: freshness.revision,
        source: 'cache',
      };
    },
    passed({ reason, asked, by = '', principalId = '', tenant }, requestId) {
      if (reason !== 'superuser') return;
      events.emit({
        type: 'rbac.superuser-used',
        asked,
        by,
        principalId,
        ...(tenant === undefined ? {} : { tenant }),
        ...(requestId === undefined ? {} : { requestId }),
      });
    },
    refusal(question, reason, principal, cause) {
      const decision: Decision = {
        allowed: false,
        asked: question.text,
        reason,
        ...(principal ? { principalId: principal.id } : {}),
        revision: freshness.revision,
        source: 'none',
      };
      if (cause !== undefined) hideCause(decision, cause);
      return decision;
    },
    errorOf(decision) {
      if (decision.reason === 'unavailable' && isSecurityError(decision.cause)) return decision.cause;
      if (decision.reason === 'unavailable') return errors.E_ROLES_UNAVAILABLE({ cause: decision.cause });
      if (decision.reason === 'anonymous') {
        return errors.E_SIGN_IN_REQUIRED({
          details: { decision },
          headers: { 'WWW-Authenticate': given.challenge },
        });
      }
      return errors.E_PERMISSION_DENIED({ details: { decision } });
    },
  };

  const questions = new Map<string, PermissionQuestion>();
  const questionFor = (permission: string): PermissionQuestion => {
    let question = questions.get(permission);
    // As many as there are names: unknown ones throw.
    if (!question) questions.set(permission, (question = engine.questionOf([permission], 'all')));
    return question;
  };

  async function decide(subject: Subject, permission: string, about: AskOptions = {}): Promise<Decision> {
    const question = questionFor(permission);
    const principal = engine.asPrincipal(subject);
    if (!principal) return engine.refusal(question, 'anonymous');
    try {
      const found =
        (about.fresh ? undefined : engine.factsNow(principal)) ??
        (await engine.factsOf(principal, about.fresh === true));
      const relation = relationOf(about.owner, principal.id);
      return engine.conclude(principal, found, question, relation, tenantFor(principal, about), about.object);
    } catch (error) {
      return engine.refusal(question, 'unavailable', principal, error);
    }
  }

  const activationsFor = (): Activations => {
    if (activations) return activations;
    throw errors.E_ROLE_UNKNOWN({ message: 'No dynamic separation names this role.' });
  };

  const answers = { yes: Promise.resolve(true), no: Promise.resolve(false) };

  /** With the facts in memory there is nothing to wait for, and nothing to be made. */
  function can(subject: Subject, permission: string, about: AskOptions = NOTHING): Promise<boolean> {
    try {
      const entry = about === NOTHING && typeof subject === 'string' ? entryNow(subject) : undefined;
      if (entry !== undefined && actors === undefined) {
        const id = catalogue.direct(permission);
        const plain = id < 0 ? undefined : plainly(facts.heldPolicy, entry, id);
        if (plain !== undefined) return plain ? answers.yes : answers.no;
        const check = catalogue.check(permission);
        if (check !== undefined) {
          const moment = entry.timed ? engine.moment(true, undefined) : ANYTIME;
          const ruling = rule(facts.heldPolicy, entry, check, 'unknown', moment);
          return isAllowed(ruling) ? answers.yes : answers.no;
        }
      }
      const question = questionFor(permission);
      const principal = engine.asPrincipal(subject);
      if (!principal) return answers.no;
      const found = about.fresh ? undefined : engine.factsNow(principal);
      if (!found) return decide(subject, permission, about).then(({ allowed }) => allowed);
      const relation = relationOf(about.owner, principal.id);
      const place = tenantFor(principal, about);
      const { allowed } = engine.judge(principal, found, question, relation, place, about.object);
      return allowed ? answers.yes : answers.no;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  const dutyChecks = [dutyCheck(duties, catalogue, clock)].filter((check) => check !== undefined);
  const administrationWith = (checks: readonly WriteCheck[]): Administration<string, string> =>
    createAdministration<string, string>({
      store,
      catalogue,
      facts,
      freshness,
      clock,
      events,
      declared: given.roles,
      writeDeadlineMs: given.writeDeadlineMs,
      checks,
    });
  const administration = administrationWith(dutyChecks);
  const governance = createGovernance({
    store,
    kept: given.governance,
    flush: async () => uses?.flush(),
    lastSeen: given.lastSeen,
    administration,
    catalogue,
    clock,
    random: given.random,
    events,
    deadlineMs: given.writeDeadlineMs,
  });
  /** For this package's own routes and functions: they exist where their permissions are declared. */
  const ownPermission = (owner: string, ...names: readonly string[]): void => {
    const missing = names.find((name) => catalogue.idOf(name) === undefined);
    if (missing === undefined) return;
    const problem = `${owner}() asks for "${missing}": spread rbacPermissions into definePermissions()`;
    throw new OptionError('E_OPTION_REQUIRED', owner, 'permissions', problem);
  };
  const need = async (subject: Subject, permission: string): Promise<Decision> => {
    const decision = await decide(subject, permission);
    engine.passed(decision);
    if (decision.allowed) return decision;
    const { asked, reason, principalId } = decision;
    events.emit({
      type: 'rbac.denied',
      asked,
      reason,
      ...(principalId === undefined ? {} : { principalId }),
    });
    throw engine.errorOf(decision);
  };
  const onBehalfOf = (principal: Principal): Administration<string, string> =>
    delegated(
      administrationWith([
        ...dutyChecks,
        authorityCheck({ catalogue, facts, moment: engine.moment }, principal),
        lastAdministratorCheck(() => clock.now()),
      ]),
      principal,
      need,
    );

  return {
    ...createGuards<Name, Role>(engine, given.roles),
    ...(administration as unknown as Administration<Name, Role>),
    ...governance,
    decide,
    can,
    async require(subject, permission, about) {
      const decision = await decide(subject, permission, about);
      engine.passed(decision);
      if (decision.allowed) {
        if (decision.principalId !== undefined) engine.used?.(decision.principalId, permission);
        return decision;
      }
      events.emit({
        type: 'rbac.denied',
        asked: decision.asked,
        reason: decision.reason,
        ...(decision.principalId === undefined ? {} : { principalId: decision.principalId }),
      });
      throw engine.errorOf(decision);
    },
    onBehalfOf: (principal) => {
      ownPermission('onBehalfOf', 'rbac:read', 'rbac:grant', 'rbac:define');
      return onBehalfOf(principal);
    },
    adminRouter(about = {}) {
      const { record } = readOptions('adminRouter', about, {
        record: option.optional(option.fn<NonNullable<AdminRouterOptions['record']>>()),
      });
      ownPermission('adminRouter', 'rbac:read', 'rbac:grant', 'rbac:define', 'rbac:review');
      return createAdminRouter(
        {
          events,
          catalogue,
          governance,
          principalOf: engine.principalOf,
          require: need,
          as: onBehalfOf,
        },
        record,
      );
    },
    authzen(about = {}) {
      ownPermission('authzen', 'rbac:evaluate');
      return createAuthzen(
        {
          events,
          principalOf: engine.principalOf,
          require: need,
          isKnown: (name) => catalogue.check(name) !== undefined,
          decide,
        },
        readOptions('authzen', about, {
          permission: option.optional(option.fn<NonNullable<AuthzenOptions['permission']>>()),
          about: option.optional(option.fn<NonNullable<AuthzenOptions['about']>>()),
          user: option.optional(option.fn<NonNullable<AuthzenOptions['user']>>()),
          maxEvaluations: option.integer({ min: 1, max: 1000, default: 100 }),
        }),
      );
    },
    async breakGlass(principal, { reason, forMs }) {
      ownPermission('breakGlass', 'rbac:break-glass');
      const glass = given.breakGlass;
      if (!glass) throw errors.E_BREAK_GLASS({ message: 'There is no role for emergencies.' });
      if (typeof reason !== 'string' || reason.trim().length < 10) {
        throw errors.E_BREAK_GLASS({ message: 'Say why, in at least ten characters: people will read it.' });
      }
      if (!(Number.isInteger(forMs) && forMs >= 1 && forMs <= glass.maxMs)) {
        throw errors.E_BREAK_GLASS({ message: `Emergency access ends after at most ${glass.maxMs} ms.` });
      }
      await need(principal, 'rbac:break-glass');
      const until = clock.now() + forMs;
      const place = principal.tenant === undefined ? {} : { tenant: principal.tenant };
      const { revision } = await administration.grantRole(principal, principal.id, glass.role, {
        ...place,
        until,
        reason,
      });
      events.emit({
        type: 'rbac.glass-broken',
        userId: principal.id,
        role: glass.role,
        reason,
        until,
        revision,
      });
      return { revision, until };
    },
    explain: createExplain(engine, given.rolesFrom),
    async where(subject, permission) {
      const question = questionFor(permission);
      const principal = engine.asPrincipal(subject);
      if (!principal) return noRows;
      const found = engine.factsNow(principal) ?? (await engine.factsOf(principal, false));
      if (question.checks.some((check) => actors?.(check))) {
        const problem = `who has acted on a row is not for a filter: "${permission}" is subject to differentActor()`;
        optionConflict('where', 'permission', problem);
      }
      const named = tenantsOf(found.entry);
      const elsewhere = unnamedTenant(named);
      return rowFilter({
        principalId: principal.id,
        tenant: principal.tenant,
        tenants: [...named],
        allows: (relation, tenant) =>
          engine.judge(principal, found, question, relation, tenant === false ? elsewhere : tenant).allowed,
      });
    },
    fields: (rules) =>
      createFields(rules, {
        decide,
        errorOf: engine.errorOf,
        check: (name) => questionFor(name),
      }),
    async permissionsOf(subject) {
      const principal = engine.asPrincipal(subject);
      if (!principal) return [];
      const found = engine.factsNow(principal) ?? (await engine.factsOf(principal, false));
      return given.permissions.names.filter(
        (name) =>
          engine.judge(principal, found, questionFor(name), 'unknown', principal.tenant, SOME_OBJECT).allowed,
      );
    },
    async activateRole(principal, role) {
      const { policy, entry } = await facts.get(principal.id);
      const held = judgeRole(policy, entry, role, engine.moment(entry.timed, principal.tenant));
      if (!held.allowed) {
        throw engine.errorOf(engine.refusal({ text: `role ${role}` }, held.reason, principal));
      }
      await activationsFor().activate(principal, role);
    },
    dropRole: async (principal, role) => activationsFor().drop(principal, role),
    requireDecision: () => createRequireDecision(events, given.enforce),
    seal(app, { unguarded = 'throw', ...about } = {}) {
      const rules = routeRules(app, about);
      const open = rules.filter((each) => each.unguarded);
      if (open.length === 0 || unguarded === 'report') return rules;
      throw errors.E_ROUTE_UNGUARDED({
        message: `Nothing guards:\n${showRoutes(open)}\nAdd a guard, public('why'), or for middleware that never answers by itself passes: [...].`,
      });
    },
    async ready() {
      await facts.policy();
    },
    async close() {
      await uses?.flush();
      facts.stop();
      if (!given.freshness) await freshness.stop();
    },
  };
}

const NOTHING: AskOptions = Object.freeze({});
const ANYTIME: Moment = Object.freeze({ tenant: undefined, now: 0, latest: 0 });

function unknownPermission(catalogue: Catalogue, name: unknown): SecurityError {
  const hint = typeof name === 'string' ? grammarHint(name, catalogue.names) : 'is not a string';
  // 500: it is the program that asks a question without meaning, not the client.
  return errors.E_PERMISSION_UNKNOWN({
    status: 500,
    message: `There is no permission ${JSON.stringify(String(name).slice(0, 80))}: it ${hint}.`,
  });
}

function usable(principal: Principal | AnonymousPrincipal | undefined): Principal | undefined {
  if (!isAuthenticated(principal)) return undefined;
  if (!isUserId(principal.id)) throw errors.E_PRINCIPAL_INVALID();
  return Object.isFrozen(principal) ? principal : freezePrincipal(principal);
}

function fromPrincipal(
  catalogue: Catalogue,
  principal: Principal,
  policy: CompiledPolicy,
  source: Facts['source'],
): Facts {
  // In every tenant: of which one the credential is, was asked before. Roles that there are not get no number.
  const roles = (principal.roles ?? [])
    .filter((role) => policy.ids.find(role) !== undefined)
    .map((role) => ({ role, tenant: EVERY_TENANT, grantedBy: 'credential', grantedAt: 0 }));
  const entry = makeEntry(catalogue, { active: true, roles, rules: [] }, policy.changedAt, policy.ids);
  return { policy, entry, source };
}

function readOnStoreDown(value: unknown, owner: string, path: string): number {
  if (value === undefined || value === 'deny') return 0;
  if (typeof value !== 'object' || value === null) {
    throw new OptionError('E_OPTION_VALUE', owner, path, `${path} must be "deny" or { graceMs }`);
  }
  return readOptions(owner, value, { graceMs: option.duration({ minMs: 1, maxMs: 3_600_000 }) }, path)
    .graceMs;
}

function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof (value as { then?: unknown } | undefined)?.then === 'function';
}
