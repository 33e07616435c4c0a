/**
 * Reads a property of something foreign. What was thrown may be a proxy or have getters that throw; whatever cannot
 * be read counts as absent.
 */
export function peek(value: unknown, key: PropertyKey): unknown {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return undefined;
  try {
    return (value as Record<PropertyKey, unknown>)[key];
  } catch {
    return undefined;
  }
}

/** {@link peek} for texts; anything else counts as absent. */
export function peekString(value: unknown, key: PropertyKey): string | undefined {
  const found = peek(value, key);
  return typeof found === 'string' ? found : undefined;
}

/** True if reading the property gives something; false if it is absent or cannot be read. */
export function carries(value: unknown, key: PropertyKey): boolean {
  return peek(value, key) !== undefined;
}
