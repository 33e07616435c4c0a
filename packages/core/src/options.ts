import { toMs, type Duration } from './duration.js';
import { OptionError } from './option-error.js';
import { Secret } from './secret.js';

/** Reads one option: takes the raw value (undefined if absent) and returns what the builder uses, or throws. */
export type OptionReader<T> = (value: unknown, owner: string, path: string) => T;

type Readers = Readonly<Record<string, OptionReader<unknown>>>;
export type OptionValues<R extends Readers> = { readonly [K in keyof R]: ReturnType<R[K]> };

/**
 * Checks an options object completely while something is built: unknown names (with the near miss), missing
 * ones, wrong types and ranges. Returns the values with defaults filled in, frozen.
 * Read only own properties, so that a polluted prototype cannot configure anything.
 * @throws OptionError
 */
export function readOptions<const R extends Readers>(
  owner: string,
  options: unknown,
  readers: R,
  path = '',
): OptionValues<R> {
  const given: unknown = options === undefined ? {} : options;
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new OptionError(
      'E_OPTION_TYPE',
      owner,
      path,
      `${path || 'the options'} must be an object, not ${describe(given)}`,
    );
  }
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(readers, name)) {
      const near = nearest(name, Object.keys(readers));
      const hint = near ? `Did you mean "${near}"?` : `Known: ${Object.keys(readers).join(', ')}.`;
      throw new OptionError(
        'E_OPTION_UNKNOWN',
        owner,
        join(path, name),
        `there is no option "${join(path, name)}". ${hint}`,
      );
    }
  }
  const values: Record<string, unknown> = {};
  for (const [name, read] of Object.entries(readers)) {
    const raw: unknown = Object.hasOwn(given, name) ? (given as Record<string, unknown>)[name] : undefined;
    values[name] = read(raw, owner, join(path, name));
  }
  return Object.freeze(values) as OptionValues<R>;
}

/** The common readers. Each takes its default; without one the option is required, with `undefined` it is optional. */
export const option = {
  boolean: (...fallback: [boolean?]): OptionReader<boolean> =>
    withDefault(fallback, (value, owner, path) =>
      typeof value === 'boolean' ? value : wrongType(owner, path, 'true or false', value),
    ),

  string: (
    limits: { min?: number; max?: number; pattern?: RegExp; default?: string } = {},
  ): OptionReader<string> =>
    withDefault(defaultOf(limits), (value, owner, path) => {
      if (typeof value !== 'string') return wrongType(owner, path, 'a string', value);
      const { min = 1, max = 4096, pattern } = limits;
      if (value.length < min || value.length > max) {
        throw new OptionError('E_OPTION_RANGE', owner, path, `${path} must have ${min} to ${max} characters`);
      }
      if (pattern && !pattern.test(value)) {
        throw new OptionError('E_OPTION_VALUE', owner, path, `${path} must match ${String(pattern)}`);
      }
      return value;
    }),

  integer: (limits: { min: number; max: number; default?: number }): OptionReader<number> =>
    withDefault(defaultOf(limits), (value, owner, path) => {
      if (typeof value !== 'number' || !Number.isInteger(value))
        return wrongType(owner, path, 'an integer', value);
      return inRange(value, limits.min, limits.max, owner, path);
    }),

  /** Milliseconds or a string such as `'15m'`; the result is in milliseconds. */
  duration: (limits: { minMs?: number; maxMs?: number; default?: Duration } = {}): OptionReader<number> =>
    withDefault(defaultOf(limits), (value, owner, path) => {
      const ms = toMs(value);
      if (ms === undefined) return wrongType(owner, path, "milliseconds or a duration such as '15m'", value);
      return inRange(ms, limits.minMs ?? 0, limits.maxMs ?? Number.MAX_SAFE_INTEGER, owner, path, ' ms');
    }),

  oneOf: <const T extends string | number | boolean>(
    known: readonly T[],
    ...fallback: [T?]
  ): OptionReader<T> =>
    withDefault(fallback, (value, owner, path) => {
      if (known.includes(value as T)) return value as T;
      const near = typeof value === 'string' ? nearest(value, known.map(String)) : undefined;
      const hint = near ? ` Did you mean ${JSON.stringify(near)}?` : '';
      const list = known.map((k) => JSON.stringify(k)).join(', ');
      throw new OptionError(
        'E_OPTION_VALUE',
        owner,
        path,
        `${path} must be one of ${list}, not ${describe(value)}.${hint}`,
      );
    }),

  // The caller names the signature; what was passed is only known to be callable.
  fn: <F extends (...args: never[]) => unknown>(...fallback: [F?]): OptionReader<F> =>
    withDefault(fallback, (value, owner, path) =>
      typeof value === 'function' ? (value as F) : wrongType(owner, path, 'a function', value),
    ),

  /** An object with the named methods, such as a store or a client handed in through a structural interface. */
  port: <T extends object>(methods: readonly (keyof T & string)[], ...fallback: [T?]): OptionReader<T> =>
    withDefault(fallback, (value, owner, path) => {
      if ((typeof value !== 'object' && typeof value !== 'function') || value === null) {
        return wrongType(owner, path, `an object with ${methods.join(', ')}`, value);
      }
      for (const method of methods) {
        if (typeof (value as Record<string, unknown>)[method] !== 'function') {
          throw new OptionError('E_OPTION_TYPE', owner, path, `${path} lacks the method "${method}"`);
        }
      }
      return value as T;
    }),

  array: <T>(
    item: OptionReader<T>,
    limits: { min?: number; max?: number; default?: readonly T[] } = {},
  ): OptionReader<readonly T[]> =>
    withDefault(defaultOf(limits), (value, owner, path) => {
      if (!Array.isArray(value)) return wrongType(owner, path, 'an array', value);
      inRange(value.length, limits.min ?? 0, limits.max ?? 10_000, owner, path, ' entries');
      return Object.freeze(value.map((entry: unknown, i) => item(entry, owner, `${path}[${i}]`)));
    }),

  /** A nested options object; absent means that every nested default applies. */
  group:
    <const R extends Readers>(readers: R): OptionReader<OptionValues<R>> =>
    (value, owner, path) =>
      readOptions(owner, value, readers, path),

  /** Key material or another secret, as a string or {@link Secret}. */
  secret: (limits: { minBytes?: number } = {}): OptionReader<Secret<string>> =>
    withDefault([], (value, owner, path) => {
      const text = typeof value === 'string' ? value : Secret.is(value) ? value.reveal() : undefined;
      if (typeof text !== 'string') return wrongType(owner, path, 'a string or Secret', value);
      const { minBytes = 32 } = limits;
      if (Buffer.byteLength(text) < minBytes) {
        throw new OptionError('E_OPTION_RANGE', owner, path, `${path} must have at least ${minBytes} bytes`);
      }
      return new Secret(text);
    }),

  /** Absent stays undefined; anything else is read by `read`. */
  optional:
    <T>(read: OptionReader<T>): OptionReader<T | undefined> =>
    (value, owner, path) =>
      value === undefined ? undefined : read(value, owner, path),

  /** `false` switches the feature off; anything else is read by `read`. */
  orFalse:
    <T>(read: OptionReader<T>): OptionReader<T | false> =>
    (value, owner, path) =>
      value === false ? false : read(value, owner, path),
};

