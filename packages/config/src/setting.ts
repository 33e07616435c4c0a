import { option, OptionError, readOptions, toMs, type Duration, type Secret } from '@portcullis/core';
import {
  asBoolean,
  asDuration,
  asInteger,
  asJson,
  asList,
  asNumber,
  asString,
  asUrl,
  deepFreeze,
  trimmed,
  type Coerce,
} from './coerce.js';

/**
 * A JSON Schema (draft 7), written as a literal. Unknown keywords, `format`, keywords about a type that is not declared,
 * and references to other documents do not start.
 */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** When a setting may be absent. Without any of these it is required everywhere. */
export interface Presence<Default> {
  /** Used where nothing is set. Checked like a value. */
  readonly default?: Default;
  /** Absent is `undefined`. */
  readonly optional?: true;
  /** Required in production; elsewhere the default, or `undefined`. */
  readonly requiredIn?: 'production';
  /** One line for people, shown by `describe()`. */
  readonly note?: string;
}

/** A declared setting; made by {@link setting}. `Value` is what `config.values` holds. */
export interface Setting<Value = unknown> {
  readonly type: string;
  readonly secret: boolean;
  readonly coerce: Coerce;
  readonly schema: JsonSchema;
  readonly presence: Presence<unknown>;
  /** Rules that only production enforces. */
  readonly production: ProductionRules;
  /** Carries the type only; never set. */
  readonly '~value'?: () => Value;
}

export interface ProductionRules {
  readonly minEntropyBits?: number;
  readonly samples?: readonly string[];
  readonly mayBeShared?: boolean;
  readonly mayBePlaintext?: boolean;
  /** The variable that says until when. */
  readonly notAfter?: string;
}

type Present<T, O> = O extends { readonly default: unknown }
  ? T
  : O extends { readonly optional: true } | { readonly requiredIn: 'production' }
    ? T | undefined
    : T;
type Kept<T, O> = Present<O extends { readonly secret: true } ? Secret<T> : T, O>;

export interface StringSetting extends Presence<string> {
  /** Least and most characters. @default 1 and 4096 */
  readonly min?: number;
  readonly max?: number;
  /** ECMAScript pattern with the `u` flag, unanchored as in JSON Schema. */
  readonly pattern?: string;
  /** Drops white space around the value instead of keeping it. @default false */
  readonly trim?: boolean;
}

export interface IntegerSetting extends Presence<number> {
  readonly min?: number;
  readonly max?: number;
  /** Also reads `0x1f`. @default false */
  readonly hex?: boolean;
  readonly trim?: boolean;
}

export interface NumberSetting extends Presence<number> {
  readonly min?: number;
  readonly max?: number;
  readonly trim?: boolean;
}

export interface BooleanSetting extends Presence<boolean> {
  /** Words for true. @default ['true'] */
  readonly truthy?: readonly string[];
  /** Words for false. @default ['false'] */
  readonly falsy?: readonly string[];
}

export interface DurationSetting extends Presence<Duration> {
  readonly min?: Duration;
  readonly max?: Duration;
}

export interface UrlSetting extends Presence<string> {
  /** Allowed protocols with their colon, such as `['postgres:', 'postgresql:']`. */
  readonly protocols: readonly string[];
  /** The URL may carry a password, and is a {@link Secret} therefore. @default false */
  readonly secret?: boolean;
  /** Lets production use an unencrypted protocol to another host. @default false */
  readonly dangerouslyAllowPlaintext?: boolean;
}

export interface SecretSetting extends Presence<string> {
  /** Fewest bytes of its UTF-8 text, in every environment. 1..4096. @default 16 */
  readonly minBytes?: number;
  /** Least entropy in bits that production accepts, estimated cautiously. 0..256. @default 64 */
  readonly minEntropyBits?: number;
  /** Values that were published as an example; production refuses them. */
  readonly samples?: readonly string[];
  /** Another setting may hold the same value in production. @default false */
  readonly dangerouslyAllowShared?: boolean;
  /**
   * Name of the variable that says until when this secret may be used, such as `'SESSION_KEY_NOT_AFTER'`: a last day
   * (`2027-01-31`, UTC) or a time with offset (RFC 3339). Production needs it beside the secret, and neither starts nor reloads with
   * one that has expired.
   */
  readonly notAfter?: string;
}

export interface ListSetting<T> extends Presence<readonly T[]> {
  /** @default ',' */
  readonly separator?: string;
  /** Fewest and most entries. @default 1 and 1000 */
  readonly min?: number;
  readonly max?: number;
  readonly unique?: boolean;
  /** Allows spaces around entries, and drops them. @default false */
  readonly trim?: boolean;
}

