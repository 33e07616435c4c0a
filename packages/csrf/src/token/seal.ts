import type { Clock, Random, Secret } from '@portcullis/core';
import { createHmac, createSecretKey, hkdfSync, timingSafeEqual, type KeyObject } from 'node:crypto';

const SALT = 18;
const TIME = 6;
/** Salt and time are 32 characters of base64url; the 40 of the signature are 240 of its 256 bits (RFC 2104 section 5). */
const HEAD = 32;
const MAC = 40;
/** Whole groups of three bytes: no padding and no spare bits, so that a token has one spelling. */
const FORM = /^[A-Za-z0-9_-]{72}$/;
/** A token that is further in the future was made by a clock that cannot be trusted. */
const SKEW_MS = 60_000;
/** Random bytes are asked for this many tokens at once: the call costs more than the bytes. */
const POOLED = 128;

export type SealFault = 'token-malformed' | 'token-mismatch' | 'token-expired';

export interface Seal {
  /** A new token for whoever `binding` names. */
  sign(binding: string): string;
  /** Undefined for a token that one of the keys has signed for this binding. Compares in constant time. */
  faultOf(token: string, binding: string): SealFault | undefined;
}

export interface SealDeps {
  /** The first signs, all verify. */
  readonly keys: readonly Secret<string>[];
  readonly lifetimeMs: number;
  readonly clock: Clock;
  readonly random: Random;
}

/**
 * Tokens: 18 random bytes, the time of issue in milliseconds (6 bytes), HMAC-SHA-256 of both and the binding; in base64url. The
 * random bytes go through the MAC, so no two answers hold the same secret for compression to betray (BREACH): masking a fixed
 * token is for the same end.
 * @see OWASP CSRF Prevention Cheat Sheet, "Signed Double-Submit Cookie"
 */
export function createSeal({ keys, lifetimeMs, clock, random }: SealDeps): Seal {
  const ring = keys.map(deriveKey);
  let pool: Buffer = Buffer.alloc(0);
  let used = 0;

  function freshHead(): string {
    if (used === pool.length) [pool, used] = [random.bytes(SALT * POOLED), 0];
    const raw = Buffer.allocUnsafe(SALT + TIME);
    pool.copy(raw, 0, used, (used += SALT));
    raw.writeUIntBE(clock.now(), SALT, TIME);
    return raw.toString('base64url');
  }

  return {
    sign(binding) {
      const head = freshHead();
      return head + macOf(ring[0]!, head, binding);
    },
    faultOf(token, binding) {
      if (!FORM.test(token)) return 'token-malformed';
      const head = token.slice(0, HEAD);
      const given = Buffer.from(token.slice(HEAD), 'latin1');
      const signs = (key: KeyObject): boolean =>
        timingSafeEqual(Buffer.from(macOf(key, head, binding), 'latin1'), given);
      if (!ring.some(signs)) return 'token-mismatch';
      const ageMs = clock.now() - Buffer.from(head, 'base64url').readUIntBE(SALT, TIME);
      return ageMs > lifetimeMs || ageMs < -SKEW_MS ? 'token-expired' : undefined;
    },
  };
}

function macOf(key: KeyObject, head: string, binding: string): string {
  // The head has a fixed length: where it ends and the binding begins is no question.
  const mac = createHmac('sha256', key).update(head + binding);
  return mac.digest('base64url').slice(0, MAC);
}

/** The same text may sign other things elsewhere; what it signs here is good for nothing but this. */
function deriveKey(secret: Secret<string>): KeyObject {
  const bytes = hkdfSync('sha256', secret.reveal(), '', 'portcullis csrf token 1', 32);
  return createSecretKey(Buffer.from(bytes));
}
