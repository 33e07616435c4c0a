import type { HtmlRenderer } from '@portcullis/errors';
import { html } from './html.js';
import { layout } from './layout.js';

/** What is asked for, by the name of a parameter, for those that people type or see in the address. */
const WANTED: ReadonlyMap<string, string> = new Map([
  ['q', "Search for letters, digits, spaces and the punctuation of titles: . , : ! ? & ' -"],
  ['page', 'A page has a whole number from 1 to 10,000.'],
  ['id', 'The number of the book, loan or person in the address is not one.'],
  [
    'action',
    'An action has small letters, digits and dashes, with dots between: book.added, or loan.* for all.',
  ],
  ['cursor', 'This place in the log is not one. Start again from the newest entries.'],
  ['role', 'A role is staff or patron.'],
]);

/** The page of a refusal: what happened, and the number to quote. It knows nothing about the viewer on purpose. */
export const errorPage: HtmlRenderer = ({ status, title, detail, members, requestId }) =>
  layout({
    title,
    viewer: undefined,
    body: html`<h1>${status}: ${title}</h1>
      <p>${detail}</p>
      ${wanted(members['errors']).map((text) => html`<p class="error">${text}</p>`)}
      ${status === 401 && html`<p><a href="/sign-in">Sign in</a></p>`}
      <p class="hint">Request <code>${requestId}</code></p>`,
  });

function wanted(errors: unknown): readonly string[] {
  const found = Array.isArray(errors) ? (errors as readonly { readonly pointer?: unknown }[]) : [];
  const texts = found.map(({ pointer }) =>
    typeof pointer === 'string' ? WANTED.get(pointer.split('/')[1] ?? '') : undefined,
  );
  return [...new Set(texts.filter((text) => text !== undefined))];
}
