// pnpm check:consumers [package ...]: what a user gets. Each tarball is installed alone with npm, outside of the
// repository, and its README start is used as
//   1 CommonJS and 2 ES modules in JavaScript (every entry loads, in one process it is one copy; what lacks its optional
//     peer says so when it is built),
//   3 TypeScript NodeNext and 4 TypeScript CommonJS (skipLibCheck off, no optional peer installed),
//   5 a bundle made by esbuild,
// on Express 4 and 5 with the types of each. 3, 4 and 5 then serve real requests.
// On Express 5, 1, 2 and 3 also run in a process that makes no code from text (Express 4 itself does not load there).
// One installation per package; the two majors of Express lie one folder above, where Node and TypeScript find them.
import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build } from 'esbuild';
import { cases } from '../consumers/cases.mjs';
import { entriesOf, packAll, publishedPackages, report, root } from './workspace.mjs';

const rootManifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const fixtures = join(root, 'tooling', 'checks', 'consumers');
const budgets = JSON.parse(readFileSync(join(root, 'tooling', 'checks', 'budgets.json'), 'utf8'));
const checks = report('consumers');
const published = publishedPackages();
const tarballs = packAll(published, checks);
const all = published.filter(({ folder }) => tarballs.has(folder));
const wanted = process.argv.slice(2);
const chosen = all.filter(({ folder }) => wanted.length === 0 || wanted.includes(folder));
const NO_EVAL = '--disallow-code-generation-from-strings';
const majors = {
  5: { express: version('express'), types: version('@types/express') },
  4: { express: version('express4'), types: version('@types/express4') },
};
// The newest compiler for each package; all packages together also with the last one written in JavaScript (slow).
const newest = join(root, 'node_modules', '@typescript', 'native', 'bin', 'tsc');
const older = join(root, 'tooling', 'checks', 'node_modules', 'typescript', 'bin', 'tsc6');

const home = mkdtempSync(join(tmpdir(), 'portcullis-consumers-'));
try {
  await inParallel(Object.entries(majors), ([major, { express, types }]) =>
    install(join(home, `express${major}`), {
      express,
      '@types/express': types,
      '@types/node': version('@types/node'),
    }),
  );
  await inParallel(chosen, checkPackage);
  if (wanted.length === 0 || wanted.includes('all')) {
    await checkAllTogether();
    await checkPeers();
  }
} finally {
  rmSync(home, { recursive: true, force: true });
}
checks.finish();

async function checkPackage({ folder, directory, manifest }) {
  const place = join(home, 'express5', folder);
  const installed = await install(place, { [manifest.name]: `file:${tarballs.get(folder)}` });
  if (!checks.ok(installed.code === 0, `${folder}: npm cannot install the tarball:\n${installed.output}`))
    return;
  const others = Object.entries(
    JSON.parse(readFileSync(join(place, 'node_modules', '.package-lock.json'), 'utf8')).packages,
  ).filter(([path, { optional }]) => !optional && path !== `node_modules/${manifest.name}`);
  checks.ok(
    others.length <= (budgets[folder]?.dependencies ?? 0),
    `${folder}: brings ${others.length} packages, the budget is ${budgets[folder]?.dependencies}`,
  );

  const start = startOf(folder, directory, manifest);
  const entries = entriesOf(manifest).map(({ subpath }) =>
    join(manifest.name, subpath).replaceAll('\\', '/'),
  );
  cpSync(place, join(home, 'express4', folder), { recursive: true });
  for (const major of [5, 4]) {
    const project = join(home, `express${major}`, folder);
    await checkProject(`${folder} on Express ${major}`, project, major, { start, entries, folder });
  }
}

