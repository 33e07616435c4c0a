import { inspect } from 'node:util';
import type { Logger } from '@portcullis/core';

/**
 * One JSON line per record on standard error: where an app hands over no logger, an unexpected error must still be
 * found by somebody. JSON escapes line breaks, so that no message can forge a second record.
 */
export const stderrLogger: Logger = Object.freeze({
  error: (message: string, meta?: object) => write('error', message, meta),
  warn: (message: string, meta?: object) => write('warn', message, meta),
  info: (message: string, meta?: object) => write('info', message, meta),
});

function write(level: string, message: string, meta: object | undefined): void {
  process.stderr.write(`${line({ level, message, ...meta })}\n`);
}

function line(record: object): string {
  try {
    return JSON.stringify(record);
  } catch {
    return JSON.stringify({ text: inspect(record, { depth: 4, breakLength: Infinity }) });
  }
}

/** Swallows everything: for `logger: false`. */
export const silentLogger: Logger = Object.freeze({
  error: () => undefined,
  warn: () => undefined,
  info: () => undefined,
});
