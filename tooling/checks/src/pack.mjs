// node scripts/check.mjs pack <folder>: packs every built package into a folder, for a release.
import { cpSync, mkdirSync } from 'node:fs';
import { basename, resolve } from 'node:path';
import { packAll, publishedPackages, report } from './workspace.mjs';

const target = resolve(process.argv[2] ?? 'release');
const checks = report('packed');
mkdirSync(target, { recursive: true });
for (const tarball of packAll(publishedPackages(), checks).values()) {
  cpSync(tarball, resolve(target, basename(tarball)));
  checks.ok(true, tarball);
}
checks.finish();
