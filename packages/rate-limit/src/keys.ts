import { createHash } from 'node:crypto';
import { ensureContext, isAuthenticated, type SecurityRequest } from '@portcullis/core';
import { errors } from './error-codes.js';

/**
 * Whom a request counts for. A string names them (up to 4,096 characters); `undefined` means "nobody in
 * particular": the client's address counts instead. Anything else refuses the request (E_RATE_LIMIT_KEY).
 */
export type KeyFunction = (req: SecurityRequest) => string | undefined | Promise<string | undefined>;
export type LimitBy = 'address' | 'principal' | KeyFunction;

export interface CountedKey {
  readonly key: string;
  readonly by: 'address' | 'principal' | 'custom';
}

export type KeyReader = (req: SecurityRequest) => CountedKey | Promise<CountedKey>;

export function keyReader(by: LimitBy): KeyReader {
  if (by === 'address') return byAddress;
  if (by === 'principal') return byPrincipal;
  return (req) => {
    const named = by(req);
    return named instanceof Promise ? named.then((name) => custom(req, name)) : custom(req, named);
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

function byAddress(req: SecurityRequest): CountedKey {
  return { key: `a:${ensureContext(req).address.key}`, by: 'address' };
}

function byPrincipal(req: SecurityRequest): CountedKey {
  const { principal } = ensureContext(req);
  if (!isAuthenticated(principal)) return byAddress(req);
  const { tenant = '', kind, id } = principal;
  return { key: `p:${digest(`${tenant.length}:${tenant}${kind}:${id}`)}`, by: 'principal' };
}

function custom(req: SecurityRequest, name: unknown): CountedKey {
  if (name === undefined) return byAddress(req);
  if (typeof name !== 'string' || name === '' || name.length > MAX_NAME) throw errors.E_RATE_LIMIT_KEY();
  return { key: `k:${digest(name)}`, by: 'custom' };
}

// Names may be e-mail addresses or API keys: neither belongs in a store's key space in clear, nor at full length.
function digest(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 22);
}
