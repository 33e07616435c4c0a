import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { filesBelow, readText, root } from '../src/repository.js';

interface Vector {
  readonly file: string;
  readonly sha256: string;
  readonly licence: string;
  readonly repository?: string;
  readonly commit?: string;
  readonly tag?: string;
  readonly path?: string;
  readonly unpack?: 'gzip';
  readonly made?: string;
}
const { files } = JSON.parse(readText(join(root, 'tooling', 'vectors', 'vectors.json'))) as {
  files: Vector[];
};

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'portcullis-vectors-'))));
afterEach(() => rmSync(folder, { recursive: true }));

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const source = { licence: 'MIT', repository: 'https://github.com/o/r', commit: 'c'.repeat(40) };
const [plain, packed, own]: readonly Vector[] = [
  { ...source, file: 'a/plain.json', sha256: sha256('plain'), path: 'in/plain.json' },
  { ...source, file: 'a/packed.txt', sha256: sha256('packed'), path: 'packed.gz', unpack: 'gzip' },
  { file: 'b/own.json', sha256: sha256('own'), licence: 'own', made: 'Measured here.' },
] as const;

/** The script on a list of three, with a `fetch` that serves `bodies` by address and nothing else. */
function vectors(options: readonly string[], bodies: Record<string, Buffer> = {}, required = false) {
  const list = join(folder, 'list.json');
  writeFileSync(list, JSON.stringify({ files: [plain, packed, own] }));
  const served = Object.entries(bodies).map(([url, body]) => [url, body.toString('base64')]);
  const stub = `const served = new Map(${JSON.stringify(served)});
    globalThis.fetch = async (url) => served.has(url)
      ? new Response(Buffer.from(served.get(url), 'base64')) : new Response('', { status: 404 });`;
  const env = {
    ...process.env,
    REQUIRE_VECTORS: required ? '1' : '',
    PORTCULLIS_VECTORS: join(folder, 'to'),
  };
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    [
      `--import=data:text/javascript,${encodeURIComponent(stub)}`,
      join(root, 'scripts', 'vectors.mjs'),
      '--list',
      list,
      ...options,
    ],
    { encoding: 'utf8', env },
  );
  return { status, output: stdout + stderr };
}
const base = `https://raw.githubusercontent.com/o/r/${source.commit}`;
const good = {
  [`${base}/in/plain.json`]: Buffer.from('plain'),
  [`${base}/packed.gz`]: gzipSync('packed'),
};
const to = (): string => join(folder, 'to');

test('every listed vector has a hash and either a pinned source or how it was made', () => {
  expect(files.length).toBeGreaterThan(20);
  expect(new Set(files.map(({ file }) => file)).size).toBe(files.length);
  for (const { file, licence, made, repository, commit, tag, path, ...rest } of files) {
    expect([file, rest.sha256]).toEqual([file, expect.stringMatching(/^[0-9a-f]{64}$/)]);
    expect([file, licence]).toEqual([file, expect.stringMatching(/\w/)]);
    const pinned = /^[0-9a-f]{40}$/.test(commit ?? '') || /^\d+(\.\d+)+$/.test(tag ?? '');
    const sourced = pinned && /^https:\/\/github\.com\/[\w.-]+\/[\w.-]+$/.test(repository ?? '') && !!path;
    expect([file, sourced, !!made]).toEqual([file, !made, !sourced]);
  }
});

test('a test that asks for vectors names files that are in the list', () => {
  const tests = ['packages', 'examples']
    .flatMap((group) => filesBelow(join(root, group)))
    .filter((path) => path.endsWith('.test.ts'));
  const asked = tests.flatMap((path) =>
    [...readText(path).matchAll(/vectorsDirectory\(([^)]*)\)/g)].map(([, text = '']) =>
      [...text.matchAll(/'([^']+)'/g)].map(([, name = '']) => name),
    ),
  );
  expect(asked.length).toBeGreaterThan(5);
  for (const [name = '', ...parts] of asked) {
    expect([name, parts.length > 0]).toEqual([name, true]);
    for (const part of parts) {
      const path = `${name}/${part}`;
      expect([path, files.some(({ file }) => file === path || file.startsWith(`${path}/`))]).toEqual([
        path,
        true,
      ]);
    }
  }
});

test('pnpm vectors downloads what is public, unpacks it and names what is not', () => {
  const { status, output } = vectors(['--to', to()], good);
  expect([status, output]).toEqual([
    0,
    expect.stringContaining('2 downloaded, 0 were there, 0 failed, 1 not'),
  ]);
  expect(readFileSync(join(to(), plain!.file), 'utf8')).toBe('plain');
  expect(readFileSync(join(to(), packed!.file), 'utf8')).toBe('packed');
  expect(output).toContain('b/own.json. Measured here.');
  expect(vectors(['--to', to()]).output).toContain('0 downloaded, 2 were there');
});

test('a download that was tampered with is not written and fails', () => {
  const { status, output } = vectors(['--to', to()], {
    ...good,
    [`${base}/in/plain.json`]: Buffer.from('plain, and more'),
  });
  expect([status, output]).toEqual([1, expect.stringContaining('FAILED: a/plain.json')]);
  expect(existsSync(join(to(), plain!.file))).toBe(false);
  expect(existsSync(join(to(), packed!.file))).toBe(true);
});

test('--check fails on a file that differs, names what is missing, and is no success on an empty folder', () => {
  expect(vectors(['--check']).status).toBe(1);
  vectors(['--to', to()], good);
  const partial = vectors(['--check']);
  expect([partial.status, partial.output]).toEqual([0, expect.stringContaining('MISSING: b/own.json')]);
  expect(vectors(['--check'], {}, true).status).toBe(1);
  writeFileSync(join(to(), packed!.file), 'other');
  const differs = vectors(['--check']);
  expect([differs.status, differs.output]).toEqual([
    1,
    expect.stringContaining('DIFFERS from the list: a/packed'),
  ]);
});
