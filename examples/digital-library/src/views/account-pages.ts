import { field, formError, type FieldErrors } from './forms.js';
import { html, type Html } from './html.js';
import { passkeySignIn } from './passkey-pages.js';

export interface AccountForm {
  readonly email?: string | undefined;
  /** Where to go after signing in. */
  readonly next?: string | undefined;
}

export interface SignInOffers {
  readonly passkeys: boolean;
  /** A new password by mail. */
  readonly reset: boolean;
  readonly register: boolean;
}

export function registerPage(formToken: Html, values: AccountForm = {}, errors: FieldErrors = {}): Html {
  return html`<h1>Register</h1>
    <form method="post" action="/register" class="stacked" novalidate>
      ${formToken} ${formError(errors)}
      ${field({ name: 'email', label: 'E-mail', type: 'email', value: values.email, autocomplete: 'username', maxLength: 254 }, errors)}
      ${field(
        {
          name: 'password',
          label: 'Password',
          type: 'password',
          autocomplete: 'new-password',
          hint: 'At least 12 characters. A few unrelated words make a good one.',
          maxLength: 256,
        },
        errors,
      )}
      <button type="submit">Register</button>
    </form>
    <p>Registered already? <a href="/sign-in">Sign in</a></p>`;
}

export function signInPage(
  formToken: Html,
  { passkeys, reset, register }: SignInOffers,
  values: AccountForm = {},
  errors: FieldErrors = {},
): Html {
  return html`<h1>Sign in</h1>
    <form method="post" action="/sign-in" class="stacked" novalidate>
      ${formToken} ${formError(errors)}
      ${field({ name: 'email', label: 'E-mail', type: 'email', value: values.email, autocomplete: 'username', maxLength: 254 }, errors)}
      ${field({ name: 'password', label: 'Password', type: 'password', autocomplete: 'current-password', maxLength: 256 }, errors)}
      ${values.next !== undefined && html`<input type="hidden" name="next" value="${values.next}" />`}
      <button type="submit">Sign in</button>
    </form>
    ${passkeys && passkeySignIn(values.next)}
    ${reset && html`<p><a href="/reset">I forgot my password</a></p>`}
    ${register && html`<p>New here? <a href="/register">Register</a></p>`}`;
}
