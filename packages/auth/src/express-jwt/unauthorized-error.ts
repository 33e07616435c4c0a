import { SecurityError } from '@portcullis/core';

export type UnauthorizedCode =
  | 'credentials_required'
  | 'credentials_bad_scheme'
  | 'credentials_bad_format'
  | 'invalid_token'
  | 'revoked_token';

/** The error of express-jwt, by name, code, status and `inner`; and a refusal of this family, which `errorHandler()` answers. */
export class UnauthorizedError extends SecurityError {
  override readonly code: UnauthorizedCode;
  /** What was wrong: of a token, jsonwebtoken's error or one with its name. */
  readonly inner: { readonly message: string };

  constructor(code: UnauthorizedCode, inner: { readonly message: string }) {
    const challenge =
      code === 'credentials_required'
        ? 'Bearer'
        : `Bearer error="${code === 'invalid_token' || code === 'revoked_token' ? 'invalid_token' : 'invalid_request'}"`;
    super(inner.message, {
      code,
      status: 401,
      title: 'Not authorised',
      headers: { 'WWW-Authenticate': challenge },
      cause: inner,
    });
    this.name = 'UnauthorizedError';
    this.code = code;
    this.inner = inner;
  }
}
