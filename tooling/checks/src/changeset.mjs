// pnpm changeset [command]: notes a change for users, or makes the versions from the notes (changesets).
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root } from './workspace.mjs';

const changesets = join(root, 'tooling', 'checks', 'node_modules', '@changesets', 'cli', 'bin.js');
const { status } = spawnSync(process.execPath, [changesets, ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
});
process.exitCode = status ?? 1;
