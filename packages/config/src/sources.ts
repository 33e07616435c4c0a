import { existsSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import type { ConfigProblem } from './config-error.js';
import { parseEnvFile } from './env-file.js';
import { readTextFile } from './read-text-file.js';

/** A text and where it came from. */
export interface Found {
  readonly text: string;
  readonly source: string;
}

export interface SourceOptions {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly files: readonly { readonly path: string; readonly optional: boolean }[];
  readonly cwd: string;
  readonly secretsDirectory: string | undefined;
  readonly maxFileBytes: number;
  readonly prefixes: readonly string[];
}

export interface Sources {
  /** The text of a setting, or nothing; problems are collected. */
  find(name: string, problems: ConfigProblem[]): Found | undefined;
  /** Every variable name of the environment and its files. */
  readonly names: readonly string[];
}

interface Layer {
  readonly source: string;
  readonly values: Readonly<Record<string, string | undefined>>;
}

/**
 * Reads every source once. What comes first wins: the environment, the secrets directory, the environment
 * files in their order. `NAME_FILE` stands in the place of `NAME`; both together are a problem, wherever
 * they come from, because which one was meant would be a guess.
 */
export function readSources(
  options: SourceOptions,
  declared: readonly string[],
  problems: ConfigProblem[],
): Sources {
  const known = new Set(declared.flatMap((name) => [name, `${name}_FILE`]));
  const isOurs = (name: string): boolean =>
    known.has(name) || options.prefixes.some((prefix) => name.startsWith(prefix));
  const layers: Layer[] = [{ source: 'environment', values: options.env }];
  for (const file of options.files) {
    const layer = readLayer(file, options, isOurs, problems);
    if (layer) layers.push(layer);
  }

  return {
    names: [
      ...new Set(
        layers.flatMap((layer) => Object.keys(layer.values).filter((n) => layer.values[n] !== undefined)),
      ),
    ],
    find(name, found) {
      const direct = first(layers, name);
      const viaFile = declared.includes(`${name}_FILE`) ? undefined : first(layers, `${name}_FILE`);
      if (direct && viaFile) {
        const both =
          direct.source === viaFile.source ? direct.source : `${direct.source} and ${viaFile.source}`;
        found.push(
          problem('E_CONFIG_CONFLICT', name, `${name} and ${name}_FILE are both set; keep one`, both),
        );
        return undefined;
      }
      if (viaFile) return readSecretFile(name, viaFile, options, found);
      if (direct?.source === 'environment') return direct;
      return readFromDirectory(name, options, found) ?? direct;
    },
  };
}

function first(layers: readonly Layer[], name: string): Found | undefined {
  for (const { source, values } of layers) {
    const text = Object.hasOwn(values, name) ? values[name] : undefined;
    if (text !== undefined) return { text, source };
  }
  return undefined;
}

function readLayer(
  file: { readonly path: string; readonly optional: boolean },
  options: SourceOptions,
  isOurs: (name: string) => boolean,
  problems: ConfigProblem[],
): Layer | undefined {
  const path = resolve(options.cwd, file.path);
  const shown = relative(options.cwd, path) || file.path;
  const read = readTextFile(path, options.maxFileBytes);
  if ('problem' in read) {
    if (!(file.optional && read.missing)) problems.push(problem('E_CONFIG_FILE', shown, read.problem));
    return undefined;
  }
  const parsed = parseEnvFile(read.text, isOurs);
  for (const { name, message } of parsed.problems) {
    problems.push(problem('E_CONFIG_SYNTAX', name, message, shown));
  }
  return { source: shown, values: parsed.values };
}

function readSecretFile(
  name: string,
  pointer: Found,
  options: SourceOptions,
  problems: ConfigProblem[],
): Found | undefined {
  const source = `${name}_FILE`;
  if (pointer.text === '') {
    problems.push(problem('E_CONFIG_EMPTY', source, 'is set but names no file', pointer.source));
    return undefined;
  }
  const read = readTextFile(resolve(options.cwd, pointer.text), options.maxFileBytes);
  if ('problem' in read) {
    // The path is not repeated: someone may have put the secret itself where its file belongs.
    problems.push(problem('E_CONFIG_FILE', source, read.problem, pointer.source));
    return undefined;
  }
  return { text: withoutLineEnd(read.text), source };
}

function readFromDirectory(
  name: string,
  options: SourceOptions,
  problems: ConfigProblem[],
): Found | undefined {
  if (options.secretsDirectory === undefined) return undefined;
  const directory = resolve(options.cwd, options.secretsDirectory);
  const present = [...new Set([name, name.toLowerCase()])]
    .map((n) => join(directory, n))
    .find((p) => existsSync(p));
  if (present === undefined) return undefined;
  const read = readTextFile(present, options.maxFileBytes);
  if ('problem' in read) {
    problems.push(problem('E_CONFIG_FILE', name, read.problem, 'the secrets directory'));
    return undefined;
  }
  return { text: withoutLineEnd(read.text), source: 'the secrets directory' };
}

// Editors and `echo` end a file with one line end; a second one is part of the value.
function withoutLineEnd(text: string): string {
  return text.replace(/\r?\n$/, '');
}

function problem(code: ConfigProblem['code'], name: string, message: string, source?: string): ConfigProblem {
  return source === undefined ? { code, name, message } : { code, name, message, source };
}
