import type { SecurityRequest } from '@portcullis/core';
import { acting } from './acting.js';
import type { House } from './house.js';
import { borrow, giveBack, type Loan } from './loans.js';
import { LoanUnknown } from './problems.js';

/** Lends a copy and records it in the same transaction: both are there afterwards, or neither. */
export async function lend(
  house: House,
  req: SecurityRequest,
  bookId: string,
  patronId: string,
): Promise<Loan> {
  return acting(house, req, async (tx) => {
    const loan = await borrow(tx, bookId, patronId);
    await house.audit.tx(tx).record({
      action: 'loan.borrowed',
      outcome: 'success',
      target: { type: 'loan', id: loan.id },
      data: { book: loan.bookId, due: loan.dueAt },
      request: req,
    });
    return loan;
  });
}

/** Takes a book back. Row-level security lets patrons return their own loans and staff all. @throws LoanUnknown */
export async function takeBack(house: House, req: SecurityRequest, loanId: string): Promise<Loan> {
  return acting(house, req, async (tx) => {
    const loan = await giveBack(tx, loanId);
    if (!loan) throw new LoanUnknown();
    await house.audit.tx(tx).record({
      action: 'loan.returned',
      outcome: 'success',
      target: { type: 'loan', id: loan.id },
      data: { book: loan.bookId, patron: loan.patronId },
      request: req,
    });
    return loan;
  });
}
