/** What was just done, as said in the address after a redirect. Known words only. */
export const notices = {
  registered: 'Your account is ready. Sign in to borrow books.',
  'signed-out': 'You are signed out.',
  borrowed: 'Borrowed. Enjoy the book.',
  returned: 'Returned. Thank you.',
  ended: 'Signed out there.',
  saved: 'Saved.',
  'mail-sent': 'A message is on its way to this address. Open the link in it.',
  'password-reset': 'Your password is changed, and you are signed out everywhere. Sign in with the new one.',
  'email-changed': 'Your address is changed, and you are signed out everywhere. Sign in with the new one.',
  'key-ended': 'The key has ended. No program gets in with it any more.',
  'factor-off': 'The second factor is off. Your password alone signs you in.',
  deleted: 'The book is deleted.',
  deactivated: 'The account is deactivated: every session and key of it has ended.',
  erased: 'The person is erased. Their id stays in loans and in the log, and says nothing.',
  granted: 'The role is granted.',
  revoked: 'The role is taken away.',
  reviewed: 'Signed off. It stands in the audit log.',
  'round-ended': 'The round is ended. It stands in the audit log.',
  'review-opened': 'The review is open.',
  decided: 'Decided.',
  'review-closed': 'The review is closed. Its evidence is ready.',
  'glass-broken': 'You have emergency access. It ends by itself, and stands in the audit log.',
} as const;

export type Notice = keyof typeof notices;

/** Undefined for what is none: an address may say anything. */
export function noticeOf(done: string | undefined): string | undefined {
  return done !== undefined && Object.hasOwn(notices, done) ? notices[done as Notice] : undefined;
}
