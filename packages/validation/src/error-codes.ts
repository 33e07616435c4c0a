import { defineErrors } from '@portcullis/core';

/** Every refusal of this package: one row, one page under `errors/`. */
export const errors = defineErrors('validation', {
  E_VALIDATION: {
    status: 400,
    title: 'Invalid input',
    message: 'The request does not have the form that is accepted here.',
  },
  E_MEDIA_TYPE: {
    status: 415,
    title: 'Unsupported media type',
    message: 'The body is of a type that is not accepted here.',
  },
  E_NOT_VALIDATED: {
    status: 500,
    title: 'Input was not validated',
    message: 'The request could not be checked.',
  },
});
