import { sql, type SqlClient, type SqlStatement } from '@portcullis/core';

export interface Loan {
  readonly id: string;
  readonly bookId: string;
  readonly title: string;
  readonly patronId: string;
  readonly borrowedAt: Date;
  readonly dueAt: Date;
  readonly returnedAt: Date | null;
}

/** SQLSTATEs that the loan trigger raises (see migrations.ts). */
export const NO_COPY_LEFT = 'LB001';
export const TOO_MANY_LOANS = 'LB002';

const columns = sql`l.id::text as id, l.book_id::text as "bookId", b.title, l.patron_id as "patronId",
  l.borrowed_at as "borrowedAt", l.due_at as "dueAt", l.returned_at as "returnedAt"`;

/**
 * Lends a copy for three weeks. The database keeps the rules: a copy must be left (LB001), at most five open loans per
 * patron (LB002), one open loan of the same book (unique).
 */
export async function borrow(db: SqlClient, bookId: string, patronId: string): Promise<Loan> {
  const lent = await db.query<Loan>(sql`
    with l as (
      insert into library.loan (book_id, patron_id, due_at) values (${bookId}, ${patronId}, now() + interval '21 days') returning *
    )
    select ${columns} from l join library.book b on b.id = l.book_id`);
  return lent.rows[0]!;
}

/** Undefined if there is no such open loan that the caller may see; returning twice changes nothing. */
export async function giveBack(db: SqlClient, loanId: string): Promise<Loan | undefined> {
  const returned = await db.query<Loan>(sql`
    with l as (
      update library.loan set returned_at = now() where id = ${loanId} and returned_at is null returning *
    )
    select ${columns} from l join library.book b on b.id = l.book_id`);
  return returned.rows[0];
}

/** Newest first; row-level security leaves a patron their own. */
export async function loansOf(db: SqlClient, patronId: string): Promise<readonly Loan[]> {
  const found = await db.query<Loan>(sql`
    select ${columns} from library.loan l join library.book b on b.id = l.book_id
    where l.patron_id = ${patronId} order by l.borrowed_at desc, l.id limit 200`);
  return found.rows;
}

/** Newest first, of those that the condition lets through. */
export async function loansOfBook(
  db: SqlClient,
  bookId: string,
  visible: SqlStatement,
): Promise<readonly Loan[]> {
  const found = await db.query<Loan>(sql`
    select ${columns} from library.loan l join library.book b on b.id = l.book_id
    where l.book_id = ${bookId} and ${visible} order by l.borrowed_at desc, l.id limit 200`);
  return found.rows;
}

/** All open loans, for staff: the due ones first. */
export async function openLoans(db: SqlClient): Promise<readonly Loan[]> {
  const found = await db.query<Loan>(sql`
    select ${columns} from library.loan l join library.book b on b.id = l.book_id
    where l.returned_at is null order by l.due_at, l.id limit 500`);
  return found.rows;
}

export async function hasOpenLoan(db: SqlClient, bookId: string, patronId: string): Promise<boolean> {
  const found = await db.query(sql`
    select 1 from library.loan where book_id = ${bookId} and patron_id = ${patronId} and returned_at is null`);
  return found.rowCount > 0;
}
