import { toMs, parseUrl } from '@portcullis/core';

/** A text turned into a value, or the reason why it is none. The reason never repeats the text. */
export type Coerced = { readonly value: unknown } | { readonly problem: string; readonly code?: 'value' };
export type Coerce = (text: string) => Coerced;

export const asString: Coerce = (text) =>
  text.includes('\0') ? { problem: 'must not hold a NUL character' } : { value: text };

export function asInteger(allow: { readonly hex?: boolean }): Coerce {
  return (text) => {
    if (/^(0|-?[1-9]\d*)$/.test(text)) return safe(Number(text));
    if (/^0x[0-9a-f]+$/i.test(text)) {
      if (allow.hex) return safe(Number(text));
      return { problem: 'must be an integer in decimal digits; hexadecimal is not declared for it' };
    }
    return { problem: `must be an integer in decimal digits${oddity(text)}` };
  };
}

export const asNumber: Coerce = (text) =>
  /^-?(0|[1-9]\d*)(\.\d+)?$/.test(text)
    ? { value: Number(text) }
    : { problem: `must be a number such as 12 or 0.5${oddity(text)}` };

export function asBoolean(truthy: readonly string[], falsy: readonly string[]): Coerce {
  const words = [...truthy, ...falsy].map((word) => JSON.stringify(word)).join(', ');
  return (text) => {
    if (truthy.includes(text)) return { value: true };
    if (falsy.includes(text)) return { value: false };
    return { problem: `must be one of ${words}${oddity(text)}` };
  };
}

export const asDuration: Coerce = (text) => {
  const ms = toMs(text);
  if (ms !== undefined) return { value: ms };
  const hint = /^\d+$/.test(text) ? '; the unit is missing (ms, s, m, h or d)' : oddity(text);
  return { problem: `must be a duration such as '250ms', '15m' or '1d'${hint}` };
};

export function asUrl(protocols: readonly string[], credentials: boolean): Coerce {
  return (text) => {
    // The URL parser drops tabs, newlines and outer spaces: what is checked would not be what is used.
    if (/[\s\p{Cc}]/u.test(text)) return { problem: 'must be a URL without spaces or control characters' };
    const url = parseUrl(text);
    if (!url) return { problem: 'must be an absolute URL' };
    if (!protocols.includes(url.protocol)) {
      return { problem: `must be a URL that begins with ${protocols.join(' or ')}`, code: 'value' };
    }
    if (!credentials && (url.password !== '' || url.username !== '')) {
      return { problem: 'carries a password or user name; declare it with `secret: true`', code: 'value' };
    }
    return { value: text };
  };
}

export function asList(item: Coerce, separator: string, trim: boolean): Coerce {
  return (text) => {
    const values: unknown[] = [];
    for (const [index, part] of text.split(separator).entries()) {
      const entry = trim ? part.trim() : part;
      if (entry === '') return { problem: `entry ${index + 1} of the list is empty` };
      if (!trim && entry !== entry.trim()) return { problem: `entry ${index + 1} has spaces around it` };
      const coerced = item(entry);
      if ('problem' in coerced) return { ...coerced, problem: `entry ${index + 1} ${coerced.problem}` };
      values.push(coerced.value);
    }
    return { value: Object.freeze(values) };
  };
}

export const asJson: Coerce = (text) => {
  try {
    return { value: deepFreeze(JSON.parse(text)) };
  } catch {
    // The parser's own message quotes the text.
    return { problem: 'must be JSON' };
  }
};

export function trimmed(coerce: Coerce): Coerce {
  return (text) => coerce(text.trim());
}

function safe(value: number): Coerced {
  return Number.isSafeInteger(value)
    ? { value }
    : { problem: 'is beyond the integers that can be held exactly', code: 'value' };
}

function oddity(text: string): string {
  return text === text.trim() ? '' : '; there are spaces around it';
}

export function deepFreeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null) {
    for (const inner of Object.values(value)) deepFreeze(inner);
    Object.freeze(value);
  }
  return value;
}
