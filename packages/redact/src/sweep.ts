import { setOwn, unusedName } from './own-property.js';
import type { SecretIndex } from './secret-index.js';
import { cover, MASK } from './text/spans.js';
import { report, type Run } from './run.js';

/**
 * Masks known secrets everywhere in a copy that the walk made, property names included. Changes the copy in place: it
 * belongs to us. Its depth is bounded by the walk.
 */
export function sweep(
  copy: unknown,
  secrets: SecretIndex,
  replace: (secret: string) => string,
  run: Run,
): unknown {
  const { shortest } = secrets;
  return visit(copy);

  function visit(value: unknown): unknown {
    if (typeof value === 'string') return text(value);
    if (typeof value !== 'object' || value === null) return value;
    return Array.isArray(value) ? list(value) : record(value as Record<string, unknown>);
  }

  function list(items: unknown[]): unknown {
    for (let i = 0; i < items.length; i++) {
      if (run.findings) run.path.push(String(i));
      const value = items[i];
      const clean = visit(value);
      if (clean !== value) items[i] = clean;
      if (run.findings) run.path.pop();
    }
    return items;
  }

  function record(entries: Record<string, unknown>): unknown {
    let renamed = false;
    for (const key of Object.keys(entries)) {
      if (run.findings) run.path.push(key);
      const value = entries[key];
      const clean = visit(value);
      if (clean !== value) setOwn(entries, key, clean);
      if (key.length >= shortest && secrets.find(key).length > 0) renamed = true;
      if (run.findings) run.path.pop();
    }
    return renamed ? rename(entries) : entries;
  }

  function text(value: string): string {
    // Our own marks may contain a "secret" such as REDACTED.
    if (value.length < shortest || value.startsWith('[REDACTED')) return value;
    const spans = secrets.find(value);
    if (spans.length === 0) return value;
    report(run, spans[0]!.rule);
    return cover(value, spans, replace);
  }

  function rename(object: Record<string, unknown>): Record<string, unknown> {
    const clean: Record<string, unknown> = {};
    const collisions = { count: 1 };
    for (const [key, value] of Object.entries(object)) {
      setOwn(clean, unusedName(clean, text(key) || MASK, collisions), value);
    }
    return clean;
  }
}
