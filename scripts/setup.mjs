// Installs the workspace with the pinned pnpm before `npm start` and `npm test`.
// Does nothing when the lockfile has not changed since the last installation.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const stamp = join(root, 'node_modules', '.setup-done');

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  console.error(`Portcullis needs Node.js 20.19 or newer; this is ${process.version}.`);
  process.exit(1);
}

const lockfile = readFileSync(join(root, 'pnpm-lock.yaml'));
const wanted = createHash('sha256').update(lockfile).digest('hex');
if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) process.exit(0);

const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
console.log(`Installing dependencies with ${packageManager} (first use or changed lockfile) ...`);
const args = [
  '--yes',
  packageManager,
  'install',
  '--frozen-lockfile',
  '--config.confirmModulesPurge=false',
  // Only the long proofs need these (scripts/prove.mjs).
  '--filter=!@portcullis/benchmarks',
  '--filter=!@portcullis/proofs',
  // The lockfile pins every hash already; the age policy is for maintainers who update it.
  '--config.minimumReleaseAge=0',
];
const result = spawnSync('npx', args, { cwd: root, stdio: 'inherit', shell: process.platform === 'win32' });
if (result.status !== 0) {
  console.error('The installation failed; nothing was started.');
  process.exit(result.status ?? 1);
}
writeFileSync(stamp, wanted);
