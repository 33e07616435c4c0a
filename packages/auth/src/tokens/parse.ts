import { decodeCanonical } from './base64url.js';

export const MAX_TOKEN_LENGTH = 8_192;

/** A token that has the right form; nothing in it has been verified. */
export interface ParsedToken {
  readonly header: { readonly alg: string; readonly kid?: string; readonly typ?: string };
  readonly payload: Buffer;
  readonly signature: Buffer;
  /** What the signature covers. */
  readonly signed: Buffer;
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

// Parameters that bring or fetch a key of the sender's choice, or change how the rest is read (RFC 7515 section 4.1,
// RFC 7797). We use none of them, so none of them has a harmless reading.
const REFUSED = ['crit', 'b64', 'jwk', 'jku', 'x5u', 'x5c', 'zip', 'enc'] as const;

/**
 * Reads a JWS in compact form strictly (RFC 7515 section 7.1): three segments, at most 8,192 characters, canonical
 * base64url, a header object with a string `alg`, and none of the parameters that could turn verification around.
 * Returns the reason as a string if it is none.
 */
export function parseToken(token: unknown): ParsedToken | string {
  if (typeof token !== 'string' || token === '') return 'not-a-token';
  if (token.length > MAX_TOKEN_LENGTH) return 'too-long';
  const first = token.indexOf('.');
  const second = token.indexOf('.', first + 1);
  if (first < 0 || second < 0 || token.includes('.', second + 1)) return 'segments';
  const head = decodeCanonical(token.slice(0, first));
  const payload = decodeCanonical(token.slice(first + 1, second));
  const signature = decodeCanonical(token.slice(second + 1));
  if (!head || !payload || !signature || signature.length === 0) return 'encoding';
  const header = parseObject(head);
  if (!header) return 'header';
  if (REFUSED.some((name) => Object.hasOwn(header, name))) return 'header-parameter';
  const { alg, kid, typ } = header;
  if (typeof alg !== 'string') return 'header';
  if (kid !== undefined && typeof kid !== 'string') return 'header';
  if (typ !== undefined && typeof typ !== 'string') return 'header';
  return {
    header: { alg, ...(kid === undefined ? {} : { kid }), ...(typ === undefined ? {} : { typ }) },
    payload,
    signature,
    signed: Buffer.from(token.slice(0, second), 'latin1'),
  };
}

/** A JSON object in UTF-8 (RFC 7519 section 7.2 step 10), or undefined. */
export function parseObject(bytes: Buffer): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(utf8.decode(bytes));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
