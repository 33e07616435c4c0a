import { createHmac } from 'node:crypto';

/**
 * What an authenticator app shows for a secret in base32 (RFC 6238: SHA-1, six digits, 30 s), now or some steps later. A step counts
 * once, and the next one counts already: two codes in a row are `appCode(secret)` and `appCode(secret, 1)`.
 */
export function appCode(secret: string, stepsLater = 0): string {
  const bits = [...secret].map((letter) =>
    'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0'),
  );
  const key = Buffer.from(
    bits
      .join('')
      .match(/.{8}/g)!
      .map((byte) => parseInt(byte, 2)),
  );
  const message = Buffer.alloc(8);
  message.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000) + stepsLater));
  const mac = createHmac('sha1', key).update(message).digest();
  const number = mac.readUInt32BE(mac.at(-1)! & 15) & 0x7fff_ffff;
  return String(number % 1_000_000).padStart(6, '0');
}
