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

  E_HOST_MALFORMED: {
    status: 400,
    title: 'Malformed host',
    message: 'The request does not say clearly which host it is for.',
  },
  E_HOST_UNKNOWN: {
    status: 421,
    title: 'Misdirected request',
    message: 'The request is for a host that is not served here.',
  },
  E_PATH_REFUSED: {
    status: 400,
    title: 'Address refused',
    message: 'The address is written in a way that is not accepted.',
  },
  E_PATH_HIDDEN: { status: 404, title: 'Not found', message: 'There is nothing at this address.' },
  E_METHOD_REFUSED: {
    status: 405,
    title: 'Method not allowed',
    message: 'This service does not support the method of the request.',
  },
  E_METHOD_OVERRIDE: {
    status: 400,
    title: 'Method override refused',
    message: 'The method of a request is the one in its first line; it cannot be replaced.',
  },
  E_SECRET_IN_URL: {
    status: 400,
    title: 'Secret in the address',
    message: 'Passwords, tokens and keys are not accepted in the address. Consider this one as disclosed.',
  },
  E_FORWARDING_REFUSED: {
    status: 400,
    title: 'Forwarding headers refused',
    message: 'The request carries headers that only a proxy of this service may set.',
  },
  E_FRAMING_AMBIGUOUS: {
    status: 400,
    title: 'Ambiguous message length',
    message: 'The request does not say clearly where it ends.',
  },
});
