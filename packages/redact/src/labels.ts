import { HOLDER_WORDS, speaksOf, type Holder, type NameFacts } from './name-facts.js';
import type { NameClassifier, NameRule } from './name-rules.js';
import { readOwn } from './own-property.js';

export type LabelRules = { readonly [H in Holder]?: NameRule | undefined };

/** What the labels of a record say of its holders; the copy of a label called `key` is masked already. */
export function labelRules(
  source: object,
  keys: readonly string[],
  copy: Readonly<Record<string, unknown>>,
  factsOf: (name: string) => NameFacts,
  classify: NameClassifier,
): LabelRules {
  const rules: { [H in Holder]?: NameRule } = {};
  for (const key of keys) {
    const { label, rule } = factsOf(key);
    if (label === undefined) continue;
    const said = classifyLabel(rule === undefined ? copy[key] : readOwn(source, key), classify);
    if (said === undefined) continue;
    for (const holder of HOLDER_WORDS) {
      if (speaksOf(label, said, holder) && isOpen(rules[holder])) rules[holder] = said;
    }
  }
  return rules;
}

/** Also of a path such as `['user', 'password']`, whose last name decides. */
function classifyLabel(label: unknown, classify: NameClassifier): NameRule | undefined {
  const said: unknown = Array.isArray(label) ? label.at(-1) : label;
  return typeof said === 'string' && said.length <= 256 ? classify(said) : undefined;
}

/** A clearer word of another label would be heeded. */
function isOpen(rule: NameRule | undefined): boolean {
  return rule === undefined || rule.weak || rule.countable;
}
