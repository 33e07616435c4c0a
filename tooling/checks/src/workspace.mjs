// What every check shares: the packages, their entries, their tarballs, and a report that counts.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
export const work = join(root, 'tooling', 'checks', '.work');

/** Every package that is published, with its manifest. */
export function publishedPackages() {
  return readdirSync(join(root, 'packages'))
    .map((folder) => ({ folder, directory: join(root, 'packages', folder) }))
    .filter(({ directory }) => existsSync(join(directory, 'package.json')))
    .map(({ folder, directory }) => ({
      folder,
      directory,
      manifest: JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8')),
    }))
    .filter(({ manifest }) => manifest.private !== true);
}

/** Entries of a package as it is published: `{ '.': 'index', './redis': 'redis' }`. */
export function entriesOf(manifest) {
  return Object.entries(manifest.publishConfig.exports)
    .filter(([, target]) => typeof target === 'object')
    .map(([subpath, target]) => ({ subpath, types: target.import.types }));
}

/** Packs every package with pnpm (npm would keep the source condition) and returns the path of each tarball by folder. */
export function packAll(packages, checks) {
  const target = join(work, 'tarballs');
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  const tarballs = new Map();
  for (const { folder, directory, manifest } of packages) {
    if (!existsSync(join(directory, 'dist', 'esm', 'index.js'))) {
      checks.fail(`${folder}: is not built (pnpm build)`);
      continue;
    }
    const result = spawnSync(pnpmBin(), ['pack', '--pack-destination', target], {
      cwd: directory,
      encoding: 'utf8',
    });
    const name = `${manifest.name.replace('@', '').replace('/', '-')}-${manifest.version}.tgz`;
    if (result.status !== 0 || !existsSync(join(target, name))) {
      checks.fail(`${folder}: cannot be packed:\n${result.stdout}${result.stderr}`);
      continue;
    }
    tarballs.set(folder, join(target, name));
  }
  return tarballs;
}

export function pnpmBin() {
  return join(root, 'node_modules', '.bin', process.platform === 'win32' ? 'pnpm.cmd' : 'pnpm');
}

/** Collects what is wrong; `finish()` prints it and sets the exit code. */
export function report(title) {
  const failures = [];
  let checked = 0;
  return {
    ok(condition, message) {
      checked += 1;
      if (!condition) failures.push(message);
      return condition;
    },
    fail(message) {
      checked += 1;
      failures.push(message);
    },
    finish() {
      for (const failure of failures) console.error(`FAIL ${failure}`);
      console.log(`${title}: ${checked - failures.length} of ${checked} hold.`);
      process.exitCode = failures.length === 0 ? 0 : 1;
    },
  };
}
