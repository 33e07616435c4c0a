import { isLoopbackHost, OptionError, type OptionReader, parseUrl } from '@portcullis/core';
import { compileOriginPatterns, parseOriginPattern, type OriginPattern } from './origin-patterns.js';

/** `'unknown'`: well-formed and not ours. */
export type HostVerdict = 'ours' | 'unknown' | 'malformed';

// RFC 9110 section 7.2: uri-host and port, nothing else. No user, no path, no zone, no trailing junk behind the port.
const HOST = /^(\[[0-9a-f:.]+\]|[a-z0-9._-]{1,254})(?::([0-9]{1,5}))?$/;

/** Reads names of the service: `'library.example'`, `'*.library.example'`, `'localhost:*'`, `'[::1]:3000'`. */
export const hostPattern: OptionReader<OriginPattern> = (value, owner, path) => {
  const pattern = typeof value === 'string' ? parseOriginPattern(`https://${value}`) : undefined;
  if (pattern) return pattern;
  const near = typeof value === 'string' ? spelling(value) : undefined;
  throw new OptionError(
    'E_OPTION_VALUE',
    owner,
    path,
    `${path} must be a host name such as "library.example", "*.library.example" or "localhost:3000": lower case, no scheme, no path, no ":443"${near ? `. Did you mean "${near}"?` : ''}`,
  );
};

function spelling(text: string): string | undefined {
  const url = parseUrl(text.includes('://') ? text : `https://${text}`);
  if (!url) return undefined;
  const { host, username, password } = url;
  const clean = username === '' && password === '' && parseOriginPattern(`https://${host}`) !== undefined;
  return clean && host !== text ? host : undefined;
}

/**
 * Judges a `Host`. A name without a port stands for the default ports of http and https too. Without a list only this
 * machine's own names are ours, on any port: a service that nobody named answers nobody else.
 */
export function compileHosts(patterns: readonly OriginPattern[] | undefined): (host: string) => HostVerdict {
  if (!patterns) return judge((name) => isLoopbackHost(name));
  const isListed = compileOriginPatterns(patterns);
  return judge((name, port) =>
    isListed(`https://${name}${port === '' || port === '80' || port === '443' ? '' : `:${port}`}`),
  );
}

function judge(isOurs: (name: string, port: string) => boolean): (host: string) => HostVerdict {
  return (host) => {
    const match = HOST.exec(host.toLowerCase());
    if (!match || Number(match[2] ?? 1) > 65_535) return 'malformed';
    return isOurs(match[1]!, match[2] ?? '') ? 'ours' : 'unknown';
  };
}
