/** What stands in the copy where something could not, or must not, be copied. */
export const UNSERIALISABLE = '[Unserialisable]';
export const UNREADABLE = '[Unreadable]';
export const CIRCULAR = '[Circular]';
export const truncated = (what: string): string => `[Truncated:${what}]`;
