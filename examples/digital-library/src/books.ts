import { sql, type SqlClient } from '@portcullis/core';

export interface Book {
  readonly id: string;
  readonly isbn13: string;
  readonly title: string;
  readonly authors: string;
  /** Year of first publication; negative before our era. */
  readonly year: number | null;
  readonly copies: number;
  readonly available: number;
}

export interface NewBook {
  readonly isbn13: string;
  readonly title: string;
  readonly authors: string;
  readonly year: number | null;
  readonly copies: number;
}

export interface BookPage {
  readonly books: readonly Book[];
  readonly total: number;
  readonly number: number;
  readonly pages: number;
}

const PAGE_SIZE = 20;

const columns = sql`b.id::text as id, b.isbn13, b.title, b.authors, b.year, b.copies, b.copies - b.lent as available`;

/** Books whose title, authors or ISBN contain every word of the query, whatever its case and accents. */
export async function searchBooks(db: SqlClient, query: string, number: number): Promise<BookPage> {
  const words = searchText(query).split(' ').filter(Boolean).slice(0, 8);
  const where =
    words.length === 0
      ? sql`true`
      : sql.join(
          words.map((word) => sql`b.search like ${`%${escapeLike(word)}%`}`),
          ' and ',
        );
  const counted = await db.query<{ total: string }>(
    sql`select count(*)::text as total from library.book b where ${where}`,
  );
  const total = Number(counted.rows[0]!.total);
  const found = await db.query<Book>(sql`
    select ${columns} from library.book b where ${where}
    order by b.title, b.id limit ${PAGE_SIZE} offset ${(number - 1) * PAGE_SIZE}`);
  return { books: found.rows, total, number, pages: Math.max(1, Math.ceil(total / PAGE_SIZE)) };
}

export async function findBook(db: SqlClient, id: string): Promise<Book | undefined> {
  const found = await db.query<Book>(sql`select ${columns} from library.book b where b.id = ${id}`);
  return found.rows[0];
}

/** @throws SqlError of kind `unique` if the ISBN is there already */
export async function addBook(db: SqlClient, book: NewBook, by: string): Promise<Book> {
  const added = await db.query<Book>(sql`
    insert into library.book as b (isbn13, title, authors, year, copies, search, created_by, modified_by)
    values (${book.isbn13}, ${book.title}, ${book.authors}, ${book.year}, ${book.copies}, ${searchTextOf(book)}, ${by}, ${by})
    returning ${columns}`);
  return added.rows[0]!;
}

/** Undefined if there is no such book. @throws SqlError of kind `check` if fewer copies are left than are lent */
export async function changeBook(
  db: SqlClient,
  id: string,
  book: NewBook,
  by: string,
): Promise<Book | undefined> {
  const changed = await db.query<Book>(sql`
    update library.book as b set isbn13 = ${book.isbn13}, title = ${book.title}, authors = ${book.authors}, year = ${book.year},
      copies = ${book.copies}, search = ${searchTextOf(book)}, modified_at = now(), modified_by = ${by}
    where b.id = ${id} returning ${columns}`);
  return changed.rows[0];
}

/** The book that is gone now. @throws SqlError of constraint `loan_book_id_fkey` if it was ever lent */
export async function deleteBook(db: SqlClient, id: string): Promise<Book | undefined> {
  const gone = await db.query<Book>(
    sql`delete from library.book as b where b.id = ${id} returning ${columns}`,
  );
  return gone.rows[0];
}

/** Adds books that are not there yet, in one statement; returns how many were added. */
export async function addMissingBooks(db: SqlClient, books: readonly NewBook[], by: string): Promise<number> {
  const list = JSON.stringify(books.map((book) => ({ ...book, search: searchTextOf(book) })));
  const added = await db.query(sql`
    insert into library.book (isbn13, title, authors, year, copies, search, created_by, modified_by)
    select r.isbn13, r.title, r.authors, r.year, r.copies, r.search, ${by}, ${by}
    from jsonb_to_recordset(${list}::jsonb) as r(isbn13 text, title text, authors text, year int, copies int, search text)
    on conflict (isbn13) do nothing`);
  return added.rowCount;
}

function searchTextOf(book: NewBook): string {
  return searchText(`${book.title} ${book.authors} ${book.isbn13}`);
}

/** Lower case without accents, so that "garcia marquez" finds García Márquez. */
export function searchText(text: string): string {
  return text
    .normalize('NFKD')
    .replaceAll(/\p{Mark}/gu, '')
    .toLowerCase()
    .replaceAll(/\s+/g, ' ')
    .trim();
}

function escapeLike(word: string): string {
  return word.replaceAll(/[\\%_]/g, '\\$&');
}
