import { hasCode } from '@portcullis/core';
import { errors } from '../error-codes.js';
import type { TokenFault } from './token-fault.js';

// RFC 6750 section 3.1: expired and otherwise invalid tokens share the code; only our own code tells them apart.
const CHALLENGE = { 'WWW-Authenticate': 'Bearer error="invalid_token"' };

export function refusalOf(fault: TokenFault): Error {
  return fault === 'expired'
    ? errors.E_TOKEN_EXPIRED({ headers: CHALLENGE })
    : errors.E_TOKEN_INVALID({ details: { fault }, headers: CHALLENGE });
}

/** The reason behind a refusal, for events. */
export function faultOf(error: unknown): string {
  if (hasCode(error, 'E_TOKEN_INVALID') || hasCode(error, 'E_DPOP_PROOF_INVALID')) {
    const details = (error as { details?: { fault?: unknown } }).details;
    if (typeof details?.fault === 'string') return details.fault;
  }
  return hasCode(error, 'E_TOKEN_EXPIRED') ? 'expired' : 'refused';
}
