// What each package's README start must answer, once it is installed from its tarball.
// `values`: the reader's own values, in the place of `declare const <name>` (the rest of the start is taken as it is).
// `append`: an app, where the start shows none. `/hello` is added by the check behind the middleware of the start.
// `schemas`: what the start hands to validate(), by name, to be compiled ahead for a process that makes no code from text.
// `peers`: by subpath, what needs an optional peer when it is built.
// `start: 'own'`: consumers/starts/<name>.ts is used, because the start needs a server.
const json = { 'content-type': 'application/json', 'sec-fetch-site': 'same-origin' };
const account = { login: 'reader@library.example', password: 'a long and winding pass phrase' };

const isbn = { type: 'string', format: 'isbn13' };
const book = { body: { type: 'object', properties: { isbn }, required: ['isbn'] } };

export const cases = {
  all: {
    schemas: { book },
    requests: [
      {
        path: '/nothing',
        status: 404,
        header: { 'content-type': 'application/problem\\+json', 'x-content-type-options': 'nosniff' },
      },
      { method: 'POST', path: '/books', headers: json, body: { isbn: '9780132350884' }, status: 401 },
      { method: 'POST', path: '/books', headers: { 'sec-fetch-site': 'cross-site' }, body: {}, status: 403 },
      { method: 'POST', path: '/auth/register', headers: json, body: account, status: 201 },
    ],
  },
  audit: {
    start: 'own',
    requests: [
      { path: '/hello', status: 200 },
      { path: '/records', status: 200, text: 'app.started' },
    ],
  },
  auth: {
    peers: {
      passkeys: {
        build: 'passkeys',
        with: "{ rpId: 'library.example', rpName: 'Library', origins: ['https://library.example'] }",
        peer: '@simplewebauthn/server',
      },
    },
    values: {
      keys: `import { generateKeys, type AuthUser } from '@portcullis/auth';
const keys = JSON.stringify(generateKeys());`,
      users: `const accounts = new Map<string, AuthUser>();
const users: UserPort = {
  findByLogin: async (login) => [...accounts.values()].find((user) => user.login === login),
  findById: async (id) => accounts.get(id),
  saveCredential: async () => true,
  create: async (account) => {
    const user: AuthUser = { id: String(accounts.size + 1), active: true, ...account };
    accounts.set(user.id, user);
    return user;
  },
};`,
    },
    requests: [
      { path: '/hello', status: 200 },
      { path: '/me', status: 401, header: { 'www-authenticate': 'Bearer' } },
      { path: '/me', headers: { authorization: 'Bearer not.a.token' }, status: 401 },
      { method: 'POST', path: '/auth/register', headers: json, body: account, status: 201 },
      {
        method: 'POST',
        path: '/auth/sign-in',
        headers: json,
        body: { ...account, password: 'x'.repeat(20) },
        status: 401,
      },
    ],
  },
  config: {
    env: { DATABASE_URL: 'postgres://app@localhost/app' },
    output: '3001 \\[secret\\]',
  },
  core: { requests: [{ path: '/hello', status: 200, text: '"requestId":"[\\w-]{8,}' }] },
  csrf: {
    requests: [
      { path: '/hello', status: 200 },
      { method: 'POST', path: '/hello', headers: { 'sec-fetch-site': 'same-origin' }, status: 200 },
      { method: 'POST', path: '/hello', headers: { 'sec-fetch-site': 'cross-site' }, status: 403 },
    ],
  },
  errors: {
    values: {
      findBook: `const findBook = async (isbn: string): Promise<object | undefined> => (isbn === '1' ? { isbn } : undefined);`,
    },
    requests: [
      { path: '/books/1', status: 200, text: '"isbn":"1"' },
      {
        path: '/books/2',
        status: 404,
        header: { 'content-type': 'application/problem\\+json' },
        text: 'no book with this ISBN',
      },
    ],
  },
  headers: {
    requests: [
      {
        path: '/hello',
        headers: { host: 'library.example', accept: 'text/html' },
        status: 308,
        header: { location: '^https://library\\.example/hello', 'x-content-type-options': 'nosniff' },
      },
      { path: '/hello', headers: { host: 'library.example' }, status: 403 },
    ],
  },
  'rate-limit': {
    peers: { redis: { build: 'redisLimits', with: '{ call: async () => 0 }', peer: 'rate-limit-redis' } },
    requests: [{ path: '/hello', status: 200, header: { ratelimit: 'api' } }],
  },
  rbac: {
    append: `const app = express();
app.get('/books', rbac.requirePermission('book:read'), (_req, res) => void res.send('read'));`,
    requests: [{ path: '/books', status: 401 }],
  },
  redact: { output: 'REDACTED' },
  validation: {
    peers: { html: { build: 'createHtmlSanitizer', with: '', peer: 'sanitize-html' } },
    schemas: { input: book },
    requests: [
      { method: 'POST', path: '/books', body: { isbn: '9780132350884' }, status: 200, text: '9780132350884' },
      { method: 'POST', path: '/books', body: { isbn: 'x' }, status: 400 },
    ],
  },
};
