import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import { EXPORT_FORMATS, type ExportFormat } from '../exports/export-as.js';
import { UsageError, type CommandLine, type ExitCode } from './console.js';
import { exportCommand, pruneCommand, tailCommand } from './live-commands.js';
import { discloseCommand, proveCommand } from './prove-command.js';
import { verifyCommand, verifyDisclosures } from './verify-command.js';

const USAGE = `Usage: portcullis-audit <command>

  verify    --export <file | folder | -> --key <key> [--anchor <file>]... [--witness <key>]... [--workers <n>] [--json]
            --disclosure <file | -> --key <key>
  prove     --export <file | folder> --key <key> --id <id>
  disclose  --export <file | folder> --key <key> --id <id>...
  export    --audit <module> [--format <${EXPORT_FORMATS.join(' | ')}>]
  prune     --audit <module> --older-than <365d> --reason <text>
  tail      --audit <module> [--follow] [--lines <n>] [--action <name>] [--format <format>]

A key is a verifier key (status().verifierKey), or a file that holds one. An anchor is a file of fileAnchor(), or a signed note.
A folder is one of fileAudit(). A module of yours exports "audit". Exit codes: 0 in order, 1 could not run, 2 tampered, 3 in order as far as could be seen.
`;

const OPTIONS = {
  export: { type: 'string' },
  disclosure: { type: 'string' },
  key: { type: 'string' },
  anchor: { type: 'string', multiple: true },
  witness: { type: 'string', multiple: true },
  workers: { type: 'string' },
  json: { type: 'boolean', default: false },
  id: { type: 'string', multiple: true },
  audit: { type: 'string' },
  format: { type: 'string' },
  follow: { type: 'boolean', short: 'f', default: false },
  lines: { type: 'string', short: 'n', default: '20' },
  action: { type: 'string' },
  'older-than': { type: 'string' },
  reason: { type: 'string' },
  help: { type: 'boolean', short: 'h', default: false },
} as const;

/** What each command understands. */
const KNOWN: Readonly<Record<string, readonly string[]>> = {
  verify: ['export', 'disclosure', 'key', 'anchor', 'witness', 'workers', 'json'],
  prove: ['export', 'key', 'id', 'workers'],
  disclose: ['export', 'key', 'id', 'workers'],
  export: ['audit', 'format'],
  prune: ['audit', 'older-than', 'reason'],
  tail: ['audit', 'format', 'follow', 'lines', 'action'],
};

/** Runs a command to its exit code; whatever goes wrong is said on standard error, and is 1. */
export async function main(args: readonly string[], line: CommandLine, stop: AbortSignal): Promise<ExitCode> {
  try {
    return await run(args, line, stop);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    line.err.write(`portcullis-audit: ${message}\n${error instanceof UsageError ? `\n${USAGE}` : ''}`);
    return 1;
  }
}

async function run(args: readonly string[], line: CommandLine, stop: AbortSignal): Promise<ExitCode> {
  const { command, values } = parse(args);
  if (values.help || command === undefined) {
    (values.help ? line.out : line.err).write(USAGE);
    return values.help ? 0 : 1;
  }
  switch (command) {
    case 'verify':
      if (values.disclosure !== undefined) {
        return verifyDisclosures(values.disclosure, required(values.key, 'key'), line);
      }
      return verifyCommand(
        {
          export: required(values.export, 'export'),
          key: values.key,
          anchors: values.anchor ?? [],
          witnesses: values.witness ?? [],
          workers: workersOf(values.workers),
          json: values.json,
        },
        line,
      );
    case 'prove':
    case 'disclose': {
      const given = {
        export: required(values.export, 'export'),
        key: required(values.key, 'key'),
        ids: values.id ?? [],
        workers: workersOf(values.workers),
      };
      if (given.ids.length === 0 || (command === 'prove' && given.ids.length > 1)) {
        throw new UsageError(command === 'prove' ? 'One --id is needed.' : 'An --id is needed.');
      }
      return command === 'prove' ? proveCommand(given, line) : discloseCommand(given, line);
    }
    case 'export':
      return exportCommand({ audit: required(values.audit, 'audit'), format: formatOf(values.format) }, line);
    case 'prune':
      return pruneCommand(
        {
          audit: required(values.audit, 'audit'),
          olderThan: required(values['older-than'], 'older-than'),
          reason: required(values.reason, 'reason'),
        },
        line,
      );
    default:
      return tailCommand(
        {
          audit: required(values.audit, 'audit'),
          format: formatOf(values.format),
          lines: integer(values.lines, 'lines', 500),
          follow: values.follow,
          action: values.action,
        },
        line,
        stop,
      );
  }
}

function parse(args: readonly string[]) {
  try {
    const { values, positionals, tokens } = parseArgs({
      args: [...args],
      options: OPTIONS,
      allowPositionals: true,
      tokens: true,
    });
    const [command] = positionals;
    if (positionals.length > 1) throw new UsageError(`"${positionals[1]}" is not understood.`);
    const known = command === undefined ? [] : KNOWN[command];
    if (!known || !Object.hasOwn({ '': 1, ...KNOWN }, command ?? '')) {
      throw new UsageError(`There is no command "${command}".`);
    }
    const stray = tokens.find((token) => token.kind === 'option' && ![...known, 'help'].includes(token.name));
    if (stray?.kind === 'option' && command !== undefined) {
      throw new UsageError(`${command} has no option --${stray.name}.`);
    }
    return { command, values };
  } catch (error) {
    throw error instanceof UsageError ? error : new UsageError((error as Error).message);
  }
}

function required(value: string | undefined, name: string): string {
  if (value === undefined) throw new UsageError(`--${name} is needed.`);
  return value;
}

function integer(text: string, name: string, max: number): number {
  const value = Number(text);
  if (!/^\d{1,6}$/.test(text) || value > max) throw new UsageError(`--${name} is 0 to ${max}.`);
  return value;
}

/** One thread for each core but not more than four: beyond, reading and the tree are the limit. */
function workersOf(text: string | undefined): number {
  return text === undefined ? Math.min(availableParallelism(), 4) : integer(text, 'workers', 64);
}

function formatOf(text: string | undefined): ExportFormat | undefined {
  const format = EXPORT_FORMATS.find((one) => one === text);
  if (text !== undefined && !format) throw new UsageError(`--format is one of ${EXPORT_FORMATS.join(', ')}.`);
  return format;
}
