import type { SecurityRequest } from '@portcullis/core';
import type { Fields } from '@portcullis/rbac';
import { acting, personOf } from './acting.js';
import { findBook, type Book } from './books.js';
import type { House, LibraryRbac } from './house.js';
import { loansOfBook, type Loan } from './loans.js';
import { BookUnknown } from './problems.js';

/** A loan as somebody sees it: whose it is may be left out. */
export type SeenLoan = Omit<Loan, 'patronId'> & Partial<Pick<Loan, 'patronId'>>;

const everybody = {
  id: true,
  bookId: true,
  title: true,
  borrowedAt: true,
  dueAt: true,
  returnedAt: true,
} as const;

/** What is seen of a loan, field by field. */
export function loanFields(rbac: LibraryRbac): { readonly open: Fields; readonly past: Fields } {
  return {
    open: rbac.fields({ ...everybody, patronId: 'loan:return' }), // Who takes books back has to know from whom.
    past: rbac.fields({ ...everybody, patronId: 'loan:history' }),
  };
}

/**
 * A book with the loans of it that whoever asks may see (their own; all of them for staff), without what they may not see of each.
 * That somebody saw who had the book before is in the log, or is not seen. @throws BookUnknown
 */
export async function seenLoans(
  house: House,
  req: SecurityRequest,
  bookId: string,
): Promise<{ readonly book: Book; readonly loans: readonly SeenLoan[] }> {
  const { audit, loanFields: fields, rbac } = house;
  const person = personOf(req);
  const theirs = await rbac.where(person, 'loan:read');
  const [book, all] = await acting(house, req, async (tx) => {
    const found = await findBook(tx, bookId);
    if (!found) throw new BookUnknown();
    return [found, await loansOfBook(tx, bookId, theirs.toSql({ owner: 'l.patron_id' }))] as const;
  });
  const loans = await Promise.all(
    all.map(async (loan) => {
      const { pick } = loan.returnedAt ? fields.past : fields.open;
      return (await pick(person, loan, { owner: loan.patronId })) as SeenLoan;
    }),
  );
  const ofOthers = loans.filter(({ patronId }) => patronId !== undefined && patronId !== person.id);
  if (ofOthers.some(({ returnedAt }) => returnedAt)) {
    await audit.record({
      action: 'loan.history-seen',
      outcome: 'success',
      target: { type: 'book', id: bookId },
      request: req,
    });
  }
  return { book, loans };
}
