import type { Result, Row, Verdict } from './judge.js';

const MARKS: Readonly<Record<Result, string>> = {
  passed: 'passed',
  failed: 'FAILED',
  skipped: 'SKIPPED',
  missing: 'no test',
};

/** The table for a terminal: id, requirement, result, and below it the tests that name the row. */
export function toText({ rows, faults }: Verdict): string {
  const lines = rows.flatMap((row) => [
    `${row.id.padEnd(8)} L${row.level} ${row.package.padEnd(11)} ${resultText(row).padEnd(14)} ${row.shows}`,
    ...titlesOf(row).map((title) => `${' '.repeat(12)}- ${title}`),
  ]);
  const counts = countsOf(rows).map(
    ({ name, tested, passed, partial, partialPassed, state }) =>
      `${name.padEnd(12)} ${passed} of ${tested} passed; in part: ${partialPassed} of ${partial} (${state})`,
  );
  const end =
    faults.length === 0
      ? ['Every row of the packages that are declared complete is shown by tests that passed.']
      : ['NOT COMPLETE:', ...faults.map((fault) => `  ${fault}`)];
  return [...lines, '', ...counts, '', ...end, ''].join('\n');
}

/** The document for readers, with the date and what it was run on. */
export function toMarkdown(
  { rows, faults }: Verdict,
  run: { readonly date: string; readonly node: string },
): string {
  const counts = countsOf(rows).map(
    ({ name, tested, passed, partial, partialPassed, state }) =>
      `| ${name} | ${state} | ${passed} of ${tested} | ${partialPassed} of ${partial} |`,
  );
  const details = rows.map(
    (row) =>
      `| ${row.id} | ${row.level} | ${row.package} | ${cell(row.shows)} | ${titlesOf(row).map(cell).join('<br>')} | ${resultText(row)} |`,
  );
  return [
    '# OWASP ASVS 5.0',
    '',
    `\`pnpm asvs --write\`, ${run.date}, Node.js ${run.node}. Rows that a library or the digital library can carry, and the tests that name`,
    'them. A row has passed if there is such a test and all of them ran and passed. Rows marked "in part" need more than these packages.',
    '',
    'Identifiers and levels: [OWASP ASVS 5.0.0](https://github.com/OWASP/ASVS), CC BY-SA 4.0. The texts are ours: what a test of the row shows.',
    '',
    '| package | | rows passed | rows passed in part |',
    '| --- | --- | --- | --- |',
    ...counts,
    '',
    ...(faults.length === 0 ? [] : ['Not complete:', '', ...faults.map((fault) => `- ${fault}`), '']),
    '| row | level | package | what a test shows | tests | result |',
    '| --- | --- | --- | --- | --- | --- |',
    ...details,
    '',
  ].join('\n');
}

function resultText({ result, kind, mandatory }: Row): string {
  if (result === 'missing' && !mandatory) return 'open';
  return kind === 'package-test-partial' && result === 'passed' ? 'passed in part' : MARKS[result];
}

/** One title once, however many majors of Express and rows of a table it ran for. */
function titlesOf({ tests }: Row): readonly string[] {
  const counts = new Map<string, number>();
  for (const { file, title } of tests) {
    const text = `${title} (${file})`;
    counts.set(text, (counts.get(text) ?? 0) + 1);
  }
  const shown = [...counts]
    .slice(0, 4)
    .map(([text, count]) => (count > 1 ? `${text}, ${count} times` : text));
  return counts.size > 4 ? [...shown, `and ${counts.size - 4} more`] : shown;
}

function countsOf(rows: readonly Row[]) {
  return [...new Set(rows.map((row) => row.package))].toSorted().map((name) => {
    const all = rows.filter((row) => row.package === name);
    const partial = all.filter(({ kind }) => kind === 'package-test-partial');
    const tested = all.filter((row) => !partial.includes(row));
    const passed = (some: readonly Row[]) => some.filter(({ result }) => result === 'passed').length;
    return {
      name,
      state: all.some(({ mandatory }) => mandatory) ? 'complete' : 'open',
      tested: tested.length,
      passed: passed(tested),
      partial: partial.length,
      partialPassed: passed(partial),
    };
  });
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;');
}
