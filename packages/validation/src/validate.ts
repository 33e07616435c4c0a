import {
  ALLOW,
  ensureContext,
  guard,
  noEvents,
  option,
  OptionError,
  readOptions,
  stageOf,
  tagStage,
  type Allow,
  type Duration,
  type ErrorFactory,
  type Events,
  type Middleware,
  type OptionReader,
  type SecurityContext,
  type SecurityRequest,
  type InputProblem,
} from '@portcullis/core';
import type { ValidInput } from './augment.js';
import { propertiesOf } from './coercion.js';
import { ahead, readPrecompiled, type Precompiled } from './engine/ahead.js';
import type { Engine } from './engine/engine.js';
import { errors } from './error-codes.js';
import { describeSchemas, type ValidationFacts } from './facts.js';
import { checkTextSchema, createJudge, type JudgeOptions, type Verdict } from './part.js';
import { readBody } from './request-body.js';
import { readCookies, readHeaders, readParams, readQuery, type PartRead } from './request-parts.js';
import { readResponses } from './response/read-responses.js';
import { createWatch, type Watch } from './response/watch.js';
import type { AnySchema, PartName, Schema, Schemas, ValidOf } from './schema.js';
import { isStandardSchema, judgeByStandard } from './standard-schema.js';
import { checkUnique, checkUniquePlaces, readUnique, type UniqueRule } from './unique.js';

export interface ValidateOptions {
  /**
   * Media types of bodies that are accepted, lower-case, without parameters. Values of forms
   * (`application/x-www-form-urlencoded`, `multipart/form-data`) are text and read by their declared types.
   * @default ['application/json']
   */
  readonly bodyTypes?: readonly string[];
  /** Problems listed in one answer, 1 to 100. @default 20 */
  readonly maxErrors?: number;
  /**
   * What happens to an answer that does not fit its `response` schema. `refuse`: 500 instead. `filter`: what the
   * schema does not list is left out; what still does not fit is refused. @default 'refuse'
   */
  readonly responses?: 'refuse' | 'filter';
  /** What `precompile()` has made of the schemas. @default generated now, which needs code to be made from text */
  readonly precompiled?: Precompiled;
  /**
   * Values that nobody may have yet, asked of your store after the schemas; at most ten. A value that is taken is
   * answered with 409 E_TAKEN and its pointer, a store that fails or does not answer with 503. This tells whoever asks which
   * values exist: limit the rate of the route. The constraint of the database decides (see `asTaken()`). @default []
   */
  readonly unique?: readonly UniqueRule[];
  /** How long all questions of `unique` together may take, 10 ms to 30 s. @default '2s' */
  readonly uniqueTimeout?: Duration;
  readonly events?: Events;
}

/** Which schema each validated part has passed. Not enumerable; shared by every copy of this module. */
const PASSED = Symbol.for('portcullis.validated');
type Marked = ValidInput & { readonly [PASSED]: Readonly<Partial<Record<PartName, AnySchema>>> };

const TEXT_PARTS: Readonly<
  Record<Exclude<PartName, 'body'>, (req: SecurityRequest, listed?: ReadonlySet<string>) => PartRead>
> = { query: readQuery, params: readParams, headers: readHeaders, cookies: readCookies };

