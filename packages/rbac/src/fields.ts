import { OptionError } from '@portcullis/core';
import type { AskOptions, Decision, Subject } from './decision.js';
import { errors } from './error-codes.js';
import type { Askable } from './permissions.js';

/** Which permission shows a field: a name, several of which one is enough, or `true` for everybody who gets the object. */
export type FieldRules<Name extends string> = Readonly<
  Record<string, true | Askable<Name> | readonly Askable<Name>[]>
>;

/** What may be seen or written of an object, field by field; made by `rbac.fields()`. */
export interface Fields {
  /** Which permissions show which field, as it was given: for documentation and snapshot tests. */
  readonly matrix: Readonly<Record<string, true | readonly string[]>>;
  /**
   * A copy with those own fields that are listed and allowed; all others are left out. `about` says whose the object is.
   * @throws why it cannot be found out (503)
   */
  pick<T extends object>(subject: Subject, object: T, about?: AskOptions): Promise<Partial<T>>;
  /**
   * For what somebody sends: refuses an object with any own field that is not listed or not allowed.
   * @throws E_PERMISSION_DENIED with the fields in its details, E_SIGN_IN_REQUIRED, or why it cannot be found out (503)
   */
  require(subject: Subject, object: object, about?: AskOptions): Promise<void>;
}

interface Deps {
  decide(subject: Subject, permission: string, about: AskOptions): Promise<Decision>;
  errorOf(decision: Decision): Error;
  /** Throws for a name that was not declared. */
  check(permission: string): unknown;
}

/** @throws OptionError for rules that are none, E_PERMISSION_UNKNOWN for a name that was not declared */
export function createFields(rules: Readonly<Record<string, unknown>>, deps: Deps): Fields {
  const fields = new Map<string, true | readonly string[]>();
  for (const [field, rule] of Object.entries(rules)) {
    const names = typeof rule === 'string' ? [rule] : rule;
    if (names !== true && !(Array.isArray(names) && names.length > 0)) {
      throw new OptionError(
        'E_OPTION_VALUE',
        'fields',
        field,
        `${field} must be true, a permission or several`,
      );
    }
    if (names !== true) for (const name of names) deps.check(name as string);
    fields.set(field, names as true | readonly string[]);
  }

  /** Which fields of the object are allowed, each permission asked about once. */
  async function judge(subject: Subject, object: object, about: AskOptions) {
    const present = Object.keys(object);
    const asked = new Map<string, Decision>();
    for (const name of new Set(present.flatMap((field) => permissionsOf(field)))) {
      const decision = await deps.decide(subject, name, about);
      if (decision.reason === 'unavailable') throw deps.errorOf(decision);
      asked.set(name, decision);
    }
    const allowed = (field: string): boolean =>
      fields.get(field) === true || permissionsOf(field).some((name) => asked.get(name)?.allowed === true);
    return { present, allowed, refusals: [...asked.values()].filter((decision) => !decision.allowed) };
  }

  function permissionsOf(field: string): readonly string[] {
    const rule = fields.get(field);
    return rule === undefined || rule === true ? [] : rule;
  }

  return {
    matrix: Object.freeze(Object.fromEntries(fields)),
    async pick<T extends object>(subject: Subject, object: T, about: AskOptions = {}) {
      const { present, allowed } = await judge(subject, object, about);
      // As data, whatever its name: __proto__ too.
      const entries = present
        .filter(allowed)
        .map((field) => [field, (object as Record<string, unknown>)[field]]);
      return Object.fromEntries(entries) as Partial<T>;
    },
    async require(subject, object, about = {}) {
      const { present, allowed, refusals } = await judge(subject, object, about);
      const denied = present.filter((field) => !allowed(field));
      if (denied.length === 0) return;
      const anonymous = refusals.find(({ reason }) => reason === 'anonymous');
      if (anonymous) throw deps.errorOf(anonymous);
      throw errors.E_PERMISSION_DENIED({ details: { fields: denied.slice(0, 100) } });
    },
  };
}
