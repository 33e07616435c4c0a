import {
  hasCode,
  isError,
  isSecurityError,
  isSqlError,
  nearest,
  option,
  OptionError,
  readOptions,
  within,
  type Events,
  type OptionReader,
  type SecurityRequest,
  type InputProblem,
} from '@portcullis/core';
import { errors } from './error-codes.js';
import type { PartName } from './schema.js';

export interface UniqueRule {
  /** The part that holds the value. @default 'body' */
  readonly in?: PartName;
  /** Where the value stands, as a JSON Pointer (RFC 6901): `/email`. */
  readonly pointer: string;
  /**
   * Whether somebody has the value already. Asked after all schemas have passed, and only for values that are there;
   * `value` is the validated copy. Bind it, never write it into a query. Anything but `true` or `false` is a failure.
   */
  readonly taken: (value: never, req: SecurityRequest, call: TakenCall) => boolean | Promise<boolean>;
}

export interface TakenCall {
  /** Aborted when the answer would come too late. */
  readonly signal: AbortSignal;
}

/** A rule as it is asked. */
export interface UniqueCheck {
  readonly in: PartName;
  readonly pointer: string;
  readonly steps: readonly string[];
  readonly taken: (value: unknown, req: SecurityRequest, call: TakenCall) => unknown;
}

const MESSAGE = 'is already in use';

export const readUnique: OptionReader<readonly UniqueCheck[]> = (value, owner, path) => {
  const checks = option.array(readRule, { min: 0, max: 10, default: [] })(value, owner, path);
  checks.forEach((check, i) => {
    const same = checks.findIndex((other) => other.in === check.in && other.pointer === check.pointer);
    if (same === i) return;
    throw new OptionError(
      'E_OPTION_CONFLICT',
      owner,
      `${path}[${i}]`,
      `${path}[${i}] repeats ${path}[${same}]`,
    );
  });
  return checks;
};

const readRule: OptionReader<UniqueCheck> = (value, owner, path) => {
  const rule = readOptions(
    owner,
    value,
    {
      in: option.oneOf(['body', 'query', 'params', 'headers', 'cookies'], 'body'),
      pointer: readPointer,
      taken: option.fn<UniqueCheck['taken']>(),
    },
    path,
  );
  return { ...rule, steps: stepsOf(rule.pointer) };
};

const readPointer = option.string({ max: 200, pattern: /^(?:\/(?:[^~/]|~[01])+)+$/ });

/** What is asked about must be something that the schemas let in. */
export function checkUniquePlaces(
  checks: readonly UniqueCheck[],
  listed: ReadonlyMap<PartName, ReadonlySet<string> | undefined>,
): void {
  checks.forEach(({ in: part, pointer, steps }, i) => {
    const path = `unique[${i}]`;
    if (!listed.has(part)) {
      throw new OptionError(
        'E_OPTION_VALUE',
        'validate',
        path,
        `${path} is about ${part}, which has no schema`,
      );
    }
    const names = listed.get(part);
    if (names === undefined || names.size === 0 || names.has(steps[0]!)) return;
    const near = nearest(steps[0]!, [...names]);
    throw new OptionError(
      'E_OPTION_VALUE',
      'validate',
      `${path}.pointer`,
      `${path}.pointer is "${pointer}", which the schema of ${part} does not list.${near ? ` Did you mean "/${near}"?` : ''}`,
    );
  });
}

/**
 * Asks all rules at once.
 * @throws E_TAKEN (409) with the pointers; E_UNIQUENESS_UNKNOWN (503) if one of them fails or does not answer in time
 */
export async function checkUnique(
  checks: readonly UniqueCheck[],
  values: Readonly<Record<string, unknown>>,
  req: SecurityRequest,
  { timeoutMs, events }: { readonly timeoutMs: number; readonly events: Events },
): Promise<readonly InputProblem[]> {
  const controller = new AbortController();
  const asked = checks.flatMap((check) => {
    const value = valueAt(values[check.in], check.steps);
    return value === undefined ? [] : [ask(check, value, req, controller.signal)];
  });
  const late = () => new Error('The answer did not come in time.');
  try {
    const answers = await within(Promise.all(asked), timeoutMs, late);
    return answers.flat();
  } catch (error) {
    const code = isSecurityError(error) ? error.code : 'E_UNIQUENESS_UNKNOWN';
    events.emit({ type: 'store.failed', store: 'unique', operation: 'taken', code });
    throw errors.E_UNIQUENESS_UNKNOWN({ cause: error });
  } finally {
    controller.abort();
  }
}

async function ask(
  check: UniqueCheck,
  value: unknown,
  req: SecurityRequest,
  signal: AbortSignal,
): Promise<readonly InputProblem[]> {
  const taken: unknown = await check.taken(value, req, { signal });
  // A query that answers with rows, a count or nothing has not said whether the value is free.
  if (typeof taken !== 'boolean')
    throw new TypeError(`taken() of ${check.pointer} answered neither true nor false`);
  return taken ? [problemAt(check)] : [];
}

function problemAt({ in: part, pointer }: { readonly in: PartName; readonly pointer: string }): InputProblem {
  return { in: part, pointer, keyword: 'unique', message: MESSAGE };
}

/** By the name of a constraint or unique index of the database: where the value that broke it stood. */
export interface UniqueConstraints {
  readonly [constraint: string]: string | { readonly in: PartName; readonly pointer: string };
}

/**
 * Makes of a unique violation what `unique` would have answered: E_TAKEN (409) with the pointer. Between the question and the
 * write somebody else can take the value, so the constraint of the database decides, and this says so in the same words:
 * `catch (error) { throw asTaken(error, { users_email_key: '/email' }); }`.
 * Understands core's `SqlError`, and errors with SQLSTATE 23505 as `code` and a `constraint` (pg, PGlite, Knex; wrapped
 * as `cause` by Drizzle and others). Everything else, and constraints that are not listed, come back as they were.
 */
export function asTaken(error: unknown, constraints: UniqueConstraints): unknown {
  const constraint = violated(error);
  if (constraint === undefined || !Object.hasOwn(constraints, constraint)) return error;
  const place = constraints[constraint]!;
  const at = typeof place === 'string' ? ({ in: 'body', pointer: place } as const) : place;
  return errors.E_TAKEN({ problem: { errors: [problemAt(at)] }, cause: error });
}

const MAX_CAUSES = 5;

/** The unique constraint that was broken, or undefined if that is not what happened. */
function violated(error: unknown): string | undefined {
  let current = error;
  for (let depth = 0; depth < MAX_CAUSES && isError(current); depth++) {
    const { constraint, cause } = current as { constraint?: unknown; cause?: unknown };
    const unique = isSqlError(current, 'unique') || hasCode(current, '23505');
    if (unique && typeof constraint === 'string') return constraint;
    current = cause;
  }
  return undefined;
}

function valueAt(value: unknown, steps: readonly string[]): unknown {
  let current = value;
  for (const step of steps) {
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, step)) return undefined;
    current = (current as Record<string, unknown>)[step];
  }
  return current;
}

/** RFC 6901 section 4. */
function stepsOf(pointer: string): string[] {
  return pointer
    .slice(1)
    .split('/')
    .map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'));
}
