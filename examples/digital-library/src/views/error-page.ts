import type { HtmlRenderer } from '@portcullis/errors';
import { html } from './html.js';
import { layout } from './layout.js';

/** The page of a refusal: what happened, and the number to quote. It knows nothing about the viewer on purpose. */
export const errorPage: HtmlRenderer = ({ status, title, detail, requestId }) =>
  layout({
    title,
    viewer: undefined,
    body: html`<h1>${status}: ${title}</h1>
      <p>${detail}</p>
      ${status === 401 && html`<p><a href="/sign-in">Sign in</a></p>`}
      <p class="hint">Request <code>${requestId}</code></p>`,
  });
