import { createHmac, hkdfSync, randomBytes } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { Secret, systemRandom } from '@portcullis/core';
import { manualClock } from '@portcullis/core/testing';
import { createSeal } from '../src/token/seal.js';

const BINDING = '["7","session",null]';

test('a key that signs something else too makes no token: what signs is derived, under a name of its own', () => {
  const secret = randomBytes(32).toString('base64');
  const clock = manualClock();
  const seal = createSeal({ keys: [new Secret(secret)], lifetimeMs: 60_000, clock, random: systemRandom });
  const head = Buffer.concat([randomBytes(18), Buffer.alloc(6)]);
  head.writeUIntBE(clock.now(), 18, 6);
  const signed = (key: Buffer | string): string => {
    const text = head.toString('base64url');
    return (
      text +
      createHmac('sha256', key)
        .update(text + BINDING)
        .digest('base64url')
        .slice(0, 40)
    );
  };
  const derived = (name: string): Buffer => Buffer.from(hkdfSync('sha256', secret, '', name, 32));

  // Written down here: tokens of pages that are open live through an update of this package.
  expect(seal.faultOf(signed(derived('portcullis csrf token 1')), BINDING)).toBeUndefined();
  for (const key of [secret, Buffer.from(secret, 'base64'), derived(''), derived('session cookies')]) {
    expect(seal.faultOf(signed(key), BINDING)).toBe('token-mismatch');
  }
});
