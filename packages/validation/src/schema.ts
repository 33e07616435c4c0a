/** A JSON Schema (2019-09 with local references). Literals give types: see {@link FromSchema}. */
export interface Schema {
  readonly [keyword: string]: unknown;
}

/** A schema made by TypeBox 1: a JSON Schema, but an interface without an index. */
export interface TypeBoxSchema {
  readonly '~kind': string;
}

export type JsonSchema = Schema | TypeBoxSchema;

/** What zod, valibot, arktype and others have in common (https://standardschema.dev, version 1). */
export interface StandardSchema<Output = unknown> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => StandardResult | Promise<StandardResult>;
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined;
  };
}

export type StandardResult =
  { readonly value: unknown; readonly issues?: undefined } | { readonly issues: readonly StandardIssue[] };

export interface StandardIssue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

export type AnySchema = JsonSchema | StandardSchema;

/** The parts of a request that can be validated. */
export type PartName = 'body' | 'query' | 'params' | 'headers' | 'cookies';
/** A status such as `201`, a class such as `'2xx'`, or `'default'` for every success that has none of its own. */
export type StatusName = number | `${number}` | '1xx' | '2xx' | '3xx' | '4xx' | '5xx' | 'default';
export type ResponseSchemas = { readonly [Status in StatusName]?: AnySchema };
export type Schemas = { readonly [Part in PartName]?: AnySchema } & { readonly response?: ResponseSchemas };

/** What passes a set of schemas, part by part. */
export type ValidOf<S> = { readonly [Part in keyof S & PartName]: FromSchema<S[Part]> };

/**
 * The type of what passes a schema literal: `type`, `properties`, `required`, `items`, `enum`, `const`, `anyOf`,
 * `oneOf`, `allOf`, `default`. Anything else is `unknown`; formats and bounds do not change a type. TypeBox 0.34 and Standard
 * Schemas bring their types along.
 */
export type FromSchema<S> = S extends { readonly '~standard': { readonly types?: infer Types } }
  ? NonNullable<Types> extends { readonly output: infer Output }
    ? Output
    : unknown
  : S extends { readonly static: infer Static; readonly params: unknown }
    ? Static
    : FromLiteral<S>;

type FromLiteral<S> = S extends { readonly const: infer Value }
  ? Value
  : S extends { readonly enum: readonly (infer Value)[] }
    ? Value
    : S extends { readonly anyOf: readonly (infer Choice)[] }
      ? FromSchema<Choice>
      : S extends { readonly oneOf: readonly (infer Choice)[] }
        ? FromSchema<Choice>
        : S extends { readonly allOf: infer Parts extends readonly unknown[] }
          ? FromAll<Parts>
          : S extends { readonly type: readonly (infer Type)[] }
            ? OfType<S, Type>
            : S extends { readonly type: infer Type }
              ? OfType<S, Type>
              : unknown;

/** All of them at once. */
type FromAll<Parts> = Parts extends readonly [infer First, ...infer Others]
  ? FromSchema<First> & FromAll<Others>
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
