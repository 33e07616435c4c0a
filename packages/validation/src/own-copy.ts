import { PROTOTYPE_NAMES } from './prepare-schema.js';
import { finding, type Finding } from './problem.js';

export type Copied =
  | { readonly ok: true; readonly value: unknown; readonly nodes: number }
  | { readonly ok: false; readonly finding: Finding };

/** As deep as honest documents go; beyond it recursion itself becomes the attack. */
const MAX_DEPTH = 32;

/**
 * A deep copy made of plain data, whose objects have no prototype: nothing that is read from it comes from a
 * polluted `Object.prototype`, and nobody who still holds the input can change it afterwards.
 * Names that reach a prototype (unless `prototypeNames`), exotic objects and what JSON cannot hold are refused.
 */
export function ownCopy(input: unknown, prototypeNames = false): Copied {
  let nodes = 0;
  const failed: { finding?: Finding } = {};
  const path: string[] = [];

  function copy(value: unknown): unknown {
    nodes++;
    if (failed.finding) return undefined;
    if (value === null || typeof value === 'string' || typeof value === 'boolean') return value;
    if (typeof value === 'number' && Number.isFinite(value)) return value;
    if (typeof value !== 'object' || !isPlain(value)) return fail('type', 'must be plain JSON data');
    if (path.length >= MAX_DEPTH) return fail('depth', `must not be nested more than ${MAX_DEPTH} deep`);
    return Array.isArray(value) ? copyArray(value) : copyObject(value as Record<string, unknown>);
  }
  function copyArray(value: readonly unknown[]): unknown[] {
    const own: unknown[] = [];
    for (let i = 0; i < value.length && !failed.finding; i++) {
      path.push(String(i));
      own.push(copy(value[i]));
      path.pop();
    }
    return own;
  }
  function copyObject(value: Readonly<Record<string, unknown>>): Record<string, unknown> {
    const own: Record<string, unknown> = Object.create(null);
    for (const name of Object.keys(value)) {
      if (failed.finding) break;
      path.push(name);
      if (!prototypeNames && PROTOTYPE_NAMES.has(name))
        fail('prototypeKey', 'is a name that is not accepted');
      else if (value[name] !== undefined) own[name] = copy(value[name]);
      path.pop();
    }
    return own;
  }
  function fail(keyword: string, message: string): void {
    failed.finding ??= finding(path, keyword, message);
  }

  const value = copy(input);
  return failed.finding ? { ok: false, finding: failed.finding } : { ok: true, value, nodes };
}

/** Arrays, and objects whose prototype is none or an `Object.prototype` of any realm. */
function isPlain(value: object): boolean {
  if (Array.isArray(value)) return true;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}
