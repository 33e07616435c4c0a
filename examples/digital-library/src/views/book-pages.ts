import type { Book, BookPage } from '../books.js';
import { field, formError, type FieldErrors } from './forms.js';
import { html, type Html } from './html.js';
import type { Viewer } from './layout.js';

export function bookList(page: BookPage, query: string): Html {
  return html`<h1>Books</h1>
    <form method="get" action="/books" role="search" class="search">
      <label for="q">Search by title, author or ISBN</label>
      <div class="row">
        <input id="q" name="q" type="search" value="${query}" maxlength="100" />
        <button type="submit">Search</button>
      </div>
    </form>
    <p>${summary(page, query)}</p>
    <ul class="books">
      ${page.books.map(
        (book) =>
          html`<li>
            <a href="/books/${book.id}">${book.title}</a>
            <span class="by">${book.authors}${book.year === null ? '' : `, ${yearText(book.year)}`}</span>
            <span class="stock ${book.available > 0 ? 'in' : 'out'}">${stock(book)}</span>
          </li>`,
      )}
    </ul>
    <nav aria-label="Pages" class="pages">
      ${page.number > 1 && html`<a rel="prev" href="${pageLink(query, page.number - 1)}">Previous</a>`}
      <span>Page ${page.number} of ${page.pages}</span>
      ${page.number < page.pages && html`<a rel="next" href="${pageLink(query, page.number + 1)}">Next</a>`}
    </nav>`;
}

export interface BookFacts {
  /** The viewer has it. */
  readonly borrowed: boolean;
  readonly hasCover: boolean;
}

export function bookDetail(formToken: Html | undefined, book: Book, viewer: Viewer, facts: BookFacts): Html {
  return html`<h1>${book.title}</h1>
    ${facts.hasCover && html`<img class="cover" src="/books/${book.id}/cover" alt="Cover of ${book.title}" />`}
    <dl>
      <dt>Author</dt>
      <dd>${book.authors}</dd>
      <dt>First published</dt>
      <dd>${book.year === null ? 'unknown' : yearText(book.year)}</dd>
      <dt>ISBN</dt>
      <dd>${book.isbn13}</dd>
      <dt>Copies</dt>
      <dd>${stock(book)}</dd>
    </dl>
    ${borrowing(formToken, book, viewer, facts.borrowed)}
    ${viewer.name !== undefined && html`<p><a href="/books/${book.id}/loans">Loans of this book</a></p>`}
    ${
      viewer.isStaff &&
      html`<p>
          <a class="button" href="/staff/books/${book.id}/edit">Edit this book</a>
          <a href="/books/${book.id}/history">What became of it</a>
        </p>
        <form method="post" action="/staff/books/${book.id}/delete" class="inline">
          ${formToken}
          <button type="submit">Delete this book</button>
        </form>
        ${coverForm(formToken, book)}`
    }`;
}

function coverForm(formToken: Html | undefined, book: Book): Html {
  return html`<form
    method="post"
    action="/staff/books/${book.id}/cover"
    enctype="multipart/form-data"
    class="stacked"
  >
    ${formToken}
    <div class="field">
      <label for="cover">Cover</label>
      <p class="hint" id="cover-hint">A PNG, JPEG or WebP picture of at most 2 MB</p>
      <input
        id="cover"
        name="cover"
        type="file"
        accept="image/png,image/jpeg,image/webp"
        aria-describedby="cover-hint"
        required
      />
    </div>
    <button type="submit">Upload</button>
  </form>`;
}

function borrowing(formToken: Html | undefined, book: Book, viewer: Viewer, hasOpenLoan: boolean): Html {
  if (viewer.name === undefined)
    return html`<p><a href="/sign-in?next=/books/${book.id}">Sign in</a> to borrow this book.</p>`;
  if (hasOpenLoan) return html`<p>You have this book. <a href="/loans">See your loans</a></p>`;
  if (book.available < 1) return html`<p>All copies are lent out at the moment.</p>`;
  return html`<form method="post" action="/books/${book.id}/borrow">
    ${formToken}
    <button type="submit">Borrow for three weeks</button>
  </form>`;
}

/** What a book form holds: as typed, so that nothing is lost when it is refused. */
export interface BookForm {
  readonly isbn13?: string | undefined;
  readonly title?: string | undefined;
  readonly authors?: string | undefined;
  readonly year?: string | undefined;
  readonly copies?: string | undefined;
}

export function bookForm(
  formToken: Html,
  action: string,
  heading: string,
  values: BookForm,
  errors: FieldErrors = {},
): Html {
  return html`<h1>${heading}</h1>
    <form method="post" action="${action}" class="stacked" novalidate>
      ${formToken} ${formError(errors)}
      ${field({ name: 'isbn13', label: 'ISBN-13', value: values.isbn13, hint: '13 digits, no dashes', maxLength: 13 }, errors)}
      ${field({ name: 'title', label: 'Title', value: values.title, maxLength: 300 }, errors)}
      ${field({ name: 'authors', label: 'Authors', value: values.authors, maxLength: 1000 }, errors)}
      ${field({ name: 'year', label: 'First published', value: values.year, type: 'number', hint: 'A year, negative before our era' }, errors)}
      ${field({ name: 'copies', label: 'Copies', value: values.copies ?? '1', type: 'number' }, errors)}
      <button type="submit">Save</button>
    </form>`;
}

function summary(page: BookPage, query: string): string {
  const books = `${page.total} ${page.total === 1 ? 'book' : 'books'}`;
  return query === '' ? `${books} in the library.` : `${books} found for "${query}".`;
}

function stock(book: Book): string {
  return `${book.available} of ${book.copies} available`;
}

export function yearText(year: number): string {
  return year < 0 ? `${-year} BCE` : String(year);
}

function pageLink(query: string, number: number): string {
  const parameters = new URLSearchParams({ ...(query === '' ? {} : { q: query }), page: String(number) });
  return `/books?${parameters.toString()}`;
}
