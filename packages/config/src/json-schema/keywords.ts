import {
  characters,
  equal,
  hasType,
  isObject,
  step,
  TYPES,
  type JsonObject,
  type TypeName,
} from './json-values.js';

export type Report = (at: string, message: string) => void;
/** Tells what is wrong with a value that stands at a JSON Pointer. */
export type Judge = (value: unknown, at: string, report: Report) => void;

/** What a keyword is given to make its judge of: all of it was read already. */
export interface Place {
  /** The other keywords of the same schema. */
  readonly beside: JsonObject;
  /** A schema that judges the same value; `at` is where it stands in the keyword, such as `[0]` or `.name`. */
  here(schema: unknown, at?: string): Judge;
  /** A schema that judges a part of the value, which can only have these types. */
  inside(schema: unknown, at?: string, types?: readonly TypeName[]): Judge;
  /** What a reference leads to. */
  referred(reference: unknown): Judge;
  /** @throws OptionError */
  wrong(problem: string): never;
}

export interface Keyword {
  /** The type of value that it says something about; it holds for all others. */
  readonly about?: TypeName;
  /** Undefined: the keyword is for people, or read by another one. */
  readonly make?: (given: unknown, place: Place) => Judge | undefined;
}

const note: Keyword = {};

/** The keywords of JSON Schema draft 7, and `minBytes` of our own. `format` is left out: it means little, and differs. */
export const KEYWORDS: Readonly<Record<string, Keyword>> = Object.freeze(
  Object.assign(Object.create(null) as object, {
    ...{
      $schema: note,
      $id: note,
      $comment: note,
      title: note,
      description: note,
      default: note,
      examples: note,
    },
    ...{ readOnly: note, writeOnly: note },
    // Read where they are referred to, and by the schema they stand in.
    definitions: { make: byName((schemas, place) => void judges(schemas, place)) },
    $defs: { make: byName((schemas, place) => void judges(schemas, place)) },
    $ref: { make: (given, place) => place.referred(given) },

    type: {
      make: (given, place) => {
        const types = (Array.isArray(given) ? given : [given]) as TypeName[];
        if (types.length === 0 || types.some((type) => !TYPES.includes(type))) {
          return place.wrong(`must be among ${TYPES.join(', ')}`);
        }
        return (value, at, report) => {
          if (!types.some((type) => hasType(value, type))) report(at, `must be ${types.join(' or ')}`);
        };
      },
    },
    enum: {
      make: (given, place) => {
        if (!Array.isArray(given) || given.length === 0) return place.wrong('must be a list of values');
        const words = given.map((value) => JSON.stringify(value)).join(', ');
        return (value, at, report) => {
          if (!given.some((one) => equal(one, value))) report(at, `must be one of ${words}`);
        };
      },
    },
    const: {
      make: (given) => (value, at, report) => {
        if (!equal(given, value)) report(at, `must be ${JSON.stringify(given)}`);
      },
    },

    minimum: bound(
      'number',
      (given, value: number) => value >= given,
      (given) => `must be >= ${given}`,
    ),
    maximum: bound(
      'number',
      (given, value: number) => value <= given,
      (given) => `must be <= ${given}`,
    ),
    exclusiveMinimum: bound(
      'number',
      (given, value: number) => value > given,
      (given) => `must be > ${given}`,
    ),
    exclusiveMaximum: bound(
      'number',
      (given, value: number) => value < given,
      (given) => `must be < ${given}`,
    ),
    multipleOf: {
      about: 'number',
      make: (given, place) => {
        if (typeof given !== 'number' || !(given > 0)) return place.wrong('must be a number above 0');
        return (value, at, report) => {
          const times = (value as number) / given;
          // 19.99 / 0.01 is 1998.9999999999998.
          if (!(Math.abs(times - Math.round(times)) < 1e-9)) report(at, `must be multiple of ${given}`);
        };
      },
    },

    minLength: count('string', (value: string, n) => characters(value) >= n, 'characters', 'fewer'),
    maxLength: count('string', (value: string, n) => characters(value) <= n, 'characters', 'more'),
    minBytes: {
      about: 'string',
      make: (given, place) => {
        const least = whole(given, place);
        return (value, at, report) => {
          if (Buffer.byteLength(value as string) < least) report(at, `must have at least ${least} bytes`);
        };
      },
    },
    pattern: {
      about: 'string',
      make: (given, place) => {
        const pattern = expression(given, place);
        return (value, at, report) => {
          if (!pattern.test(value as string)) report(at, `must match pattern ${JSON.stringify(given)}`);
        };
      },
    },

    items: {
      about: 'array',
      make: (given, place) => {
        if (!Array.isArray(given)) {
          const each = place.inside(given);
          return (value, at, report) => every(value as unknown[], 0, each, at, report);
        }
        const tuple = given.map((schema, index) => place.inside(schema, `[${index}]`));
        return (value, at, report) => {
          const list = value as unknown[];
          for (const [index, judge] of tuple.entries()) {
            if (index < list.length) judge(list[index], at + step(index), report);
          }
        };
      },
    },
    additionalItems: {
      about: 'array',
      make: (given, place) => {
        const { items } = place.beside;
        if (!Array.isArray(items)) return place.wrong('has a meaning beside a list of items only');
        const rest = place.inside(given);
        return (value, at, report) => every(value as unknown[], items.length, rest, at, report);
      },
    },
    contains: {
      about: 'array',
      make: (given, place) => {
        const one = place.inside(given);
        return (value, at, report) => {
          const found = (value as unknown[]).some((item) => passes(one, item));
          if (!found) report(at, 'must contain at least one valid item');
        };
      },
    },
    minItems: count('array', (value: unknown[], n) => value.length >= n, 'items', 'fewer'),
    maxItems: count('array', (value: unknown[], n) => value.length <= n, 'items', 'more'),
    uniqueItems: {
      about: 'array',
      make: (given, place) => {
        if (typeof given !== 'boolean') return place.wrong('must be true or false');
        return (value, at, report) => {
          if (!given) return;
          const list = value as unknown[];
          const twice = list.findIndex((item, index) =>
            list.slice(0, index).some((other) => equal(item, other)),
          );
          if (twice > 0) report(at, `must NOT have duplicate items (item ${twice} is one)`);
        };
      },
    },

    required: {
      about: 'object',
      make: (given, place) => {
        const names = texts(given, place);
        return (value, at, report) => {
          for (const name of names) {
            if (!Object.hasOwn(value as object, name)) report(at, `must have required property '${name}'`);
          }
        };
      },
    },
    properties: {
      about: 'object',
      make: byName((schemas, place) => {
        const members = judges(schemas, place);
        return (value, at, report) => {
          for (const [name, judge] of members) {
            if (Object.hasOwn(value as object, name)) {
              judge((value as Record<string, unknown>)[name], at + step(name), report);
            }
          }
        };
      }),
    },
    patternProperties: {
      about: 'object',
      make: byName((schemas, place) => {
        const members = judges(schemas, place).map(
          ([pattern, judge]) => [expression(pattern, place), judge] as const,
        );
        return (value, at, report) => {
          for (const [name, member] of Object.entries(value as object)) {
            for (const [pattern, judge] of members) {
              if (pattern.test(name)) judge(member, at + step(name), report);
            }
          }
        };
      }),
    },
    additionalProperties: {
      about: 'object',
      make: (given, place) => {
        const { properties, patternProperties } = place.beside;
        const patterns = Object.keys(isObject(patternProperties) ? patternProperties : {});
        const listed = patterns.map((pattern) => expression(pattern, place));
        const known = (name: string): boolean =>
          (isObject(properties) && Object.hasOwn(properties, name)) ||
          listed.some((pattern) => pattern.test(name));
        const judge = place.inside(given);
        return (value, at, report) => {
          for (const [name, member] of Object.entries(value as object)) {
            if (known(name)) continue;
            if (given === false) report(at, 'must NOT have additional properties');
            else judge(member, at + step(name), report);
          }
        };
      },
    },
    propertyNames: {
      about: 'object',
      make: (given, place) => {
        const judge = place.inside(given, '', ['string']);
        return (value, at, report) => {
          for (const name of Object.keys(value as object)) {
            if (!passes(judge, name)) report(at, 'property name must be valid');
          }
        };
      },
    },
    minProperties: count(
      'object',
      (value: object, n) => Object.keys(value).length >= n,
      'properties',
      'fewer',
    ),
    maxProperties: count(
      'object',
      (value: object, n) => Object.keys(value).length <= n,
      'properties',
      'more',
    ),
    dependencies: {
      about: 'object',
      make: byName((given, place) => {
        const rules = Object.entries(given).map(([name, rule]) => {
          if (!Array.isArray(rule)) return [name, place.here(rule, `.${name}`)] as const;
          const needed = KEYWORDS['required']!.make!(rule, place)!;
          return [name, needed] as const;
        });
        return (value, at, report) => {
          for (const [name, judge] of rules)
            if (Object.hasOwn(value as object, name)) judge(value, at, report);
        };
      }),
    },

    allOf: {
      make: (given, place) => {
        const all = several(given, place);
        return (value, at, report) => {
          for (const judge of all) judge(value, at, report);
        };
      },
    },
    anyOf: {
      make: (given, place) => {
        const some = several(given, place);
        return (value, at, report) => {
          if (!some.some((judge) => passes(judge, value))) report(at, 'must match a schema in anyOf');
        };
      },
    },
    oneOf: {
      make: (given, place) => {
        const one = several(given, place);
        return (value, at, report) => {
          if (one.filter((judge) => passes(judge, value)).length !== 1) {
            report(at, 'must match exactly one schema in oneOf');
          }
        };
      },
    },
    not: {
      make: (given, place) => {
        const judge = place.here(given);
        return (value, at, report) => {
          if (passes(judge, value)) report(at, 'must NOT be valid');
        };
      },
    },
    if: {
      make: (_given, { beside, wrong }) =>
        'then' in beside || 'else' in beside ? undefined : wrong('has no effect without then or else'),
    },
    // oxlint-disable-next-line unicorn/no-thenable -- the keyword is called so; the table is never awaited
    then: branch(true),
    else: branch(false),
  } satisfies Record<string, Keyword>),
);

