/**
 * Currencies that something can be paid in, by their number of decimals: ISO 4217 List One, as published by SIX (the
 * maintenance agency) on 2026-01-01. Left out are fund codes (BOV, CHE, CHW, CLF, COU, MXV, USN, UYI, UYW), units of
 * account (XAD, XBA to XBD, XDR, XSU, XUA), metals (XAG, XAU, XPD, XPT), XTS and XXX.
 * @see https://www.six-group.com/en/products-services/financial-information/data-standards.html
 */
export const CURRENCIES = {
  published: '2026-01-01',
  byDigits: {
    0: 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF',
    2: 'AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG',
    3: 'BHD IQD JOD KWD LYD OMR TND',
  },
} as const;

type Split<Text extends string, Found = never> = Text extends `${infer Code} ${infer Rest}`
  ? Split<Rest, Found | Code>
  : Found | Text;
/** The alphabetic code of a currency, such as `'EUR'`. */
export type CurrencyCode = Split<(typeof CURRENCIES.byDigits)[keyof typeof CURRENCIES.byDigits]>;

const DIGITS: ReadonlyMap<string, number> = new Map(
  Object.entries(CURRENCIES.byDigits).flatMap(([digits, codes]) =>
    codes.split(' ').map((code) => [code, Number(digits)] as const),
  ),
);

/** Decimals of a currency, or undefined if it is not listed. Upper-case only. */
export function digitsOf(currency: string): number | undefined {
  return DIGITS.get(currency);
}
