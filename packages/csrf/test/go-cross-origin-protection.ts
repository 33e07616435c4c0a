/**
 * The request table of Go's net/http CrossOriginProtection, written down as data.
 * Source: golang/go, src/net/http/csrf_test.go at a4afd6ab3fd3e69fc38e5642441bb83f26c32015 (BSD-style licence): the tests
 * SecFetchSite, TrustedOriginBypass, PatternBypass (with the rows for CVE-2025-47910 and go.dev/issue/75054), Server and
 * AddTrustedOriginErrors. Go's patterns are spelled as ours: `/bypass/` is `/bypass/*`, `/only/{foo}` is `/only/:foo`.
 */
export interface RequestRow {
  readonly name: string;
  readonly method?: string;
  readonly path?: string;
  readonly site?: string;
  readonly origin?: string;
  readonly allowed: boolean;
}

const attacker = 'https://attacker.example';

/** Host example.com over TLS, default options. */
export const secFetchSite: readonly RequestRow[] = [
  { name: 'same-origin allowed', site: 'same-origin', allowed: true },
  { name: 'none allowed', site: 'none', allowed: true },
  { name: 'cross-site blocked', site: 'cross-site', allowed: false },
  { name: 'same-site blocked', site: 'same-site', allowed: false },
  { name: 'no header with no origin', allowed: true },
  { name: 'no header with matching origin', origin: 'https://example.com', allowed: true },
  { name: 'no header with mismatched origin', origin: attacker, allowed: false },
  { name: 'no header with null origin', origin: 'null', allowed: false },
  { name: 'GET allowed', method: 'GET', site: 'cross-site', allowed: true },
  { name: 'HEAD allowed', method: 'HEAD', site: 'cross-site', allowed: true },
  { name: 'OPTIONS allowed', method: 'OPTIONS', site: 'cross-site', allowed: true },
  { name: 'PUT blocked', method: 'PUT', site: 'cross-site', allowed: false },
];

/** trustedOrigins: https://trusted.example */
export const trustedOrigin: readonly RequestRow[] = [
  { name: 'trusted origin without sec-fetch-site', origin: 'https://trusted.example', allowed: true },
  {
    name: 'trusted origin with cross-site',
    origin: 'https://trusted.example',
    site: 'cross-site',
    allowed: true,
  },
  { name: 'untrusted origin without sec-fetch-site', origin: attacker, allowed: false },
  { name: 'untrusted origin with cross-site', origin: attacker, site: 'cross-site', allowed: false },
];

/** A pattern of Go that ends in a slash is the path itself and all below; for Express the path itself is another one's too. */
const subtree = (path: string): readonly string[] => [path, `${path}*`];
export const exempt = [
  ...subtree('/bypass/'),
  '/only/:foo',
  '/no-trailing',
  ...subtree('/yes-trailing/'),
  ...subtree('PUT /put-only/'),
  ...subtree('GET /get-only/'),
  ...subtree('POST /post-only/'),
];

/** Every row is a POST with the attacker's origin. */
export const pattern: readonly RequestRow[] = [
  { name: 'bypass path without sec-fetch-site', path: '/bypass/', allowed: true },
  { name: 'bypass path with cross-site', path: '/bypass/', site: 'cross-site', allowed: true },
  { name: 'non-bypass path without sec-fetch-site', path: '/api/', allowed: false },
  { name: 'non-bypass path with cross-site', path: '/api/', site: 'cross-site', allowed: false },
  { name: 'redirect to bypass path without ..', path: '/foo/../bypass/bar', allowed: false },
  { name: 'redirect to bypass path with trailing slash', path: '/bypass', allowed: false },
  { name: 'redirect to non-bypass path with ..', path: '/foo/../api/bar', allowed: false },
  { name: 'redirect to non-bypass path with trailing slash', path: '/api', allowed: false },
  { name: 'wildcard bypass', path: '/only/123', allowed: true },
  { name: 'non-wildcard', path: '/only/123/foo', allowed: false },
  { name: 'no trailing slash exact match', path: '/no-trailing', allowed: true },
  { name: 'no trailing slash with slash', path: '/no-trailing/', allowed: false },
  { name: 'yes trailing slash exact match', path: '/yes-trailing/', allowed: true },
  { name: 'yes trailing slash without slash', path: '/yes-trailing', allowed: false },
  { name: 'method-specific hit', path: '/post-only/', allowed: true },
  { name: 'method-specific miss (PUT)', path: '/put-only/', allowed: false },
  { name: 'method-specific miss (GET)', path: '/get-only/', allowed: false },
].map((row) => ({ origin: attacker, ...row }));

/** A real server over plain HTTP; `SELF` is its own origin. */
export const SELF = 'SELF';
export const server: readonly RequestRow[] = [
  { name: 'cross-site', origin: attacker, site: 'cross-site', allowed: false },
  { name: 'same-origin', site: 'same-origin', allowed: true },
  { name: 'origin matches host', origin: SELF, allowed: true },
  { name: 'trusted origin', origin: 'https://trusted.example', allowed: true },
  { name: 'untrusted origin', origin: attacker, allowed: false },
  { name: 'bypass path', path: '/bypass/', origin: attacker, allowed: true },
];

/** What may be a trusted origin. Go takes http; here that needs `dangerouslyTrustInsecureOrigins`. */
export const trustedOriginTexts: readonly (readonly [name: string, origin: string, accepted: boolean])[] = [
  ['valid origin', 'https://example.com', true],
  ['valid origin with port', 'https://example.com:8080', true],
  ['http origin', 'http://example.com', true],
  ['missing scheme', 'example.com', false],
  ['missing host', 'https://', false],
  ['trailing slash', 'https://example.com/', false],
  ['with path', 'https://example.com/path', false],
  ['with query', 'https://example.com?query=value', false],
  ['with fragment', 'https://example.com#fragment', false],
  ['invalid url', 'https://ex ample.com', false],
  ['empty string', '', false],
  ['null', 'null', false],
];
