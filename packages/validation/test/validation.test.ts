import { expect, test } from '@jest/globals';
import type { ErrorFactory } from '@portcullis/core';
import { validationErrors } from '../src/index.js';

test('every error code of the package has a factory that carries its code', () => {
  for (const [code, make] of Object.entries<ErrorFactory>(validationErrors)) expect(make().code).toBe(code);
});
