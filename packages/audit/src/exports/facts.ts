import type { AuditEntry } from '../entry.js';
import { vocabularyOf, type VocabularyEntry } from './vocabulary.js';

/** What is the same for all entries of an export. */
export interface ExportSettings {
  /** Name of the service. */
  readonly app: string;
  /** Where it runs. */
  readonly host: string;
  /** Private enterprise number of structured data (RFC 5424 section 7.2.2). */
  readonly enterprise: number;
  /** The app's own actions in words of the table. */
  readonly aliases: ReadonlyMap<string, string>;
}

/** One entry on its way out, with what others call it. */
export interface Exported {
  readonly entry: AuditEntry;
  readonly words: VocabularyEntry;
  /** `authn_login_fail:ann`, as the vocabulary writes it; undefined where it has no word. */
  readonly owasp: string | undefined;
  readonly settings: ExportSettings;
}

export function exported(entry: AuditEntry, settings: ExportSettings): Exported {
  const words = vocabularyOf(settings.aliases.get(entry.action) ?? nameOf(entry));
  return { entry, words, owasp: owaspText(entry, words), settings };
}

/** What the log says about itself is not one of the app's actions, whatever it is called. */
function nameOf({ kind, action }: AuditEntry): string {
  return kind === 'log' && action.startsWith('writer.') ? `audit.writer-${action.slice(7)}` : action;
}

function owaspText({ actor, target }: AuditEntry, { owasp }: VocabularyEntry): string | undefined {
  if (owasp === undefined) return undefined;
  const about = [text(actor.id), text(target?.id)].filter((id) => id !== undefined);
  return about.length === 0 ? owasp : `${owasp}:${about.join(',')}`;
}

/** A value that can be shown as it is. Personal values that stand as commitments cannot. */
export function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** Leaves out what is undefined and objects that nothing is left of. */
export function compact(value: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const kept: Record<string, unknown> = {};
  for (const [key, item] of Object.entries(value)) if (item !== undefined) kept[key] = item;
  return kept;
}

/** One line for people: `book.created success by user "ann" on book "12"`. */
export function sentence({ actor, action, outcome, target, context }: AuditEntry): string {
  const who = actor.id === undefined ? actor.kind : `${actor.kind} ${JSON.stringify(actor.id)}`;
  const what = target ? ` ${target.type} ${JSON.stringify(target.id ?? null)}` : '';
  const where =
    context.method === undefined
      ? ''
      : ` ${context.method} ${text(context.path) ?? ''} ${context.status ?? ''}`.trimEnd();
  return `${action} ${outcome} by ${who}${what}${where}`;
}

/** Severity of syslog (RFC 5424 table 2): 6 informational, 5 notice, 4 warning, 2 critical, 3 error. */
export function syslogSeverity({ entry, words }: Exported): number {
  if (entry.outcome === 'error') return 3;
  if (words.level === 'critical') return 2;
  if (entry.outcome === 'denied' || entry.outcome === 'failure') return 4;
  return words.level === 'warn' ? 5 : 6;
}
