import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { judge, type Result } from '../src/judge.js';
import { outcomesById, type JestReport } from '../src/outcomes.js';
import { toMarkdown, toText } from '../src/report.js';
import { COMPLETE, readRequirements, REQUIREMENTS_FILE, type Requirement } from '../src/requirements.js';

const root = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..');
const requirements = readRequirements(REQUIREMENTS_FILE);

test('every row has one id, a level, a kind and a text, and complete packages exist', () => {
  expect(requirements.length).toBe(250);
  expect(new Set(requirements.map(({ id }) => id)).size).toBe(250);
  for (const row of requirements) {
    expect(row).toMatchObject({
      id: expect.stringMatching(/^V\d+\.\d+\.\d+$/),
      kind: expect.stringMatching(/^(package-test(-partial)?|example-app-test)$/),
      shows: expect.stringMatching(/^.{5,160}$/),
    });
    expect([1, 2, 3]).toContain(row.level);
  }
  const packages = new Set([...requirements.map((row) => row.package), 'core', 'redact']);
  expect(COMPLETE.filter((name) => !packages.has(name))).toEqual([]);
});

describe('over a run of Jest that holds every kind of result', () => {
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-asvs-'));
  const resultsFile = join(folder, 'results.json');
  const files = {
    'rows.test.js': `
      test('ASVS V3.5.1: holds', () => {});
      describe.each(['4', '5'])('on %s', (version) => {
        test('ASVS V3.5.2 V3.5.3: holds on both, or not', () => {
          if (version === '5') throw new Error('does not hold');
        });
      });
      describe('ASVS V3.4.1: a group', () => {
        test('one', () => {});
        test.skip('two', () => {});
      });
      test.todo('ASVS V3.4.2: some day');
      test('says ASVS V3.4.4: in the middle', () => {});
      test('ASVS V3.4.40: names a row that is none', () => {});`,
    'broken.test.js': `
      test('ASVS V3.4.5: never collected', () => {});
      throw new Error('the file does not load');`,
  };
  let report: JestReport;

  beforeAll(() => {
    writeFileSync(join(folder, 'package.json'), '{}');
    for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
    const jest = join(root, 'node_modules', 'jest', 'bin', 'jest.js');
    const args = [jest, '--rootDir', folder, '--json', `--outputFile=${resultsFile}`, '--config', '{}', '-i'];
    spawnSync(process.execPath, args, { cwd: folder });
    report = JSON.parse(readFileSync(resultsFile, 'utf8')) as JestReport;
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const row = (id: string, kind: Requirement['kind'] = 'package-test', name = 'mine'): Requirement => ({
    id,
    kind,
    level: 1,
    package: name,
    shows: 'something',
  });

  test.each<[string, Result]>([
    ['V3.5.1', 'passed'],
    ['V3.5.2', 'failed'],
    ['V3.5.3', 'failed'],
    ['V3.4.1', 'skipped'],
    ['V3.4.2', 'skipped'],
    ['V3.4.4', 'missing'],
    ['V3.4.5', 'missing'],
    ['V3.4.6', 'missing'],
  ])('%s is %s, and only what passed is no fault of a complete package', (id, result) => {
    const outcomes = new Map([...outcomesById(report, root)].filter(([named]) => named === id));
    const verdict = judge([row(id)], outcomes, ['mine']);
    expect(verdict.rows).toMatchObject([{ id, result, mandatory: true }]);
    expect(verdict.faults).toEqual(result === 'passed' ? [] : [`${id} (mine): ${result}`]);
  });

  test('where the package is not declared complete, or the row is one in part, only a failing test is a fault', () => {
    for (const [wanted, complete] of [
      [row('V3.4.1'), []],
      [row('V3.4.6'), []],
      [row('V3.4.6', 'package-test-partial'), ['mine']],
      [row('V3.4.6', 'example-app-test'), ['mine']],
    ] as const) {
      const outcomes = new Map([...outcomesById(report, root)].filter(([named]) => named === wanted.id));
      expect(judge([wanted], outcomes, complete).faults).toEqual([]);
    }
    const outcomes = new Map([...outcomesById(report, root)].filter(([named]) => named === 'V3.5.2'));
    expect(judge([row('V3.5.2')], outcomes, []).faults).toEqual(['V3.5.2 (mine): failed']);
  });

  test('a test that names a row that is none is a fault', () => {
    expect(judge([], outcomesById(report, root), []).faults).toContain(
      'V3.4.40: a test names it, but there is no such row',
    );
  });

  test('text and document hold each row with its tests and its result', () => {
    const verdict = judge([row('V3.5.1'), row('V3.5.2'), row('V3.4.6')], outcomesById(report, root), [
      'mine',
    ]);
    const text = toText(verdict);
    expect(text).toMatch(/V3\.5\.1 +L1 mine +passed +something\n +- holds \(.*rows\.test\.js\)/);
    expect(text).toMatch(/V3\.5\.2 +L1 mine +FAILED[^]*holds on both, or not \(.*rows\.test\.js\), 2 times/);
    expect(text).toMatch(/mine +1 of 3 passed/);
    const document = toMarkdown(verdict, { date: '2026-01-02', node: 'v20' });
    expect(document).toMatch(/2026-01-02[^]*\| mine \| complete \| 1 of 3 \|[^]*\| V3\.4\.6 .* no test \|/);
  });

  test('the command ends with 1 while a row of a complete package is red, and with 0 once all are green', () => {
    const tsx = join(root, 'node_modules', 'tsx', 'dist', 'cli.mjs');
    const command = join(root, 'tooling', 'asvs', 'src', 'asvs.ts');
    const run = (results: JestReport) => {
      writeFileSync(resultsFile, JSON.stringify(results));
      return spawnSync(process.execPath, [tsx, command, '--results', resultsFile], { encoding: 'utf8' });
    };
    const red = run(report);
    expect([red.status, red.stdout]).toEqual([1, expect.stringContaining('V3.5.2 (csrf): failed')]);
    const titles = requirements.map(({ id }) => `ASVS ${id}: holds`);
    const assertionResults = titles.map((title) => ({ title, ancestorTitles: [], status: 'passed' }));
    const green = run({ testResults: [{ name: join(root, 'x.test.ts'), assertionResults }] });
    expect([green.status, green.stderr]).toEqual([0, '']);
    const pending = assertionResults.map((one) =>
      one.title.includes('V3.5.1:') ? { ...one, status: 'pending' } : one,
    );
    const skipped = run({ testResults: [{ name: join(root, 'x.test.ts'), assertionResults: pending }] });
    expect([skipped.status, skipped.stdout]).toEqual([1, expect.stringContaining('V3.5.1 (csrf): skipped')]);
  });
});
