import { option, OptionError, nearest, readOptions, walkRoutes, type RouteEntry } from '@portcullis/core';
import { createShelf } from './shelf.js';
import { describeOperation, idOf, type OperationText, type Route } from './operation.js';
import { readOperations, readPaths, readSchemes } from './read-options.js';
import { RefusalShelf } from './refusals.js';
import { templatesOf } from './templates.js';

export type { OperationText } from './operation.js';

export interface OpenApiOptions {
  readonly info: { readonly title: string; readonly version: string; readonly description?: string };
  /** URLs at which the service stands. @default ['/'] */
  readonly servers?: readonly string[];
  /**
   * How callers identify themselves, by name, as in OpenAPI. Each of them is enough for a route that a guard authorises.
   * @default {}
   */
  readonly securitySchemes?: Readonly<Record<string, object>>;
  /**
   * What routes do, by method and path as Express has them: `'POST /books/:id'`. A name that is no route does not pass, so
   * that the text cannot outlive the route. @default {}
   */
  readonly operations?: Readonly<Record<string, OperationText>>;
  /** Which routes are described. @default all */
  readonly include?: (route: { readonly method: string; readonly path: string }) => boolean;
  /** Paths that no router shows, such as those of a mounted sub-application: path items of OpenAPI. @default {} */
  readonly paths?: Readonly<Record<string, Readonly<Record<string, object>>>>;
  /**
   * Called with what cannot be described: middleware that may answer by itself, sub-applications, paths that are regular
   * expressions. @default nothing
   */
  readonly undescribed?: (entry: RouteEntry) => void;
}

/** An OpenAPI 3.1 document: plain JSON. */
export interface OpenApiDocument {
  readonly openapi: '3.1.0';
  readonly info: OpenApiOptions['info'];
  readonly servers: readonly { readonly url: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, object>>>>;
  readonly components: {
    readonly schemas: Readonly<Record<string, object>>;
    readonly responses: Readonly<Record<string, object>>;
    readonly securitySchemes: Readonly<Record<string, object>>;
  };
}

const METHODS = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'];
/** What a handler for all methods is described as. */
const ALL = ['get', 'put', 'post', 'delete', 'patch'];

/**
 * Describes the routes of an Express 4 or 5 application or router from what stands before their handlers: parameters, bodies and
 * answers from `validate()`, refusals and security requirements from every guard that carries a stage tag. The same
 * application gives the same document, byte by byte.
 * Call it when all routes are mounted. It reads the routers and runs no middleware.
 * It cannot know what a handler does: summaries and refusals of its own are said in `operations`.
 * @throws OptionError
 * @see https://spec.openapis.org/oas/v3.1.1.html; RFC 9457
 */
export function openApi(app: unknown, options: OpenApiOptions): OpenApiDocument {
  const given = readOptions('openApi', options, {
    info: option.group({
      title: option.string({ max: 200 }),
      version: option.string({ max: 50 }),
      description: option.optional(option.string({ max: 10_000 })),
    }),
    servers: option.array(option.string({ max: 2048 }), { min: 1, max: 50, default: ['/'] }),
    securitySchemes: readSchemes,
    operations: readOperations,
    include: option.fn<NonNullable<OpenApiOptions['include']>>(() => true),
    paths: readPaths,
    undescribed: option.fn<NonNullable<OpenApiOptions['undescribed']>>(() => undefined),
  });
  const routes = routesOf(walkRoutes(app), given.undescribed);
  checkNames(Object.keys(given.operations), routes);
  const chosen = routes.filter(({ method, path }) => given.include({ method: method.toUpperCase(), path }));

  const ids = operationIds(chosen, given.operations, given.paths);
  const shelf = createShelf();
  const refusals = new RefusalShelf();
  const paths = new Map<string, Map<string, object>>();
  const schemes = Object.keys(given.securitySchemes);
  // Twice over the same routes: which schemas occur more than once is known only after the first round.
  for (const last of [false, true]) {
    paths.clear();
    for (const route of chosen) {
      const item = paths.get(route.template) ?? new Map<string, object>();
      const text = given.operations[nameOf(route)] ?? {};
      item.set(route.method, describeOperation(route, ids.get(route)!, text, { shelf, refusals, schemes }));
      paths.set(route.template, item);
    }
    if (!last) shelf.settle();
  }
  addByHand(paths, given.paths);
  const { info } = given;
  return structuredClone({
    openapi: '3.1.0',
    info: {
      title: info.title,
      version: info.version,
      ...(info.description === undefined ? {} : { description: info.description }),
    },
    servers: given.servers.map((url) => ({ url })),
    paths: sorted(paths),
    components: {
      schemas: byName({ ...shelf.schemas(), ...refusals.schemas() }),
      responses: byName(refusals.responses()),
      securitySchemes: given.securitySchemes,
    },
  });
}

/** One row per method and template; what several entries say of one route is put together, in order. */
function routesOf(
  entries: readonly RouteEntry[],
  undescribed: (entry: RouteEntry) => void,
): readonly Route[] {
  const routes = new Map<string, Route>();
  const templates = new Map<string, string>();
  for (const entry of entries) {
    const found = entry.kind === 'route' && entry.path !== undefined ? templatesOf(entry.path) : undefined;
    if (found === undefined) {
      undescribed(entry);
      continue;
    }
    const methods = entry.methods.flatMap((method) => (method === '*' ? ALL : [method.toLowerCase()]));
    for (const { template, names } of found) {
      // OpenAPI takes `/a/{id}` and `/a/{isbn}` for the same path.
      const shape = template.replaceAll(/\{[^}]*\}/g, '{}');
      const shown = templates.get(shape) ?? template;
      templates.set(shape, shown);
      for (const method of methods.filter((one) => METHODS.includes(one))) {
        const before = routes.get(`${method} ${shown}`);
        const shownNames = [...shown.matchAll(/\{([^}]*)\}/g)].map(([, name]) => name!);
        routes.set(`${method} ${shown}`, {
          method,
          path: before?.path ?? entry.path!,
          template: shown,
          names: names.map((name, i) => ({ name, shown: shownNames[i]! })),
          chain: [...new Set([...(before?.chain ?? []), ...entry.chain])],
          served: before?.served ?? entry.served,
        });
      }
    }
  }
  return [...routes.values()].toSorted(
    (a, b) => compare(a.template, b.template) || METHODS.indexOf(a.method) - METHODS.indexOf(b.method),
  );
}

