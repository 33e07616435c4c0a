import { defineErrors } from '@portcullis/core';

/** Every refusal of this package: one row, one page under `errors/`. */
export const errors = defineErrors('headers', {
  E_COOKIE_REFUSED: {
    status: 500,
    title: 'Cookie refused',
    message: 'The answer could not be sent.',
  },
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
  E_REPORT_MALFORMED: {
    status: 400,
    title: 'Malformed report',
    message: 'The body is no list of reports.',
  },
  E_REPORT_TOO_LARGE: {
    status: 413,
    title: 'Report too large',
    message: 'The body is larger than reports may be.',
  },
  E_REPORT_TYPE: {
    status: 415,
    title: 'Not a report',
    message: 'Reports are sent as application/reports+json or application/csp-report.',
  },
  E_RESOURCE_ISOLATED: {
    status: 403,
    title: 'Cross-site request refused',
    message: 'This resource cannot be used by other sites.',
  },
});
