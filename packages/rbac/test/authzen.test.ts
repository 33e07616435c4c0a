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
      const rbac = createRbac({ permissions, store: memoryRoles(), roles });
      await rbac.seed();
      for (const [user, held] of Object.entries(members)) {
        for (const role of held) await rbac.grantRole('root', user, role);
      }
      // The first version names people by both their address and the identity that later ones use alone.
      const addresses = new Map(
        read(FILES[0]!).map(({ request: { subject } }) => [subject.identity ?? '', subject.id]),
      );
      const nameOf = (id: string): string => addresses.get(id) ?? id;
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
});
