import { createHmac, createPublicKey, verify, type KeyObject } from 'node:crypto';
import { audience, issuer, NOW, type Kind } from './kinds.js';

/** What a verifier must not leave out: each of these leaves out one thing. The fuzzer has to find every one of them. */
export const weaknesses = [
  'takes the algorithm from the token',
  'takes a key from the token',
  'takes unsigned tokens',
  'reads base64 leniently',
  'does not demand exp',
  'ignores crit',
  'ignores typ',
  'takes an issuer out of a list',
  'answers from a memory that is keyed by the signature',
] as const;
export type Weakness = (typeof weaknesses)[number];

type Json = Record<string, unknown>;

/** A verifier that is right but for one thing; without a weakness one that is right, only slow. */
export function weakVerifier(kind: Kind, weakness: Weakness | undefined): (token: unknown) => boolean {
  const signatures = new Set<string>();
  const is = (one: Weakness) => weakness === one;

  function judge(token: unknown): boolean {
    if (typeof token !== 'string') return false;
    const parts = token.split('.');
    if (parts.length !== 3) return false;
    const [head, body, tail] = parts as [string, string, string];
    if (is('answers from a memory that is keyed by the signature') && signatures.has(tail)) return true;
    const canonical = parts.every((part) => Buffer.from(part, 'base64url').toString('base64url') === part);
    if (!canonical && !is('reads base64 leniently')) return false;
    const header = objectOf(head);
    const claims = objectOf(body);
    if (!header || !claims) return false;
    const refused = ['b64', 'jku', 'x5u', 'x5c', 'zip', 'enc'];
    if (!is('takes a key from the token')) refused.push('jwk');
    if (!is('ignores crit')) refused.push('crit');
    if (refused.some((name) => Object.hasOwn(header, name))) return false;
    if (header['kid'] !== kind.kid && header['kid'] !== undefined) return false;
    if (header['typ'] !== 'at+jwt' && !is('ignores typ')) return false;
    if (!checksOut(`${head}.${body}`, Buffer.from(tail, 'base64url'), header)) return false;
    if (!judgeClaims(claims)) return false;
    signatures.add(tail);
    return true;
  }

  function checksOut(input: string, signature: Buffer, header: Json): boolean {
    const { alg, jwk } = header;
    if (is('takes unsigned tokens') && String(alg).toLowerCase() === 'none') return true;
    if (is('takes the algorithm from the token') && alg === 'HS256' && kind.alg !== 'HS256') {
      const pem = kind.verifyWith.export({ type: 'spki', format: 'pem' });
      return createHmac('sha256', pem).update(input).digest().equals(signature);
    }
    if (is('takes a key from the token') && jwk !== undefined && kind.alg !== 'HS256') {
      // What it would verify against is the sender's; that the forger did not bother to take the right one matters little.
      return createPublicKey({ key: jwk as never, format: 'jwk' }).type === 'public';
    }
    return alg === kind.alg && verifies(kind.alg, input, signature, kind.verifyWith);
  }

  function judgeClaims({ iss, aud, sub, exp, nbf, iat, jti, sid, cnf }: Json): boolean {
    const issuerFits = iss === issuer || (is('takes an issuer out of a list') && Array.isArray(iss));
    const timeFits = typeof exp === 'number' ? exp > NOW && exp < 1e11 : is('does not demand exp');
    const begun = [nbf, iat].every((time) => time === undefined || (typeof time === 'number' && time <= NOW));
    const named = [jti, sid].every((name) => name === undefined || (typeof name === 'string' && name !== ''));
    const forSomebody = typeof sub === 'string' && sub !== '';
    return (
      issuerFits &&
      timeFits &&
      begun &&
      named &&
      forSomebody &&
      cnf === undefined &&
      [aud].flat().includes(audience)
    );
  }

  return (token) => {
    try {
      return judge(token);
    } catch {
      return false;
    }
  };
}

function objectOf(part: string): Json | undefined {
  const value: unknown = JSON.parse(Buffer.from(part, 'base64url').toString());
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : undefined;
}

function verifies(alg: Kind['alg'], input: string, signature: Buffer, key: KeyObject): boolean {
  if (alg === 'HS256') return createHmac('sha256', key).update(input).digest().equals(signature);
  const data = Buffer.from(input);
  if (alg === 'ES256') return verify('sha256', data, { key, dsaEncoding: 'ieee-p1363' }, signature);
  return verify(alg === 'EdDSA' ? null : 'sha256', data, key, signature);
}
