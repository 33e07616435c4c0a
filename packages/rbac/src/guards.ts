import {
  ALLOW,
  ensureContext,
  guard,
  hasCode,
  nearest,
  OptionError,
  option,
  readOptions,
  type Allow,
  type AuthorizationFacts,
  type Middleware,
  type Principal,
  type SecurityContext,
  type SecurityRequest,
} from '@portcullis/core';
import type { Check } from './catalogue.js';
import { hideCause, type Decision } from './decision.js';
import { SOME_OBJECT } from './duties.js';
import { errors } from './error-codes.js';
import type { Facts } from './facts.js';
import { isPlain, rule, tenantsOf, unnamedTenant, type Relation } from './judge.js';
import { grammarHint, type Askable } from './permissions.js';
import { relationOf, tenantFor, type Question } from './question.js';
import type { Engine, Tenant } from './engine.js';
import { isRoleName } from './records.js';
import type { RoleDefinitions } from './role-definition.js';

/** `req` may be declared as Express's own `Request`. */
export interface GuardRuleOptions<T = unknown> {
  /**
   * Loads the object that is asked for. Nothing found (`undefined`, `null`) is a 404. What it gives is judged, and
   * the handler receives that very object as `req.security.resource`. It is not called for those whom no owner
   * could make allowed.
   */
  object?(req: SecurityRequest): T | undefined | null | Promise<T | undefined | null>;
  /**
   * Id of the object's owner (without `object`, of what the request is about); for permissions of one's own. Only a
   * string that is exactly the principal's id counts.
   */
  owner?(object: T, req: SecurityRequest): unknown;
  /**
   * Id of the tenant that it is about (without `object`, that the request is about). Not a non-empty string, or another one
   * than that of the credential, it refuses. @default the principal's own tenant
   */
  tenant?(object: T, req: SecurityRequest): unknown;
  /** Answer 404 instead of 403, the same as for what does not exist. @default false */
  readonly hide?: boolean;
  /** Read the user's grants from the store for every request of this route. @default false */
  readonly fresh?: boolean;
}

export interface Guards<Name extends string, Role extends string> {
  /** Lets pass who has the permission; else 401 (anonymous), 403, 404 (`hide`) or 503 (it cannot be found out). */
  requirePermission<T = unknown>(permission: Askable<Name>, options?: GuardRuleOptions<T>): Middleware;
  /** Lets pass who has at least one of the permissions. */
  requireAnyPermission(...permissions: readonly Askable<Name>[]): Middleware;
  requireAnyPermission<T = unknown>(
    permissions: readonly Askable<Name>[],
    options?: GuardRuleOptions<T>,
  ): Middleware;
  /** Lets pass who has all of the permissions. */
  requireAllPermissions(...permissions: readonly Askable<Name>[]): Middleware;
  requireAllPermissions<T = unknown>(
    permissions: readonly Askable<Name>[],
    options?: GuardRuleOptions<T>,
  ): Middleware;
  /** Lets pass who has at least one of the roles, directly or by inheritance. Prefer permissions: roles change. */
  requireRole(...roles: readonly Role[]): Middleware;
  /** Marks a route as open to everybody, with the reason for those who read the floor plan. */
  public(reason: string): Middleware;
}

/** @throws OptionError while a guard is built: unknown names with the near miss, empty lists, `:own` without owner */
export function createGuards<Name extends string, Role extends string>(
  engine: Engine,
  declared: RoleDefinitions | undefined,
): Guards<Name, Role> {
  const permissionGuard = (name: string, mode: 'any' | 'all', args: readonly unknown[]): Middleware => {
    const listed = Array.isArray(args[0]);
    const names = (listed ? args[0] : args) as readonly unknown[];
    const options = readRuleOptions(name, listed ? args[1] : undefined);
    return enforce(engine, name, compile(engine, name, names, mode, options), options);
  };

  return {
    requirePermission(permission, options) {
      return permissionGuard('requirePermission', 'all', [[permission], options]);
    },
    requireAnyPermission: (...args: readonly unknown[]) =>
      permissionGuard('requireAnyPermission', 'any', args),
    requireAllPermissions: (...args: readonly unknown[]) =>
      permissionGuard('requireAllPermissions', 'all', args),
    requireRole(...roles) {
      if (roles.length === 0)
        throw new OptionError('E_OPTION_REQUIRED', 'requireRole', 'role', 'name a role');
      for (const role of roles) checkRole(role, declared);
      const text = `role ${roles.join(' or ')}`;
      return enforce(engine, 'requireRole', { kind: 'role', text, roles }, NO_OPTIONS);
    },
    public(reason) {
      if (typeof reason !== 'string' || reason.trim() === '') {
        throw new OptionError(
          'E_OPTION_REQUIRED',
          'public',
          'reason',
          'say why the route is open to everybody',
        );
      }
      const asked = `public: ${reason}`;
      return guard('public', { stage: 'public', detail: reason, events: engine.events }, (req) => {
        const decision = engine.refusal({ text: asked }, 'public');
        ensureContext(req).decision = { ...decision, allowed: true, method: req.method };
        return ALLOW;
      });
    },
  };
}

