import { OptionError } from '@portcullis/core';
import type { Engine } from '../engine/engine.js';
import { createJudge, prepare, type Verdict } from '../part.js';
import type { AnySchema, Schema } from '../schema.js';
import { isStandardSchema, judgeByStandard } from '../standard-schema.js';
import { createFilter } from './filter.js';

/** Judges what is about to leave. */
export interface ResponseJudge {
  /** True if what is valid is another value than what was judged: another library has made it. */
  readonly remakes: boolean;
  judge(value: unknown): Verdict | Promise<Verdict>;
  /** Without what the schema does not list; the number says how much that was. */
  filter(value: unknown): { readonly value: unknown; readonly removed: number };
}

/** By status: its own schema, that of its class, or for a success the default. Undefined: not for this to judge. */
export type JudgeOf = (status: number) => ResponseJudge | 'unlisted' | undefined;

const STATUS = /^(?:[1-5]\d\d|[1-5]xx|default)$/;

/** @throws OptionError */
export function readResponses(given: unknown, engine: Engine): JudgeOf {
  const refuse = (path: string, problem: string) =>
    new OptionError('E_OPTION_VALUE', 'validate', path, `${path} ${problem}`);
  if (typeof given !== 'object' || given === null || Array.isArray(given) || isStandardSchema(given)) {
    throw refuse('response', 'must be an object of schemas by status, such as { 200: Book }');
  }
  const judges = new Map<string, ResponseJudge>();
  for (const [status, schema] of Object.entries(given as Record<string, AnySchema>)) {
    const path = `response.${status}`;
    if (!STATUS.test(status))
      throw refuse(path, 'must be a status such as 200, a class such as 2xx, or default');
    judges.set(status, judgeOf(schema, engine, path));
  }
  if (judges.size === 0) throw refuse('response', 'must list at least one status');
  return (status) =>
    judges.get(String(status)) ??
    judges.get(`${Math.floor(status / 100)}xx`) ??
    (status >= 200 && status < 300 ? (judges.get('default') ?? 'unlisted') : undefined);
}

const MAX_FINDINGS = 20;

function judgeOf(schema: AnySchema, engine: Engine, path: string): ResponseJudge {
  if (isStandardSchema(schema)) {
    return {
      remakes: true,
      judge: (value) => judgeByStandard(schema, value, MAX_FINDINGS),
      filter: (value) => ({ value, removed: 0 }),
    };
  }
  const judge = createJudge(schema, { engine, dialect: 'output', owner: 'validate', path });
  const filter = createFilter(prepare(schema, 'output', 'validate', path) as Schema);
  return {
    remakes: false,
    judge: (value) => judge(value, { fromText: false, maxErrors: MAX_FINDINGS }),
    filter,
  };
}
