/** A JSON Schema (2019-09 with local references). Literals give types: see {@link FromSchema}. */
export interface Schema {
  readonly [keyword: string]: unknown;
}

/** The parts of a request that can be validated. */
export type PartName = 'body' | 'query' | 'params' | 'headers' | 'cookies';
export type Schemas = { readonly [Part in PartName]?: Schema };

/** What passes a set of schemas, part by part. */
export type ValidOf<S> = { readonly [Part in keyof S & PartName]: FromSchema<S[Part]> };

/**
 * The type of what passes a schema literal: `type`, `properties`, `required`, `items`, `enum`, `const`, `anyOf`,
 * `oneOf`, `default`. Anything else is `unknown`; formats and bounds do not change a type.
 */
export type FromSchema<S> = S extends { readonly const: infer Value }
  ? Value
  : S extends { readonly enum: readonly (infer Value)[] }
    ? Value
    : S extends { readonly anyOf: readonly (infer Choice)[] }
      ? FromSchema<Choice>
      : S extends { readonly oneOf: readonly (infer Choice)[] }
        ? FromSchema<Choice>
        : S extends { readonly type: readonly (infer Type)[] }
          ? OfType<S, Type>
          : S extends { readonly type: infer Type }
            ? OfType<S, Type>
            : unknown;

type OfType<S, Type> = Type extends 'string'
  ? string
  : Type extends 'integer' | 'number'
    ? number
    : Type extends 'boolean'
      ? boolean
      : Type extends 'null'
        ? null
        : Type extends 'array'
          ? S extends { readonly items: infer Item }
            ? FromSchema<Item>[]
            : unknown[]
          : Type extends 'object'
            ? OfObject<S>
            : unknown;

type OfObject<S> = S extends { readonly properties: infer Properties }
  ? Flat<
      { -readonly [Key in keyof Properties & Present<S, Properties>]: FromSchema<Properties[Key]> } & {
        -readonly [Key in Exclude<keyof Properties, Present<S, Properties>>]?: FromSchema<Properties[Key]>;
      }
    >
  : Record<string, unknown>;

/** Required, or filled in by a default. */
type Present<S, Properties> =
  | (S extends { readonly required: readonly (infer Name)[] } ? Name : never)
  | {
      [Key in keyof Properties]: Properties[Key] extends { readonly default: unknown } ? Key : never;
    }[keyof Properties];

type Flat<T> = { [Key in keyof T]: T[Key] };
