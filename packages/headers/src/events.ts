declare module '@portcullis/core' {
  interface SecurityEvents {
    'headers.refused': {
      readonly guard: 'cors' | 'httpsOnly';
      readonly reason: string;
      /** The origin that asked, if it is a well-formed one. */
      readonly origin?: string;
      readonly requestId?: string;
    };
  }
}

/** What one may see in the events of this package. */
export type RefusalGuard = 'cors' | 'httpsOnly';
