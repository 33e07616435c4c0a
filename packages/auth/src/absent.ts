import type { MailFlows } from './flows/mail-flows.js';
import type { PasskeyAccountFlows } from './passkeys/passkey-accounts.js';
import type { PasskeyFlows } from './passkeys/passkey-flows.js';
import type { AuthCookies } from './transport/cookies.js';

/** What stands in the place of parts that are off: each function says how to turn it on. */

export function noImpersonation(): Promise<never> {
  return Promise.reject(
    new TypeError(
      'Nobody may act for others. Say who may with createAuth({ impersonation: { allow, record } }).',
    ),
  );
}

/** The same functions, each refusing. */
export function withoutNotify(flows: MailFlows): MailFlows {
  const refuse = () => Promise.reject(new TypeError('This flow sends mail. Give createAuth({ notify }).'));
  return Object.fromEntries(Object.keys(flows).map((name) => [name, refuse])) as unknown as MailFlows;
}

const NO_PASSKEYS: readonly (keyof PasskeyFlows)[] = [
  'startPasskeySignIn',
  'completePasskeySignIn',
  'startPasskeyStepUp',
  'stepUpWithPasskey',
  'startPasskeyRegistration',
  'addPasskey',
  'listPasskeys',
  'renamePasskey',
  'removePasskey',
];

export function withoutPasskeys(): PasskeyFlows {
  const refuse = () =>
    Promise.reject(new TypeError('Passkeys are off. Give createAuth({ passkeys: passkeys({ ... }) }).'));
  return Object.fromEntries(NO_PASSKEYS.map((name) => [name, refuse])) as unknown as PasskeyFlows;
}

export function withoutPasskeyAccounts(): PasskeyAccountFlows {
  const refuse = () =>
    Promise.reject(
      new TypeError(
        'Accounts cannot begin with a passkey. Give createAuth() passkeys, notify, users.create() and users.markVerified(), and registration "by-mail".',
      ),
    );
  return { startPasskeyAccount: refuse, completePasskeyAccount: refuse };
}

export const noCookies: AuthCookies = Object.freeze({ write: off, clear: off, remember: off, read: off });

function off(): never {
  throw new TypeError('Cookies are off. Turn them on with createAuth({ transport: { cookies: {} } }).');
}
