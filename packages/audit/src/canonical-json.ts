/**
 * The one text of a JSON value (RFC 8785): names sorted by UTF-16 code units, no white space, numbers and strings as
 * ECMAScript writes them. Absent (`undefined`) properties are left out.
 * @throws TypeError for what JSON cannot hold (functions, BigInt, non-finite numbers, lone surrogates)
 */
export function canonicalJson(value: unknown): string {
  switch (typeof value) {
    case 'string':
      if (!value.isWellFormed()) throw new TypeError('Canonical JSON holds no lone surrogates.');
      return JSON.stringify(value);
    case 'number':
      if (!Number.isFinite(value)) throw new TypeError('Canonical JSON holds finite numbers only.');
      return JSON.stringify(value);
    case 'boolean':
      return String(value);
    case 'object':
      if (value === null) return 'null';
      return Array.isArray(value) ? arrayText(value) : objectText(value as Record<string, unknown>);
    default:
      throw new TypeError(`Canonical JSON holds no ${typeof value}.`);
  }
}

function arrayText(items: readonly unknown[]): string {
  // As in JSON.stringify, a hole or undefined is null.
  return `[${Array.from(items, (item) => canonicalJson(item ?? null)).join(',')}]`;
}

function objectText(object: Readonly<Record<string, unknown>>): string {
  const parts: string[] = [];
  // The default order of sort() is that of UTF-16 code units, which is what section 3.2.3 asks for.
  for (const key of Object.keys(object).sort()) {
    const value = object[key];
    if (value !== undefined) parts.push(`${canonicalJson(key)}:${canonicalJson(value)}`);
  }
  return `{${parts.join(',')}}`;
}
