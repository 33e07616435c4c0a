import type { SecurityRequest } from '@portcullis/core';

const OVERRIDE_HEADERS = ['x-http-method-override', 'x-http-method', 'x-method-override'] as const;

/**
 * True if a request that looks safe may become another one behind us, or was another one before us: the conventions of
 * the `method-override` middleware (header, `_method` in the query, `originalMethod` that it leaves behind).
 */
export function overridesMethod(req: SecurityRequest & { readonly originalMethod?: unknown }): boolean {
  const { originalMethod } = req;
  if (originalMethod !== undefined && originalMethod !== req.method) return true;
  for (const name of OVERRIDE_HEADERS) if (req.headers[name] !== undefined) return true;
  return queryNamesMethod(req.originalUrl ?? req.url ?? '');
}

function queryNamesMethod(url: string): boolean {
  const start = url.indexOf('?');
  if (start < 0) return false;
  const query = url.slice(start + 1);
  // Most queries end here; only an encoded one has to be read in full.
  if (!query.includes('_method') && !query.includes('%')) return false;
  for (const name of new URLSearchParams(query).keys()) {
    if (name === '_method' || name.startsWith('_method[')) return true;
  }
  return false;
}
