import { resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import {
  nearest,
  noEvents,
  option,
  OptionError,
  readOptions,
  Secret,
  systemClock,
  type Clock,
  type Events,
} from '@portcullis/core';
import { ConfigError, type ConfigProblem } from './config-error.js';
import { describeSetting, renderTable, type SettingRow } from './describe.js';
import { parseEnvFile } from './env-file.js';
import { readExpiry } from './expiry.js';
import {
  productionProblems,
  secretWeakness,
  unverifiedTlsProblem,
  type Candidate,
} from './production-rules.js';
import { readTextFile } from './read-text-file.js';
import { readSchemas, type SettingCheck } from './schema-check.js';
import type { Setting } from './setting.js';
import { readSources, type SourceOptions, type Sources } from './sources.js';

declare module '@portcullis/core' {
  interface SecurityEvents {
    /** New values are in use. `changed` names settings. */
    'config.reloaded': { readonly changed: readonly string[] };
    /** A reload was refused; the old values stay in use. */
    'config.refused': { readonly problems: number; readonly codes: readonly string[] };
  }
}

/** Settings by the name of their environment variable. */
export type ConfigSchema = Readonly<Record<string, Setting>>;

/** What a schema's values are: `config.values.PORT` is a number, a secret is a {@link Secret}. */
export type ConfigValues<S extends ConfigSchema> = {
  readonly [Name in keyof S]: S[Name] extends Setting<infer Value> ? Value : never;
};

export interface LoadConfigOptions {
  /** @default process.env, read again at every reload */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /**
   * Environment files, the first that has a name wins. A file that is named here has to exist, unless it is given as
   * `{ path, optional: true }`. @default `.env`, if it exists
   */
  readonly files?: readonly (string | { readonly path: string; readonly optional?: boolean })[];
  /** Where relative paths start. @default process.cwd() */
  readonly cwd?: string;
  /**
   * Whether the rules of production hold. @default true unless `NODE_ENV` (of the environment or its files) is unset,
   * `development` or `test`: a misspelt `Production` is not a way around them.
   */
  readonly production?: boolean;
  /** Folder with one file per secret, named as the setting or in lower case, such as `/run/secrets`. */
  readonly secretsDirectory?: string;
  /** Variables with these beginnings are ours: one that is no setting is refused, with the near miss. @default [] */
  readonly prefix?: string | readonly string[];
  /** What `NAME=` without a value means. @default 'refuse' */
  readonly empty?: 'refuse' | 'unset';
  /** Largest file that is read, in bytes. 1..16 MiB. @default 65_536 */
  readonly maxFileBytes?: number;
  /** Files with published examples; production refuses their secrets. @default ['.env.example'], if it exists */
  readonly sampleFiles?: readonly string[];
  /** Receives `config.reloaded` and `config.refused`. */
  readonly events?: Events;
  /** Tells whether a secret has expired. @default the system's */
  readonly clock?: Clock;
}

export type ReloadResult =
  | {
      readonly ok: true;
      /** Names of the settings whose value is another one now. */
      readonly changed: readonly string[];
      /** What listeners threw; the new values are in use all the same. */
      readonly listenerErrors: readonly unknown[];
    }
  | { readonly ok: false; readonly error: ConfigError };

export interface ConfigChange<S extends ConfigSchema> {
  readonly changed: readonly (keyof S & string)[];
  readonly values: ConfigValues<S>;
  readonly previous: ConfigValues<S>;
}

export type ConfigListener<S extends ConfigSchema> = (change: ConfigChange<S>) => void | Promise<void>;

export interface Config<S extends ConfigSchema> {
  /** The values in use: one frozen object, replaced as a whole by a successful reload. */
  readonly values: ConfigValues<S>;
  readonly production: boolean;
  /**
   * Reads every source again. Valid values replace the old ones in one step, then listeners run one after another;
   * with any problem nothing changes. Never rejects.
   */
  reload(): Promise<ReloadResult>;
  /** Calls back after a reload that changed something. Returns the function that stops it. */
  onChange(listener: ConfigListener<S>): () => void;
  /** Every setting as a row, without secrets. */
  describe(): readonly SettingRow[];
  /** The rows as a table. */
  describeText(): string;
}

/**
 * Reads typed settings and secrets from the environment, `*_FILE` files, a secrets directory and environment files,
 * and checks all of them. Precedence: the environment (`NAME` or `NAME_FILE`), the secrets directory, the environment
 * files in their order, the default. Never changes `process.env`. Reads files synchronously.
 * @throws ConfigError with every problem at once
 * @throws OptionError for a declaration that cannot be right
 */
export function loadConfig<const S extends ConfigSchema>(schema: S, options?: LoadConfigOptions): Config<S> {
  const settings = readSchema(schema);
  const o = readLoadOptions(options);
  const checks = readSchemas(settings);
  const listeners = new Set<ConfigListener<S>>();
  const events = o.events;

  const read = (): Snapshot => readSnapshot(settings, checks, o);
  let current = read();
  let reloads: Promise<unknown> = Promise.resolve();

  async function reload(): Promise<ReloadResult> {
    let next: Snapshot;
    try {
      next = read();
    } catch (error) {
      const refused = error as ConfigError;
      const codes = [...new Set(refused.problems.map(({ code }) => code))];
      events.emit({ type: 'config.refused', problems: refused.problems.length, codes });
      return { ok: false, error: refused };
    }
    const previous = current;
    const changed = Object.keys(settings).filter((name) => !same(previous.values[name], next.values[name]));
    current = next;
    if (changed.length === 0) return { ok: true, changed, listenerErrors: [] };
    events.emit({ type: 'config.reloaded', changed });
    const change = Object.freeze({ changed, values: next.values, previous: previous.values });
    return { ok: true, changed, listenerErrors: await tell(listeners, change as never) };
  }

  return Object.freeze({
    get values() {
      return current.values as ConfigValues<S>;
    },
    get production() {
      return current.production;
    },
    reload() {
      // One at a time: two signals must not let listeners see changes in another order than they happened.
      const result = reloads.then(reload);
      reloads = result;
      return result;
    },
    onChange(listener: ConfigListener<S>) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    describe: () => current.rows,
    describeText: () => renderTable(current.rows),
  });
}

interface Snapshot {
  readonly values: Readonly<Record<string, unknown>>;
  readonly production: boolean;
  readonly rows: readonly SettingRow[];
}

type LoadOptions = ReturnType<typeof readLoadOptions>;

function readLoadOptions(options: LoadConfigOptions | undefined) {
  const { env, prefix, files, ...rest } = options ?? {};
  const o = readOptions('loadConfig', rest, {
    cwd: option.string({ default: process.cwd() }),
    production: option.optional(option.boolean()),
    secretsDirectory: option.optional(option.string()),
    empty: option.oneOf(['refuse', 'unset'], 'refuse'),
    maxFileBytes: option.integer({ min: 1, max: 16_777_216, default: 65_536 }),
    sampleFiles: option.optional(option.array(option.string(), { max: 20 })),
    events: option.port<Events>(['emit'], noEvents),
    clock: option.port<Clock>(['now'], systemClock),
  });
  const prefixes = readOptions(
    'loadConfig',
    { prefix: typeof prefix === 'string' ? [prefix] : prefix },
    { prefix: option.array(option.string(), { max: 20, default: [] }) },
  ).prefix;
  return { ...o, env, prefixes, files: readFiles(files) };
}

function readFiles(files: LoadConfigOptions['files']): SourceOptions['files'] {
  if (files === undefined) return [{ path: '.env', optional: true }];
  const given = files.map((file) => (typeof file === 'string' ? { path: file } : file));
  const read = option.array(option.group({ path: option.string(), optional: option.boolean(false) }), {
    max: 20,
  });
  return read(given, 'loadConfig', 'files');
}

function readSchema(schema: ConfigSchema): Readonly<Record<string, Setting>> {
  for (const [name, declared] of Object.entries(schema)) {
    // A letter first: no `__proto__`, and names that every shell can set.
    if (!/^[A-Za-z][A-Za-z0-9_]*$/.test(name)) {
      const problem = `"${name}" cannot be the name of an environment variable`;
      throw new OptionError('E_OPTION_VALUE', 'loadConfig', name, problem);
    }
    if (typeof (declared as Partial<Setting> | undefined)?.coerce !== 'function') {
      const problem = `${name} must be made by one of the functions of "setting"`;
      throw new OptionError('E_OPTION_TYPE', 'loadConfig', name, problem);
    }
  }
  return Object.freeze({ ...schema });
}

/** Reads and checks everything once, or throws one ConfigError with all problems. */
function readSnapshot(
  settings: Readonly<Record<string, Setting>>,
  checks: ReadonlyMap<string, SettingCheck>,
  o: LoadOptions,
): Snapshot {
  const problems: ConfigProblem[] = [];
  const names = [...Object.keys(settings), ...expiryVariables(settings)];
  const sources = readSources({ ...o, env: o.env ?? process.env }, names, problems);
  const production = o.production ?? isProduction(sources);

  const candidates = new Map<string, Candidate>();
  const expiries = new Map<string, string>();
  for (const [name, setting] of Object.entries(settings)) {
    const candidate = readSetting(name, setting, { sources, production, names, empty: o.empty }, problems);
    if (!candidate) continue;
    candidates.set(name, candidate);
    const expires = readExpiry(candidate, { sources, production, nowMs: o.clock.now() }, problems);
    if (expires !== undefined) expiries.set(name, expires);
    const found = candidate.found.source;
    for (const message of checks.get(name)!(candidate.value)) {
      problems.push({ code: 'E_CONFIG_VALUE', name, message, source: found });
    }
  }
  problems.push(...unknownProblems(sources.names, names, o.prefixes));
  if (production) {
    problems.push(
      ...productionProblems([...candidates.values()], readSamples(o)),
      ...unverifiedTlsProblem(sources),
    );
  }
  if (problems.length > 0) throw new ConfigError(problems);

  const values: [string, unknown][] = [];
  const rows = Object.entries(settings).map(([name, setting]) => {
    const candidate = candidates.get(name);
    const value = candidate?.value;
    values.push([name, setting.secret && value !== undefined ? new Secret(value) : value]);
    const weak = candidate && setting.secret ? secretWeakness(candidate) : undefined;
    const source = candidate?.found.source ?? 'unset';
    return describeSetting(name, setting, { value, source, weak, expires: expiries.get(name) });
  });
  return { values: Object.freeze(Object.fromEntries(values)), production, rows: Object.freeze(rows) };
}

function expiryVariables(settings: Readonly<Record<string, Setting>>): readonly string[] {
  return Object.values(settings).flatMap(({ production: { notAfter } }) => notAfter ?? []);
}

interface Reading {
  readonly sources: Sources;
  readonly production: boolean;
  readonly names: readonly string[];
  readonly empty: 'refuse' | 'unset';
}

function readSetting(
  name: string,
  setting: Setting,
  { sources, production, names, empty }: Reading,
  problems: ConfigProblem[],
): Candidate | undefined {
  const before = problems.length;
  const found = sources.find(name, problems);
  if (problems.length > before) return undefined;

  if (found === undefined || (found.text === '' && empty === 'unset')) {
    const { default: fallback, optional, requiredIn } = setting.presence;
    const required = requiredIn === 'production' ? production : fallback === undefined && !optional;
    if (required) problems.push(missing(name, sources, names, requiredIn !== undefined));
    if (required || fallback === undefined) return undefined;
    const text = typeof fallback === 'string' ? fallback : '';
    return { name, setting, value: fallback, found: { text, source: 'default' } };
  }
  if (found.text === '' && !allowsEmpty(setting)) {
    const message = 'is set but empty; give it a value or remove it';
    problems.push({ code: 'E_CONFIG_EMPTY', name, message, source: found.source });
    return undefined;
  }
  const coerced = setting.coerce(found.text);
  if ('problem' in coerced) {
    const code = coerced.code === 'value' ? 'E_CONFIG_VALUE' : 'E_CONFIG_TYPE';
    problems.push({ code, name, message: coerced.problem, source: found.source });
    return undefined;
  }
  return { name, setting, found, value: coerced.value };
}

function allowsEmpty({ type, schema }: Setting): boolean {
  return type === 'string' && schema['minLength'] === 0;
}

function missing(
  name: string,
  sources: Sources,
  names: readonly string[],
  inProduction: boolean,
): ConfigProblem {
  const strangers = sources.names.filter((n) => !names.includes(n) && !n.endsWith('_FILE'));
  const near = nearest(name, strangers);
  const hint = near ? `; ${near} is set, did you mean that?` : '';
  const message = `is required${inProduction ? ' in production' : ''}; set ${name} or ${name}_FILE${hint}`;
  return { code: 'E_CONFIG_MISSING', name, message };
}

function unknownProblems(
  set: readonly string[],
  names: readonly string[],
  prefixes: readonly string[],
): ConfigProblem[] {
  const known = new Set(names.flatMap((name) => [name, `${name}_FILE`]));
  return set
    .filter((name) => !known.has(name) && prefixes.some((prefix) => name.startsWith(prefix)))
    .map((name) => {
      const near = nearest(name, [...known]);
      const message = `is not a setting${near ? `; did you mean ${near}?` : ''}`;
      return { code: 'E_CONFIG_UNKNOWN', name, message };
    });
}

// Everything but the two spellings that mean otherwise is production: `Production`, `prod`, `staging`.
function isProduction(sources: Sources): boolean {
  const nodeEnv = sources.find('NODE_ENV', [])?.text;
  return nodeEnv !== undefined && nodeEnv !== '' && nodeEnv !== 'development' && nodeEnv !== 'test';
}

function readSamples(o: LoadOptions): readonly Readonly<Record<string, string>>[] {
  return (o.sampleFiles ?? ['.env.example']).flatMap((path) => {
    const read = readTextFile(resolve(o.cwd, path), o.maxFileBytes);
    return 'text' in read ? [parseEnvFile(read.text, () => false).values] : [];
  });
}

function same(a: unknown, b: unknown): boolean {
  if (Secret.is(a) && Secret.is(b)) return isDeepStrictEqual(a.reveal(), b.reveal());
  return isDeepStrictEqual(a, b);
}

async function tell<Change>(
  listeners: ReadonlySet<(change: Change) => void | Promise<void>>,
  change: Change,
): Promise<unknown[]> {
  const errors: unknown[] = [];
  for (const listener of [...listeners]) {
    try {
      await listener(change);
    } catch (error) {
      errors.push(error);
    }
  }
  return errors;
}