type RuleOptions = ReturnType<typeof readRuleOptions>;

function readRuleOptions(owner: string, value: unknown) {
  return readOptions(owner, value, {
    object: option.optional(option.fn<(req: SecurityRequest) => unknown>()),
    owner: option.optional(option.fn<(object: unknown, req: SecurityRequest) => unknown>()),
    tenant: option.optional(option.fn<(object: unknown, req: SecurityRequest) => unknown>()),
    hide: option.boolean(false),
    fresh: option.boolean(false),
  });
}

const NO_OPTIONS: RuleOptions = Object.freeze({
  object: undefined,
  owner: undefined,
  tenant: undefined,
  hide: false,
  fresh: false,
});

function compile(
  engine: Engine,
  guardName: string,
  names: readonly unknown[],
  mode: 'any' | 'all',
  options: RuleOptions,
): Question {
  if (names.length === 0) {
    throw new OptionError('E_OPTION_REQUIRED', guardName, 'permissions', 'name at least one permission');
  }
  for (const name of names) {
    const check = typeof name === 'string' ? engine.catalogue.check(name) : undefined;
    if (check) {
      if (check.always.length === 0 && !options.owner) {
        const problem = `"${check.name}" is for one's own only: say whose the object is with owner`;
        throw new OptionError('E_OPTION_REQUIRED', guardName, 'owner', problem);
      }
      if (engine.actors?.(check) && !options.object) {
        const problem = `"${check.name}" is not for everybody who may: say which object with object, so that differentActor() can look`;
        throw new OptionError('E_OPTION_REQUIRED', guardName, 'object', problem);
      }
      continue;
    }
    const text = typeof name === 'string' ? name : typeof name;
    const wildcard = text.includes('*') ? 'patterns are for grants; a guard asks for one name' : undefined;
    const hint = wildcard ?? grammarHint(text, engine.catalogue.names);
    const problem = `there is no permission ${JSON.stringify(text.slice(0, 80))}: it ${hint}`;
    throw new OptionError(
      'E_OPTION_VALUE',
      guardName,
      'permission',
      wildcard ? problem.replace(': it ', ': ') : problem,
    );
  }
  return engine.questionOf(names as readonly string[], mode);
}

function checkRole(role: unknown, declared: RoleDefinitions | undefined): void {
  if (!isRoleName(role)) {
    throw new OptionError(
      'E_OPTION_VALUE',
      'requireRole',
      'role',
      'a role is 1 to 100 characters of A-Z a-z 0-9 _ . : -',
    );
  }
  if (!declared || Object.hasOwn(declared, role)) return;
  const near = nearest(role, Object.keys(declared));
  const hint = near ? ` Did you mean "${near}"?` : ` Declared: ${Object.keys(declared).join(', ')}.`;
  throw new OptionError('E_OPTION_VALUE', 'requireRole', 'role', `there is no role "${role}".${hint}`);
}

/** What the functions of a guard say about the object of a request. */
interface Looked {
  readonly found: unknown;
  readonly relation: Relation;
  readonly place: Tenant;
}

