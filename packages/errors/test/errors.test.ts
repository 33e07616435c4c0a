import { expect, test } from '@jest/globals';
import type { ErrorFactory } from '@portcullis/core';
import { errorsErrors } from '../src/index.js';

test('every error code of the package has a factory that carries its code', () => {
  for (const [code, make] of Object.entries<ErrorFactory>(errorsErrors)) expect(make().code).toBe(code);
});
