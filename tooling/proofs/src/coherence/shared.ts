import { definePermissions } from '@portcullis/rbac';

export const permissions = definePermissions({
  book: ['read', 'create'],
  many: Array.from({ length: 20 }, (_, i) => `a${i}`),
});
export const CHANNEL = 'revoked';
/** Of the servers that this proof starts and ends. */
export const SECRET = Array.from({ length: 4 }, () => 'of this proof alone').join(', ');

/** How a victim finds out: rbac's lease, or as controls by messages or by time alone. */
export type Way = 'lease' | 'message' | 'time';

export interface Command {
  readonly watch?: readonly string[];
  /** Every read takes that much longer, after the data was read. */
  readonly slowMs?: number;
  readonly report?: boolean;
}

/** When the question was asked, and when it was answered with yes. */
export type Granted = readonly [way: string, user: string, asked: number, answered: number];

export interface Report {
  /** Questions that were answered with yes. */
  granted: Granted[];
  /** Reads of the store by rbac. */
  readonly loads: number;
  /** Reads of the log that were answered, each with when it was sent and when the answer came. */
  readonly polls: readonly (readonly [sent: number, answered: number])[];
}

/** Milliseconds on the clock that all processes of the machine share. */
export function monotonic(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
