import type { NameClassifier, NameRule } from '../name-rules.js';
import { MAX_NAME } from './characters.js';
import type { Span } from './spans.js';

const LONGEST_TAG = 256;
const TAG = /^<([A-Za-z_][\w:.-]{0,63})(?:\s|$)?/;
/** Elements that carry the name of what they hold in an attribute. */
const NAMED =
  /^(?:property|string|entry|param|setting|field|item|prop|attribute|env|var|variable|config|key|value)$/i;
const NAME_ATTRIBUTE = /\s(?:name|key|id)\s{0,4}=\s{0,4}["']([^"']{1,64})["']/i;
/** Elements whose text is the name of what follows: `<key>password</key><string>x</string>`. */
const LABEL = /^(?:name|key|parameterkey|headername|propertyname)$/i;
const TAGS = /(?:<[^<>]{0,64}>\s{0,64}){1,6}/y;
const CDATA = '<![CDATA[';

/** What the element whose tag ends here holds, if its name, its attribute or the label before says that it is a secret. */
export function elementSecret(text: string, close: number, classify: NameClassifier): Span | undefined {
  const before = text.slice(Math.max(0, close - LONGEST_TAG), close);
  const open = before.lastIndexOf('<');
  if (open === -1 || before.endsWith('/')) return undefined;
  const tag = before.slice(open);
  const element = TAG.exec(tag)?.[1];
  if (element === undefined) return undefined;
  const local = element.slice(element.indexOf(':') + 1);
  const rule = strong(classify(local)) ?? byAttribute(tag, local, classify);
  if (rule) return spanOf(text, close + 1, rule);
  if (!LABEL.test(local)) return undefined;
  const end = text.indexOf('<', close);
  if (end === -1 || end - close > MAX_NAME) return undefined;
  const said = strong(classify(text.slice(close + 1, end)));
  TAGS.lastIndex = end;
  return said && TAGS.test(text) ? spanOf(text, TAGS.lastIndex, said) : undefined;
}

function byAttribute(tag: string, local: string, classify: NameClassifier): NameRule | undefined {
  const name = NAMED.test(local) ? NAME_ATTRIBUTE.exec(tag)?.[1] : undefined;
  return name === undefined ? undefined : strong(classify(name));
}

function strong(rule: NameRule | undefined): NameRule | undefined {
  return rule?.weak === true ? undefined : rule;
}

function spanOf(text: string, from: number, rule: NameRule): Span | undefined {
  const cdata = text.startsWith(CDATA, from);
  const start = cdata ? from + CDATA.length : from;
  const close = text.indexOf(cdata ? ']]>' : '<', start);
  const end = close === -1 ? text.length : close;
  return text.slice(start, Math.min(end, start + MAX_NAME)).trim() === ''
    ? undefined
    : { start, end, rule: `pair:${rule.word}`, taints: true };
}
