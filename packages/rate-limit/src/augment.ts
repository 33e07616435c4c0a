/** What this package adds to the words of core. */
export interface LimitState {
  /** The limit's name. */
  readonly name: string;
  /** Requests that the window admits. */
  readonly limit: number;
  /** Requests that it still admits. */
  readonly remaining: number;
  /** Milliseconds until the window ends. */
  readonly resetMs: number;
}

declare module '@portcullis/core' {
  interface SecurityContext {
    /** One entry per limit that has counted this request, in the order of mounting. */
    rateLimits?: LimitState[];
  }

  interface SecurityEvents {
    /** A request was refused. `first` is true for the first refusal of this key in its window. */
    'rate-limit.exceeded': {
      readonly limit: string;
      readonly by: 'address' | 'principal' | 'custom';
      readonly ip: string;
      readonly principal?: string;
      readonly first: boolean;
    };
    /** The shared store stopped answering; limits count locally or refuse until `rate-limit.recovered`. */
    'rate-limit.degraded': { readonly store: string; readonly reason: 'timeout' | 'error' };
    'rate-limit.recovered': { readonly store: string; readonly afterMs: number };
    /** More clients than `maxKeys` in one window: further ones share buckets until the next window. */
    'rate-limit.overflowed': { readonly limit: string; readonly maxKeys: number };
  }
}
