import { defineErrors } from '@portcullis/core';

/** Every refusal of this package: one row, one page under `errors/`. */
export const errors = defineErrors('csrf', {
  E_CSRF_CROSS_SITE: {
    status: 403,
    title: 'Cross-site request refused',
    message: 'This request was started by another site.',
  },
  E_CSRF_TOKEN: {
    status: 403,
    title: 'CSRF token refused',
    message: 'This form is no longer valid. Please load the page again.',
  },
  E_CSRF_METHOD: {
    status: 405,
    title: 'Method not allowed',
    message: 'This address changes something and cannot be called with this method.',
  },
  E_CSRF_TOKEN_LATE: {
    status: 500,
    title: 'CSRF token asked for too late',
    message: 'Something went wrong.',
  },
  E_CSRF_DEVELOPMENT_COOKIE: {
    status: 500,
    title: 'Development cookie away from this machine',
    message: 'Something went wrong.',
  },
});
