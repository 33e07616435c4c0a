import { option, readOptions } from '@portcullis/core';
import { escapeControls } from '@portcullis/redact';
import type { AuditEntry } from './entry.js';
import { sentence } from './exports/facts.js';
import type { AuditMirror } from './mirror.js';

/** What is used of a winston logger. */
export interface WinstonLike {
  log(entry: { level: string; message: string; [key: string]: unknown }): unknown;
  readonly transports?: unknown;
}

export interface WinstonMirrorOptions {
  /** Level of entries that ended well. @default 'info' */
  readonly level?: string;
  /** Level of the other ones, and of entries that the store lost. @default 'warn' */
  readonly problemLevel?: string;
}

/**
 * Shows every record to people and SIEMs through a winston logger: the entry, already without secrets, under `audit`.
 * winston loses lines when the process ends and is never the store.
 * Control and bidirectional characters are escaped, so that no entry can forge a line in a text format.
 */
export function winstonMirror(logger: WinstonLike, options: WinstonMirrorOptions = {}): AuditMirror {
  option.port<WinstonLike>(['log'])(logger, 'winstonMirror', 'logger');
  const { level, problemLevel } = readOptions('winstonMirror', options, {
    level: option.string({ max: 32, default: 'info' }),
    problemLevel: option.string({ max: 32, default: 'warn' }),
  });
  return Object.freeze<AuditMirror>({
    get place() {
      return `winston: ${transportsOf(logger).join(', ') || 'no transports'}`;
    },
    write(entry: AuditEntry, durable: boolean) {
      const fine = durable && entry.outcome === 'success';
      logger.log({
        level: fine ? level : problemLevel,
        message: escapeControls(sentence(entry)),
        audit: escapeAll(entry),
        durable,
      });
    },
  });
}

/** By their names, such as `console` and `gelf`. */
function transportsOf({ transports }: WinstonLike): string[] {
  if (!Array.isArray(transports)) return [];
  return transports.map((one: { readonly name?: unknown } | null) =>
    typeof one?.name === 'string' ? one.name : 'unnamed',
  );
}

function escapeAll(value: unknown): unknown {
  if (typeof value === 'string') return escapeControls(value);
  if (Array.isArray(value)) return value.map((item) => escapeAll(item));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [escapeControls(key), escapeAll(item)]),
  );
}

export {
  gelfTransport,
  splunkTransport,
  type GelfTransportOptions,
  type HttpTransport,
  type SplunkTransportOptions,
} from './winston-http.js';
export { safeShutdown, type EndableLogger, type SafeShutdownOptions } from './winston-shutdown.js';
