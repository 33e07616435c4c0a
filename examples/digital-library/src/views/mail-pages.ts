import { field, formError, type FieldErrors } from './forms.js';
import { html, type Html } from './html.js';
import { passkeyAccount } from './passkey-pages.js';

const TEXTS = {
  '/register': ['Register', 'We send you a link, by which you finish the registration.', 'Send the link'],
  '/reset': [
    'Forgotten password',
    'We send you a link, by which you choose a new password.',
    'Send the link',
  ],
} as const;

/** Asks for an address; what there is to say about it is said in the mailbox. */
export function mailboxPage(
  formToken: Html,
  path: keyof typeof TEXTS,
  email?: string,
  errors: FieldErrors = {},
): Html {
  const [title, hint, button] = TEXTS[path];
  return html`<h1>${title}</h1>
    <form method="post" action="${path}" class="stacked" novalidate>
      ${formToken} ${formError(errors)}
      ${field({ name: 'email', label: 'E-mail', type: 'email', value: email, hint, autocomplete: 'username', maxLength: 254 }, errors)}
      <button type="submit">${button}</button>
    </form>
    <p><a href="/sign-in">Sign in</a></p>`;
}

/** Where the link of a message leads. */
export function newPasswordPage(
  formToken: Html,
  values: { readonly path: keyof typeof TEXTS; readonly link: string; readonly passkeys: boolean },
  errors: FieldErrors = {},
): Html {
  const { path, link, passkeys } = values;
  return html`<h1>${passkeys ? 'Password or passkey' : 'Choose a password'}</h1>
    <form method="post" action="${path}/complete" class="stacked" novalidate>
      ${formToken} ${formError(errors)}
      ${field(
        {
          name: 'password',
          label: 'New password',
          type: 'password',
          autocomplete: 'new-password',
          hint: 'At least 12 characters. A few unrelated words make a good one.',
          maxLength: 256,
        },
        errors,
      )}
      <input type="hidden" name="token" value="${link}" />
      <button type="submit">Keep this password</button>
    </form>
    ${passkeys && passkeyAccount(link)}
    <p><a href="${path}">Ask for another link</a></p>`;
}
