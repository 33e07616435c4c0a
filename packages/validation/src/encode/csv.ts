export type CsvValue = string | number | boolean | null | undefined;

/**
 * Where a spreadsheet would begin to calculate, also behind spaces or a quote and in the full width of East Asian scripts; and the
 * controls that some of them drop before they look.
 */
const FORMULA = /^(?:["'\s]*[=+\-@\uff1d\uff0b\uff0d\uff20]|[\t\r\n\0|])/;

/**
 * One cell of a CSV file (RFC 4180), always in quotes if it is text. What a spreadsheet would run begins with an apostrophe
 * instead, which spreadsheets show as text; numbers that are numbers stay as they are.
 * @see OWASP ASVS 5.0 V1.2.10
 */
export function csvCell(value: CsvValue): string {
  if (value === null || value === undefined) return '';
  if (typeof value !== 'string')
    return typeof value === 'number' && !Number.isFinite(value) ? '' : String(value);
  const text = value.toWellFormed();
  const inert = FORMULA.test(text) ? `'${text}` : text;
  return `"${inert.replaceAll('"', '""')}"`;
}

/** One line with its end (CRLF). */
export function csvLine(values: readonly CsvValue[]): string {
  return `${values.map(csvCell).join(',')}\r\n`;
}
