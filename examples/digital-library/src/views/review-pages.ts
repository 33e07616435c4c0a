import type { ReviewQueue, ReviewStatus } from '@portcullis/audit';
import { field } from './forms.js';
import { html, type Html } from './html.js';

const NAMES: Readonly<Record<string, string>> = {
  roles: 'Roles and passwords given by staff',
  refused: 'Refused requests, one in twenty',
};

/** `now`: when the queue was read; a round is ended at that time, not at the one when the button is pressed. */
export function reviewPage(
  formToken: Html,
  queue: ReviewQueue,
  all: readonly ReviewStatus[],
  now: string,
): Html {
  const { items, own, status } = queue;
  return html`<h1>Reviews of the audit log</h1>
    <nav aria-label="Reviews">
      <ul>
        ${all.map(
          ({ policy, open, isOverdue }) =>
            html`<li>
              <a href="/staff/reviews?policy=${policy}">${NAMES[policy] ?? policy}</a>: ${open}
              waiting${isOverdue && html`, <strong>overdue</strong>`}
            </li>`,
        )}
      </ul>
    </nav>
    <h2>${NAMES[status.policy] ?? status.policy}</h2>
    <p>
      ${status.through === undefined ? 'Nobody has ended a round yet.' : `Reviewed up to ${shown(status.through)}.`}
      Due by ${shown(status.dueAt)} UTC.
    </p>
    ${status.isOverdue && html`<p role="alert">This review is overdue.</p>`}
    ${own > 0 && html`<p>${own} of your own doing: somebody else has to look at them.</p>`}
    ${items.length === 0 ? html`<p>Nothing waits for you.</p>` : html`${list(queue)} ${signOff(formToken, queue)}`}
    ${status.open === 0 && completion(formToken, status, now)}`;
}

function list({ items }: ReviewQueue): Html {
  return html`<div class="wide">
    <table>
      <thead>
        <tr>
          <th scope="col">Time (UTC)</th>
          <th scope="col">Action</th>
          <th scope="col">Outcome</th>
          <th scope="col">Who</th>
          <th scope="col">What</th>
          <th scope="col">Due</th>
        </tr>
      </thead>
      <tbody>
        ${items.map(
          ({ entry, dueAt, overdue }) =>
            html`<tr>
              <td>${shown(entry.time)}</td>
              <td>${entry.action}</td>
              <td>${entry.outcome}</td>
              <td><code>${entry.actor.id ?? entry.actor.kind}</code></td>
              <td>${entry.target ? `${entry.target.type} ${entry.target.id ?? ''}` : `${entry.context.method ?? ''} ${entry.context.path ?? ''}`}</td>
              <td>${shown(dueAt)}${overdue && html` <strong>overdue</strong>`}</td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

function signOff(formToken: Html, { items, status }: ReviewQueue): Html {
  return html`<h2>Sign off</h2>
    <form method="post" action="/staff/reviews/sign-off" class="stacked">
    ${formToken}
    <input type="hidden" name="policy" value="${status.policy}" />
    <input type="hidden" name="entries" value="${items.map(({ entry }) => entry.id).join(',')}" />
    ${field({ name: 'reason', label: 'What you looked at, and what came of it', maxLength: 1000 })}
    <div class="field">
      <label for="finding">Was something wrong?</label>
      <select id="finding" name="finding">
        <option value="no">No</option>
        <option value="yes">Yes</option>
      </select>
    </div>
    <button type="submit">Sign off ${items.length === 1 ? 'this entry' : `these ${items.length} entries`}</button>
  </form>`;
}

function completion(formToken: Html, { policy }: ReviewStatus, now: string): Html {
  return html`<h2>End the round</h2>
    <form method="post" action="/staff/reviews/complete" class="stacked">
      ${formToken}
      <input type="hidden" name="policy" value="${policy}" />
      <input type="hidden" name="through" value="${now}" />
      ${field({ name: 'reason', label: 'Which round this was, such as the week', maxLength: 1000 })}
      <button type="submit">Everything up to now is reviewed</button>
    </form>`;
}

function shown(time: string): string {
  return time.slice(0, 19).replace('T', ' ');
}
