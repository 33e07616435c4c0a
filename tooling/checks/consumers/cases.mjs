// What each package's README start must answer, once it is installed from its tarball. `/hello` is added by the check
// behind the middleware of the start, and answers 200 with the request id of `req.security`.
export const cases = {
  config: { env: { DATABASE_URL: 'postgres://app@localhost/app' }, output: '3001 \\[secret\\]' },
  core: { requests: [{ path: '/hello', status: 200, text: '"requestId":"[\\w-]{8,}' }] },
  csrf: {
    requests: [
      { path: '/hello', status: 200 },
      { method: 'POST', path: '/hello', headers: { 'sec-fetch-site': 'same-origin' }, status: 200 },
      { method: 'POST', path: '/hello', headers: { 'sec-fetch-site': 'cross-site' }, status: 403 },
    ],
  },
  headers: {
    requests: [
      {
        path: '/hello',
        headers: { host: 'library.example' },
        status: 308,
        header: { location: '^https://library\\.example/hello' },
      },
    ],
  },
  'rate-limit': { requests: [{ path: '/hello', status: 200, header: { ratelimit: 'api' } }] },
  redact: { output: 'REDACTED' },
  validation: {
    requests: [
      { method: 'POST', path: '/books', body: { isbn: '9780132350884' }, status: 200, text: '9780132350884' },
      { method: 'POST', path: '/books', body: { isbn: 'x' }, status: 400 },
    ],
  },
};
