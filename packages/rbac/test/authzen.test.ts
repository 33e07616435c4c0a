import { describe, expect, test } from '@jest/globals';
import { vectorsDirectory } from '@portcullis/test-support';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createRbac, definePermissions, memoryRoles } from '../src/index.js';

/** The policy of the AuthZEN interop scenario "Todo", as its specification tells it, in roles and permissions. */
const permissions = definePermissions({
  user: ['can_read_user'],
  todo: [
    'can_read_todos',
    'can_create_todo',
    'can_update_todo:own',
    'can_update_todo:any',
    'can_delete_todo:own',
    'can_delete_todo:any',
  ],
});
const roles = {
  viewer: { allow: ['user:can_read_user', 'todo:can_read_todos'] },
  editor: {
    inherits: ['viewer'],
    allow: ['todo:can_create_todo', 'todo:can_update_todo:own', 'todo:can_delete_todo:own'],
  },
  admin: { inherits: ['editor'], allow: ['todo:can_delete_todo:any'] },
  evil_genius: { inherits: ['editor'], allow: ['todo:can_update_todo:any'] },
} as const;
const members: Readonly<Record<string, readonly (keyof typeof roles)[]>> = {
  'rick@the-citadel.com': ['admin', 'evil_genius'],
  'morty@the-citadel.com': ['editor'],
  'summer@the-smiths.com': ['editor'],
  'beth@the-smiths.com': ['viewer'],
  'jerry@the-smiths.com': ['viewer'],
};

interface Entity {
  readonly type: string;
  readonly id: string;
  readonly identity?: string;
  readonly ownerID?: string;
  readonly properties?: { readonly ownerID?: string };
}
interface Evaluation {
  readonly subject: Entity;
  readonly action: { readonly name: string };
  readonly resource: Entity;
}
interface Case {
  readonly request: Evaluation & { readonly evaluations?: readonly Partial<Evaluation>[] };
  readonly expected: boolean | readonly { readonly decision: boolean }[];
}

const FILES = [
  'interop_authzen-todo-backend_test_decisions.json',
  'interop_authzen-todo-backend_test_decisions-authorization-api-1_0-00.json',
  'interop_authzen-todo-backend_test_decisions-authorization-api-1_0-01.json',
  'interop_authzen-todo-backend_test_decisions-authorization-api-1_0-02.json',
];

/** Everybody of the scenario, and what later versions of it call them. */
async function todo(first: readonly Case[]) {
  const rbac = createRbac({ permissions, store: memoryRoles(), roles });
  await rbac.seed();
  for (const [user, held] of Object.entries(members)) {
    for (const role of held) await rbac.grantRole('root', user, role);
  }
  // The first version names people by both their address and the identity that later ones use alone.
  const addresses = new Map(first.map(({ request: { subject } }) => [subject.identity ?? '', subject.id]));
  return { rbac, nameOf: (id: string): string => addresses.get(id) ?? id };
}

