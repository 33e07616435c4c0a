import { peek, peekString } from './peek.js';

const CODES = new Set(['ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ERR_STREAM_PREMATURE_CLOSE', 'ABORT_ERR']);

/** True if the error says no more than that somebody went away: an abort, a reset, a premature end. */
export function isDisconnect(error: unknown): boolean {
  const code = peek(error, 'code');
  return (
    (typeof code === 'string' && CODES.has(code)) ||
    peekString(error, 'name') === 'AbortError' ||
    peekString(error, 'type') === 'request.aborted'
  );
}