async function checkAllTogether() {
  const place = join(home, 'express5', 'all');
  const installed = await install(
    place,
    Object.fromEntries(all.map(({ folder, manifest }) => [manifest.name, `file:${tarballs.get(folder)}`])),
  );
  if (!checks.ok(installed.code === 0, `all: npm cannot install the tarballs:\n${installed.output}`)) return;
  const entries = all.flatMap(({ manifest }) =>
    entriesOf(manifest).map(({ subpath }) => join(manifest.name, subpath)),
  );
  // The repository's own README; its server on a free port, beside the one that is asked.
  const readme = readFileSync(join(root, 'README.md'), 'utf8');
  const block = /^## Add all of them\n[^]*?```ts\n([^]*?)```/m.exec(readme)?.[1];
  checks.ok(block !== undefined, 'README.md has no start with all packages');
  const start = block?.replace('port: 3000', 'port: 0');
  cpSync(place, join(home, 'express4', 'all'), { recursive: true });
  for (const major of [5, 4]) {
    const project = join(home, `express${major}`, 'all');
    await checkProject(`all on Express ${major}`, project, major, {
      start,
      entries,
      folder: 'all',
    });
  }
}

/** With every optional peer, which nobody has above, every entry loads; also where no code is made from text. */
async function checkPeers() {
  const place = join(home, 'express5', 'peers');
  const peers = all.flatMap(({ manifest }) =>
    Object.keys(manifest.peerDependenciesMeta ?? {})
      .filter((name) => manifest.devDependencies?.[name] !== undefined)
      .map((name) => [name, manifest.devDependencies[name]]),
  );
  const own = all.map(({ folder, manifest }) => [manifest.name, `file:${tarballs.get(folder)}`]);
  const installed = await install(place, Object.fromEntries([...peers, ...own]));
  if (!checks.ok(installed.code === 0, `peers: npm cannot install them:\n${installed.output}`)) return;
  const entries = all.flatMap(({ manifest }) =>
    entriesOf(manifest).map(({ subpath }) => join(manifest.name, subpath).replaceAll('\\', '/')),
  );
  await loadEntries('all with their peers', place, entries, true);
  // In a bundle too, without anything installed around it.
  const code = buildingWhatNeedsPeers(peersOf(all));
  writeFileSync(join(place, 'with-peers.mjs'), code);
  const bundled = join(home, 'peers.cjs');
  const external = ['bcrypt', '@node-rs/argon2'];
  const settings = { bundle: true, platform: 'node', target: 'node20', format: 'cjs', logLevel: 'silent' };
  await build({ entryPoints: [join(place, 'with-peers.mjs')], outfile: bundled, external, ...settings });
  for (const [file, cwd] of [
    ['with-peers.mjs', place],
    [bundled, home],
  ]) {
    const { output } = await run([file], cwd);
    const lines = output.trim().split('\n');
    const fine = lines.length === peersOf(all).length && lines.every((line) => line.endsWith(' OK'));
    checks.ok(fine, `all with their peers: ${file} does not find them:\n${indent(output)}`);
  }
}

async function checkProject(title, project, major, { start, entries, folder }) {
  await loadEntries(title, project, entries, major === 5);
  await lackPeers(title, project, folder);

  const files = ['entries.mts', 'entries.cts'];
  for (const file of files) writeFileSync(join(project, file), typedEntries(entries));
  if (start !== undefined) {
    for (const file of ['start.mts', 'start.cts']) {
      files.push(file);
      const code = withProbe(start);
      writeFileSync(join(project, file), file.endsWith('.cts') ? forCommonJs(code) : code);
    }
    for (const file of ['probe.cjs', 'probe.d.cts']) cpSync(join(fixtures, file), join(project, file));
  }
  const options = {
    target: 'ES2022',
    strict: true,
    skipLibCheck: false,
    types: ['node'],
    esModuleInterop: true,
    outDir: 'out',
    rootDir: '.',
  };
  writeJson(join(project, 'tsconfig.json'), {
    compilerOptions: { ...options, module: 'NodeNext', moduleResolution: 'NodeNext' },
    files,
  });
  writeJson(join(project, 'tsconfig.bundler.json'), {
    compilerOptions: { ...options, module: 'ESNext', moduleResolution: 'Bundler', noEmit: true },
    files: files.filter((file) => file.endsWith('.mts')),
  });
  for (const config of ['tsconfig.json', 'tsconfig.bundler.json']) {
    const compiler = folder === 'all' && major === 4 ? older : newest;
    const { code, output } = await run([compiler, '-p', config, '--pretty', 'false'], project);
    checks.ok(code === 0, `${title}: TypeScript (${config}) refuses it:\n${indent(output)}`);
  }
  if (start === undefined) return;
  if (existsSync(join(project, 'out', 'start.mjs'))) {
    for (const file of ['probe.cjs']) cpSync(join(fixtures, file), join(project, 'out', file));
    for (const file of ['start.mjs', 'start.cjs'])
      await serve(`${title}: ${file}`, project, `out/${file}`, folder);
    if (major === 5) await serveWithoutEval(title, project, folder);
  }
  await bundle(title, project, folder);
}

