import type { RateLimitOptions } from './options.js';

/**
 * Ready policies, to be used as they are or with options of your own: `rateLimit({ ...policies.login, store })`.
 * A name is what shared counts go by: give a copy that counts something else another one.
 */
export const policies = {
  /** 100 requests a day for those who are not signed in, by address. */
  anonymous: { name: 'anonymous', limit: 100, window: '1d', by: 'address', only: 'anonymous' },
  /** 1,000 requests a day for each one who is signed in. */
  user: { name: 'user', limit: 1000, window: '1d', by: 'principal', only: 'identified' },
  /** 10 requests a second by address, 20 more at once, which wait for nothing (nginx: `rate=10r/s burst=20 nodelay`). */
  api: { name: 'api', rate: '10/s', burst: 20 },
  /** 5 attempts a minute by address, 5 more at once; counted strictly. Count by account beside it. */
  login: { name: 'login', rate: '5/min', burst: 5, strict: true },
} as const satisfies Record<string, RateLimitOptions>;
