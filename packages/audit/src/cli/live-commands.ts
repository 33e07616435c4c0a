import type { Duration } from '@portcullis/core';
import type { AuditQuery } from '../query.js';
import type { StoredEntry } from '../entry.js';
import { entryFormatter, type ExportFormat } from '../exports/export-as.js';
import { writeLines, type CommandLine, type ExitCode } from './console.js';
import { loadAudit } from './inputs.js';
import { Progress } from './progress.js';

export interface ExportArguments {
  readonly audit: string;
  /** Absent: the log itself, with all evidence. */
  readonly format: ExportFormat | undefined;
}

export async function exportCommand(
  { audit: path, format }: ExportArguments,
  line: CommandLine,
): Promise<ExitCode> {
  const audit = await loadAudit(path);
  // How long the log is nobody knows before its end. Between the lines on a terminal it would be in the way.
  const { isTTY = false } = line.out as { readonly isTTY?: boolean };
  const progress = new Progress(isTTY ? { write: () => true } : line.err, 0, line.now);
  try {
    const lines = audit.export(format === undefined ? undefined : { format });
    await writeLines(line.out, lines, (bytes) => progress.add(bytes));
  } finally {
    progress.end();
    await audit.close();
  }
  return 0;
}

export interface PruneArguments {
  readonly audit: string;
  readonly olderThan: string;
  readonly reason: string;
}

/** Removes what is old enough. 2 if what would go is not as it was written: then everything stays. */
export async function pruneCommand(
  { audit: path, olderThan, reason }: PruneArguments,
  line: CommandLine,
): Promise<ExitCode> {
  const audit = await loadAudit(path);
  try {
    const { entries, first, held } = await audit.prune({ olderThan: olderThan as Duration, reason });
    line.out.write(`${entries} entries were removed; the log begins with entry ${first}.\n`);
    if (held.length > 0) line.out.write(`Held by ${held.join(', ')}: older ones stay.\n`);
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'E_AUDIT_PRUNE_REFUSED') throw error;
    const { problem } = (error as { details?: { problem?: string } }).details ?? {};
    line.err.write(`Nothing was removed: ${problem ?? 'the log is not as it was written'}. See verify.\n`);
    return 2;
  } finally {
    await audit.close();
  }
  return 0;
}

export interface TailArguments extends ExportArguments {
  readonly lines: number;
  readonly follow: boolean;
  readonly action: string | undefined;
}

const EVERY_MS = 1_000;
const PAGE = 500;

/** The newest entries, and those that come, until it is interrupted. */
export async function tailCommand(
  given: TailArguments,
  line: CommandLine,
  stop: AbortSignal,
): Promise<ExitCode> {
  const audit = await loadAudit(given.audit);
  const format = entryFormatter({ format: given.format ?? 'ndjson' });
  const query: AuditQuery = {
    viewer: 'system',
    ...(given.action === undefined ? {} : { action: given.action }),
  };
  try {
    const newest = (await audit.query({ ...query, limit: Math.max(given.lines, 1) })).entries;
    let seen = newest[0]?.seq;
    for (const entry of newest.slice(0, given.lines).toReversed()) line.out.write(`${format(entry)}\n`);
    while (given.follow && !stop.aborted) {
      await pause(EVERY_MS, stop);
      const added = await since(seen, (cursor) =>
        audit.query({ ...query, limit: PAGE, ...(cursor === undefined ? {} : { cursor }) }),
      );
      for (const entry of added) line.out.write(`${format(entry)}\n`);
      seen = added.at(-1)?.seq ?? seen;
    }
  } finally {
    await audit.close();
  }
  return 0;
}

/** Oldest first. */
async function since(
  seen: string | undefined,
  page: (cursor: string | undefined) => Promise<{ entries: readonly StoredEntry[]; next?: string }>,
): Promise<StoredEntry[]> {
  const added: StoredEntry[] = [];
  let cursor: string | undefined;
  for (;;) {
    const { entries, next } = await page(cursor);
    for (const entry of entries) {
      if (seen !== undefined && BigInt(entry.seq) <= BigInt(seen)) return added.toReversed();
      added.push(entry);
    }
    if (next === undefined) return added.toReversed();
    cursor = next;
  }
}

function pause(ms: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    stop.addEventListener(
      'abort',
      () => {
        clearTimeout(timer);
        resolve();
      },
      { once: true },
    );
  });
}
