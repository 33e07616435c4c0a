import { JWT, PEM, vendorKey, X } from '../hostile-cases.js';

/** [claim, event, secrets (X if none are named)]: none of them survives. */
export type Leak = readonly [claim: string, event: unknown, secrets?: readonly string[]];

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const WORD = 'swordfish';
const AT = 'p@ss:w/ord#9';
const SPACED = 'correct horse battery';

class AxiosHeaders {
  [name: string]: unknown;
  constructor(entries: object) {
    Object.assign(this, entries);
  }
  toJSON(): object {
    return { ...this };
  }
}
const failed = (facts: object, message = 'Request failed with status code 401'): Error =>
  Object.assign(new Error(message), facts);

/** What clients, drivers and frameworks put into their errors and debug output. */
export const leaks: readonly Leak[] = [
  // HTTP clients
  [
    'axios: headers of its own class',
    failed({ config: { headers: new AxiosHeaders({ Authorization: `Bearer ${X}` }) } }),
  ],
  ['axios: data as JSON text', failed({ config: { data: `{"user":"ann","password":"${X}"}` } })],
  [
    'axios: data as a form',
    failed({ config: { data: `grant_type=password&username=ann&password=${WORD}` } }),
    [WORD],
  ],
  ['axios: auth', failed({ config: { auth: { username: 'ann', password: SPACED } } }), [SPACED]],
  ['axios: params', failed({ config: { params: { api_key: X, page: 1 } } })],
  ['axios: proxy', failed({ config: { proxy: { host: 'p', auth: { username: 'ann', password: X } } } })],
  [
    'axios: the answer',
    failed({ response: { status: 200, data: { access_token: X, token_type: 'bearer', expires_in: 3600 } } }),
  ],
  [
    'axios: set-cookie of the answer',
    failed({ response: { headers: { 'set-cookie': [`sid=${X}; Path=/; HttpOnly`] } } }),
  ],
  [
    'axios: the raw request',
    failed({ request: { _header: `POST /t HTTP/1.1\r\nHost: h\r\nX-Api-Key: ${X}\r\n\r\n` } }),
  ],
  [
    'got: options',
    failed(
      { options: { username: 'ann', password: X, headers: { 'user-agent': 'got' } } },
      'Response code 401',
    ),
  ],
  ['got: searchParams', failed({ options: { searchParams: new URLSearchParams({ token: X }) } })],
  ['got: json and form', failed({ options: { json: { clientSecret: X }, form: { client_secret: X } } })],
  ['got: https options', failed({ options: { https: { key: PEM, passphrase: X, pfx: Buffer.from(X) } } })],
  [
    'undici: flat headers',
    failed({ headers: ['content-type', 'text/plain', 'authorization', `Bearer ${X}`] }),
  ],
  [
    'undici: headers as text',
    failed({ headers: `host: h\r\nauthorization: Basic ${base64(`ann:${X}`)}\r\n` }),
  ],
  [
    'undici: body of the answer',
    failed({ body: { error: 'invalid', refresh_token: X } }, 'Response status code 400'),
  ],
  ['fetch: Headers', { headers: new Headers({ 'x-api-key': X, cookie: `sid=${X}` }) }],
  ['superagent: text of the answer', failed({ response: { text: `{"token":"${X}"}` } })],
  ['request: auth of its own names', { auth: { user: 'ann', pass: X, sendImmediately: true } }],
  ['request: bearer', { auth: { bearer: X } }],
  ['node:http: auth', { hostname: 'h', auth: `ann:${X}` }],
  ['supertest: auth as a list', { auth: ['ann', X] }],
  ['node:https: key and passphrase', { key: PEM, passphrase: X, port: 443 }],
  ['a proxy agent', { proxy: `http://ann:${X}@proxy.example:3128` }],
  [
    'rawHeaders of a request',
    { rawHeaders: ['Host', 'h', 'Cookie', `sid=${X}; theme=dark`, 'X-Api-Key', X] },
  ],
  [
    'rawHeaders of an answer',
    { rawHeaders: ['Date', 'now', 'Set-Cookie', `sid=${X}; Path=/`, 'Set-Cookie', `r=${X}`] },
  ],
  ['rawHeaders with CSRF', { rawHeaders: ['X-CSRF-Token', X, 'Accept', '*/*'] }],
  ['headers as node:http keeps them', { _headers: { 'set-cookie': ['Set-Cookie', `sid=${X}`] } }],
  ['headers as a list of objects', { headers: [{ key: 'Authorization', value: `Bearer ${X}` }] }],
  ['HAR: cookies', { cookies: [{ name: 'sid', value: X }] }],
  ['HAR: query', { queryString: [{ name: 'access_token', value: X }] }],
  [
    'HAR: post data',
    { postData: { mimeType: 'application/x-www-form-urlencoded', text: `password=${WORD}` } },
    [WORD],
  ],
  ['cookies of cookie-parser', { cookies: { sid: X, theme: 'dark' }, signedCookies: { user: X } }],
  ['tough-cookie', { jar: { cookies: [{ key: 'connect.sid', value: X, domain: 'h' }] } }],
  ['a Set-Cookie line', { line: `Set-Cookie: __Host-sid=${X}; Secure; Path=/` }],
  [
    'headers of gateways',
    { 'x-forwarded-access-token': X, 'x-amz-security-token': X, 'x-goog-api-key': X, 'private-token': X },
  ],
  [
    'headers of vendors',
    { 'X-Vault-Token': X, 'X-Shopify-Access-Token': X, 'Ocp-Apim-Subscription-Key': X, 'X-Plex-Token': X },
  ],
  ['registry auth', { 'X-Registry-Auth': base64(`{"password":"${X}"}`) }, [base64(`{"password":"${X}"}`)]],
  // GraphQL and APIs
  [
    'GraphQL: a mutation with its values',
    { query: `mutation { login(email: "a@b.example", password: "${SPACED}") { id } }` },
    [SPACED],
  ],
  [
    'GraphQL: variables',
    { query: 'mutation($p: String!) { x(p: $p) }', variables: { input: { newPassword: X } } },
  ],
  ['GraphQL: a body as text', { body: JSON.stringify({ query: `mutation{login(password:"${X}"){token}}` }) }],
  [
    'GraphQL: multipart operations',
    {
      body: `--b\r\nContent-Disposition: form-data; name="operations"\r\n\r\n{"variables":{"password":"${X}"}}\r\n--b--`,
    },
  ],
  ['JSON-RPC', { method: 'login', params: { user: 'ann', password: X }, id: 1 }],
  ['SOAP', { body: `<soap:Body><Login><Password>${WORD}</Password></Login></soap:Body>` }, [WORD]],
  ['WS-Security', { body: `<wsse:Password Type="http://x/#PasswordText">${WORD}</wsse:Password>` }, [WORD]],
  [
    'XML-RPC',
    { body: `<member><name>password</name><value><string>${WORD}</string></value></member>` },
    [WORD],
  ],
  // Sign-in
  [
    'OAuth: the code in a redirect',
    { url: `/callback?code=SplxlOBeZQQYbYS6WxSbIA&state=xyz` },
    ['SplxlOBeZQQYbYS6WxSbIA'],
  ],
  [
    'OAuth: the code of Google',
    { url: `/cb?state=a1&code=4%2F0AX4XfWhq1J9vO3pZk2b7Q&scope=email` },
    ['0AX4XfWhq1J9vO3pZk2b7Q'],
  ],
  [
    'OAuth: req.query of a redirect',
    { query: { code: 'SplxlOBeZQQYbYS6WxSbIA', state: 'af0ifjsldkj' } },
    ['SplxlOBeZQQYbYS6WxSbIA'],
  ],
  [
    'OAuth: the exchange',
    { body: `grant_type=authorization_code&code=SplxlOBeZQQYbYS6WxSbIA&code_verifier=${X}` },
    [X, 'SplxlOBeZQQYbYS6WxSbIA'],
  ],
  [
    'OAuth: the exchange as an object',
    { grant_type: 'authorization_code', code: 'SplxlOBeZQQYbYS6WxSbIA', code_verifier: X },
    [X, 'SplxlOBeZQQYbYS6WxSbIA'],
  ],
  ['OAuth: device flow', { device_code: X, verification_uri: 'https://h/d', interval: 5 }],
  ['OAuth 1.0 header', { line: `Authorization: OAuth oauth_token="${X}", oauth_signature="a"` }],
  ['OAuth: client assertion', { body: `client_assertion_type=jwt&client_assertion=${X}` }],
  ['OAuth: the answer as text', { text: `{"access_token":"${X}","id_token":"${JWT}"}` }, [X, JWT]],
  ['OIDC: passport profile', { accessToken: X, refreshToken: X, profile: { id: 1 } }],
  ['SAML: a form', { body: `SAMLResponse=${X}&RelayState=r` }],
  ['SAML: an object', { body: { SAMLResponse: X, RelayState: '/' } }],
  ['SAML: an artifact', { url: `/acs?SAMLart=${X}` }],
  [
    'CAS: a ticket',
    { url: `/login?service=s&ticket=ST-1856339-aA5Yuvrxzpv8Tau1cYQ7` },
    ['aA5Yuvrxzpv8Tau1cYQ7'],
  ],
  ['a link to reset a password', { url: `/reset-password/${'3f9c1ab2'.repeat(5)}` }, ['3f9c1ab23f9c1ab2']],
  ['a magic link', { text: `https://h/magic-link/${'3f9c1ab2'.repeat(5)} sent` }, ['3f9c1ab23f9c1ab2']],
  [
    'a link to confirm an address',
    { url: `https://h/verify-email/${'3f9c1ab2'.repeat(5)}?x=1` },
    ['3f9c1ab23f9c1ab2'],
  ],
  [
    'a link with a token in its path',
    { url: `/api/token/${'3f9c1ab2'.repeat(4)}/use` },
    ['3f9c1ab23f9c1ab2'],
  ],
  ['a session id in a path', { url: `/books;jsessionid=${X}?page=1` }],
  ['a one-time code', { message: 'otp=493021 for ann' }, ['493021']],
  [
    'TOTP enrolment',
    { otpauth: `otpauth://totp/Lib:ann?secret=JBSWY3DPEHPK3PXP&issuer=Lib` },
    ['JBSWY3DPEHPK3PXP'],
  ],
  ['WebAuthn has no secret, recovery codes are', { recoveryCodes: [X, X], backup_codes: X }],
  ['express-session', { session: { cookie: { maxAge: 1 }, passport: { user: X } }, sessionID: X }],
  ['a session store key', { sessionId: `sess:${X}` }],
  // Cloud
  [
    'AWS SDK: credentials',
    failed({
      $metadata: {},
      config: {
        credentials: {
          accessKeyId: vendorKey('AKIA', 'IOSFODNN7EXAMPLE'),
          secretAccessKey: X,
          sessionToken: X,
        },
      },
    }),
  ],
  ['AWS: environment', { env: { AWS_SECRET_ACCESS_KEY: X, AWS_SESSION_TOKEN: X, AWS_REGION: 'eu-1' } }],
  ['AWS: credentials file', { text: `[default]\naws_access_key_id = x\naws_secret_access_key = ${X}\n` }],
  [
    'S3: a signed URL',
    {
      url: `https://b.s3.amazonaws.com/k?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Expires=900&X-Amz-Signature=${'ab12'.repeat(16)}`,
    },
    ['ab12ab12'],
  ],
  [
    'S3: a signed URL of version 2',
    { url: `https://b.s3.amazonaws.com/k?AWSAccessKeyId=A&Expires=1&Signature=${X}` },
  ],
  ['CloudFront: a signed URL', { url: `https://d.cloudfront.net/k?Policy=p&Signature=${X}&Key-Pair-Id=K` }],
  [
    'Google: a signed URL',
    { url: `https://storage.googleapis.com/b/k?X-Goog-Expires=1&X-Goog-Signature=${'ab12'.repeat(16)}` },
    ['ab12ab12'],
  ],
  [
    'Azure: SAS',
    { url: `https://a.blob.core.windows.net/c/b?sv=2022&se=2026&sr=b&sig=${encodeURIComponent(`${X}=`)}` },
  ],
  [
    'Azure: connection string',
    { conn: `DefaultEndpointsProtocol=https;AccountName=a;AccountKey=${X}==;EndpointSuffix=core` },
  ],
  ['Azure: service bus', { conn: `Endpoint=sb://a/;SharedAccessKeyName=Root;SharedAccessKey=${X}=` }],
  ['Azure: shared access signature', { SharedAccessSignature: `sr=x&sig=${X}`, sasToken: X }],
  ['Google: service account', { type: 'service_account', private_key_id: 'k', private_key: PEM }, [X]],
  [
    'Google: service account as text',
    { text: JSON.stringify({ type: 'service_account', private_key: PEM }) },
  ],
  ['Kubernetes: a secret', { kind: 'Secret', stringData: { DB_PASSWORD: X } }],
  ['Kubernetes: env in YAML', { text: `env:\n  - name: DB_PASSWORD\n    value: ${WORD}\n` }, [WORD]],
  [
    'Kubernetes: env in quoted YAML',
    { text: `env:\n  - name: "DB_PASSWORD"\n    value: "${SPACED}"\n` },
    [SPACED],
  ],
  ['Kubernetes: env', { env: [{ name: 'DB_PASSWORD', value: X }] }],
  ['Docker: config', { auths: { 'r.example': { auth: base64(`ann:${X}`) } } }],
  ['Docker: Env', { Config: { Env: [`POSTGRES_PASSWORD=${X}`, 'PATH=/bin'] } }],
  ['Terraform: a plan', { text: `+ password = "${SPACED}"\n+ name = "db"` }, [SPACED]],
  [
    'Slack: a webhook',
    {
      url: vendorKey('https://hooks.slack.com', '/services/T00000000/B00000000/', 'aB3dE5gH7jK9mN1pQ3sT5vW7'),
    },
    ['aB3dE5gH7jK9mN1pQ3sT5vW7'],
  ],
  [
    'Discord: a webhook',
    {
      url: vendorKey(
        'https://discord.com/api',
        '/webhooks/123456789012345678/',
        'aB3dE5gH7jK9mN1pQ3sT5vW7aB3dE5gH7jK9mN1pQ3sT5vW7',
      ),
    },
    ['aB3dE5gH7jK9mN1pQ3sT5vW7'],
  ],
  [
    'Telegram: a bot',
    {
      url: vendorKey(
        'https://api.telegram.org/bot',
        '123456789:AA',
        'aB3dE5gH7jK9mN1pQ3sT5vW7xY9zA1bC3',
        '/sendMessage',
      ),
    },
    ['aB3dE5gH7jK9mN1pQ3sT5vW7xY9zA1bC3'],
  ],
  [
    'vendor keys of younger vendors',
    {
      a: vendorKey('dckr_pat_', 'aB3dE5gH7jK9mN1pQ3sT5vW7xY9'),
      b: vendorKey('gsk_', 'aB3dE5gH7jK9mN1pQ3sT'.repeat(2)),
      c: vendorKey('xai-', 'aB3dE5gH7jK9mN1pQ3sT'.repeat(3)),
      d: vendorKey('pat-na1-', '0a1b2c3d-1111-2222-3333-0a1b2c3d4e5f'),
    },
    ['aB3dE5gH7jK9', '0a1b2c3d-1111'],
  ],
  // Databases
  [
    'pg: a unique violation',
    failed({ detail: `Key (api_token)=(${X}) already exists.`, table: 'users' }, 'duplicate key'),
  ],
  [
    'pg: options of a pool',
    { options: { host: 'db', user: 'app', password: SPACED, ssl: { key: PEM } } },
    [SPACED, X],
  ],
  [
    'pg: an INSERT with its values',
    { query: `INSERT INTO "users" ("email", "password_hash") VALUES ('a@b.example', '${WORD}')` },
    [WORD],
  ],
  [
    'pg: an UPDATE with its values',
    { sql: `UPDATE users SET password = '${WORD}', name = 'ann' WHERE id = 1` },
    [WORD],
  ],
  [
    'knex: an INSERT with its bindings',
    { sql: 'insert into `users` (`email`, `password`) values (?, ?)', bindings: ['a@b.example', WORD] },
    [WORD],
  ],
  [
    'pg: a parameterised INSERT',
    { text: 'INSERT INTO users (email, password) VALUES ($1, $2)', values: ['a@b.example', WORD] },
    [WORD],
  ],
  [
    'pg: an error with its code, statement and values',
    failed({
      code: '23505',
      query: 'INSERT INTO users (name, password_hash) VALUES ($1, $2)',
      parameters: ['ann', WORD],
    }),
    [WORD],
  ],
  [
    'pg: a parameterised UPDATE',
    { query: 'UPDATE users SET name = $1, api_key = $2 WHERE id = $3', parameters: ['ann', WORD, 7] },
    [WORD],
  ],
  [
    'Prisma: a failed call',
    { message: `prisma.user.create({ data: { email: "a", password: "${SPACED}" } })` },
    [SPACED],
  ],
  [
    'Prisma: data source',
    { datasources: { db: { url: `postgresql://app:${AT}@db:5432/x?schema=public` } } },
    [AT, 'ord#9'],
  ],
  [
    'Sequelize: a validation error',
    { errors: [{ path: 'password', value: WORD, type: 'Validation error' }] },
    [WORD],
  ],
  [
    'Mongoose: a validator error',
    { errors: { password: { path: 'password', value: WORD, kind: 'minlength' } } },
    [WORD],
  ],
  ['Mongo: createUser', { createUser: 'ann', pwd: WORD, roles: [] }, [WORD]],
  [
    'Mongo: a URI with two hosts',
    { uri: `mongodb://ann:${AT}@h1:27017,h2:27017/db?replicaSet=r` },
    [AT, 'ord#9'],
  ],
  ['Redis: a URL without a user', { url: `redis://:${AT}@cache:6379/0` }, [AT, 'ord#9']],
  ['ioredis: options', { options: { host: 'cache', password: WORD, username: 'default' } }, [WORD]],
  ['ioredis: sentinel', { sentinelPassword: WORD, sentinels: [{ host: 'a' }] }, [WORD]],
  ['MySQL of Go', { dsn: `app:${AT}@tcp(db:3306)/shop?parseTime=true` }, [AT, 'ord#9']],
  ['ADO.NET', { conn: `Server=tcp:db,1433;User ID=sa;Password={${WORD}};Encrypt=True` }, [WORD]],
  ['ODBC', { conn: `Driver={x};Server=db;UID=sa;PWD=${WORD};` }, [WORD]],
  ['JDBC with properties', { url: `jdbc:postgresql://db/x?user=app&password=${WORD}` }, [WORD]],
  ['JDBC of Oracle', { url: `jdbc:oracle:thin:scott/${WORD}@//db:1521/xe` }, [WORD]],
  [
    'a URL with its password percent-encoded',
    { url: 'postgres://app:p%40ss%2Fw0rd9@db/x' },
    ['p%40ss', 'w0rd9'],
  ],
  ['a URL with a mail address as user', { url: `smtp://ann@b.example:${X}@smtp.example:587` }],
  ['libpq: connection string', { conn: `host=db user=app password='${SPACED}' sslmode=require` }, [SPACED]],
  ['Elasticsearch: API key', { auth: { apiKey: X }, node: 'https://es' }],
  ['Kafka: SASL', { sasl: { mechanism: 'plain', username: 'ann', password: WORD } }, [WORD]],
  [
    'Kafka: JAAS',
    { config: `org.apache.kafka.PlainLoginModule required username="ann" password="${SPACED}";` },
    [SPACED],
  ],
  ['AMQP', { url: `amqps://ann:${X}@mq/vhost` }],
  ['LDAP: passport-ldapauth', { server: { bindDN: 'cn=a', bindCredentials: WORD } }, [WORD]],
  ['LDIF', { text: `dn: cn=a\nuserPassword: ${WORD}\nuserPassword:: ${base64(WORD)}` }, [WORD, base64(WORD)]],
  [
    'hashes without a name',
    { row: [1, 'ann', '$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW'] },
    ['R9h/cIPz0gi'],
  ],
  [
    'Argon2 without a name',
    { text: 'got $argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$RdescudvJCsgt3ub+b4dWRWJTmaaJObG' },
    ['RdescudvJCsgt3ub'],
  ],
  // Mail
  ['nodemailer: auth', { transport: { host: 'h', auth: { user: 'ann', pass: WORD } } }, [WORD]],
  ['nodemailer: OAuth2', { auth: { type: 'OAuth2', clientId: 'c', clientSecret: X, refreshToken: X } }],
  ['SMTP: AUTH PLAIN', { line: `C: AUTH PLAIN ${base64(`\0ann\0${X}`)}` }, [base64(`\0ann\0${X}`)]],
  // Validation and change lists
  [
    'express-validator: an error',
    { errors: [{ type: 'field', path: 'password', value: WORD, location: 'body', msg: 'too short' }] },
    [WORD],
  ],
  [
    'Joi: an error',
    { details: [{ path: ['password'], context: { label: 'password', key: 'password', value: WORD } }] },
    [WORD],
  ],
  [
    'Zod: an issue',
    { issues: [{ code: 'too_small', path: ['user', 'password'], input: WORD, message: 'x' }] },
    [WORD],
  ],
  [
    'Zod 3: a value that is none of a list',
    { issues: [{ code: 'invalid_enum_value', path: ['user', 'password'], received: WORD, options: ['a'] }] },
    [WORD],
  ],
  ['Spring: a field error', { field: 'password', rejectedValue: WORD, codes: ['Size'] }, [WORD]],
  [
    'Ajv: an error',
    { errors: [{ instancePath: '/user/password', data: WORD, keyword: 'minLength' }] },
    [WORD],
  ],
  ['class-validator: an error', { property: 'password', value: WORD, constraints: {} }, [WORD]],
  [
    'Yup: an error',
    { path: 'user.password', value: WORD, params: { originalValue: WORD, path: 'user.password' } },
    [WORD],
  ],
  ['JSON Patch', { patch: [{ op: 'replace', path: '/user/password', value: WORD }] }, [WORD]],
  ['a change list', { changes: [{ field: 'password', from: WORD, to: SPACED }] }, [WORD, SPACED]],
  [
    'a change list, old and new',
    { changes: [{ column: 'api_key', old: WORD, new: SPACED }] },
    [WORD, SPACED],
  ],
  [
    'deep-diff',
    { diff: [{ kind: 'E', path: ['user', 'password'], lhs: WORD, rhs: SPACED }] },
    [WORD, SPACED],
  ],
  ['a change by name', { diff: { password: { from: WORD, to: SPACED } } }, [WORD, SPACED]],
  // Keys
  ['JWK: RSA', { jwk: { kty: 'RSA', n: 'n', e: 'AQAB', d: X, p: X, q: X, dp: X, dq: X, qi: X } }],
  ['JWK: EC', { keys: { kty: 'EC', crv: 'P-256', x: 'x', y: 'y', d: X } }],
  ['JWK: symmetric', [{ kty: 'oct', k: X, alg: 'HS256' }]],
  ['JWK in a string', { text: JSON.stringify({ kty: 'OKP', crv: 'Ed25519', d: X, x: 'x' }) }],
  ['JWK in broken JSON', { text: `jwks: {"kty":"RSA","e":"AQAB","d":"${X}", ` }],
  ['JWK of util.inspect', { text: `{ kty: 'EC', crv: 'P-256', x: 'x', d: '${X}' }` }],
  ['PEM in one line', { text: PEM.replaceAll('\n', '\\n') }],
  ['PEM with blanks', { text: PEM.replaceAll('\n', ' ') }],
  ['PEM in a form', { text: `key=${encodeURIComponent(PEM)}` }],
  [
    'PEM of a form with plus signs',
    { text: `a=-----BEGIN+RSA+PRIVATE+KEY-----%0A${X}%0A-----END+RSA+PRIVATE+KEY-----` },
  ],
  [
    'SSH2',
    { text: `---- BEGIN SSH2 ENCRYPTED PRIVATE KEY ----\n${X}\n---- END SSH2 ENCRYPTED PRIVATE KEY ----` },
  ],
  // Cards
  ['a card with blanks and its date', { text: 'card 4111 1111 1111 1111 12/27' }, ['1111 1111']],
  ['a card with its code behind it', { text: '4111 1111 1111 1111 123' }, ['1111 1111']],
  ['a card behind another number', { text: 'order 12 4111 1111 1111 1111' }, ['1111 1111']],
  ['an American Express card', { text: 'amex 3714 496353 98431 ok' }, ['496353']],
  ['a card in JSON', { text: '{"number":4111111111111111}' }, ['4111111111111111']],
  ['track data', { text: ';4111111111111111=25121011000012345678?' }, ['4111111111111111']],
  [
    'a card of a payment form',
    { card: { number: '4242 4242 4242 4242', cvc: '314', exp_month: 12 } },
    ['4242 4242', '314'],
  ],
  ['a card without its name', { pan: '4242424242424242' }, ['4242424242424242']],
];
