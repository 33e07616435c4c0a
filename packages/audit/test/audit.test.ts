import { expect, test } from '@jest/globals';
import type { ErrorFactory } from '@portcullis/core';
import { auditErrors } from '../src/index.js';

test('every error code of the package has a factory that carries its code', () => {
  for (const [code, make] of Object.entries<ErrorFactory>(auditErrors)) expect(make().code).toBe(code);
});
