import { defineErrors } from '@portcullis/core';

/** Every refusal of this package: one row, one page under `errors/`. */
export const errors = defineErrors('rate-limit', {
  E_RATE_LIMITED: {
    status: 429,
    title: 'Too many requests',
    message: 'Too many requests. Please try again later.',
  },
  E_RATE_LIMIT_BANNED: {
    status: 429,
    title: 'Too many requests, repeatedly',
    message: 'Too many requests, again and again. Please try again much later.',
  },
  E_RATE_LIMIT_UNAVAILABLE: {
    status: 503,
    title: 'Rate limit unavailable',
    message: 'The service is temporarily unavailable.',
  },
  E_RATE_LIMIT_KEY: {
    status: 500,
    title: 'Request cannot be counted',
    message: 'The request could not be checked.',
  },
  E_OVERLOADED: {
    status: 503,
    title: 'Service overloaded',
    message: 'The service is too busy. Please try again later.',
  },
});
