import { defineErrors } from '@portcullis/core';

/** Every refusal of this package: one row, one page under `errors/`. */
export const errors = defineErrors('headers', {
  E_CORS_REFUSED: {
    status: 403,
    title: 'Cross-origin request refused',
    message: 'This cross-origin request is not allowed.',
  },
  E_HTTPS_REQUIRED: {
    status: 403,
    title: 'HTTPS required',
    message: 'This service answers over https only.',
  },
});
