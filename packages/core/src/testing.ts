export { manualClock, type ManualClock } from './testing/manual-clock.js';
export { recordedEvents, type RecordedEvents } from './testing/recorded-events.js';
export { asPrincipal } from './testing/as-principal.js';
export { startTestServer, type TestServer } from './testing/test-server.js';
export type { TestGlobals } from './testing/globals.js';
export { keyValueStoreSuite, type KeyValueStoreSuiteOptions } from './testing/key-value-store-suite.js';
export { changeFeedSuite, type ChangeFeedSuiteOptions, type FeedPair } from './testing/change-feed-suite.js';
export { sqlSuite, type SqlSuiteOptions } from './testing/sql-suite.js';
