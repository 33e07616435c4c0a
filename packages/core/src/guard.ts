import { whileAtWork } from './answering.js';
import { errors } from './error-codes.js';
import { noEvents, type Events } from './events.js';
import type { Middleware, NextFunction, SecurityRequest, SecurityResponse } from './http.js';
import { isError } from './is-error.js';
import { tagStage, type StageKind } from './stage.js';

declare const allowBrand: unique symbol;
export interface Allow {
  readonly [allowBrand]: true;
}

/** The one value that lets a request pass. The same in every module copy of this process. */
export const ALLOW = Symbol.for('portcullis.allow') as unknown as Allow;

/** Node-style end of a callback guard: `done(null, ALLOW)` passes, everything else refuses. */
export type Done = (error: unknown, verdict?: Allow) => void;

/**
 * What a guard is made of. It passes a request by returning {@link ALLOW}, by a promise of it, or, in the
 * callback form (three parameters), by `done(null, ALLOW)`. To answer by itself (a redirect, a preflight) it
 * ends the response and returns nothing. Throwing refuses.
 */
export type GuardFunction = (
  req: SecurityRequest,
  res: SecurityResponse,
  done: Done,
) => Allow | undefined | void | Promise<Allow | undefined | void>;

export interface GuardOptions {
  readonly stage: StageKind;
  readonly detail?: string;
  /** Handed on in the stage tag. */
  readonly facts?: object;
  readonly events?: Events;
  /** Refuse with 503 if the guard has not decided within this time, in milliseconds. @default none */
  readonly timeoutMs?: number;
}

/**
 * Makes Express middleware that fails closed. Express runs the protected handler when a middleware throws
 * `undefined`, `null`, `0` or `''`, calls `next(undefined)` from a failed callback, or rejects with `'route'`;
 * here every end but an explicit allow is a refusal, on Express 4 and 5 alike.
 * The first decision counts; later ones are reported as event `guard.failed` with reason `late`.
 */
export function guard(name: string, options: GuardOptions, fn: GuardFunction): Middleware {
  const { events = noEvents, timeoutMs } = options;
  const callback = fn.length >= 3;
  const failed = (reason: 'threw' | 'undecided' | 'timeout' | 'late') =>
    events.emit({ type: 'guard.failed', guard: name, reason });

  const middleware: Middleware = (req, res, handOn) => {
    const next = whileAtWork(res, handOn);
    // Most requests end here, with one allow that came at once: no state to keep for a second one.
    let result: unknown;
    if (!callback) {
      try {
        result = (fn as (req: SecurityRequest, res: SecurityResponse) => unknown)(req, res);
      } catch (error) {
        next(asError(error, name, failed));
        return;
      }
      if (result === ALLOW) {
        try {
          next();
        } catch {
          failed('late');
        }
        return;
      }
    }
    decideOnce(req, res, next, result);
  };

  function decideOnce(req: SecurityRequest, res: SecurityResponse, next: NextFunction, early: unknown): void {
    let settled = false;
    let timer: NodeJS.Timeout | undefined;

    const settle = (): boolean => {
      if (settled) {
        failed('late');
        return false;
      }
      settled = true;
      if (timer) clearTimeout(timer);
      return true;
    };
    const refuse = (error: unknown): void => {
      if (settle()) next(asError(error, name, failed));
    };
    const conclude = (verdict: unknown): void => {
      if (verdict === ALLOW) {
        if (settle()) next();
      } else if (res.writableEnded || res.headersSent) {
        settle(); // The guard answered by itself.
      } else {
        if (!settled) failed('undecided');
        refuse(errors.E_GUARD_UNDECIDED({ details: { guard: name } }));
      }
    };

    try {
      const result = callback
        ? fn(req, res, (error, verdict) => {
            if (error === null && verdict === ALLOW) conclude(ALLOW);
            else refuse(error);
          })
        : early;
      if (result === ALLOW) conclude(ALLOW);
      else if (isThenable(result)) Promise.resolve(result).then(conclude, refuse);
      else if (!callback) conclude(result);
    } catch (error) {
      refuse(error);
    }

    if (!settled && timeoutMs !== undefined) {
      timer = setTimeout(() => {
        failed('timeout');
        refuse(errors.E_GUARD_TIMEOUT({ details: { guard: name, timeoutMs } }));
      }, timeoutMs);
      timer.unref();
    }
  }

  return tagStage(middleware, {
    kind: options.stage,
    name,
    ...(options.detail === undefined ? {} : { detail: options.detail }),
    ...(options.facts === undefined ? {} : { facts: options.facts }),
  });
}

// Express reads falsy values, 'route' and 'router' as "go on": only a real error may reach next().
function asError(error: unknown, name: string, failed: (reason: 'threw') => void): Error {
  if (isError(error)) return error;
  failed('threw');
  return errors.E_GUARD_FAILED({ details: { guard: name, thrown: error } });
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
  );
}