/** Turns a question into middleware. Without an object, and with the facts in memory, nothing is awaited. */
function enforce(engine: Engine, name: string, question: Question, options: RuleOptions): Middleware {
  const { object, owner, tenant, hide, fresh } = options;
  const facts = factsOf(question, object !== undefined || hide);
  const settings = { stage: 'authorize', detail: question.text, events: engine.events, facts } as const;

  // One permission, without an object, from the store: most guards.
  const only =
    question.kind === 'permission' && question.checks.length === 1 ? question.checks[0] : undefined;
  const plain = !object && !owner && !tenant && !fresh && !engine.ownPrincipal ? only : undefined;

  return guard(name, settings, (req): Allow | Promise<Allow> => {
    const decision = plain && req.security && atOnce(req.security, plain, req.method);
    if (decision) {
      if (engine.used) engine.used(decision.principalId!, question.text);
      req.security!.decision = decision;
      return ALLOW;
    }
    if (!engine.enforce) return spare(req);
    const principal = engine.principalOf(req);
    return isPromise(principal)
      ? principal.then(
          (found) => begin(req, found),
          (error: unknown) => late(req, undefined, error),
        )
      : begin(req, principal);
  });

  /** Nobody is refused: not even by what fails while the guard finds out. */
  async function spare(req: SecurityRequest): Promise<Allow> {
    try {
      return await begin(req, await engine.principalOf(req));
    } catch (error) {
      if (hasCode(error, 'E_RESOURCE_NOT_FOUND')) return ALLOW;
      return finish(req, engine.refusal(question, 'unavailable', undefined, error));
    }
  }

  /** Most requests: somebody whose grants are in memory and allow it plainly. Everything else takes the long way. */
  function atOnce(
    { principal }: SecurityContext,
    check: Check,
    method: string | undefined,
  ): Decision | undefined {
    const { id, tenant: place } = principal as Partial<Principal>;
    // What is not a usable id is nobody's in memory.
    const entry = (principal as Partial<Principal>).scopes === undefined ? engine.entryNow(id!) : undefined;
    if (entry === undefined || principal.kind === 'anonymous') return undefined;
    const policy = engine.facts.heldPolicy;
    const ruling = rule(policy, entry, check, 'unknown', engine.moment(entry.timed, place));
    return isPlain(ruling)
      ? engine.granted(question.text, check, policy, entry, ruling, id!, place, method)
      : undefined;
  }

  function begin(req: SecurityRequest, principal: Principal | undefined): Allow | Promise<Allow> {
    const context = ensureContext(req);
    if (!principal) return finish(req, engine.refusal(question, 'anonymous'));
    // What `principal:` found is who this request belongs to, for everything that comes later.
    if (context.principal.kind === 'anonymous') context.principal = principal;
    return object || owner || tenant
      ? judgeObject(req, principal)
      : withFacts(req, principal, (facts) =>
          finish(req, engine.conclude(principal, facts, question, 'unknown', principal.tenant)),
        );
  }

  async function judgeObject(req: SecurityRequest, principal: Principal): Promise<Allow> {
    // Whom not even ownership would help is refused before anything is loaded: no work, and no difference to see
    // between what exists and what does not.
    await withFacts(req, principal, (facts) => {
      const places = tenant && principal.tenant === undefined ? somewhere(facts) : [principal.tenant];
      const atBest = places.map((place) =>
        engine.conclude(principal, facts, question, 'own', place, SOME_OBJECT),
      );
      return atBest.some(({ allowed }) => allowed) ? ALLOW : finish(req, atBest[0]!);
    });
    let looked: Looked;
    try {
      looked = await engine.inTime(lookAt(req, principal));
    } catch (error) {
      return late(req, principal, error);
    }
    const { found, relation, place } = looked;
    // Asked again: loading takes time, and a revoke may have arrived meanwhile.
    return withFacts(req, principal, (facts) => {
      const allowed = finish(req, engine.conclude(principal, facts, question, relation, place, found));
      if (object) ensureContext(req).resource = found;
      return allowed;
    });
  }

  /** A function of the app did not answer in time; every other error of it is the app's. */
  function late(req: SecurityRequest, principal: Principal | undefined, error: unknown): Allow {
    if (!hasCode(error, 'E_ROLES_TIMEOUT')) throw error;
    return finish(req, engine.refusal(question, 'unavailable', principal, error));
  }

  async function lookAt(req: SecurityRequest, principal: Principal): Promise<Looked> {
    const found = object ? await object(req) : undefined;
    if (object && (found === undefined || found === null)) throw errors.E_RESOURCE_NOT_FOUND();
    const relation = owner ? relationOf(await owner(found, req), principal.id) : 'unknown';
    const place = tenantFor(principal, tenant ? { tenant: await tenant(found, req) } : {});
    return { found, relation, place };
  }

  function withFacts(
    req: SecurityRequest,
    principal: Principal,
    use: (facts: Facts) => Allow,
  ): Allow | Promise<Allow> {
    const ready = fresh ? undefined : engine.factsNow(principal);
    if (ready) return use(ready);
    return engine
      .factsOf(principal, fresh)
      .then(use, (error: unknown) => finish(req, engine.refusal(question, 'unavailable', principal, error)));
  }

  function finish(req: SecurityRequest, decision: Decision): Allow {
    const context = ensureContext(req);
    context.decision = { ...decision, method: req.method };
    if (decision.cause !== undefined) hideCause(context.decision, decision.cause);
    if (decision.allowed) {
      if (decision.permission !== undefined) engine.used?.(decision.principalId!, decision.permission);
      engine.passed(decision, context.requestId);
      return ALLOW;
    }
    engine.events.emit({
      type: engine.enforce ? 'rbac.denied' : 'rbac.refusal-spared',
      asked: decision.asked,
      reason: decision.reason,
      requestId: context.requestId,
      ...(decision.principalId === undefined ? {} : { principalId: decision.principalId }),
    });
    if (!engine.enforce) return ALLOW;
    const hidden = hide && decision.reason !== 'anonymous' && decision.reason !== 'unavailable';
    throw hidden ? errors.E_RESOURCE_NOT_FOUND({ details: { decision } }) : engine.errorOf(decision);
  }
}

function factsOf(question: Question, loads: boolean): AuthorizationFacts {
  const asked =
    question.kind === 'role'
      ? ({ asks: 'roles', names: question.roles, of: 'any' } as const)
      : ({ asks: 'permissions', names: question.checks.map(({ name }) => name), of: question.mode } as const);
  return { authorizes: { ...asked, loads } };
}

/** Every tenant that the user's grants name, and one that they do not, for those that count everywhere. */
function somewhere({ entry }: Facts): string[] {
  const named = tenantsOf(entry);
  return [...named, unnamedTenant(named)];
}

function isPromise<T>(value: T | Promise<T>): value is Promise<T> {
  return typeof (value as { then?: unknown } | undefined)?.then === 'function';
}
