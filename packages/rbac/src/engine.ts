import {
  createFreshness,
  freezePrincipal,
  isAuthenticated,
  isSecurityError,
  optionConflict,
  OptionError,
  within,
  type AnonymousPrincipal,
  type Events,
  type Freshness,
  type Principal,
  type SecurityError,
  type SecurityRequest,
} from '@portcullis/core';
import { Activations } from './activations.js';
import { createCatalogue, type Catalogue, type Check } from './catalogue.js';
import { hideCause, type Decision, type Subject } from './decision.js';
import { actorRules, checkDuties, type ActorRules, type Duty } from './duties.js';
import { errors } from './error-codes.js';
import { FactsCache, type Facts } from './facts.js';
import { makeEntry, verdictOf, type Moment, type Relation, type Ruling, type UserEntry } from './judge.js';
import { grammarHint } from './permissions.js';
import type { CompiledPolicy } from './policy.js';
import { answer, WRONG_TENANT, type Answer, type PermissionQuestion, type Question } from './question.js';
import type { RbacSettings } from './rbac-options.js';
import { isUserId } from './records.js';
import { SharedEntries } from './shared-entries.js';
import { EVERY_TENANT } from './tenant.js';
import { UseLog } from './use-log.js';
import { WallClock } from './wall-clock.js';

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
  /** What the app's own functions find out for a decision has to be there in time too: E_ROLES_TIMEOUT. */
  inTime<T>(work: Promise<T>): Promise<T>;
  refusal(
    question: { readonly text: string },
    reason: Decision['reason'],
    principal?: Principal,
    cause?: unknown,
  ): Decision;
  errorOf(decision: Decision): SecurityError;
}

/** The engine, and what else was made on the way. */
export interface Engineering {
  readonly engine: Engine;
  readonly freshness: Freshness;
  readonly duties: readonly Duty[];
  readonly activations: Activations | undefined;
  readonly uses: UseLog | undefined;
}

type DynamicDuty = Extract<Duty, { kind: 'dynamic' }>;

/** @throws OptionError for options that contradict each other */
export function createEngine(given: RbacSettings): Engineering {
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
      return isThenable(found) ? engine.inTime(Promise.resolve(found)).then(usable) : usable(found);
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
    inTime: (work) => within(work, given.deadlineMs, () => errors.E_ROLES_TIMEOUT()),
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
  return { engine, freshness, duties, activations, uses };
}

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

function isThenable<T>(value: T | PromiseLike<T>): value is PromiseLike<T> {
  return typeof (value as { then?: unknown } | undefined)?.then === 'function';
}
