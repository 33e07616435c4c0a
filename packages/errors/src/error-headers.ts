import { validateHeaderName, validateHeaderValue } from 'node:http';
import { peek } from './peek.js';

export type HeaderValues = Readonly<Record<string, string>>;

/** Framing and connection belong to whoever writes the answer, never to the error. */
const NEVER = new Set([
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** What an error of another library may add: the answers that HTTP itself ties to a status. */
const FOREIGN = new Set([
  'accept',
  'accept-patch',
  'accept-post',
  'allow',
  'content-range',
  'proxy-authenticate',
  'retry-after',
  'www-authenticate',
]);

/**
 * The headers that an error may put on the answer: well-formed names and values only (no CR, LF or other control
 * characters), so that a hostile value costs its header and not the answer.
 */
export function headersOf(error: unknown, origin: 'own' | 'foreign' = 'own'): HeaderValues {
  const found: Record<string, string> = {};
  try {
    for (const [name, raw] of Object.entries(Object(peek(error, 'headers')) as object)) {
      const key = name.toLowerCase();
      if (NEVER.has(key) || (origin === 'foreign' && !FOREIGN.has(key))) continue;
      const value: unknown = typeof raw === 'number' ? String(raw) : raw;
      if (typeof value === 'string' && isWellFormed(name, value)) found[name] = value;
    }
  } catch {
    return {};
  }
  return found;
}

function isWellFormed(name: string, value: string): boolean {
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
    return value.length <= 8_192;
  } catch {
    return false;
  }
}
