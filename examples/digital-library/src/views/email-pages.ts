import { accountMenu } from './account-menu.js';
import { field, formError, type FieldErrors } from './forms.js';
import { html, type Html } from './html.js';

const AT = '/account/email';

/** The address that somebody signs in with, and the form that changes it. */
export function emailPage(
  formToken: Html,
  values: {
    readonly now: string;
    readonly email: string | undefined;
    readonly hasMail: boolean;
    readonly hasPassword: boolean;
  },
  errors: FieldErrors = {},
): Html {
  return html`<h1>E-mail address</h1>
    ${accountMenu(AT)}
    <p>You sign in with <strong>${values.now}</strong>.</p>
    ${
      values.hasMail
        ? html`<form method="post" action="${AT}" class="stacked" novalidate>
            ${formToken}
            <h2>Change it</h2>
            ${formError(errors)}
            ${field(
              {
                name: 'email',
                label: 'New address',
                type: 'email',
                value: values.email,
                hint: 'A link goes there, and a word to the address that you have now.',
                autocomplete: 'email',
                maxLength: 254,
              },
              errors,
            )}
            ${
              values.hasPassword
                ? field(
                    {
                      name: 'password',
                      label: 'Password',
                      type: 'password',
                      autocomplete: 'current-password',
                      maxLength: 256,
                    },
                    errors,
                  )
                : html`<p>
                    You have no password: <a href="/sign-in?next=${AT}">sign in with your passkey</a> and ask within five minutes.
                  </p>`
            }
            <button type="submit">Send the link</button>
          </form>`
        : html`<p>It cannot be changed here, because this library sends no messages.</p>`
    }`;
}

/** Where the link of the message leads. */
export function confirmEmailPage(formToken: Html, link: string, errors: FieldErrors = {}): Html {
  return html`<h1>Confirm your address</h1>
    <p>From then on you sign in with the address that the message went to. You are signed out everywhere.</p>
    <form method="post" action="${AT}/complete" class="stacked" novalidate>
      ${formToken} ${formError(errors)}
      <input type="hidden" name="token" value="${link}" />
      <button type="submit">This is my address</button>
    </form>`;
}
