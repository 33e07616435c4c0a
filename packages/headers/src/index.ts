export {
  securityHeaders,
  type FramePolicy,
  type HstsOptions,
  type HstsPreset,
  type SecurityHeadersOptions,
} from './security-headers.js';
export type { ReferrerPolicy } from './rendering.js';
export type { CspDirective, CspDirectives, CspOptions } from './csp.js';
export type { PermissionsFeature, PermissionsPolicy } from './permissions-policy.js';
export { cors, type CorsOptions } from './cors.js';
export {
  createHttpsCheck,
  httpsOnly,
  type HttpsCheck,
  type HttpsCheckOptions,
  type HttpsOnlyOptions,
} from './https-only.js';
export {
  createFirewallCheck,
  requestFirewall,
  type BreakableRule,
  type FirewallCheck,
  type FirewallDecision,
  type FirewallReason,
  type RequestFirewallOptions,
} from './request-firewall.js';
export { noStore, type NoStoreOptions } from './no-store.js';
export { clearSiteData, type ClearSiteDataOptions, type SiteData } from './clear-site-data.js';
export { secureCookies, type SecureCookiesOptions } from './secure-cookies.js';
export type { CookieChange, CookieRefusal } from './cookie-rules.js';
export { resourceIsolation, type IsolatedKind, type ResourceIsolationOptions } from './resource-isolation.js';
export { reportEndpoint, type ReportEndpointOptions } from './report-endpoint.js';
export type { ReportedViolation, ReportType } from './report-parsing.js';
export type { RefusalGuard } from './events.js';
export { errors as headersErrors } from './error-codes.js';
export { context, identify, type ContextOptions } from '@portcullis/core';
export type { SecurityContext } from '@portcullis/core';
