export {
  secureServer,
  type Closed,
  type Listening,
  type ListenOptions,
  type RequestListener,
  type SecureServer,
  type SecureServerOptions,
  type ServerLimits,
  type ServerTimeouts,
} from './secure-server.js';
export { modernCiphers, type ModernCipher, type TlsOptions } from './tls-options.js';
export { liveness, readiness, type HealthCheck, type ReadinessOptions } from './health.js';
export type { SecurityContext } from '@portcullis/core';
