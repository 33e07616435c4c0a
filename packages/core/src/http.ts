import type { IncomingMessage, ServerResponse } from 'node:http';
import type { SecurityContext } from './security-context.js';

declare global {
  namespace Express {
    interface Request {
      /** Written by Portcullis; the only property it puts on a request. */
      security: SecurityContext;
    }
  }
}

/** What our middleware need of a request: Node's message plus what Express 4 and 5 add. Express's own types fit. */
export interface SecurityRequest extends IncomingMessage {
  security?: SecurityContext;
  originalUrl?: string;
  baseUrl?: string;
  path?: string;
  body?: unknown;
  query?: unknown;
  params?: unknown;
  cookies?: unknown;
  app?: unknown;
  route?: unknown;
}

export interface SecurityResponse extends ServerResponse {
  locals?: Record<string, unknown>;
}

export type NextFunction = (error?: unknown) => void;

/**
 * Fits `app.use()` and routes of Express 4 and 5, with or without their types installed. It says nothing of `params`, `body`,
 * `query` and `locals` on purpose: Express would infer its own types from ours, and the handler behind a guard would
 * lose the parameters of its path.
 */
export type Middleware = (
  req: IncomingMessage & Pick<SecurityRequest, 'security'>,
  res: ServerResponse,
  next: NextFunction,
) => void;
export type ErrorMiddleware = (
  error: unknown,
  req: IncomingMessage & Pick<SecurityRequest, 'security'>,
  res: ServerResponse,
  next: NextFunction,
) => void;
