import { nearest, option, OptionError, readOptions, type OptionReader } from '@portcullis/core';
import { kinds, type Kind } from './kinds.js';

export interface FileRule {
  /** Kinds that are accepted, by name, such as `['png', 'jpeg', 'webp']`; see {@link uploadKinds}. */
  readonly kinds: readonly string[];
  /** Bytes of one file, 1 to 100 GiB. @default 5_242_880 (5 MiB) */
  readonly maxBytes?: number;
  /** Files under this name, 1 to 1,000. @default 1 */
  readonly maxCount?: number;
  /** @default true */
  readonly required?: boolean;
  /** A name without extension passes, such as the `blob` of a script. A wrong extension never does. @default false */
  readonly extensionOptional?: boolean;
  /**
   * Accept kinds whose content cannot be looked into here (7z, rar, xz, old Office files, ...): bombs, links and nested
   * files in them go unseen. @default false
   */
  readonly dangerouslyUnchecked?: boolean;
}

export interface FieldRule {
  /** Bytes of one value, 1 to 1 MiB. @default 1_000 */
  readonly maxBytes?: number;
  /** Values under this name, 1 to 1,000. @default 1 */
  readonly maxCount?: number;
  /** @default false */
  readonly required?: boolean;
}

export interface ReceiveOptions {
  /** What may be uploaded, by the name of the form's field. Nothing else is taken. */
  readonly files: Readonly<Record<string, FileRule>>;
  /** Text fields beside them. @default {} */
  readonly fields?: Readonly<Record<string, FieldRule>>;
  /** Bytes of the whole body. @default what files and fields may have together, and 64 KiB */
  readonly maxBytes?: number;
}

export interface ReadFileRule {
  readonly kinds: readonly Kind[];
  readonly maxBytes: number;
  readonly maxCount: number;
  readonly required: boolean;
  readonly extensionOptional: boolean;
}

export interface Rules {
  readonly files: ReadonlyMap<string, ReadFileRule>;
  readonly fields: ReadonlyMap<string, Required<FieldRule>>;
  readonly maxBytes: number;
  readonly maxParts: number;
}

const OWNER = 'uploads.receive';
const FRAME_BYTES = 64 * 1024;

/** @throws OptionError */
export function readRules(options: ReceiveOptions): Rules {
  const { files, fields, maxBytes } = readOptions(OWNER, options, {
    files: named(readFileRule),
    fields: named(readFieldRule),
    maxBytes: option.optional(option.integer({ min: 1, max: 2 ** 40 })),
  });
  if (files.size === 0)
    throw new OptionError('E_OPTION_REQUIRED', OWNER, 'files', 'at least one file needs a rule');
  const twice = [...files.keys()].find((name) => fields.has(name));
  if (twice !== undefined) {
    throw new OptionError(
      'E_OPTION_CONFLICT',
      OWNER,
      `fields.${twice}`,
      `"${twice}" is a file as well as a text`,
    );
  }
  const all = [...files.values(), ...fields.values()];
  const sum = all.reduce((total, rule) => total + rule.maxBytes * rule.maxCount, FRAME_BYTES);
  return {
    files,
    fields,
    maxBytes: maxBytes ?? sum,
    maxParts: all.reduce((total, rule) => total + rule.maxCount, 0),
  };
}

const named =
  <T>(read: OptionReader<T>): OptionReader<ReadonlyMap<string, T>> =>
  (value, owner, path) => {
    if (value === undefined) return new Map();
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new OptionError('E_OPTION_TYPE', owner, path, `${path} must be an object of rules by name`);
    }
    return new Map(Object.entries(value).map(([name, rule]) => [name, read(rule, owner, `${path}.${name}`)]));
  };

const readFileRule: OptionReader<ReadFileRule> = (value, owner, path) => {
  const rule = readOptions(
    owner,
    value,
    {
      kinds: option.array(readKind, { min: 1, max: 100 }),
      maxBytes: option.integer({ min: 1, max: 100 * 2 ** 30, default: 5 * 2 ** 20 }),
      maxCount: option.integer({ min: 1, max: 1000, default: 1 }),
      required: option.boolean(true),
      extensionOptional: option.boolean(false),
      dangerouslyUnchecked: option.boolean(false),
    },
    path,
  );
  const opaque = rule.kinds.find((kind) => kind.opaque);
  if (opaque && !rule.dangerouslyUnchecked) {
    const problem = `files of kind "${opaque.name}" cannot be looked into; if that is all right, say dangerouslyUnchecked: true`;
    throw new OptionError('E_OPTION_CONFLICT', owner, `${path}.kinds`, problem);
  }
  return rule;
};

const readFieldRule: OptionReader<Required<FieldRule>> = (value, owner, path) =>
  readOptions(
    owner,
    value,
    {
      maxBytes: option.integer({ min: 1, max: 2 ** 20, default: 1000 }),
      maxCount: option.integer({ min: 1, max: 1000, default: 1 }),
      required: option.boolean(false),
    },
    path,
  );

const readKind: OptionReader<Kind> = (value, owner, path) => {
  const name = option.string({ max: 40 })(value, owner, path);
  const kind = kinds.get(name);
  if (kind) return kind;
  const near = nearest(name, [...kinds.keys()]);
  const hint = near ? `Did you mean "${near}"?` : `Known: ${[...kinds.keys()].join(', ')}.`;
  throw new OptionError('E_OPTION_VALUE', owner, path, `${path}: there is no kind "${name}". ${hint}`);
};
