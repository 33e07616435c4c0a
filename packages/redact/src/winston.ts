import { option, readOptions } from '@portcullis/core';
import { createRedactor, type Redactor } from './redactor.js';
import { escapeControls } from './text/decode.js';

export interface WinstonRedactOptions {
  /** @default createRedactor() */
  readonly redactor?: Pick<Redactor, 'redact'>;
  /**
   * Write control and bidirectional characters as `\u000a`, so that a message cannot forge a second line in a text
   * format. In `stack`, line ends before an indented frame stay. @default true
   */
  readonly escapeControls?: boolean;
}

/** The part of a winston (logform) format that winston uses; no type of winston is needed. */
export interface WinstonFormat {
  // logform's own signature; its info object is open.
  transform(info: WinstonInfo, options?: unknown): WinstonInfo;
}

/** Open by nature: the keys of any log call. Structurally logform's `TransformableInfo`. */
export interface WinstonInfo {
  level: string;
  message: unknown;
  [key: string | symbol]: unknown;
}

const LEVEL = Symbol.for('level');
const MESSAGE = Symbol.for('message');
const SPLAT = Symbol.for('splat');

/**
 * A winston format that cleans the whole info object: level, message, meta, the splat arguments (which other formats
 * print later) and an already rendered line. Put it first in `format.combine()`, and again last if another format
 * adds data. Returns a new info object, so that transports never see the original; never throws.
 */
export function winstonRedactFormat(options: WinstonRedactOptions = {}): WinstonFormat {
  const { redactor, escapeControls: escape } = readOptions('winstonRedactFormat', options, {
    redactor: option.optional(option.port<Pick<Redactor, 'redact'>>(['redact'])),
    escapeControls: option.boolean(true),
  });
  const { redact } = redactor ?? createRedactor();
  const clean = (value: unknown): unknown => (escape ? escapeAll(redact(value)) : redact(value));

  return Object.freeze({
    transform(info: WinstonInfo): WinstonInfo {
      // One call for everything, so that a secret in the meta is also masked in the message and the splat.
      const splat: unknown = read(info, SPLAT);
      const rendered: unknown = read(info, MESSAGE);
      const all = clean({ info, splat, rendered }) as { info?: unknown; splat?: unknown; rendered?: unknown };
      const copy = asRecord(all.info);
      const level: unknown = read(info, LEVEL);
      // The symbol decides which transports write the line; it comes from the logger, not from the caller.
      const result: WinstonInfo = {
        ...copy,
        level: typeof copy['level'] === 'string' ? copy['level'] : 'error',
        message: Object.hasOwn(copy, 'message') ? copy['message'] : '',
      };
      result[LEVEL] = typeof level === 'string' ? level : result.level;
      if (splat !== undefined) result[SPLAT] = Array.isArray(all.splat) ? all.splat : [all.splat];
      if (rendered !== undefined) result[MESSAGE] = all.rendered;
      return result;
    },
  });
}

function read(info: object, key: symbol): unknown {
  try {
    return (info as Record<symbol, unknown>)[key];
  } catch {
    return undefined;
  }
}

function asRecord(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : { message: value };
}

function escapeAll(value: unknown, key = ''): unknown {
  if (typeof value === 'string') return key === 'stack' ? escapeStack(value) : escapeControls(value);
  if (Array.isArray(value)) return value.map((item) => escapeAll(item));
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, entry]) => [escapeControls(name), escapeAll(entry, name)]),
  );
}

function escapeStack(stack: string): string {
  return stack
    .split(/\n(?= {4}at )/)
    .map((line) => escapeControls(line))
    .join('\n');
}
