import { parseOrigin, type WebOrigin } from '@portcullis/core';

/** An origin, or a family of origins: `https://*.example.com` (any depth of subdomains, not the domain itself), `https://example.com:*` (any port). */
export interface OriginPattern {
  readonly text: string;
  /** The origin without its wildcards. */
  readonly base: WebOrigin;
  readonly anySubdomain: boolean;
  readonly anyPort: boolean;
}

// The longest subdomain that could stand for the asterisk still has to fit into 253 characters.
const MAX_BASE_HOST = 251;

/** Undefined if the text is neither an origin nor a pattern. Wildcards stand for whole labels and whole ports only. */
export function parseOriginPattern(text: string): OriginPattern | undefined {
  const anyPort = text.endsWith(':*');
  const withoutPort = anyPort ? text.slice(0, -2) : text;
  const star = withoutPort.indexOf('://*.');
  const anySubdomain = star >= 0;
  const base = parseOrigin(
    anySubdomain ? withoutPort.slice(0, star + 3) + withoutPort.slice(star + 5) : withoutPort,
  );
  if (!base || (anyPort && base.port !== undefined)) return undefined;
  if (anySubdomain && (base.kind !== 'name' || base.host.length > MAX_BASE_HOST)) return undefined;
  return { text, base, anySubdomain, anyPort };
}

/**
 * Decides by looking up, not by matching: the origin itself, then each parent domain, in a set of keys. The time grows
 * with the number of labels of the origin that asks, not with the number of patterns.
 */
export function compileOriginPatterns(patterns: readonly OriginPattern[]): (origin: string) => boolean {
  const exact = new Set<string>();
  const families = new Set<string>();
  for (const { base, anySubdomain, anyPort } of patterns) {
    if (!anySubdomain && !anyPort) exact.add(base.text);
    else families.add(keyOf(base.scheme, anySubdomain, base.host, anyPort ? '*' : portOf(base)));
  }
  return (text) => {
    if (exact.has(text)) return true;
    if (families.size === 0) return false;
    // Only what a browser would write gets further, so that no trick with "@", "?" or "#" reaches the look-up.
    const origin = parseOrigin(text);
    if (!origin) return false;
    const { scheme, host, kind } = origin;
    const port = portOf(origin);
    if (families.has(keyOf(scheme, false, host, '*'))) return true;
    if (kind !== 'name') return false;
    for (let dot = host.indexOf('.'); dot >= 0; dot = host.indexOf('.', dot + 1)) {
      const parent = host.slice(dot + 1);
      if (families.has(keyOf(scheme, true, parent, port)) || families.has(keyOf(scheme, true, parent, '*'))) {
        return true;
      }
    }
    return false;
  };
}

function keyOf(scheme: string, anySubdomain: boolean, host: string, port: string): string {
  return `${scheme}://${anySubdomain ? '*.' : ''}${host}:${port}`;
}

function portOf(origin: WebOrigin): string {
  return origin.port === undefined ? '' : String(origin.port);
}
