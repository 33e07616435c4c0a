// pnpm check:packages [--update]: looks at the tarballs as npm will serve them.
// publint (strict), attw (node16 profile), declared imports only, size and dependency budgets.
import { readFileSync, writeFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { parse } from 'yaml';
import { packAll, publishedPackages, report, root } from './workspace.mjs';

const budgetFile = join(root, 'tooling', 'checks', 'budgets.json');
const update = process.argv.includes('--update');
const checks = report('packages');
const published = publishedPackages();
const tarballs = packAll(published, checks);
const packages = published.filter(({ folder }) => tarballs.has(folder));
const lockfile = parse(readFileSync(join(root, 'pnpm-lock.yaml'), 'utf8'));
const budgets = JSON.parse(readFileSync(budgetFile, 'utf8'));
const measured = {};

for (const { folder, manifest } of packages) {
  const data = readFileSync(tarballs.get(folder));
  const files = untar(gunzipSync(data));
  await lintManifest(folder, data);
  await lintTypes(folder, data);
  lintContents(folder, files, manifest);
  lintImports(folder, files);
  lintMerged(folder, files);
  measured[folder] = {
    packedKB: Math.ceil(data.length / 1024),
    unpackedKB: Math.ceil([...files.values()].reduce((sum, text) => sum + text.length, 0) / 1024),
    dependencies: transitiveDependencies(folder).size,
  };
}
holdBudgets();
checks.finish();

async function lintManifest(folder, data) {
  const tarball = data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength);
  const { messages, pkg } = await publint({ pack: { tarball }, strict: true });
  checks.ok(
    messages.length === 0,
    `${folder}: publint: ${messages.map((message) => formatMessage(message, pkg, { color: false })).join('; ')}`,
  );
}

// The profile node16 of attw's command line: resolution as node10 has no subpaths and is not supported.
async function lintTypes(folder, data) {
  const { problems, types } = await checkPackage(createPackageFromTarballData(new Uint8Array(data)));
  checks.ok(types !== false, `${folder}: attw finds no types`);
  const found = (problems ?? []).filter(({ resolutionKind }) => resolutionKind !== 'node10');
  const shown = found.map(
    ({ kind, entrypoint, resolutionKind }) => `${kind} ${entrypoint} ${resolutionKind}`,
  );
  checks.ok(found.length === 0, `${folder}: attw: ${shown.join('; ')}`);
}

function lintContents(folder, files, manifest) {
  const names = [...files.keys()];
  const packed = JSON.parse(files.get('package.json'));
  checks.ok(
    names.includes('LICENSE') && names.includes('README.md'),
    `${folder}: LICENSE or README.md is not packed`,
  );
  const stray = names.filter(
    (name) =>
      !/^(package\.json|README\.md|LICENSE|errors\/E_[A-Z0-9_]+\.md|peers\/[\w-]+\.(cjs|d\.cts)|dist\/(esm|cjs)\/.+)$/.test(
        name,
      ),
  );
  checks.ok(stray.length === 0, `${folder}: unexpected files are packed: ${stray.join(', ')}`);
  checks.ok(
    !JSON.stringify(packed.exports).includes('@portcullis/source'),
    `${folder}: the source condition is published`,
  );
  checks.ok(
    !JSON.stringify(packed.dependencies ?? {}).includes('workspace:'),
    `${folder}: a workspace: range is published`,
  );
  checks.ok(
    packed.scripts?.install === undefined && packed.scripts?.postinstall === undefined,
    `${folder}: runs a script at installation`,
  );
  const inexact = Object.entries(manifest.dependencies ?? {}).filter(
    ([, range]) => !/^(\d|workspace:)/.test(range),
  );
  checks.ok(inexact.length === 0, `${folder}: dependencies without an exact version: ${inexact.join(', ')}`);
}

// A missing declaration of a dependency works in this repository and fails at a user's; an optional peer in a
// declaration file fails for everyone who lacks it.
function lintImports(folder, files) {
  const packed = JSON.parse(files.get('package.json'));
  const optional = Object.keys(packed.peerDependenciesMeta ?? {});
  const declared = new Set([...Object.keys(packed.dependencies ?? {}), packed.name]);
  const requiredPeers = Object.keys(packed.peerDependencies ?? {}).filter((name) => !optional.includes(name));
  for (const [name, text] of files) {
    const isTypes = name.endsWith('.d.ts');
    const isLoader = name.startsWith('peers/') && name.endsWith('.cjs');
    if (!isTypes && !isLoader && !name.endsWith('.js')) continue;
    for (const imported of importsOf(String(text))) {
      if (imported.startsWith('.') || imported.startsWith('#') || isBuiltin(imported)) continue;
      const owner = imported
        .split('/')
        .slice(0, imported.startsWith('@') ? 2 : 1)
        .join('/');
      const fine =
        declared.has(owner) || requiredPeers.includes(owner) || (isLoader && optional.includes(owner));
      checks.ok(
        fine,
        `${folder}: ${name} imports ${imported}, which is ${optional.includes(owner) ? 'an optional peer' : 'not declared'}`,
      );
      // CommonJS packages without types of their own: their @types are not installed for users.
      const typeless = isTypes && declared.has(owner) && ['jsonwebtoken', 'cors', 'bcrypt'].includes(owner);
      checks.ok(!typeless, `${folder}: ${name} imports types of ${owner}, which ships none`);
    }
  }
}

