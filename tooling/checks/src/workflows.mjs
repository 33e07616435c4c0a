// pnpm check:workflows: actionlint over the workflow files. What only reviewers used to hold (pins, permissions) is in
// tooling/repository/test/workflows.test.ts, which every `npm test` runs.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createLinter } from 'actionlint';
import { report, root } from './workspace.mjs';

const checks = report('workflows');
const lint = await createLinter();
const folder = join(root, '.github', 'workflows');
// The linter's list of runners is older than these.
const runners = ['ubuntu-24.04'];

const planted =
  'on: push\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - run: echo ${{ github.event.issue.title }}\n';
checks.ok(
  lint(planted, 'planted.yml').some(({ message }) => message.includes('untrusted')),
  'actionlint does not find a planted script injection',
);
for (const name of readdirSync(folder)) {
  const found = lint(readFileSync(join(folder, name), 'utf8'), `.github/workflows/${name}`).filter(
    ({ kind, message }) =>
      !(kind === 'runner-label' && runners.some((label) => message.startsWith(`label "${label}"`))),
  );
  for (const { line, column, message, kind } of found)
    checks.fail(`${name}:${line}:${column}: ${message} [${kind}]`);
  checks.ok(found.length === 0, `${name} has problems`);
}
checks.finish();