export interface JsonSetting extends Presence<unknown> {
  /** The text is a secret as a whole, such as the key file of a service account. @default false */
  readonly secret?: boolean;
}

/**
 * Declares settings. A text is read strictly: `0x10`, ` 1` and `yes` are refused unless declared.
 * @throws OptionError for a declaration that cannot be right
 */
export const setting = {
  string: <const O extends StringSetting>(options?: O): Setting<Present<string, O>> => {
    const o = read('string', options, {
      min: option.integer({ min: 0, max: 65_536, default: 1 }),
      max: option.integer({ min: 1, max: 65_536, default: 4096 }),
      pattern: option.optional(option.string()),
      trim: option.boolean(false),
    });
    const pattern = o.pattern === undefined ? {} : { pattern: o.pattern };
    return make('string', options, {
      coerce: o.trim ? trimmed(asString) : asString,
      schema: { type: 'string', minLength: o.min, maxLength: o.max, ...pattern },
    });
  },

  integer: <const O extends IntegerSetting>(options?: O): Setting<Present<number, O>> => {
    const o = read('integer', options, {
      min: anyNumber,
      max: anyNumber,
      hex: option.boolean(false),
      trim: option.boolean(false),
    });
    const coerce = asInteger({ hex: o.hex });
    return make('integer', options, {
      coerce: o.trim ? trimmed(coerce) : coerce,
      schema: { type: 'integer', ...range(o) },
    });
  },

  number: <const O extends NumberSetting>(options?: O): Setting<Present<number, O>> => {
    const o = read('number', options, { min: anyNumber, max: anyNumber, trim: option.boolean(false) });
    return make('number', options, {
      coerce: o.trim ? trimmed(asNumber) : asNumber,
      schema: { type: 'number', ...range(o) },
    });
  },

  boolean: <const O extends BooleanSetting>(options?: O): Setting<Present<boolean, O>> => {
    const o = read('boolean', options, {
      truthy: option.array(option.string(), { min: 1, max: 20, default: ['true'] }),
      falsy: option.array(option.string(), { min: 1, max: 20, default: ['false'] }),
    });
    return make('boolean', options, {
      coerce: asBoolean(o.truthy, o.falsy),
      schema: { type: 'boolean' },
    });
  },

  /** The value is in milliseconds. The text needs a unit: `'15m'`. */
  duration: <const O extends DurationSetting>(options?: O): Setting<Present<number, O>> => {
    const o = read('duration', options, {
      min: option.optional(option.duration()),
      max: option.optional(option.duration()),
    });
    return make('duration', options, {
      coerce: asDuration,
      schema: { type: 'number', ...range(o) },
      fromDefault: (value) => toMs(value) ?? fail('duration', "must be a duration such as '15m'"),
    });
  },

  oneOf: <const T extends string, const O extends Presence<T>>(
    known: readonly T[],
    options?: O,
  ): Setting<Present<T, O>> => {
    read('oneOf', options, {});
    if (known.length === 0) throw wrong('oneOf', 'known', 'needs at least one value');
    return make(`one of ${known.join(', ')}`, options, {
      coerce: asString,
      schema: { type: 'string', enum: [...known] },
    });
  },

  /** An absolute URL as text. Production refuses plain protocols to other hosts. */
  url: <const O extends UrlSetting>(options: O): Setting<Kept<string, O>> => {
    const o = read('url', options, {
      protocols: option.array(option.string({ pattern: /^[a-z][a-z0-9+.-]*:$/ }), { min: 1, max: 20 }),
      secret: option.boolean(false),
      dangerouslyAllowPlaintext: option.boolean(false),
    });
    const coerce = asUrl(o.protocols, o.secret);
    return make('url', options, {
      secret: o.secret,
      coerce,
      fromDefault: (value) => {
        const read = coerce(String(value));
        return 'problem' in read ? fail('url', read.problem) : read.value;
      },
      schema: { type: 'string' },
      production: { mayBePlaintext: o.dangerouslyAllowPlaintext },
    });
  },

  /** Key material or a password. The value is a {@link Secret}: nothing prints it. */
  secret: <const O extends SecretSetting>(options?: O): Setting<Present<Secret, O>> => {
    const o = read('secret', options, {
      minBytes: option.integer({ min: 1, max: 4096, default: 16 }),
      minEntropyBits: option.integer({ min: 0, max: 256, default: 64 }),
      samples: option.array(option.string(), { max: 100, default: [] }),
      dangerouslyAllowShared: option.boolean(false),
      notAfter: option.optional(option.string({ pattern: /^[A-Za-z][A-Za-z0-9_]*$/ })),
    });
    return make('secret', options, {
      secret: true,
      coerce: asString,
      schema: { type: 'string', minBytes: o.minBytes },
      production: {
        minEntropyBits: o.minEntropyBits,
        samples: o.samples,
        mayBeShared: o.dangerouslyAllowShared,
        ...(o.notAfter === undefined ? {} : { notAfter: o.notAfter }),
      },
    });
  },

  list: <T, const O extends ListSetting<T>>(
    item: Setting<T>,
    options?: O,
  ): Setting<Present<readonly T[], O>> => {
    const o = read('list', options, {
      separator: option.string({ max: 8, default: ',' }),
      min: option.integer({ min: 0, max: 1000, default: 1 }),
      max: option.integer({ min: 1, max: 1000, default: 1000 }),
      unique: option.boolean(false),
      trim: option.boolean(false),
    });
    if (item.secret) throw wrong('list', 'item', 'cannot be a secret; declare each secret by itself');
    const unique = o.unique ? { uniqueItems: true } : {};
    return make(`list of ${item.type}`, options, {
      coerce: asList(item.coerce, o.separator, o.trim),
      schema: { type: 'array', items: item.schema, minItems: o.min, maxItems: o.max, ...unique },
      production: item.production,
    });
  },

  /** JSON text, checked against the schema and frozen. Name its type: `setting.json<Routes>(schema)`. */
  json,
};

