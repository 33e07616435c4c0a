import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { inProduction } from '../environment.js';
import { TEST_HASHER, type PasswordHasher } from '../passwords/hasher.js';

const FORMAT = /^\$test\$([A-Za-z0-9_-]{22})\$([A-Za-z0-9_-]{43})$/;

/**
 * A hasher for tests that takes microseconds. Its hashes protect nothing.
 * @throws Error in production
 */
export function testHasher(): PasswordHasher {
  if (inProduction()) throw new Error('testHasher() protects nothing: it is for tests only.');
  const digest = (password: string, salt: string) =>
    createHmac('sha256', salt).update(password).digest('base64url');
  return {
    name: TEST_HASHER,
    accepts: (stored) => FORMAT.test(stored),
    isCurrent: (stored) => FORMAT.test(stored),
    async hash({ normal }) {
      const salt = randomBytes(16).toString('base64url');
      return `$test$${salt}$${digest(normal, salt)}`;
    },
    async verify({ normal }, stored) {
      const [, salt = '', expected = ''] = FORMAT.exec(stored) ?? [];
      return timingSafeEqual(Buffer.from(digest(normal, salt)), Buffer.from(expected));
    },
  };
}
