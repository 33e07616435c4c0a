import { nearest, OptionError } from '@portcullis/core';
import { isObject, type JsonObject, type TypeName } from './json-values.js';
import { KEYWORDS, type Judge, type Place, type Report } from './keywords.js';

/** Says what is wrong with a value, by sentences with the JSON Pointer of what they are about. Empty: nothing. */
export type SchemaCheck = (value: unknown) => readonly Finding[];
export interface Finding {
  readonly at: string;
  readonly message: string;
}

/** What is wrong with one document is told up to here. */
const MAX_FINDINGS = 100;

/**
 * Reads a JSON Schema (draft 7) once and for all. Nothing is compiled: it works where a process makes no code from text.
 *
 * Stricter than the standard, so that no rule is there and does nothing: unknown keywords, `format`, keywords about
 * another type than the declared one, names that are required but not listed, tuples of no certain length, and
 * keywords beside `$ref` are refused. References lead into the same document only.
 * @throws OptionError
 */
export function readSchema(schema: unknown, name: string): SchemaCheck {
  const judge = new SchemaReader(schema, name).read();
  return (value) => {
    const findings: Finding[] = [];
    const report: Report = (at, message) => {
      if (findings.length < MAX_FINDINGS) findings.push({ at, message });
    };
    try {
      judge(value, '', report);
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      report('', 'is nested too deep');
    }
    return findings;
  };
}

/** What the schemas around say about the same value. */
interface Around {
  readonly types: readonly TypeName[] | undefined;
  readonly names: ReadonlySet<string>;
}

const NOTHING: Around = { types: undefined, names: new Set() };

class SchemaReader {
  /** What references lead to, by their text; undefined while it is being read. */
  readonly #referred = new Map<string, Judge | undefined>();
  /** Schemas that judge the same value: a circle of them would never end. */
  readonly #here = new Map<unknown, unknown[]>();

  constructor(
    readonly root: unknown,
    readonly name: string,
  ) {}

  read(): Judge {
    const judge = this.#schema(this.root, this.name, NOTHING);
    this.#refuseCircles();
    return judge;
  }

  #schema(schema: unknown, path: string, around: Around): Judge {
    if (typeof schema === 'boolean') {
      return (_value, at, report) => void (schema || report(at, 'is not accepted'));
    }
    if (!isObject(schema)) return this.#wrong(path, 'must be a schema: an object, true or false');
    const within = this.#around(schema, path, around);
    const rules: { readonly about: TypeName | undefined; readonly judge: Judge }[] = [];
    for (const [keyword, given] of Object.entries(schema)) {
      const known = KEYWORDS[keyword];
      if (!known) return this.#unknown(keyword, path);
      this.#checkPlace(keyword, known.about, schema, path, within);
      const judge = known.make?.(given, this.#place(schema, `${path}.${keyword}`, within));
      if (judge) rules.push({ about: known.about, judge });
    }
    return (value, at, report) => {
      for (const { about, judge } of rules) {
        if (about === undefined || isAbout(about, value)) judge(value, at, report);
      }
    };
  }

