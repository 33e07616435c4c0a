import type { Terminal } from './progress.js';

/** What a command has of its surroundings. */
export interface CommandLine {
  readonly out: NodeJS.WritableStream;
  readonly err: Terminal;
  /** Milliseconds, monotonic. */
  now(): number;
}

/** 0 as it should be, 1 could not run, 2 tampered, 3 as it should be as far as could be seen. */
export type ExitCode = 0 | 1 | 2 | 3;

/** The command was not understood. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** Writes lines no faster than they are taken. */
export async function writeLines(
  out: NodeJS.WritableStream,
  lines: AsyncIterable<string>,
  onBytes: (count: number) => void,
): Promise<void> {
  for await (const line of lines) {
    onBytes(Buffer.byteLength(line) + 1);
    if (!out.write(`${line}\n`)) await new Promise<void>((resolve) => void out.once('drain', resolve));
  }
}
