import type { SecurityRequest } from '@portcullis/core';

const MAX_PATH = 2048;

/** The path of a request without its query, in which secrets travel. Also of the absolute form (RFC 9112 section 3.2.2). */
export function pathOf(request: SecurityRequest): string {
  const target = request.originalUrl ?? request.url ?? '';
  const end = target.search(/[?#]/);
  const bare = end === -1 ? target : target.slice(0, end);
  const path = bare.startsWith('/') ? bare : bare.replace(/^[a-z][a-z0-9+.-]{0,31}:\/\/[^/]*/i, '');
  return path.slice(0, MAX_PATH) || '*';
}

/** The route's pattern, if a route was reached. */
export function routeOf(request: SecurityRequest): string | undefined {
  const path = (request.route as { path?: unknown } | undefined)?.path;
  if (typeof path !== 'string') return undefined;
  return `${request.baseUrl ?? ''}${path}`.slice(0, MAX_PATH);
}

/** The trace id of a W3C Trace Context header, version 00 or later. */
export function traceOf(request: SecurityRequest): string | undefined {
  const header = request.headers['traceparent'];
  if (typeof header !== 'string') return undefined;
  const match = /^(?!ff)[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}(?:-|$)/.exec(header);
  return match && !/^0+$/.test(match[1]!) ? match[1] : undefined;
}

export function agentOf(request: SecurityRequest): string | undefined {
  const agent = request.headers['user-agent'];
  return agent === undefined ? undefined : agent.slice(0, 256);
}
