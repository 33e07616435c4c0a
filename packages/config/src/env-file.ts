import { parse } from 'dotenv';

export interface EnvFile {
  readonly values: Readonly<Record<string, string>>;
  /** What dotenv would have dropped or cut without a word. */
  readonly problems: readonly { readonly name: string; readonly message: string }[];
}

/** dotenv's own line grammar (version 18), kept here to see what its parser passes over. */
const LINE =
  /^\s*(?:export\s+)?([\w.-]+)(?:\s*=\s*?|:\s+?)(\s*'(?:\\'|[^'])*'|\s*"(?:\\"|[^"])*"|\s*`(?:\\`|[^`])*`|[^#\r\n]+)?[^\S\r\n]*(#.*)?(?:$|$)/gm;

/**
 * Reads the text of an environment file with dotenv, and reports what dotenv is silent about: a line that it
 * skips, a name given twice (the last one wins), a quote that never ends, and an unquoted `#`, at which a
 * value ends even in the middle of a password.
 * @param isOurs only these names are worth a problem; the file may serve other programs too
 */
export function parseEnvFile(text: string, isOurs: (name: string) => boolean): EnvFile {
  const source = text.replace(/^\uFEFF/, '').replace(/\r\n?/g, '\n');
  const problems: { name: string; message: string }[] = [];
  const seen = new Set<string>();
  const rest = source.replace(LINE, (line, name: string, value: string | undefined, comment?: string) => {
    if (isOurs(name)) {
      const problem = problemOf(name, value ?? '', comment, seen);
      if (problem) problems.push({ name, message: problem });
      seen.add(name);
    }
    return '\n'.repeat(line.split('\n').length - 1);
  });
  rest.split('\n').forEach((line, index) => {
    const left = line.trim();
    if (left !== '' && !left.startsWith('#')) {
      problems.push({ name: `line ${index + 1}`, message: 'is neither NAME=value nor a comment' });
    }
  });
  return { values: parse(source), problems };
}

function problemOf(
  name: string,
  value: string,
  comment: string | undefined,
  seen: ReadonlySet<string>,
): string | undefined {
  if (seen.has(name)) return 'is set twice in one file';
  const bare = value.trimStart();
  const quoted = /^(['"`])[^]*\1\s*$/.test(bare) && bare.trimEnd().length > 1;
  if (quoted) return undefined;
  if (/^['"`]/.test(bare)) return 'begins with a quote that is not closed at its end';
  if (comment !== undefined && value !== '' && !/\s$/.test(value)) {
    return 'is cut off at "#"; put the value in quotes, or a space before the comment';
  }
  return undefined;
}
