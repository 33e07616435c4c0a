import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, mkdirSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { filesBelow, packages, readText, root, shown } from '../src/repository.js';

const textFile =
  /\.(ts|mjs|js|json|md|yaml|yml|sql|css|html|svg|txt|csv|sh)$|(^|[\\/])(Dockerfile|\.ci[\\/]run|\.\w+rc|\.gitignore|\.npmrc|LICENSE)$/;
const everything = filesBelow(root);
const texts = everything.filter((path) => textFile.test(path));

function offenders(paths: readonly string[], pattern: RegExp): readonly string[] {
  return paths.flatMap((path) => {
    const lines = readText(path).split('\n');
    return lines.flatMap((line, i) =>
      pattern.test(line) ? [`${shown(path)}:${i + 1}: ${line.trim().slice(0, 100)}`] : [],
    );
  });
}

test('sources of packages are plain ASCII: nothing looks like something else', () => {
  expect(
    offenders(
      packages().flatMap(({ sources }) => sources),
      /[^\t\x20-\x7e]/,
    ),
  ).toEqual([]);
});

test('no file hides characters that turn the reading direction or join invisibly (trojan source)', () => {
  expect(offenders(texts, /[\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069]/)).toEqual([]);
});

test('no file names the host of a package registry or a path of the machine that it was written on', () => {
  expect(
    offenders(texts, /\bregistry\.(?!test|example)[\w-]+\.\w+|\bverdaccio\b|\bartifactory\b|\bnexus\b\.\w+/i),
  ).toEqual([]);
  expect(offenders(texts, /(?<![\w.$@-])\/(?:root|home|Users|work|mnt)\/\w|[A-Z]:\\Users\\/)).toEqual([]);
});

test('lockfiles hold hashes and no addresses', () => {
  for (const path of [join(root, 'pnpm-lock.yaml'), join(root, 'tooling', 'checks', 'pnpm-lock.yaml')]) {
    const text = readText(path);
    expect(text).toContain('integrity: sha512-');
    expect([...text.matchAll(/tarball:|https?:\/\/(?!(?:\w+\.)*(?:github|npmjs)\.com)\S*\.tgz/g)]).toEqual(
      [],
    );
  }
});

test('no private key, token or live credential is committed, in tests neither', () => {
  const patterns = [
    /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----(?!['"`]|\\n?['"`]|.*(?:example|redact|secret))/,
    /\bAKIA(?!IOSFODNN7EXAMPLE)[A-Z0-9]{16}\b/,
    /\bgh[pousr]_[A-Za-z0-9]{36}\b/,
    /\bxox[abpr]-\d{10,}-\w+/,
    /\bsk_live_[A-Za-z0-9]{24,}/,
  ];
  const candidates = texts.filter((path) => !path.includes(join('packages', 'redact', 'test')));
  for (const pattern of patterns) expect(offenders(candidates, pattern)).toEqual([]);
});

test('no source of a package or example holds a fixed secret', () => {
  const sources = texts.filter(
    (path) => /(packages|examples)[\\/][\w-]+[\\/](src|scripts)[\\/]/.test(path) && /\.(ts|mjs)$/.test(path),
  );
  // A name that says secret, given a literal of eight and more characters that could be one.
  const pattern =
    /\b\w*(?:secret|password|passwd|apiKey|privateKey|signingKey)\w*\s*[:=]\s*['"`](?=[^'"`]*\d)[A-Za-z0-9+/=_!@#$%^&*-]{8,}['"`]/i;
  expect(offenders(sources, pattern)).toEqual([]);
});

test('environment files are not committed; examples of them hold no values of secrets', () => {
  expect(
    everything
      .filter((path) => /(^|[\\/])\.env(\.(local|production|development|test))?$/.test(path))
      .map(shown),
  ).toEqual([]);
});

test('no binary but images, fonts and documented seeds', () => {
  const binaries = everything.filter((path) => {
    if (/\.(png|jpe?g|webp|ico|woff2?|tar\.gz|gz)$/.test(path)) return false;
    return readFileSync(path).subarray(0, 8000).includes(0);
  });
  expect(binaries.map(shown)).toEqual([]);
});

test('all packages are released together: one fixed group, and a note for each new package', () => {
  const config = JSON.parse(readText(join(root, '.changeset', 'config.json'))) as {
    fixed: string[][];
    access: string;
  };
  expect(config).toMatchObject({ fixed: [['@portcullis/*']], access: 'public' });
  const notes = readdirSync(join(root, '.changeset'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => readText(join(root, '.changeset', name)));
  const missing = packages().filter(
    ({ manifest, directory }) =>
      manifest.version === '0.0.0' &&
      !existsSync(join(directory, 'CHANGELOG.md')) &&
      !notes.some((note) => note.includes(`'${manifest.name}'`) || note.includes(`"${manifest.name}"`)),
  );
  expect(missing.map(({ folder }) => folder)).toEqual([]);
});

test('pnpm new:package makes a package that has every part and no placeholder left', () => {
  const copy = mkdtempSync(join(tmpdir(), 'portcullis-new-'));
  try {
    for (const part of ['templates', 'scripts', 'tsconfig.json'])
      cpSync(join(root, part), join(copy, part), { recursive: true });
    mkdirSync(join(copy, 'packages'));
    const run = (...args: string[]) =>
      spawnSync(process.execPath, [join(copy, 'scripts', 'new-package.mjs'), ...args], { encoding: 'utf8' });
    expect(run('Bad_Name', 'x').status).toBe(2);
    expect(run('two-words', 'Does one thing.').status).toBe(0);
    expect(run('two-words', 'Does one thing.').status).toBe(2);
    const made = filesBelow(join(copy, 'packages', 'two-words'));
    expect(made.map((path) => path.slice(copy.length).replaceAll('\\', '/'))).toContain(
      '/packages/two-words/test/two-words.test.ts',
    );
    expect(made.filter((path) => /__\w+__/.test(path + readText(path)))).toEqual([]);
    expect(readText(join(copy, 'tsconfig.json'))).toContain('packages/two-words');
    const manifest = JSON.parse(readText(join(copy, 'packages', 'two-words', 'package.json'))) as {
      name: string;
    };
    expect(manifest.name).toBe('@portcullis/two-words');
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
});
