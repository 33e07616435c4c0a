import { looksRandom } from './taints.js';
import type { NameClassifier } from './name-rules.js';
import { secretPlaceholders } from './text/sql.js';

/** Fields of a JSON Web Key that only its owner may know (RFC 7518 section 6). */
export const PRIVATE_PARTS: ReadonlySet<string> = new Set(['d', 'p', 'q', 'dp', 'dq', 'qi', 'k', 'oth']);
/** What stands beside an authorization code (RFC 6749 sections 4.1.2 and 4.1.3); beside a postal code stands a state, too. */
const BESIDE_CODE: ReadonlySet<string> = new Set([
  'state',
  'granttype',
  'redirecturi',
  'codeverifier',
  'sessionstate',
  'iss',
  'scope',
]);
const STATEMENTS: ReadonlySet<string> = new Set(['sql', 'query', 'text', 'statement']);
const BINDINGS: ReadonlySet<string> = new Set(['bindings', 'values', 'parameters', 'params', 'args']);

/** Names that mean something only beside others, each a flag. */
const KEY = 1;
const CODE = 2;
const STATEMENT = 4;

export function companionOf(name: string): number {
  if (name === 'kty') return KEY;
  if (name === 'code') return CODE;
  return STATEMENTS.has(name) ? STATEMENT : 0;
}

/** A place in a record that holds a secret because of what stands beside it: a name, and for lists the places in it. */
export interface Beside {
  readonly name: string;
  readonly at?: readonly number[];
  readonly word: string;
}

/** @param flags Of all names of the record. */
export function secretsBeside(
  flags: number,
  record: Readonly<Record<string, unknown>>,
  classify: NameClassifier,
): readonly Beside[] {
  const names = Object.keys(record);
  const found: Beside[] = [];
  if ((flags & KEY) !== 0 && typeof record['kty'] === 'string') {
    for (const name of names) if (PRIVATE_PARTS.has(name)) found.push({ name, word: 'jwk' });
  }
  if ((flags & CODE) !== 0) {
    const { code } = record;
    if (typeof code === 'string' && looksRandom(code) && names.some(isBesideCode)) {
      found.push({ name: 'code', word: 'code' });
    }
  }
  if ((flags & STATEMENT) !== 0) found.push(...bindings(names, record, classify));
  return found;
}

function isBesideCode(name: string): boolean {
  return BESIDE_CODE.has(name.replaceAll('_', '').toLowerCase());
}

function bindings(
  names: readonly string[],
  record: Readonly<Record<string, unknown>>,
  classify: NameClassifier,
): readonly Beside[] {
  const lists = names.filter((name) => BINDINGS.has(name) && Array.isArray(record[name]));
  if (lists.length === 0) return [];
  const statement = names.find((name) => STATEMENTS.has(name) && typeof record[name] === 'string');
  if (statement === undefined) return [];
  const at = secretPlaceholders((record[statement] as string).slice(0, LONGEST_STATEMENT), classify);
  return at.length === 0 ? [] : lists.map((name) => ({ name, at, word: 'binding' }));
}

const LONGEST_STATEMENT = 8192;
