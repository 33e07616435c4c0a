import type { Algorithm } from '../tokens/algorithms.js';
import { readKeys, type KeySet } from '../tokens/keys.js';

/**
 * The usable keys of a JWK Set that somebody else publishes (RFC 7517 section 5: others are to be ignored). Not usable: secrets and
 * private keys, keys for encryption, unknown algorithms, weak ones, and every name that occurs twice. A key without `alg` whose curve does not tell
 * it is used with `fallback` only: the algorithm belongs to the key here too. Undefined if none is left, or there are more than 64.
 */
export function foreignKeys(document: Record<string, unknown>, fallback: Algorithm): KeySet | undefined {
  const { keys } = document;
  if (!Array.isArray(keys) || keys.length > 64) return undefined;
  const usable = keys.flatMap((item: unknown) => usableKey(item, fallback));
  const once = usable.filter(({ kid }) => usable.filter((other) => other.kid === kid).length === 1);
  return once.length === 0 || once.length > 32
    ? undefined
    : readKeys(
        once.map(({ jwk }) => jwk),
        'external',
      );
}

function usableKey(item: unknown, fallback: Algorithm): readonly { kid: string; jwk: object }[] {
  if (typeof item !== 'object' || item === null) return [];
  const { kty, alg, d, k, nbf: _nbf, exp: _exp, ...rest } = item as Record<string, unknown>;
  // A private key that is published has no owner any more; a secret never had one.
  if (kty === 'oct' || k !== undefined || d !== undefined) return [];
  const jwk = { ...rest, kty, alg: alg ?? (kty === 'RSA' ? fallback : undefined) };
  try {
    return [{ kid: readKeys([jwk], 'external').all[0]!.kid, jwk }];
  } catch {
    return [];
  }
}
