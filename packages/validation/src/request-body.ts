import type { SecurityRequest } from '@portcullis/core';
import { errors } from './error-codes.js';

const FORM_TYPES: ReadonlySet<string> = new Set(['application/x-www-form-urlencoded', 'multipart/form-data']);

export interface BodyRead {
  readonly value: unknown;
  /** True for forms, whose values are all text. */
  readonly fromText: boolean;
}

/**
 * The body as a parser has left it, provided that its media type is one of the accepted ones. Whatever cannot be
 * shown to be that is refused with 415, so that nothing reaches a handler unvalidated because a parser and a
 * validator read `Content-Type` differently (Fastify CVE-2025-32442, CVE-2026-25223, CVE-2026-33806).
 */
export function readBody(req: SecurityRequest, accepted: ReadonlySet<string>): BodyRead {
  if (!hasBody(req)) return { value: undefined, fromText: false };
  const type = mediaType(req.headers['content-type']);
  if (type === undefined || !accepted.has(type) || isUnparsed(req)) {
    throw errors.E_MEDIA_TYPE({ headers: { Accept: [...accepted].join(', ') } });
  }
  return { value: req.body, fromText: FORM_TYPES.has(type) };
}

function hasBody({ headers }: SecurityRequest): boolean {
  const { 'transfer-encoding': transferEncoding, 'content-length': length } = headers;
  return transferEncoding !== undefined || (length !== undefined && Number(length) !== 0);
}

/** The type and subtype of RFC 9110 8.3.1, if what follows is nothing or parameters. */
function mediaType(header: string | undefined): string | undefined {
  const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
  const match = new RegExp(`^(${token}/${token})[ \\t]*(?:;|$)`).exec(header ?? '');
  return match?.[1]?.toLowerCase();
}

/** Express 5 leaves `undefined` where no parser was responsible; Express 4 leaves an empty object. */
function isUnparsed(req: SecurityRequest): boolean {
  const { body } = req;
  if (body === undefined) return true;
  if (typeof body !== 'object' || body === null || Object.keys(body).length > 0) return false;
  return !req.readableDidRead;
}