  #place(beside: JsonObject, path: string, around: Around): Place {
    return {
      beside,
      here: (schema, at = '') => {
        this.#here.set(beside, [...(this.#here.get(beside) ?? []), schema]);
        return this.#schema(schema, path + at, around);
      },
      inside: (schema, at = '', types) => this.#schema(schema, path + at, { ...NOTHING, types }),
      referred: (reference) => this.#reference(reference, beside, path),
      wrong: (problem) => this.#wrong(path, problem),
    };
  }

  #around(schema: JsonObject, path: string, around: Around): Around {
    const { type, properties, required } = schema;
    const own = type === undefined ? undefined : ([type].flat() as TypeName[]);
    const names = new Set(around.names);
    if (isObject(properties)) for (const name of Object.keys(properties)) names.add(name);
    for (const name of Array.isArray(required) ? required : []) {
      if (names.has(String(name))) continue;
      this.#wrong(`${path}.required`, `names "${String(name)}", which is not among the properties`);
    }
    return { types: own ?? around.types, names };
  }

  #checkPlace(
    keyword: string,
    about: TypeName | undefined,
    schema: JsonObject,
    path: string,
    { types }: Around,
  ) {
    if (keyword === '$id' && schema !== this.root)
      this.#wrong(`${path}.$id`, 'is for the whole document only');
    if (keyword === '$ref') {
      const others = Object.keys(schema).filter((name) => name !== '$ref' && KEYWORDS[name]?.make);
      const read = others.filter((name) => name !== 'definitions' && name !== '$defs');
      if (read.length > 0)
        this.#wrong(`${path}.${read[0]!}`, 'has no effect beside $ref; put both into allOf');
    }
    if (
      about !== undefined &&
      !types?.some((type) => type === about || (type === 'integer' && about === 'number'))
    ) {
      this.#wrong(`${path}.${keyword}`, `is about type ${about}, which the schema does not name`);
    }
    if (keyword === 'items' && Array.isArray(schema['items']))
      this.#checkTuple(schema, path, schema['items'].length);
  }

  #checkTuple({ minItems, maxItems, additionalItems }: JsonObject, path: string, length: number): void {
    if (minItems === length && (maxItems === length || additionalItems !== undefined)) return;
    this.#wrong(
      `${path}.items`,
      `is a tuple of ${length}: say minItems: ${length}, and maxItems or additionalItems`,
    );
  }

  #reference(reference: unknown, from: JsonObject, path: string): Judge {
    const text = typeof reference === 'string' ? reference : this.#wrong(path, 'must be a text');
    if (!/^#(?:\/|$)/.test(text))
      this.#wrong(path, 'must lead into the same document, such as #/definitions/name');
    const target = follow(this.root, text);
    if (target === undefined) this.#wrong(path, 'leads nowhere');
    this.#here.set(from, [...(this.#here.get(from) ?? []), target]);
    if (!this.#referred.has(text)) {
      this.#referred.set(text, undefined);
      this.#referred.set(text, this.#schema(target, path, NOTHING));
    }
    return (value, at, report) => this.#referred.get(text)!(value, at, report);
  }

  #refuseCircles(): void {
    const done = new Set<unknown>();
    const open = new Set<unknown>();
    const visit = (schema: unknown): void => {
      if (!isObject(schema) || done.has(schema)) return;
      if (open.has(schema)) this.#wrong(this.name, 'refers to itself without going into the value');
      open.add(schema);
      for (const next of this.#here.get(schema) ?? []) visit(next);
      open.delete(schema);
      done.add(schema);
    };
    for (const schema of this.#here.keys()) visit(schema);
  }

  #unknown(keyword: string, path: string): never {
    if (keyword === 'format') {
      this.#wrong(
        `${path}.format`,
        'is not checked by anything here; use pattern, or a setting of its own kind',
      );
    }
    const meant = nearest(keyword, Object.keys(KEYWORDS));
    const hint = meant === undefined ? '' : `. Did you mean "${meant}"?`;
    throw new OptionError('E_OPTION_VALUE', 'loadConfig', path, `${path} has no keyword "${keyword}"${hint}`);
  }

  #wrong(path: string, problem: string): never {
    throw new OptionError('E_OPTION_VALUE', 'loadConfig', path, `${path} ${problem}`);
  }
}

function isAbout(type: TypeName, value: unknown): boolean {
  if (type === 'object') return isObject(value);
  return type === 'array' ? Array.isArray(value) : typeof value === type;
}

/** RFC 6901, written as the fragment of a URI. */
function follow(root: unknown, reference: string): unknown {
  let target = root;
  for (const part of reference
    .slice(2)
    .split('/')
    .slice(reference === '#' ? 1 : 0)) {
    const name = decoded(part);
    if (typeof target !== 'object' || target === null || name === undefined || !Object.hasOwn(target, name)) {
      return undefined;
    }
    target = (target as JsonObject)[name];
  }
  return target;
}

function decoded(part: string): string | undefined {
  try {
    return decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~');
  } catch {
    return undefined;
  }
}
