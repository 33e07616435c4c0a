import { readFileSync } from 'node:fs';
import type { Schema } from '../../src/schema.js';

// https://github.com/json-schema-org/JSON-Schema-Test-Suite, tests/draft7 without optional/, commit
// 44401e0c046704b476ec9d2e2fccdaee618f259d: what npm's @json-schema-org/tests loads from that repository. One file a line.
export interface Group {
  readonly description: string;
  readonly schema: Schema;
  readonly tests: readonly {
    readonly description: string;
    readonly data: unknown;
    readonly valid: boolean;
  }[];
}
export interface SuiteFile {
  readonly file: string;
  readonly groups: readonly Group[];
}

export const suite: readonly SuiteFile[] = readFileSync(new URL('./draft7.jsonl', import.meta.url), 'utf8')
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as SuiteFile);

/** Groups whose schema refers to another document; a service loads none. */
const REMOTE: Readonly<Record<string, RegExp>> = {
  'definitions.json': /^validate definition against metaschema$/,
  'ref.json': /^remote ref, containing refs itself$/,
  'refRemote.json': /./,
};

export const isRemote = (file: string, { description }: Group): boolean =>
  REMOTE[file]?.test(description) === true;

export function localGroups(): readonly Group[] {
  return suite.flatMap(({ file, groups }) => groups.filter((group) => !isRemote(file, group)));
}
