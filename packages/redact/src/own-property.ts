import { UNREADABLE } from './markers.js';

/**
 * Sets an own property whatever its name is: assigning `__proto__` would change the prototype instead
 * (CVE-2025-57319 was about this).
 */
export function setOwn(object: object, name: string, value: unknown): void {
  if (name === '__proto__') {
    Object.defineProperty(object, name, { value, writable: true, enumerable: true, configurable: true });
  } else {
    (object as Record<string, unknown>)[name] = value;
  }
}

/** Two names that look the same after masking must not hide each other's values. */
export function unusedName(object: object, name: string, collisions: { count: number }): string {
  let unused = name;
  while (Object.hasOwn(object, unused)) unused = `${name}#${++collisions.count}`;
  return unused;
}

/** A property of an object whose accessors and traps may throw. */
export function readOwn(object: object, name: string): unknown {
  try {
    return (object as Record<string, unknown>)[name];
  } catch {
    return UNREADABLE;
  }
}
