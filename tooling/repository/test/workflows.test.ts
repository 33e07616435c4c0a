import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { readText, root } from '../src/repository.js';

interface Step {
  readonly uses?: string;
  readonly run?: string;
  readonly with?: Readonly<Record<string, unknown>>;
}
interface Job {
  readonly permissions?: Readonly<Record<string, string>>;
  readonly steps: readonly Step[];
  readonly 'timeout-minutes'?: number;
  readonly strategy?: { readonly matrix?: Readonly<Record<string, readonly string[]>> };
}
interface Workflow {
  readonly on: unknown;
  readonly permissions?: unknown;
  readonly jobs: Readonly<Record<string, Job>>;
}

const folder = join(root, '.github', 'workflows');
const files = readdirSync(folder);
const workflows = files.map(
  (name) => [name, parse(readText(join(folder, name))) as Workflow, readText(join(folder, name))] as const,
);

/** What a job may do beyond reading the code. A new line here is a decision. */
const mayWrite: Readonly<Record<string, readonly string[]>> = {
  'codeql.yml analyze': ['security-events'],
  'release.yml publish': ['id-token'],
  'release.yml notes': ['contents'],
};

describe.each(workflows)('%s', (name, workflow, text) => {
  test('grants nothing at the top, and each job only what it needs', () => {
    expect(workflow.permissions).toEqual({});
    for (const [job, { permissions }] of Object.entries(workflow.jobs)) {
      expect([job, permissions]).toEqual([job, expect.any(Object)]);
      const writes = Object.entries(permissions ?? {})
        .filter(([, level]) => level === 'write')
        .map(([what]) => what);
      expect([job, writes]).toEqual([job, mayWrite[`${name} ${job}`] ?? []]);
    }
  });

  test('pins every action to a full commit, with its version beside it', () => {
    const uses = [...text.matchAll(/uses: *(\S+)(.*)$/gm)];
    for (const [, action, comment] of uses) {
      expect(action).toMatch(/^[\w-]+\/[\w./-]+@[0-9a-f]{40}$/);
      expect([action, comment]).toEqual([action, expect.stringMatching(/^ # v\d+\.\d+\.\d+$/)]);
    }
  });

  test('leaves no credentials behind, puts no event text into a script, and ends some time', () => {
    expect(text).not.toContain('pull_request_target');
    for (const [job, { steps, ...rest }] of Object.entries(workflow.jobs)) {
      expect([job, rest['timeout-minutes']]).toEqual([job, expect.any(Number)]);
      for (const step of steps) {
        if (step.uses?.startsWith('actions/checkout@'))
          expect(step.with).toMatchObject({ 'persist-credentials': false });
        expect(step.run ?? '').not.toContain('${{');
      }
    }
  });
});

test('one action has one version in all workflows', () => {
  const pins = workflows.flatMap(([, , text]) =>
    [...text.matchAll(/uses: *([^@\s]+)@([0-9a-f]+)/g)].map(
      ([, action, sha]) => `${action!.split('/').slice(0, 2).join('/')}@${sha}`,
    ),
  );
  const actions = [...new Set(pins)].map((pin) => pin.split('@')[0]);
  expect(actions).toEqual([...new Set(actions)]);
});

test('tests run on every supported line of Node.js, beginning with the oldest', () => {
  const ci = workflows.find(([name]) => name === 'ci.yml')![1];
  expect(ci.jobs['test']?.strategy?.matrix).toEqual({ node: ['20.19', '22', '24'] });
  const manifest = JSON.parse(readText(join(root, 'package.json'))) as { engines: { node: string } };
  expect(manifest.engines.node).toBe('>=20.19');
});

test('only the release publishes, from what another job built, and that job runs no code of ours', () => {
  const release = workflows.find(([name]) => name === 'release.yml')![1];
  const publish = release.jobs['publish']!;
  expect(publish.steps.some(({ uses }) => uses?.startsWith('actions/checkout@'))).toBe(false);
  expect(publish.steps.map(({ run }) => run ?? '').join('\n')).toContain('--provenance --ignore-scripts');
  const publishers = workflows
    .filter(([, , text]) => /npm publish|pnpm publish/.test(text))
    .map(([name]) => name);
  expect(publishers).toEqual(['release.yml']);
});

test('updates of dependencies, actions and the base image are proposed, none within its first week', () => {
  const { updates } = parse(readText(join(root, '.github', 'dependabot.yml'))) as {
    updates: { 'package-ecosystem': string; cooldown?: { 'default-days': number } }[];
  };
  expect(updates.map((update) => update['package-ecosystem'])).toEqual(['npm', 'github-actions', 'docker']);
  for (const update of updates) expect(update.cooldown?.['default-days']).toBeGreaterThanOrEqual(7);
});

test('every script that a workflow or the CI run names exists', () => {
  const { scripts } = JSON.parse(readText(join(root, 'package.json'))) as { scripts: Record<string, string> };
  const run = readText(join(root, '.ci', 'run')).replace(/^ *#.*$/gm, '');
  const named = [...run.matchAll(/(?:npm run(?: --silent)?|pnpm) ([\w:-]+)/g)].map(([, name]) => name!);
  expect(named.filter((name) => name !== 'install' && !(name in scripts))).toEqual([]);
  for (const [, , text] of workflows) {
    for (const [, name] of text.matchAll(/scripts\/check\.mjs ([\w-]+)/g)) {
      expect([name, existsSync(join(root, 'tooling', 'checks', 'src', `${name}.mjs`))]).toEqual([name, true]);
    }
  }
});
