import type { KeySet, VerifiedKey } from './keys.js';
import { parseHeader, parseToken, type TokenHeader } from './parse.js';
import type { TokenFault } from './token-fault.js';

/** A JWS whose signature is right; what it says has not been judged. */
export interface VerifiedJws {
  readonly header: TokenHeader;
  readonly key: VerifiedKey;
  readonly payload: Buffer;
}

export type JwsVerifier = (token: unknown, now: number) => VerifiedJws | TokenFault;

/** Headers remembered: an issuer writes one for each of its keys, with every token the same bytes. */
const MAX_HEADERS = 64;

/**
 * Form and signature of a JWS (RFC 7515), nothing about its content. The key is the one that `kid` names, the
 * algorithm is that key's only one; the header's `alg` has no say, it must merely agree.
 */
export function createJwsVerifier(keys: KeySet): JwsVerifier {
  const known = new Map<string, { readonly header: TokenHeader; readonly key: VerifiedKey }>();

  return (token, now) => {
    const parts = parseToken(token);
    if (typeof parts === 'string') return parts;
    const { head, payload, signature, signed } = parts;
    const remembered = known.get(head);
    const judged = remembered ?? judgeHeader(head, keys);
    if (typeof judged === 'string') return judged;
    const { header, key } = judged;
    if (now >= key.expiresAt) return 'unknown-key';
    if (!key.algorithm.verify(signed, signature, key.verifyWith)) return 'signature';
    // Only what a key of ours has signed is remembered: nobody else can fill the table.
    if (!remembered && known.size < MAX_HEADERS) known.set(head, judged);
    return { header, key, payload };
  };
}

function judgeHeader(
  head: string,
  keys: KeySet,
): { readonly header: TokenHeader; readonly key: VerifiedKey } | TokenFault {
  const header = parseHeader(head);
  if (typeof header === 'string') return header;
  const key = keys.find(header.kid);
  if (!key) return 'unknown-key';
  return header.alg === key.algorithm.name ? { header, key } : 'algorithm';
}
