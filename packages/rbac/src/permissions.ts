import { nearest, OptionError } from '@portcullis/core';

/** What the app can protect: resource to actions, an action with an optional scope, such as `'read:own'`. */
export type PermissionDefinitions = Readonly<Record<string, readonly string[]>>;

/** `'book:create' | 'loan:read:own' | ...` of a {@link PermissionDefinitions}. */
export type PermissionNames<D extends PermissionDefinitions> = {
  [R in keyof D & string]: `${R}:${D[R][number]}`;
}[keyof D & string];

/**
 * What may be asked: every declared name, and the name without its scope where `:own` or `:any` is declared.
 * `loan:read` asks for `loan:read`, `loan:read:any`, or, of one's own, `loan:read:own`.
 */
export type Askable<Name extends string> =
  Name | (Name extends `${infer R}:${infer A}:${'own' | 'any'}` ? `${R}:${A}` : never);

/** What may be granted or denied: a declared name, or a pattern with `*` (one segment) or a last `**` (the rest). */
export type Grantable<Name extends string> = Name | '**' | `${string}*${string}`;

/** The app's permissions, made by {@link definePermissions}: the one source of names. */
export interface Permissions<Name extends string = string> {
  /** Every declared name, in order of declaration. */
  readonly names: readonly Name[];
  /** Position in `names`; undefined for what was not declared. */
  indexOf(name: string): number | undefined;
  /** True for a declared name; narrows its type. */
  has(name: unknown): name is Name;
}

/** The names as a type: `type Permission = PermissionOf<typeof permissions>`. */
export type PermissionOf<P extends Permissions> = P['names'][number];

const SEGMENT = /^[a-z0-9][a-z0-9_-]{0,63}$/;
const MAX_NAMES = 100_000;

/**
 * Declares every permission of the app, once. The names become a union of literals, so that a typo in a guard is a
 * compile error; for JavaScript users it is an error with the near miss when the guard is built.
 * Segments are 1 to 64 characters of `a-z 0-9 _ -` and begin with a letter or digit.
 * @throws OptionError for a malformed or repeated name
 * @example definePermissions({ book: ['create', 'read'], loan: ['read:own', 'read:any'] })
 */
export function definePermissions<const D extends PermissionDefinitions>(
  definitions: D,
): Permissions<PermissionNames<D>> {
  const refuse = (path: string, problem: string): never => {
    throw new OptionError('E_OPTION_VALUE', 'definePermissions', path, problem);
  };
  if (typeof definitions !== 'object' || definitions === null || Array.isArray(definitions)) {
    refuse('', 'the definitions must be an object such as { book: ["create", "read"] }');
  }
  const names = new Map<string, number>();
  for (const [resource, actions] of Object.entries(definitions)) {
    if (!SEGMENT.test(resource)) refuse(resource, `the resource ${show(resource)} ${grammarHint(resource)}`);
    if (!Array.isArray(actions)) refuse(resource, `${resource} must be an array of actions`);
    for (const action of actions as readonly unknown[]) {
      if (typeof action !== 'string') refuse(resource, `every action of ${resource} must be a string`);
      const name = `${resource}:${String(action)}`;
      const segments = name.split(':');
      if (segments.length > 3 || !segments.every((segment) => SEGMENT.test(segment))) {
        refuse(resource, `the permission ${show(name)} ${grammarHint(name)}`);
      }
      if (names.has(name)) refuse(resource, `the permission "${name}" is declared twice`);
      names.set(name, names.size);
    }
  }
  if (names.size === 0 || names.size > MAX_NAMES) {
    refuse('', `between 1 and ${MAX_NAMES} permissions can be declared, not ${names.size}`);
  }
  return Object.freeze({
    // Keys of an object are strings of one piece, as literals are; what was put together of two is slower to read.
    names: Object.freeze(Object.keys(Object.fromEntries(names))),
    indexOf: (name: string) => names.get(name),
    has: (name: unknown) => typeof name === 'string' && names.has(name),
  }) as unknown as Permissions<PermissionNames<D>>;
}

/** Says what is wrong with a name, and the near miss: `book.create` becomes `book:create`. */
export function grammarHint(name: string, known: readonly string[] = []): string {
  const near = nearMiss(name, known);
  const why = name.includes('.')
    ? 'has a dot; segments are separated by ":"'
    : 'must be resource:action or resource:action:scope, each of a-z 0-9 _ -';
  return near ? `${why}. Did you mean "${near}"?` : why;
}

/** The known name closest to a misspelt one; other separators and capitals count as slips. */
export function nearMiss(name: string, known: readonly string[]): string | undefined {
  const colons = name.toLowerCase().replaceAll(/[./\s]/g, ':');
  if (known.length === 0)
    return SEGMENT.test(colons.split(':')[0] ?? '') && colons !== name ? colons : undefined;
  return known.includes(colons) ? colons : nearest(colons, known);
}

function show(name: string): string {
  return JSON.stringify(name.slice(0, 80));
}
