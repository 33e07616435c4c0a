import { check, ORIGIN, type Check } from '../check.js';

const TARGETS: readonly (readonly [id: string, to: string])[] = [
  ['absolute', 'https://evil.example/'],
  ['absolute-http', 'http://evil.example/'],
  ['upper-case', 'HTTPS://EVIL.EXAMPLE/'],
  ['two-slashes', '//evil.example'],
  ['three-slashes', '///evil.example'],
  ['backslash', '/\\evil.example'],
  ['two-backslashes', '\\\\evil.example'],
  ['tab', '/\t/evil.example'],
  ['line-end', '/\n/evil.example'],
  ['leading-space', ' //evil.example'],
  ['javascript', 'javascript:alert(1)'],
  ['data', 'data:text/html,x'],
  ['user', 'https://shop.example@evil.example/'],
  ['suffix', 'https://shop.example.evil.example/'],
  ['own-over-http', 'http://shop.example/'],
];

export const redirects: readonly Check[] = TARGETS.map(([id, to]) =>
  check(
    'redirects',
    id,
    `GET /go?to=${JSON.stringify(to)}`,
    'no redirect away from the site',
    async (client) => {
      const answer = await client.get(`/go?to=${encodeURIComponent(to)}`);
      if (answer.status < 300 || answer.status >= 400) return answer.status >= 400 && answer.status < 500;
      // As a browser reads it.
      return new URL(answer.header('location'), `${ORIGIN}/go`).origin === ORIGIN;
    },
  ),
);
