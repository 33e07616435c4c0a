import { describeError, gatherError, presentError } from './describe-error.js';
import { peek } from './peek.js';

/** Returns a copy of a log record without secrets. */
export type Redact = (value: unknown) => unknown;

/**
 * Makes the record of an error for the log. `open` is what may be logged whatever happens; `facts` and the error pass
 * the redactor together with it, in one call and before anything is cut or turned into text: only so can a redactor
 * that finds a secret in the details also find it in the message and the stack.
 */
export type LogRecord = (thrown: unknown, open: object, facts?: object) => object;

export function createLogRecord(redact: Redact | undefined, failed: () => void = () => undefined): LogRecord {
  if (!redact) return (thrown, open, facts) => ({ ...open, ...facts, error: describeError(thrown) });
  return (thrown, open, facts) => {
    try {
      const clean = redact({ ...open, ...facts, error: gatherError(thrown) });
      // What an async redactor makes comes too late; unheard, its fault would end the process.
      if (typeof peek(clean, 'then') === 'function') Promise.resolve(clean).catch(() => undefined);
      else if (typeof clean === 'object' && clean !== null) {
        return { ...clean, error: presentError(peek(clean, 'error')) };
      }
    } catch {
      // Its fault may quote what it was given.
    }
    failed();
    return { ...open, error: { name: 'Withheld', message: 'The redactor failed; the error is not shown.' } };
  };
}