/** CommonJS and ES modules load every entry with the same names, and one process has one copy of it. */
async function loadEntries(title, project, entries, alsoWithoutEval) {
  const cjs = `for (const name of ${JSON.stringify(entries)})
  console.log(name, Object.keys(require(name)).sort().join(' '));`;
  const esm = `import { createRequire } from 'node:module';
const require = createRequire(import.meta.url);
for (const name of ${JSON.stringify(entries)}) {
  const loaded = await import(name);
  console.log(name, Object.keys(loaded).filter((key) => key !== 'module.exports').sort().join(' '));
  // Requires module-sync in the exports map: two copies would not share what they know.
  for (const [key, value] of Object.entries(require(name))) {
    if (typeof value === 'function' && loaded[key] !== value) throw new Error(name + ' is loaded twice: ' + key);
  }
}`;
  writeFileSync(join(project, 'load.cjs'), cjs);
  writeFileSync(join(project, 'load.mjs'), esm);
  const [required, imported] = [await run(['load.cjs'], project), await run(['load.mjs'], project)];
  checks.ok(required.code === 0, `${title}: require() fails:\n${indent(required.output)}`);
  checks.ok(imported.code === 0, `${title}: import fails:\n${indent(imported.output)}`);
  checks.ok(required.output === imported.output, `${title}: CommonJS and ES modules export different names`);
  if (!alsoWithoutEval) return;
  for (const file of ['load.cjs', 'load.mjs']) {
    const { code, output } = await run([NO_EVAL, file], project);
    const same = code === 0 && output === required.output;
    checks.ok(same, `${title}: ${file} differs under ${NO_EVAL}:\n${indent(output)}`);
  }
}

/** What cannot be built without an optional peer: `[entry, function, its options, package as npm installs it]`. */
function peersOf(packages) {
  return packages.flatMap(({ folder, manifest }) =>
    Object.entries(cases[folder]?.peers ?? {}).map(([subpath, { build: name, with: given, peer }]) => [
      `${manifest.name}/${subpath}`,
      name,
      given,
      `${peer}@${manifest.peerDependencies[peer]}`,
    ]),
  );
}

function buildingWhatNeedsPeers(peers, commonJs = false) {
  const load = (entry, i) =>
    commonJs ? `const entry${i} = require('${entry}');` : `import * as entry${i} from '${entry}';`;
  return `${peers.map(([entry], i) => load(entry, i)).join('\n')}
const told = (name, build) => {
  try { build(); console.log(name, 'OK'); } catch (error) { console.log(name, error.code, error.name, error.message); }
};
${peers.map(([, name, given], i) => `told('${name}', () => entry${i}.${name}(${given}));`).join('\n')}
`;
}

/** Nothing optional is installed: each entry has loaded, and what needs a peer names it, its version and a page. */
async function lackPeers(title, project, folder) {
  const peers = peersOf(folder === 'all' ? all : all.filter((one) => one.folder === folder));
  if (peers.length === 0) return;
  for (const file of ['lack.cjs', 'lack.mjs']) {
    writeFileSync(join(project, file), buildingWhatNeedsPeers(peers, file.endsWith('.cjs')));
    const { code, output } = await run([file], project);
    const lines = output.trim().split('\n');
    const fine = peers.every(([, name, , wanted], i) =>
      [`${name} E_PEER_MISSING OptionError`, `npm install ${wanted} `, 'E_PEER_MISSING.md'].every((part) =>
        lines[i]?.includes(part),
      ),
    );
    checks.ok(code === 0 && fine, `${title}: ${file} does not say which peers it lacks:\n${indent(output)}`);
  }
}

