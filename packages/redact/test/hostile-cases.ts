/** The secret that must not survive, and what carries it. Names follow the research this product started from. */
export const X = 'Zq9-hunter2_Kw7vB';
const encoded = encodeURIComponent;
const base64 = (text: string): string => Buffer.from(text).toString('base64');
export const JWT = `eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.${base64('{"sub":"1"}').replaceAll('=', '')}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk`;
export const PEM = `-----BEGIN PRIVATE KEY-----\nMIIBVQIBADANBgkqhkiG9w0BAQEFAASCAT8wggE7\n${X}\n-----END PRIVATE KEY-----`;
// Assembled, so that scanners of this repository do not take the examples for leaks.
export const vendorKey = (...parts: string[]): string => parts.join('');

class Account {
  name = 'ann';
  #hidden = X;
  password = X;
  get token(): string {
    return this.#hidden;
  }
}
class Shown {
  toJSON(): unknown {
    return { apiKey: X, name: 'ann' };
  }
}
class Throwing {
  password = X;
  toJSON(): never {
    throw new Error(X);
  }
}
const circular: Record<string, unknown> = { password: X, name: 'ann' };
circular['self'] = circular;

const axiosLike = Object.assign(new Error('Request failed with status code 401'), {
  config: { headers: { Authorization: `Bearer ${X}` }, auth: { username: 'ann', password: X } },
  request: {
    _header: `GET /r HTTP/1.1\r\nHost: h\r\nAuthorization: Basic ${base64(`ann:${X}`)}\r\nAccept: */*\r\n\r\n`,
  },
});

