import type { ServerResponse } from 'node:http';

/** Adds field names to `Vary` without repeating one; `*` already says everything (RFC 9110 section 12.5.5). */
export function appendVary(res: ServerResponse, names: readonly string[]): void {
  const present = res.getHeader('Vary');
  if (present === undefined) {
    res.setHeader('Vary', names.join(', '));
    return;
  }
  const text = Array.isArray(present) ? present.join(', ') : String(present);
  const listed = new Set(text.split(',').map((name) => name.trim().toLowerCase()));
  if (listed.has('*')) return;
  const missing = names.filter((name) => !listed.has(name.toLowerCase()));
  if (missing.length > 0) res.setHeader('Vary', [text, ...missing].join(', '));
}
