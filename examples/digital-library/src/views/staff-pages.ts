import type { AuditPage, AuditStatus } from '@portcullis/audit';
import type { Person } from '../people.js';
import { html, type Html } from './html.js';

export interface PersonRow {
  readonly person: Person;
  readonly roles: readonly string[];
}

export function peopleList(formToken: Html, rows: readonly PersonRow[], ownId: string): Html {
  return html`<h1>People</h1>
    <div class="wide">
      <table>
        <thead>
          <tr>
            <th scope="col">E-mail</th>
            <th scope="col">Roles</th>
            <th scope="col">Staff role</th>
            <th scope="col">Account</th>
          </tr>
        </thead>
        <tbody>
          ${rows.map(
            ({ person, roles }) =>
              html`<tr>
                <td>${person.email}</td>
                <td>${roles.join(', ') || 'none'}</td>
                <td>${person.id === ownId ? 'yourself' : staffRole(formToken, person, roles.includes('staff'))}</td>
                <td>${person.id === ownId ? '' : account(formToken, person)}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>`;
}

function staffRole(formToken: Html, person: Person, isStaff: boolean): Html {
  const action = isStaff ? 'revoke' : 'grant';
  return html`<form method="post" action="/staff/people/${person.id}/${action}" class="inline">
    ${formToken}
    <input type="hidden" name="role" value="staff" />
    <button
      type="submit"
      aria-label="${isStaff ? 'Take the staff role from' : 'Make staff:'} ${person.email}"
    >
      ${isStaff ? 'Take away' : 'Make staff'}
    </button>
  </form>`;
}

function account(formToken: Html, { id, email, active }: Person): Html {
  return html`${
    active
      ? html`<form method="post" action="/staff/people/${id}/deactivate" class="inline">
            ${formToken}
            <button type="submit" aria-label="Deactivate ${email}">Deactivate</button>
          </form>`
      : 'deactivated'
  }
    <details>
      <summary aria-label="Erase ${email}">Erase</summary>
      <form method="post" action="/staff/people/${id}/erase" class="inline">
        ${formToken}
        <button type="submit" aria-label="Erase ${email} for good">For good</button>
      </form>
    </details>`;
}

/** What the log proves now: `anchored` is what it should say. */
function auditStatus({ guarantee, sealed, anchors, warnings }: AuditStatus): Html {
  return html`<p>
      Guarantee: <strong>${guarantee}</strong>. ${sealed} entries are under a signed
      checkpoint${anchors.map(({ name, size }) => html`, ${size ?? 0} in the anchor "${name}"`)}.
    </p>
    ${warnings.map((warning) => html`<p role="alert">Warning: ${warning}.</p>`)}`;
}

export function auditLog(page: AuditPage, action: string, status: AuditStatus): Html {
  return html`<h1>Audit log</h1>
    ${auditStatus(status)}
    <form method="get" action="/staff/audit" class="search">
      <label for="action">Action, such as book.added, or loan.*</label>
      <div class="row">
        <input id="action" name="action" value="${action}" maxlength="80" />
        <button type="submit">Show</button>
      </div>
    </form>
    <div class="wide">
      <table>
        <thead>
          <tr>
            <th scope="col">Time (UTC)</th>
            <th scope="col">Action</th>
            <th scope="col">Outcome</th>
            <th scope="col">Who</th>
            <th scope="col">What</th>
            <th scope="col">Address</th>
          </tr>
        </thead>
        <tbody>
          ${page.entries.map(
            (entry) =>
              html`<tr>
                <td>${entry.time.slice(0, 19).replace('T', ' ')}</td>
                <td>${entry.action}</td>
                <td>${entry.outcome}</td>
                <td><code>${entry.actor.id ?? entry.actor.kind}</code></td>
                <td>${entry.target && `${entry.target.type} ${entry.target.id ?? ''}`}</td>
                <td>${entry.context.address}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
    ${page.next && html`<p><a href="/staff/audit?${new URLSearchParams({ action, cursor: page.next }).toString()}">Older</a></p>`}`;
}
