import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { vectorsDirectory } from '@portcullis/test-support';
import { readKeys, thumbprint } from '../src/tokens/keys.js';
import { createJwsVerifier } from '../src/tokens/verify-jws.js';

const RFCS = 'rfc7515_7517_7520_latchset';
const COOKBOOK = 'ietf_cookbook';
const signatures = ['A.1', 'A.2', 'A.3', 'A.4'].map((part) => `rfc7515_${part}`);
const cookbook = ['4.1', '4.2', '4.3', '4.4'].map((part) => `rfc7520_${part}`);
const examples = [...signatures, ...cookbook];
const keySets = ['rfc7517_A.1.jwkset', 'rfc7517_A.2.jwkset', 'rfc7517_A.3.jwkset'];
const otherForms = [
  'rfc7515_A.6.jwsg',
  'rfc7515_A.7.jwsf',
  'rfc7520_4.6.jwsf',
  'rfc7520_4.7.jwsf',
  'rfc7520_4.8.jwsg',
];
const cookbookFiles = [
  '4_1.rsa_v15_signature',
  '4_2.rsa-pss_signature',
  '4_3.ecdsa_signature',
  '4_4.hmac-sha2_integrity_protection',
];
const unencoded = ['4.2.hmac-sha2_b64_false.json', 'hmac-sha2_b64_false.json'];

const folder = vectorsDirectory('jose', 'rfc7515_7517_7520_latchset', 'ietf_cookbook');

(folder ? describe : describe.skip)('examples of the RFCs', () => {
  const text = (path: string) => readFileSync(join(folder!, path), 'utf8').trim();

  /** Some keys of RFC 7520 are kept as the name of the file that holds them. */
  function jwk(name: string): Record<string, unknown> {
    const content = text(`${RFCS}/${name}`);
    return content.startsWith('{') ? (JSON.parse(content) as Record<string, unknown>) : jwk(content);
  }
  const algorithmOf = (token: string) =>
    JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString()) as { alg: string; kid?: string };

  function verify(token: string, key: Record<string, unknown>, alg = algorithmOf(token).alg) {
    return createJwsVerifier(readKeys([{ ...key, alg }], 'test'))(token, 0);
  }

  test.each(examples)('%s verifies, with its private key too, and not with a byte changed', (name) => {
    const token = text(`${RFCS}/${name}.jwsc`);
    const key = jwk(`${name}.jwk`);
    expect(verify(token, key)).toMatchObject({ header: { alg: algorithmOf(token).alg } });
    const changed = token.replace(/\.(.)/, (_all, first) => `.${first === 'A' ? 'B' : 'A'}`);
    expect(verify(changed, key)).toBe('signature');
  });

  test.each(cookbookFiles)('RFC 7520 %s, as the cookbook has it, is what we read', (name) => {
    const { input, output } = JSON.parse(text(`${COOKBOOK}/jws/${name}.json`)) as {
      input: { payload: string; key: Record<string, unknown>; alg: string };
      output: { compact: string };
    };
    const result = verify(output.compact, input.key, input.alg);
    expect(result).toMatchObject({ header: { alg: input.alg } });
    expect(typeof result === 'string' ? result : result.payload.toString()).toBe(input.payload);
  });

  test('RFC 8037 A.4: an Ed25519 signature verifies, and A.3: the key has its thumbprint', () => {
    const { input, output } = JSON.parse(text(`${COOKBOOK}/curve25519/jws.json`)) as {
      input: { payload: string; key: Record<string, unknown> };
      output: { compact: string };
    };
    const result = verify(output.compact, input.key);
    expect(typeof result === 'string' ? result : result.payload.toString()).toBe(input.payload);
    expect(thumbprint(input.key)).toBe('kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k');
    const { use: _use, d: _d, ...members } = input.key;
    const canonical = JSON.stringify(members, Object.keys(members).toSorted());
    expect(thumbprint(input.key)).toBe(createHash('sha256').update(canonical).digest('base64url'));
  });

  test('RFC 7515 A.5: the unsecured JWS is refused', () => {
    expect(verify(text(`${RFCS}/rfc7515_A.5.jwsc`), jwk('rfc7515_A.1.jwk'), 'HS256')).toBe('encoding');
  });

  test('RFC 7520 4.5: a signature over content that is not in the token is refused', () => {
    expect(verify(text(`${RFCS}/rfc7520_4.5.jwsc`), jwk('rfc7520_3.5.jwk'))).toBe('signature');
  });

  test.each(otherForms)('%s: the JSON forms are refused, since only the compact one is a token', (name) => {
    const keys = readKeys([{ ...jwk('rfc7520_3.5.jwk') }], 'test');
    expect(createJwsVerifier(keys)(text(`${RFCS}/${name}`), 0)).toMatch(/^(?:segments|encoding)$/);
  });

  test.each(unencoded)('RFC 7797 %s: a payload that is not encoded is refused', (name) => {
    const { input, output } = JSON.parse(text(`${COOKBOOK}/rfc7797/${name}`)) as {
      input: { key: Record<string, unknown> };
      output: { compact?: string; json_flat: { protected: string; payload: string; signature: string } };
    };
    const { protected: head, payload, signature } = output.json_flat;
    for (const token of [output.compact ?? '', `${head}.${payload}.${signature}`]) {
      expect(typeof verify(token, input.key, 'HS256')).toBe('string');
    }
    // With a payload that is encoded after all it is the header parameter that refuses.
    expect(
      verify(`${head}.${Buffer.from(payload).toString('base64url')}.${signature}`, input.key, 'HS256'),
    ).toBe('header-parameter');
  });

  test('RFC 7517: keys for signatures are read, keys for encryption and for key wrapping are refused', () => {
    const read = (input: unknown) => () => readKeys(input, 'test');
    const sets = keySets.map(
      (name) => JSON.parse(text(`${RFCS}/${name}`)) as { keys: Record<string, unknown>[] },
    );
    expect(read([{ ...sets[0]!.keys[1], alg: 'RS256' }])).not.toThrow();
    expect(read([sets[0]!.keys[0]])).toThrow(/"use" other than "sig"/);
    expect(read([sets[1]!.keys[0]])).toThrow(/"use" other than "sig"/);
    expect(read([sets[1]!.keys[1]])).not.toThrow();
    expect(read([sets[2]!.keys[0]])).toThrow(/"alg"/);
    expect(read([{ ...sets[2]!.keys[1], alg: 'HS256' }])).not.toThrow();
    expect(read([jwk('rfc7520_3.2.jwk')])).not.toThrow();
    expect(read([{ ...jwk('rfc7520_3.4.jwk'), alg: 'RS256' }])).not.toThrow();
    expect(read([jwk('rfc7520_3.6.jwk')])).toThrow(/"alg"/);
    expect(read([{ ...jwk('rfc7517_B.jwk'), alg: 'RS256' }])).not.toThrow();
  });
});
