/** One `Set-Cookie` value, taken apart as browsers do (RFC 6265bis section 5.6): of a repeated attribute the last counts. */
export interface CookieLine {
  readonly name: string;
  readonly value: string;
  /** By lower-case name; `true` is an attribute without value. */
  readonly attributes: Map<string, string | true>;
}

// A cookie name is a token (RFC 6265bis section 4.1.1); of a value browsers bear more than the grammar, but no control characters.
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
// oxlint-disable-next-line no-control-regex -- control characters are the subject
const CONTROLS = /[\u0000-\u001f\u007f]/;

/** Undefined for what is no cookie: without a name a browser would read the value as one, prefix included. */
export function parseCookieLine(line: string): CookieLine | undefined {
  if (CONTROLS.test(line)) return undefined;
  const [pair = '', ...rest] = line.split(';');
  const equals = pair.indexOf('=');
  if (equals < 1) return undefined;
  const name = pair.slice(0, equals).trim();
  if (!NAME.test(name)) return undefined;
  const attributes = new Map<string, string | true>();
  for (const part of rest) {
    const at = part.indexOf('=');
    const key = (at < 0 ? part : part.slice(0, at)).trim().toLowerCase();
    if (key !== '') attributes.set(key, at < 0 ? true : part.slice(at + 1).trim());
  }
  return { name, value: pair.slice(equals + 1).trim(), attributes };
}

const SPELLING: Readonly<Record<string, string>> = {
  __proto__: null as never,
  domain: 'Domain',
  path: 'Path',
  expires: 'Expires',
  'max-age': 'Max-Age',
  httponly: 'HttpOnly',
  secure: 'Secure',
  samesite: 'SameSite',
  partitioned: 'Partitioned',
  priority: 'Priority',
};

export function renderCookieLine({ name, value, attributes }: CookieLine): string {
  let text = `${name}=${value}`;
  for (const [key, given] of attributes) {
    text += `; ${SPELLING[key] ?? key}`;
    if (given !== true) text += `=${given}`;
  }
  return text;
}
