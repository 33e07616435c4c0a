import { describe, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { searchText, type NewBook } from '../src/books.js';
import { importCatalogue } from '../src/catalogue.js';
import { lockDirectory } from '../src/directory-lock.js';
import { isIsbn13 } from '../src/isbn.js';
import { loadSettings } from '../src/settings.js';
import { html } from '../src/views/html.js';

const here = fileURLToPath(new URL('.', import.meta.url));
const folder = (): string => mkdtempSync(join(tmpdir(), 'portcullis-parts-'));

test('the settings table of the README is what the declaration says', () => {
  const readme = readFileSync(join(here, '../README.md'), 'utf8');
  const table = /<!-- settings: [^\n]*-->\n([\s\S]*?)<!-- end of settings -->/.exec(readme)![1]!;
  const rows = loadSettings({ env: {}, files: [], production: false }).describe();
  const wanted = rows.map(({ name, presence, default: value, note }) => [
    name,
    presence,
    value ?? '',
    note ?? '',
  ]);
  const cells = (line: string): string[] =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim().replaceAll('`', ''));
  expect(table.trim().split('\n').slice(2).map(cells)).toEqual(wanted);
});

describe('html', () => {
  test('every value is escaped for text and quoted attributes; nested markup is not escaped twice', () => {
    const evil = `"><script>alert('x')</script>&`;
    const escaped = '&quot;&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&amp;';
    expect(html`<p title="${evil}">${evil}</p>`.toString()).toBe(`<p title="${escaped}">${escaped}</p>`);
    const items = [html`<li>${'<'}</li>`, html`<li>${1}</li>`];
    expect(html`<ul>${items}</ul>`.toString()).toBe('<ul><li>&lt;</li><li>1</li></ul>');
    expect(html`a${null}b${undefined}c${false}d`.toString()).toBe('abcd');
  });

  test('an object that only pretends to be markup is escaped', () => {
    const forged = { toString: () => '<b>' } as unknown as string;
    expect(html`${forged}`.toString()).toBe('&lt;b&gt;');
  });
});

describe('the data folder', () => {
  test('has one opener at a time; the second one is told which process has it', () => {
    const directory = folder();
    const release = lockDirectory(directory);
    expect(() => lockDirectory(directory)).toThrow(
      expect.objectContaining({
        code: 'E_DATA_DIRECTORY_IN_USE',
        message: expect.stringContaining(String(process.pid)) as unknown,
      }),
    );
    release();
    lockDirectory(directory)();
    rmSync(directory, { recursive: true });
  });

  test('is not opened by the staff command while the library has it: it says so in one sentence', () => {
    const directory = folder();
    const release = lockDirectory(directory);
    const command = spawnSync(
      process.execPath,
      [
        '--conditions=@portcullis/source',
        '--import',
        'tsx',
        join(here, '../src/new-staff.ts'),
        'x@y.example',
      ],
      { cwd: here, env: { PATH: process.env['PATH'], DATA_DIRECTORY: directory }, encoding: 'utf8' },
    );
    expect(command.status).toBe(1);
    expect(command.stderr).toMatch(
      /^The data folder .* is open in another process .* Stop that one first.*\n$/,
    );
    release();
    rmSync(directory, { recursive: true });
  });

  test('is free again after its owner was killed', () => {
    const directory = folder();
    const source = join(here, '../src/directory-lock.ts');
    const code = `const { lockDirectory } = await import(${JSON.stringify(source)}); lockDirectory(${JSON.stringify(directory)}); process.kill(process.pid, 'SIGKILL');`;
    const owner = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code], {
      cwd: here,
    });
    expect(owner.signal).toBe('SIGKILL');
    expect(existsSync(join(directory, 'lock.json'))).toBe(true);
    const release = lockDirectory(directory);
    expect(JSON.parse(readFileSync(join(directory, 'lock.json'), 'utf8'))).toMatchObject({
      pid: process.pid,
    });
    release();
    rmSync(directory, { recursive: true });
  });

  test('a process that has got the number of a dead owner is not mistaken for it', () => {
    const directory = folder();
    // This process's number with another start time: what is left when the system hands a number out again.
    writeFileSync(
      join(directory, 'lock.json'),
      JSON.stringify({ pid: process.pid, started: '1', id: 'dead' }),
    );
    if (process.platform === 'linux') lockDirectory(directory)();
    else expect(() => lockDirectory(directory)).toThrow();
    rmSync(directory, { recursive: true });
  });
});

