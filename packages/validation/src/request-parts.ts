import type { SecurityRequest } from '@portcullis/core';
import { FieldFault, splitFields } from './fields/split-fields.js';
import { finding, type Finding } from './problem.js';

type Texts = Record<string, string | string[]>;
export type PartRead =
  { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly finding: Finding };

const QUERY_LIMITS = { maxFields: 100, maxName: Infinity, maxValue: Infinity };

/**
 * The query string, read from the URL itself: Express 4 and 5 and their parser settings would read it differently.
 * A parameter that occurs twice is a list, which only a schema of type array accepts (parameter pollution);
 * brackets and dots are part of a name.
 */
export function readQuery(req: SecurityRequest): PartRead {
  const url = req.url ?? '';
  const start = url.indexOf('?');
  const texts = emptyTexts();
  try {
    splitFields(start < 0 ? '' : url.slice(start + 1), QUERY_LIMITS, (name, value) =>
      add(texts, name, value),
    );
  } catch (error) {
    if (error instanceof FieldFault) return { ok: false, finding: error.found };
    throw error;
  }
  return { ok: true, value: texts };
}

/** Path parameters, as the router has decoded them. */
export function readParams(req: SecurityRequest): PartRead {
  return { ok: true, value: { ...(req.params as object | undefined) } };
}

/** The headers that the schema lists (all of them if that is not known); there are always others. */
export function readHeaders(
  req: SecurityRequest,
  listed: Iterable<string> = Object.keys(req.headers),
): PartRead {
  const texts = emptyTexts();
  for (const name of listed) {
    const value = req.headers[name];
    if (value !== undefined) texts[name] = value;
  }
  return { ok: true, value: texts };
}

/** The cookies that the schema lists (all of them if that is not known). One that comes twice is a list: somebody else may have set the other. */
export function readCookies(req: SecurityRequest, listed?: ReadonlySet<string>): PartRead {
  const texts = emptyTexts();
  for (const pair of (req.headers.cookie ?? '').split(';')) {
    const equals = pair.indexOf('=');
    const name = pair.slice(0, Math.max(0, equals)).trim();
    if (name === '' || (listed && !listed.has(name))) continue;
    const text = pair.slice(equals + 1).trim();
    const value = decodePercent(/^".*"$/.test(text) ? text.slice(1, -1) : text);
    if (value === undefined)
      return { ok: false, finding: finding([name], 'encoding', 'must be percent-encoded UTF-8') };
    add(texts, name, value);
  }
  return { ok: true, value: texts };
}

function emptyTexts(): Texts {
  return Object.create(null) as Texts;
}

function add(texts: Texts, name: string, value: string): void {
  const before = texts[name];
  if (before === undefined) texts[name] = value;
  else texts[name] = Array.isArray(before) ? [...before, value] : [before, value];
}

function decodePercent(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
