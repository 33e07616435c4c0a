import { OptionError } from '@portcullis/core';
import type { DraftBody } from '../entry.js';

/** Whose value it is: of the one who acts, or of the one it is done to. */
export type PersonalOwner = 'actor' | 'target';

export interface PersonalField {
  /** As it is given: `data.*.email`. */
  readonly path: string;
  readonly owner: PersonalOwner;
  /** Where it stands in a draft: `['e', 'data', '*', 'email']`. */
  readonly steps: readonly string[];
}

const FIELD =
  /^(?:context\.(?:address|agent|path)|reason|(?:data|change)(?:\.(?:\*|[A-Za-z0-9_-]{1,64})){1,8})$/;

/** @throws OptionError */
export function readFields(value: unknown, owner: string, path: string): readonly PersonalField[] {
  if (value === undefined) return readFields(DEFAULT_FIELDS, owner, path);
  if (typeof value !== 'object' || value === null) {
    throw new OptionError(
      'E_OPTION_TYPE',
      owner,
      path,
      `${path} must be an object of fields and 'actor' or 'target'`,
    );
  }
  return Object.entries(value).map(([field, whose]: [string, unknown]) => {
    if (!FIELD.test(field)) {
      throw new OptionError(
        'E_OPTION_VALUE',
        owner,
        path,
        `${path}: "${field}" is no field such as context.address, reason or data.*.email; ids are queried and stay, so let them say nothing about a person`,
      );
    }
    if (whose !== 'actor' && whose !== 'target') {
      throw new OptionError(
        'E_OPTION_VALUE',
        owner,
        path,
        `${path}: "${field}" must be of the 'actor' or of the 'target'`,
      );
    }
    const [root, ...rest] = field.split('.') as [string, ...string[]];
    const steps = root === 'context' ? ['c', ...rest] : ['e', root, ...rest];
    return { path: field, owner: whose, steps };
  });
}

const DEFAULT_FIELDS = { 'context.address': 'actor', 'context.agent': 'actor' };

/** Calls `replace` for every value that a field names, and puts what it gives in its place. Changes the draft. */
export function replaceFields(
  draft: DraftBody,
  fields: readonly PersonalField[],
  replace: (value: unknown, field: PersonalField) => unknown,
): void {
  for (const field of fields) {
    visit(draft, field.steps, (object, key) => {
      if (!isCommitment(object[key])) object[key] = replace(object[key], field);
    });
  }
}

/** The commitments that stand where these fields are. */
export function commitmentsAt(draft: DraftBody, fields: readonly PersonalField[]): string[] {
  const found = new Set<string>();
  for (const { steps } of fields) {
    visit(draft, steps, (object, key) => {
      const value = object[key];
      if (isCommitment(value)) found.add(value.$c);
    });
  }
  return [...found];
}

/** Every place that the steps lead to and where something is. */
function visit(
  node: unknown,
  steps: readonly string[],
  found: (object: Record<string, unknown>, key: string) => void,
): void {
  if (typeof node !== 'object' || node === null || isCommitment(node)) return;
  const object = node as Record<string, unknown>;
  const [step, ...rest] = steps as [string, ...string[]];
  for (const key of step === '*' ? Object.keys(object) : Object.hasOwn(object, step) ? [step] : []) {
    if (object[key] === undefined || object[key] === null) continue;
    if (rest.length === 0) found(object, key);
    else visit(object[key], rest, found);
  }
}

/** What stands in an entry instead of a personal value. */
export interface Commitment {
  readonly $c: string;
}

const COMMITMENT = /\{"\$c":"([\w-]{43})"\}/g;

/** The commitments that stand in the text of an entry. */
export function commitmentsIn(body: string): string[] {
  return Array.from(body.matchAll(COMMITMENT), (match) => match[1]!);
}

export function isCommitment(value: unknown): value is Commitment {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as Partial<Commitment>).$c === 'string' &&
    Object.keys(value).length === 1
  );
}