function typedEntries(entries) {
  const imports = entries.map(
    (name, i) => `import * as entry${i} from '${name.replaceAll('\\', '/')}';\nvoid entry${i};`,
  );
  return `${imports.join('\n')}
import type { Request } from 'express';
type IsAny<T> = 0 extends 1 & T ? true : false;
// req.security is typed for someone who installed this package only.
export const securityIsAny: IsAny<Request['security']> = false;
export const requestId = (req: Request): string => req.security.requestId;
`;
}

/** The first ts block of the README's Start, unless it shows values of the reader's (then a start of our own). */
function startOf(folder, directory, manifest) {
  const own = join(fixtures, 'starts', `${folder}.ts`);
  const readme = readFileSync(join(directory, 'README.md'), 'utf8');
  const block = /^## Start\n[^]*?```ts\n([^]*?)```/m.exec(readme)?.[1];
  if (!checks.ok(block !== undefined, `${folder}: the README has no start`)) return undefined;
  // pnpm and Yarn hide what was not asked for: an import that the install line does not name works with npm only.
  const asked = /npm install ([^\n`]+)/.exec(readme)?.[1].split(/\s+/) ?? [];
  for (const [, name] of block.matchAll(/from '(@?[^'./][^']*)'/g)) {
    const owner = name
      .split('/')
      .slice(0, name.startsWith('@') ? 2 : 1)
      .join('/');
    const isThere =
      owner.startsWith('node:') || owner === 'express' || asked.includes(owner) || owner === manifest.name;
    checks.ok(
      isThere,
      `${folder}: the start imports ${owner}, which "npm install ${asked.join(' ')}" does not name`,
    );
  }
  const { start, values = {}, append = '' } = cases[folder] ?? {};
  checks.ok(cases[folder] !== undefined, `${folder}: tooling/checks/consumers/cases.mjs has no case for it`);
  if (start === 'own') return readFileSync(own, 'utf8');
  // Only what the reader has to bring is filled in; the rest is what they copy.
  let code = block;
  for (const [name, value] of Object.entries(values)) {
    const placeholder = new RegExp(`^declare const ${name}\\b.*$`, 'm');
    checks.ok(placeholder.test(code), `${folder}: the start has no \`declare const ${name}\``);
    code = code.replace(placeholder, () => value);
  }
  return `${code}\n${append}`;
}

function withProbe(start) {
  if (!/\bconst app\b/.test(start)) return start;
  return `${start}
import { probe } from './probe.cjs';
app.all('/hello', (req, res) => void res.json({ requestId: req.security?.requestId }));
probe(app);
`;
}

/** CommonJS has no await at the top: the same start inside a function, as a CommonJS user would write it. */
function forCommonJs(code) {
  if (!/^(?:const .*= )?await /m.test(code)) return code;
  const imports = [];
  const body = code
    .replace(/^import [^;]*;.*$/gm, (line) => (imports.push(line), ''))
    .replace(/^export /gm, '');
  return `${imports.join('\n')}\nvoid (async () => {\n${body}\n})();\n`;
}

/** The start again, in a process that makes no code from text: its schemas are compiled before, as the README of validation says. */
async function serveWithoutEval(title, project, folder) {
  const { schemas, env } = cases[folder] ?? {};
  if (schemas === undefined)
    return serve(`${title}: start.mjs under ${NO_EVAL}`, project, 'out/start.mjs', folder, [NO_EVAL]);
  const [names, values] = [Object.keys(schemas), Object.values(schemas)];
  const start = readFileSync(join(project, 'out', 'start.mjs'), 'utf8');
  // As it is it must not start, or the process is not what it is said to be.
  const refused = await run([NO_EVAL, 'out/start.mjs'], project, env);
  const said = refused.code !== 0 && refused.output.includes('precompile()');
  checks.ok(said, `${title}: without precompile() it starts under ${NO_EVAL}:\n${indent(refused.output)}`);
  let code = `import precompiled from './precompiled.mjs';\n${start}`;
  for (const name of names) code = code.replaceAll(`validate(${name})`, `validate(${name}, { precompiled })`);
  writeFileSync(join(project, 'out', 'start-precompiled.mjs'), code);
  const compile = `import { writeFileSync } from 'node:fs';
import { precompile } from '@portcullis/validation/precompile';
writeFileSync('out/precompiled.mjs', precompile(${JSON.stringify(values)}));`;
  writeFileSync(join(project, 'precompile.mjs'), compile);
  const compiled = await run(['precompile.mjs'], project);
  if (!checks.ok(compiled.code === 0, `${title}: precompile() fails:\n${indent(compiled.output)}`)) return;
  const file = 'out/start-precompiled.mjs';
  await serve(`${title}: start.mjs, precompiled, under ${NO_EVAL}`, project, file, folder, [NO_EVAL]);
}

