import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { vectorsDirectory } from '@portcullis/test-support';
import { readKeys, type KeysInput, type KeySet } from '../src/tokens/keys.js';
import { createJwsVerifier } from '../src/tokens/verify-jws.js';

interface Vectors {
  readonly testGroups: readonly {
    readonly private?: KeysInput;
    readonly public?: KeysInput;
    readonly tests: readonly {
      readonly tcId: number;
      readonly jws: string;
      readonly result: 'valid' | 'invalid';
      readonly comment: string;
    }[];
  }[];
}

/** Vectors whose own label is wrong; each is answered the other way round, and must keep being so. */
const DEFECTIVE: Readonly<Record<number, string>> = {
  346: 'the JWK says PS256, the header PS384: a key has one algorithm',
  347: 'the JWK says ES521, an algorithm that does not exist',
  350: 'the JWK says PS256, the header PS384: a key has one algorithm',
  351: 'the JWK says ES521, an algorithm that does not exist',
  367: 'byte for byte the token of the valid vector 357',
  370: 'byte for byte the token of the valid vector 357',
  372: 'labelled valid, but contains "?", which is not base64url',
  373: 'labelled valid, but contains "?", which is not base64url',
};

const folder = vectorsDirectory('wycheproof', 'json_web_signature_test.json', 'json_web_key_test.json');

(folder ? describe : describe.skip)('Wycheproof', () => {
  function run(file: string): { deviations: number[]; count: number } {
    const { testGroups } = JSON.parse(readFileSync(join(folder!, file), 'utf8')) as Vectors;
    const deviations: number[] = [];
    let count = 0;
    for (const group of testGroups) {
      const keys = read(group.public ?? group.private);
      for (const { tcId, jws, result } of group.tests) {
        count++;
        // A key set that is refused at construction verifies nothing.
        const accepted = keys !== undefined && typeof createJwsVerifier(keys)(jws, 0) !== 'string';
        if (accepted !== (result === 'valid')) deviations.push(tcId);
      }
    }
    return { deviations, count };
  }

  function read(keys: unknown): KeySet | undefined {
    try {
      return readKeys(keys, 'test');
    } catch {
      return undefined;
    }
  }

  test('ASVS V9.1.1: 401 JWS vectors: every one as labelled, except 8 whose label is wrong', () => {
    const { deviations, count } = run('json_web_signature_test.json');
    expect(count).toBe(401);
    expect(deviations).toEqual(Object.keys(DEFECTIVE).map(Number));
  });

  test('26 key set vectors: every one as labelled', () => {
    expect(run('json_web_key_test.json')).toEqual({ deviations: [], count: 26 });
  });
});
