import { defineErrors, invalidInput } from '@portcullis/core';

/** Every refusal of this package: one row, one page under `errors/`. */
export const errors = defineErrors('auth', {
  E_TOKEN_INVALID: {
    status: 401,
    title: 'Token not valid',
    message: 'The token is not valid. Please sign in again.',
  },
  E_TOKEN_EXPIRED: {
    status: 401,
    title: 'Token expired',
    message: 'The token has expired.',
  },
  E_DPOP_PROOF_INVALID: {
    status: 401,
    title: 'Proof not valid',
    message: 'The request does not prove that its sender holds the key of its token.',
  },
  E_DPOP_NONCE: {
    status: 401,
    title: 'Proof needs a nonce',
    message: 'The proof must contain the nonce that this answer carries.',
  },
  E_TOKEN_REUSED: {
    status: 401,
    title: 'Token used twice',
    message: 'This session has ended. Please sign in again.',
  },
  E_SESSION_ENDED: {
    status: 401,
    title: 'Session ended',
    message: 'This session has ended. Please sign in again.',
  },
  E_AUTHENTICATION_REQUIRED: {
    status: 401,
    title: 'Sign-in required',
    message: 'Please sign in.',
  },
  E_SIGN_IN_FAILED: {
    status: 401,
    title: 'Sign-in failed',
    message: 'The name or the password is wrong, or there were too many attempts. Please try again later.',
  },
  E_SIGN_IN_LIMITED: {
    status: 429,
    title: 'Too many attempts',
    message: 'There were too many attempts to sign in from your network. Please try again later.',
  },
  E_PASSWORD_POLICY: {
    status: 400,
    title: 'Password not acceptable',
    message: 'This password cannot be used.',
  },
  E_PASSWORD_BUSY: {
    status: 503,
    title: 'Too many sign-ins at once',
    message: 'The service is busy. Please try again in a moment.',
  },
  E_PASSWORD_UNCHECKED: {
    status: 503,
    title: 'Password could not be checked',
    message: 'The password cannot be checked at the moment. Please try again later.',
  },
  E_SECOND_FACTOR_REQUIRED: {
    status: 401,
    title: 'Second factor required',
    message: 'Please enter a code of your authenticator app, or a recovery code.',
  },
  E_FACTOR_WRONG: {
    status: 401,
    title: 'Code wrong',
    message:
      'The code is wrong or was used already, or there were too many attempts. Please try again later.',
  },
  E_CHALLENGE_INVALID: {
    status: 401,
    title: 'Sign-in has to begin again',
    message: 'This sign-in took too long. Please begin again.',
  },
  E_STEP_UP_REQUIRED: {
    status: 401,
    title: 'Stronger sign-in required',
    message: 'Please show again who you are.',
  },
  E_PASSKEY_REFUSED: {
    status: 401,
    title: 'Passkey refused',
    message: 'The passkey was not accepted. Please try again, or sign in in another way.',
  },
  E_PASSKEY_INVALID: {
    status: 400,
    title: 'Passkey cannot be added',
    message: 'This passkey cannot be added. Please try again, or use another device.',
  },
  E_PASSKEY_NOT_FOUND: {
    status: 404,
    title: 'No such passkey',
    message: 'There is no such passkey.',
  },
  E_PASSKEY_LIMIT: {
    status: 409,
    title: 'Too many passkeys',
    message: 'There are as many passkeys as one account may have. Remove one that is not used any more.',
  },
  E_LAST_SIGN_IN: {
    status: 409,
    title: 'Last way to sign in',
    message: 'Without this nobody could sign in to the account any more. Add another way first.',
  },
  E_FACTORS_UNREADABLE: {
    status: 500,
    title: 'Second factors unreadable',
    message: 'The service has a problem with this account.',
  },
  E_LINK_INVALID: {
    status: 400,
    title: 'Link no longer valid',
    message: 'This link is no longer valid. Please ask for a new one.',
  },
  E_NOTIFICATIONS_BUSY: {
    status: 503,
    title: 'Too many messages wait',
    message: 'The service is busy. Please try again in a moment.',
  },
  E_ACCOUNT_EXISTS: {
    status: 409,
    title: 'Account exists',
    message: 'There is an account with this name already.',
  },
  E_VALIDATION: invalidInput,
  E_PASSWORD_WRONG: {
    status: 400,
    title: 'Current password wrong',
    message: 'The current password is wrong, or there were too many attempts. Please try again later.',
  },
  E_USERS_UNAVAILABLE: {
    status: 503,
    title: 'Accounts unavailable',
    message: 'The service is temporarily unavailable.',
  },
  E_ISSUER_UNAVAILABLE: {
    status: 503,
    title: 'Identity provider unavailable',
    message: 'The service is temporarily unavailable.',
  },
  E_SESSION_NOT_FOUND: {
    status: 404,
    title: 'No such session',
    message: 'There is no such session.',
  },
  E_API_KEY_NOT_FOUND: {
    status: 404,
    title: 'No such key',
    message: 'There is no such key.',
  },
  E_API_KEY_LIMIT: {
    status: 409,
    title: 'Too many keys',
    message: 'There are as many keys as one account may have. End one that is not used any more.',
  },
  E_IMPERSONATION_REFUSED: {
    status: 403,
    title: 'Acting for this account is not allowed',
    message: 'You may not act for this account.',
  },
  E_NOT_IN_PERSON: {
    status: 403,
    title: 'Only in person',
    message: 'Only the owner of the account can do this, in person.',
  },
  E_METHOD_NOT_ALLOWED: {
    status: 405,
    title: 'Method not allowed',
    message: 'This address does not answer to that method.',
  },
  E_CROSS_SITE: {
    status: 403,
    title: 'Request from another site',
    message: 'This request was started by another site.',
  },
  E_DEVELOPMENT_COOKIES: {
    status: 500,
    title: 'Development cookies away from this machine',
    message: 'The development profile of cookies works on the local machine only.',
  },
});
