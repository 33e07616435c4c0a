import { looksRandom } from './taints.js';
import type { NameClassifier } from './name-rules.js';
import { secretPlaceholders } from './text/sql.js';

/** Fields of a JSON Web Key that only its owner may know (RFC 7518 section 6). */
const PRIVATE_PARTS: ReadonlySet<string> = new Set(['d', 'p', 'q', 'dp', 'dq', 'qi', 'k', 'oth']);
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

/** Names that mean something only beside others. */
export type Companion = 'kty' | 'code' | 'statement';

export function companionOf(name: string): Companion | undefined {
  if (name === 'kty' || name === 'code') return name;
  return STATEMENTS.has(name) ? 'statement' : undefined;
}

/** A place in a record that holds a secret because of what stands beside it: a name, and for lists the places in it. */
export interface Beside {
  readonly name: string;
  readonly at?: readonly number[];
  readonly word: string;
}

export function secretsBeside(
  kind: Companion,
  record: Readonly<Record<string, unknown>>,
  classify: NameClassifier,
): readonly Beside[] {
  const names = Object.keys(record);
  switch (kind) {
    case 'kty':
      return typeof record['kty'] === 'string'
        ? names.filter((name) => PRIVATE_PARTS.has(name)).map((name) => ({ name, word: 'jwk' }))
        : [];
    case 'code': {
      const { code } = record;
      const isCode = typeof code === 'string' && looksRandom(code) && names.some(isBesideCode);
      return isCode ? [{ name: 'code', word: 'code' }] : [];
    }
    default:
      return bindings(names, record, classify);
  }
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