// What a package adds to the events and the context of core: a declaration file that no entry leads to adds nothing at a user's.
function lintMerged(folder, files) {
  const { exports } = JSON.parse(files.get('package.json'));
  const reached = new Set();
  const queue = Object.values(exports).flatMap(({ import: esm }) => (esm ? [join(esm.types)] : []));
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (reached.has(name) || !files.has(name)) continue;
    reached.add(name);
    for (const imported of importsOf(String(files.get(name)))) {
      if (imported.startsWith('.')) queue.push(join(dirname(name), imported.replace(/\.js$/, '.d.ts')));
    }
  }
  for (const [name, text] of files) {
    if (!name.startsWith('dist/esm/') || !name.endsWith('.d.ts')) continue;
    if (!String(text).includes("declare module '@portcullis/core'")) continue;
    checks.ok(reached.has(name), `${folder}: no entry leads to the declarations in ${name}`);
  }
}

function importsOf(text) {
  const code = text.replace(/\/\*[^]*?\*\/|^\s*\/\/.*$/gm, '');
  const pattern =
    /(?:^|[;\s}])(?:import|export)\s*(?:type\s*)?(?:[\w*{}\s,$]+?\sfrom\s*)?["']([^"'\n]+)["']|(?:\brequire|\bimport)\(\s*["']([^"'\n]+)["']\s*\)/gm;
  return new Set([...code.matchAll(pattern)].map((match) => match[1] ?? match[2]));
}

function isBuiltin(name) {
  return name.startsWith('node:') || builtinModules.includes(name);
}

function transitiveDependencies(folder, seen = new Set()) {
  for (const [name, { version }] of Object.entries(
    lockfile.importers[`packages/${folder}`].dependencies ?? {},
  )) {
    if (version.startsWith('link:')) {
      seen.add(name);
      transitiveDependencies(version.split('/').at(-1), seen);
    } else addSnapshot(`${name}@${version}`, seen);
  }
  return seen;
}

// Peers that the workspace happens to have are not installed by the package; optional platform builds count once, as
// the one that fits.
function addSnapshot(key, seen) {
  const name = key.replace(/\(.*$/, '');
  if (seen.has(name)) return;
  seen.add(name);
  const peers = Object.keys(lockfile.packages[name]?.peerDependencies ?? {});
  for (const [child, version] of Object.entries(lockfile.snapshots[key]?.dependencies ?? {})) {
    if (!peers.includes(child))
      addSnapshot(version.startsWith('npm:') ? version.slice(4) : `${child}@${version}`, seen);
  }
}

function holdBudgets() {
  const over = [];
  for (const [folder, now] of Object.entries(measured)) {
    const budget = budgets[folder];
    console.log(
      `${folder.padEnd(12)} ${String(now.packedKB).padStart(4)} KB packed, ${String(now.unpackedKB).padStart(4)} KB unpacked, ${now.dependencies} dependencies`,
    );
    for (const [what, value] of Object.entries(now)) {
      const limit = budget?.[what];
      if (limit === undefined) over.push(`${folder}: no budget for ${what} (now ${value})`);
      else if (value > limit) over.push(`${folder}: ${value} ${what}, the budget is ${limit}`);
    }
  }
  if (update) {
    // Room for a bug fix, not for a second concern. Dependencies have no room at all.
    const next = Object.fromEntries(
      Object.entries(measured).map(([folder, { packedKB, unpackedKB, dependencies }]) => [
        folder,
        {
          packedKB: Math.ceil(packedKB * 1.15) + 1,
          unpackedKB: Math.ceil(unpackedKB * 1.15) + 2,
          dependencies,
        },
      ]),
    );
    writeFileSync(budgetFile, `${JSON.stringify(next, null, 2)}\n`);
    console.log('budgets.json is written; explain the difference in the commit.');
    return;
  }
  for (const message of over) checks.fail(`budget: ${message}`);
  checks.ok(over.length === 0, 'budget: see above; raise it with pnpm check:packages --update and say why');
}

/** Regular files of a tar archive by name, without the leading `package/`. */
function untar(archive) {
  const files = new Map();
  let longName;
  for (let at = 0; at + 512 <= archive.length && archive[at] !== 0;) {
    const header = archive.subarray(at, at + 512);
    const field = (from, to) => header.toString('utf8', from, to).replace(/\0.*$/s, '');
    const size = Number.parseInt(field(124, 136), 8);
    const body = archive.subarray(at + 512, at + 512 + size);
    const kind = String.fromCharCode(header[156]);
    if (kind === 'x') longName = /\d+ path=([^\n]+)\n/.exec(body.toString('utf8'))?.[1];
    else if (kind === '0' || kind === '\0') {
      const prefix = field(345, 500);
      const name = longName ?? (prefix ? `${prefix}/${field(0, 100)}` : field(0, 100));
      files.set(name.replace(/^package\//, ''), body);
      longName = undefined;
    }
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return files;
}
