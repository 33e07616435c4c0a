import type { SeenLoan } from '../book-loans.js';
import type { Book } from '../books.js';
import type { Loan } from '../loans.js';
import { html, type Html } from './html.js';

export function loanList(formToken: Html, loans: readonly Loan[]): Html {
  const open = loans.filter((loan) => loan.returnedAt === null);
  const past = loans.filter((loan) => loan.returnedAt !== null);
  return html`<h1>My loans</h1>
    ${open.length === 0 ? html`<p>You have no book at the moment. <a href="/books">Find one</a></p>` : openTable(formToken, open)}
    ${
      past.length > 0 &&
      html`<h2>Returned</h2>
        ${pastTable(past)}`
    }`;
}

/** @param names of those borrowers whom the viewer may know */
export function bookLoans(
  book: Book,
  loans: readonly SeenLoan[],
  names: ReadonlyMap<string, string>,
  mayBreakGlass: boolean,
): Html {
  const isHidden = loans.some(({ patronId }) => patronId === undefined);
  return html`<h1>Loans of <a href="/books/${book.id}">${book.title}</a></h1>
    ${
      loans.length === 0
        ? html`<p>None that you may see.</p>`
        : html`<div class="wide">
            <table>
              <thead>
                <tr>
                  <th scope="col">Borrowed</th>
                  <th scope="col">Returned</th>
                  <th scope="col">Who</th>
                </tr>
              </thead>
              <tbody>
                ${loans.map(
                  ({ borrowedAt, dueAt, returnedAt, patronId }) =>
                    html`<tr>
                      <td>${day(borrowedAt)}</td>
                      <td>${returnedAt ? day(returnedAt) : `due ${day(dueAt)}`}</td>
                      <td>${patronId === undefined ? 'confidential' : names.get(patronId)}</td>
                    </tr>`,
                )}
              </tbody>
            </table>
          </div>`
    }
    ${
      isHidden &&
      html`<p>
        Who had a book before is confidential.
        ${mayBreakGlass && html`<a href="/staff/emergency">Emergency access</a>`}
      </p>`
    }`;
}

function openTable(formToken: Html, loans: readonly Loan[]): Html {
  return html`<table>
    <caption>
      Books you have
    </caption>
    <thead>
      <tr>
        <th scope="col">Book</th>
        <th scope="col">Due</th>
        <th scope="col">Action</th>
      </tr>
    </thead>
    <tbody>
      ${loans.map(
        (loan) =>
          html`<tr>
            <td><a href="/books/${loan.bookId}">${loan.title}</a></td>
            <td>${day(loan.dueAt)}</td>
            <td>
              <form method="post" action="/loans/${loan.id}/return" class="inline">
                ${formToken}
                <button type="submit" aria-label="Return ${loan.title}">Return</button>
              </form>
            </td>
          </tr>`,
      )}
    </tbody>
  </table>`;
}

function pastTable(loans: readonly Loan[]): Html {
  return html`<table>
    <thead>
      <tr>
        <th scope="col">Book</th>
        <th scope="col">Borrowed</th>
        <th scope="col">Returned</th>
      </tr>
    </thead>
    <tbody>
      ${loans.map(
        (loan) =>
          html`<tr>
            <td><a href="/books/${loan.bookId}">${loan.title}</a></td>
            <td>${day(loan.borrowedAt)}</td>
            <td>${loan.returnedAt && day(loan.returnedAt)}</td>
          </tr>`,
      )}
    </tbody>
  </table>`;
}

function day(date: Date): string {
  return date.toISOString().slice(0, 10);
}
