import { html, type Html } from './html.js';

/** Who looks at the page, as far as the menu is concerned. */
export interface Viewer {
  /** Undefined for somebody who has not signed in. */
  readonly name: string | undefined;
  readonly isStaff: boolean;
  readonly mayRegister: boolean;
}

/** A script of ours, which the policy lets run by the nonce of this answer. */
export interface Script {
  readonly src: string;
  readonly nonce: string;
}

export interface Page {
  readonly title: string;
  /** Undefined where the page does not know: it then offers only what everybody has. */
  readonly viewer: Viewer | undefined;
  /** One sentence after something was done, such as "Returned." */
  readonly notice?: string | undefined;
  /** For the form that signs out; there with every viewer who is known. */
  readonly formToken?: Html | undefined;
  readonly script?: Script | undefined;
  readonly body: Html;
}

/** The frame of every page. */
export function layout({ title, viewer, notice, formToken, script, body }: Page): string {
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title} - Digital Library</title>
        <link rel="stylesheet" href="/assets/style.css" />
        <link rel="icon" href="/assets/icon.svg" type="image/svg+xml" />
        ${script && html`<script type="module" src="${script.src}" nonce="${script.nonce}"></script>`}
      </head>
      <body>
        <a class="skip" href="#main">Skip to content</a>
        <header class="top">
          <a class="brand" href="/">Digital Library</a>
          <nav aria-label="Main">${menu(viewer, formToken)}</nav>
        </header>
        <main id="main">${notice && html`<p class="notice" role="status">${notice}</p>`} ${body}</main>
        <footer>
          <p>
            An example application of Portcullis. Every refusal you meet here is one of its packages at work.
          </p>
        </footer>
      </body>
    </html>`.toString();
}

function menu(viewer: Viewer | undefined, formToken: Html | undefined): Html {
  if (viewer === undefined) return html`<a href="/books">Books</a>`;
  if (viewer.name === undefined) {
    return html`<a href="/books">Books</a> <a href="/sign-in">Sign in</a>
      ${viewer.mayRegister && html`<a href="/register">Register</a>`}`;
  }
  return html`<a href="/books">Books</a>
    <a href="/loans">My loans</a>
    ${
      viewer.isStaff &&
      html`<a href="/staff/books/new">Add a book</a> <a href="/staff/people">People</a>
        <a href="/staff/access">Access</a> <a href="/staff/audit">Audit log</a>
        <a href="/staff/reviews">Reviews</a>`
    }
    <form method="post" action="/sign-out" class="inline">
      ${formToken}
      <a class="who" href="/account/sessions">${viewer.name}</a>
      <button type="submit" class="link">Sign out</button>
    </form>`;
}
