import { OptionError } from './option-error.js';
import type { OptionReader } from './options.js';
import { isLoopbackHost, parseOrigin, type WebOrigin } from './origin.js';
import { parseUrl } from './parse-url.js';

/** How an origin that somebody lists is read. */
export interface OriginReading<T> {
  /** Undefined for what is none; an origin, or a wider form such as a pattern. */
  readonly parse: (text: string) => T | undefined;
  readonly originOf: (parsed: T) => WebOrigin;
  /** What is said of anything else, such as `'is not an origin such as "https://example.com"'`. */
  readonly otherwise: string;
  /** The option that takes `http:` origins off the loopback, if it is off. */
  readonly insecureBy?: string | undefined;
}

/**
 * A reader of origins for options that trust them: `null`, which every sandboxed frame has, `http:` off the loopback, which anyone
 * on the network path can act as, and schemes that no page has are refused, and what was nearly one is told.
 */
export function originOption<T>(reading: OriginReading<T>): OptionReader<T> {
  const { parse, originOf, otherwise, insecureBy } = reading;
  return (value, owner, path) => {
    const fail = (problem: string, code: 'E_OPTION_VALUE' | 'E_OPTION_TYPE' = 'E_OPTION_VALUE'): never => {
      throw new OptionError(code, owner, path, `${path} ${problem}`);
    };
    if (typeof value !== 'string') {
      return fail('must be an origin such as "https://app.example.com"', 'E_OPTION_TYPE');
    }
    if (value === 'null') return fail('must not be "null": every sandboxed frame has that origin');
    const parsed = parse(value);
    if (parsed === undefined) {
      const near = spelling(value);
      return fail(near ? `is not an origin. Did you mean "${near}"?` : otherwise);
    }
    const { scheme, host, text } = originOf(parsed);
    if (scheme === 'ws' || scheme === 'wss') {
      // The handshake carries the origin of the page that opens the socket.
      return fail(`is the address of a WebSocket. Did you mean "${text.replace('ws', 'http')}"?`);
    }
    if (insecureBy !== undefined && scheme === 'http' && !isLoopbackHost(host)) {
      return fail(`is not https, so that anyone on the network path could act as it (${insecureBy})`);
    }
    return parsed;
  };
}

/** The origin that a URL such as `https://Example.com/` was probably meant to be. */
function spelling(text: string): string | undefined {
  const url = parseUrl(text);
  if (!url) return undefined;
  const { origin, username, password } = url;
  return username || password ? undefined : parseOrigin(origin)?.text;
}
