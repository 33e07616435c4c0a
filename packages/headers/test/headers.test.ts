import { expect, test } from '@jest/globals';
import type { ErrorFactory } from '@portcullis/core';
import { headersErrors } from '../src/index.js';

test('every error code of the package has a factory that carries its code', () => {
  for (const [code, make] of Object.entries<ErrorFactory>(headersErrors)) expect(make().code).toBe(code);
});
