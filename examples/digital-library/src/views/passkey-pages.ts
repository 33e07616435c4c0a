import type { PasskeyInfo } from '@portcullis/auth';
import { accountMenu } from './account-menu.js';
import { html, type Html } from './html.js';
import { moment } from './session-pages.js';

/** What somebody has of passkeys; undefined where the library has none to offer. */
export function passkeyList(passkeys: readonly PasskeyInfo[] | undefined): Html {
  const heading = html`<h1>Passkeys</h1>
    ${accountMenu('/account/passkeys')}`;
  if (passkeys === undefined)
    return html`${heading}
      <p>Passkeys need a name in the address. Open the library as <code>http://localhost</code> or by its own domain.</p>`;
  return html`${heading}
    <p>A passkey signs you in with your finger, your face or the PIN of your device. Nobody can guess it or trick you out of it.</p>
    ${passkeys.length === 0 ? html`<p>You have none yet.</p>` : passkeyTable(passkeys)}
    <form class="stacked" data-passkey="add" hidden>
      <h2>Add a passkey</h2>
      <div class="field">
        <label for="passkey-name">Name</label>
        <p class="hint" id="passkey-name-hint">So that you know it again: "Telephone", "Key on the ring"</p>
        <input id="passkey-name" name="name" maxlength="64" autocomplete="off" aria-describedby="passkey-name-hint" required />
      </div>
      <button type="submit">Add a passkey</button>
    </form>
    ${passkeyTrouble()}`;
}

/** Shown on the page of signing in; the script takes it out of hiding where the browser can use passkeys. */
export function passkeySignIn(next: string | undefined): Html {
  return html`<form class="stacked" data-passkey="sign-in" data-next="${next ?? ''}" hidden>
      <p>or</p>
      <button type="submit" class="other">Sign in with a passkey</button>
    </form>
    ${passkeyTrouble()}`;
}

/** Beside the password that finishes a registration. */
export function passkeyAccount(link: string): Html {
  return html`<form class="stacked" data-passkey="account" data-token="${link}" hidden>
      <p>or</p>
      <p class="hint">
        A passkey signs you in with your finger, your face or the PIN of your device. You need no password then.
      </p>
      <button type="submit" class="other">Make a passkey instead</button>
    </form>
    ${passkeyTrouble()}`;
}

function passkeyTrouble(): Html {
  return html`<p class="error" role="alert" data-passkey="trouble"></p>
    <noscript><p class="hint">Passkeys need scripts in the browser. Everything else here does not.</p></noscript>`;
}

function passkeyTable(passkeys: readonly PasskeyInfo[]): Html {
  return html`<table>
    <caption>
      Your passkeys
    </caption>
    <thead>
      <tr>
        <th scope="col">Name</th>
        <th scope="col">Where</th>
        <th scope="col">Added</th>
        <th scope="col">Last used</th>
        <th scope="col">Action</th>
      </tr>
    </thead>
    <tbody>
      ${passkeys.map(
        ({ id, name, backedUp, createdAt, lastUsedAt }) =>
          html`<tr>
            <td>${name}</td>
            <td>${backedUp ? 'All your devices' : 'One device'}</td>
            <td>${moment(createdAt)}</td>
            <td>${lastUsedAt === null ? 'never' : moment(lastUsedAt)}</td>
            <td>
              <button type="button" class="link" data-passkey="remove" data-id="${id}" aria-label="Remove ${name}">
                Remove
              </button>
            </td>
          </tr>`,
      )}
    </tbody>
  </table>`;
}
