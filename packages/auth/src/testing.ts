export { testHasher } from './testing/test-hasher.js';
export { mailbox, type Mailbox } from './testing/mailbox.js';
export { memoryUsers, type MemoryUsers } from './testing/memory-users.js';
export { asUser, type SignedInUser } from './testing/as-user.js';
export { sessionStoreSuite, type StoreSuiteOptions } from './testing/session-store-suite.js';
export { apiKeyStoreSuite } from './testing/api-key-store-suite.js';
export { replayStoreSuite } from './testing/replay-store-suite.js';
export { userPortSuite } from './testing/user-port-suite.js';
export type { SecurityContext } from '@portcullis/core';
