import { isUtf8 } from 'node:buffer';
import { endsCanonically } from './base64url.js';
import type { TokenFault } from './token-fault.js';

export const MAX_TOKEN_LENGTH = 8_192;

/** The parts of a token that has the right form; nothing in it has been verified. */
export interface TokenParts {
  /** The header as it is written, see {@link parseHeader}. */
  readonly head: string;
  readonly payload: Buffer;
  readonly signature: Buffer;
  /** What the signature covers. */
  readonly signed: Buffer;
}

export interface TokenHeader {
  readonly alg: string;
  readonly kid?: string;
  /** Lower case and without the prefix of a media type (RFC 9068 section 4, RFC 7515 section 4.1.9). */
  readonly typ?: string;
}

// Parameters that bring or fetch a key of the sender's choice, or change how the rest is read (RFC 7515 section 4.1,
// RFC 7797). We use none of them, so none of them has a harmless reading.
const REFUSED = ['crit', 'b64', 'jwk', 'jku', 'x5u', 'x5c', 'zip', 'enc'] as const;
const TOKEN = /^[A-Za-z0-9_.-]+$/;

/**
 * Takes apart a JWS in compact form strictly (RFC 7515 section 7.1): three segments, at most 8,192 characters, canonical
 * base64url, a signature that is not empty. Returns the reason as a string if it is none.
 */
export function parseToken(token: unknown): TokenParts | TokenFault {
  if (typeof token !== 'string' || token === '') return 'not-a-token';
  if (token.length > MAX_TOKEN_LENGTH) return 'too-long';
  const first = token.indexOf('.');
  const second = token.indexOf('.', first + 1);
  if (second === -1 || token.includes('.', second + 1)) return 'segments';
  if (!TOKEN.test(token)) return 'encoding';
  const head = token.slice(0, first);
  const body = token.slice(first + 1, second);
  const tail = token.slice(second + 1);
  if (head === '' || tail === '') return 'encoding';
  if (!endsCanonically(head) || !endsCanonically(body) || !endsCanonically(tail)) return 'encoding';
  return {
    head,
    payload: Buffer.from(body, 'base64url'),
    signature: Buffer.from(tail, 'base64url'),
    signed: Buffer.from(token.slice(0, second), 'latin1'),
  };
}

/**
 * A header object with a string `alg`, and none of the parameters that could turn verification around; but those that
 * `allowed` names, whose reader must then judge them. Returns the reason as a string if it is none.
 */
export function parseHeader(
  head: string,
  allowed: readonly string[] = [],
): (TokenHeader & { readonly all: Readonly<Record<string, unknown>> }) | TokenFault {
  const all = parseObject(Buffer.from(head, 'base64url'));
  if (!all) return 'header';
  if (REFUSED.some((name) => Object.hasOwn(all, name) && !allowed.includes(name))) return 'header-parameter';
  const { alg, kid, typ } = all;
  if (typeof alg !== 'string') return 'header';
  if (kid !== undefined && typeof kid !== 'string') return 'header';
  if (typ !== undefined && typeof typ !== 'string') return 'header';
  return {
    all,
    alg,
    ...(kid === undefined ? {} : { kid }),
    ...(typ === undefined ? {} : { typ: plainType(typ) }),
  };
}

export function plainType(typ: string): string {
  return typ.toLowerCase().replace(/^application\//, '');
}

/** A JSON object in UTF-8 (RFC 7519 section 7.2 step 10), or undefined. */
export function parseObject(bytes: Buffer): Record<string, unknown> | undefined {
  if (!isUtf8(bytes)) return undefined;
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined;
  } catch {
    return undefined;
  }
}
