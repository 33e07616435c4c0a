import { defineErrors } from '@portcullis/core';

/** Every refusal of this package: one row, one page under `errors/`. */
export const errors = defineErrors('csrf', {
  E_CSRF_CROSS_SITE: {
    status: 403,
    title: 'Cross-site request refused',
    message: 'This request was started by another site.',
  },
});
