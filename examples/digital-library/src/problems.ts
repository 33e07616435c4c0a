import { isSqlError } from '@portcullis/core';
import { defineProblem } from '@portcullis/errors';
import { NO_COPY_LEFT, TOO_MANY_LOANS } from './loans.js';

/** What can go wrong in lending, by names that clients can rely on. */
export const NoCopyLeft = defineProblem('E_NO_COPY_LEFT', {
  status: 409,
  title: 'No copy left',
  message: 'All copies of this book are lent out.',
});
export const TooManyLoans = defineProblem('E_TOO_MANY_LOANS', {
  status: 409,
  title: 'Too many loans',
  message: 'You have five books already. Return one first.',
});
export const AlreadyBorrowed = defineProblem('E_ALREADY_BORROWED', {
  status: 409,
  title: 'Already borrowed',
  message: 'You have this book already.',
});
export const BookUnknown = defineProblem('E_BOOK_UNKNOWN', {
  status: 404,
  title: 'No such book',
  message: 'There is no such book in the library.',
});
export const CoverUnknown = defineProblem('E_COVER_UNKNOWN', {
  status: 404,
  title: 'No cover',
  message: 'This book has no picture.',
});
export const LoanUnknown = defineProblem('E_LOAN_UNKNOWN', {
  status: 404,
  title: 'No such loan',
  message: 'There is no such open loan.',
});
export const PersonUnknown = defineProblem('E_PERSON_UNKNOWN', {
  status: 404,
  title: 'No such person',
  message: 'There is no such person.',
});
export const OwnRole = defineProblem('E_OWN_ROLE', {
  status: 409,
  title: 'Own role',
  message: 'You cannot take your own staff role away. Ask a colleague.',
});
export const IsbnTaken = defineProblem('E_ISBN_TAKEN', {
  status: 409,
  title: 'ISBN taken',
  message: 'A book with this ISBN is in the library already.',
});
export const BookInUse = defineProblem('E_BOOK_IN_USE', {
  status: 409,
  title: 'The book has loans',
  message: 'This book was lent, and its loans name it. Set its copies to 0 instead.',
});
export const OwnAccount = defineProblem('E_OWN_ACCOUNT', {
  status: 409,
  title: 'Own account',
  message: 'You cannot end your own account. Ask a colleague.',
});
export const BooksOut = defineProblem('E_BOOKS_OUT', {
  status: 409,
  title: 'Books are out',
  message: 'This person has books. Take them back first.',
});
export const CopiesLent = defineProblem('E_COPIES_LENT', {
  status: 409,
  title: 'Copies are lent',
  message: 'More copies than that are lent out at the moment.',
});

/** The rules that the database keeps, in the words of the library. Other errors stay as they are. */
export function toProblem(error: unknown): unknown {
  if (!isSqlError(error)) return undefined;
  if (error.sqlState === NO_COPY_LEFT) return new NoCopyLeft();
  if (error.sqlState === TOO_MANY_LOANS) return new TooManyLoans();
  switch (error.constraint) {
    case 'loan_open_once':
      return new AlreadyBorrowed();
    case 'loan_book_id_fkey':
      return new BookUnknown();
    case 'book_isbn13_key':
      return new IsbnTaken();
    case 'book_copies_cover_loans':
      return new CopiesLent();
    default:
      return undefined;
  }
}
