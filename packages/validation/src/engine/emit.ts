import { _, type KeywordCxt } from 'ajv';
import { Ajv2019, type Options } from 'ajv/dist/2019.js';
import standalone from 'ajv/dist/standalone/index.js';
import { isError, OptionError } from '@portcullis/core';
import type { Schema } from '../schema.js';
import { PROTOTYPE_MEMBER } from './as-written.js';
import { scope } from './scope.js';

/**
 * How a schema is meant. Input: closed, bounded, texts are lines. Output: closed; data of the service itself. Both are
 * written out by prepareSchema(). As written: what the standard says, nothing else.
 */
export type Dialect = 'input' | 'output' | 'as-written';

const COMMON: Options = {
  allowUnionTypes: true,
  ownProperties: true, // Else `required: ['toString']` is satisfied by {}.
  validateSchema: false, // prepareSchema() has checked every keyword, at a twentieth of the cost.
  meta: false,
  logger: false,
  code: { source: true, formats: _`scope.formats` },
};

const STRICT: Options = {
  ...COMMON,
  strict: true,
  strictRequired: false, // prepareSchema() says it better.
  multipleOfPrecision: 9, // Else 19.99 is no multiple of 0.01.
  formats: scope.formats,
};

const OPTIONS: Readonly<Record<Dialect, Options>> = {
  input: { ...STRICT, useDefaults: true },
  output: STRICT,
  'as-written': { ...COMMON, strict: false, validateFormats: false },
};

/**
 * The body of a function of `scope` that returns the checks of a schema. What runs at start and what is written to a
 * file ahead of time is this same text.
 * @throws OptionError if ajv cannot compile the schema; EvalError where the process makes no code from text
 */
export function emit(schema: Schema | boolean, dialect: Dialect, owner: string, path: string): string {
  try {
    const first = emitOne(schema, OPTIONS[dialect]);
    const all = emitOne(schema, { ...OPTIONS[dialect], allErrors: true });
    return `"use strict";\nreturn { first: ${first}, all: ${all} };`;
  } catch (error) {
    if (isError(error) && error.name === 'EvalError') throw error; // Ajv runs what it generates.
    const reason = isError(error) ? error.message : 'unknown reason';
    throw new OptionError('E_OPTION_VALUE', owner, path, `${path} does not compile: ${reason}`);
  }
}

function emitOne(schema: Schema | boolean, options: Options): string {
  const ajv = new Ajv2019(options);
  ajv.addKeyword({ keyword: PROTOTYPE_MEMBER, schemaType: ['object', 'boolean'], code: prototypeMember });
  const source = standalone.default(ajv, ajv.compile(schema));
  const [, name = '', body = ''] = HEADER.exec(source) ?? [];
  const own = body.replaceAll(/require\("ajv\/dist\/runtime\/(equal|ucs2length)"\)\.default/g, 'scope.$1');
  if (name === '' || /\brequire\(|\bnew Function\b|\beval\(/.test(withoutTexts(own))) {
    throw new Error('ajv has generated code of another form than is known here');
  }
  return `(() => {\n${own}\nreturn ${name};\n})()`;
}

const HEADER = /^"use strict";\s*module\.exports = (\w+);\s*module\.exports\.default = \1;([^]*)$/;

/** Without what stands in quotes: names and texts of the schema. */
function withoutTexts(code: string): string {
  return code.replaceAll(/"(?:[^"\\]|\\.)*"/g, '""');
}

/** Ajv leaves `properties.__proto__` out; on copies without a prototype it is a property like any other. */
function prototypeMember(cxt: KeywordCxt): void {
  const { gen, data, it } = cxt;
  const valid = gen.let('valid', true);
  gen.if(
    _`${data} && typeof ${data} == "object" && Object.prototype.hasOwnProperty.call(${data}, "__proto__")`,
    () => {
      cxt.subschema({ keyword: PROTOTYPE_MEMBER, dataProp: '__proto__' }, valid);
    },
  );
  if (!it.allErrors) cxt.ok(valid);
}
