import { emptyBits, hasBit, isEmpty, setBit, type BitSet } from './bit-set.js';
import type { Permissions } from './permissions.js';
import { RecentNames } from './recent-names.js';

/** A question, resolved to permission ids once: any id of `always` answers it, `own` only for one's own object. */
export interface Check {
  readonly name: string;
  readonly always: readonly number[];
  /** Id of the `:own` permission, or -1. */
  readonly own: number;
  /** Where one id is all there is to it, that id: on the way of every question there is then nothing to follow. Else -1. */
  readonly only: number;
}

/** What a grant covers: one permission by its id, or the set of a wildcard. */
export type Coverage = number | BitSet;

export function includesId(coverage: Coverage, id: number): boolean {
  return typeof coverage === 'number' ? coverage === id : hasBit(coverage, id);
}

/** A superuser's grant: it covers every permission, later ones too. */
export function isEverything(pattern: string): boolean {
  return pattern === '**' || pattern === '*:**';
}

export function eachId(coverage: Coverage, use: (id: number) => void): void {
  if (typeof coverage === 'number') return use(coverage);
  for (let id = 0; id < coverage.length * 32; id++) if (hasBit(coverage, id)) use(id);
}

/** The declared names as numbers, and what questions and patterns mean in them. */
export interface Catalogue {
  readonly size: number;
  readonly names: readonly string[];
  idOf(name: string): number | undefined;
  /** Number of the one permission that answers the question; -1 where there is more to look at, or there is no such name. */
  direct(name: string): number;
  /** Undefined for a name that was not declared. */
  check(name: string): Check | undefined;
  /** The declared permissions that a grant covers. Undefined if it is malformed or covers none. */
  expand(pattern: string): Coverage | undefined;
}

const PATTERN_SEGMENT = /^(?:\*|[a-z0-9][a-z0-9_-]{0,63})$/;

export function createCatalogue(permissions: Permissions): Catalogue {
  const names = permissions.names;
  const idOf = (name: string): number | undefined => permissions.indexOf(name);
  const checks = new Map<string, Check>();
  const wildcards = new Map<string, BitSet>();
  /** Made when the first wildcard is met. */
  let segments: readonly (readonly string[])[] | undefined;

  const askable = (name: string): boolean =>
    idOf(name) !== undefined ||
    (name.split(':').length === 2 &&
      (idOf(`${name}:own`) !== undefined || idOf(`${name}:any`) !== undefined));

  function makeCheck(name: string): Check {
    const id = idOf(name);
    const scoped = name.split(':').length === 3;
    // Asked for by its full name, an `:own` permission still holds for one's own object only.
    if (scoped && name.endsWith(':own')) return toCheck(name, [], id ?? -1);
    if (scoped) return toCheck(name, id === undefined ? [] : [id], -1);
    const always = [id, idOf(`${name}:any`)].filter((found) => found !== undefined);
    return toCheck(name, always, idOf(`${name}:own`) ?? -1);
  }

  function expandWildcard(pattern: string): BitSet | undefined {
    const parts = parsePattern(pattern);
    if (!parts) return undefined;
    const bits = emptyBits(names.length);
    segments ??= names.map((name) => name.split(':'));
    for (const [id, name] of segments.entries()) if (covers(parts, name)) setBit(bits, id);
    return isEmpty(bits) ? undefined : bits;
  }

  function checkOf(name: string): Check | undefined {
    let check = checks.get(name);
    if (!check && askable(name)) checks.set(name, (check = makeCheck(name)));
    return check;
  }

  const direct = new RecentNames(
    (name) => {
      const id = permissions.indexOf(name);
      return id !== undefined && checkOf(name)!.only === id ? id : undefined;
    },
    () => names.length,
  );

  return {
    size: names.length,
    names,
    idOf,
    direct: (name) => direct.get(name) ?? -1,
    check: checkOf,
    expand(pattern) {
      const id = idOf(pattern);
      if (id !== undefined || !pattern.includes('*')) return id;
      // Only what means something is kept, so that refused input cannot fill the memory.
      let bits = wildcards.get(pattern);
      if (!bits && (bits = expandWildcard(pattern))) wildcards.set(pattern, bits);
      return bits;
    },
  };
}

function toCheck(name: string, always: readonly number[], own: number): Check {
  return { name, always, own, only: own < 0 && always.length === 1 ? always[0]! : -1 };
}

/** Segments of a grant, or undefined: `*` stands for one whole segment, `**` is the last one and stands for the rest. */
export function parsePattern(pattern: string): readonly string[] | undefined {
  const parts = pattern.split(':');
  if (parts.length > 3) return undefined;
  const ok = parts.every(
    (part, i) => PATTERN_SEGMENT.test(part) || (part === '**' && i === parts.length - 1),
  );
  return ok ? parts : undefined;
}

/** `**` needs at least one segment to stand for: `book:**` covers `book:read` and `book:read:own`, not `book`. */
export function covers(pattern: readonly string[], name: readonly string[]): boolean {
  const open = pattern.at(-1) === '**';
  if (open ? name.length < pattern.length : name.length !== pattern.length) return false;
  const fixed = open ? pattern.length - 1 : pattern.length;
  for (let i = 0; i < fixed; i++) if (pattern[i] !== '*' && pattern[i] !== name[i]) return false;
  return true;
}
