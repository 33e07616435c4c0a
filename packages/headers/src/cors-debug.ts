import { nearest, parseOrigin, type Logger, type SecurityRequest } from '@portcullis/core';
import { parseOriginPattern } from './origin-patterns.js';

/** Why a cross-origin request got no permission. */
export type CorsReason =
  | 'origin'
  | 'method'
  | 'header'
  | 'malformed'
  /** A preflight for a private network (or this machine), and `privateNetwork` is off. */
  | 'private-network';

export interface CorsFacts {
  readonly origins: '*' | readonly string[];
  readonly methods: readonly string[];
  readonly allowedHeaders: readonly string[];
}

export type CorsExplainer = (req: SecurityRequest, reason: CorsReason, value: string) => void;

const MAX_SHOWN = 200;

/** Says in the log what is never said to the client: which of the rules refused, what came nearest, and which option to change. */
export function explainTo(logger: Logger, facts: CorsFacts): CorsExplainer {
  return (req, reason, value) => {
    const about = `cors: ${shown(req.method ?? '')} from ${shown(req.headers.origin ?? '')} got no permission`;
    try {
      logger.info(`${about}: ${why(reason, value, facts)}`, { reason });
    } catch {
      // A logger that fails must not decide about requests.
    }
  };
}

/** JSON escapes what could forge a line or drive a terminal; the length is bounded. */
function shown(text: string): string {
  return JSON.stringify(text.length > MAX_SHOWN ? `${text.slice(0, MAX_SHOWN)}...` : text);
}

function why(reason: CorsReason, value: string, { origins, methods, allowedHeaders }: CorsFacts): string {
  switch (reason) {
    case 'origin':
      return origins === '*' ? 'no origin' : whyOrigin(value, origins);
    case 'method':
      return `the method ${shown(value)} is not in "methods"${hint(value.toUpperCase(), methods)}`;
    case 'header':
      return value === ''
        ? 'Access-Control-Request-Headers has an empty entry'
        : `the header ${shown(value)} is not in "allowedHeaders"${hint(value, allowedHeaders)}`;
    case 'malformed':
      return 'Access-Control-Request-Headers is longer than any honest list';
    default:
      return 'it leads from a public site into a private network; set "privateNetwork" if that is meant';
  }
}

function whyOrigin(text: string, listed: readonly string[]): string {
  if (text === 'null') {
    return 'the origin "null" (a sandboxed frame, a file, a redirect across origins) is never allowed';
  }
  const asked = parseOrigin(text);
  if (!asked) return 'that is not how a browser writes an origin';
  for (const pattern of listed) {
    const base = parseOriginPattern(pattern)?.base;
    if (base?.host !== asked.host) continue;
    if (pattern.includes('://*.'))
      return `${shown(pattern)} stands for its subdomains, not for the domain itself`;
    return base.scheme === asked.scheme
      ? `"origins" has ${shown(pattern)}, which is another port`
      : `"origins" has ${shown(pattern)}, which is another scheme`;
  }
  return `it is not in "origins"${hint(text, listed)}`;
}

function hint(text: string, known: readonly string[]): string {
  const near = nearest(text, known);
  return near === undefined ? '' : `; the nearest is ${shown(near)}`;
}
