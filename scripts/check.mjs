// pnpm check:<name>: runs tooling/checks/src/<name>.mjs, after installing what only maintainers need.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const home = join(root, 'tooling', 'checks');
const [name = '', ...args] = process.argv.slice(2);
const script = join(home, 'src', `${name}.mjs`);
if (!/^[a-z-]+$/.test(name) || !existsSync(script)) {
  console.error('Usage: node scripts/check.mjs <name of a file in tooling/checks/src> [options]');
  process.exit(2);
}

const stamp = join(home, 'node_modules', '.setup-done');
const wanted = createHash('sha256')
  .update(readFileSync(join(home, 'pnpm-lock.yaml')))
  .digest('hex');
if (!existsSync(stamp) || readFileSync(stamp, 'utf8') !== wanted) {
  const windows = process.platform === 'win32';
  const pnpm = join(root, 'node_modules', '.bin', windows ? 'pnpm.cmd' : 'pnpm');
  if (!existsSync(pnpm)) fail('Run `node scripts/setup.mjs` first.');
  run(pnpm, installArgs(), home, windows);
  writeFileSync(stamp, wanted);
}
run(process.execPath, [script, ...args], root);

function installArgs() {
  return [
    'install',
    '--frozen-lockfile',
    '--prefer-offline',
    '--config.confirmModulesPurge=false',
    '--config.minimumReleaseAge=0',
  ];
}

function run(command, parameters, cwd, shell = false) {
  const { status } = spawnSync(command, parameters, { cwd, shell, stdio: 'inherit' });
  if (status !== 0) process.exit(status ?? 1);
}

function fail(message) {
  console.error(message);
  process.exit(1);
}