/** As in `operations`. */
function nameOf({ method, path }: Route): string {
  return `${method.toUpperCase()} ${path}`;
}

/** OpenAPI wants them to be unique. What is given stays; what is made up, such as for `/a-b` and `/a/b`, gives way. */
function operationIds(
  routes: readonly Route[],
  operations: Readonly<Record<string, OperationText>>,
  more: NonNullable<OpenApiOptions['paths']>,
): ReadonlyMap<Route, string> {
  const ids = new Map<Route, string>();
  const byHand = Object.values(more).flatMap((item) => Object.values(item));
  const taken = new Set(byHand.map((one) => (one as { operationId?: unknown }).operationId));
  for (const route of routes) {
    const id = operations[nameOf(route)]?.operationId;
    if (id === undefined) continue;
    if (taken.has(id)) {
      const text = `operations gives the operationId "${id}" to more than one operation`;
      throw new OptionError('E_OPTION_CONFLICT', 'openApi', 'operations', text);
    }
    taken.add(id);
    ids.set(route, id);
  }
  for (const route of routes.filter((one) => !ids.has(one))) {
    const wanted = idOf(route);
    let id = wanted;
    for (let i = 2; taken.has(id); i++) id = `${wanted}${i}`;
    taken.add(id);
    ids.set(route, id);
  }
  return ids;
}

function checkNames(names: readonly string[], routes: readonly Route[]): void {
  const known = routes.map(nameOf);
  const wrong = names.find((name) => !known.includes(name));
  if (wrong === undefined) return;
  const near = nearest(wrong, known);
  const hint = near ? ` Did you mean "${near}"?` : '';
  throw new OptionError(
    'E_OPTION_VALUE',
    'openApi',
    'operations',
    `operations describes "${wrong}", which is no route.${hint}`,
  );
}

function addByHand(
  paths: Map<string, Map<string, object>>,
  more: NonNullable<OpenApiOptions['paths']>,
): void {
  for (const [path, item] of Object.entries(more)) {
    const own = paths.get(path) ?? new Map<string, object>();
    for (const [method, operation] of Object.entries(item)) {
      if (own.has(method)) {
        const text = `paths describes ${method.toUpperCase()} ${path}, which is a route already`;
        throw new OptionError('E_OPTION_CONFLICT', 'openApi', 'paths', text);
      }
      own.set(method, operation);
    }
    paths.set(path, own);
  }
}

function sorted(paths: Map<string, Map<string, object>>): OpenApiDocument['paths'] {
  return Object.fromEntries(
    [...paths]
      .toSorted(([a], [b]) => compare(a, b))
      .map(([path, item]) => [
        path,
        Object.fromEntries([...item].toSorted(([a], [b]) => METHODS.indexOf(a) - METHODS.indexOf(b))),
      ]),
  );
}

function byName(record: Readonly<Record<string, object>>): Record<string, object> {
  return Object.fromEntries(Object.entries(record).toSorted(([a], [b]) => compare(a, b)));
}

/** By code units: the same on every machine, whatever its language. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