/** A rule over several options that contradict each other. */
export function optionConflict(owner: string, path: string, problem: string): never {
  throw new OptionError('E_OPTION_CONFLICT', owner, path, problem);
}

function defaultOf<T>(limits: { default?: T }): [T?] {
  return Object.hasOwn(limits, 'default') ? [limits.default as T] : [];
}

function withDefault<T>(fallback: readonly unknown[], read: OptionReader<T>): OptionReader<T> {
  return (value, owner, path) => {
    if (value !== undefined) return read(value, owner, path);
    if (fallback.length === 0) {
      throw new OptionError('E_OPTION_REQUIRED', owner, path, `the option "${path}" is required`);
    }
    // A default goes through the same reader, so that '15m' becomes milliseconds too.
    return fallback[0] === undefined ? (undefined as T) : read(fallback[0], owner, path);
  };
}

function inRange(value: number, min: number, max: number, owner: string, path: string, unit = ''): number {
  if (value >= min && value <= max) return value;
  throw new OptionError(
    'E_OPTION_RANGE',
    owner,
    path,
    `${path} must be between ${min} and ${max}${unit}, not ${value}`,
  );
}

function wrongType(owner: string, path: string, wanted: string, value: unknown): never {
  throw new OptionError('E_OPTION_TYPE', owner, path, `${path} must be ${wanted}, not ${describe(value)}`);
}

// Kinds only: a wrong value may be a secret in the wrong place, and messages reach logs.
function describe(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'number') return String(value);
  return `a value of type ${typeof value}`;
}

function join(path: string, name: string): string {
  return path ? `${path}.${name}` : name;
}

/** The known name that is closest to a misspelt one, within a third of its length. */
export function nearest(name: string, known: readonly string[]): string | undefined {
  let best: string | undefined;
  let least = Math.max(1, Math.floor(name.length / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(name.toLowerCase(), candidate.toLowerCase());
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

function editDistance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 8 || a.length > 64) return Number.POSITIVE_INFINITY;
  let previous = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = previous[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      row[j] = Math.min(previous[j]! + 1, row[j - 1]! + 1, change);
    }
    previous = row;
  }
  return previous[b.length]!;
}
