import { expect, test } from '@jest/globals';
import type { ErrorFactory } from '@portcullis/core';
import { __camel__Errors } from '../src/index.js';

test('every error code of the package has a factory that carries its code', () => {
  for (const [code, make] of Object.entries<ErrorFactory>(__camel__Errors)) expect(make().code).toBe(code);
});
