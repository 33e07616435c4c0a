import { optionConflict, OptionError, originOption, type OptionReader } from '@portcullis/core';
import { compileOriginPatterns, parseOriginPattern, type OriginPattern } from './origin-patterns.js';
import { isPublicSuffix } from './public-suffixes.js';

interface Tolerated {
  readonly insecure: boolean;
  readonly publicSuffixes: boolean;
}

/** Reads `origins` into `'*'` or a decision. */
export function originsReader(tolerated: Tolerated): OptionReader<'*' | ((origin: string) => boolean)> {
  const pattern = originPattern(tolerated);
  return (value, owner, path) => {
    if (value === '*') return '*';
    if (value === undefined) {
      throw new OptionError('E_OPTION_REQUIRED', owner, path, `the option "${path}" is required`);
    }
    if (!Array.isArray(value)) {
      throw new OptionError(
        'E_OPTION_TYPE',
        owner,
        path,
        `${path} must be a list of origins or '*'; regular expressions, functions and true are not taken`,
      );
    }
    if (value.length === 0) {
      throw new OptionError(
        'E_OPTION_RANGE',
        owner,
        path,
        `${path} is empty: leave cors() out to allow nobody`,
      );
    }
    if (value.includes('*')) {
      optionConflict(owner, path, `"*" stands alone: write ${path}: '*', or list the origins`);
    }
    return compileOriginPatterns(value.map((entry: unknown, i) => pattern(entry, owner, `${path}[${i}]`)));
  };
}

function originPattern({ insecure, publicSuffixes }: Tolerated): OptionReader<OriginPattern> {
  const read = originOption<OriginPattern>({
    parse: parseOriginPattern,
    originOf: ({ base }) => base,
    otherwise:
      'is not an origin or pattern such as "https://app.example.com", "https://*.example.com" or "http://localhost:*"',
    insecureBy: insecure ? undefined : 'dangerouslyAllowInsecureOrigins',
  });
  return (value, owner, path) => {
    const pattern = read(value, owner, path);
    const { base, anySubdomain } = pattern;
    if (publicSuffixes || !anySubdomain || !isPublicSuffix(base.host)) return pattern;
    throw new OptionError(
      'E_OPTION_VALUE',
      owner,
      path,
      `${path} lets anybody who registers a name under ${base.host} in (dangerouslyAllowPublicSuffixes)`,
    );
  };
}

const TOKEN = /^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,128}$/;
// Fetch, "forbidden method".
const FORBIDDEN_METHODS = new Set(['CONNECT', 'TRACE', 'TRACK']);

export const methodName: OptionReader<string> = (value, owner, path) => {
  const fail = (problem: string): never => {
    throw new OptionError('E_OPTION_VALUE', owner, path, `${path} ${problem}`);
  };
  if (typeof value !== 'string' || !TOKEN.test(value) || value === '*') {
    return fail('must be the name of a method, such as "PUT"');
  }
  const upper = value.toUpperCase();
  if (FORBIDDEN_METHODS.has(upper)) return fail(`: browsers never send ${upper} for a page`);
  // Methods are case-sensitive, and browsers do not correct the case of "patch".
  if (value !== upper) return fail(`must be in upper case: "${upper}"`);
  return value;
};

export const allowedHeaderName: OptionReader<string> = (value, owner, path) => {
  const lower = headerName(value, owner, path).toLowerCase();
  // Fetch, "forbidden request-header": pages cannot set these, so allowing them is a mistake.
  if (/^(?:proxy-|sec-)/.test(lower) || FORBIDDEN_REQUEST_HEADERS.has(lower)) {
    throw new OptionError(
      'E_OPTION_VALUE',
      owner,
      path,
      `${path}: browsers let no page set ${value as string}`,
    );
  }
  return value as string;
};

export const exposedHeaderName: OptionReader<string> = (value, owner, path) => {
  const lower = headerName(value, owner, path).toLowerCase();
  // Fetch, "forbidden response-header name".
  if (lower === 'set-cookie' || lower === 'set-cookie2') {
    throw new OptionError(
      'E_OPTION_VALUE',
      owner,
      path,
      `${path}: browsers let no page read ${value as string}`,
    );
  }
  return value as string;
};

function headerName(value: unknown, owner: string, path: string): string {
  if (typeof value !== 'string' || !TOKEN.test(value) || value === '*') {
    throw new OptionError(
      'E_OPTION_VALUE',
      owner,
      path,
      `${path} must be the name of a header; "*" is not taken`,
    );
  }
  if (/^access-control-/i.test(value)) {
    throw new OptionError(
      'E_OPTION_VALUE',
      owner,
      path,
      `${path}: ${value} belongs to CORS itself and is never listed`,
    );
  }
  return value;
}

const FORBIDDEN_REQUEST_HEADERS = new Set([
  'accept-charset',
  'accept-encoding',
  'connection',
  'content-length',
  'cookie',
  'cookie2',
  'date',
  'dnt',
  'expect',
  'host',
  'keep-alive',
  'origin',
  'referer',
  'set-cookie',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'via',
]);
