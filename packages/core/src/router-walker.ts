import { servedRoutesOf, type ServedRoute } from './served-routes.js';
import { stageOf, type Stage } from './stage.js';

/** One function in the way of a request to a route. */
export interface ChainLink {
  readonly name: string;
  /** Present on middleware of ours. */
  readonly stage?: Stage;
  /** The function itself. */
  readonly handle?: unknown;
}

export interface RouteEntry {
  /**
   * `route`: a handler at a path. `middleware`: a function mounted with `use` that is not ours and may answer by
   * itself (static files, a handler without a route, a function of `param()`). `unknown`: something whose inside cannot be
   * read, such as a mounted sub-application of Express 5; guarded by nothing but what stands before it as a whole.
   */
  readonly kind: 'route' | 'middleware' | 'unknown';
  /** Upper-case, sorted; `['*']` for all methods. HEAD is answered by GET handlers. */
  readonly methods: readonly string[];
  /** The full pattern, or undefined where the router does not keep it (regular expressions, Express 5 before 5.3). */
  readonly path: string | undefined;
  /** Everything that certainly runs before and at this entry, in order. What may not run is left out. */
  readonly chain: readonly ChainLink[];
  /** What a router of ours says of a route that it serves. */
  readonly served?: ServedRoute;
}

/**
 * Reads the routes of an Express 4 or 5 application (or router) from its router stack, with the middleware that
 * certainly stand before each. Express does not document these structures: what is not recognised is reported as
 * `unknown`, and a middleware whose path cannot be compared is not counted as standing before a route.
 */
export function walkRoutes(app: unknown): readonly RouteEntry[] {
  const router = routerOf(app);
  if (!router) return [{ kind: 'unknown', methods: ['*'], path: undefined, chain: [] }];
  const entries: RouteEntry[] = [];
  walk(router, '', [], entries, new Set());
  return entries;
}

/**
 * The first authorising (or deliberately public) middleware that stands before the last handler of an entry;
 * undefined if there is none, or if the entry is not a readable route. Where everything in the way is ours, the last
 * of it is taken for the handler, such as a health check.
 */
export function guardOf(entry: RouteEntry): Stage | undefined {
  return guardsOf(entry)[0];
}

/** All of them, in order. */
export function guardsOf(entry: RouteEntry): readonly Stage[] {
  const foreign = entry.chain.findLastIndex(({ name, stage }) => stage === undefined && !HARMLESS.has(name));
  // A guard at the end guards what comes later, if anything does: it is no handler itself.
  const alone = foreign === -1 && entry.chain.at(-1)?.stage?.kind === 'authorize';
  const last = foreign === -1 ? entry.chain.length - (alone ? 0 : 1) : foreign;
  return entry.chain
    .slice(0, Math.max(0, last))
    .map(({ stage }) => stage)
    .filter((stage) => stage?.kind === 'authorize' || stage?.kind === 'public') as Stage[];
}

interface Layer {
  readonly handle?: unknown;
  readonly name?: string;
  readonly method?: string;
  /** Express 5.3: the path as it was written. */
  readonly rawPath?: unknown;
  readonly slash?: boolean;
  /** Express 4. */
  readonly regexp?: RegExp & { fast_slash?: boolean };
  readonly keys?: readonly { name: string | number }[];
  readonly route?: { path?: unknown; methods?: Record<string, boolean>; stack?: readonly Layer[] };
}

interface Mounted {
  /** Undefined for a middleware of the whole router: it runs before everything that comes later there. */
  readonly path: string | undefined;
  readonly link: ChainLink;
}

/** Functions that Express and its body parsers put into the stack; none of them answers a request by itself. */
const HARMLESS = new Set([
  'query',
  'expressInit',
  'jsonParser',
  'urlencodedParser',
  'textParser',
  'rawParser',
  'cookieParser',
]);

interface Router {
  readonly stack: readonly Layer[];
  /** By the name of the parameter. */
  readonly params?: Readonly<Record<string, readonly unknown[]>>;
}

function routerOf(app: unknown): Router | undefined {
  if (typeof app !== 'function') return undefined;
  const candidate = app as { stack?: unknown; _router?: unknown; lazyrouter?: unknown; router?: unknown };
  // Express 4: `_router`, made at first use; its `router` getter throws. Express 5: `router`.
  const router = 'lazyrouter' in candidate ? candidate._router : (candidate.router ?? candidate);
  const stack = (router as { stack?: unknown } | undefined)?.stack;
  if (router === undefined && 'lazyrouter' in candidate) return { stack: [] };
  return Array.isArray(stack) ? (router as Router) : undefined;
}

