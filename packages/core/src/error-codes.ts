import { defineErrors } from './security-error.js';

/** Every refusal that core itself makes. */
export const errors = defineErrors('core', {
  E_CONTEXT_MISSING: {
    status: 500,
    title: 'Security context missing',
    message: 'A middleware needs the client address, but context() is not mounted before it.',
  },
  E_ADDRESS_UNKNOWN: {
    status: 400,
    title: 'Client address unknown',
    message: 'The request came without the address of a client.',
  },
  E_FORWARDED_MALFORMED: {
    status: 400,
    title: 'Malformed forwarding header',
    message: 'The chain of forwarded addresses cannot be read.',
  },
  E_TRUST_PROXY_MISMATCH: {
    status: 500,
    title: 'Proxy trust differs',
    message: "context({ trustProxy }) and the app's own 'trust proxy' setting trust different proxies.",
  },
  E_GUARD_FAILED: { status: 500, title: 'A guard failed', message: 'The request could not be checked.' },
  E_GUARD_UNDECIDED: {
    status: 500,
    title: 'A guard did not decide',
    message: 'The request could not be checked.',
  },
  E_GUARD_TIMEOUT: {
    status: 503,
    title: 'A guard took too long',
    message: 'The request could not be checked in time.',
  },
  E_STORE_UNAVAILABLE: {
    status: 503,
    title: 'Store unavailable',
    message: 'The service is temporarily unavailable.',
  },
  E_STORE_TIMEOUT: {
    status: 503,
    title: 'Store too slow',
    message: 'The service is temporarily unavailable.',
  },
  E_STORE_TYPE: {
    status: 500,
    title: 'Stored value has another type',
    message: 'The stored value is not of the kind that this operation works on.',
  },
  E_STALE: {
    status: 503,
    title: 'Freshness cannot be shown',
    message: 'The service cannot confirm that its permissions are current.',
  },
  E_SQL: { status: 500, title: 'Database error', message: 'The database refused the statement.' },
  E_SQL_UNAVAILABLE: {
    status: 503,
    title: 'Database unavailable',
    message: 'The service is temporarily unavailable.',
  },
  E_SQL_TIMEOUT: {
    status: 503,
    title: 'Database too slow',
    message: 'The service is temporarily unavailable.',
  },
  E_SQL_CONFLICT: {
    status: 409,
    title: 'Conflicting change',
    message: 'Another change got in the way. Please try again.',
  },
  E_MIGRATION_CHANGED: {
    status: 500,
    title: 'Applied migration has changed',
    message: 'A migration that was already applied has a different text now.',
  },
  E_MIGRATION_FAILED: {
    status: 500,
    title: 'Migration failed',
    message: 'A migration could not be applied.',
  },
});
