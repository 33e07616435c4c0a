import type { SecurityRequest } from '@portcullis/core';
import { peek } from './peek.js';

/** What this file needs of a router's layer, in Express 4 and 5. */
interface Layer {
  /** Express 5 returns what matched; Express 4 returns true and writes it to `path`. */
  match(path: string): boolean | { readonly path?: string };
  readonly path?: string | undefined;
  readonly route?: { readonly methods: Readonly<Record<string, boolean>> };
  readonly handle?: { readonly stack?: readonly Layer[] };
}

const MAX_LAYERS = 20_000;
const MAX_DEPTH = 16;

/**
 * The methods for which the app has routes at the address of this request. Empty if none
 * is found, or if the router cannot be read. A route for all methods counts as the request's own.
 */
export function methodsAt(req: SecurityRequest): readonly string[] {
  const stack = stackOf(req.app);
  const path = pathOf(req);
  if (!stack || path === undefined) return [];
  const found = new Set<string>();
  let budget = MAX_LAYERS;

  function walk(layers: readonly Layer[], at: string, depth: number): void {
    for (const layer of layers) {
      if (budget-- <= 0) return;
      const nested = layer.handle?.stack;
      if (!layer.route && (!nested || depth >= MAX_DEPTH)) continue;
      const matched = match(layer, at);
      if (matched === undefined) continue;
      if (layer.route) collect(layer.route.methods, found, req.method ?? '');
      else if (nested) walk(nested, below(at, matched), depth + 1);
    }
  }
  try {
    walk(stack, path, 0);
  } catch {
    return [];
  }
  if (found.has('GET')) found.add('HEAD');
  return [...found];
}

function collect(methods: Readonly<Record<string, boolean>>, found: Set<string>, method: string): void {
  for (const [name, handled] of Object.entries(methods)) {
    if (handled) found.add(name === '_all' ? method : name.toUpperCase());
  }
}

function match(layer: Layer, path: string): string | undefined {
  try {
    const result = layer.match(path);
    if (result === false) return undefined;
    return (typeof result === 'object' ? result.path : layer.path) ?? '';
  } catch {
    return undefined; // A parameter that cannot be decoded.
  }
}

/** The rest of the path behind a mount point. */
function below(path: string, mount: string): string {
  const rest = path.slice(mount.length);
  return rest.startsWith('/') ? rest : `/${rest}`;
}

function stackOf(app: unknown): readonly Layer[] | undefined {
  // Express 4 has `_router` and throws at `router`; Express 5 has `router` only.
  const stack = peek(peek(app, '_router') ?? peek(app, 'router'), 'stack');
  return Array.isArray(stack) ? (stack as readonly Layer[]) : undefined;
}

function pathOf(req: SecurityRequest): string | undefined {
  const own = (req.url ?? '').split('?', 1)[0]!;
  // Routers shorten `url` and remember the rest in `baseUrl`; a mounted app's own routes never see its mount point.
  const path = peek(req.app, 'parent') ? own : `${req.baseUrl ?? ''}${own}`;
  return path.startsWith('/') ? path : undefined;
}