function passes(judge: Judge, value: unknown): boolean {
  let fine = true;
  judge(value, '', () => (fine = false));
  return fine;
}

function every(list: readonly unknown[], from: number, judge: Judge, at: string, report: Report): void {
  for (let index = from; index < list.length; index++) judge(list[index], at + step(index), report);
}

function branch(when: boolean): Keyword {
  return {
    make: (given, place) => {
      if (!Object.hasOwn(place.beside, 'if')) return place.wrong('has no effect without if');
      const [asked, judge] = [place.here(place.beside['if']), place.here(given)];
      return (value, at, report) => {
        if (passes(asked, value) === when) judge(value, at, report);
      };
    },
  };
}

function bound(
  about: TypeName,
  holds: (given: number, value: number) => boolean,
  message: (given: number) => string,
): Keyword {
  return {
    about,
    make: (given, place) => {
      if (typeof given !== 'number' || !Number.isFinite(given)) return place.wrong('must be a number');
      return (value, at, report) => {
        if (!holds(given, value as number)) report(at, message(given));
      };
    },
  };
}

function count<Value>(
  about: TypeName,
  holds: (value: Value, n: number) => boolean,
  what: string,
  not: 'fewer' | 'more',
): Keyword {
  return {
    about,
    make: (given, place) => {
      const n = whole(given, place);
      return (value, at, report) => {
        if (!holds(value as Value, n)) report(at, `must NOT have ${not} than ${n} ${what}`);
      };
    },
  };
}

