import type { NameClassifier } from './name-rules.js';
import { readOwn } from './own-property.js';
import { readCommand, type CommandReader } from './text/commands.js';
import { commandRule, namedRule, programRule, type ProgramRule } from './text/programs.js';

/** What the program is called beside a list of its arguments. */
const PROGRAM_NAMES: ReadonlySet<string> = new Set([
  'path',
  'file',
  'command',
  'cmd',
  'name',
  'program',
  'executable',
  'bin',
  'entrypoint',
  'spawnfile',
]);

/** The program that stands beside its arguments, as in errors of `child_process` and `{ command, args }`. */
export function programBeside(record: object, key: string): ProgramRule | undefined {
  for (const name of Object.keys(record)) {
    if (name === key || !PROGRAM_NAMES.has(name.toLowerCase())) continue;
    const value = readOwn(record, name);
    const said: unknown = Array.isArray(value) ? value[0] : value;
    if (typeof said !== 'string') continue;
    const rule = name === 'name' ? namedRule(said) : programRule(said);
    if (rule !== undefined) return rule;
  }
  return undefined;
}

/** A list of arguments: of a program that is known, or with something that looks like an option. */
export function commandIn(
  values: readonly unknown[],
  classify: NameClassifier,
  beside: ProgramRule | undefined,
): CommandReader | undefined {
  const first = values[0];
  if (typeof first !== 'string') return undefined;
  const program = beside ?? commandRule(first);
  return program !== undefined || values.some(isOption) ? readCommand(classify, program) : undefined;
}

function isOption(value: unknown): boolean {
  return typeof value === 'string' && value.length > 1 && value[0] === '-';
}
