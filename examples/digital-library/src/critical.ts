import type { Audit, AuditRecord } from '@portcullis/audit';
import type { SecurityRequest } from '@portcullis/core';

type About = Pick<AuditRecord, 'target' | 'data'>;

interface Critical<T> extends About {
  readonly requested: string;
  readonly done: string;
  /** What more there is to say of what was done; undefined: nothing was. @default all that was said before */
  readonly of?: (result: T) => About | undefined;
}

/**
 * For what changes who may do what, or cannot be taken back. That it is wanted is durable in the log first, or it does not happen: 503. What
 * came of it is recorded after. What is one transaction with the log (`audit.tx()`) stands or falls with its record anyway.
 */
export async function recorded<T>(
  audit: Audit,
  request: SecurityRequest,
  { requested, done, of, ...about }: Critical<T>,
  change: () => Promise<T>,
): Promise<T> {
  await audit.record({ action: requested, outcome: 'success', ...about, request });
  const result = await change();
  const more = of ? of(result) : {};
  if (more) await audit.record({ action: done, outcome: 'success', ...about, ...more, request });
  return result;
}
