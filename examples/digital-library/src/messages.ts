import type { AuthMessage, Notify } from '@portcullis/auth';

export interface Mail {
  readonly to: string;
  readonly subject: string;
  readonly text: string;
}

/** What the library writes to people; links lead to `origin`. */
export function mailOf(message: AuthMessage, origin: string): Mail {
  const [subject, text] = wordsOf(message, origin);
  return { to: message.to, subject, text };
}

/** Prints messages where the library was started: for trying it out on one machine. */
export function consoleNotify(origin: string, print: (line: string) => void): Notify {
  return async (message) => {
    const { to, subject, text } = mailOf(message, origin);
    print(`Message to ${to}: ${subject}. ${text}`);
  };
}

/** Hands messages to a service that sends them: POST of `{ to, subject, text }` as JSON. Rejects if it is not taken. */
export function httpNotify(url: string, origin: string): Notify {
  return async (message) => {
    const { ok, status } = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(mailOf(message, origin)),
      redirect: 'error',
      signal: AbortSignal.timeout(10_000),
    });
    if (!ok) throw new Error(`The mail service answers ${status}.`);
  };
}

function wordsOf(message: AuthMessage, origin: string): readonly [subject: string, text: string] {
  const not = 'If it was not you, reset your password now.';
  switch (message.type) {
    case 'complete-registration':
      return [
        'Finish your registration',
        `Choose a password or make a passkey at ${origin}/register/complete?token=${message.token.reveal()} - the link counts for a day. If you did not ask for it, do nothing.`,
      ];
    case 'account-exists':
      return [
        'You have an account already',
        `Somebody, perhaps you, wanted to register with this address. Sign in at ${origin}/sign-in or reset your password at ${origin}/reset.`,
      ];
    case 'reset-password':
      return [
        'Choose a new password',
        `Choose it at ${origin}/reset/complete?token=${message.token.reveal()} - the link counts for half an hour. If you did not ask for it, do nothing.`,
      ];
    case 'password-changed':
      return ['Your password was changed', `You are signed out everywhere. ${not}`];
    case 'factors-changed':
      return ['Your second factor was changed', `You are signed out everywhere else. ${not}`];
    case 'passkey-added':
    case 'passkey-removed':
      return [
        `A passkey was ${message.type === 'passkey-added' ? 'added' : 'removed'}`,
        `It is called "${message.name}". ${not}`,
      ];
    case 'passkey-repeated':
      return [
        'A passkey was refused',
        `Somebody may have copied "${message.name}". Remove it and add another one at ${origin}/account/passkeys.`,
      ];
    case 'reset-without-password':
      return [
        'Your account has no password',
        `Somebody, perhaps you, asked for a new one. You sign in with a passkey at ${origin}/sign-in. Ask the library if you have lost it.`,
      ];
    case 'confirm-login':
      return [
        'Confirm your new address',
        `Confirm it at ${origin}/account/email/complete?token=${message.token.reveal()} - the link counts for half an hour. If you did not ask for it, do nothing.`,
      ];
    case 'login-change-asked':
      return ['Your e-mail address is to be changed', `A link went to the new address. ${not}`];
    case 'login-changed':
      return [
        'Your e-mail address was changed',
        'You are signed out everywhere, and sign in with the new address from now on. If it was not you, tell the library now.',
      ];
    case 'codes-guessed':
      return [
        'Somebody knows your password',
        `They have typed it, and then wrong codes of your second factor. Choose another one now, at ${origin}/reset.`,
      ];
    case 'locked-out':
      return [
        'Somebody guesses at your password',
        `Signing in is slowed down for a while. A new password at ${origin}/reset ends it.`,
      ];
    default:
      return ['Your account', `Something was changed. See ${origin}/account/sessions.`];
  }
}
