import type { History, HistoryEntry, Row } from '@portcullis/audit';
import type { Book } from '../books.js';
import { html, type Html } from './html.js';

/** What the triggers wrote; what the program said about the same change beside it tells nothing more here. */
const TRACKED: Readonly<Record<string, string>> = {
  'book.created': 'added',
  'book.updated': 'changed',
  'book.deleted': 'removed',
};

export function bookHistory(
  book: Book,
  history: History,
  names: ReadonlyMap<string, string>,
  isStaff: boolean,
  then: { readonly on: string; readonly row: Row | undefined } | undefined,
): Html {
  const entries = history.entries.filter(({ action }) => Object.hasOwn(TRACKED, action));
  return html`<h1>What became of <a href="/books/${book.id}">${book.title}</a></h1>
    ${isStaff ? dayForm(book, then) : html`<p>You see what you changed yourself.</p>`}
    ${
      entries.length === 0
        ? html`<p>No change of this book is recorded${isStaff ? '' : ' as yours'}.</p>`
        : html`<div class="wide">
            <table>
              <thead>
                <tr>
                  <th scope="col">Time (UTC)</th>
                  <th scope="col">Who</th>
                  <th scope="col">Field</th>
                  <th scope="col">Before</th>
                  <th scope="col">After</th>
                </tr>
              </thead>
              <tbody>
                ${entries.map((entry) => rows(entry, names))}
              </tbody>
            </table>
          </div>`
    }
    ${history.next && html`<p><a href="/books/${book.id}/history?${new URLSearchParams({ cursor: history.next }).toString()}">Older</a></p>`}`;
}

function rows({ time, action, actor, changes }: HistoryEntry, names: ReadonlyMap<string, string>): Html {
  const who = actor.id === undefined ? actor.kind : (names.get(actor.id) ?? actor.id);
  // What was empty when the book was added tells nothing.
  const told = changes.filter(({ before, after }) => (before ?? after ?? null) !== null);
  return html`${told.map(
    ({ field, before, after }, i) =>
      html`<tr>
        ${
          i === 0 &&
          html`<td rowspan="${told.length}">${time.slice(0, 19).replace('T', ' ')}</td>
            <td rowspan="${told.length}">${who} (${TRACKED[action]})</td>`
        }
        <td>${field}</td>
        <td>${shown(before)}</td>
        <td>${shown(after)}</td>
      </tr>`,
  )}`;
}

function dayForm(book: Book, then: { readonly on: string; readonly row: Row | undefined } | undefined): Html {
  return html`<form method="get" action="/books/${book.id}/history" class="search">
      <label for="on">How it was at the end of a day (UTC)</label>
      <div class="row">
        <input id="on" name="on" type="date" value="${then?.on ?? ''}" required />
        <button type="submit">Show</button>
      </div>
    </form>
    ${
      then &&
      (then.row === undefined
        ? html`<p role="status">There was no such book on ${then.on}.</p>`
        : html`<dl>
            ${Object.entries(then.row).map(
              ([field, value]) =>
                html`<dt>${field}</dt>
                  <dd>${shown(value)}</dd>`,
            )}
          </dl>`)
    }`;
}

/** Values of masked columns never left the table: the log says `[REDACTED]`. */
function shown(value: unknown): string {
  if (value === undefined || value === null) return '-';
  return typeof value === 'string' ? value : JSON.stringify(value);
}
