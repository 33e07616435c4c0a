import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { createEvents, hasCode, type Secret, type ErrorFactory, type SecurityEvent } from '@portcullis/core';
import {
  configErrors,
  loadConfig,
  setting,
  type ConfigError,
  type ConfigSchema,
  type LoadConfigOptions,
} from '../src/index.js';

// Made up for each run: nothing that looks like a key stands in the repository.
const random = (bytes = 32): string =>
  Buffer.from(crypto.getRandomValues(new Uint8Array(bytes))).toString('base64');

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'config-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

function write(name: string, text: string | Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

function load<const S extends ConfigSchema>(
  schema: S,
  env: Record<string, string> = {},
  more: LoadConfigOptions = {},
) {
  return loadConfig(schema, { env, cwd: folder, ...more });
}

function problemsOf(
  schema: ConfigSchema,
  env: Record<string, string> = {},
  more: LoadConfigOptions = {},
): string[] {
  return errorOf(schema, env, more).problems.map(
    ({ code, name }) => `${name} ${code.replace('E_CONFIG_', '')}`,
  );
}

function errorOf(
  schema: ConfigSchema,
  env: Record<string, string> = {},
  more: LoadConfigOptions = {},
): ConfigError {
  try {
    load(schema, env, more);
  } catch (error) {
    if (hasCode(error, 'E_CONFIG_INVALID')) return error as ConfigError;
    throw error;
  }
  throw new Error('the configuration was accepted');
}

describe('types and strict reading', () => {
  test('values have the type of their declaration, and secrets are wrapped', () => {
    const key = random();
    const { values } = load(
      {
        PORT: setting.integer({ min: 1, max: 65_535, default: 3000 }),
        RATIO: setting.number({ min: 0, max: 1 }),
        DEBUG: setting.boolean({ default: false }),
        TTL: setting.duration({ default: '15m' }),
        LEVEL: setting.oneOf(['info', 'debug'], { default: 'info' }),
        ORIGINS: setting.list(setting.url({ protocols: ['https:'] }), { unique: true }),
        NAME: setting.string({ optional: true }),
        KEY: setting.secret(),
        DATABASE_URL: setting.url({ protocols: ['postgres:'], secret: true, requiredIn: 'production' }),
        ROUTES: setting.json<{ a: number }>({ type: 'object', properties: { a: { type: 'integer' } } }),
      },
      {
        RATIO: '0.5',
        KEY: key,
        ORIGINS: 'https://a.example,https://b.example',
        ROUTES: '{"a":1}',
        DATABASE_URL: 'postgres://u:p@localhost/db',
      },
    );
    // Assignments that only compile when the inferred types are right.
    const port: number = values.PORT;
    const level: 'info' | 'debug' = values.LEVEL;
    const name: string | undefined = values.NAME;
    const url: Secret | undefined = values.DATABASE_URL;
    const origins: readonly string[] = values.ORIGINS;
    // @ts-expect-error a secret is not a string
    const wrong: string = values.KEY;
    expect([port, level, name, values.RATIO, values.DEBUG, values.TTL]).toEqual([
      3000,
      'info',
      undefined,
      0.5,
      false,
      900_000,
    ]);
    expect(origins).toEqual(['https://a.example', 'https://b.example']);
    expect(values.ROUTES.a).toBe(1);
    expect(values.KEY.reveal()).toBe(key);
    expect(url?.reveal()).toContain('postgres://');
    expect(wrong).not.toEqual(key);
    expect(Object.isFrozen(values) && Object.isFrozen(values.ROUTES) && Object.isFrozen(values.ORIGINS)).toBe(
      true,
    );
  });

  test.each([
    [
      setting.integer(),
      ['0x10', ' 1', '1 ', '1e3', '1.0', '01', '+1', '--1', '-0', '١', '1_000', 'NaN', 'Infinity'],
    ],
    [setting.number(), ['0x1', ' 1', '.5', '1.', '1e3', '01.5', 'NaN', 'Infinity', '1,5']],
    [setting.boolean(), ['yes', 'no', '1', '0', 'on', 'TRUE', 'True', ' true', 't']],
    [setting.duration(), ['15', '15 m', 'm', '-1s', '15min', '1h30m', 'PT15M', ' 15m']],
    [
      setting.url({ protocols: ['https:'] }),
      ['example.com', '//a.example', ' https://a.example', 'https://a.example\n', 'https://a\t.example'],
    ],
    [setting.list(setting.integer()), ['1, 2', '1,,2', '1,2,', ',1', '1;2', '1,x']],
    [setting.json({ type: 'object' }), ['{', "{'a':1}", '{"a":1}}', 'undefined']],
  ])('%# what is not written as declared is refused as its type', (declared, texts) => {
    for (const text of texts)
      expect([text, problemsOf({ X: declared }, { X: text })]).toEqual([text, ['X TYPE']]);
  });

  test('lenient spellings are read where they are declared', () => {
    const { values } = load(
      {
        MASK: setting.integer({ hex: true, trim: true }),
        FLAG: setting.boolean({ truthy: ['yes', 'on'], falsy: ['no', 'off'] }),
        LIST: setting.list(setting.integer(), { trim: true, separator: ';' }),
      },
      { MASK: ' 0x1F ', FLAG: 'off', LIST: '1 ; 2' },
    );
    expect(values).toEqual({ MASK: 31, FLAG: false, LIST: [1, 2] });
  });

  test.each([
    ['an integer below its minimum', setting.integer({ min: 1 }), '0'],
    ['an integer that a double cannot hold', setting.integer(), '9007199254740993'],
    ['a duration beyond its maximum', setting.duration({ max: '1h' }), '61m'],
    ['a word that is not in the list', setting.oneOf(['a', 'b']), 'c'],
    ['a string that does not match', setting.string({ pattern: '^[a-z]+$' }), 'A1'],
    ['javascript: as a URL', setting.url({ protocols: ['https:'] }), 'javascript:alert(1)'],
    [
      'a URL with a password that is not declared secret',
      setting.url({ protocols: ['redis:'] }),
      'redis://:pw@localhost',
    ],
    ['a short secret', setting.secret({ minBytes: 32 }), 'x'.repeat(31)],
    ['a list with a repeated entry', setting.list(setting.string(), { unique: true }), 'a,a'],
    ['JSON that breaks its schema', setting.json({ type: 'array', items: { type: 'integer' } }), '["a"]'],
  ])('%s is refused as a value', (_, declared, text) => {
    expect(problemsOf({ X: declared }, { X: text })).toEqual(['X VALUE']);
  });

  test.each([
    ['a name that no shell can set', () => load({ 'a-b': setting.string() })],
    ['a prototype name', () => load({ ['__proto__']: setting.string() })],
    ['something that no builder made', () => load({ A: { type: 'string' } as never })],
    ['an unknown option', () => setting.integer({ maximum: 3 } as never)],
    ['a default that breaks its own rule', () => load({ A: setting.integer({ max: 3, default: 4 }) })],
    [
      'a default URL of another protocol',
      () => setting.url({ protocols: ['https:'], default: 'http://a.example' }),
    ],
    ['a default that is no duration', () => setting.duration({ default: '15' as never })],
    ['a schema with a misspelt keyword', () => load({ A: setting.json({ type: 'object', propertis: {} }) })],
    ['a secret inside a list', () => setting.list(setting.secret())],
    ['optional with a default', () => setting.string({ optional: true, default: 'a' })],
    ['an unknown option of loadConfig', () => load({}, {}, { file: ['.env'] } as never)],
  ])('a declaration with %s does not start', (_, build) => {
    expect(build).toThrow(expect.objectContaining({ name: 'OptionError' }));
  });
});

describe('problems', () => {
  test('all of them are reported at once, with the near miss, and none repeats a value', () => {
    const value = 'hunter2-hunter2';
    const error = errorOf(
      {
        APP_PORT: setting.integer(),
        APP_DEBUG: setting.boolean(),
        DATABASE_URL: setting.url({ protocols: ['postgres:'], secret: true }),
        APP_KEY: setting.secret({ minBytes: 32 }),
        APP_EMPTY: setting.string({ default: 'a' }),
      },
      {
        APP_PORT: value,
        APP_DEBUG: value,
        DATABSE_URL: value,
        APP_KEY: value,
        APP_EMPTY: '',
        APP_PROT: value,
      },
      { prefix: 'APP_' },
    );
    expect(error.problems.map(({ code, name }) => `${name} ${code}`)).toEqual([
      'APP_PORT E_CONFIG_TYPE',
      'APP_DEBUG E_CONFIG_TYPE',
      'DATABASE_URL E_CONFIG_MISSING',
      'APP_KEY E_CONFIG_VALUE',
      'APP_EMPTY E_CONFIG_EMPTY',
      'APP_PROT E_CONFIG_UNKNOWN',
    ]);
    expect(error.message).toContain('DATABSE_URL is set, did you mean that?');
    expect(error.message).toContain('did you mean APP_PORT?');
    expect(`${error.stack} ${JSON.stringify(error)}`).not.toContain('hunter2');
  });

  test('presence: required, optional, defaulted, and required in production only', () => {
    const schema = {
      A: setting.string({ requiredIn: 'production' }),
      B: setting.string({ requiredIn: 'production', default: 'dev' }),
      C: setting.string({ optional: true }),
    };
    expect(load(schema).values).toEqual({ A: undefined, B: 'dev', C: undefined });
    expect(problemsOf(schema, {}, { production: true })).toEqual(['A MISSING', 'B MISSING']);
    expect(problemsOf({ D: setting.string() })).toEqual(['D MISSING']);
  });

  test.each([
    [undefined, false],
    ['', false],
    ['development', false],
    ['test', false],
    ['production', true],
    ['Production', true],
    ['prod', true],
    ['staging', true],
    ['development ', true],
  ])('NODE_ENV=%j means production: %j', (nodeEnv, production) => {
    expect(load({}, nodeEnv === undefined ? {} : { NODE_ENV: nodeEnv }).production).toBe(production);
  });

  test('an empty variable is a problem, or unset where that is chosen', () => {
    expect(problemsOf({ A: setting.integer({ default: 1 }) }, { A: '' })).toEqual(['A EMPTY']);
    expect(load({ A: setting.integer({ default: 1 }) }, { A: '' }, { empty: 'unset' }).values.A).toBe(1);
    expect(load({ A: setting.string({ min: 0 }) }, { A: '' }).values.A).toBe('');
  });

  test('a polluted prototype configures nothing', () => {
    // oxlint-disable-next-line no-extend-native -- the attack itself
    Object.defineProperty(Object.prototype, 'POLLUTED', { value: 'x', configurable: true });
    try {
      expect(load({ POLLUTED: setting.string({ optional: true }) }).values.POLLUTED).toBeUndefined();
    } finally {
      delete (Object.prototype as { POLLUTED?: unknown }).POLLUTED;
    }
  });
});

describe('files', () => {
  test('precedence: environment, secrets directory, environment files in their order, default', () => {
    write('.env', 'A=first\nB=first\nC=first\n');
    write('second', 'A=second\nD=second\n');
    mkdirSync(join(folder, 'secrets'));
    write('secrets/A', 'directory\n');
    write('secrets/b', 'directory\n');
    const text = setting.string({ default: 'default' });
    const config = load(
      { A: text, B: text, C: text, D: text, E: text },
      { A: 'env' },
      {
        files: ['.env', 'second'],
        secretsDirectory: 'secrets',
      },
    );
    expect(config.values).toEqual({ A: 'env', B: 'directory', C: 'first', D: 'second', E: 'default' });
    expect(config.describe().map(({ source }) => source)).toEqual([
      'environment',
      'the secrets directory',
      '.env',
      'second',
      'default',
    ]);
    expect(process.env['D']).toBeUndefined();
  });

  test('ASVS V13.3.1: NAME_FILE (envalid#213): one line end is removed, symbolic links as Kubernetes makes them are followed', () => {
    const key = random();
    write('real', `${key}\r\n`);
    symlinkSync(join(folder, 'real'), join(folder, 'link'));
    write('two', `${key}\n\n`);
    const config = load(
      { A: setting.secret(), B: setting.secret() },
      { A_FILE: 'link', B_FILE: join(folder, 'two') },
    );
    expect(config.values.A.reveal()).toBe(key);
    expect(config.values.B.reveal()).toBe(`${key}\n`);
  });

  test.each([
    ['is missing', () => 'missing'],
    ['is a directory', () => '.'],
    ['is a device that never ends', () => '/dev/zero'],
    ['is larger than the limit', () => write('big', 'x'.repeat(1025))],
    ['is not UTF-8', () => write('bytes', Buffer.from([0xff, 0xfe, 0x41]))],
    ['holds a NUL byte', () => write('nul', 'a\0b')],
  ])('a secret file that %s is a problem that does not repeat the path', (_, make) => {
    const path = make();
    const error = errorOf({ A: setting.secret() }, { A_FILE: path }, { maxFileBytes: 1024 });
    expect(error.problems.map(({ code, name }) => [code, name])).toEqual([['E_CONFIG_FILE', 'A_FILE']]);
    if (path.length > 1) expect(error.message).not.toContain(path);
  });

  test('NAME and NAME_FILE together are refused, in one place or in two', () => {
    write('key', random());
    write('.env', 'A_FILE=key\n');
    expect(problemsOf({ A: setting.secret() }, { A: random() })).toEqual(['A CONFLICT']);
    expect(problemsOf({ B: setting.secret() }, { B: random(), B_FILE: 'key' })).toEqual(['B CONFLICT']);
  });

  test('a setting whose own name ends in _FILE is not taken for the file of another', () => {
    expect(
      load({ LOG: setting.string({ default: 'a' }), LOG_FILE: setting.string() }, { LOG_FILE: 'x.log' })
        .values,
    ).toEqual({ LOG: 'a', LOG_FILE: 'x.log' });
  });

  test('a named environment file must exist; the default one and an optional one need not', () => {
    expect(load({}).values).toEqual({});
    expect(load({}, {}, { files: [{ path: 'none', optional: true }] }).values).toEqual({});
    expect(problemsOf({}, {}, { files: ['none'] })).toEqual(['none FILE']);
  });

  test('what dotenv drops or cuts without a word is a problem: # in a password, open quotes, doubles, other lines', () => {
    write(
      '.env',
      [
        '# fine',
        'export OK="a # b" # comment',
        'CUT=pass#word',
        'OPEN="abc',
        'TWICE=1',
        'TWICE=2',
        'nonsense',
        'OTHER=a#b',
      ].join('\n'),
    );
    const text = setting.string({ optional: true });
    expect(problemsOf({ OK: text, CUT: text, OPEN: text, TWICE: text })).toEqual([
      'CUT SYNTAX',
      'OPEN SYNTAX',
      'TWICE SYNTAX',
      'line 7 SYNTAX',
    ]);
  });

  test('quotes, several lines, windows line ends and a byte order mark are read as dotenv reads them', () => {
    write('.env', '\uFEFFA="x\r\ny"\r\nB=\'$C\'\r\nC = d # e\r\n');
    const text = setting.string();
    expect(load({ A: text, B: text, C: text }).values).toEqual({ A: 'x\ny', B: '$C', C: 'd' });
  });
});

describe('production', () => {
  const live: LoadConfigOptions = { production: true };

  test.each([
    'secret',
    'changeme',
    'changemechangemechangeme',
    'my-super-secret-key-change-me-please',
    'your_jwt_secret_goes_here',
    'P4ssw0rd!P4ssw0rd!',
    'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',
    'abababababababababababababababab',
    '12345678901234567890123456789012',
    'abcdefghijklmnopqrstuvwxyz012345',
    '0123456789abcdef',
    'qwertyuiopasdfghjkl',
    'keyboard cat keyboard cat',
    'test-secret-2024',
    'deadbeef',
    'SECRET_KEY_BASE_DEVELOPMENT',
    'supersecretsupersecretsupersecret1',
    '$3cr3t-k3y-f0r-jwt-s1gn1ng',
  ])('ASVS V13.2.3: the weak secret %j is refused, and accepted in development', (weak) => {
    const schema = { KEY: setting.secret({ minBytes: 1 }) };
    expect(problemsOf(schema, { KEY: weak }, live)).toEqual(['KEY SECRET_WEAK']);
    const row = load(schema, { KEY: weak }).describe()[0];
    expect(row?.weak).toEqual(expect.any(String));
  });

  test('1,000 random keys of 16 bytes and more pass in hex, base64 and base64url', async () => {
    const env: Record<string, string> = { KEY: random() };
    const config = load({ KEY: setting.secret() }, env, live);
    const forms = ['hex', 'base64', 'base64url'] as const;
    for (let i = 0; i < 1000; i++) {
      env['KEY'] = Buffer.from(random(16 + (i % 4) * 8), 'base64').toString(forms[i % 3]);
      expect(await config.reload()).toMatchObject({ ok: true, changed: ['KEY'] });
    }
  });

  test('ASVS V13.2.3: defaults and published samples of secrets are refused', () => {
    const [sample, example, fallback] = [random(), random(), random()];
    write('.env.example', `FROM_FILE=${example}\n`);
    const schema = {
      LISTED: setting.secret({ samples: [sample] }),
      FROM_FILE: setting.secret(),
      DEFAULTED: setting.secret({ default: fallback }),
    };
    const env = { LISTED: sample, FROM_FILE: example };
    expect(problemsOf(schema, env, live)).toEqual([
      'LISTED SECRET_SAMPLE',
      'FROM_FILE SECRET_SAMPLE',
      'DEFAULTED SECRET_SAMPLE',
    ]);
    expect(load(schema, env).values.DEFAULTED.reveal()).toBe(fallback);
  });

  test('one value in two secrets is refused, also as the password of a URL, unless each declares it', () => {
    const key = Buffer.from(random(24), 'base64').toString('hex');
    const env = {
      A: key,
      B: key,
      DB: `postgres://u:${key}@localhost/a`,
      REPLICA: `postgres://u:${key}@localhost/b`,
    };
    const url = setting.url({ protocols: ['postgres:'], secret: true });
    expect(problemsOf({ A: setting.secret(), B: setting.secret() }, env, live)).toEqual(['A SECRET_SHARED']);
    expect(problemsOf({ A: setting.secret(), DB: url }, env, live)).toEqual(['A SECRET_SHARED']);
    expect(load({ DB: url, REPLICA: url }, env, live).production).toBe(true);
    const shared = setting.secret({ dangerouslyAllowShared: true });
    expect(load({ A: shared, B: shared }, env, live).production).toBe(true);
    expect(problemsOf({ A: shared, B: setting.secret() }, env, live)).toEqual(['A SECRET_SHARED']);
  });

  test.each([
    ['redis://cache.example:6379', true],
    ['rediss://cache.example:6379', false],
    ['redis://localhost', false],
    ['redis://127.0.0.1:1', false],
    ['redis://[::1]:1', false],
    ['redis://127.0.0.1.example', true],
    ['redis://0x7f.example', true],
    ['postgres://db.example/x', true],
    ['postgres://db.example/x?sslmode=require', false],
    ['postgresql://db.example/x?sslmode=verify-full', false],
    ['postgres://db.example/x?sslmode=prefer', true],
    ['postgres://db.example/x?sslmode=disable', true],
    ['postgres://db.example/x?sslmode=no-verify', true],
    ['postgres://db.example/x?sslmode=require&sslmode=disable', true],
    ['postgres://localhost/x?host=db.example', true],
    ['postgres://localhost/x?host=/var/run/postgresql', false],
    ['postgres:///x?host=%2Fvar%2Frun', false],
    ['postgres://a,localhost/x', true],
  ])('ASVS V12.3.1: %s leaves the host without TLS: %j', (url, plain) => {
    const declared = { protocols: ['redis:', 'rediss:', 'postgres:', 'postgresql:'], secret: true } as const;
    const schema = { X: setting.url(declared) };
    if (plain) expect(problemsOf(schema, { X: url }, live)).toEqual(['X PLAINTEXT_URL']);
    else expect(load(schema, { X: url }, live).production).toBe(true);
    expect(
      load({ X: setting.url({ ...declared, dangerouslyAllowPlaintext: true }) }, { X: url }, live).production,
    ).toBe(true);
    expect(load(schema, { X: url }).production).toBe(false);
  });

  test.each([
    'postgres:postgres',
    'app:app-app-app'.replace('app-app-app', 'app'),
    'app:password',
    'app:Passw0rd!',
    'app:changeme123',
  ])('ASVS V13.2.3: the password in %s is refused', (userinfo) => {
    const schema = { DB: setting.url({ protocols: ['postgres:'], secret: true }) };
    expect(problemsOf(schema, { DB: `postgres://${userinfo}@localhost/a` }, live)).toEqual([
      'DB SECRET_WEAK',
    ]);
  });
});

describe('reload', () => {
  test('new values are swapped in as a whole, listeners hear what changed, unchanged secrets do not count', async () => {
    const key = random();
    write('.env', `LEVEL=info\nKEY=${key}\n`);
    const events = createEvents();
    const heard: SecurityEvent[] = [];
    events.on('*', (event) => heard.push(event));
    const config = load({ LEVEL: setting.string(), KEY: setting.secret() }, {}, { events });
    const before = config.values;
    const changes: string[] = [];
    config.onChange(() => {
      throw new Error('a listener fails');
    });
    const stop = config.onChange(async ({ changed, values, previous }) => {
      await Promise.resolve();
      changes.push(`${changed.join()} ${previous.LEVEL} -> ${values.LEVEL}`);
    });

    expect(await config.reload()).toEqual({ ok: true, changed: [], listenerErrors: [] });
    write('.env', `LEVEL=debug\nKEY=${key}\n`);
    const result = await config.reload();
    expect(result).toMatchObject({ ok: true, changed: ['LEVEL'], listenerErrors: [expect.any(Error)] });
    expect([changes, before.LEVEL, config.values.LEVEL]).toEqual([['LEVEL info -> debug'], 'info', 'debug']);

    stop();
    write('.env', `LEVEL=warn\nKEY=${random()}\n`);
    expect(await config.reload()).toMatchObject({ changed: ['LEVEL', 'KEY'] });
    expect(changes).toHaveLength(1);
    expect(heard.map(({ type }) => type)).toEqual(['config.reloaded', 'config.reloaded']);
  });

  test('a bad reload keeps every old value and reports; the next good one works', async () => {
    write('.env', 'A=1\nB=1\n');
    const events = createEvents();
    const heard: unknown[] = [];
    events.on('config.refused', ({ codes }) => heard.push(codes));
    const config = load({ A: setting.integer(), B: setting.integer() }, {}, { events });
    write('.env', 'A=2\nB=two\n');
    const refused = await config.reload();
    expect(refused).toMatchObject({ ok: false, error: { code: 'E_CONFIG_INVALID' } });
    expect([config.values, heard]).toEqual([{ A: 1, B: 1 }, [['E_CONFIG_TYPE']]]);
    write('.env', 'A=2\nB=2\n');
    expect(await config.reload()).toMatchObject({ ok: true });
    expect(config.values).toEqual({ A: 2, B: 2 });
  });

  test('reloads at the same time run one after another', async () => {
    write('.env', 'A=1\n');
    const config = load({ A: setting.integer() });
    const seen: number[] = [];
    config.onChange(async ({ values }) => {
      await new Promise((resolve) => setImmediate(resolve));
      seen.push(values.A);
    });
    write('.env', 'A=2\n');
    const first = config.reload();
    const second = config.reload();
    write('.env', 'A=3\n');
    await Promise.all([first, second, config.reload()]);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));
    expect(config.values.A).toBe(3);
  });
});

