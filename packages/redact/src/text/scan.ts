import type { NameClassifier } from '../name-rules.js';
import { findCards } from './cards.js';
import { findQuoted } from './bare-values.js';
import { findCommandSecrets, mayBeCommand } from './commands.js';
import { findPairs } from './pairs.js';
import { findHashes } from './hashes.js';
import { findPem } from './pem.js';
import { findSasl, findSchemes } from './schemes.js';
import { DASHES, DIGITS, DOLLAR, isPlain, LONG_RUN, PAIRS, QUOTES, SCHEMES, SPACE, sniff } from './sniff.js';
import { mergeSpans, type Span } from './spans.js';
import { findInserted } from './sql.js';
import { compileTokens } from './tokens.js';
import { findDataSources, findLinkTokens, findUserInfo } from './urls.js';

/** What is looked for inside text. */
export const VALUE_RULES = [
  'pairs',
  'url',
  'jwt',
  'vendor',
  'bearer',
  'basic',
  'pem',
  'card',
  'json',
] as const;
export type ValueRule = (typeof VALUE_RULES)[number];

/** @param bits What {@link sniff} says of the text, if somebody has asked already. */
export type TextScanner = (text: string, bits?: number) => readonly Span[];

const NOTHING: readonly Span[] = Object.freeze([]);
const SHORTEST = 5;

/** Finds the secrets of one text. Every scanner walks once over the text; which of them run, one pass decides. */
export function compileText(wanted: ReadonlySet<ValueRule>, classify: NameClassifier): TextScanner {
  const pairs = wanted.has('pairs');
  const url = wanted.has('url');
  const pem = wanted.has('pem');
  const card = wanted.has('card');
  const basic = wanted.has('basic');
  const vendor = wanted.has('vendor');
  const schemes = wanted.has('bearer') || wanted.has('basic');
  const tokens = wanted.has('jwt') || wanted.has('vendor');
  const findTokens = compileTokens({ jwt: wanted.has('jwt'), vendor: wanted.has('vendor') });

  return (text, bits = sniff(text)) => {
    if (text.length < SHORTEST || isPlain(bits)) return NOTHING;
    const found: Span[] = [];
    if ((bits & PAIRS) !== 0) {
      if (pairs) findPairs(text, classify, found);
      if (url) {
        findUserInfo(text, found);
        findDataSources(text, found);
      }
    }
    if (pairs && (bits & (SPACE | QUOTES)) !== 0 && mayBeCommand(text, (bits & DASHES) !== 0)) {
      findCommandSecrets(text, classify, found);
    }
    if (pem && (bits & DASHES) !== 0) findPem(text, found);
    if (pairs && (bits & (QUOTES | SPACE)) === (QUOTES | SPACE)) {
      findQuoted(text, classify, found);
      findInserted(text, classify, found);
    }
    if (schemes && (bits & SCHEMES) !== 0) collectSchemes(text, found);
    if ((bits & LONG_RUN) !== 0) {
      if (tokens) findTokens(text, found);
      if (url) findLinkTokens(text, classify, found);
      if (basic) findSasl(text, found);
    }
    if (vendor && (bits & DOLLAR) !== 0) findHashes(text, found);
    if (card && (bits & DIGITS) !== 0) findCards(text, found);
    return found.length === 0 ? NOTHING : mergeSpans(found);
  };

  function collectSchemes(text: string, found: Span[]): void {
    if (text.length < 10) return;
    const before = found.length;
    findSchemes(text, found);
    for (let i = found.length - 1; i >= before; i--) {
      if (!wanted.has(found[i]!.rule as ValueRule)) found.splice(i, 1);
    }
  }
}
