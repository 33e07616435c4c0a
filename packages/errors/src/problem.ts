import { STATUS_CODES } from 'node:http';
import { isError, isSecurityError, type ErrorFactory } from '@portcullis/core';
import { errors } from './error-codes.js';
import { bodyErrors } from './body-errors.js';
import { headersOf, type HeaderValues } from './error-headers.js';
import { carries, peek, peekString } from './peek.js';

/**
 * What a client may know of an error: the public half, ready to be rendered in any format or protocol.
 * Server errors (5xx) never have a `detail` nor members.
 */
export interface Problem {
  /** HTTP status, 400 to 599. */
  readonly status: number;
  /** Stable code for programs: `E_` and upper-case words. */
  readonly code: string;
  /** Name of the kind of problem (RFC 9457 `title`). */
  readonly title: string;
  /** Sentence about this occurrence; only where its author meant it for clients. */
  readonly detail?: string;
  /** Response headers that belong to the refusal, such as `WWW-Authenticate` and `Retry-After`. */
  readonly headers: HeaderValues;
  /** Extension members (RFC 9457 section 3.2), such as `errors` with JSON pointers. */
  readonly members: Readonly<Record<string, unknown>>;
}

const MAX_DETAIL = 2_000;
const CODE = /^E_[A-Z0-9_]{1,80}$/;

/**
 * Decides what a client may know of anything that was thrown. Total: never throws, whatever it is given.
 * - Refusals of this family (`SecurityError`) with a 4xx status show their message, members and headers.
 * - 5xx show the status' own name; 501 to 599 of a `SecurityError` keep their code, 500 is always `E_INTERNAL`.
 * - Foreign errors keep a 4xx or 5xx `status` or `statusCode`; their message is shown only for 4xx with
 *   `expose: true`, as `http-errors` defines it, and never if a parser, the operating system or a database wrote it.
 * - An error of a conversation with another server (`response`, `request`, `$metadata`) is an internal error: its
 *   status was not said to our client.
 */
export function problemOf(thrown: unknown): Problem {
  if (isSecurityError(thrown)) return ofSecurityError(thrown);
  if (!isError(thrown) && !isPlainErrorRecord(thrown)) return generic(500);
  return ofParser(thrown) ?? ofForeign(thrown);
}

function ofSecurityError(error: Error): Problem {
  const status = validStatus(peek(error, 'status')) ?? 500;
  const code = peekString(error, 'code') ?? '';
  const base = generic(status);
  const headers = headersOf(error);
  if (status >= 500) return { ...base, code: status > 500 && CODE.test(code) ? code : base.code, headers };
  return {
    status,
    code: CODE.test(code) ? code : base.code,
    title: textOf(error, 'title') ?? base.title,
    ...optional('detail', textOf(error, 'message')),
    headers,
    members: membersOf(error),
  };
}

/** What Node's decompression says of a body that is not compressed as it claims to be; body-parser adds the status. */
const ZLIB_CODE = /^(?:Z_|ERR_BROTLI_|ERR__ERROR_|ERR_ZSTD_|ZSTD_)/;

/** body-parser, raw-body and the router: their texts may quote the request, so each kind has a text of ours. */
function ofParser(error: unknown): Problem | undefined {
  const status = statusOf(error);
  if (status === undefined) return undefined;
  const type = peekString(error, 'type');
  const factory = type === undefined ? undefined : bodyErrors[type];
  if (factory) return ofFactory(factory);
  if (status === 400 && ZLIB_CODE.test(peekString(error, 'code') ?? ''))
    return ofFactory(errors.E_BODY_MALFORMED);
  if (peekString(error, 'name') === 'URIError' && status === 400) return ofFactory(errors.E_URL_MALFORMED);
  return undefined;
}

function ofForeign(error: unknown): Problem {
  if (UPSTREAM_MARKS.some((mark) => carries(error, mark))) return generic(500);
  const status = statusOf(error);
  if (status === undefined) return generic(500);
  const likeHttpErrors = typeof peek(error, 'expose') === 'boolean';
  // A library's `headers` are often those of somebody else's answer; http-errors means its own.
  const headers = likeHttpErrors ? headersOf(error, 'foreign') : {};
  const shown = status < 500 && peek(error, 'expose') === true && !isWrapped(error);
  const base = generic(status);
  return { ...base, ...(shown ? optional('detail', textOf(error, 'message')) : {}), headers };
}

/** Errors that axios, got, undici, Octokit, the AWS SDK, Stripe and the like make of an answer to *us*. */
const UPSTREAM_MARKS = ['response', 'request', '$metadata', 'isAxiosError', 'rawType', 'requestID'] as const;

