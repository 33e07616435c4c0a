import type { ApiKeyInfo } from '@portcullis/auth';
import { keyScopes, type KeyScope } from '../key-scopes.js';
import { keyLifetimes } from '../schemas.js';
import { accountMenu } from './account-menu.js';
import { field, formError, type FieldErrors } from './forms.js';
import { html, type Html } from './html.js';
import { moment } from './session-pages.js';

const AT = '/account/keys';

export interface KeyList {
  readonly keys: readonly ApiKeyInfo[];
  /** What the page offers for a new one. */
  readonly offered: readonly KeyScope[];
}

/** The keys of a person, and a form for another one. */
export function keyList(
  formToken: Html,
  { keys, offered }: KeyList,
  values: Readonly<Record<string, string | undefined>> = {},
  errors: FieldErrors = {},
): Html {
  return html`${heading()}
    <p>
      A key lets a program use the <a href="/openapi.json">API</a> in your name, for what you tick and no more. It cannot make keys or
      change your account.
    </p>
    ${keys.length === 0 ? html`<p>You have none.</p>` : keyTable(formToken, keys)}
    <form method="post" action="${AT}" class="stacked" novalidate>
      ${formToken}
      <h2>Make a key</h2>
      ${formError(errors)}
      ${field({ name: 'name', label: 'Name', value: values['name'], hint: 'Which program is it for?', maxLength: 100 }, errors)}
      <fieldset>
        <legend>It may</legend>
        ${offered.map(
          (scope) =>
            html`<label class="tick"
              ><input type="checkbox" name="${scope}" value="yes" ${values[scope] === 'yes' ? html`checked` : ''} />
              ${keyScopes[scope]}</label
            >`,
        )}
      </fieldset>
      <div class="field">
        <label for="expires">It ends after</label>
        <select id="expires" name="expires">
          ${keyLifetimes.map(
            (days) =>
              html`<option value="${days}" ${(values['expires'] ?? '90d') === days ? html`selected` : ''}>
                ${days.slice(0, -1)} days
              </option>`,
          )}
        </select>
      </div>
      <button type="submit">Make a key</button>
    </form>`;
}

/** The only time that the key is seen. */
export function newKeyPage(key: string, { name, expiresAt }: ApiKeyInfo): Html {
  return html`${heading()}
    <p class="notice" role="status">The key "${name}" is made. It ends on ${moment(expiresAt)}.</p>
    <p>Copy it to where the program keeps its secrets: this page does not come again.</p>
    <p><code class="secret long">${key}</code></p>
    <p>The program sends it with each request:</p>
    <p><code class="long">Authorization: Bearer ${key.slice(0, 8)}...</code></p>
    <p><a href="${AT}">I have kept it</a></p>`;
}

function heading(): Html {
  return html`<h1>Keys for programs</h1>
    ${accountMenu(AT)}`;
}

function keyTable(formToken: Html, keys: readonly ApiKeyInfo[]): Html {
  return html`<table>
    <caption>
      Your keys
    </caption>
    <thead>
      <tr>
        <th scope="col">Name</th>
        <th scope="col">It may</th>
        <th scope="col">Ends</th>
        <th scope="col">Last used</th>
        <th scope="col">Action</th>
      </tr>
    </thead>
    <tbody>
      ${keys.map(
        ({ id, name, scopes, expiresAt, lastUsedAt }) =>
          html`<tr>
            <td>${name}</td>
            <td>${scopes.map(wordsOf).join(', ')}</td>
            <td>${moment(expiresAt)}</td>
            <td>${lastUsedAt === null ? 'never' : moment(lastUsedAt)}</td>
            <td>
              <form method="post" action="${AT}/${id}/end" class="inline">
                ${formToken}
                <button type="submit" aria-label="End the key ${name}">End</button>
              </form>
            </td>
          </tr>`,
      )}
    </tbody>
  </table>`;
}

function wordsOf(scope: string): string {
  return Object.hasOwn(keyScopes, scope) ? keyScopes[scope as KeyScope] : scope;
}
