import type { NameClassifier, NameRule } from './name-rules.js';
import { decodePercent } from './text/decode.js';
import type { TextScanner } from './text/scan.js';

/** What is known about a property's name. */
export interface NameFacts {
  /** There is nothing to know: the name holds no secret, announces none and plays no part. */
  readonly plain: boolean;
  /** The last call in which the name was remembered as a text. */
  seenIn: number;
  readonly rule: NameRule | undefined;
  /** The name itself holds a secret. */
  readonly dirty: boolean;
  /** `{ name: 'password', value: 'x' }`: the name's, or the value's part. */
  readonly part: 'label' | 'holder' | undefined;
}

const LABELS = new Set([
  'name',
  'key',
  'header',
  'field',
  'param',
  'parameter',
  'property',
  'attribute',
  'label',
  'headername',
]);
const HOLDERS = new Set([
  'value',
  'values',
  'val',
  'content',
  'data',
  'oldvalue',
  'newvalue',
  'before',
  'after',
  'default',
]);

const NAME_CACHE = 4096;

/** Names repeat from event to event: what is known about one is remembered, up to 4,096 short ones. */
export function compileNameFacts(classify: NameClassifier, scan: TextScanner): (name: string) => NameFacts {
  let names = new Map<string, NameFacts>();

  return (key) => {
    const known = names.get(key);
    if (known) return known;
    const lower = key.length <= 16 ? key.toLowerCase() : '';
    const part = LABELS.has(lower) ? 'label' : HOLDERS.has(lower) ? 'holder' : undefined;
    const tooLong = key.length > 512;
    const rule = classify(key);
    const dirty = tooLong || (key.length >= 6 && (scan(key).length > 0 || hasEncodedSecret(key)));
    const plain = rule === undefined && !dirty && part === undefined && key !== '__proto__';
    const facts: NameFacts = { plain, seenIn: 0, rule, dirty, part };
    // Names that hold secrets, and endless new ones, do not stay in memory.
    if (!facts.dirty && key.length <= 64) {
      if (names.size >= NAME_CACHE) names = new Map();
      names.set(key, facts);
    }
    return facts;
  };

  function hasEncodedSecret(key: string): boolean {
    return key.includes('%') && scan(decodePercent(key)).length > 0;
  }
}
