export type QueryProblem =
  /** A name or a value that is a credential: it ends in logs, histories and `Referer`. */
  | 'secret-in-query'
  /** `_method`, which a later middleware takes for the method. */
  | 'method-override'
  /** A NUL, or a byte that has no place in an address. */
  | 'control-character'
  /** A fragment, which no client sends: a cache may cut it off where the app does not. */
  | 'target-form';

/** Names of credentials, in lower case and without `-` and `_`. `code` and `state` of OAuth are short-lived and not among them. */
const SECRET_NAMES: ReadonlySet<string> = new Set([
  'accesskey',
  'accesstoken',
  'apikey',
  'apisecret',
  'apitoken',
  'authorization',
  'authtoken',
  'bearer',
  'bearertoken',
  'clientsecret',
  'csrftoken',
  'idtoken',
  'jsessionid',
  'jwt',
  'passphrase',
  'passwd',
  'password',
  'phpsessid',
  'privatekey',
  'pwd',
  'refreshtoken',
  'secret',
  'secretkey',
  'sessionid',
  'sessiontoken',
  'token',
  'xapikey',
]);

// A JSON Web Token (its header is JSON, so that it begins with eyJ), and keys that their issuers made recognisable.
const SECRET_VALUES =
  /^(?:Bearer )?eyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*(?:\.[A-Za-z0-9_-]*){0,2}$|^(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{8,}|^(?:ghp|gho|ghu|ghs|ghr|github_pat|glpat|xox[abprs])[_-][A-Za-z0-9_-]{10,}|^(?:AKIA|ASIA)[A-Z0-9]{16}$|^-----BEGIN /;

const MAX_PARAMETERS = 1_000;

/** What is wrong with a query (without its `?`), or undefined. Parameters of `allowed` may carry secrets. */
export function queryProblem(query: string, allowed: ReadonlySet<string>): QueryProblem | undefined {
  if (query === '') return undefined;
  if (/[^\x21-\x7e]|%00/.test(query)) return 'control-character';
  if (query.includes('#')) return 'target-form';
  const parameters = query.split('&', MAX_PARAMETERS);
  for (const parameter of parameters) {
    const equals = parameter.indexOf('=');
    const name = decode(equals < 0 ? parameter : parameter.slice(0, equals));
    if (name === '_method' || name.startsWith('_method[')) return 'method-override';
    if (allowed.has(name)) continue;
    if (SECRET_NAMES.has(lastPart(name).toLowerCase().replaceAll(/[_-]/g, ''))) return 'secret-in-query';
    // Short ones, nearly all, cannot be one.
    if (parameter.length - equals > 16 && SECRET_VALUES.test(decode(parameter.slice(equals + 1)))) {
      return 'secret-in-query';
    }
  }
  return undefined;
}

/** The name that counts in `user[password]`, `user.password` and `password[]`. */
function lastPart(name: string): string {
  if (!/[[\].]/.test(name)) return name;
  return name.split(/[[\].]+/).findLast((part) => part !== '' && !/^\d+$/.test(part)) ?? '';
}

function decode(text: string): string {
  if (!/[%+]/.test(text)) return text;
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}
