import { SecurityError, type ErrorFactory } from '@portcullis/core';
import { errors } from './error-codes.js';

export interface HttpProblemOptions<
  Members extends Readonly<Record<string, unknown>> = Readonly<Record<string, unknown>>,
> {
  /** Public extension members of the answer, such as `errors: [{ pointer, detail }]`. Not shown for 5xx. */
  readonly problem?: Members;
  /** Response headers, such as `Retry-After`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** For the log only. */
  readonly details?: unknown;
  readonly cause?: unknown;
}

/** What the classes below have in common. The message is for the client; 5xx withhold it. */
export class HttpProblem extends SecurityError {
  constructor(row: ErrorFactory, message: string | undefined, options: HttpProblemOptions = {}) {
    const plain = row(message === undefined ? {} : { message });
    super(plain.message, {
      ...options,
      code: row.code,
      status: row.status,
      title: row.title,
      ...(plain.help === undefined ? {} : { help: plain.help }),
    });
    this.name = new.target.name;
  }
}

/** 400: the request cannot be understood. */
export class BadRequest extends HttpProblem {
  constructor(message?: string, options?: HttpProblemOptions) {
    super(errors.E_BAD_REQUEST, message, options);
  }
}

/** 401: nobody is signed in, or the proof of it is not good. Bring a `WWW-Authenticate` header or set `challenge`. */
export class Unauthorized extends HttpProblem {
  constructor(message?: string, options?: HttpProblemOptions) {
    super(errors.E_UNAUTHORIZED, message, options);
  }
}

/** 403: we know who asks, and the answer is no. */
export class Forbidden extends HttpProblem {
  constructor(message?: string, options?: HttpProblemOptions) {
    super(errors.E_FORBIDDEN, message, options);
  }
}

/** 404: there is no such thing, or the client may not know that there is. */
export class NotFound extends HttpProblem {
  constructor(message?: string, options?: HttpProblemOptions) {
    super(errors.E_NOT_FOUND, message, options);
  }
}

/** 409: the request contradicts the present state. */
export class Conflict extends HttpProblem {
  constructor(message?: string, options?: HttpProblemOptions) {
    super(errors.E_CONFLICT, message, options);
  }
}

/** 410: it was here and will not come back. */
export class Gone extends HttpProblem {
  constructor(message?: string, options?: HttpProblemOptions) {
    super(errors.E_GONE, message, options);
  }
}

/** 422: well formed, and still not possible. */
export class UnprocessableContent extends HttpProblem {
  constructor(message?: string, options?: HttpProblemOptions) {
    super(errors.E_UNPROCESSABLE_CONTENT, message, options);
  }
}

/** 429: later. Bring a `Retry-After` header. */
export class TooManyRequests extends HttpProblem {
  constructor(message?: string, options?: HttpProblemOptions) {
    super(errors.E_TOO_MANY_REQUESTS, message, options);
  }
}

/** 503: not now, through no fault of the client. The message is withheld; a `Retry-After` header is sent. */
export class ServiceUnavailable extends HttpProblem {
  constructor(message?: string, options?: HttpProblemOptions) {
    super(errors.E_SERVICE_UNAVAILABLE, message, options);
  }
}
