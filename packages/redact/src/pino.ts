import { format } from 'node:util';
import { option, readOptions } from '@portcullis/core';
import { createRedactor, type Redactor } from './redactor.js';
import { escapeControls } from './text/decode.js';

export interface PinoRedactOptions {
  /** @default createRedactor() */
  readonly redactor?: Pick<Redactor, 'redact'>;
}

/** The part of pino's options that cleans what is logged; no type of pino is needed. */
export interface PinoRedaction {
  readonly hooks: {
    /** Cleans what a call is given, before it is serialised: object, message and the values put into it, together. */
    logMethod(this: unknown, args: unknown[], method: (...args: never[]) => void): void;
    /** Cleans the line: bindings of children, mixins and what serialisers make. Escapes what JSON leaves as it is. */
    streamWrite(line: string): string;
  };
}

/**
 * Options for pino (9 or later): `pino({ ...pinoRedact(), level: 'info' })`. Names in any spelling at any depth, secrets inside strings, in
 * the message and in its `%s` values, in errors, in child bindings and in what mixins add; objects of the caller are never
 * changed. Every event is cleaned twice: as an object, because pino would write bytes as numbers and call getters, and as the line,
 * because pino has no hook for the bindings of children. Never throws once it is built.
 * @throws OptionError
 */
export function pinoRedact(options: PinoRedactOptions = {}): PinoRedaction {
  const { redactor } = readOptions('pinoRedact', options, {
    redactor: option.optional(option.port<Pick<Redactor, 'redact'>>(['redact'])),
  });
  const { redact } = redactor ?? createRedactor();

  return {
    hooks: {
      logMethod(args, method) {
        (method as (...args: unknown[]) => void).apply(this, cleanCall(args));
      },
      streamWrite: (line) => `${escapeControls(cleanLine(line))}\n`,
    },
  };

  function cleanLine(line: string): string {
    try {
      return JSON.stringify(redact(JSON.parse(line)));
    } catch {
      return JSON.stringify({ msg: redact(line) });
    }
  }

  /** Values are put into the message first: `token=%s` is a secret only together. */
  function cleanCall([first, ...rest]: unknown[]): unknown[] {
    if (typeof first === 'string') return [redact(message([first, ...rest]))];
    if (typeof first !== 'object' || first === null) return [redact(first), redact(message(rest))];
    // As pino itself does with an error in first place.
    const merged = isError(first) ? { err: first } : first;
    const clean = redact({ merged, message: message(rest) }) as { merged?: unknown; message?: unknown };
    const error = isError(first)
      ? (clean.merged as { err?: { message?: unknown } } | undefined)?.err?.message
      : undefined;
    return [clean.merged, clean.message ?? error];
  }

  function message([text, ...values]: unknown[]): string | undefined {
    if (text === undefined) return undefined;
    const shown = values.map((value) => (typeof value === 'object' ? redact(value) : value));
    return typeof text === 'string' && shown.length === 0 ? text : format(text, ...shown);
  }
}

function isError(value: object): boolean {
  try {
    return value instanceof Error || Object.prototype.toString.call(value) === '[object Error]';
  } catch {
    return false;
  }
}
