import assert from 'node:assert/strict';
import { describe, expect, test } from '@jest/globals';
import { Ajv } from 'ajv';
import fc from 'fast-check';
import { readFileSync } from 'node:fs';
import { readSchema } from '../src/json-schema/read-schema.js';

type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
interface Group {
  readonly description: string;
  readonly schema: Json;
  readonly tests: readonly { readonly description: string; readonly data: Json; readonly valid: boolean }[];
}

// JSON Schema's own suite, draft 7, required cases; it stands with the package validation (its README says whose it is).
const suite = readFileSync(
  new URL('../../validation/test/json-schema-suite/draft7.jsonl', import.meta.url),
  'utf8',
)
  .trimEnd()
  .split('\n')
  .map((line) => JSON.parse(line) as { readonly file: string; readonly groups: readonly Group[] });

const ANY = ['null', 'boolean', 'integer', 'number', 'string', 'array', 'object'];
const BY_NAME = ['properties', 'patternProperties', 'definitions', '$defs', 'dependencies'];
const DATA = ['enum', 'const', 'default', 'examples', 'required', 'type'];

/** The same schema, as our stricter reader wants it: with a type that takes all, and with every required name listed. */
function written(schema: Json): Json {
  if (Array.isArray(schema)) return schema.map(written);
  if (typeof schema !== 'object' || schema === null) return schema;
  const own = Object.fromEntries(
    Object.entries(schema).map(([keyword, value]) => {
      if (DATA.includes(keyword)) return [keyword, value];
      if (!BY_NAME.includes(keyword) || typeof value !== 'object' || value === null)
        return [keyword, typeof value === 'object' ? written(value) : value];
      const entries = Object.entries(value as { [name: string]: Json });
      return [keyword, Object.fromEntries(entries.map(([name, one]) => [name, listed(one)]))];
    }),
  ) as { [name: string]: Json };
  if ('$ref' in schema) return own;
  own['type'] ??= ANY;
  if (Array.isArray(schema['required']) && !('additionalProperties' in schema)) {
    const names = (schema['required'] as string[]).map((name) => [name, true] as const);
    own['properties'] = { ...Object.fromEntries(names), ...(own['properties'] as object | undefined) };
  }
  return own;
}

const listed = (rule: Json): Json =>
  Array.isArray(rule) && rule.every((one) => typeof one === 'string') ? rule : written(rule);

describe("JSON Schema's own suite, draft 7", () => {
  test('692 of its 927 cases start, and each is answered as the suite asks for; the rest is refused with a reason', () => {
    const wrong: string[] = [];
    const refused = new Set<string>();
    let cases = 0;
    for (const { file, groups } of suite) {
      for (const group of groups) {
        let check: ReturnType<typeof readSchema>;
        try {
          check = readSchema(written(group.schema), 'X');
        } catch (error) {
          expect([group.description, (error as Error).name]).toEqual([group.description, 'OptionError']);
          refused.add((error as { option: string }).option.split('.').at(-1)!);
          continue;
        }
        cases += group.tests.length;
        for (const one of group.tests) {
          if ((check(one.data).length === 0) !== one.valid)
            wrong.push(`${file}: ${group.description}: ${one.description}`);
        }
      }
    }
    expect([wrong, cases]).toEqual([[], 692]);
    // Tuples, branches and references without a certain meaning, other documents, and formats.
    expect([...refused].sort()).toEqual([
      ...['$id', '$ref', 'additionalItems', 'else', 'format', 'if', 'items', 'maxItems', 'then'],
    ]);
  });
});

/** Schemas that ajv starts in strict mode too, three levels deep, over few names and values, so that they meet. */
// Not toString or constructor: ajv's equality asks objects for them.
const name = fc.constantFrom('a', 'b', '__proto__', 'hasOwnProperty');
const scalar: fc.Arbitrary<Json> = fc.constantFrom<Json>(
  null,
  true,
  0,
  1,
  -1,
  1.5,
  2,
  '',
  'a',
  'ab',
  '\u{1f600}',
  'toString',
);
const value = (depth: number): fc.Arbitrary<Json> =>
  depth === 0
    ? scalar
    : fc.oneof(scalar, fc.array(value(depth - 1), { maxLength: 3 }), members(value(depth - 1)));
function members<T extends Json>(of: fc.Arbitrary<T>): fc.Arbitrary<{ [name: string]: T }> {
  return fc.array(fc.tuple(name, of), { maxLength: 3 }).map((entries) => Object.fromEntries(entries));
}
const number = fc.constantFrom(0, 1, 2, 1.5);
const few = fc.constantFrom(0, 1, 2);
const some = <T>(of: T) =>
  fc.record(of as never, { requiredKeys: [] }) as fc.Arbitrary<{ [name: string]: Json }>;
const typed = (type: string, rest: { [name: string]: Json }): fc.Arbitrary<{ [name: string]: Json }> =>
  fc.constantFrom<Json>(type, ANY).map((types) => ({ type: types, ...rest }));
function schema(depth: number): fc.Arbitrary<Json> {
  const next = depth === 0 ? fc.boolean() : schema(depth - 1);
  const several = fc.array(next, { minLength: 1, maxLength: 3 });
  const about: readonly fc.Arbitrary<{ [name: string]: Json }>[] = [
    some({
      minimum: number,
      maximum: number,
      exclusiveMinimum: number,
      exclusiveMaximum: number,
      multipleOf: fc.constantFrom(0.5, 1, 2),
    }).chain((rest) => typed('number', rest)),
    some({ minLength: few, maxLength: few, pattern: fc.constantFrom('^a', 'b$', '^$') }).chain((rest) =>
      typed('string', rest),
    ),
    some({ items: next, contains: next, minItems: few, maxItems: few, uniqueItems: fc.boolean() }).chain(
      (rest) => typed('array', rest),
    ),
    some({
      properties: members(next),
      patternProperties: fc.constant({ '^a': false }),
      additionalProperties: next,
      propertyNames: fc.constant({ maxLength: 2 }),
      minProperties: few,
      maxProperties: few,
    }).chain((rest) => typed('object', rest)),
    some({
      allOf: several,
      anyOf: several,
      oneOf: several,
      not: next,
      enum: fc.array(value(1), { minLength: 1, maxLength: 3 }),
      const: value(1),
    }),
    fc.tuple(next, next, next).map(([asked, yes, no]) => ({ if: asked, then: yes, else: no })),
    fc.constantFrom('null', 'boolean', 'integer', 'number').map((type) => ({ type })),
  ];
  return fc.oneof(...about);
}

