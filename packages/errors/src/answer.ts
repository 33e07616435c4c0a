import { STATUS_CODES } from 'node:http';
import { appendVary, type SecurityRequest, type SecurityResponse } from '@portcullis/core';
import type { HeaderValues } from './error-headers.js';
import type { Rendered } from './render.js';

/** How the client experienced the error. */
export type Outcome =
  /** It got the answer. */
  | 'answered'
  /** Part of another answer was on its way; the connection was cut, so that it cannot be taken for a whole one. */
  | 'truncated'
  /** The answer had already been sent completely. */
  | 'late'
  /** The client had gone. */
  | 'aborted';

/**
 * Headers that described the answer which now does not come. A wrong `Content-Length` or `Content-Encoding` makes the
 * error unreadable, a validator or lifetime makes it cacheable, and `X-Accel-Redirect` would have a proxy send a file.
 * Security headers, CORS, rate limits and cookies stay.
 */
const STALE = [
  'Accept-Ranges',
  'Age',
  'Cache-Control',
  'CDN-Cache-Control',
  'Content-Digest',
  'Content-Disposition',
  'Content-Encoding',
  'Content-Language',
  'Content-Length',
  'Content-Location',
  'Content-MD5',
  'Content-Range',
  'Digest',
  'ETag',
  'Expires',
  'Last-Modified',
  'Link',
  'Location',
  'Pragma',
  'Refresh',
  'Repr-Digest',
  'Server-Timing',
  'SourceMap',
  'Surrogate-Control',
  'Trailer',
  'Transfer-Encoding',
  'X-Accel-Redirect',
  'X-Powered-By',
  'X-Sendfile',
  'X-SourceMap',
] as const;

/** What stands between an error and its answer: nothing (undefined), or an outcome that leaves nothing to write. */
export function outcomeWithoutAnswer(req: SecurityRequest, res: SecurityResponse): Outcome | undefined {
  if (res.writableEnded) return 'late';
  if (res.destroyed || req.socket?.destroyed) return 'aborted';
  return res.headersSent ? 'truncated' : undefined;
}

/** Writes the answer in one piece. Throws only before a byte is sent, and then nothing is. */
export function answer(
  req: SecurityRequest,
  res: SecurityResponse,
  status: number,
  headers: HeaderValues,
  rendered: Rendered,
): void {
  prepare(req, res, status, headers, rendered);
  res.end(rendered.body);
}

/** Everything of an answer but its body. */
export function prepare(
  req: SecurityRequest,
  res: SecurityResponse,
  status: number,
  headers: HeaderValues,
  { contentType, body, contentSecurityPolicy }: Rendered,
): void {
  for (const name of STALE) res.removeHeader(name);
  res.statusCode = status;
  // A reason phrase that a handler chose may say what happened. HTTP/2 has none.
  if (req.httpVersionMajor < 2) res.statusMessage = STATUS_CODES[status] ?? '';
  res.setHeader('Cache-Control', 'no-store');
  res.setHeader('X-Content-Type-Options', 'nosniff');
  if (!res.hasHeader('Content-Security-Policy')) {
    res.setHeader('Content-Security-Policy', contentSecurityPolicy);
  }
  appendVary(res, ['Accept']);
  for (const [name, value] of Object.entries(headers)) setOrAppend(res, name, value);
  res.setHeader('Content-Type', contentType);
  res.setHeader('Content-Length', Buffer.byteLength(body));
}

/** For when everything else has failed: a plain answer without anything of the request or the error. */
export function lastResort(req: SecurityRequest, res: SecurityResponse): Outcome {
  try {
    if (!res.headersSent) {
      answer(req, res, 500, {}, PLAIN);
      return 'answered';
    }
  } catch {
    // Below.
  }
  try {
    res.destroy();
  } catch {
    req.socket?.destroy();
  }
  return 'truncated';
}

const PLAIN: Rendered = {
  contentType: 'text/plain; charset=utf-8',
  body: '500 Internal server error\n',
  contentSecurityPolicy: "default-src 'none'; frame-ancestors 'none'",
};

function setOrAppend(res: SecurityResponse, name: string, value: string): void {
  const key = name.toLowerCase();
  if (key === 'vary')
    appendVary(
      res,
      value.split(',').map((name) => name.trim()),
    );
  else if (key === 'set-cookie') res.appendHeader(name, value);
  else res.setHeader(name, value);
}
