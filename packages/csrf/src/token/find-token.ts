import type { SecurityRequest } from '@portcullis/core';

export type FoundToken =
  { readonly token: string } | { readonly fault: 'token-missing' | 'token-malformed' | 'token-ambiguous' };

/**
 * The token that a request brings in a header or a field of its body. Never from the query: addresses end in logs, histories and
 * `Referer`. Node joins repeated headers and parsers make lists of repeated fields, and neither is a token; two places that
 * disagree are none either.
 */
export function findToken(req: SecurityRequest, header: string, field: string): FoundToken {
  const sent = req.headers[header];
  const posted = ownField(req.body, field);
  if (sent === undefined && posted === undefined) return { fault: 'token-missing' };
  if (sent !== undefined && posted !== undefined && sent !== posted) return { fault: 'token-ambiguous' };
  const token = sent ?? posted;
  return typeof token === 'string' ? { token } : { fault: 'token-malformed' };
}

/** Takes the field off the body, so that schemas of forms need not know it; off a copy where the reader has frozen it. */
export function dropField(req: SecurityRequest, field: string): void {
  const { body } = req;
  if (typeof body !== 'object' || body === null || !Object.hasOwn(body, field)) return;
  if (Reflect.deleteProperty(body, field)) return;
  const rest = Object.entries(Object.getOwnPropertyDescriptors(body)).filter(([name]) => name !== field);
  req.body = Object.freeze(
    Object.create(Object.getPrototypeOf(body) as object | null, Object.fromEntries(rest)),
  );
}

function ownField(body: unknown, field: string): unknown {
  if (typeof body !== 'object' || body === null || !Object.hasOwn(body, field)) return undefined;
  return (body as Record<string, unknown>)[field];
}