describe('external oracle: AuthZEN', () => {
  const folder = vectorsDirectory('rbac', 'authzen/interop_authzen-todo-backend_test_decisions.json');
  const external = folder === undefined ? test.skip : test;
  const read = (file: string): readonly Case[] =>
    Object.values(
      JSON.parse(readFileSync(join(folder!, 'authzen', file), 'utf8')) as Record<string, Case[]>,
    ).flat();

  external(
    'every decision of the Todo scenario, in four versions of the API, single and in batches',
    async () => {
      const { rbac, nameOf } = await todo(read(FILES[0]!));
      const decide = ({ subject, action, resource }: Evaluation): Promise<boolean> => {
        const owner = resource.ownerID ?? resource.properties?.ownerID;
        const permission = `${resource.type}:${action.name}` as 'todo:can_update_todo';
        return rbac.can(nameOf(subject.id), permission, owner === undefined ? {} : { owner: nameOf(owner) });
      };
      const counts = { single: 0, batched: 0, allowed: 0 };
      for (const { request, expected } of FILES.flatMap(read)) {
        if (typeof expected === 'boolean') {
          expect([request, await decide(request)]).toEqual([request, expected]);
          counts.single++;
          if (expected) counts.allowed++;
          continue;
        }
        for (const [i, part] of (request.evaluations ?? []).entries()) {
          expect([request, i, await decide({ ...request, ...part })]).toEqual([
            request,
            i,
            expected[i]!.decision,
          ]);
          counts.batched++;
        }
      }
      expect(counts.single).toBe(160);
      expect(counts.batched).toBeGreaterThan(5);
      expect(counts.allowed).toBeGreaterThan(50);
    },
  );
  external(
    'every decision of the gateways of the Todo scenario, which know the route and no object',
    async () => {
      const { rbac, nameOf } = await todo(read(FILES[0]!));
      // A gateway lets pass whom the service may allow: who may do it to what is their own.
      const ROUTES: Readonly<Record<string, string>> = {
        'GET /users/{userId}': 'user:can_read_user',
        'GET /todos': 'todo:can_read_todos',
        'POST /todos': 'todo:can_create_todo',
        'PUT /todos/{todoId}': 'todo:can_update_todo',
        'DELETE /todos/{todoId}': 'todo:can_delete_todo',
      };
      const seen = { compared: 0, refused: 0 };
      for (const { request, expected } of read(
        'interop_authzen-api-gateways_test-harness_test_decisions.json',
      )) {
        const user = nameOf(request.subject.id);
        const permission = ROUTES[`${request.action.name} ${request.resource.id}`] as 'todo:can_update_todo';
        const found = await rbac.can(user, permission, { owner: user });
        expect([user, permission, found]).toEqual([user, permission, expected]);
        seen.compared++;
        if (!found) seen.refused++;
      }
      expect(seen).toEqual({ compared: 25, refused: 6 });
    },
  );

  external(
    'every search of subjects, resources and actions, one question each: departments are tenants',
    async () => {
      interface Row { readonly id: number; readonly department: string; readonly owner: string } // prettier-ignore
      interface Person { readonly id: string; readonly role: string; readonly department: string } // prettier-ignore
      interface Search {
        readonly request: {
          readonly subject: { readonly id?: string };
          readonly action?: { readonly name: string };
          readonly resource: { readonly id?: string };
        };
        readonly expected: { readonly results: readonly { readonly id?: string; readonly name?: string }[] };
      }
      const load = <T>(file: string): T =>
        JSON.parse(readFileSync(join(folder!, 'authzen', `interop_${file}.json`), 'utf8')) as T;
      const records = load<Row[]>('authzen-search-demo_data_records');
      const people = load<Person[]>('authzen-search-demo_data_users');
      const ACTIONS = ['view', 'edit', 'delete'] as const;
      const rbac = createRbac({
        permissions: definePermissions({
          record: ['view:own', 'view:any', 'edit:own', 'edit:any', 'delete:own'],
        }),
        store: memoryRoles(),
        roles: {
          owner: { allow: ['record:*:own'] },
          colleague: { allow: ['record:view:any'] },
          manager: { allow: ['record:edit:any'] },
        },
      });
      await rbac.seed();
      for (const { id, role, department } of people) {
        await rbac.grantRole('root', id, 'owner', { tenant: '*' });
        await rbac.grantRole('root', id, 'colleague', { tenant: role === 'manager' ? '*' : department });
        if (role === 'manager') await rbac.grantRole('root', id, 'manager', { tenant: department });
      }
      const may = (user: string, action: (typeof ACTIONS)[number], record: string): Promise<boolean> => {
        const { owner, department } = records.find(({ id }) => String(id) === record)!;
        return rbac.can(user, `record:${action}`, { owner, tenant: department });
      };
      const seen = { searches: 0, asked: 0, allowed: 0 };
      for (const [file, list] of [
        ['authzen-search-demo_test_action_results', 'evaluation'],
        ['authzen-search-demo_test_resource_results', 'evaluation'],
        ['authzen-search-demo_test_subject_results', 'evaluation'],
        ['authzen-idp_test-harness_src_results', 'search'],
      ] as const) {
        for (const { request, expected } of load<Record<string, Search[]>>(file)[list]!) {
          const results = new Set(expected.results.map(({ id, name }) => id ?? name));
          const { subject, action, resource } = request;
          const users = subject.id === undefined ? people.map(({ id }) => id) : [subject.id];
          const actions = action === undefined ? ACTIONS : [action.name as 'view'];
          const resources = resource.id === undefined ? records.map(({ id }) => String(id)) : [resource.id];
          for (const user of users) {
            for (const each of actions) {
              for (const record of resources) {
                const found = await may(user, each, record);
                // What was searched for is the part that the request leaves open.
                const open = subject.id === undefined ? user : action === undefined ? each : record;
                expect([file, user, each, record, found]).toEqual([
                  file,
                  user,
                  each,
                  record,
                  results.has(open),
                ]);
                seen.asked++;
                if (found) seen.allowed++;
              }
            }
          }
          seen.searches++;
        }
      }
      expect(seen).toEqual({ searches: 204, asked: 1200, allowed: 368 });
    },
  );
});
