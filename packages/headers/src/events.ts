import type { CookieChange, CookieRefusal } from './cookie-rules.js';
import type { ReportedViolation } from './report-parsing.js';

declare module '@portcullis/core' {
  interface SecurityEvents {
    'headers.refused': {
      readonly guard: RefusalGuard;
      readonly reason: string;
      /** The origin that asked, if it is a well-formed one. */
      readonly origin?: string;
      readonly requestId?: string;
      /** The request passed, because the guard only tries its rules. */
      readonly dryRun?: boolean;
    };
    /** What a browser reported, the first time and then once per window. */
    'headers.reported': ReportedViolation & {
      /** Equal reports since this one was last emitted. */
      readonly repeated: number;
      /** Different reports that were not emitted since the last event, because there were too many. */
      readonly dropped: number;
      readonly requestId?: string;
    };
    /** A cookie left otherwise than some code had set it; told once per name and finding. */
    'headers.cookie-hardened': {
      readonly cookie: string;
      readonly changes: readonly CookieChange[];
      readonly requestId?: string;
    };
    /** A cookie did not leave. */
    'headers.cookie-refused': {
      readonly cookie: string;
      readonly reason: CookieRefusal;
      readonly requestId?: string;
    };
  }
}

/** What one may see in the events of this package. */
export type RefusalGuard = 'cors' | 'httpsOnly' | 'requestFirewall' | 'resourceIsolation';
