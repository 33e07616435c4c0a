import { defineErrors, invalidInput } from '@portcullis/core';

/** Every refusal of this package: one row, one page under `errors/`. */
export const errors = defineErrors('validation', {
  E_VALIDATION: invalidInput,
  E_TAKEN: {
    status: 409,
    title: 'Already in use',
    message: 'A value that must be unique is already in use.',
  },
  E_UNIQUENESS_UNKNOWN: {
    status: 503,
    title: 'Uniqueness cannot be checked',
    message: 'The service is temporarily unavailable.',
  },
  E_MEDIA_TYPE: {
    status: 415,
    title: 'Unsupported media type',
    message: 'The body is of a type that is not accepted here.',
  },
  E_JSON: {
    status: 400,
    title: 'Malformed JSON',
    message: 'The body is not a JSON text that has one reading only.',
  },
  E_BODY_TOO_LARGE: {
    status: 413,
    title: 'Content too large',
    message: 'The request body is too large.',
  },
  E_BODY_CODING: {
    status: 415,
    title: 'Unsupported content coding',
    message: 'The body is compressed in a way that is not accepted here, or its compressed form is damaged.',
  },
  E_BODY_INCOMPLETE: {
    status: 400,
    title: 'Incomplete body',
    message: 'The body ended before it was complete.',
  },
  E_TEXT_FIELDS: {
    status: 400,
    title: 'Malformed fields',
    message: 'The query string, form or cookies do not have the form that is accepted here.',
  },
  E_NOT_VALIDATED: {
    status: 500,
    title: 'Input was not validated',
    message: 'The request could not be checked.',
  },
  E_RESPONSE: {
    status: 500,
    title: 'Answer withheld',
    message: 'The answer could not be given.',
  },
  E_OUTGOING_REFUSED: {
    status: 400,
    title: 'Address refused',
    message: 'The address is not one that this service connects to.',
  },
  E_OUTGOING_FAILED: {
    status: 502,
    title: 'Address did not answer',
    message: 'The address could not be reached, or its answer could not be read.',
  },
  E_OUTGOING_TOO_LARGE: {
    status: 502,
    title: 'Answer too large',
    message: 'The answer of the address is larger than what is accepted here.',
  },
  E_OUTGOING_TIMEOUT: {
    status: 504,
    title: 'Address too slow',
    message: 'The address did not answer in time.',
  },
  E_UPLOAD_MALFORMED: {
    status: 400,
    title: 'Malformed upload',
    message: 'The upload does not have the form that is accepted here.',
  },
  E_UPLOAD_TIMEOUT: {
    status: 408,
    title: 'Upload too slow',
    message: 'The upload did not arrive in time.',
  },
  E_UPLOAD_TOO_LARGE: {
    status: 413,
    title: 'Upload too large',
    message: 'The upload is larger than what is accepted here.',
  },
  E_UPLOAD_TYPE: {
    status: 415,
    title: 'Type of file not accepted',
    message: 'The file is not of a type that is accepted here.',
  },
  E_UPLOAD_CONTENT: {
    status: 422,
    title: 'File refused',
    message: 'The file holds something that is not accepted here.',
  },
  E_UPLOAD_INFECTED: {
    status: 422,
    title: 'Harmful file',
    message: 'The file was found to be harmful.',
  },
  E_UPLOAD_QUOTA: {
    status: 403,
    title: 'No room left',
    message: 'There is no room left for your files.',
  },
  E_UPLOAD_UNAVAILABLE: {
    status: 503,
    title: 'Uploads unavailable',
    message: 'Files cannot be taken at the moment.',
  },
});
