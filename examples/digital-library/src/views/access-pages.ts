import type { InactiveUser, Review, ReviewItem, RouteRule, UnusedReport } from '@portcullis/rbac';
import { field } from './forms.js';
import { html, type Html, type HtmlValue } from './html.js';

export type NameOf = (userId: string) => string;

export interface AccessReport {
  readonly administrators: readonly { readonly userId: string; readonly grants: readonly string[] }[];
  readonly inactive: readonly InactiveUser[];
  readonly unused: UnusedReport;
  readonly reviews: readonly Review[];
  /** How far the reports look back. */
  readonly days: number;
}

export function accessPage(formToken: Html, report: AccessReport, nameOf: NameOf): Html {
  const { administrators, inactive, unused, reviews, days } = report;
  return html`<h1>Access</h1>
    <p><a href="/staff/access/routes">What each route asks for</a>, <a href="/staff/emergency">emergency access</a></p>
    <h2>Who administers</h2>
    ${list(administrators.map(({ userId, grants }) => `${nameOf(userId)}, by ${grants.join(', ')}`))}
    <h2>Not active for ${days} days</h2>
    ${list(inactive.map(({ userId, lastActivity }) => `${nameOf(userId)}, since ${day(lastActivity)}`))}
    <h2>Not used for ${days} days</h2>
    ${list(unused.permissions.map((name) => html`<code>${name}</code>`))}
    <h2>Access reviews</h2>
    ${list(
      reviews.map(
        (review) =>
          html`<a href="/staff/access/reviews/${review.id}">Opened ${day(review.openedAt)} by ${nameOf(review.openedBy)}</a>,
            ${state(review)}`,
      ),
    )}
    <form method="post" action="/staff/access/reviews">
      ${formToken}
      <button type="submit">Open a review of all grants</button>
    </form>`;
}

export function accessReviewPage(formToken: Html, review: Review, ownId: string, nameOf: NameOf): Html {
  const { id, items, closedAt, reviewers } = review;
  const decides = (item: ReviewItem): boolean =>
    closedAt === undefined &&
    reviewers.includes(ownId) &&
    item.userId !== ownId &&
    item.grantedBy !== ownId &&
    (item.decision?.disposition ?? 'keep') === 'keep';
  const undecided = items.filter(({ decision }) => !decision);
  const stuck = undecided.filter(({ userId, grantedBy }) =>
    reviewers.every((reviewer) => reviewer === userId || reviewer === grantedBy),
  );
  return html`<h1>Access review</h1>
    <p>Opened ${day(review.openedAt)} by ${nameOf(review.openedBy)}, ${state(review)}.</p>
    <p>Reviewers: ${reviewers.map(nameOf).join(', ') || 'nobody'}. Nobody decides about their own grants, or about what they granted.</p>
    ${
      closedAt === undefined &&
      stuck.length > 0 &&
      html`<p role="alert">
        No reviewer may decide about ${stuck.length === 1 ? 'one of these' : `${stuck.length} of these`}: make
        somebody else staff, and open another review.
      </p>`
    }
    <div class="wide">
      <table>
        <thead>
          <tr>
            <th scope="col">Who</th>
            <th scope="col">Has</th>
            <th scope="col">Granted by</th>
            <th scope="col">Last used</th>
            <th scope="col">Decision</th>
          </tr>
        </thead>
        <tbody>
          ${items.map(
            (item) =>
              html`<tr>
                <td>${nameOf(item.userId)}</td>
                <td>${item.kind} ${item.what}</td>
                <td>${nameOf(item.grantedBy)}${item.reason !== undefined && html`: ${item.reason}`}</td>
                <td>${item.lastUsed === undefined ? 'never' : day(item.lastUsed)}</td>
                <td>${decided(item, nameOf)} ${decides(item) && decisionForm(formToken, id, item, nameOf)}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>
    ${
      closedAt !== undefined &&
      html`<p><a href="/staff/access/reviews/${id}/evidence">Evidence for auditors</a></p>`
    }
    ${
      closedAt === undefined &&
      undecided.length === 0 &&
      html`<form method="post" action="/staff/access/reviews/${id}/close">
        ${formToken}
        <button type="submit">Close the review</button>
      </form>`
    }`;
}

export function routesPage(routes: readonly RouteRule[]): Html {
  return html`<h1>What each route asks for</h1>
    <p>As read from the routers when the library started; one without a rule would have kept it from starting.</p>
    <div class="wide">
      <table>
        <thead>
          <tr>
            <th scope="col">Method</th>
            <th scope="col">Path</th>
            <th scope="col">Asks for</th>
          </tr>
        </thead>
        <tbody>
          ${routes.map(
            ({ method, path, rules }) =>
              html`<tr>
                <td>${method}</td>
                <td><code>${path}</code></td>
                <td>${rules.join(', ')}</td>
              </tr>`,
          )}
        </tbody>
      </table>
    </div>`;
}

function decided({ decision }: ReviewItem, nameOf: NameOf): Html {
  if (!decision) return html`open`;
  return html`<strong>${decision.disposition}</strong> by ${nameOf(decision.reviewer)}: ${decision.reason}`;
}

function decisionForm(formToken: Html, review: string, item: ReviewItem, nameOf: NameOf): Html {
  const about = `${item.what} of ${nameOf(item.userId)}`;
  return html`<form method="post" action="/staff/access/reviews/${review}" class="stacked">
    ${formToken}
    <input type="hidden" name="item" value="${item.number}" />
    ${field({ name: 'reason', id: `reason-${item.number}`, label: `Why, for ${about}`, maxLength: 1000 })}
    <button type="submit" name="disposition" value="keep" aria-label="Keep ${about}">Keep</button>
    <button type="submit" name="disposition" value="revoke" aria-label="Take away ${about}">Take away</button>
  </form>`;
}

function state({ items, closedAt, dueAt }: Review): string {
  const open = items.filter(({ decision }) => !decision).length;
  if (closedAt !== undefined) return `closed ${day(closedAt)}`;
  return `${open} of ${items.length} open, due ${day(dueAt)}`;
}

function list(items: readonly HtmlValue[]): Html {
  if (items.length === 0) return html`<p>None.</p>`;
  return html`<ul>
    ${items.map((item) => html`<li>${item}</li>`)}
  </ul>`;
}

function day(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}
