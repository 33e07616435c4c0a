import { errors } from '../error-codes.js';
import { kinds, type Kind } from './kinds.js';
import { extensionOf } from './names.js';
import { about } from './read-multipart.js';
import type { ReadFileRule } from './rules.js';

/** What clients send when they do not know. */
const UNDECLARED: ReadonlySet<string> = new Set(['', 'application/octet-stream', 'binary/octet-stream']);

/**
 * Content, declared type and extension must say the same, and the rule must accept it.
 * @throws E_UPLOAD_TYPE (415)
 * @see OWASP ASVS 5.0 V5.2.2
 */
export function acceptKind(
  found: Kind,
  file: { readonly field: string; readonly givenName: string; readonly declaredType: string },
  rule: ReadFileRule,
): Kind {
  const refuse = (reason: string): never => {
    throw errors.E_UPLOAD_TYPE(about(reason, file.field));
  };
  const extension = extensionOf(file.givenName);
  const kind = closer(found, extension, rule) ?? refuse('kind');
  const declared = file.declaredType.toLowerCase();
  const known = declared === kind.type || kind.aliases.includes(declared) || UNDECLARED.has(declared);
  if (!known && !(kind.family === 'text' && declared === 'text/plain')) refuse('declared');
  if (extension === '' ? !rule.extensionOptional : !kind.extensions.includes(extension)) refuse('extension');
  return kind;
}

/** Among texts only the extension tells tables, Markdown and JSON apart. */
function closer(found: Kind, extension: string, { kinds: accepted }: ReadFileRule): Kind | undefined {
  if (found.name === 'text') {
    const special = accepted.find(
      ({ inside, extensions }) => inside === 'text' && extensions.includes(extension),
    );
    if (special) return special;
  }
  return accepted.find(({ name }) => name === found.name);
}

/** Names and media types of all kinds that can be told apart. */
export const uploadKinds: readonly {
  readonly name: string;
  readonly type: string;
  readonly extensions: readonly string[];
}[] = Object.freeze(
  [...kinds.values()].map(({ name, type, extensions }) => Object.freeze({ name, type, extensions })),
);
