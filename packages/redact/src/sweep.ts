import type { SecretIndex } from './secret-index.js';
import { cover, MASK } from './text/spans.js';
import { setOwn, unusedName } from './own-property.js';
import { report, type Run } from './walk.js';

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
  if (typeof copy === 'string') return text(copy);
  if (typeof copy !== 'object' || copy === null) return copy;
  const entries = Array.isArray(copy)
    ? (copy as unknown as Record<string, unknown>)
    : (copy as Record<string, unknown>);
  let renamed = false;
  for (const key of Object.keys(entries)) {
    if (run.findings) run.path.push(key);
    const value = entries[key];
    const kind = typeof value;
    if (kind === 'string' || (kind === 'object' && value !== null)) {
      const clean = sweep(value, secrets, replace, run);
      if (clean !== value) setOwn(entries, key, clean);
    }
    if (!Array.isArray(copy) && key.length >= 6 && secrets.find(key).length > 0) renamed = true;
    if (run.findings) run.path.pop();
  }
  return renamed ? rename(entries) : copy;

  function text(value: string): string {
    // Our own marks may contain a "secret" such as REDACTED.
    if (value.length < 6 || value.startsWith('[REDACTED')) return value;
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
