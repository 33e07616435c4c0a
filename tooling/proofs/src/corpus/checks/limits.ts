import { check, type Check, type Client } from '../check.js';
import type { Answer } from '../wire.js';

/** Asks the route that takes three requests a minute so often, each time with the headers that are made for it. */
async function knock(
  client: Client,
  times: number,
  headers: (i: number) => Readonly<Record<string, string | undefined>>,
): Promise<Answer[]> {
  const answers: Answer[] = [];
  for (let i = 0; i < times; i++) answers.push(await client.get('/api/tight', headers(i)));
  return answers;
}
const refusals = (answers: readonly Answer[]): number =>
  answers.filter(({ status }) => status === 429).length;
const same = (): Record<string, string> => ({});

/** The same client, written in different ways. */
const ONE_CLIENT: readonly (readonly [id: string, sends: string, addresses: readonly string[]])[] = [
  [
    'mapped',
    'IPv4 and its IPv6-mapped forms',
    ['203.0.113.7', '::ffff:203.0.113.7', '::ffff:cb00:7107', '::FFFF:203.0.113.7'],
  ],
  [
    'ipv6-64',
    'addresses within one /64',
    ['2001:db8:1:1::1', '2001:db8:1:1::2', '2001:db8:1:1:ffff::3', '2001:db8:1:1:8000::4'],
  ],
  [
    'ipv6-spelling',
    'one IPv6 address in four spellings',
    ['2001:db8:2::1', '2001:DB8:2:0:0:0:0:1', '2001:0db8:0002::0001', '2001:db8:2:0::1'],
  ],
  [
    'port',
    'one address with changing ports',
    ['203.0.113.8:1001', '203.0.113.8:1002', '203.0.113.8:1003', '203.0.113.8:1004'],
  ],
  [
    'ipv6-port',
    'one bracketed IPv6 address with changing ports',
    ['[2001:db8:3::1]:1', '[2001:db8:3::1]:2', '[2001:db8:3::1]:3', '[2001:db8:3::1]:4'],
  ],
  [
    'spoofed-left',
    'forged addresses to the left of the real one',
    ['1.1.1.1, 203.0.113.9', '2.2.2.2, 203.0.113.9', '3.3.3.3, 203.0.113.9', '4.4.4.4, 203.0.113.9'],
  ],
  [
    'zone',
    'one link-local address with changing zones',
    ['fe80::1%a', 'fe80::1%b', 'fe80::1%c', 'fe80::1%d'],
  ],
];
/** Different clients. */
const MANY_CLIENTS: readonly (readonly [id: string, sends: string, addresses: readonly string[]])[] = [
  ['neighbours', 'four IPv4 neighbours', ['203.0.113.21', '203.0.113.22', '203.0.113.23', '203.0.113.24']],
  [
    'mapped-neighbours',
    'four mapped IPv4 addresses',
    ['::ffff:203.0.113.31', '::ffff:203.0.113.32', '::ffff:203.0.113.33', '::ffff:203.0.113.34'],
  ],
  [
    'nat64',
    'four IPv4 clients behind NAT64 (64:ff9b::/96)',
    ['64:ff9b::203.0.113.41', '64:ff9b::203.0.113.42', '64:ff9b::203.0.113.43', '64:ff9b::203.0.113.44'],
  ],
  [
    '64s',
    'four neighbouring /64',
    ['2001:db8:9:1::1', '2001:db8:9:2::1', '2001:db8:9:3::1', '2001:db8:9:4::1'],
  ],
];

