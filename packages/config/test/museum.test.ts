import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ConfigError, loadConfig, setting, type ConfigSchema, type LoadConfigOptions } from '../src/index.js';

// What went wrong in packages like this one, or was missing in them, by its identifier.
let folder: string;
beforeAll(() => void (folder = mkdtempSync(join(tmpdir(), 'config-museum-'))));
afterAll(() => rmSync(folder, { recursive: true }));

const random = (): string => Buffer.from(crypto.getRandomValues(new Uint8Array(24))).toString('hex');
const load = <const S extends ConfigSchema>(
  schema: S,
  env: Record<string, string>,
  more: LoadConfigOptions = {},
) => loadConfig(schema, { env, files: [], cwd: folder, production: true, ...more });

function codes(
  schema: ConfigSchema,
  env: Record<string, string>,
  more: LoadConfigOptions = {},
): readonly string[] {
  try {
    load(schema, env, more);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.problems.map(({ code, name }) => `${name} ${code}`);
  }
}

test.each([
  ['convict CVE-2022-22143 CVE-2023-0163: a path through __proto__', '{"__proto__":{"isAdmin":true}}'],
  ['nconf CVE-2022-21803: constructor.prototype', '{"constructor":{"prototype":{"isAdmin":true}}}'],
  ['both, deeper', '{"a":{"__proto__":{"isAdmin":true}}}'],
])('%s changes no other object, and a schema that does not list it refuses it', (_id, text) => {
  const open = load({ RULES: setting.json<Record<string, unknown>>({ type: 'object' }) }, { RULES: text });
  expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined();
  expect(JSON.stringify(open.values.RULES)).toBe(text);
  const closed = setting.json({ type: 'object', properties: {}, additionalProperties: false });
  expect(codes({ RULES: closed }, { RULES: text })).toEqual(['RULES E_CONFIG_VALUE']);
});

test('convict: names of settings and of variables that are members of every object are settings of nobody', () => {
  const env = JSON.parse(`{"__proto__":"x","constructor":"y","toString":"z","A":"a"}`) as Record<
    string,
    string
  >;
  const config = load(
    { A: setting.string(), toString: setting.string(), B: setting.string({ optional: true }) },
    env,
  );
  expect(config.values).toEqual({ A: 'a', toString: 'z', B: undefined });
  expect(codes({ constructor: setting.string() }, {})).toEqual(['constructor E_CONFIG_MISSING']);
});

test('envalid#213: NAME_FILE, as Docker and Kubernetes mount secrets, with its symbolic links and its line end', () => {
  const secret = random();
  mkdirSync(join(folder, '..data'));
  writeFileSync(join(folder, '..data', 'key'), `${secret}\n`);
  symlinkSync(join(folder, '..data', 'key'), join(folder, 'key'));
  expect(load({ KEY: setting.secret() }, { KEY_FILE: join(folder, 'key') }).values.KEY.reveal()).toBe(secret);
});

test.each([
  ['a password that holds #', 'PASSWORD=abc#def\n'],
  ['a quote that nobody closes', 'PASSWORD="abc\nOTHER=1\n'],
  ['the same name twice', 'PASSWORD=abc\nPASSWORD=def\n'],
])('dotenv reads %s as something else without a word; here it is a problem', (_what, text) => {
  writeFileSync(join(folder, 'one.env'), text);
  expect(codes({ PASSWORD: setting.string() }, {}, { files: ['one.env'] })).toContain(
    'PASSWORD E_CONFIG_SYNTAX',
  );
});

test.each([
  'secret',
  'changeme',
  'password',
  'keyboard cat',
  'shhhhh',
  'your-256-bit-secret',
  'my_secret_key',
])('jsonwebtoken, express-session, csurf and their guides take the secret %p; production does not', (value) =>
  expect(codes({ KEY: setting.secret({ minBytes: 1 }) }, { KEY: value })).toEqual([
    'KEY E_CONFIG_SECRET_WEAK',
  ]),
);

test.each(['Production', 'prod', 'staging', 'live', ' production'])(
  'express and others ask for NODE_ENV === "production": %p leaves them in development, and is production here',
  (NODE_ENV) => {
    const schema = { KEY: setting.secret({ requiredIn: 'production' }) };
    expect(() => loadConfig(schema, { env: { NODE_ENV }, files: [], cwd: folder })).toThrow(ConfigError);
  },
);

test.each([
  ['redis://cache.internal:6379', true],
  ['redis://127.0.0.1:6379', false],
  ['rediss://cache.internal:6380', false],
])(
  'ioredis and pg connect as they are told: %s without TLS to another host is refused: %p',
  (url, refused) => {
    const found = codes({ CACHE: setting.url({ protocols: ['redis:', 'rediss:'] }) }, { CACHE: url });
    expect(found).toEqual(refused ? ['CACHE E_CONFIG_PLAINTEXT_URL'] : []);
  },
);