/** `validate()`, with or without an engine for schemas that were not compiled ahead of time. */
export function buildValidate(
  schemas: Schemas,
  options: ValidateOptions,
  otherwise: Engine | undefined,
): Middleware {
  const settings = readOptions('validate', options, {
    bodyTypes: option.array(readMediaType, { min: 1, max: 20, default: ['application/json'] }),
    maxErrors: option.integer({ min: 1, max: 100, default: 20 }),
    responses: option.oneOf(['refuse', 'filter'], 'refuse'),
    precompiled: readPrecompiled,
    unique: readUnique,
    uniqueTimeout: option.duration({ minMs: 10, maxMs: 30_000, default: '2s' }),
    events: option.port<Events>(['emit'], noEvents),
  });
  const { bodyTypes, maxErrors, responses, precompiled, unique, events } = settings;
  const accepted = new Set(bodyTypes);
  const { parts, response } = readSchemas(schemas, ahead(precompiled, otherwise));
  checkUniquePlaces(unique, new Map(parts.map(({ name, listed }) => [name, listed])));
  const passed = Object.fromEntries(parts.map(({ name, schema }) => [name, schema]));

  const conclude = (req: SecurityRequest, verdicts: readonly Verdict[]): Allow | Promise<Allow> => {
    const problems: InputProblem[] = [];
    const values: Record<string, unknown> = Object.create(null);
    verdicts.forEach((verdict, i) => {
      const { name } = parts[i]!;
      if (verdict.valid) values[name] = verdict.value;
      else problems.push(...verdict.findings.map((found) => ({ in: name, ...found })));
    });
    const context = ensureContext(req);
    const refuse = (found: readonly InputProblem[], error: ErrorFactory): never => {
      events.emit({ type: 'validation.failed', requestId: context.requestId, ...summary(found) });
      throw error({ problem: { errors: found.slice(0, maxErrors) } });
    };
    const pass = (taken: readonly InputProblem[]): Allow => {
      if (taken.length > 0) refuse(taken, errors.E_TAKEN);
      keep(context, values, passed);
      return ALLOW;
    };
    if (problems.length > 0) return refuse(problems, errors.E_VALIDATION);
    if (unique.length === 0) return pass([]);
    return checkUnique(unique, values, req, { timeoutMs: settings.uniqueTimeout, events }).then(pass);
  };

  const detail = [...Object.keys(passed), ...(response ? ['response'] : [])].join(' ');
  const facts: ValidationFacts = {
    validates: {
      ...describeSchemas(schemas),
      bodyTypes,
      unique: unique.map(({ in: part, pointer }) => ({ in: part, pointer })),
    },
  };
  const check = guard('validate', { stage: 'validate', detail, facts, events }, (req) => {
    const verdicts = parts.map((part) => {
      const { input, fromText, wrong } = readPart(part, req, accepted);
      return wrong ?? part.judge(input, { fromText, maxErrors });
    });
    return verdicts.every(isVerdict)
      ? conclude(req, verdicts)
      : Promise.all(verdicts.map(async (verdict) => verdict)).then((all) => conclude(req, all));
  });
  return response ? watched(check, createWatch(response, responses, events)) : check;
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
  const parts = Object.keys(schemas).filter((name) => name !== 'response') as (PartName & keyof S)[];
  const missing = parts.find(
    (part) => schemas[part] === undefined || valid?.[PASSED]?.[part] !== schemas[part],
  );
  if (missing !== undefined) throw errors.E_NOT_VALIDATED({ details: { part: missing } });
  return valid as ValidOf<S>;
}

interface Part {
  readonly name: PartName;
  readonly schema: AnySchema;
  /** The names that are listed in headers and cookies; undefined if another library knows them. */
  readonly listed: ReadonlySet<string> | undefined;
  readonly judge: (input: unknown, options: JudgeOptions) => Verdict | Promise<Verdict>;
}

const anySchema: OptionReader<AnySchema | undefined> = (value) => value as AnySchema | undefined;

function readSchemas(schemas: Schemas, engine: Engine) {
  // Path first and body last: the order in which a person would look for the mistake.
  const { response, ...given } = readOptions('validate', schemas, {
    params: anySchema,
    query: anySchema,
    headers: anySchema,
    cookies: anySchema,
    body: anySchema,
    response: (value) => (value === undefined ? undefined : readResponses(value, engine)),
  });
  const parts = (Object.entries(given) as [PartName, AnySchema | undefined][]).flatMap(([name, schema]) =>
    schema === undefined ? [] : [readSchema(name, schema, engine)],
  );
  if (parts.length > 0 || response) return { parts, response };
  throw new OptionError('E_OPTION_REQUIRED', 'validate', '', 'at least one part needs a schema');
}

function readSchema(name: PartName, schema: AnySchema, engine: Engine): Part {
  if (isStandardSchema(schema)) {
    const judge: Part['judge'] = (input, { maxErrors }) => judgeByStandard(schema, input, maxErrors);
    return { name, schema, listed: undefined, judge };
  }
  const judge = createJudge(schema, { engine, owner: 'validate', path: name });
  const json = schema as Schema;
  if (name !== 'body') checkTextSchema(json, 'validate', name);
  if (name === 'headers') checkHeaderNames(json);
  return { name, schema, listed: new Set(Object.keys(propertiesOf(json))), judge };
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

function readPart({ name, listed }: Part, req: SecurityRequest, accepted: ReadonlySet<string>) {
  if (name === 'body') {
    const { value, fromText } = readBody(req, accepted);
    if (value !== undefined) return { input: value, fromText };
    const missing = { pointer: '', keyword: 'required', message: 'is required' };
    return { input: value, fromText, wrong: { valid: false, findings: [missing] } as const };
  }
  const read = TEXT_PARTS[name](req, listed);
  return read.ok
    ? { input: read.value, fromText: true }
    : { input: undefined, fromText: true, wrong: { valid: false, findings: [read.finding] } as const };
}

function isVerdict(value: Verdict | Promise<Verdict>): value is Verdict {
  return 'valid' in value;
}

/** Answers are watched once the request has passed: `next` is where a refused one goes. */
function watched(check: Middleware, watch: Watch): Middleware {
  const middleware: Middleware = (req, res, next) =>
    check(req, res, (error) => {
      if (error === undefined) watch(req, res, next);
      next(error);
    });
  return tagStage(middleware, stageOf(check)!);
}

/** Several validators on one route each add their parts. */
function keep(
  context: SecurityContext,
  values: Readonly<Record<string, unknown>>,
  passed: Readonly<Partial<Record<PartName, AnySchema>>>,
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