export const limits: readonly Check[] = [
  check(
    'rate limits',
    'fourth',
    'four requests where three are allowed',
    'the fourth is 429',
    async (client) => {
      const answers = await knock(client, 4, same);
      return answers.slice(0, 3).every(({ status }) => status === 200) && answers[3]!.status === 429;
    },
  ),
  check('rate limits', 'at-once', '12 requests at the same moment', 'exactly three pass', async (client) => {
    const answers = await Promise.all(Array.from({ length: 12 }, async () => client.get('/api/tight')));
    return answers.filter(({ status }) => status === 200).length === 3 && refusals(answers) === 9;
  }),
  check('rate limits', 'pipelined', '6 requests in one packet', 'exactly three pass', async (client) => {
    const bytes = Buffer.concat(
      Array.from({ length: 6 }, () =>
        client.text({ path: '/api/tight', headers: { connection: 'keep-alive' } }),
      ),
    );
    const { answers } = await client.exchange(bytes, { answers: 6 });
    return answers.filter(({ status }) => status === 200).length === 3 && refusals(answers) === 3;
  }),
  check(
    'rate limits',
    'retry-after',
    'a fourth request',
    'Retry-After in whole seconds, at most the window',
    async (client) => {
      const after = (await knock(client, 4, same))[3]!.header('retry-after');
      return /^\d+$/.test(after) && Number(after) >= 1 && Number(after) <= 60;
    },
  ),
  check('rate limits', 'fields', 'one request', 'RateLimit and RateLimit-Policy', async (client) => {
    const [answer] = await knock(client, 1, same);
    return answer!.has('ratelimit') && answer!.has('ratelimit-policy');
  }),
  check(
    'rate limits',
    'problem',
    'a fourth request',
    '429 as a problem document with a code',
    async (client) => {
      const answer = (await knock(client, 4, same))[3]!;
      return answer.status === 429 && answer.header('content-type').startsWith('application/problem+json');
    },
  ),
  check('rate limits', 'not-cached', 'a fourth request', '429 that no cache keeps', async (client) => {
    const answer = (await knock(client, 4, same))[3]!;
    return answer.status === 429 && answer.header('cache-control').includes('no-store');
  }),
  check(
    'rate limits',
    'headers-on-429',
    'a fourth request',
    'the 429 carries CSP and nosniff',
    async (client) => {
      const answer = (await knock(client, 4, same))[3]!;
      return (
        answer.status === 429 &&
        answer.has('content-security-policy') &&
        answer.header('x-content-type-options') === 'nosniff'
      );
    },
  ),
  ...ONE_CLIENT.map(([id, sends, addresses]) =>
    check(
      'rate limits',
      `one-${id}`,
      sends,
      'one client: the fourth request is 429',
      async (client) => refusals(await knock(client, 4, (i) => ({ 'x-forwarded-for': addresses[i]! }))) === 1,
    ),
  ),
  ...MANY_CLIENTS.map(([id, sends, addresses]) =>
    check(
      'rate limits',
      `many-${id}`,
      `${sends}, two requests each`,
      'each has a limit of its own',
      async (client) =>
        refusals(await knock(client, 8, (i) => ({ 'x-forwarded-for': addresses[i % 4]! }))) === 0,
      'one bucket',
    ),
  ),
  ...[
    'x-real-ip',
    'x-client-ip',
    'true-client-ip',
    'cf-connecting-ip',
    'forwarded',
    'x-cluster-client-ip',
  ].map((name) =>
    check(
      'rate limits',
      `forged-${name}`,
      `four requests with another ${name} each`,
      'the fourth is 429',
      async (client) =>
        refusals(
          await knock(client, 4, (i) => ({ [name]: name === 'forwarded' ? `for=9.9.9.${i}` : `9.9.9.${i}` })),
        ) === 1,
    ),
  ),
  check(
    'rate limits',
    'untrusted-peer',
    'four requests past the proxy, another X-Forwarded-For each',
    'the fourth is 429',
    async (client) => {
      const statuses: number[] = [];
      for (let i = 0; i < 4; i++) {
        const bytes = client.text({
          path: '/api/tight',
          headers: { 'x-forwarded-for': `9.8.7.${i}`, accept: '*/*' },
        });
        const { answers } = await client.exchange(bytes, { from: '127.0.0.99' });
        statuses.push(answers[0]!.status);
      }
      // Plain HTTP past the proxy may be refused altogether; what counts is that the fourth gets no further.
      return statuses[3] === 429 || statuses.every((status) => status === 403);
    },
  ),
  check(
    'rate limits',
    'path-case',
    'the same route as /API/TIGHT and /api/tight/',
    'counted together, or 404',
    async (client) => {
      const paths = ['/api/tight', '/API/TIGHT', '/api/tight/', '/api/tight?x=1', '/api/tight'];
      let passed = 0;
      for (const path of paths) if ((await client.get(path)).status === 200) passed++;
      return passed <= 3;
    },
  ),
  check('rate limits', 'head', 'HEAD counts as GET does', 'the fourth is 429', async (client) => {
    const statuses: number[] = [];
    for (let i = 0; i < 4; i++)
      statuses.push((await client.ask({ method: 'HEAD', path: '/api/tight' })).status);
    return statuses[3] === 429;
  }),
  check(
    'rate limits',
    'sign-in-by-account',
    '8 guesses at one account from 8 addresses',
    'at most 5 reach the password',
    async (client) => {
      const statuses: number[] = [];
      for (let i = 0; i < 8; i++) {
        const answer = await client.json(
          `{"email":"victim-${client.address}@shop.example","password":"guess ${i}"}`,
          {
            path: '/api/sign-in',
            headers: { 'x-forwarded-for': `203.0.${i}.5` },
          },
        );
        statuses.push(answer.status);
      }
      return statuses.filter((status) => status === 401).length <= 5 && statuses.at(-1) === 429;
    },
  ),
  check(
    'rate limits',
    'sign-in-account-case',
    '8 guesses at one account in different case',
    'at most 5 reach the password',
    async (client) => {
      const account = `victim-${client.address}@shop.example`;
      let reached = 0;
      for (let i = 0; i < 8; i++) {
        const email = account.slice(0, i).toUpperCase() + account.slice(i);
        const answer = await client.json(JSON.stringify({ email, password: `guess ${i}` }), {
          path: '/api/sign-in',
          headers: { 'x-forwarded-for': `203.1.${i}.5` },
        });
        if (answer.status === 401) reached++;
      }
      return reached <= 5;
    },
  ),
  check(
    'rate limits',
    'sign-in-shape',
    '8 guesses whose e-mail is an array or object',
    'none is an unlimited guess: 400 or 429',
    async (client) => {
      const shapes = [
        '["a@shop.example"]',
        '{"$ne":null}',
        'null',
        '1',
        '{"toString":1}',
        '[]',
        'true',
        '[["a"]]',
      ];
      const statuses: number[] = [];
      for (const email of shapes)
        statuses.push(
          (await client.json(`{"email":${email},"password":"x"}`, { path: '/api/sign-in' })).status,
        );
      return statuses.every((status) => status === 400 || status === 429);
    },
  ),
];
