import { companionOf } from './companions.js';
import type { NameClassifier, NameRule } from './name-rules.js';
import { decodeEscapes, escapeControls } from './text/decode.js';
import type { TextScanner } from './text/scan.js';

/** What is known about a property's name. */
export interface NameFacts {
  /** There is nothing to know: the name holds no secret, announces none and holds no labelled value. */
  readonly plain: boolean;
  readonly rule: NameRule | undefined;
  /** The name itself holds a secret. */
  readonly dirty: boolean;
  /** It has characters that {@link escapeControls} escapes. */
  readonly unsafe: boolean;
  /** `{ name: 'password', value: 'x' }`: what a record's label says is looked at only if the record has a holder. */
  readonly label: Label | undefined;
  readonly holder: Holder | undefined;
  /** A list under it holds arguments of a program that its neighbours name. */
  readonly args: boolean;
  /** Flags of what it means beside other names. */
  readonly companions: number;
}

/**
 * - `name`: what the record is about, whatever holds it.
 * - `id`: the same, but for values only: `{ id: 'session', data: {...} }` is an event.
 * - `kind`: one of many words for a kind (`<input type="password">`, a token of a parser), so common words are none.
 */
export type Label = 'name' | 'id' | 'kind';

/** `value` itself, or a wider word for what somebody has to say. */
export type Holder = 'value' | 'content';
export const HOLDER_WORDS: readonly Holder[] = ['value', 'content'];

const LABELS: ReadonlyMap<string, Label> = new Map([
  ...[
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
    'column',
    'parameterkey',
    'propertyname',
    'instancepath',
    'datapath',
  ].map((name) => [name, 'name'] as const),
  ['id', 'id'],
  ['path', 'id'],
  ...['type', 'kind', 'inputtype', 'autocomplete'].map((name) => [name, 'kind'] as const),
]);
const HOLDERS: ReadonlyMap<string, Holder> = new Map([
  ...[
    'value',
    'values',
    'val',
    'oldvalue',
    'newvalue',
    'originalvalue',
    'parametervalue',
    'default',
    'defaultvalue',
    'input',
    'received',
    'rejectedvalue',
    'old',
    'new',
    'lhs',
    'rhs',
  ].map((name) => [name, 'value'] as const),
  ...['content', 'data', 'before', 'after', 'from', 'to'].map((name) => [name, 'content'] as const),
]);

/** Whether a label that says so makes a secret of what such a name holds. */
export function speaksOf(label: Label, rule: NameRule, holder: Holder): boolean {
  if (label === 'name') return true;
  return holder === 'value' && (label === 'id' || !rule.weak);
}

const ARGUMENTS: ReadonlySet<string> = new Set(['args', 'argv', 'arguments', 'spawnargs', 'cmd']);

const NAME_CACHE = 4096;

/** Names repeat from event to event: what is known about one is remembered, up to 4,096 short ones. */
export function compileNameFacts(classify: NameClassifier, scan: TextScanner): (name: string) => NameFacts {
  let names = new Map<string, NameFacts>();

  return (key) => {
    const known = names.get(key);
    if (known) return known;
    const lower = key.length <= 16 ? key.toLowerCase() : '';
    const label = LABELS.get(lower);
    const holder = HOLDERS.get(lower);
    const tooLong = key.length > 512;
    const rule = classify(key);
    const dirty = tooLong || (key.length >= 6 && (scan(key).length > 0 || hasEncodedSecret(key)));
    const unsafe = escapeControls(key) !== key;
    const args = ARGUMENTS.has(lower);
    const companions = companionOf(lower);
    const plain =
      rule === undefined &&
      !dirty &&
      !unsafe &&
      !args &&
      companions === 0 &&
      holder === undefined &&
      key !== '__proto__';
    const facts: NameFacts = { plain, rule, dirty, unsafe, label, holder, args, companions };
    // Names that hold secrets, and endless new ones, do not stay in memory.
    if (!facts.dirty && key.length <= 64) {
      if (names.size >= NAME_CACHE) names = new Map();
      names.set(key, facts);
    }
    return facts;
  };

  function hasEncodedSecret(key: string): boolean {
    return /[%&\\]/.test(key) && scan(decodeEscapes(key)).length > 0;
  }
}