function walk(
  router: Router,
  base: string | undefined,
  before: readonly Mounted[],
  entries: RouteEntry[],
  seen: Set<unknown>,
): void {
  if (seen.has(router)) {
    entries.push({ kind: 'unknown', methods: ['*'], path: base, chain: [] });
    return;
  }
  const inside = new Set(seen).add(router);
  const mounted = [...before];
  // Functions of param() run before what a route has of its own.
  for (const handle of Object.values(router.params ?? {}).flat()) {
    const link = linkOf(handle, undefined);
    const path = base === '' ? '/' : base;
    entries.push({ kind: 'middleware', methods: ['*'], path, chain: [...linksFor(path, before), link] });
  }
  for (const layer of router.stack) {
    if (layer.route) {
      walkRoute(layer.route, base, mounted, entries);
      continue;
    }
    const path = mountPath(layer, base);
    const { handle } = layer;
    if (typeof handle !== 'function') {
      entries.push({ kind: 'unknown', methods: ['*'], path, chain: linksFor(path, mounted) });
      continue;
    }
    if (handle.length === 4) continue; // Error handlers.
    if (Array.isArray((handle as { stack?: unknown }).stack)) {
      walk(handle as unknown as Router, path, mounted, entries, inside);
      continue;
    }
    const link = linkOf(handle, layer.name);
    if (link.stage === undefined && !HARMLESS.has(link.name)) {
      const kind = link.name === 'mounted_app' ? 'unknown' : 'middleware';
      entries.push({ kind, methods: ['*'], path, chain: [...linksFor(path, mounted), link] });
    }
    for (const served of servedRoutesOf(link.stage)) {
      entries.push({
        kind: 'route',
        methods: [served.method],
        path: path === undefined ? undefined : join(path, served.path),
        // What it guards with, and the handler behind that.
        chain: [
          ...linksFor(path, mounted),
          { ...link, stage: served.guard },
          { name: `${served.method} ${served.path}` },
        ],
        served,
      });
    }
    if (isWholeRouter(layer)) mounted.push({ path: undefined, link });
    else if (path !== undefined) mounted.push({ path, link });
  }
}

function walkRoute(
  route: NonNullable<Layer['route']>,
  base: string | undefined,
  mounted: readonly Mounted[],
  entries: RouteEntry[],
): void {
  const stack = route.stack ?? [];
  const paths: readonly unknown[] = Array.isArray(route.path) ? route.path : [route.path];
  for (const raw of paths) {
    const path = typeof raw === 'string' && base !== undefined ? join(base, raw) : undefined;
    const chain = linksFor(path, mounted);
    for (const [method, own] of chainsOf(stack)) {
      entries.push({ kind: 'route', methods: [method.toUpperCase()], path, chain: [...chain, ...own] });
    }
  }
}

/** What runs for each method; `*` for all others, where something of `all()` may answer them. */
function chainsOf(stack: readonly Layer[]): readonly (readonly [string, readonly ChainLink[]])[] {
  const linksOf = (method: string | undefined): ChainLink[] =>
    stack
      .filter((layer) => layer.method === undefined || layer.method === method)
      .map((layer) => linkOf(layer.handle, layer.name));
  const named = [...new Set(stack.flatMap(({ method }) => method ?? []))].sort();
  const chains = named.map((method) => [method, linksOf(method)] as const);
  // Express makes one of each method of what is meant for all.
  if (named.length > 20 && chains.every(([, links]) => sameLinks(links, chains[0]![1]))) {
    return [['*', chains[0]![1]]];
  }
  const others = linksOf(undefined);
  const answered = named.length === 0 || others.some((link) => !passesOn(link));
  return answered ? [...chains, ['*', others]] : chains;
}

function sameLinks(a: readonly ChainLink[], b: readonly ChainLink[]): boolean {
  return a.length === b.length && a.every(({ handle }, i) => handle === b[i]!.handle);
}

/** A guard, or a body parser: it refuses or passes on, and never answers for a handler. */
function passesOn({ name, stage }: ChainLink): boolean {
  return stage?.kind === 'authorize' || (stage === undefined && HARMLESS.has(name));
}

/** What certainly runs before a path: middleware of the whole router, or at a literal prefix of the path. */
function linksFor(path: string | undefined, mounted: readonly Mounted[]): ChainLink[] {
  return mounted.filter((m) => m.path === undefined || isPrefix(m.path, path)).map((m) => m.link);
}

function isPrefix(mount: string, path: string | undefined): boolean {
  return path !== undefined && (path === mount || path.startsWith(`${mount}/`));
}

function isWholeRouter(layer: Layer): boolean {
  return layer.slash === true || layer.regexp?.fast_slash === true;
}

function linkOf(handle: unknown, name: string | undefined): ChainLink {
  const stage = stageOf(handle);
  const own = typeof handle === 'function' ? handle.name : '';
  const shown = stage?.name ?? (own || name || '<anonymous>');
  return stage ? { name: shown, stage, handle } : { name: shown, handle };
}

function mountPath(layer: Layer, base: string | undefined): string | undefined {
  if (base === undefined) return undefined;
  if (isWholeRouter(layer)) return base === '' ? '/' : base;
  if (typeof layer.rawPath === 'string') return join(base, layer.rawPath);
  const written = layer.regexp ? readMountPattern(layer.regexp, layer.keys ?? []) : undefined;
  return written === undefined ? undefined : join(base, written);
}

/** Express 4 keeps a mount path only as the regular expression made from it: read the plain ones back. */
function readMountPattern(regexp: RegExp, keys: readonly { name: string | number }[]): string | undefined {
  const body = /^\^(.*)\\\/\?\(\?=\\\/\|\$\)$/.exec(regexp.source)?.[1];
  if (body === undefined) return undefined;
  let next = 0;
  const text = body
    .replaceAll(/\(\?:\\\/\(\[\^\\?\/\]\+\?\)\)/g, () => `/:${keys[next++]?.name ?? ''}`)
    .replaceAll(/\\([/.-])/g, '$1');
  return /^[A-Za-z0-9/_.~:-]*$/.test(text) ? text : undefined;
}

function join(base: string, path: string): string {
  const left = base.replace(/\/+$/, '');
  const right = path.startsWith('/') ? path : `/${path}`;
  return right === '/' && left !== '' ? left : left + right;
}