async function serve(title, project, file, folder, nodeOptions = []) {
  const { env = {}, requests = [], output: pattern } = cases[folder] ?? {};
  const result = await run([...nodeOptions, file], project, {
    ...env,
    PROBE_REQUESTS: JSON.stringify(requests),
  });
  const fine = result.code === 0 && (pattern === undefined || new RegExp(pattern).test(result.output));
  checks.ok(fine, `${title} does not do what its README says:\n${indent(result.output)}`);
  checks.ok(
    cases[folder] !== undefined,
    `${folder}: tooling/checks/consumers/cases.mjs has no requests for it`,
  );
}

async function bundle(title, project, folder) {
  try {
    await build({
      entryPoints: [join(project, 'start.cts')],
      bundle: true,
      platform: 'node',
      target: 'node20',
      format: 'cjs',
      outfile: join(project, 'out', 'bundle.cjs'),
      // Native modules cannot be put into a bundle; the probe stays outside as the page of a test would.
      external: ['bcrypt', '@node-rs/argon2', './probe.cjs'],
      logLevel: 'silent',
      absWorkingDir: project,
    });
  } catch (error) {
    checks.fail(`${title}: esbuild cannot bundle it: ${error.message}`);
    return;
  }
  cpSync(join(fixtures, 'probe.cjs'), join(project, 'out', 'probe.cjs'));
  await serve(`${title}: the bundle`, project, 'out/bundle.cjs', folder);
}

async function install(place, dependencies) {
  mkdirSync(place, { recursive: true });
  // Our own packages come from tarballs, also where one needs another. Peers are the business of the two majors.
  const overrides = Object.fromEntries(
    all.map(({ folder, manifest }) => [manifest.name, `file:${tarballs.get(folder)}`]),
  );
  for (const name of Object.keys(dependencies)) delete overrides[name];
  writeJson(join(place, 'package.json'), { private: true, dependencies, overrides });
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  const flags = [
    '--prefer-offline',
    '--no-audit',
    '--no-fund',
    '--ignore-scripts',
    '--legacy-peer-deps',
    '--loglevel=error',
  ];
  return run(['install', ...flags], place, {}, npm);
}

function run(args, cwd, env = {}, command = process.execPath) {
  return new Promise((resolve) => {
    const child = spawn(command, args, {
      cwd,
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const timer = setTimeout(() => child.kill('SIGKILL'), 120_000);
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
    child.on('close', (code) => {
      clearTimeout(timer);
      resolve({ code, output });
    });
  });
}

/** Two at a time: the work is done by child processes, and two cores are what CI has. */
async function inParallel(items, work) {
  const queue = [...items];
  await Promise.all(
    [1, 2].map(async () => {
      for (let item = queue.shift(); item !== undefined; item = queue.shift()) await work(item);
    }),
  );
}

function version(name) {
  const wantedVersion = rootManifest.devDependencies[name];
  return wantedVersion.startsWith('npm:')
    ? wantedVersion.slice(wantedVersion.lastIndexOf('@') + 1)
    : wantedVersion;
}

function writeJson(path, value) {
  writeFileSync(path, JSON.stringify(value));
}

function indent(text) {
  const written = text.trim().split('\n');
  // What was asked and answered says more than the stack of the refusal.
  const probe = written.filter((line) => line.startsWith('PROBE FAILED'));
  const lines = probe.length > 0 ? probe : written.slice(0, 8);
  return lines.map((line) => `    ${line.slice(0, 240)}`).join('\n');
}
