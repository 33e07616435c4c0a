import type { Events, Logger } from '@portcullis/core';
import type { Outcome } from './answer.js';
import type { ErrorHook } from './events.js';
import { createLogRecord, type Redact } from './log-record.js';

/**
 * What a report or a log line says of the request. It has the form of Sentry's capture context (`tags`, `extra`), so
 * that `report: Sentry.captureException` works as it stands.
 */
export interface ErrorReport {
  readonly requestId: string;
  readonly status: number;
  readonly code: string;
  readonly outcome: Outcome;
  readonly method: string;
  /** Path of the request, without its query: queries carry secrets. */
  readonly path: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly extra: Readonly<Record<string, unknown>>;
}

/** Receives the error as it was thrown. What it returns or throws never changes the answer. */
export type Report = (error: unknown, info: ErrorReport) => unknown;

export interface AftermathDeps {
  readonly logger: Logger;
  readonly redact: Redact | undefined;
  readonly events: Events;
  readonly report: Report | undefined;
  readonly reportIf: (error: unknown, info: ErrorReport) => boolean;
  readonly logLevel: (error: unknown, info: ErrorReport) => LogLevel;
}

export type LogLevel = 'error' | 'warn' | 'info' | 'silent';

export type Facts = Omit<ErrorReport, 'tags' | 'extra'>;

/** Tells the people: event, log and report, in this order, each whatever becomes of the others. */
export function createAftermath({ logger, redact, events, report, reportIf, logLevel }: AftermathDeps): {
  tell(error: unknown, facts: Facts): void;
  hookFailed(hook: ErrorHook, error: unknown): void;
} {
  // No log line of its own: the record that could not be redacted says it.
  const record = createLogRecord(redact, () => emit({ type: 'errors.hook-failed', hook: 'redact' }));

  // A failing hook is logged and counted but never reported: that could be the same hook again.
  function hookFailed(hook: ErrorHook, error: unknown): void {
    emit({ type: 'errors.hook-failed', hook });
    if (hook === 'logger') return;
    log('error', `The ${hook} hook of errorHandler() failed.`, record(error, {}));
  }

  const emit: Events['emit'] = (event) => {
    try {
      events.emit(event);
    } catch {
      // core's own never throws; somebody else's must not undo the answer.
    }
  };

  function log(level: LogLevel, message: string, meta: object): void {
    if (level === 'silent') return;
    attempt('logger', () => logger[level](message, meta));
  }

  function attempt(hook: ErrorHook, run: () => unknown): void {
    try {
      const result = run();
      // An async hook must not end the process with an unhandled rejection.
      if (isThenable(result)) Promise.resolve(result).catch((error: unknown) => hookFailed(hook, error));
    } catch (error) {
      hookFailed(hook, error);
    }
  }

  return {
    hookFailed,
    tell(error, facts) {
      const { requestId, status, code, outcome, method, path } = facts;
      emit({ type: 'errors.handled', requestId, status, code, outcome });
      const info: ErrorReport = Object.freeze({
        ...facts,
        tags: Object.freeze({ requestId, code, status: String(status) }),
        extra: Object.freeze({ method, path, outcome }),
      });
      attempt('logger', () => {
        const level = logLevel(error, info);
        if (level === 'silent') return;
        log(
          level,
          'A request failed.',
          record(error, { requestId, status, code, outcome, method }, { path }),
        );
      });
      if (report) {
        attempt('report', () => (reportIf(error, info) ? report(error, info) : undefined));
      }
    },
  };
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof Object(value).then === 'function';
}
