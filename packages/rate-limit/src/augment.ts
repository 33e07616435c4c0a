import type { NamedKey } from './keys.js';

/** What this package adds to the words of core. */
export interface LimitState {
  /** The limit's name. */
  readonly name: string;
  /** Requests that it admits at most: per window, or at once for a rate (burst + 1) and for concurrency. */
  readonly limit: number;
  /** Requests that it still admits now. */
  readonly remaining: number;
  /** Milliseconds until the window ends, or until the rate has run out. 0 for concurrency. */
  readonly resetMs: number;
}

declare module '@portcullis/core' {
  interface SecurityContext {
    /** One entry per limit that has counted this request, in the order of mounting. */
    rateLimits?: LimitState[];
  }

  interface SecurityEvents {
    /** A request was refused. `first` is true for the first refusal of this key for a while. */
    'rate-limit.exceeded': {
      readonly limit: string;
      readonly by: NamedKey | 'custom';
      readonly ip: string;
      readonly principal?: string;
      readonly first: boolean;
      /** It was not refused, only noted. */
      readonly dryRun?: true;
    };
    /** A key was refused so often that it is refused for longer. `number` counts its bans. */
    'rate-limit.banned': {
      readonly limit: string;
      readonly by: NamedKey | 'custom';
      readonly ip: string;
      readonly principal?: string;
      readonly forMs: number;
      readonly number: number;
      /** It was not refused, only noted. */
      readonly dryRun?: true;
    };
    /** The shared store stopped answering; limits count locally or refuse until `rate-limit.restored`. */
    'rate-limit.degraded': { readonly store: string; readonly reason: 'timeout' | 'error' | 'slow' };
    /** The shared store answers again, and was told what was counted without it for so many keys. */
    'rate-limit.restored': { readonly store: string; readonly afterMs: number; readonly reconciled: number };
    /** More clients than `maxKeys` at a time: further ones share buckets for a while. */
    'rate-limit.overflowed': { readonly limit: string; readonly maxKeys: number };
    /** The event loop is late: requests of low priority are refused until `rate-limit.relieved`. */
    'rate-limit.overloaded': { readonly delayMs: number };
    'rate-limit.relieved': { readonly afterMs: number; readonly refused: number };
  }
}
