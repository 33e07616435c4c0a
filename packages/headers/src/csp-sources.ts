import { nearest, OptionError } from '@portcullis/core';

/** How a nonce is written in options. */
export const NONCE_SOURCE = "'nonce'";

type Fail = (problem: string) => never;

/** Reads one directive's value: a list of sources, `true` (no value), or `false` (left out). */
export function readSources(
  directive: string,
  value: unknown,
  owner: string,
  path: string,
): readonly string[] | false {
  if (value === false || value === undefined) return false;
  if (value === true) return [];
  if (!Array.isArray(value)) {
    throw new OptionError('E_OPTION_TYPE', owner, path, `${path} must be a list of sources, true or false`);
  }
  const sources = value.map((source: unknown, i) => {
    const at = `${path}[${i}]`;
    const fail: Fail = (problem) => {
      throw new OptionError('E_OPTION_VALUE', owner, at, `${at} ${problem}`);
    };
    if (typeof source !== 'string' || !PLAIN.test(source)) {
      return fail('must be one source: printable ASCII without spaces, commas and semicolons');
    }
    (CHECKS[directive] ?? checkSource)(source, directive, fail);
    return source;
  });
  if (sources.length > 1 && sources.some((source) => source.toLowerCase() === "'none'")) {
    throw new OptionError(
      'E_OPTION_VALUE',
      owner,
      path,
      `${path} has 'none' beside other sources, which browsers then ignore: leave it out`,
    );
  }
  return sources;
}

// Printable ASCII without space, comma and semicolon: these would end the source, the policy or the directive.
const PLAIN = /^[\x21-\x2b\x2d-\x3a\x3c-\x7e]{1,2048}$/;

const WORDS = [
  'self',
  'none',
  'nonce',
  'strict-dynamic',
  'report-sample',
  'unsafe-inline',
  'unsafe-eval',
  'unsafe-hashes',
  'wasm-unsafe-eval',
  'inline-speculation-rules',
];
const HASH_LENGTHS: Readonly<Record<string, number>> = { sha256: 44, sha384: 64, sha512: 88 };
const HASH = /^(sha256|sha384|sha512)-([A-Za-z0-9+/_-]+={0,2})$/i;
// Host sources and schemes (CSP3 section 2.3.1): a wildcard is the first label or the port.
const SCHEME = /^[a-z][a-z0-9+.-]*:$/i;
const HOST =
  /^(?:[a-z][a-z0-9+.-]*:\/\/)?(?:\*|(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:]+\])(?::(?:\d{1,5}|\*))?(?:\/[^?#]*)?$/i;

function checkSource(source: string, directive: string, fail: Fail): void {
  if (source.startsWith("'") || source.endsWith("'")) {
    checkQuoted(source, directive, fail);
    return;
  }
  const word = source.toLowerCase();
  if (WORDS.includes(word) || HASH.test(source)) fail(`is a keyword and needs quotes: "'${source}'"`);
  if (word.startsWith('nonce-')) fail(FIXED_NONCE);
  if (SCHEME.test(source)) return;
  if (!HOST.test(source)) {
    fail(
      'must be a quoted keyword, a scheme such as "data:" or a host such as "https://*.example.com/path": no query, and * only as the first label or the port',
    );
  }
  // A bare word is a host of the local network, or a keyword misspelt and without its quotes.
  const near = /[.:/*]/.test(source) ? undefined : nearest(word, WORDS);
  if (near) fail(`is no host that browsers find. Did you mean "'${near}'"?`);
}

const FIXED_NONCE = `is a fixed nonce, which protects nothing: write "${NONCE_SOURCE}" for a fresh one per request`;
const NONCED = ['default-src', 'script-src', 'script-src-elem', 'style-src', 'style-src-elem'];

function checkQuoted(source: string, directive: string, fail: Fail): void {
  if (source.length < 3 || !source.startsWith("'") || !source.endsWith("'")) {
    fail('has a quote on one side only');
  }
  const word = source.slice(1, -1).toLowerCase();
  if (word.startsWith('nonce-')) fail(FIXED_NONCE);
  const hash = HASH.exec(source.slice(1, -1));
  if (hash) {
    const [, algorithm = '', digest = ''] = hash;
    const length = HASH_LENGTHS[algorithm.toLowerCase()];
    if (digest.length !== length) fail(`must have ${length} base64 characters after "${algorithm}-"`);
    return;
  }
  if (!WORDS.includes(word)) {
    const near = nearest(word, WORDS);
    fail(`is no keyword. ${near ? `Did you mean "'${near}'"?` : `Known: '${WORDS.join("', '")}'.`}`);
  }
  if (source.toLowerCase() === NONCE_SOURCE && !NONCED.includes(directive)) {
    fail(`means nothing in ${directive}: browsers look for a nonce only in ${NONCED.join(', ')}`);
  }
}

const SANDBOX = [
  'allow-downloads',
  'allow-forms',
  'allow-modals',
  'allow-orientation-lock',
  'allow-pointer-lock',
  'allow-popups',
  'allow-popups-to-escape-sandbox',
  'allow-presentation',
  'allow-same-origin',
  'allow-scripts',
  'allow-storage-access-by-user-activation',
  'allow-top-navigation',
  'allow-top-navigation-by-user-activation',
  'allow-top-navigation-to-custom-protocols',
];

const oneOf =
  (known: readonly string[]) =>
  (source: string, _directive: string, fail: Fail): void => {
    if (known.includes(source)) return;
    const near = nearest(source, known);
    fail(near ? `is not known. Did you mean "${near}"?` : `must be one of ${known.join(', ')}`);
  };

function matching(pattern: RegExp, wanted: string) {
  return (source: string, _directive: string, fail: Fail): void => {
    if (!pattern.test(source)) fail(`must be ${wanted}`);
  };
}

function noValue(_source: string, directive: string, fail: Fail): void {
  fail(`is too much: ${directive} has no value, write true`);
}

/** Directives whose values are not sources. */
const CHECKS: Readonly<Record<string, (source: string, directive: string, fail: Fail) => void>> = {
  __proto__: null as never,
  'report-to': matching(/^[A-Za-z][\w-]{0,63}$/, 'the name of a group in Reporting-Endpoints'),
  'report-uri': matching(/^(?:https?:\/\/[^'"]+|\/[^'"]*)$/, 'a path or an address'),
  'require-trusted-types-for': oneOf(["'script'"]),
  sandbox: oneOf(SANDBOX),
  'trusted-types': matching(
    /^(?:'none'|'allow-duplicates'|\*|[\w\-#=/@.%]+)$/,
    "the name of a policy, 'none', 'allow-duplicates' or *",
  ),
  'upgrade-insecure-requests': noValue,
};
