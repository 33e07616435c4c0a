import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { ErrorFactory, Events, Random } from '@portcullis/core';
import { answer, prepare } from './answer.js';
import { errors } from './error-codes.js';
import type { ServerRefusal } from './events.js';
import { negotiate } from './negotiate.js';
import { problemOf } from './problem.js';
import { render, type Rendered } from './render.js';

const CODES: Readonly<Record<Exclude<ServerRefusal, 'slow-reader'>, ErrorFactory>> = {
  'url-too-long': errors.E_URL_TOO_LONG,
  'headers-too-large': errors.E_HEADERS_TOO_LARGE,
  'body-too-large': errors.E_BODY_TOO_LARGE,
  'request-timeout': errors.E_REQUEST_TIMEOUT,
  method: errors.E_METHOD_NOT_ALLOWED,
  expectation: errors.E_EXPECTATION_FAILED,
  malformed: errors.E_REQUEST_MALFORMED,
};

export type Answered = keyof typeof CODES;

/** What is left of a refused body is read for so long, so that a client in the middle of sending it can read the answer. */
const LINGER_MS = 1_000;
const LINGER_BYTES = 1_048_576;

export interface ServerRefusals {
  /** Answers a request that was read as far as its headers, and closes the connection behind it. */
  refuse(req: IncomingMessage, res: ServerResponse, reason: Answered): void;
  /** Answers on a connection whose request never became one. */
  refuseConnection(socket: Socket, reason: Answered): void;
  /** Only tells: there is nobody left to answer. */
  tell(reason: ServerRefusal, socket: Socket | undefined): void;
}

/** The problem documents of what never reaches an error handler. */
export function createServerRefusals(events: Events, random: Random): ServerRefusals {
  function tell(
    reason: ServerRefusal,
    socket: Socket | undefined,
    status?: number,
    requestId?: string,
  ): void {
    const address = socket?.remoteAddress;
    try {
      events.emit({
        type: 'errors.refused',
        reason,
        ...(status === undefined ? {} : { status }),
        ...(address === undefined ? {} : { address }),
        ...(requestId === undefined ? {} : { requestId }),
      });
    } catch {
      // core's own never throws; somebody else's must not undo the answer.
    }
  }

  function documentOf(
    reason: Answered,
    accept: string | undefined,
  ): { status: number; requestId: string; rendered: Rendered } {
    const problem = problemOf(CODES[reason]());
    const requestId = random.uuid();
    const occurrence = {
      ...problem,
      type: `urn:portcullis:error:${problem.code}`,
      instance: `urn:uuid:${requestId}`,
      requestId,
    };
    const format = negotiate(accept, ['json', 'html', 'text']);
    return { status: problem.status, requestId, rendered: render(occurrence, format, { shape: 'problem' }) };
  }

  return {
    tell: (reason, socket) => tell(reason, socket),
    refuse(req, res, reason) {
      if (res.headersSent) {
        tell(reason, req.socket);
        res.destroy();
        return;
      }
      const { status, requestId, rendered } = documentOf(reason, req.headers.accept);
      res.setHeader('X-Request-Id', requestId);
      res.setHeader('Connection', 'close');
      if (hasBody(req)) {
        prepare(req, res, status, {}, rendered);
        // The whole answer goes out at once; the connection is closed when the client has had time to read it.
        res.write(rendered.body);
        linger(req, () => {
          res.end();
          req.destroy(CODES[reason]());
        });
      } else {
        answer(req, res, status, {}, rendered);
      }
      tell(reason, req.socket, status, requestId);
    },
    refuseConnection(socket, reason) {
      const { status, requestId, rendered } = documentOf(reason, undefined);
      const { title } = CODES[reason];
      socket.write(
        [
          `HTTP/1.1 ${status} ${title}`,
          `Content-Type: ${rendered.contentType}`,
          `Content-Length: ${Buffer.byteLength(rendered.body)}`,
          `Content-Security-Policy: ${rendered.contentSecurityPolicy}`,
          ...(reason === 'method' ? ['Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS'] : []),
          'Cache-Control: no-store',
          'X-Content-Type-Options: nosniff',
          `X-Request-Id: ${requestId}`,
          'Connection: close',
          '',
          rendered.body,
        ].join('\r\n'),
      );
      socket.destroySoon();
      tell(reason, socket, status, requestId);
    },
  };
}

function hasBody({ headers, complete }: IncomingMessage): boolean {
  return (
    !complete && (headers['transfer-encoding'] !== undefined || (headers['content-length'] ?? '0') !== '0')
  );
}

function linger(req: IncomingMessage, done: () => void): void {
  let left = LINGER_BYTES;
  const finish = (): void => {
    clearTimeout(timer);
    req.off('data', count);
    req.off('close', finish);
    done();
  };
  const count = (chunk: Buffer): void => {
    left -= chunk.length;
    if (left < 0) finish();
  };
  const timer = setTimeout(finish, LINGER_MS);
  timer.unref();
  req.on('error', () => undefined);
  req.once('end', finish);
  req.once('close', finish);
  req.on('data', count);
}