test('over 10,000 random values and their schemas ajv in strict mode comes to the same verdict', () => {
  const ajv = () =>
    new Ajv({
      strict: true,
      strictTypes: false,
      allowMatchingProperties: true,
      validateSchema: false,
      allowUnionTypes: true,
      ownProperties: true,
      multipleOfPrecision: 9,
      logger: false,
    });
  let [accepted, refused] = [0, 0];
  fc.assert(
    fc.property(schema(2), fc.array(value(2), { minLength: 50, maxLength: 50 }), (given, values) => {
      // Ajv leaves properties.__proto__ out; ours is what the standard says, and the suite has a case for it.
      fc.pre(!JSON.stringify(given).includes('"__proto__":'));
      const [ours, theirs] = [readSchema(given, 'X'), ajv().compile(given as object)];
      for (const one of values) {
        const verdict = ours(one).length === 0;
        assert.deepEqual(
          [JSON.stringify(given), JSON.stringify(one), verdict],
          [JSON.stringify(given), JSON.stringify(one), theirs(one)],
        );
        if (verdict) accepted++;
        else refused++;
      }
    }),
    { numRuns: 200 },
  );
  // Neither verdict is rare.
  expect(Math.min(accepted, refused)).toBeGreaterThan(1000);
}, 60_000);

describe('a schema whose rule would not be there, or would not hold, does not start', () => {
  test.each<[string, Json, string]>([
    [
      'a misspelt keyword',
      { type: 'object', propertis: {} },
      'X has no keyword "propertis". Did you mean "properties"?',
    ],
    ['a keyword of another type', { type: 'string', maximum: 3 }, 'X.maximum is about type number'],
    ['a keyword without a type', { minLength: 3 }, 'X.minLength is about type string'],
    ['a keyword of the wrong form', { type: 'string', minLength: '3' }, 'X.minLength must be a whole number'],
    ['an unknown type', { type: 'text' }, 'X.type must be among null, boolean'],
    ['a format', { type: 'string', format: 'uri' }, 'X.format is not checked by anything here'],
    [
      'a required name that is not listed',
      { type: 'object', properties: { host: true }, required: ['hots'] },
      'X.required names "hots"',
    ],
    ['a pattern that is none', { type: 'string', pattern: '(' }, 'X.pattern must be a regular expression'],
    ['a list of no values', { enum: [] }, 'X.enum must be a list of values'],
    ['a tuple of no certain length', { type: 'array', items: [true, true] }, 'X.items is a tuple of 2'],
    [
      'rules beside a reference',
      { $ref: '#/$defs/a', type: 'string', $defs: { a: true } },
      'X.type has no effect beside $ref',
    ],
    [
      'a reference to another document',
      { $ref: 'https://example.com/schema' },
      'X.$ref must lead into the same document',
    ],
    ['a reference to nowhere', { $ref: '#/$defs/a' }, 'X.$ref leads nowhere'],
    ['a reference to a member of the prototype', { $ref: '#/toString' }, 'X.$ref leads nowhere'],
    [
      'a circle',
      { $defs: { a: { $ref: '#/$defs/b' }, b: { allOf: [{ $ref: '#/$defs/a' }] } }, $ref: '#/$defs/a' },
      'X refers to itself',
    ],
    ['a condition without branches', { if: true }, 'X.if has no effect'],
    ['a branch without a condition', { then: true }, 'X.then has no effect'],
    ['no schema', { type: 'object', properties: { a: 'string' } }, 'X.properties.a must be a schema'],
  ])('%s', (_what, given, problem) => {
    expect(() => readSchema(given, 'X')).toThrow(
      expect.objectContaining({ name: 'OptionError', message: expect.stringContaining(problem) }),
    );
  });
});

test('what is wrong is told with its place, up to a bound, and depth ends in a sentence', () => {
  const routes = readSchema(
    {
      type: 'object',
      properties: { 'a/b': { type: 'array', items: { type: 'integer', minimum: 1 } } },
      required: ['a/b'],
      additionalProperties: false,
    },
    'ROUTES',
  );
  expect(routes({ 'a/b': [1, 0, 'x'], more: 1 })).toEqual([
    { at: '/a~1b/1', message: 'must be >= 1' },
    { at: '/a~1b/2', message: 'must be integer' },
    { at: '', message: 'must NOT have additional properties' },
  ]);
  expect(routes({})).toEqual([{ at: '', message: "must have required property 'a/b'" }]);
  expect(routes({ 'a/b': Array.from({ length: 500 }, () => 0) })).toHaveLength(100);

  const tree = readSchema({ type: 'array', items: { $ref: '#' } }, 'TREE');
  let deep: Json = [];
  for (let depth = 0; depth < 50_000; depth++) deep = [deep];
  expect(tree([[], [[]]])).toEqual([]);
  expect(tree([[1]])).toEqual([{ at: '/0/0', message: 'must be array' }]);
  expect(tree(deep)).toEqual([{ at: '', message: 'is nested too deep' }]);
});