function whole(given: unknown, place: Place): number {
  if (!Number.isSafeInteger(given) || (given as number) < 0)
    return place.wrong('must be a whole number from 0');
  return given as number;
}

function texts(given: unknown, place: Place): readonly string[] {
  if (!Array.isArray(given) || given.some((one) => typeof one !== 'string')) {
    return place.wrong('must be a list of names');
  }
  return given as string[];
}

function expression(given: unknown, place: Place): RegExp {
  try {
    if (typeof given === 'string') return new RegExp(given, 'u');
  } catch {
    // Said below.
  }
  return place.wrong('must be a regular expression that is valid with the flag u');
}

function several(given: unknown, place: Place): readonly Judge[] {
  if (!Array.isArray(given) || given.length === 0) return place.wrong('must be a list of schemas');
  return given.map((schema, index) => place.here(schema, `[${index}]`));
}

function judges(schemas: JsonObject, place: Place): readonly (readonly [string, Judge])[] {
  return Object.entries(schemas).map(([name, schema]) => [name, place.inside(schema, `.${name}`)] as const);
}

function byName(
  make: (schemas: JsonObject, place: Place) => Judge | undefined,
): NonNullable<Keyword['make']> {
  return (given, place) =>
    isObject(given) ? make(given, place) : place.wrong('must be an object of schemas by name');
}