interface Title {
  readonly isbn13: string;
  readonly title: string;
  readonly author: string;
  readonly year: number;
}
const titles = JSON.parse(readFileSync(join(here, '../data/books.json'), 'utf8')) as readonly Title[];

describe('the list of titles', () => {
  test('has at least 200 books, each with author, year and a valid ISBN-13 of its own', () => {
    expect(titles.length).toBeGreaterThanOrEqual(200);
    expect(new Set(titles.map(({ isbn13 }) => isbn13)).size).toBe(titles.length);
    for (const { isbn13, title, author, year } of titles) {
      expect([isbn13, isIsbn13(isbn13)]).toEqual([isbn13, true]);
      expect(title.length * author.length).toBeGreaterThan(0);
      expect(Number.isInteger(year) && year > -1000 && year < 2026).toBe(true);
    }
  });
});

const catalogue = process.env['PORTCULLIS_CATALOGUE'] ?? join(here, '../../../../shared/catalogue/books.csv');

describe('catalogue files', () => {
  const imported = async (file: string) => {
    const books = new Map<string, NewBook>();
    const report = await importCatalogue(file, async (batch) => {
      const before = books.size;
      for (const book of batch) if (!books.has(book.isbn13)) books.set(book.isbn13, book);
      return books.size - before;
    });
    return { books, report };
  };

  if (existsSync(catalogue)) {
    test('9,277 real books are read, and every title of the list agrees with them on author and year', async () => {
      const { books, report } = await imported(catalogue);
      expect(report).toMatchObject({ read: 9277, added: 9277 - report.rejected.length });
      expect(report.rejected.length).toBeLessThan(10);
      for (const { isbn13, title, author, year } of titles) {
        const known = books.get(isbn13);
        const surname = searchText(author).split(' ').at(-1)!;
        expect([title, known?.year]).toEqual([title, year]);
        expect(searchText(known?.authors ?? '')).toContain(surname);
      }
    });
  } else {
    console.warn('SKIPPED: no catalogue file (set PORTCULLIS_CATALOGUE).');
  }

  test('bad lines are refused with their number and reason; the others are added', async () => {
    const directory = folder();
    const file = join(directory, 'books.csv');
    writeFileSync(
      file,
      [
        'isbn13,isbn10,title,authors,original_publication_year,language',
        '9780141439518,,Pride and Prejudice,Jane Austen,1813,eng',
        '9780141439519,,Wrong check digit,Nobody,1813,eng',
        '9780141439518,,The same again,Jane Austen,1813,eng',
        '9780451524935,,,George Orwell,1949,eng',
        '9780452284241,,Animal Farm,George Orwell,nineteen,eng',
        '9780060929879,,"Brave ""New"" World\u202e","Aldous Huxley",,eng',
        'only one column',
      ].join('\n'),
    );
    const { books, report } = await imported(file);
    expect(report).toMatchObject({ read: 7, added: 2, present: 1 });
    expect(report.rejected).toEqual([
      { line: 3, reason: 'isbn13 is not a valid ISBN-13' },
      { line: 5, reason: 'title must have 1 to 300 characters' },
      { line: 6, reason: 'original_publication_year is not a year' },
      { line: 8, reason: 'isbn13 is not a valid ISBN-13' },
    ]);
    expect(books.get('9780060929879')).toMatchObject({ title: 'Brave "New" World', year: null });
    writeFileSync(file, 'title,author\nx,y\n');
    await expect(imported(file)).rejects.toThrow(/must name the columns/);
    await expect(imported(join(directory, 'absent.csv'))).rejects.toThrow(/ENOENT/);
    rmSync(directory, { recursive: true });
  });
});
