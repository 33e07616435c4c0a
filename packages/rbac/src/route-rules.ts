import {
  guardsOf,
  option,
  OptionError,
  readOptions,
  walkRoutes,
  type ChainLink,
  type RouteEntry,
} from '@portcullis/core';

/** One row of the matrix: who may use a route. */
export interface RouteRule {
  /** Upper-case; `*` for all. HEAD is answered by GET. */
  readonly method: string;
  /** Where the router keeps it, the whole pattern; else `(unreadable)`. */
  readonly path: string;
  /** What has to be passed, in order: `book:create`, `role staff`, `public: health check`. Empty if there is nothing. */
  readonly rules: readonly string[];
  readonly unguarded: boolean;
  /** Why it counts as unguarded. */
  readonly problem?: string;
}

export interface RouteOptions {
  /**
   * Middleware of others that never answers with success by itself, such as body parsers, sessions and loggers: the functions,
   * or their names. Only such ones may stand before a guard. @default those of Express
   */
  readonly passes?: readonly (((...args: never[]) => unknown) | string)[];
}

/**
 * The routes of an app, each with what guards it. Unguarded is a route without a guard before its last handler, or with a
 * function of others before its first guard that is not named in `passes`; a function that is mounted without a route and not
 * named there; and what cannot be read.
 */
export function routeRules(app: unknown, passing: readonly unknown[]): readonly RouteRule[] {
  const passes = new Set(passing);
  const mayPass = ({ name, handle, stage }: ChainLink): boolean =>
    stage !== undefined || PASSES.has(name) || passes.has(handle) || passes.has(name);
  const entries = walkRoutes(app);
  // Reported once, where they are mounted.
  const mounted = new Set(
    entries.filter(({ kind }) => kind === 'middleware').map(({ chain }) => chain.at(-1)?.handle),
  );
  return entries.flatMap((entry): RouteRule[] => {
    if (entry.kind === 'middleware' && mayPass(entry.chain.at(-1)!)) return [];
    const problem = problemOf(entry, mayPass, mounted);
    const rules = guardsOf(entry).map(({ kind, detail, name }) =>
      kind === 'public' ? `public: ${detail ?? name}` : (detail ?? name),
    );
    return entry.methods.map((method) => ({
      method,
      path: entry.path ?? '(unreadable)',
      rules,
      unguarded: problem !== undefined,
      ...(problem === undefined ? {} : { problem }),
    }));
  });
}

/** @throws OptionError */
export function readSealOptions(options: unknown) {
  return readOptions('seal', options, {
    passes: readPasses,
    unguarded: option.oneOf(['throw', 'report'], 'throw'),
  });
}

function readPasses(value: unknown = []): readonly unknown[] {
  const listed = Array.isArray(value) && value.every((item) => ['function', 'string'].includes(typeof item));
  if (listed) return value;
  throw new OptionError('E_OPTION_TYPE', 'seal', 'passes', 'passes lists functions, or their names');
}

/** What Express and its body parsers put into the stack. */
const PASSES: ReadonlySet<string> = new Set([
  'query',
  'expressInit',
  'jsonParser',
  'urlencodedParser',
  'textParser',
  'rawParser',
  'cookieParser',
]);

function problemOf(
  entry: RouteEntry,
  mayPass: (link: ChainLink) => boolean,
  mounted: ReadonlySet<unknown>,
): string | undefined {
  const guards = guardsOf(entry);
  if (guards.length === 0) {
    if (entry.kind === 'unknown') return 'cannot be read';
    const last = entry.chain.at(-1);
    return entry.kind === 'middleware' && last ? `${last.name} may answer` : 'no guard';
  }
  const first = entry.chain.findIndex(({ stage }) => stage === guards[0]);
  const early = entry.chain.slice(0, first).find((link) => !mayPass(link) && !mounted.has(link.handle));
  return early ? `${early.name} stands before the guard` : undefined;
}

/** The matrix as text, one route a line, in the order of the app: for people, and for a snapshot test. */
export function showRoutes(rules: readonly RouteRule[]): string {
  const cells = rules.map(({ method, path, rules: passed, problem }) => [
    method,
    path,
    problem === undefined ? passed.join(', ') : `UNGUARDED: ${problem}`,
  ]);
  const [methods, paths] = [0, 1].map((column) => Math.max(0, ...cells.map((row) => row[column]!.length)));
  return cells
    .map(([method, path, passed]) => `${method!.padEnd(methods!)}  ${path!.padEnd(paths!)}  ${passed}`)
    .join('\n');
}
