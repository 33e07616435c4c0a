import { defineErrors } from '@portcullis/core';

/** Every refusal of this package: one row, one page under `errors/`. */
export const errors = defineErrors('errors', {
  E_BAD_REQUEST: { status: 400, title: 'Bad request', message: 'The request cannot be understood.' },
  E_UNAUTHORIZED: { status: 401, title: 'Not signed in', message: 'Please sign in to do this.' },
  E_FORBIDDEN: { status: 403, title: 'Not allowed', message: 'You are not allowed to do this.' },
  E_NOT_FOUND: { status: 404, title: 'Not found', message: 'There is nothing at this address.' },
  E_METHOD_NOT_ALLOWED: {
    status: 405,
    title: 'Method not allowed',
    message: 'This address does not support the method of the request.',
  },
  E_CONFLICT: {
    status: 409,
    title: 'Conflict',
    message: 'The request contradicts the present state of the resource.',
  },
  E_GONE: { status: 410, title: 'Gone', message: 'What was at this address is gone for good.' },
  E_UNPROCESSABLE_CONTENT: {
    status: 422,
    title: 'Unprocessable content',
    message: 'The content is well formed, but it cannot be processed.',
  },
  E_TOO_MANY_REQUESTS: {
    status: 429,
    title: 'Too many requests',
    message: 'Please wait before you try again.',
  },
  E_CLIENT_ERROR: { status: 400, title: 'Request refused', message: 'The request was refused.' },

  E_BODY_TOO_LARGE: { status: 413, title: 'Content too large', message: 'The request body is too large.' },
  E_BODY_TOO_MANY_PARAMETERS: {
    status: 413,
    title: 'Too many parameters',
    message: 'The request body has too many parameters.',
  },
  E_BODY_MALFORMED: {
    status: 400,
    title: 'Malformed body',
    message: 'The request body cannot be read in the format that it claims to have.',
  },
  E_BODY_TOO_DEEP: {
    status: 400,
    title: 'Body nested too deeply',
    message: 'The request body is nested too deeply.',
  },
  E_BODY_LENGTH: {
    status: 400,
    title: 'Wrong content length',
    message: 'The request body is not as long as its Content-Length says.',
  },
  E_BODY_REFUSED: { status: 403, title: 'Body refused', message: 'The request body was refused.' },
  E_BODY_ENCODING: {
    status: 415,
    title: 'Unsupported content encoding',
    message: 'The content encoding of the request body is not supported.',
  },
  E_BODY_CHARSET: {
    status: 415,
    title: 'Unsupported charset',
    message: 'The charset of the request body is not supported.',
  },
  E_URL_MALFORMED: {
    status: 400,
    title: 'Malformed address',
    message: 'The address of the request is not well encoded.',
  },
  E_REQUEST_ABORTED: {
    status: 400,
    title: 'Request aborted',
    message: 'The request ended before it was complete.',
  },

  E_REQUEST_MALFORMED: {
    status: 400,
    title: 'Malformed request',
    message: 'The request is not well-formed HTTP.',
  },
  E_REQUEST_TIMEOUT: {
    status: 408,
    title: 'Request timeout',
    message: 'The request did not arrive in time.',
  },
  E_URL_TOO_LONG: { status: 414, title: 'URI too long', message: 'The address of the request is too long.' },
  E_EXPECTATION_FAILED: {
    status: 417,
    title: 'Expectation failed',
    message: 'What the request expects cannot be met.',
  },
  E_HEADERS_TOO_LARGE: {
    status: 431,
    title: 'Request header fields too large',
    message: 'The header fields of the request are too many or too large.',
  },

  E_INTERNAL: { status: 500, title: 'Internal server error' },
  E_SERVER_ERROR: { status: 500, title: 'Server error' },
  E_SERVICE_UNAVAILABLE: { status: 503, title: 'Service unavailable' },
  E_THROWN_VALUE: {
    status: 500,
    title: 'Something else than an error was thrown',
    message: 'A handler threw a value that is not an error.',
  },
});
