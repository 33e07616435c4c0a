export { ALLOW, guard, type Allow, type Done, type GuardFunction, type GuardOptions } from './guard.js';
export { context, type ContextOptions } from './context.js';
export { identify } from './identify.js';
export { createSecurityContext, ensureContext, type SecurityContext } from './security-context.js';
export type { ErrorMiddleware, Middleware, NextFunction, SecurityRequest, SecurityResponse } from './http.js';
export {
  anonymous,
  freezePrincipal,
  isAuthenticated,
  type AnonymousPrincipal,
  type AuthenticationMethod,
  type Principal,
} from './principal.js';
export {
  parseAddress,
  parseForwardedAddress,
  parseNetwork,
  type ClientAddress,
  type Network,
} from './address.js';
export { judgeAddress, type AddressReason } from './public-address.js';
export { isLoopbackHost, parseOrigin, type WebOrigin } from './origin.js';
export { originOption, type OriginReading } from './origin-option.js';
export { compileTrustProxy, type ProxyTrust, type TrustProxy } from './trust-proxy.js';
export { stageOf, tagStage, type AuthorizationFacts, type Stage, type StageKind } from './stage.js';
export {
  defineErrors,
  docsBase,
  hasCode,
  isSecurityError,
  SecurityError,
  type ErrorFactory,
  type ErrorRow,
  type SecurityErrorOptions,
} from './security-error.js';
export { invalidInput, type InputProblem } from './invalid-input.js';
export { inputProblemSchema, problemSchema, retryAfterHeader } from './problem-schema.js';
export { OptionError, optionErrorCodes, type OptionErrorCode } from './option-error.js';
export { missingPeer } from './missing-peer.js';
export {
  nearest,
  option,
  optionConflict,
  readOptions,
  type OptionReader,
  type OptionValues,
} from './options.js';
export { guardOf, guardsOf, walkRoutes, type ChainLink, type RouteEntry } from './router-walker.js';
export { servedRoutesOf, type ServedRoute, type ServedRoutes } from './served-routes.js';
export { watchStages } from './answering.js';
export { errors as coreErrors } from './error-codes.js';
export { isError } from './is-error.js';
export { isKnownSecure } from './known-secure.js';
export { appendVary } from './vary.js';
export { keepOutOfCaches } from './keep-out-of-caches.js';
export { parseUrl } from './parse-url.js';
export { within, type WithinOptions } from './within.js';
export { Secret } from './secret.js';
export { systemClock, type Clock } from './clock.js';
export { systemRandom, type Random } from './random.js';
export { toMs, type Duration } from './duration.js';
export type { Logger } from './logger.js';
export {
  createEvents,
  noEvents,
  type Events,
  type SecurityEvent,
  type SecurityEvents,
  type SecurityEventType,
} from './events.js';
export {
  storeKey,
  type CallOptions,
  type Counter,
  type KeyValueStore,
  type ScriptEntries,
  type StoreKey,
  type StoreScript,
} from './key-value-store.js';
export {
  sql,
  type QueryOptions,
  type QueryResult,
  type Sql,
  type SqlClient,
  type SqlRow,
  type SqlStatement,
  type SqlTransaction,
  type TransactionOptions,
} from './sql.js';
export type { Change, ChangeFeed, ChangesRead } from './change-feed.js';
export type { Freshness } from './freshness.js';
export { createMemoryStore, type MemoryStoreOptions } from './memory-store.js';
export { createMemoryFeed } from './memory-feed.js';
export { createFreshness, type FreshnessOptions } from './create-freshness.js';
export { isSqlError, SqlError, type SqlErrorFacts, type SqlErrorKind } from './sql-error.js';