/** [claim, event]. Nothing of X, of base64(ann:X) or of the JWT may survive in any of them. */
export const hostileCases: readonly (readonly [string, unknown])[] = [
  // Names in any spelling, at any depth
  ...[
    'password',
    'password_hash',
    'token',
    'secret',
    'key',
    'authorization',
    'cookie',
    'session',
    'csrf_token',
  ].map((name) => [`the required name ${name}`, { [name]: X }] as const),
  ['camel case', { userPassword: X, accessToken: X, apiKey: X, clientSecret: X, sessionId: X }],
  ['snake and kebab case', { user_password: X, 'access-token': X, api_key: X, 'client-secret': X }],
  [
    'header case (elastic/apm-agent-nodejs #786)',
    { 'X-Api-Key': X, 'Set-Cookie': X, AUTHORIZATION: X, 'X-CSRF-Token': X },
  ],
  [
    'odd case and odd borders',
    { pAsSwOrD: X, 'p.a.s.s.w.o.r.d': X, passw0rd: X, PASSWORD2: X, '  password ': X },
  ],
  [
    'glued names',
    { userpassword: X, PHPSESSID: X, JSESSIONID: X, accesstoken: X, clientsecret: X, 'connect.sid': X },
  ],
  [
    'names about keys',
    { privateKey: X, encryption_key: X, signingKey: X, AccountKey: X, sshKey: X, masterKey: X },
  ],
  [
    'codes, pins and phrases',
    { otp: X, verificationCode: X, recovery_codes: [X], passphrase: X, pin: X, cvv: X, 'seed phrase': X },
  ],
  ['Cyrillic look-alikes (pitfall 16)', { 'p\u0430ssw\u043erd': X, 't\u043ek\u0435n': X }],
  ['zero-width characters (pitfall 16)', { 'pass\u200bword': X, '\u2060secret': X, 'to\u00adken': X }],
  [
    'fullwidth and mathematical letters (pitfall 16)',
    { ｐａｓｓｗｏｒｄ: X, '\u{1d429}\u{1d41a}\u{1d42c}\u{1d42c}\u{1d430}\u{1d428}\u{1d42b}\u{1d41d}': X },
  ],
  ['bracketed names', { 'user[password]': X, 'user.password': X, $password: X }],
  ['twenty levels deep (fast-redact #5)', nest({ password: X }, 20)],
  [
    'arrays of arrays (seed: arrays missed)',
    [[[{ token: X }]], { list: [{ password: X }, { password: [X, { v: X }] }] }],
  ],
  ['objects under a secret name', { credentials: { user: 'ann', value: X }, session: { data: { a: X } } }],
  ['numbers and big integers', { password: 123456789012, token: 123456789012345678901234567890n }],
  // Inside strings
  ['JSON in a string (pitfall 8)', { body: JSON.stringify({ password: X }) }],
  ['JSON twice encoded (pitfall 8)', { body: JSON.stringify(JSON.stringify({ password: X })) }],
  [
    'JSON in JSON in JSON (pitfall 8)',
    { body: JSON.stringify({ a: JSON.stringify({ b: JSON.stringify({ token: X }) }) }) },
  ],
  ['JSON in the middle of a sentence', { msg: `sent {"user":"a","password":"${X}"} to host` }],
  [
    'escaped JSON in the middle of a sentence',
    { msg: `sent "{\\"password\\":\\"${X}\\"}" twice {\\\\\\"token\\\\\\":\\\\\\"${X}\\\\\\"}` },
  ],
  ['a duplicate JSON name that hides the first', { body: `{"password":"${X}","password":null}` }],
  ['JSON with escaped names', { body: `{"\\u0070assword":"${X}"}` }],
  ['broken JSON', { body: `{"password":"${X}","a":` }],
  ['JSON whose value holds quotes', { msg: `x {"password":"a\\"b${X}\\\\"} y` }],
  ['a query string (pitfall 9)', { url: `/r?token=${X}&a=1` }],
  ['a URL fragment', { url: `https://h/cb#access_token=${X}&state=1` }],
  ['an OAuth code and a signed URL', { url: `https://h/cb?id=1&X-Amz-Security-Token=${X}` }],
  ['a form body', { body: `user=ann&password=${X}&csrf_token=${X}` }],
  ['a form body with percent escapes (pitfall 9)', { body: `a%3D1%26password%3D${X}` }],
  ['double percent escapes', { body: `a%253D1%2526password%253D${X}` }],
  ['percent-escaped names', { body: `%70assword=${X}&pass%77ord=${X}` }],
  ['userinfo of a DSN (pitfall 9)', { dsn: `postgres://ann:${X}@db/x` }],
  ['userinfo with slashes in the password', { dsn: `postgres://ann:a/b#c${X}@db:5432/x` }],
  ['a token as userinfo', { remote: `https://${X}@github.com/a/b.git` }],
  ['a key=value DSN', { dsn: `Server=db;User Id=sa;Password=${X};Encrypt=true` }],
  [
    'a header block as one string (kodus-ai #1958)',
    {
      _header: `GET / HTTP/1.1\r\nAuthorization: Basic ${base64(`ann:${X}`)}\r\nCookie: sid=${X}; b=${X}\r\nX-Api-Key: ${X}\r\n\r\n`,
    },
  ],
  [
    'flat raw headers (pitfall 10)',
    { rawHeaders: ['Host', 'h', 'Authorization', `Bearer ${X}`, 'Cookie', `sid=${X}`] },
  ],
  [
    'header entries (pitfall 10)',
    {
      headers: [
        ['authorization', X],
        ['accept', '*/*'],
      ],
    },
  ],
  [
    'name and value objects (pitfall 10)',
    { headers: [{ name: 'Authorization', value: X }], form: { field: 'password', value: X } },
  ],
  ['set-cookie arrays (pitfall 10)', { 'set-cookie': [`sid=${X}; HttpOnly`, `b=${X}`] }],
  ['Error: token=X (pitfall 11)', { message: `Error: token=${X}` }],
  ['name, colon and space', { message: `failed for password: ${X} and api key: ${X}, access token: "${X}"` }],
  ['arrows, spaces and single quotes', { message: `:password=>"${X}", {'secret': '${X}'}, token = ${X}` }],
  [
    'command lines',
    {
      cmd: `mysql --user root --password ${X} --token=${X} -H 'Authorization: Bearer ${X}' --client-secret "${X}"`,
    },
  ],
  ['XML', { body: `<login><user>a</user><password>${X}</password></login>` }],
  ['YAML and env files', { text: `DB_PASSWORD=${X}\nexport API_KEY='${X}'\nsecret: ${X}\n` }],
  [
    'a multipart form',
    { body: `--b\r\nContent-Disposition: form-data; name="password"\r\n\r\n${X}\r\n--b--` },
  ],
  [
    'HTML inputs',
    { body: `<input type="password" name="p" value="${X}"><input name='csrf_token' value='${X}'>` },
  ],
  ['name and value in broken JSON', { body: `[{"name":"password","value":"${X}"},` }],
  [
    'SQL statements',
    { sql: `alter role app with password '${X}'; create user b identified by '${X}'; set secret = '${X}'` },
  ],
  ['a unique violation (PostgreSQL quotes the row)', { detail: `Key (token)=(${X}) already exists.` }],
  [
    'values on the next line',
    { a: `{\n  "password" :\n    "${X}"\n} x`, b: `password: |\n  ${X}\n`, c: `secret:\n${X}` },
  ],
  [
    'quotes behind a bare name',
    { a: `Invalid password "${X}" for ann`, b: `unknown token '${X}'`, c: `api_key = """${X}"""` },
  ],
  [
    'dumps of other languages',
    { a: `["password"]=> string(17) "${X}"`, b: `User(password='${X}', n=1)`, c: `{Password:${X} User:a}` },
  ],
  ['curl with a user', { cmd: `curl -u ann:${X} https://h; wget --user ann:${X}` }],
  ['fullwidth and distant separators', { a: `password\uff1d${X}`, b: `password     =     ${X}` }],
  ['Basic credentials (pitfall 12)', { message: `sent Basic ${base64(`ann:${X}`)} to h` }],
  ['Bearer tokens', { message: `with bearer ${X} refused` }],
  ['a JWT anywhere', { message: `got ${JWT}, expired`, list: [JWT] }],
  ['a JWT in a path', { path: `/verify/${JWT}/now` }],
  ['a PEM private key', { text: `key:\n${PEM}\nend` }],
  ['a PEM private key without its end', { text: PEM.slice(0, -20) }],
  ['look-alike names inside strings', { text: `p\u0430ssw\u043erd=${X} pass\u200bword=${X}` }],
  // Objects of every kind
  [
    'Error message, stack and cause (pitfall 13)',
    new Error(`token=${X}`, { cause: new Error(`password=${X}`) }),
  ],
  ['AggregateError (pitfall 13)', new AggregateError([new Error(`secret=${X}`)], `token=${X}`)],
  ['an HTTP client error with config and request (axios #4246, #6919)', axiosLike],
  [
    'Buffers and typed arrays (pitfall 14)',
    { a: Buffer.from(X), b: new Uint8Array(Buffer.from(X)), c: new DataView(new ArrayBuffer(8)) },
  ],
  [
    'Map and Set (pitfall 7)',
    {
      m: new Map<unknown, unknown>([['password', X]]),
      n: new Map<unknown, unknown>([[{}, { token: X }]]),
      s: new Set([`token=${X}`]),
    },
  ],
  ['class instances (pitfall 15)', new Account()],
  ['toJSON (pitfall 15)', { account: new Shown() }],
  ['toJSON that throws (pitfall 15)', { account: new Throwing() }],
  [
    'accessors that throw (pitfall 15)',
    Object.defineProperty({ password: X }, 'a', {
      enumerable: true,
      get() {
        throw new Error(X);
      },
    }),
  ],
  [
    'a proxy that throws (pitfall 15)',
    {
      p: new Proxy(
        { password: X },
        {
          ownKeys() {
            throw new Error(X);
          },
        },
      ),
    },
  ],
  ['a proxy that tells', { p: new Proxy({ password: X }, {}) }],
  ['symbols (pitfall 15)', { [Symbol('password')]: X, s: Symbol(`token=${X}`) }],
  [
    'URL, URLSearchParams and Headers',
    {
      u: new URL(`https://a:${X}@h/?token=${X}`),
      p: new URLSearchParams({ token: X }),
      h: new Headers({ authorization: `Bearer ${X}` }),
    },
  ],
  ['a prototype-less object', Object.assign(Object.create(null) as object, { password: X })],
  ['circular references', circular],
  [
    'functions',
    {
      token: () => X,
      fn: function secretly() {
        return X;
      },
    },
  ],
  ['boxed strings', { body: new String(`token=${X}`) }],
  // Elsewhere in the same event
  [
    'the same secret elsewhere (pitfall 20)',
    { body: { password: X }, msg: `bad login with ${X}!`, list: [X], [`k${X}`]: 1 },
  ],
  ['the same secret before it is known', { msg: `bad login with ${X}!`, body: { password: X } }],
  [
    'the same secret percent-encoded and in base64',
    { password: `${X} &/`, a: encoded(`${X} &/`), b: base64(`${X} &/`) },
  ],
  ['a secret as property name (pitfall 20)', { [JWT]: 1, [`password=${X}`]: '' }],
  ['the secret of an authorization header elsewhere', { headers: { authorization: `Bearer ${X}` }, note: X }],
  ['own __proto__ (CVE-2025-57319)', JSON.parse(`{"__proto__":{"password":"${X}","polluted":1}}`)],
];

function nest(inner: unknown, levels: number): unknown {
  let value = inner;
  for (let i = 0; i < levels; i++) value = i % 2 === 0 ? { next: value } : [value];
  return value;
}
