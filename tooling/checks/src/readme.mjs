// pnpm check:readme: every ```ts block of the READMEs and guides compiles by itself, against the source.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { publishedPackages, report, root } from './workspace.mjs';

const checks = report('README snippets');
const packages = publishedPackages();
const pages = [
  join(root, 'README.md'),
  ...packages.map(({ directory }) => join(directory, 'README.md')),
  ...['docs', 'examples', 'benchmarks'].flatMap((folder) => markdownIn(join(root, folder))),
].filter((page) => existsSync(page));

const folders = new Set();
const origin = new Map();
try {
  for (const page of pages) {
    const { blocks, unclosed } = blocksOf(readFileSync(page, 'utf8'));
    checks.ok(!unclosed, `${relative(root, page)}: a code block is not closed`);
    for (const { code, line } of blocks) {
      // Beside its page, so that it finds what the package itself finds.
      const folder = join(dirname(page), '.snippets');
      mkdirSync(folder, { recursive: true });
      folders.add(folder);
      const file = join(
        folder,
        `${page.endsWith('README.md') ? 'README' : relative(root, page).replace(/\W+/g, '-')}-${line}.ts`,
      );
      // As many lines before it as in the page: an error names the line of the page.
      writeFileSync(file, `${'\n'.repeat(line)}${code}\nexport {};\n`);
      origin.set(relative(root, file), relative(root, page));
    }
  }
  compile();
} finally {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
}
checks.finish();

function compile() {
  const config = join(root, '.snippets', 'tsconfig.json');
  mkdirSync(dirname(config), { recursive: true });
  folders.add(dirname(config));
  const options = {
    composite: false,
    declaration: false,
    noEmit: true,
    rootDir: root,
    types: ['node'],
    skipLibCheck: true,
    // A snippet may show a value without using it, but what it uses has to exist.
    noUnusedLocals: false,
    paths: sourcePaths(),
  };
  const files = [...origin.keys()].map((file) => join(root, file));
  writeFileSync(
    config,
    JSON.stringify({ extends: join(root, 'tsconfig.base.json'), compilerOptions: options, files }),
  );
  const tsc = join(root, 'node_modules', '.bin', process.platform === 'win32' ? 'tsc.cmd' : 'tsc');
  const { stdout, stderr, status } = spawnSync(tsc, ['-p', config, '--pretty', 'false'], {
    cwd: root,
    encoding: 'utf8',
    shell: process.platform === 'win32',
  });
  const broken = new Set();
  for (const line of `${stdout}\n${stderr}`.split('\n')) {
    const match = /^(.+?\.ts)\((\d+),\d+\): (.*)$/.exec(line);
    if (!match) continue;
    const page = origin.get(match[1]);
    if (page === undefined) continue;
    broken.add(match[1]);
    console.error(`FAIL ${page}:${match[2]}: ${match[3]}`);
  }
  for (const [file, page] of origin)
    checks.ok(!broken.has(file), `${page}: ${file.split('-').at(-1)} does not compile`);
  checks.ok(status === 0 || broken.size > 0, `tsc failed outside the snippets:\n${stdout}${stderr}`);
}

function sourcePaths() {
  const paths = {};
  for (const { directory, manifest } of packages) {
    for (const [subpath, target] of Object.entries(manifest.exports)) {
      const source = typeof target === 'object' ? target['@portcullis/source'] : undefined;
      if (source) paths[join(manifest.name, subpath).replaceAll('\\', '/')] = [join(directory, source)];
    }
  }
  return paths;
}

/** Code of ```ts fences with the number of the line before it. */
function blocksOf(text) {
  const blocks = [];
  let open;
  text.split('\n').forEach((line, index) => {
    if (open === undefined && /^\s*```/.test(line))
      open = { isTs: /^\s*```ts\s*$/.test(line), from: index + 1, lines: [] };
    else if (open !== undefined && /^\s*```\s*$/.test(line)) {
      if (open.isTs) blocks.push({ code: open.lines.join('\n'), line: open.from });
      open = undefined;
    } else open?.lines.push(line);
  });
  return { blocks, unclosed: open !== undefined };
}

function markdownIn(folder) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (entry.name === 'node_modules' || entry.name.startsWith('.')) return [];
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return markdownIn(path);
    return entry.name.endsWith('.md') ? [path] : [];
  });
}
