import type { ErrorFactory } from '@portcullis/core';
import { errors } from './error-codes.js';

/** The `type` of body-parser's and raw-body's errors, to a refusal with a text that quotes nothing. */
export const bodyErrors: Readonly<Record<string, ErrorFactory>> = Object.freeze(
  Object.assign(Object.create(null) as Record<string, ErrorFactory>, {
    'entity.too.large': errors.E_BODY_TOO_LARGE,
    'entity.parse.failed': errors.E_BODY_MALFORMED,
    'entity.verify.failed': errors.E_BODY_REFUSED,
    'encoding.unsupported': errors.E_BODY_ENCODING,
    'charset.unsupported': errors.E_BODY_CHARSET,
    'parameters.too.many': errors.E_BODY_TOO_MANY_PARAMETERS,
    'querystring.parse.rangeError': errors.E_BODY_TOO_DEEP,
    'request.aborted': errors.E_REQUEST_ABORTED,
    'request.size.invalid': errors.E_BODY_LENGTH,
    'stream.encoding.set': errors.E_INTERNAL,
    'stream.not.readable': errors.E_INTERNAL,
  }),
);
