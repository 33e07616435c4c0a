import { createHash } from 'node:crypto';
import { ensureContext, isAuthenticated, type ClientAddress, type SecurityRequest } from '@portcullis/core';
import { errors } from './error-codes.js';

/**
 * Whom a request counts for. A string names them (up to 4,096 characters); `undefined` means "nobody in
 * particular": the client's address counts instead. Anything else refuses the request (E_RATE_LIMIT_KEY).
 */
export type KeyFunction = (req: SecurityRequest) => string | undefined | Promise<string | undefined>;

/**
 * - `address`: the client's address, an IPv6 client by its prefix (see `ipv6`).
 * - `principal`: who was identified; anonymous ones by address.
 * - `api-key`: the API key that was verified; all others by address. Never an unverified header field: whoever invents a new
 *   key with every request would never be limited.
 * - `tenant`: all of a principal's tenant together; those without one by address.
 * - `route`: method and path pattern of the route, together for all.
 * - `all`: everything together.
 * - A list: each combination of its entries, such as `['principal', 'route']`.
 */
export type NamedKey = 'address' | 'principal' | 'api-key' | 'tenant' | 'route' | 'all';
export type LimitBy = NamedKey | KeyFunction | readonly (NamedKey | KeyFunction)[];

export interface CountedKey {
  readonly key: string;
  readonly by: NamedKey | 'custom';
  /** The address, if it is all that counts: its wider prefix may count as well. */
  readonly address?: ClientAddress | undefined;
}

export type KeyReader = (req: SecurityRequest) => CountedKey | Promise<CountedKey>;

export const namedKeys: readonly NamedKey[] = ['address', 'principal', 'api-key', 'tenant', 'route', 'all'];

export function keyReader(by: LimitBy, ipv6Prefix: number): KeyReader {
  if (typeof by === 'function') return (req) => after(by(req), (name) => custom(req, name, ipv6Prefix));
  if (typeof by === 'string') return (req) => readers[by](req, ipv6Prefix);
  const parts = by.map((one) => keyReader(one, ipv6Prefix));
  if (parts.length === 1) return parts[0]!;
  return (req) => {
    const read = parts.map((part) => part(req));
    return read.some((part) => part instanceof Promise)
      ? Promise.all(read.map(async (part) => part)).then(combined)
      : combined(read as CountedKey[]);
  };
}

/**
 * Counts by one field of the parsed body, such as the account of a sign-in: spellings that differ only in case,
 * compatibility characters or outer space are one account. A missing or odd field counts by address.
 */
export function bodyField(name: string): KeyFunction {
  return (req) => {
    const { body } = req;
    if (typeof body !== 'object' || body === null || !Object.hasOwn(body, name)) return undefined;
    const value = (body as Record<string, unknown>)[name];
    if (typeof value !== 'string' || value.length > MAX_NAME) return undefined;
    return value.normalize('NFKC').trim().toLowerCase() || undefined;
  };
}

const MAX_NAME = 4096;

function byAddress(req: SecurityRequest, ipv6Prefix: number): CountedKey {
  const { address } = ensureContext(req);
  const key = address.version === 4 || ipv6Prefix === 64 ? address.key : address.prefix(ipv6Prefix);
  return { key: `a:${key}`, by: 'address', address };
}

const readers: Record<NamedKey, (req: SecurityRequest, ipv6Prefix: number) => CountedKey> = Object.assign(
  Object.create(null),
  {
    address: byAddress,
    principal(req: SecurityRequest, ipv6Prefix: number): CountedKey {
      const { principal } = ensureContext(req);
      if (!isAuthenticated(principal)) return byAddress(req, ipv6Prefix);
      const { tenant = '', kind, id } = principal;
      return { key: `p:${digest(`${tenant.length}:${tenant}${kind}:${id}`)}`, by: 'principal' };
    },
    'api-key'(req: SecurityRequest, ipv6Prefix: number): CountedKey {
      const { principal } = ensureContext(req);
      if (!isAuthenticated(principal) || principal.kind !== 'api-key') return byAddress(req, ipv6Prefix);
      const { tenant = '', id } = principal;
      return { key: `i:${digest(`${tenant.length}:${tenant}${id}`)}`, by: 'api-key' };
    },
    tenant(req: SecurityRequest, ipv6Prefix: number): CountedKey {
      const { principal } = ensureContext(req);
      if (!isAuthenticated(principal) || principal.tenant === undefined) return byAddress(req, ipv6Prefix);
      return { key: `t:${digest(principal.tenant)}`, by: 'tenant' };
    },
    route(req: SecurityRequest): CountedKey {
      const { path } = (req.route ?? {}) as { readonly path?: string | RegExp };
      return { key: `r:${digest(`${req.method} ${req.baseUrl ?? ''} ${String(path ?? '')}`)}`, by: 'route' };
    },
    all: (): CountedKey => ({ key: 'all', by: 'all' }),
  },
);

function custom(req: SecurityRequest, name: unknown, ipv6Prefix: number): CountedKey {
  if (name === undefined) return byAddress(req, ipv6Prefix);
  if (typeof name !== 'string' || name === '' || name.length > MAX_NAME) throw errors.E_RATE_LIMIT_KEY();
  return { key: `k:${digest(name)}`, by: 'custom' };
}

// Parts hold no "+": digests are base64url, addresses are addresses.
function combined(parts: readonly CountedKey[]): CountedKey {
  return { key: parts.map(({ key }) => key).join('+'), by: parts[0]!.by };
}

// Names may be e-mail addresses or API keys: neither belongs in a store's key space in clear, nor at full length.
function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 22);
}

function after<T, U>(value: T | Promise<T>, use: (value: T) => U): U | Promise<U> {
  return value instanceof Promise ? value.then(use) : use(value);
}
