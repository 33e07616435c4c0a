import { OptionError } from '@portcullis/core';
import type { CurrencyCode } from './currencies.js';
import { CURRENCIES, digitsOf } from './currencies.js';

/** At most twelve digits before the point: a million millions, exact in a double down to its minor units. */
const MAJOR = '(?:0|[1-9]\\d{0,11})';

/** A decimal text greater than zero with at most four decimals, in one spelling: no sign, exponent, group or leading zero. */
export function isPrice(text: string): boolean {
  return /^(?:0|[1-9]\d{0,11})(?:\.\d{1,4})?$/.test(text) && /[1-9]/.test(text);
}

export interface PriceSchema {
  readonly type: 'string';
  readonly format: 'price';
  readonly pattern: string;
  readonly maxLength: number;
}

/**
 * A price greater than zero as a decimal text with exactly the decimals of its currency (ISO 4217): `'19.99'` in EUR,
 * `'1500'` in JPY, `'1.250'` in KWD. Texts, because JSON numbers are doubles and 0.1 + 0.2 is no price.
 * @throws OptionError for a currency that is not listed
 */
export function priceIn(currency: CurrencyCode): PriceSchema {
  const digits = known(currency, 'priceIn');
  const pattern = digits === 0 ? `^${MAJOR}$` : `^${MAJOR}\\.\\d{${digits}}$`;
  return { type: 'string', format: 'price', pattern, maxLength: 17 };
}

/** A price greater than zero as a count of minor units, such as cents: an integer from 1. */
export function minorUnits(max = 1_000_000_000_000) {
  if (!Number.isSafeInteger(max) || max < 1) {
    throw new OptionError('E_OPTION_RANGE', 'minorUnits', 'max', 'max must be an integer from 1');
  }
  return { type: 'integer', minimum: 1, maximum: max } as const;
}

export interface MoneySchema<Code> {
  readonly type: 'object';
  readonly properties: {
    readonly amount: { readonly type: 'string'; readonly format: 'price' };
    readonly currency: { readonly type: 'string'; readonly enum: readonly Code[] };
  };
  readonly required: readonly ['amount', 'currency'];
}

/**
 * An object `{ amount, currency }` whose amount has the decimals of its own currency: `{ amount: '5.00', currency:
 * 'JPY' }` is refused, as is a currency that is not among these.
 * @throws OptionError for a currency that is not listed
 */
export function moneyIn<const Code extends CurrencyCode>(currencies: readonly Code[]): MoneySchema<Code> {
  if (!Array.isArray(currencies) || currencies.length === 0) {
    throw new OptionError('E_OPTION_REQUIRED', 'moneyIn', 'currencies', 'at least one currency is needed');
  }
  const byDigits = new Map<number, { amount: PriceSchema; codes: Code[] }>();
  for (const code of currencies) {
    const digits = known(code, 'moneyIn');
    const row = byDigits.get(digits) ?? { amount: priceIn(code), codes: [] };
    row.codes.push(code);
    byDigits.set(digits, row);
  }
  const schema = {
    type: 'object',
    properties: {
      amount: { type: 'string', format: 'price' },
      currency: { type: 'string', enum: currencies },
    },
    required: ['amount', 'currency'],
    anyOf: [...byDigits.values()].map(({ amount, codes }) => ({
      properties: { amount, currency: { enum: codes } },
    })),
  } as const;
  return schema;
}

/**
 * Minor units of a price that `priceIn()` or `moneyIn()` has let through: `'19.99'` in EUR is 1999.
 * @throws TypeError for any other text
 */
export function toMinorUnits(amount: string, currency: CurrencyCode): number {
  const { pattern } = priceIn(currency);
  if (!new RegExp(pattern).test(amount) || !isPrice(amount)) {
    throw new TypeError(`This is no price in ${currency}.`);
  }
  const units = Number(amount.replace('.', ''));
  if (!Number.isSafeInteger(units)) throw new TypeError('This price cannot be counted exactly.');
  return units;
}

function known(currency: string, owner: string): number {
  const digits = digitsOf(currency);
  if (digits !== undefined) return digits;
  const text = `"${currency}" is no currency of ISO 4217 (list of ${CURRENCIES.published})`;
  throw new OptionError('E_OPTION_VALUE', owner, 'currency', text);
}