/** `createError(404, error)` marks a foreign error as exposable; its text was still not written for clients. */
const FOREIGN_MARKS = ['syscall', 'errno', 'path', 'severity', 'routine', 'sql', 'query', 'errors'] as const;
const BUILT_IN =
  /^(?:Type|Syntax|Range|Reference|URI|Eval|Aggregate|Assertion|Suppressed|Abort|Timeout)Error$/;

function isWrapped(error: unknown): boolean {
  return (
    FOREIGN_MARKS.some((mark) => carries(error, mark)) ||
    BUILT_IN.test(peekString(error, 'name') ?? '') ||
    peek(error, Symbol.toStringTag) === 'DOMException'
  );
}

function isPlainErrorRecord(thrown: unknown): boolean {
  // `throw { status: 404 }` of older code; its text is still not shown without `expose`.
  return typeof thrown === 'object' && thrown !== null;
}

function statusOf(error: unknown): number | undefined {
  const own = validStatus(peek(error, 'status')) ?? validStatus(peek(error, 'statusCode'));
  if (own !== undefined) return own;
  return peek(error, 'isBoom') === true ? validStatus(peek(peek(error, 'output'), 'statusCode')) : undefined;
}

function validStatus(status: unknown): number | undefined {
  return Number.isInteger(status) && (status as number) >= 400 && (status as number) <= 599
    ? (status as number)
    : undefined;
}

/** The registered row of a status; others keep their number under a code for the class. */
const byStatus: Readonly<Record<number, ErrorFactory>> = Object.freeze(
  Object.assign(Object.create(null) as Record<number, ErrorFactory>, {
    400: errors.E_BAD_REQUEST,
    401: errors.E_UNAUTHORIZED,
    403: errors.E_FORBIDDEN,
    404: errors.E_NOT_FOUND,
    405: errors.E_METHOD_NOT_ALLOWED,
    408: errors.E_REQUEST_TIMEOUT,
    409: errors.E_CONFLICT,
    410: errors.E_GONE,
    413: errors.E_BODY_TOO_LARGE,
    414: errors.E_URL_TOO_LONG,
    417: errors.E_EXPECTATION_FAILED,
    422: errors.E_UNPROCESSABLE_CONTENT,
    429: errors.E_TOO_MANY_REQUESTS,
    431: errors.E_HEADERS_TOO_LARGE,
    500: errors.E_INTERNAL,
    503: errors.E_SERVICE_UNAVAILABLE,
  }),
);

function generic(status: number): Problem {
  const factory = byStatus[status];
  const fallback = status < 500 ? errors.E_CLIENT_ERROR : errors.E_SERVER_ERROR;
  return {
    status,
    code: (factory ?? fallback).code,
    title: factory?.title ?? STATUS_CODES[status] ?? fallback.title,
    headers: {},
    members: {},
  };
}

function ofFactory(factory: ErrorFactory): Problem {
  return ofSecurityError(factory());
}

function textOf(error: unknown, key: 'title' | 'message'): string | undefined {
  const text = peekString(error, key);
  if (text === undefined || text === '') return undefined;
  return text.length > MAX_DETAIL ? `${text.slice(0, MAX_DETAIL)}...` : text;
}

/** Members that the document itself has; an extension cannot replace them. */
const RESERVED = new Set(['type', 'title', 'status', 'detail', 'instance', 'code', 'requestId', '__proto__']);
const MAX_MEMBERS_LENGTH = 65_536;
const MAX_ERRORS = 100;

function membersOf(error: Error): Readonly<Record<string, unknown>> {
  try {
    const members: Record<string, unknown> = {};
    for (const [key, value] of Object.entries(Object(peek(error, 'problem')) as object)) {
      if (RESERVED.has(key)) continue;
      members[key] = key === 'errors' && Array.isArray(value) ? value.slice(0, MAX_ERRORS) : value;
    }
    // Rendered once here, so that what cannot be written (a circle, a BigInt, a getter that throws) costs the
    // members and not the answer; and what is answered later cannot differ from what was checked.
    const text = JSON.stringify(members);
    return text.length > MAX_MEMBERS_LENGTH ? {} : (JSON.parse(text) as Record<string, unknown>);
  } catch {
    return {};
  }
}

function optional<K extends string, V>(key: K, value: V | undefined): { [P in K]?: V } {
  return (value === undefined ? {} : { [key]: value }) as { [P in K]?: V };
}
