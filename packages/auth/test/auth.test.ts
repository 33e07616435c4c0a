import { expect, test } from '@jest/globals';
import type { ErrorFactory } from '@portcullis/core';
import { authErrors } from '../src/index.js';

test('every error code of the package has a factory that carries its code', () => {
  for (const [code, make] of Object.entries<ErrorFactory>(authErrors)) expect(make().code).toBe(code);
});