type Required = { readonly optional?: never; readonly requiredIn?: never };
type Defaulted = { readonly default: unknown };
type Open = { readonly secret?: false };
type Closed = { readonly secret: true };

// Overloads, because a caller who names T cannot have the other type parameter inferred.
function json<T = unknown>(
  schema: JsonSchema,
  options?: JsonSetting & Open & (Required | Defaulted),
): Setting<T>;
function json<T = unknown>(schema: JsonSchema, options: JsonSetting & Open): Setting<T | undefined>;
function json<T = unknown>(
  schema: JsonSchema,
  options: JsonSetting & Closed & (Required | Defaulted),
): Setting<Secret<T>>;
function json<T = unknown>(schema: JsonSchema, options: JsonSetting & Closed): Setting<Secret<T> | undefined>;
function json(schema: JsonSchema, options?: JsonSetting): Setting {
  const o = read('json', options, { secret: option.boolean(false) });
  if (typeof schema !== 'object' || schema === null) throw wrong('json', 'schema', 'must be an object');
  return make('json', options, { secret: o.secret, coerce: asJson, schema });
}

interface Parts {
  readonly coerce: Coerce;
  readonly schema: JsonSchema;
  readonly secret?: boolean;
  readonly production?: ProductionRules;
  readonly fromDefault?: (value: unknown) => unknown;
}

function make<Value>(type: string, options: unknown, parts: Parts): Setting<Value> {
  // Checked by readOptions() already; read only own properties here too.
  const given = Object.assign(Object.create(null), options) as Presence<unknown>;
  const { default: fallback, optional, requiredIn, note } = given;
  if (optional === true && (fallback !== undefined || requiredIn !== undefined)) {
    throw wrong(type, 'optional', 'goes neither with a default nor with requiredIn');
  }
  const value =
    fallback !== undefined && parts.fromDefault ? parts.fromDefault(fallback) : deepFreeze(fallback);
  return Object.freeze({
    type,
    secret: parts.secret ?? false,
    coerce: parts.coerce,
    schema: parts.schema,
    production: Object.freeze(parts.production ?? {}),
    presence: Object.freeze({
      ...(fallback === undefined ? {} : { default: value }),
      ...(optional ? { optional } : {}),
      ...(requiredIn ? { requiredIn } : {}),
      ...(note === undefined ? {} : { note }),
    }),
  });
}

const presence = {
  default: (value: unknown) => value,
  optional: option.optional(option.oneOf([true])),
  requiredIn: option.optional(option.oneOf(['production'])),
  note: option.optional(option.string({ max: 200 })),
};

type Readers = Parameters<typeof readOptions>[2];

function read<const R extends Readers>(type: string, options: unknown, readers: R) {
  return readOptions(`setting.${type}`, options, { ...presence, ...readers });
}

function anyNumber(value: unknown, owner: string, path: string): number | undefined {
  if (value === undefined || (typeof value === 'number' && Number.isFinite(value))) return value;
  throw new OptionError('E_OPTION_TYPE', owner, path, `${path} must be a finite number`);
}

function range(o: { min: number | undefined; max: number | undefined }): JsonSchema {
  return {
    ...(o.min === undefined ? {} : { minimum: o.min }),
    ...(o.max === undefined ? {} : { maximum: o.max }),
  };
}

function fail(type: string, problem: string): never {
  throw wrong(type, 'default', problem);
}

function wrong(type: string, path: string, problem: string): OptionError {
  return new OptionError('E_OPTION_VALUE', `setting.${type}`, path, `${path} ${problem}`);
}
