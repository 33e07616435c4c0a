import { option, OptionError, readOptions, type OptionReader } from '@portcullis/core';
import type { OperationText } from './operation.js';

type Paths = Readonly<Record<string, Readonly<Record<string, object>>>>;

const NAME = /^[A-Za-z0-9._-]+$/;

export const readSchemes: OptionReader<Readonly<Record<string, object>>> = (value, owner, path) => {
  const entries = entriesOf(value, owner, path);
  for (const [name, scheme] of entries) {
    const { type } = (scheme ?? {}) as { type?: unknown };
    const known = ['apiKey', 'http', 'mutualTLS', 'oauth2', 'openIdConnect'].includes(type as string);
    if (NAME.test(name) && known) continue;
    const at = `${path}.${name}`;
    throw new OptionError('E_OPTION_VALUE', owner, at, `${at} must be a security scheme of OpenAPI 3.1`);
  }
  return Object.fromEntries(entries) as Record<string, object>;
};

const text = option.optional(option.string({ max: 10_000 }));

export const readOperations: OptionReader<Readonly<Record<string, OperationText>>> = (value, owner, path) =>
  Object.fromEntries(
    entriesOf(value, owner, path).map(([name, given]) => {
      const read = readOptions(
        owner,
        given,
        {
          summary: text,
          description: text,
          operationId: option.optional(option.string({ max: 200, pattern: NAME })),
          tags: option.array(option.string({ max: 100 }), { max: 20, default: [] }),
          deprecated: option.boolean(false),
          responses: readResponses,
        },
        `${path}.${name}`,
      );
      const present = Object.entries(read).filter(([, one]) => one !== undefined);
      return [name, Object.fromEntries(present) as OperationText] as const;
    }),
  );

const readResponses: OptionReader<Readonly<Record<string, string>>> = (value, owner, path) =>
  Object.fromEntries(
    entriesOf(value, owner, path).map(([status, description]) => {
      const at = `${path}.${status}`;
      if (/^[1-5]\d\d$/.test(status)) return [status, option.string({ max: 1000 })(description, owner, at)];
      throw new OptionError('E_OPTION_VALUE', owner, at, `${at} must be named by a status such as "404"`);
    }),
  );

export const readPaths: OptionReader<Paths> = (value, owner, path) =>
  Object.fromEntries(
    entriesOf(value, owner, path).map(([template, item]) => {
      const at = `${path}.${template}`;
      const operations = entriesOf(item ?? null, owner, at);
      const wrong = operations.find(([, one]) => typeof one !== 'object' || one === null);
      if (!template.startsWith('/') || wrong) {
        throw new OptionError('E_OPTION_VALUE', owner, at, `${at} must be a path item of OpenAPI 3.1`);
      }
      return [template, Object.fromEntries(operations) as Record<string, object>];
    }),
  );

function entriesOf(value: unknown, owner: string, path: string): readonly [string, unknown][] {
  if (value === undefined) return [];
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return Object.entries(value);
  throw new OptionError('E_OPTION_TYPE', owner, path, `${path} must be an object`);
}