describe('describe()', () => {
  test('shows name, type, presence, default, source and value; of secrets only whether they are set', () => {
    const key = random();
    const config = load(
      {
        PORT: setting.integer({ default: 3000, note: 'where it listens' }),
        KEY: setting.secret(),
        OLD_KEY: setting.secret({ optional: true }),
        HOOK: setting.url({ protocols: ['https:'] }),
        TITLE: setting.string(),
      },
      { KEY: key, HOOK: 'https://a.example/x?token=abc', TITLE: 'a\u001b[2Jb\nc' },
    );
    expect(config.describe()).toMatchObject([
      {
        name: 'PORT',
        type: 'integer',
        presence: 'optional',
        default: '3000',
        source: 'default',
        value: '3000',
        set: true,
      },
      { name: 'KEY', type: 'secret', presence: 'required', source: 'environment', set: true },
      { name: 'OLD_KEY', source: 'unset', set: false },
      { name: 'HOOK', value: 'https://a.example/x?...' },
      { name: 'TITLE', value: String.raw`a\u001b[2Jb\u000ac` },
    ]);
    const text = config.describeText();
    expect(text.split('\n')).toHaveLength(6);
    expect(text).toContain('where it listens');
    expect(text + JSON.stringify(config.describe())).not.toContain(key);
  });
});

test('every error code of the package has a factory that carries its code', () => {
  for (const [code, make] of Object.entries<ErrorFactory>(configErrors)) expect(make().code).toBe(code);
});
