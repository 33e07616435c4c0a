import {
  guard,
  ALLOW,
  watchStages,
  type Events,
  type Middleware,
  type SecurityRequest,
} from '@portcullis/core';
import type { ServerResponse } from 'node:http';
import { errors } from './error-codes.js';

/**
 * The second net under forgotten guards: judges what leaves. A response below 400 passes if the request was decided about and
 * allowed (or its route is `public()`), with the method that it still has, or if a middleware made by core's `guard()` gives it
 * itself: a redirect, the routes of auth. So does what says no more than which methods there are: a preflight's answer without a
 * body, and the router's own to OPTIONS. Everything else becomes a 500, without the body, cookies and other headers
 * that the handler has made. What the handler has done is done: `seal()` finds such routes before they serve.
 */
export function createRequireDecision(events: Events, enforce: boolean): Middleware {
  return guard(
    'requireDecision',
    { stage: 'posture', detail: 'no answer without a decision', events },
    (req, res) => {
      judgeAnswer(req, res as ServerResponse & Head, watchStages(res), (missing) => {
        events.emit({
          type: 'rbac.decision-missed',
          method: req.method ?? '',
          path: pathOf(req),
          missing,
          ...(req.security ? { requestId: req.security.requestId } : {}),
        });
        return enforce;
      });
      return ALLOW;
    },
  );
}

type Missing = 'decision' | 'allowed-decision' | 'decision-of-this-method';

/** What Node.js calls by itself, on every response since Node.js 0.x: the one place that every head passes. */
interface Head {
  _implicitHeader(this: ServerResponse): void;
  _storeHeader(this: ServerResponse, line: string, headers: unknown): void;
  /** False: what is written is not sent. */
  _hasBody: boolean;
}

function judgeAnswer(
  req: SecurityRequest,
  res: ServerResponse & Head,
  ownStage: () => boolean,
  miss: (missing: Missing) => boolean,
): void {
  const earlier = res.getHeaders();
  const { writeHead, write, end, flushHeaders, _implicitHeader, _storeHeader } = res;
  let passes = false;
  let refused = false;
  /** Node.js makes the head by itself: for functions here, which have asked, or for its own ones, called past them. */
  let implicit = false;

  const mayLeave = (status: number, exempt: boolean): boolean => {
    // Informational answers come before the one that counts; what is an error now may be made a success.
    if (passes || status < 200 || status >= 400) return true;
    const missing = exempt || ownStage() ? undefined : missingOf(req);
    passes = missing === undefined || !miss(missing);
    return passes;
  };
  /** What the handler made of the answer is gone, and the headers from before are back. */
  const begin = (): Readonly<Record<string, number | string | string[] | undefined>> => {
    refused = true;
    // Who writes on, past these functions, must not end the process.
    res.on('error', () => undefined);
    for (const name of res.getHeaderNames()) res.removeHeader(name);
    res.statusCode = 500;
    res.statusMessage = '';
    return { ...earlier, 'cache-control': 'no-store' };
  };
  /** True if the answer is another one now. Asked before anything is sent, and only then. */
  const refuse = (status: number, exempt = false): boolean => {
    if (refused) return true;
    // As Node.js reads it.
    if (implicit || res.headersSent || mayLeave(status | 0, exempt)) return false;
    const error = errors.E_DECISION_MISSING();
    const body = JSON.stringify({
      type: `urn:portcullis:error:${error.code}`,
      title: 'Decision missing',
      status: error.status,
      detail: error.message,
    });
    writeHead.call(res, error.status, {
      ...begin(),
      'content-type': 'application/problem+json',
      'content-length': Buffer.byteLength(body),
    } as never);
    (end as (chunk?: string) => unknown).call(res, req.method === 'HEAD' ? undefined : body);
    return true;
  };
  const callBack = (...args: readonly unknown[]): void => {
    const done = args.findLast((arg) => typeof arg === 'function') as (() => void) | undefined;
    if (done) queueMicrotask(done);
  };

  Object.assign(res, {
    writeHead(this: ServerResponse, status: number, ...rest: unknown[]) {
      return refuse(status, status === 204 && isPreflight(req))
        ? this
        : (writeHead as (...args: unknown[]) => unknown).call(this, status, ...rest);
    },
    write(this: ServerResponse, ...args: unknown[]) {
      if (!refuse(this.statusCode)) return (write as (...given: unknown[]) => unknown).apply(this, args);
      callBack(...args);
      return true;
    },
    end(this: ServerResponse, ...args: unknown[]) {
      if (!refuse(this.statusCode, tellsMethodsOnly(req, this, args[0])))
        return (end as (...given: unknown[]) => unknown).apply(this, args);
      callBack(...args);
      return this;
    },
    flushHeaders(this: ServerResponse) {
      if (!refuse(this.statusCode)) flushHeaders.call(this);
    },
    _implicitHeader(this: ServerResponse) {
      implicit = true;
      try {
        _implicitHeader.call(this);
      } finally {
        implicit = false;
      }
    },
    // `http.ServerResponse.prototype.end.call(res)` and the like come past the functions above, and end here.
    _storeHeader(this: ServerResponse & Head, line: string, headers: unknown) {
      const { statusCode } = this;
      if (refused || mayLeave(statusCode, statusCode === 204 && isPreflight(req))) {
        return _storeHeader.call(this, line, headers);
      }
      // In the middle of another call: the answer is ended by that, or after it, and has no body.
      _storeHeader.call(this, 'HTTP/1.1 500 Internal Server Error\r\n', { ...begin(), 'content-length': 0 });
      this._hasBody = false;
      process.nextTick(() => void (this.writableEnded || (end as () => unknown).call(this)));
    },
  });
}

function missingOf(req: SecurityRequest): Missing | undefined {
  const decision = req.security?.decision;
  if (!decision) return 'decision';
  if (!decision.allowed) return 'allowed-decision';
  return decision.method === undefined || decision.method === req.method
    ? undefined
    : 'decision-of-this-method';
}

/** A preflight answered without a body, as CORS middleware of others does, or `Allow` as the router says it to OPTIONS. */
function tellsMethodsOnly(req: SecurityRequest, res: ServerResponse, body: unknown): boolean {
  if (req.method !== 'OPTIONS') return false;
  const text = Buffer.isBuffer(body) ? body.toString() : body;
  if (typeof text === 'string' && text !== '') return text === res.getHeader('Allow');
  return isPreflight(req);
}

function isPreflight({ method, headers }: SecurityRequest): boolean {
  const asks = headers.origin !== undefined && headers['access-control-request-method'] !== undefined;
  return method === 'OPTIONS' && asks;
}

function pathOf(req: SecurityRequest): string {
  return (req.originalUrl ?? req.url ?? '').split('?', 1)[0]!.slice(0, 500);
}
