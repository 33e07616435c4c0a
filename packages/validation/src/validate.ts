import {
  ALLOW,
  ensureContext,
  guard,
  noEvents,
  option,
  OptionError,
  readOptions,
  type Events,
  type Middleware,
  type OptionReader,
  type SecurityContext,
  type SecurityRequest,
} from '@portcullis/core';
import type { ValidInput } from './augment.js';
import { errors } from './error-codes.js';
import { checkTextSchema, createJudge, type Judge } from './part.js';
import type { InputProblem } from './problem.js';
import { readBody } from './request-body.js';
import { readCookies, readHeaders, readParams, readQuery, type PartRead } from './request-parts.js';
import type { PartName, Schema, Schemas, ValidOf } from './schema.js';

export interface ValidateOptions {
  /**
   * Media types of bodies that are accepted, lower-case, without parameters. Values of forms
   * (`application/x-www-form-urlencoded`, `multipart/form-data`) are text and read by their declared types.
   * @default ['application/json']
   */
  readonly bodyTypes?: readonly string[];
  /** Problems listed in one answer, 1 to 100. @default 20 */
  readonly maxErrors?: number;
  readonly events?: Events;
}

/** Which schema each validated part has passed. Not enumerable; shared by every copy of this module. */
const PASSED = Symbol.for('portcullis.validated');
type Marked = ValidInput & { readonly [PASSED]: Readonly<Partial<Record<PartName, Schema>>> };

const TEXT_PARTS: Readonly<
  Record<Exclude<PartName, 'body'>, (req: SecurityRequest, schema: Schema) => PartRead>
> = { query: readQuery, params: readParams, headers: readHeaders, cookies: readCookies };

/**
 * Lets only input through that has the form of its schemas, and writes copies of it to `req.security.valid`.
 * Mount it on the route, after the body parser. Objects take listed properties only; strings are single lines
 * without control characters unless their schema names another format; a body is never coerced, query, path,
 * headers, cookies and forms are read by declared types in one spelling per value.
 * Schemas are checked and compiled when this is called; what is wrong or could be made slow does not start.
 * Does not touch `req.body`, `req.query` and `req.params`: handlers read `validOf(schemas, req)`.
 * @throws OptionError; per request E_VALIDATION (400) and E_MEDIA_TYPE (415)
 * @see OWASP ASVS 5.0 V1.5, V2.2; RFC 6901
 */
export function validate(schemas: Schemas, options: ValidateOptions = {}): Middleware {
  const { bodyTypes, maxErrors, events } = readOptions('validate', options, {
    bodyTypes: option.array(readMediaType, { min: 1, max: 20, default: ['application/json'] }),
    maxErrors: option.integer({ min: 1, max: 100, default: 20 }),
    events: option.port<Events>(['emit'], noEvents),
  });
  const accepted = new Set(bodyTypes);
  const parts = readSchemas(schemas);
  const passed = Object.fromEntries(parts.map(({ name, schema }) => [name, schema]));

  return guard('validate', { stage: 'validate', detail: Object.keys(passed).join(' '), events }, (req) => {
    const problems: InputProblem[] = [];
    const values: Record<string, unknown> = Object.create(null);
    for (const { name, schema, judge } of parts) {
      const left = maxErrors - problems.length;
      if (left <= 0) break;
      const { input, fromText, wrong } = readPart(name, schema, req, accepted);
      const verdict = wrong ?? judge(input, { fromText, maxErrors: left });
      if (verdict.valid) values[name] = verdict.value;
      else problems.push(...verdict.findings.map((found) => ({ in: name, ...found })));
    }
    const context = ensureContext(req);
    if (problems.length > 0) {
      events.emit({ type: 'validation.failed', requestId: context.requestId, ...summary(problems) });
      throw errors.E_VALIDATION({ problem: { errors: problems } });
    }
    keep(context, values, passed);
    return ALLOW;
  });
}

/**
 * What `validate(schemas)` has let through, typed. The same object as was given to `validate()` must be given here.
 * @throws E_NOT_VALIDATED (500) if one of its parts was not validated against it on this request
 */
export function validOf<const S extends Schemas>(
  schemas: S,
  req: { readonly security?: SecurityContext | undefined },
): ValidOf<S> {
  const valid = req.security?.valid as Marked | undefined;
  const parts = Object.keys(schemas) as (PartName & keyof S)[];
  const missing = parts.find(
    (part) => schemas[part] === undefined || valid?.[PASSED]?.[part] !== schemas[part],
  );
  if (missing !== undefined) throw errors.E_NOT_VALIDATED({ details: { part: missing } });
  return valid as ValidOf<S>;
}

interface Part {
  readonly name: PartName;
  readonly schema: Schema;
  readonly judge: Judge;
}

const anySchema: OptionReader<Schema | undefined> = (value) => value as Schema | undefined;

function readSchemas(schemas: Schemas): readonly Part[] {
  // Path first and body last: the order in which a person would look for the mistake.
  const given = readOptions('validate', schemas, {
    params: anySchema,
    query: anySchema,
    headers: anySchema,
    cookies: anySchema,
    body: anySchema,
  });
  const parts = (Object.entries(given) as [PartName, Schema | undefined][]).flatMap(([name, schema]) => {
    if (schema === undefined) return [];
    const judge = createJudge(schema, 'validate', name);
    if (name !== 'body') checkTextSchema(schema, 'validate', name);
    if (name === 'headers') checkHeaderNames(schema);
    return [{ name, schema, judge }];
  });
  if (parts.length > 0) return parts;
  throw new OptionError('E_OPTION_REQUIRED', 'validate', '', 'at least one part needs a schema');
}

function checkHeaderNames({ properties = {} }: Schema): void {
  const wrong = Object.keys(properties as object).find((name) => name !== name.toLowerCase());
  if (wrong === undefined) return;
  const path = `headers.properties.${wrong}`;
  throw new OptionError(
    'E_OPTION_VALUE',
    'validate',
    path,
    `${path} must be lower-case: "${wrong.toLowerCase()}"`,
  );
}

function readPart(name: PartName, schema: Schema, req: SecurityRequest, accepted: ReadonlySet<string>) {
  if (name === 'body') {
    const { value, fromText } = readBody(req, accepted);
    if (value !== undefined) return { input: value, fromText };
    const missing = { pointer: '', keyword: 'required', message: 'is required' };
    return { input: value, fromText, wrong: { valid: false, findings: [missing] } as const };
  }
  const read = TEXT_PARTS[name](req, schema);
  return read.ok
    ? { input: read.value, fromText: true }
    : { input: undefined, fromText: true, wrong: { valid: false, findings: [read.finding] } as const };
}

/** Several validators on one route each add their parts. */
function keep(
  context: SecurityContext,
  values: Readonly<Record<string, unknown>>,
  passed: Readonly<Partial<Record<PartName, Schema>>>,
): void {
  const before = context.valid as Marked | undefined;
  const valid: Record<PropertyKey, unknown> = Object.assign(Object.create(null), before, values);
  Object.defineProperty(valid, PASSED, { value: { ...before?.[PASSED], ...passed }, enumerable: false });
  context.valid = Object.freeze(valid);
}

function summary(problems: readonly InputProblem[]) {
  return {
    in: [...new Set(problems.map((problem) => problem.in))],
    keywords: [...new Set(problems.map(({ keyword }) => keyword))].slice(0, 10),
  };
}

const readMediaType: OptionReader<string> = option.string({
  max: 100,
  pattern: /^[a-z0-9.+-]+\/[a-z0-9.+-]+$/,
});
