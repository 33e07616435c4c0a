import type { TotpStart } from '@portcullis/auth';
import { accountMenu } from './account-menu.js';
import { field, formError, type FieldErrors } from './forms.js';
import { html, type Html } from './html.js';
import { qrCode } from './qr-code.js';

const AT = '/account/second-factor';
const CODE = { name: 'code', label: 'Code', autocomplete: 'one-time-code', maxLength: 64 } as const;
const PASSWORD = {
  name: 'password',
  label: 'Password',
  type: 'password',
  autocomplete: 'current-password',
  maxLength: 256,
} as const;

/** The second step of signing in, after a right password. */
export function challengePage(
  formToken: Html,
  values: { readonly challenge: string; readonly next?: string | undefined },
  errors: FieldErrors = {},
): Html {
  const { challenge, next } = values;
  return html`<h1>One more step</h1>
    <p>Your password is right. Now type the code that your authenticator app shows, or one of your recovery codes.</p>
    <form method="post" action="/sign-in/complete" class="stacked" novalidate>
      ${formToken} ${formError(errors)} ${field(CODE, errors)}
      <input type="hidden" name="challenge" value="${challenge}" />
      ${next !== undefined && html`<input type="hidden" name="next" value="${next}" />`}
      <button type="submit">Sign in</button>
    </form>
    <p>You have five minutes. <a href="/sign-in">Begin again</a></p>`;
}

/** For somebody whose password alone signs them in. */
export function factorOffPage(formToken: Html, errors: FieldErrors = {}): Html {
  return html`${heading()}
    <p>
      It is <strong>off</strong>. With it, signing in takes your password and a code that an app on your telephone shows: whoever
      finds out the password alone stays outside.
    </p>
    <form method="post" action="${AT}/start" class="stacked" novalidate>
      ${formToken}
      <h2>Set up an authenticator app</h2>
      ${formError(errors)} ${field(PASSWORD, errors)}
      <button type="submit">Set up</button>
    </form>`;
}

/** What the app is told, and its first code; without the secret, which is shown once, the app has been told already. */
export function enrolPage(
  formToken: Html,
  enrolment: { readonly token: string } & Partial<TotpStart>,
  errors: FieldErrors = {},
): Html {
  const { token, secret, uri } = enrolment;
  return html`${heading()}
    ${
      secret !== undefined &&
      html`<h2>1. Tell the app</h2>
        <p>Add an account in your authenticator app, and point its camera here:</p>
        ${uri !== undefined && qrCode(uri, 'QR code with the key below')}
        <p>Or type this key:</p>
        <p><code class="secret">${groups(secret)}</code></p>
        <p>On the telephone that has the app, open this address instead:</p>
        <p><a href="${uri}" class="long">${uri}</a></p>`
    }
    <h2>${secret !== undefined && '2. '}Show that it works</h2>
    <form method="post" action="${AT}/confirm" class="stacked" novalidate>
      ${formToken} ${formError(errors)}
      ${field({ ...CODE, hint: 'The six digits that the app shows for Digital Library now.' }, errors)}
      <input type="hidden" name="token" value="${token}" />
      <button type="submit">Turn on</button>
    </form>
    <p>Nothing has changed yet. <a href="${AT}">Begin again with another key</a></p>`;
}

/** The only time that they are seen. */
export function recoveryCodesPage(codes: readonly string[]): Html {
  return html`${heading()}
    <p class="notice" role="status">The second factor is on. Everywhere else you have been signed out.</p>
    <h2>Your recovery codes</h2>
    <p>
      Each signs you in <strong>once</strong> in the place of the app, should you lose it. Print them or keep them in a password
      manager: this page does not come again.
    </p>
    <ul class="codes">
      ${codes.map((code) => html`<li><code>${code}</code></li>`)}
    </ul>
    <p><a href="${AT}">I have kept them</a></p>`;
}

/** For somebody who has it; `refused` is the form whose errors are shown. */
export function factorOnPage(
  formToken: Html,
  refused?: { readonly form: 'recovery-codes' | 'remove'; readonly errors: FieldErrors },
): Html {
  return html`${heading()}
    <p>It is <strong>on</strong>: signing in takes your password and a code of your authenticator app.</p>
    ${confirmed('recovery-codes', 'New recovery codes', 'Make new codes', 'The old ones are worth nothing from then on.')}
    ${confirmed('remove', 'Turn it off', 'Turn off', 'Your password alone signs you in from then on.')}`;

  function confirmed(form: 'recovery-codes' | 'remove', title: string, button: string, effect: string): Html {
    const errors = refused?.form === form ? refused.errors : {};
    const hint = 'Of your authenticator app, or a recovery code.';
    return html`<form method="post" action="${AT}/${form}" class="stacked" novalidate>
      ${formToken}
      <h2>${title}</h2>
      <p>${effect} You are signed out everywhere else.</p>
      ${formError(errors)} ${field({ ...PASSWORD, id: `${form}-password` }, errors)}
      ${field({ ...CODE, hint, id: `${form}-code` }, errors)}
      <button type="submit" class="other">${button}</button>
    </form>`;
  }
}

function heading(): Html {
  return html`<h1>Second factor</h1>
    ${accountMenu(AT)}`;
}

/** In fours, as people copy it. */
function groups(secret: string): string {
  return secret.match(/.{1,4}/g)?.join(' ') ?? secret;
}
