// External oracle: the models, policies, questions and expected answers of casbin's own tests (see tooling/vectors). Every group of
// them is listed here: it is run, or it says why it does not apply.
import { describe, expect, test } from '@jest/globals';
import { vectorsDirectory } from '@portcullis/test-support';
import { readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { createRbac, definePermissions, memoryRoles, type Rbac } from '../src/index.js';

interface Group {
  readonly test: string;
  readonly model: string;
  readonly policy: string;
  readonly stage: number;
  /** Statements in Go that the test ran before the questions. */
  readonly mutations: readonly string[];
  readonly cases: readonly { readonly args: readonly string[]; readonly expect: boolean }[];
}

/** What a subject, a domain, an object and an action are in the arguments of a model that can be said in roles. */
const PLAIN: Readonly<Record<string, 'plain' | 'domains' | 'no objects' | 'root'>> = {
  'basic_model.conf': 'plain',
  'basic_model_without_spaces.conf': 'plain',
  'comment_model.conf': 'plain',
  'rbac_model.conf': 'plain',
  'rbac_model_in_multi_line.conf': 'plain',
  'rbac_with_deny_model.conf': 'plain',
  'rbac_with_domains_model.conf': 'domains',
  'basic_without_resources_model.conf': 'no objects',
  'basic_with_root_model.conf': 'root',
};

const MODELS_THAT_DO_NOT_APPLY: Readonly<Record<string, string>> = {
  'basic_without_users_model.conf': 'asks without a subject',
  'rbac_with_not_deny_model.conf': 'allows whatever nobody denies, the opposite of deny by default',
  'rbac_with_resource_roles_model.conf': "groups objects, which here are the app's business",
  'rbac_with_different_types_of_roles_model.conf': 'role links with conditions written in Go',
  'rbac_with_pattern_model.conf': 'matches objects by URL patterns, which this package refuses to read',
  'rbac_with_all_pattern_model.conf': 'matches roles and domains by patterns written in Go',
  'rbac_with_domain_pattern_model.conf': 'matches domains by patterns written in Go',
  'keymatch_model.conf': 'matches paths',
  'keymatch2_model.conf': 'matches paths',
  'keymatch_custom_model.conf': 'matches paths by a function written in Go',
  'keymatch_with_rbac_in_domain.conf': 'matches paths',
  'ipmatch_model.conf': 'matches addresses',
  'glob_model.conf': 'matches paths',
  'priority_model.conf': 'the first matching rule wins; here a denial overrides',
  'priority_model_explicit.conf': 'the rule of the highest priority wins; here a denial overrides',
  'eval_operator_model.conf': 'rules are expressions that are evaluated',
  'rbac_with_temporal_roles_model.conf': 'time as a function written in Go; here bounds of a grant',
  'rbac_with_domain_temporal_roles_model.conf': 'time as a function written in Go; here bounds of a grant',
  'rbac_with_domains_conditional_model.conf': 'role links with conditions written in Go',
  'rebac_model.conf': 'relations between objects',
  'orbac_model.conf': 'contexts, activities and views of OrBAC',
};

const GROUPS_THAT_DO_NOT_APPLY: readonly (readonly [test: RegExp, mutation: RegExp, reason: string])[] = [
  [/TestEnableEnforce/, /EnableEnforce/, 'enforcement is switched off while it runs'],
  [/TestEnableAutoSave/, /EnableAutoSave/, 'about when a file adapter saves'],
  [/TestSync/, /ClearPolicy/, 'a timer loads the file again, after it was cleared'],
  [/TestGetAndSetModel/, /./, 'exchanges the matcher while it runs'],
  [/TestGetAndSetModel/, /^$/, 'the model is that of the exchange, the answers are from before it'],
  [/TestRBACModelWithCustomRoleManager/, /SetRoleManager/, 'a role manager written in Go'],
  [/./, /\($|\{$/, 'the arguments of a statement are not in the extraction'],
];

function reasonAgainst(group: Group): string | undefined {
  const byModel = MODELS_THAT_DO_NOT_APPLY[basename(group.model)];
  const text = group.mutations.join('\n');
  return (
    byModel ??
    GROUPS_THAT_DO_NOT_APPLY.find(
      ([name, mutation]) =>
        name.test(group.test) &&
        (group.mutations.length === 0
          ? mutation.test('')
          : group.mutations.some((each) => mutation.test(each))),
    )?.[2] ??
    (text.includes('AddPermissionsForUser("jack",') && group.cases.some(({ args }) => args[0] === 'jack')
      ? 'the arguments of a statement are not in the extraction'
      : undefined)
  );
}

const folder = vectorsDirectory('rbac', 'casbin/expected.json', 'casbin/examples');
const external = folder === undefined ? test.skip : test;
const groups = (): readonly Group[] =>
  JSON.parse(readFileSync(join(folder!, 'casbin/expected.json'), 'utf8')) as Group[];

interface Line {
  readonly kind: string;
  readonly cells: readonly string[];
}

function linesOf({ policy }: Group): readonly Line[] {
  return readFileSync(join(folder!, 'casbin', policy), 'utf8')
    .split('\n')
    .map((line) => line.split(',').map((cell) => cell.trim()))
    .filter(([kind]) => kind === 'p' || kind === 'g')
    .map(([kind, ...cells]) => ({ kind: kind!, cells }));
}

const strings = (statement: string): string[] =>
  [...statement.matchAll(/"([^"]*)"/g)].map(([, text]) => text!);

/** A group in the words of this package: users, roles, grants and tenants. */
async function build(group: Group) {
  const how = PLAIN[basename(group.model)]!;
  const lines = linesOf(group);
  const split = (cells: readonly string[]) => {
    const [subject = '', ...rest] = cells;
    const domain = how === 'domains' ? rest.shift() : undefined;
    const [object, action] = how === 'no objects' ? ['anything', rest[0]!] : [rest[0]!, rest[1]!];
    return { subject, domain, permission: `${object}:${action}`, effect: rest[how === 'no objects' ? 1 : 2] };
  };
  const rules = lines.filter(({ kind }) => kind === 'p').map(({ cells }) => split(cells));
  const links = lines.filter(({ kind }) => kind === 'g').map(({ cells }) => cells);
  const roleName = (name: string, domain?: string): string =>
    domain === undefined ? name : `${name}.${domain}`;
  const names = new Set([
    ...links.map(([, parent, domain]) => roleName(parent!, how === 'domains' ? domain : undefined)),
    ...group.mutations
      .filter((each) => /RoleForUser|RolesForUser|GroupingPolicy/.test(each))
      .flatMap((each) => strings(each).slice(1, /Grouping/.test(each) ? 2 : undefined)),
  ]);
  const declared: Record<string, string[]> = {};
  for (const { permission } of [...rules, ...group.cases.map(({ args }) => split(args))]) {
    const [resource, action] = permission.split(':') as [string, string];
    declared[resource] = [...new Set([...(declared[resource] ?? []), action])];
  }
  const rbac = createRbac({
    permissions: definePermissions(declared),
    store: memoryRoles(),
  }) as unknown as Rbac;
  const of = (role: string, effect: string): string[] =>
    rules
      .filter((rule) => roleName(rule.subject, rule.domain) === role && (rule.effect ?? 'allow') === effect)
      .map(({ permission }) => permission);
  await rbac.seed(
    Object.fromEntries(
      [...names].map((name) => [
        name,
        {
          inherits: links.filter(([child]) => child === name).map(([, parent]) => parent!),
          allow: of(name, 'allow') as never[],
          deny: of(name, 'deny') as never[],
        },
      ]),
    ),
  );
  for (const { subject, domain, permission, effect } of rules) {
    if (names.has(roleName(subject, domain))) continue;
    const place = domain === undefined ? {} : { tenant: domain };
    if (effect === 'deny') await rbac.denyPermission('casbin', subject, permission as never);
    else await rbac.grantPermission('casbin', subject, permission as never, place);
  }
  for (const [child, parent, domain] of links) {
    if (names.has(child!)) continue;
    const place = how === 'domains' ? { tenant: domain! } : {};
    await rbac.grantRole('casbin', child!, roleName(parent!, place.tenant), place);
  }
  if (how === 'root') await rbac.grantPermission('casbin', 'root', '**');
  return {
    rbac,
    ask: (args: readonly string[]) => {
      const { subject, domain, permission } = split(args);
      return rbac.can(subject, permission as never, domain === undefined ? {} : { tenant: domain });
    },
  };
}

async function mutate(rbac: Rbac, statement: string): Promise<void> {
  const [, call = ''] = /e\.(\w+)\(/.exec(statement) ?? [];
  const [first = '', second = '', third = ''] = strings(statement);
  const clear = async (user: string): Promise<void> => {
    const { roles, rules } = await rbac.grantsOf(user);
    for (const { role } of roles) await rbac.revokeRole('casbin', user, role);
    for (const { permission } of rules) await rbac.revokePermission('casbin', user, permission as never);
  };
  switch (call) {
    case 'AddRoleForUser':
    case 'AddGroupingPolicy':
      return void (await rbac.grantRole('casbin', first, second));
    case 'AddRolesForUser':
      for (const role of strings(statement).slice(1)) await rbac.grantRole('casbin', first, role);
      return;
    case 'DeleteRoleForUser':
    case 'RemoveGroupingPolicy':
      return void (await rbac.revokeRole('casbin', first, second));
    case 'DeleteRolesForUser':
      for (const { role } of await rbac.rolesOf(first)) await rbac.revokeRole('casbin', first, role);
      return;
    case 'DeleteUser':
      return clear(first);
    case 'DeleteRole':
      return void (await rbac.removeRole('casbin', first));
    case 'RemovePolicy':
      return void (await rbac.revokePermission('casbin', first, `${second}:${third}` as never));
    case 'ClearPolicy':
      for (const user of ['alice', 'bob']) await clear(user);
      return;
    case 'DeletePermission':
      for (const user of ['alice', 'bob']) {
        await rbac.revokePermission('casbin', user, `anything:${first}` as never);
      }
      return;
    case 'AddPermissionForUser':
      return void (await rbac.grantPermission('casbin', first, `anything:${second}` as never));
    case 'DeletePermissionForUser':
      return void (await rbac.revokePermission('casbin', first, `anything:${second}` as never));
    case 'DeletePermissionsForUser':
      return clear(first);
    case 'AddPermissionsForUser':
      return; // Of jack, about whom nothing is asked here.
    default:
      throw new Error(`No translation of ${statement}`);
  }
}

describe('external oracle: casbin', () => {
  external('every group of its tests is run, or says why it does not apply', () => {
    const told = groups().map((group) => {
      const reason = reasonAgainst(group);
      const runs = PLAIN[basename(group.model)] !== undefined;
      return `${group.test.split('::')[1]}/${group.stage}: ${reason ?? (runs ? 'run' : 'FORGOTTEN')}`;
    });
    expect(told.filter((line) => line.endsWith('FORGOTTEN'))).toEqual([]);
    expect(told.filter((line) => line.endsWith(': run')).map((line) => line.replace(/: run$/, ''))).toEqual([
      'TestCache/0',
      'TestCache/1',
      'TestCache/0',
      'TestCache/0',
      'TestCache/1',
      'TestSync/0',
      'TestEnableLog/0',
      'TestBasicModel/0',
      'TestBasicModelWithoutSpaces/0',
      'TestBasicModelWithRoot/0',
      'TestBasicModelWithoutResources/0',
      'TestRBACModel/0',
      'TestRBACModelWithDomains/0',
      'TestRBACModelWithDeny/0',
      'TestRBACModelWithCustomData/2',
      'TestRBACModelWithCustomData/4',
      'TestRBACModelInMultiLines/0',
      'TestCommentModel/0',
      'TestRoleAPI/6',
      'TestRoleAPI/7',
      'TestEnforcer_AddRolesForUser/3',
      'TestPermissionAPI/0',
      'TestPermissionAPI/1',
      'TestPermissionAPI/2',
      'TestPermissionAPI/4',
      'TestPermissionAPI/5',
    ]);
  });

  external('what can be said in roles, grants and tenants agrees, denials and changes included', async () => {
    let compared = 0;
    for (const group of groups()) {
      if (reasonAgainst(group) !== undefined) continue;
      const { rbac, ask } = await build(group);
      for (const statement of group.mutations) {
        if (!statement.startsWith('//')) await mutate(rbac, statement);
      }
      for (const { args, expect: expected } of group.cases) {
        expect([group.test, group.stage, ...args, await ask(args)]).toEqual([
          group.test,
          group.stage,
          ...args,
          expected,
        ]);
        compared++;
      }
      await rbac.close();
    }
    expect(compared).toBe(163);
  });
});
