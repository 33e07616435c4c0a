import { createHmac, timingSafeEqual } from 'node:crypto';

const DIGITS = 6;
const PERIOD_MS = 30_000;
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';

/** HOTP, RFC 4226 section 5.3, with HMAC-SHA-1: what every authenticator app computes. */
export function hotp(secret: Buffer, counter: number, digits = DIGITS): string {
  const message = Buffer.alloc(8);
  message.writeBigUInt64BE(BigInt(counter));
  const mac = createHmac('sha1', secret).update(message).digest();
  const offset = mac[mac.length - 1]! & 15;
  const number = mac.readUInt32BE(offset) & 0x7fff_ffff;
  return String(number % 10 ** digits).padStart(digits, '0');
}

/** The time step (RFC 6238 section 4.2) of a moment. */
export function stepOf(now: number): number {
  return Math.floor(now / PERIOD_MS);
}

/**
 * The step whose code this is: the current one or a neighbour, for clocks that differ and people who type slowly (RFC 6238 section
 * 5.2), or with `drift` 0 the current one only. All are compared, whichever matches. That a step counts once is for the caller to see to.
 */
export function matchingStep(
  secret: Buffer,
  code: string,
  now: number,
  drift: 0 | 1 = 1,
): number | undefined {
  const typed = code.replace(/\s/g, '');
  if (!/^\d{6}$/.test(typed)) return undefined;
  let found: number | undefined;
  const current = stepOf(now);
  for (const step of drift === 0 ? [current] : [current - 1, current, current + 1]) {
    if (step >= 0 && timingSafeEqual(Buffer.from(hotp(secret, step)), Buffer.from(typed))) found = step;
  }
  return found;
}

/** base32, RFC 4648 section 6, without padding. */
export function toBase32(bytes: Buffer): string {
  let [text, bits, value] = ['', 0, 0];
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xffff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += ALPHABET[(value >>> bits) & 31];
    }
  }
  return bits > 0 ? text + ALPHABET[(value << (5 - bits)) & 31]! : text;
}

/** For the QR code that authenticator apps read. */
export function otpauthUri(issuer: string, account: string, secret: Buffer): string {
  const label = `${encodeURIComponent(issuer)}:${encodeURIComponent(account)}`;
  return `otpauth://totp/${label}?secret=${toBase32(secret)}&issuer=${encodeURIComponent(issuer)}&algorithm=SHA1&digits=6&period=30`;
}
