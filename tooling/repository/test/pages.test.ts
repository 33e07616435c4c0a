import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { filesBelow, packages, readText, root, shown } from '../src/repository.js';

const all = packages();

async function codesOf(directory: string): Promise<readonly string[]> {
  const { errors } = (await import(join(directory, 'src', 'error-codes.ts'))) as { errors: object };
  if (!directory.endsWith(join('packages', 'core'))) return Object.keys(errors);
  const { optionErrorCodes } = (await import(join(directory, 'src', 'option-error.ts'))) as {
    optionErrorCodes: readonly string[];
  };
  return [...Object.keys(errors), ...optionErrorCodes];
}

function pagesOf(directory: string): readonly string[] {
  const folder = join(directory, 'errors');
  return existsSync(folder) ? readdirSync(folder) : [];
}

describe.each(all.map((p) => [p.folder, p] as const))('%s', (folder, { directory }) => {
  test('every error code has its page, and every page a code', async () => {
    const codes = await codesOf(directory);
    expect([...pagesOf(directory)].sort()).toEqual(codes.map((code) => `${code}.md`).sort());
    expect(codes.filter((code) => !/^E_[A-Z0-9]+(_[A-Z0-9]+)*$/.test(code))).toEqual([]);
  });

  test('every page is about its own code and long enough to help', () => {
    for (const page of pagesOf(directory)) {
      const code = page.replace('.md', '');
      const text = readText(join(directory, 'errors', page));
      expect(text.split('\n')[0]).toMatch(new RegExp(`^# \`?${code}\\b`));
      const lines = text.split('\n').filter((line) => line.trim() !== '');
      expect([page, lines.length >= 5]).toEqual([page, true]);
    }
  });

  test('the README has a start of at most 8 lines, options, outages, errors and dependencies', async () => {
    const readme = readText(join(directory, 'README.md'));
    const sections = [...readme.matchAll(/^## (.+)$/gm)].map((match) => match[1]);
    const wanted = ['Start', 'Options', 'When something is down', 'Dependencies'];
    if ((await codesOf(directory)).length > 0) wanted.push('Errors');
    expect(wanted.filter((section) => !sections.includes(section))).toEqual([]);
    expect(readme).toContain(`npm install @portcullis/${folder}`);
    const start = /^## Start\n[^]*?```ts\n([^]*?)```/m.exec(readme)?.[1] ?? '';
    const lines = start
      .split('\n')
      .filter((line) => line.trim() !== '' && !/^(import|declare|\/\/)/.test(line));
    expect(lines.length).toBeGreaterThan(0);
    expect(lines.length).toBeLessThanOrEqual(8);
  });

  test('the README names every error code', async () => {
    const readme = readText(join(directory, 'README.md'));
    expect((await codesOf(directory)).filter((code) => !readme.includes(code))).toEqual([]);
  });
});

test('a code that two packages have means the same in both', async () => {
  type Row = readonly [code: string, folder: string, status: number, title: string];
  const rows = await Promise.all(
    all.map(async ({ directory, folder }) => {
      const { errors } = (await import(join(directory, 'src', 'error-codes.ts'))) as {
        errors: Readonly<Record<string, { readonly status: number; readonly title: string }>>;
      };
      return Object.entries(errors).map(([code, { status, title }]): Row => [code, folder, status, title]);
    }),
  );
  const first = new Map<string, Row>();
  const other = rows.flat().filter((row) => {
    const [code, , status, title] = row;
    const [, , knownStatus, knownTitle] = first.get(code) ?? row;
    if (!first.has(code)) first.set(code, row);
    return status !== knownStatus || title !== knownTitle;
  });
  expect(other).toEqual([]);
});

test('no page, guide or source names an error code that does not exist', async () => {
  // Not a code but the pattern of codes.
  const known = new Set(['E_UPPER_SNAKE']);
  for (const code of (await Promise.all(all.map(({ directory }) => codesOf(directory)))).flat())
    known.add(code);
  const files = [
    ...all.flatMap(({ directory }) => [
      join(directory, 'README.md'),
      ...filesBelow(join(directory, 'errors')),
      ...filesBelow(join(directory, 'src')),
    ]),
    join(root, 'README.md'),
    ...filesBelow(join(root, 'docs')),
    ...filesBelow(join(root, '.changeset')),
  ].filter((path) => /\.(md|ts)$/.test(path) && existsSync(path));
  const unknown = files.flatMap((path) => {
    const text = readText(path);
    // An example of a domain error defines its own code.
    const defined = [...text.matchAll(/defineProblem\(\s*'(E_[A-Z0-9_]+)'/g)].map(([, code]) => code);
    return [...text.matchAll(/(?<![\w$])E_[A-Z0-9]+(?:_[A-Z0-9]+)*\b(?![_*<{])/g)]
      .map(([code]) => code)
      .filter((code) => !known.has(code) && !defined.includes(code))
      .map((code) => `${shown(path)}: ${code}`);
  });
  expect([...new Set(unknown)]).toEqual([]);
});

test('links inside the repository lead somewhere', () => {
  const files = filesBelow(root).filter((path) => path.endsWith('.md') && !path.includes('templates'));
  const broken = files.flatMap((path) =>
    [
      ...readText(path)
        .replace(/```[^]*?```/g, '')
        .matchAll(/\]\((?!https?:|mailto:|#)([^)\s#]+)[^)]*\)/g),
    ]
      .filter(([, target]) => !existsSync(join(path, '..', decodeURI(target!))))
      .map(([, target]) => `${shown(path)}: ${target}`),
  );
  expect(broken).toEqual([]);
});
