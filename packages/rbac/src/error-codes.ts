import { defineErrors } from '@portcullis/core';

/** Every refusal of this package: one row, one page under `errors/`. */
export const errors = defineErrors('rbac', {
  E_SIGN_IN_REQUIRED: {
    status: 401,
    title: 'Sign-in required',
    message: 'Please sign in first.',
  },
  E_PERMISSION_DENIED: {
    status: 403,
    title: 'Permission denied',
    message: 'You are not allowed to do this.',
  },
  E_RESOURCE_NOT_FOUND: {
    status: 404,
    title: 'Not found',
    message: 'There is no such resource.',
  },
  E_ROLES_UNAVAILABLE: {
    status: 503,
    title: 'Permissions unavailable',
    message: 'Permissions cannot be checked at the moment. Please try again.',
  },
  E_ROLES_TIMEOUT: {
    status: 503,
    title: 'Permission store too slow',
    message: 'Permissions could not be checked in time. Please try again.',
  },
  E_POLICY_INVALID: {
    status: 503,
    title: 'Stored roles are inconsistent',
    message: 'Permissions cannot be checked at the moment. Please try again.',
  },
  E_PRINCIPAL_INVALID: {
    status: 500,
    title: 'Principal without a usable id',
    message: 'The identity of this request cannot be used.',
  },
  E_PERMISSION_UNKNOWN: {
    status: 400,
    title: 'Unknown permission',
    message: 'There is no such permission.',
  },
  E_ROLE_UNKNOWN: {
    status: 400,
    title: 'Unknown role',
    message: 'There is no such role.',
  },
  E_ROLE_INVALID: {
    status: 400,
    title: 'Malformed role',
    message: 'The role cannot be stored as given.',
  },
  E_ROLE_CYCLE: {
    status: 409,
    title: 'Role hierarchy has a cycle',
    message: 'A role cannot inherit from itself, directly or through others.',
  },
  E_ROLE_IN_USE: {
    status: 409,
    title: 'Role is inherited by others',
    message: 'Other roles inherit from this role.',
  },
  E_GRANT_INVALID: {
    status: 400,
    title: 'Malformed grant',
    message: 'The grant cannot be stored as given.',
  },
  E_GRANT_BEYOND_OWN: {
    status: 403,
    title: 'Beyond what one holds',
    message: 'Nobody can give what they do not hold.',
  },
  E_LAST_ADMINISTRATOR: {
    status: 409,
    title: 'Last administrator',
    message: 'Nobody would be left who can administer roles.',
  },
  E_REVIEW_INVALID: {
    status: 400,
    title: 'Malformed review',
    message: 'The review cannot be kept as given.',
  },
  E_REVIEW_UNKNOWN: {
    status: 404,
    title: 'Unknown review',
    message: 'There is no such review, or no such item in it.',
  },
  E_REVIEW_CONFLICT: {
    status: 409,
    title: 'Review refused',
    message: 'The review does not allow that.',
  },
  E_BREAK_GLASS: {
    status: 400,
    title: 'Break-glass refused',
    message: 'Emergency access needs a reason and an end.',
  },
  E_METHOD_NOT_ALLOWED: {
    status: 405,
    title: 'Method not allowed',
    message: 'This cannot be done with that method.',
  },
  E_EVALUATION_INVALID: {
    status: 400,
    title: 'Malformed evaluation request',
    message: 'The evaluation request cannot be read.',
  },
  E_DUTY_CONFLICT: {
    status: 409,
    title: 'Separation of duties',
    message: 'That would give one person what one person must not have.',
  },
  E_DECISION_MISSING: {
    status: 500,
    title: 'Decision missing',
    message: 'The answer was withheld, because nobody decided that it may be given.',
  },
  E_ROUTE_UNGUARDED: {
    status: 500,
    title: 'Route without a guard',
    message: 'The app has routes that nothing guards.',
  },
  E_ROLES_CONFLICT: {
    status: 409,
    title: 'Roles changed meanwhile',
    message: 'The roles were changed by others at the same time. Please try again.',
  },
});
