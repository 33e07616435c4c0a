import { check, type Check } from '../check.js';

const WAYS: readonly (readonly [id: string, sends: string])[] = [
  ['plain', 'GET /api/cookies/plain, whose handler sets basket=1'],
  ['head', 'GET /api/cookies/head, whose handler writes Set-Cookie with the head'],
];

export const cookies: readonly Check[] = [
  ...WAYS.flatMap(([id, sends]) =>
    (['Secure', 'HttpOnly', 'SameSite=(?:Lax|Strict)'] as const).map((wanted) =>
      check(
        'cookies',
        `${id}-${wanted.replace(/=.*/, '').toLowerCase()}`,
        sends,
        `it leaves with ${wanted.replace(/=.*/, '')}`,
        async (client) => {
          const { cookies: set } = await client.get(`/api/cookies/${id}`);
          return set.length > 0 && set.every((line) => new RegExp(`; ?${wanted}(?:;|$)`, 'i').test(line));
        },
      ),
    ),
  ),
  check(
    'cookies',
    'domain',
    'GET /api/cookies/wide: Domain, SameSite=None',
    'for this host and site only',
    async (client) => {
      const { cookies: set } = await client.get('/api/cookies/wide');
      return set.every((line) => !/domain=|samesite=none/i.test(line));
    },
  ),
  check(
    'cookies',
    'huge',
    'GET /api/cookies/huge: 5,000 bytes, which browsers drop',
    'it does not leave',
    async (client) => {
      const { cookies: set } = await client.get('/api/cookies/huge');
      return set.length === 0;
    },
  ),
];
