import type { createHash } from 'node:crypto';

/**
 * The digest of SHA-crypt, in pieces of 1,000 rounds: between two of them somebody else may have the thread. Its text is
 * also part of the program of the hashing threads, so it uses nothing but its arguments and what every Node.js has.
 */
export function* shaCryptSteps(
  makeHash: typeof createHash,
  password: Buffer,
  salt: string,
  rounds: number,
  hash: 'sha256' | 'sha512',
): Generator<void, Buffer> {
  const saltBytes = Buffer.from(salt);

  const b = makeHash(hash).update(password).update(saltBytes).update(password).digest();
  const first = makeHash(hash).update(password).update(saltBytes);
  first.update(Buffer.alloc(password.length, b));
  for (let bits = password.length; bits > 0; bits >>= 1) first.update(bits & 1 ? b : password);
  let digest = first.digest();

  const ofPassword = makeHash(hash);
  for (let i = 0; i < password.length; i++) ofPassword.update(password);
  const p = Buffer.alloc(password.length, ofPassword.digest());
  const ofSalt = makeHash(hash);
  for (let i = 0; i < 16 + digest[0]!; i++) ofSalt.update(saltBytes);
  const s = Buffer.alloc(saltBytes.length, ofSalt.digest());

  for (let round = 0; round < rounds; round++) {
    const step = makeHash(hash).update(round % 2 ? p : digest);
    if (round % 3) step.update(s);
    if (round % 7) step.update(p);
    digest = step.update(round % 2 ? digest : p).digest();
    if (round % 1_000 === 999) yield;
  }
  p.fill(0);
  return digest;
}
