import { compileTextCleaner } from './clean-text.js';
import { CIRCULAR, truncated, UNREADABLE } from './markers.js';
import { labelRules } from './labels.js';
import { compileNameFacts } from './name-facts.js';
import type { NameClassifier, NameRule } from './name-rules.js';
import { commandIn, programBeside } from './arguments.js';
import { secretsBeside } from './companions.js';
import { describeObject } from './objects.js';
import { readOwn, setOwn, unusedName } from './own-property.js';
import { report, taint, type Run } from './run.js';
import { collectTaints } from './taints.js';
import { isCardNumber } from './text/cards.js';
import type { CommandReader } from './text/commands.js';
import type { TextScanner, ValueRule } from './text/scan.js';
import { MASK } from './text/spans.js';

export interface WalkRules {
  readonly classify: NameClassifier;
  readonly scan: TextScanner;
  readonly wanted: ReadonlySet<ValueRule>;
  readonly limits: { readonly depth: number; readonly nodes: number; readonly string: number };
  readonly replace: (secret: string) => string;
  readonly drop: boolean;
}

export type Walk = (value: unknown, run: Run) => unknown;

const DROPPED = Symbol('dropped');

export function compileWalk(rules: WalkRules): Walk {
  const { classify, scan, wanted, limits, replace, drop } = rules;
  const cards = wanted.has('card');
  const commands = wanted.has('pairs');
  const { text, flat } = compileTextCleaner(
    { scan, json: wanted.has('json'), maxLength: limits.string, replace },
    walk,
  );
  const factsOf = compileNameFacts(classify, scan);

  return (value, run) => walk(value, run, 0);

  function walk(value: unknown, run: Run, depth: number): unknown {
    if (++run.nodes > limits.nodes) return cut(run, 'nodes');
    switch (typeof value) {
      case 'string':
        return text(value, run, depth);
      case 'number':
        return number(value, run);
      case 'object':
        return value === null ? null : object(value, run, depth);
      case 'boolean':
      case 'undefined':
        return value;
      case 'bigint':
        return text(String(value), run, depth);
      case 'symbol':
        return text(String(value), run, depth);
      default:
        return functionName(value, run, depth);
    }
  }

  function cut(run: Run, limit: string): string {
    report(run, `limit:${limit}`);
    return truncated(limit);
  }

  function number(value: number, run: Run): unknown {
    if (value > 1e12 && cards && Number.isSafeInteger(value) && isCardNumber(String(value))) {
      report(run, 'card');
      taint(run, String(value));
      return replace(String(value));
    }
    return Number.isFinite(value) ? value : String(value);
  }

  function functionName(value: unknown, run: Run, depth: number): unknown {
    let name: unknown;
    try {
      name = (value as { name: unknown }).name;
    } catch {
      name = '';
    }
    return typeof name === 'string' && name !== '' ? text(`[Function: ${name}]`, run, depth) : '[Function]';
  }

  // --- objects ----------------------------------------------------------------------------------------------------

  function object(value: object, run: Run, depth: number): unknown {
    if (depth >= limits.depth) return cut(run, 'depth');
    if (run.ancestors.includes(value)) return CIRCULAR;
    run.ancestors.push(value);
    try {
      if (Array.isArray(value)) return list(value, run, depth);
      const proto: unknown = Object.getPrototypeOf(value);
      const plain =
        (proto === Object.prototype || proto === null) &&
        typeof (value as { toJSON?: unknown }).toJSON !== 'function';
      if (plain) return record(value, run, depth);
      const described = describeObject(value, Math.max(limits.nodes - run.nodes, 0) + 1);
      switch (described.as) {
        case 'text':
          return text(described.text, run, depth);
        case 'mark':
          return described.mark;
        case 'value':
          return walk(described.value, run, depth + 1);
        case 'list':
          return list(described.list, run, depth, described.unread);
        default:
          return record(described.record, run, depth, described.unread);
      }
    } catch {
      return UNREADABLE;
    } finally {
      run.ancestors.pop();
    }
  }

  function list(values: readonly unknown[], run: Run, depth: number, unread = 0): unknown {
    const copy: unknown[] = [];
    const { length } = values;
    const command = commands ? commandIn(values, classify, run.program) : undefined;
    run.program = undefined;
    // Flat headers, [name, value, name, value, ...], and single [name, value] entries.
    const pairs =
      length >= 2 && length % 2 === 0 && typeof values[0] === 'string' && command?.isKnown !== true;
    for (let i = 0; i < length; i++) {
      if (run.nodes >= limits.nodes) {
        report(run, 'limit:nodes');
        copy.push(truncated(`${length - i + unread} more`));
        break;
      }
      if (run.findings) run.path.push(String(i));
      copy.push(item(values, i, pairs, command, run, depth));
      if (run.findings) run.path.pop();
    }
    return copy;
  }

  function argument(value: string, command: CommandReader, run: Run): string | undefined {
    const secret = command.read(value);
    if (secret === undefined) return undefined;
    run.nodes++;
    report(run, secret.rule);
    const hidden = value.slice(secret.at);
    if (secret.taints) taint(run, hidden);
    return value.slice(0, secret.at) + replace(hidden);
  }

  function item(
    values: readonly unknown[],
    i: number,
    pairs: boolean,
    command: CommandReader | undefined,
    run: Run,
    depth: number,
  ): unknown {
    let value: unknown;
    try {
      value = values[i];
    } catch {
      return UNREADABLE;
    }
    if (command !== undefined && typeof value === 'string') {
      const masked = argument(value, command, run);
      if (masked !== undefined) return masked;
    }
    if (pairs && i % 2 === 1) {
      const name = values[i - 1];
      const rule =
        typeof name === 'string' && name.length <= 64 && name[0] !== '-' ? classify(name) : undefined;
      if (rule && !rule.weak) {
        const masked = mask(value, rule, run);
        return masked === DROPPED ? MASK : masked;
      }
    }
    return walk(value, run, depth + 1);
  }

  function record(source: object, run: Run, depth: number, unread = 0): unknown {
    const copy: Record<string, unknown> = {};
    const keys = Object.keys(source);
    let walked = keys.length;
    let held = false;
    let companions = 0;
    let collisions: { count: number } | undefined;
    for (let i = 0; i < keys.length; i++) {
      if (run.nodes >= limits.nodes) {
        report(run, 'limit:nodes');
        copy[truncated('nodes')] = truncated(`${keys.length - i + unread} more`);
        walked = i;
        break;
      }
      const key = keys[i]!;
      const facts = factsOf(key);
      if (facts.plain && run.findings === undefined) {
        copy[key] = walk(readOwn(source, key), run, depth + 1);
        continue;
      }
      if (run.findings) run.path.push(facts.dirty ? MASK : key);
      const value = readOwn(source, key);
      if (facts.holder !== undefined) held = true;
      companions |= facts.companions;
      if (facts.unsafe) run.unsafe = true;
      if (facts.args && Array.isArray(value)) run.program = programBeside(source, key);
      const clean =
        facts.rule === undefined ? walk(value, run, depth + 1) : secret(value, facts.rule, run, depth);
      run.program = undefined;
      if (clean !== DROPPED) {
        if (facts.dirty) {
          collisions ??= { count: 1 };
          copy[unusedName(copy, cleanName(key, run), collisions)] = clean;
        } else {
          setOwn(copy, key, clean);
        }
      }
      if (run.findings) run.path.pop();
    }
    if (companions !== 0) maskBeside(companions, copy, run);
    if (held) labelled(source, walked < keys.length ? keys.slice(0, walked) : keys, copy, run);
    return copy;
  }

  /** What is a secret because of its neighbours: parts of a JSON Web Key, values bound to a statement. */
  function maskBeside(companions: number, copy: Record<string, unknown>, run: Run): void {
    for (const { name, at, word } of secretsBeside(companions, copy, classify)) {
      const rule: NameRule = { word, weak: false, header: false, countable: false };
      const held = copy[name];
      if (run.findings) run.path.push(name);
      if (at === undefined) {
        const masked = mask(held, rule, run);
        copy[name] = masked === DROPPED ? MASK : masked;
      } else {
        for (const i of at) maskItem(held as unknown[], i, rule, run);
      }
      if (run.findings) run.path.pop();
    }
  }

  function maskItem(list: unknown[], i: number, rule: NameRule, run: Run): void {
    if (i >= list.length) return;
    if (run.findings) run.path.push(String(i));
    const masked = mask(list[i], rule, run);
    list[i] = masked === DROPPED ? MASK : masked;
    if (run.findings) run.path.pop();
  }

  /** `{ name: 'password', value: 'hunter2' }`, as forms, HAR files and change lists have it; every label is judged. */
  function labelled(source: object, keys: readonly string[], copy: Record<string, unknown>, run: Run): void {
    const rules = labelRules(source, keys, copy, factsOf, classify);
    if (rules.value === undefined) return;
    for (const key of Object.keys(copy)) {
      const { holder } = factsOf(key);
      const rule = holder && rules[holder];
      if (rule === undefined) continue;
      const value = readOwn(source, key);
      if (rule.countable && typeof value === 'number') continue;
      if (run.findings) run.path.push(key);
      const masked = mask(value, rule, run);
      if (run.findings) run.path.pop();
      copy[key] = masked === DROPPED ? MASK : masked;
    }
  }

  // --- names ------------------------------------------------------------------------------------------------------

  function cleanName(key: string, run: Run): string {
    const head = key.length > 512 ? key.slice(0, 256) : key;
    const clean = flat(head, run);
    const name = key.length > 512 ? `${clean}${truncated(`${key.length} characters`)}` : clean;
    return name === '' || name === '__proto__' ? MASK : name;
  }

  // --- secrets ----------------------------------------------------------------------------------------------------

  function secret(value: unknown, rule: NameRule, run: Run, depth: number): unknown {
    if (rule.countable && typeof value === 'number') return walk(value, run, depth + 1);
    // `auth: { username, password }`: the parts are judged by their own names.
    if (rule.word === 'auth' && typeof value === 'object' && !Array.isArray(value))
      return walk(value, run, depth + 1);
    return mask(value, rule, run);
  }

  function mask(value: unknown, rule: NameRule, run: Run): unknown {
    if (value === undefined || value === null || typeof value === 'boolean' || value === '') return value;
    run.nodes++;
    report(run, `key:${rule.word}`);
    collectTaints(value, rule, classify, run.taints);
    if (drop) return DROPPED;
    return typeof value === 'string' || typeof value === 'number' ? replace(String(value)) : MASK;
  }
}
