import { option, OptionError, readOptions } from '@portcullis/core';
import { escapeControls } from '@portcullis/redact';
import { fromDraft, type AuditEntry, type Body } from '../entry.js';
import { cefLine } from './cef.js';
import { ecsEvent } from './ecs.js';
import { exported, type Exported, type ExportSettings } from './facts.js';
import { ocsfEvent } from './ocsf.js';
import { syslogLine } from './syslog.js';
import { vocabularyEvents } from './vocabulary.js';

/** Formats that other systems read. The log itself, with all evidence, is what `audit.export()` gives. */
export const EXPORT_FORMATS = ['ndjson', 'ocsf', 'ecs', 'syslog', 'cef'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

export interface ExportOptions {
  /**
   * `ndjson`: entries as `query()` gives them. `ocsf`: OCSF 1.6. `ecs`: Elastic Common Schema 8. `syslog`: RFC 5424.
   * `cef`: ArcSight CEF 0. One line each.
   */
  readonly format: ExportFormat;
  /** Name of the service, 1 to 48 characters. @default 'portcullis' */
  readonly app?: string;
  /** Name of the host it runs on. @default '-' (not said) */
  readonly host?: string;
  /** Private enterprise number for syslog's structured data. @default 32473, which RFC 5612 keeps for examples */
  readonly enterprise?: number;
  /** Own actions in our words, so that they get their names of OWASP and OCSF: `{ 'person.signed-in': 'auth.signed-in' }`. @default {} */
  readonly aliases?: Readonly<Record<string, string>>;
}

type Formatter = (one: Exported) => string;

const FORMATTERS: Readonly<Record<ExportFormat, Formatter>> = {
  ndjson: ({ entry }) => JSON.stringify(entry),
  ocsf: (one) => JSON.stringify(ocsfEvent(one)),
  ecs: (one) => JSON.stringify(ecsEvent(one)),
  syslog: syslogLine,
  cef: cefLine,
};

/**
 * Makes a formatter of entries for another system. Control and bidirectional characters of what people typed come out
 * as `\u202e`-style escapes in every format, so that no entry can forge a line (OWASP Logging Cheat Sheet, log injection).
 * Personal values that stand as commitments in the log are left out.
 * @throws OptionError
 */
export function entryFormatter(options: ExportOptions): (entry: AuditEntry) => string {
  const { format, app, host, enterprise, aliases } = readOptions('export', options, {
    format: option.oneOf(EXPORT_FORMATS),
    app: option.string({ max: 48, default: 'portcullis' }),
    host: option.string({ max: 255, default: '-' }),
    enterprise: option.integer({ min: 0, max: 2 ** 32 - 1, default: 32_473 }),
    aliases: option.optional(aliasesOption),
  });
  const settings: ExportSettings = { app, host, enterprise, aliases: aliases ?? new Map() };
  const write = FORMATTERS[format];
  // The byte order mark of syslog's message is ours; one within an entry is not.
  return format === 'syslog'
    ? (entry) => write(exported(escaped(entry), settings))
    : (entry) => escapeControls(write(exported(format === 'cef' ? escaped(entry) : entry, settings)));
}

/** Lines of `audit.export()` in another format: entries become events, signatures and what the log says about proofs are left out. */
export async function* exportAs(
  lines: AsyncIterable<string> | Iterable<string>,
  options: ExportOptions,
): AsyncGenerator<string, void, undefined> {
  const format = entryFormatter(options);
  for await (const line of lines) {
    const entry = entryOf(line);
    if (entry) yield format(entry);
  }
}

function entryOf(line: string): AuditEntry | undefined {
  try {
    const body = JSON.parse(line) as Partial<Body>;
    return body.v === 1 && body.e && body.c ? fromDraft(body as Body) : undefined;
  } catch {
    return undefined;
  }
}

/** In formats that are not JSON nothing escapes line ends by itself. */
function escaped<T>(value: T): T {
  if (typeof value === 'string') return escapeControls(value) as T;
  if (Array.isArray(value)) return value.map((item: unknown) => escaped(item)) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [escapeControls(key), escaped(item)]),
  ) as T;
}

const NAMES = new Set(vocabularyEvents);

function aliasesOption(value: unknown, owner: string, path: string): ReadonlyMap<string, string> {
  if (typeof value !== 'object' || value === null) {
    throw new OptionError(
      'E_OPTION_TYPE',
      owner,
      path,
      `${path} must be an object of actions and our event names`,
    );
  }
  for (const [action, name] of Object.entries(value)) {
    if (NAMES.has(name as string)) continue;
    throw new OptionError(
      'E_OPTION_VALUE',
      owner,
      path,
      `${path}: "${action}" must be one of our event names, such as 'auth.signed-in'`,
    );
  }
  return new Map(Object.entries(value as Record<string, string>));
}
