import { html, type Html } from './html.js';

const ACCOUNT_PAGES = [
  ['/account/sessions', 'Where you are signed in'],
  ['/account/email', 'E-mail address'],
  ['/account/passkeys', 'Passkeys'],
  ['/account/second-factor', 'Second factor'],
  ['/account/keys', 'Keys for programs'],
] as const;

/** The pages about one's own account. */
export function accountMenu(here: string): Html {
  return html`<nav aria-label="Account">
    ${ACCOUNT_PAGES.map(([path, title]) =>
      path === here ? html`<span aria-current="page">${title}</span>` : html`<a href="${path}">${title}</a>`,
    )}
  </nav>`;
}
