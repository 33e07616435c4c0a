import { isAbsolute, relative } from 'node:path';

/** What `jest --json` writes, as far as it is read here. */
export interface JestReport {
  readonly testResults: readonly {
    readonly name: string;
    readonly assertionResults: readonly {
      readonly ancestorTitles: readonly string[];
      readonly title: string;
      readonly status: string;
    }[];
  }[];
}

export interface Outcome {
  readonly file: string;
  readonly title: string;
  /** `'passed'` or `'failed'`; anything else, such as `'pending'` and `'todo'`, did not run. */
  readonly status: string;
}

/** `ASVS V3.4.1: ...` or `ASVS V3.3.1 V3.3.2: ...`, at the beginning of a test's title or of a group's. */
const NAMES_ROWS = /^ASVS((?: V\d+\.\d+\.\d+)+): /;

/** The tests of a run by the rows that they name. A file that could not be run has none, which leaves its rows without tests. */
export function outcomesById(report: JestReport, root: string): ReadonlyMap<string, readonly Outcome[]> {
  const byId = new Map<string, Outcome[]>();
  for (const { name, assertionResults } of report.testResults) {
    const file = (isAbsolute(name) ? relative(root, name) : name).replaceAll('\\', '/');
    for (const { ancestorTitles, title, status } of assertionResults) {
      const titles = [...ancestorTitles, title];
      const ids = new Set(titles.flatMap((text) => NAMES_ROWS.exec(text)?.[1]?.trim().split(' ') ?? []));
      const named = titles.find((text) => NAMES_ROWS.test(text))?.replace(NAMES_ROWS, '') ?? title;
      for (const id of ids) byId.set(id, [...(byId.get(id) ?? []), { file, title: named, status }]);
    }
  }
  return byId;
}
