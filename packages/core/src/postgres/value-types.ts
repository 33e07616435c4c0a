/** Turns the text form of a value into what the row holds. */
type Parse = (text: string) => unknown;

const asIs: Parse = (text) => text;
const number: Parse = (text) => Number(text);
const boolean: Parse = (text) => text === 't';
const json: Parse = (text) => JSON.parse(text) as unknown;
const instant: Parse = (text) => (text === 'infinity' || text === '-infinity' ? text : new Date(text));
const bytes: Parse = (text) => Buffer.from(text.slice(2), 'hex');

/**
 * The same values on every client, whatever type parsers the application has set: whole numbers that may exceed 2^53 and
 * decimals stay text, so do dates and times without a zone, which denote no instant.
 */
export const parsers: Readonly<Record<number, Parse>> = Object.freeze({
  16: boolean,
  17: bytes,
  20: asIs, // int8
  21: number,
  23: number,
  26: number, // oid
  114: json,
  700: number,
  701: number,
  1082: asIs, // date
  1083: asIs, // time
  1114: asIs, // timestamp without time zone
  1184: instant,
  1186: asIs, // interval
  1700: asIs, // numeric
  2950: asIs, // uuid
  3802: json, // jsonb
});

/** Parameters in the forms that both clients send alike: absent is NULL, an instant is its ISO form in UTC. */
export function toParameters(values: readonly unknown[]): unknown[] {
  return values.map((value) => {
    if (value === undefined) return null;
    if (value instanceof Date) {
      if (Number.isNaN(value.getTime())) throw new TypeError('An invalid Date cannot be a parameter.');
      return value.toISOString();
    }
    if (value instanceof Uint8Array && !Buffer.isBuffer(value)) return Buffer.from(value);
    if (typeof value === 'function' || typeof value === 'symbol') {
      throw new TypeError(`A ${typeof value} cannot be a parameter.`);
    }
    return value;
  });
}
