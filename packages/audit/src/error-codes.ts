import { defineErrors } from '@portcullis/core';

/** Every refusal of this package: one row, one page under `errors/`. */
export const errors = defineErrors('audit', {
  E_AUDIT_UNAVAILABLE: {
    status: 503,
    title: 'Audit log unavailable',
    message: 'The service is temporarily unavailable.',
  },
  E_AUDIT_DAMAGED: {
    status: 503,
    title: 'Audit log damaged',
    message: 'The service is temporarily unavailable.',
  },
  E_AUDIT_PRUNE_REFUSED: {
    status: 409,
    title: 'Audit log not pruned',
    message: 'The audit log is not in order: nothing is removed from it.',
  },
  E_AUDIT_QUERY_INVALID: {
    status: 400,
    title: 'Audit query not understood',
    message: 'The filter of the audit log is not valid.',
  },
  E_AUDIT_REVIEWER_REFUSED: {
    status: 403,
    title: 'Review by another person',
    message: 'Entries are reviewed by a person who has not caused them.',
  },
  E_AUDIT_REVIEW_NOT_DUE: {
    status: 409,
    title: 'Not due for review',
    message: 'An entry does not wait for this review, or does not any more.',
  },
  E_AUDIT_REVIEW_OPEN: {
    status: 409,
    title: 'Review not finished',
    message: 'Entries of this time wait for their review.',
  },
});
