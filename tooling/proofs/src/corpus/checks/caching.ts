import { check, type Check } from '../check.js';

const SESSION = { cookie: 'session=ann' };
const PATHS = ['/api/account', '/api/account/style.css', '/api/account/x/logo.png', '/api/account?x=/app.js'];

export const caching: readonly Check[] = PATHS.map((path) =>
  check(
    'caching',
    `account-${path.slice(13) || 'itself'}`,
    `GET ${path} with the session`,
    'kept by no cache, if it is answered',
    async (client) => {
      const answer = await client.get(path, SESSION);
      return !answer.body.includes('4111') || /no-store/.test(answer.header('cache-control'));
    },
  ),
);
