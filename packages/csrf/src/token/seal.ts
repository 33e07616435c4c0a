import type { Clock, Random, Secret } from '@portcullis/core';
import { createHmac, createSecretKey, hkdfSync, timingSafeEqual, type KeyObject } from 'node:crypto';

const SALT = 16;
const TIME = 6;
const MAC = 32;
/** 54 bytes are exactly 72 characters: no padding and no spare bits, so that a token has one spelling. */
const FORM = /^[A-Za-z0-9_-]{72}$/;
/** A token that is further in the future was made by a clock that cannot be trusted. */
const SKEW_MS = 60_000;

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
 * Tokens: 16 random bytes, the time of issue in milliseconds (6 bytes), HMAC-SHA-256 of both and the binding; in base64url. The
 * random bytes go through the MAC, so no two answers hold the same secret for compression to betray (BREACH): masking a fixed
 * token is for the same end.
 * @see OWASP CSRF Prevention Cheat Sheet, "Signed Double-Submit Cookie"
 */
export function createSeal({ keys, lifetimeMs, clock, random }: SealDeps): Seal {
  const ring = keys.map(deriveKey);

  return {
    sign(binding) {
      const raw = Buffer.allocUnsafe(SALT + TIME + MAC);
      random.bytes(SALT).copy(raw);
      raw.writeUIntBE(clock.now(), SALT, TIME);
      macOf(ring[0]!, raw, binding).copy(raw, SALT + TIME);
      return raw.toString('base64url');
    },
    faultOf(token, binding) {
      if (!FORM.test(token)) return 'token-malformed';
      const raw = Buffer.from(token, 'base64url');
      const given = raw.subarray(SALT + TIME);
      if (!ring.some((key) => timingSafeEqual(macOf(key, raw, binding), given))) return 'token-mismatch';
      const ageMs = clock.now() - raw.readUIntBE(SALT, TIME);
      return ageMs > lifetimeMs || ageMs < -SKEW_MS ? 'token-expired' : undefined;
    },
  };
}

function macOf(key: KeyObject, raw: Buffer, binding: string): Buffer {
  return createHmac('sha256', key)
    .update(raw.subarray(0, SALT + TIME))
    .update(binding)
    .digest();
}

/** The same text may sign other things elsewhere; what it signs here is good for nothing but this. */
function deriveKey(secret: Secret<string>): KeyObject {
  const bytes = hkdfSync('sha256', secret.reveal(), '', 'portcullis csrf token 1', MAC);
  return createSecretKey(Buffer.from(bytes));
}
