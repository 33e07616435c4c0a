// pnpm check:unused: files, exports and dependencies that nothing uses (knip).
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { root } from './workspace.mjs';

const knip = join(root, 'tooling', 'checks', 'node_modules', 'knip', 'bin', 'knip.js');
const { status } = spawnSync(process.execPath, [knip, '--no-config-hints', ...process.argv.slice(2)], {
  cwd: root,
  stdio: 'inherit',
});
if (status === 0) console.log('unused code: none.');
process.exitCode = status ?? 1;
