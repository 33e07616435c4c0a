import { createHmac, timingSafeEqual } from 'node:crypto';

/** Nonces that need no store: the number of a window of time and its authenticator. */
export interface Nonces {
  current(now: number): string;
  /** True for the nonce of this window and of the one before. */
  isOurs(nonce: string, now: number): boolean;
}

/** All processes with one secret give out and take the same nonces (RFC 9449 section 9). */
export function createNonces(secret: Buffer, everyMs: number): Nonces {
  const nonceOf = (window: number): string =>
    createHmac('sha256', secret).update(`portcullis dpop nonce ${window}`).digest('base64url').slice(0, 22);
  return {
    current: (now) => nonceOf(Math.floor(now / everyMs)),
    isOurs(nonce, now) {
      const window = Math.floor(now / everyMs);
      return [window, window - 1].some((one) => {
        const expected = nonceOf(one);
        return (
          nonce.length === expected.length &&
          /^[\x21-\x7e]+$/.test(nonce) &&
          timingSafeEqual(Buffer.from(nonce), Buffer.from(expected))
        );
      });
    },
  };
}
