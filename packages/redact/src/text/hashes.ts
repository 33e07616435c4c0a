import type { Span } from './spans.js';

const HASHES =
  /\$(?:2[abxy]\$[0-9]{2}\$[./A-Za-z0-9]{53}|argon2(?:id|i|d)\$v=[0-9]{1,4}\$[a-z0-9=,]{5,64}\$[A-Za-z0-9+/]{8,128}\$[A-Za-z0-9+/]{16,128}|[156y]\$[./A-Za-z0-9]{1,64}\$[./A-Za-z0-9$]{16,128}|scrypt\$[a-zA-Z0-9=,]{3,64}\$[A-Za-z0-9+/=]{8,128}\$[A-Za-z0-9+/=]{16,128})/g;

/** Password hashes in the formats of crypt(3) and PHC: bcrypt, Argon2, scrypt, SHA-crypt. */
export function findHashes(text: string, found: Span[]): void {
  HASHES.lastIndex = 0;
  for (let match = HASHES.exec(text); match; match = HASHES.exec(text)) {
    found.push({ start: match.index, end: HASHES.lastIndex, rule: 'hash', taints: true });
  }
}
