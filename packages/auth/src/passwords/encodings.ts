import { timingSafeEqual } from 'node:crypto';

/** base64 without padding, as the PHC string format writes it; undefined for text that is not canonical. */
export function fromBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64').replace(/=+$/, '') === text.replace(/=+$/, '') ? bytes : undefined;
}

export function toBase64(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '');
}

/** passlib's spelling of base64: a dot for the plus, no padding. */
export function fromAb64(text: string): Buffer | undefined {
  return text.includes('+') ? undefined : fromBase64(text.replaceAll('.', '+'));
}

export function toAb64(bytes: Buffer): string {
  return toBase64(bytes).replaceAll('+', '.');
}

/** Compares digests; unequal lengths are unequal. */
export function sameBytes(a: Buffer, b: Buffer): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

export function sameText(a: string, b: string): boolean {
  return sameBytes(Buffer.from(a), Buffer.from(b));
}
