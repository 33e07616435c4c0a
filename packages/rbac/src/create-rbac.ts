import { option, optionConflict, OptionError, readOptions, type Principal } from '@portcullis/core';
import type { Activations } from './activations.js';
import type { Administration } from './administration.js';
import { createAdminRouter, type AdminRouterOptions } from './admin-router.js';
import { createAsk } from './ask.js';
import { authorityCheck, lastAdministratorCheck } from './authority.js';
import { createAuthzen, type AuthzenOptions } from './authzen.js';
import { breakGlass } from './break-glass.js';
import { createAdministration } from './create-administration.js';
import type { Decision, Subject } from './decision.js';
import { delegated } from './delegated.js';
import { dutyCheck, SOME_OBJECT } from './duties.js';
import { checkDeclared } from './checked-input.js';
import { createEngine } from './engine.js';
import { errors } from './error-codes.js';
import { createExplain } from './explain.js';
import { createFields } from './fields.js';
import { createGuards } from './guards.js';
import { judgeRole, tenantsOf, unnamedTenant } from './judge.js';
import type { Rbac, RbacOptions } from './rbac.js';
import { readRbacOptions } from './rbac-options.js';
import { createRequireDecision } from './require-decision.js';
import { createGovernance } from './reviews.js';
import { readSealOptions, routeRules, showRoutes } from './route-rules.js';
import { noRows, rowFilter } from './row-filter.js';
import type { WriteCheck } from './write-check.js';

/**
 * Role-based access control: "may this principal do this to that?", from memory while the lease on the change feed
 * shows that nothing was revoked, from the store otherwise, and refused with 503 if neither can be had.
 * @throws OptionError
 */
export function createRbac<Name extends string, const Role extends string = string>(
  options: RbacOptions<Name, Role>,
): Rbac<Name, Role> {
  const given = readRbacOptions(options);
  const { store, clock, events } = given;
  const { engine, freshness, duties, activations, uses } = createEngine(given);
  const { actors, catalogue, facts } = engine;
  checkDeclared(catalogue, given.roles);
  const { questionFor, decide, can } = createAsk(engine);

  const activationsFor = (): Activations => {
    if (activations) return activations;
    throw errors.E_ROLE_UNKNOWN({ message: 'No dynamic separation names this role.' });
  };

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
    // People decide and suspend: the last administrator stays.
    administration: administrationWith([...dutyChecks, lastAdministratorCheck(() => clock.now())]),
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
        authorityCheck(
          { catalogue, facts, emergency: given.breakGlass?.role, moment: engine.moment },
          principal,
        ),
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
    async breakGlass(principal, about) {
      ownPermission('breakGlass', 'rbac:break-glass');
      return breakGlass({ glass: given.breakGlass, clock, events, need, administration }, principal, about);
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
      return given.permissions.names.filter((name) => {
        // What one may with one's own, one may: of which object is not asked here.
        const relation = name.endsWith(':own') ? 'own' : 'unknown';
        return engine.judge(principal, found, questionFor(name), relation, principal.tenant, SOME_OBJECT)
          .allowed;
      });
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
    seal(app, about) {
      const { passes, unguarded } = readSealOptions(about);
      const rules = routeRules(app, passes);
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
