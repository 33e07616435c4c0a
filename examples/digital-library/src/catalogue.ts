import { parse } from 'csv-parse';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream';
import { isIsbn13 } from './isbn.js';
import type { NewBook } from './books.js';

/** A line of a catalogue file that cannot be imported, and why. */
export interface Rejected {
  readonly line: number;
  readonly reason: string;
}

export interface ImportReport {
  readonly read: number;
  readonly added: number;
  /** Books whose ISBN was there already, in the library or earlier in the file. */
  readonly present: number;
  readonly rejected: readonly Rejected[];
}

/** The file is no catalogue of the known form; nothing of it was added. */
export class CatalogueHeaderError extends Error {
  readonly code = 'E_CATALOGUE_HEADER';

  constructor(missing: readonly string[]) {
    super(
      `The catalogue's first line must name the columns ${HEADER.join(', ')}; it lacks ${missing.join(', ')}.`,
    );
    this.name = 'CatalogueHeaderError';
  }
}

const HEADER = ['isbn13', 'isbn10', 'title', 'authors', 'original_publication_year', 'language'] as const;
type Row = Readonly<Record<(typeof HEADER)[number], string>>;

const BATCH = 500;

/**
 * Imports a CSV catalogue with the columns of HEADER. Bad lines are reported and left out; the others are added in batches, each of
 * which is stored whole or not at all. Importing a file twice adds nothing the second time.
 * @throws CatalogueHeaderError, or the system's error if the file cannot be read
 */
export async function importCatalogue(
  file: string,
  add: (books: readonly NewBook[]) => Promise<number>,
  progress: (read: number) => void = () => undefined,
): Promise<ImportReport> {
  const rejected: Rejected[] = [];
  let [read, added, accepted] = [0, 0, 0];
  let batch: NewBook[] = [];
  const flush = async (): Promise<void> => {
    if (batch.length > 0) added += await add(batch);
    batch = [];
    progress(read);
  };

  const parser = parse({
    columns: checkHeader,
    bom: true,
    info: true,
    relax_column_count: true,
    max_record_size: 64 * 1024,
  });
  // pipeline() carries a fault of the file over to the parser, where the loop below meets it; pipe() would wait for ever.
  pipeline(createReadStream(file), parser, () => undefined);
  for await (const { record, info } of parser as AsyncIterable<{ record: Row; info: { lines: number } }>) {
    read++;
    const book = toBook(record);
    if (typeof book === 'string') {
      rejected.push({ line: info.lines, reason: book });
      continue;
    }
    accepted++;
    batch.push(book);
    if (batch.length >= BATCH) await flush();
  }
  await flush();
  return { read, added, present: accepted - added, rejected };
}

function checkHeader(columns: readonly string[]): string[] {
  const missing = HEADER.filter((name) => !columns.includes(name));
  if (missing.length > 0) {
    throw new CatalogueHeaderError(missing);
  }
  return [...columns];
}

/** The book of a line, or why it is none. */
function toBook(row: Row): NewBook | string {
  const isbn13 = (row.isbn13 ?? '').trim();
  if (!isIsbn13(isbn13)) return 'isbn13 is not a valid ISBN-13';
  const title = cleanLine(row.title);
  if (title.length < 1 || title.length > 300) return 'title must have 1 to 300 characters';
  const authors = cleanLine(row.authors);
  if (authors.length < 1 || authors.length > 1000) return 'authors must have 1 to 1000 characters';
  const yearText = (row.original_publication_year ?? '').trim();
  if (!/^(-?\d{1,4})?$/.test(yearText)) return 'original_publication_year is not a year';
  const year = yearText === '' ? null : Number(yearText);
  if (year !== null && (year < -3000 || year > 2100)) return 'original_publication_year is out of range';
  return { isbn13, title, authors, year, copies: 1 };
}

/** One line without control or direction-changing characters. */
function cleanLine(text: string | undefined): string {
  return (text ?? '')
    .replaceAll(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]+/gu, ' ')
    .replaceAll(/\s+/g, ' ')
    .trim();
}
