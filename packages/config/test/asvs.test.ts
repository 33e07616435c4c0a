import { createEvents, type Secret, type SecurityEvent } from '@portcullis/core';
import { manualClock } from '@portcullis/core/testing';
import { expect, test } from '@jest/globals';
import {
  loadConfig,
  setting,
  type ConfigError,
  type ConfigSchema,
  type LoadConfigOptions,
} from '../src/index.js';

const random = (): string => Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString('base64');
const START = Date.UTC(2027, 0, 15, 12);

function problemsOf(
  schema: ConfigSchema,
  env: Record<string, string>,
  more: LoadConfigOptions = {},
): readonly string[] {
  try {
    loadConfig(schema, { env, files: [], production: true, ...more });
    return [];
  } catch (error) {
    return (error as ConfigError).problems.map(({ code, name }) => `${name} ${code}`);
  }
}

test('ASVS V12.3.2: production does not start while this process checks no certificates', () => {
  const variable = 'NODE_TLS_REJECT_UNAUTHORIZED';
  expect(problemsOf({}, { [variable]: '0' })).toEqual([`${variable} E_CONFIG_TLS_UNVERIFIED`]);
  for (const harmless of ['1', '', 'false']) expect(problemsOf({}, { [variable]: harmless })).toEqual([]);
  expect(problemsOf({}, { [variable]: '0' }, { production: false })).toEqual([]);
  // A client whose URL says so does not start either.
  const schema = { DB: setting.url({ protocols: ['postgres:'] }) };
  expect(problemsOf(schema, { DB: 'postgres://db.example/x?sslmode=no-verify' })).toEqual([
    'DB E_CONFIG_PLAINTEXT_URL',
  ]);
});

test.each([
  ['2027-01-15', []],
  ['2027-01-14', ['KEY E_CONFIG_SECRET_EXPIRED']],
  ['2027-01-15T12:00:01Z', []],
  ['2027-01-15T12:00:00Z', ['KEY E_CONFIG_SECRET_EXPIRED']],
  ['2027-01-15T12:30:00+01:00', ['KEY E_CONFIG_SECRET_EXPIRED']],
  ['2027-01-15T12:30:00-01:00', []],
  ['2028-02-29', []],
  ['2027-02-29', ['KEY_NOT_AFTER E_CONFIG_TYPE']],
  ['2027-02-30T00:00:00Z', ['KEY_NOT_AFTER E_CONFIG_TYPE']],
  ['2028-01-01T25:00:00Z', ['KEY_NOT_AFTER E_CONFIG_TYPE']],
  ['2028-01-01T00:00:00', ['KEY_NOT_AFTER E_CONFIG_TYPE']],
  ['2028-1-1', ['KEY_NOT_AFTER E_CONFIG_TYPE']],
  ['tomorrow', ['KEY_NOT_AFTER E_CONFIG_TYPE']],
  [undefined, ['KEY_NOT_AFTER E_CONFIG_MISSING']],
] as const)(
  'ASVS V13.3.4: a secret that says %j is refused at noon of 2027-01-15, or not: %j',
  (day, problems) => {
    const schema = { KEY: setting.secret({ notAfter: 'KEY_NOT_AFTER' }) };
    const env = { KEY: random(), ...(day === undefined ? {} : { KEY_NOT_AFTER: day }) };
    const clock = manualClock({ now: START });
    expect(problemsOf(schema, env, { clock, prefix: 'KEY' })).toEqual(problems);
  },
);

test('ASVS V13.3.4: an expired secret is not taken over by a reload, its successor is, without a restart', async () => {
  const events = createEvents();
  const heard: SecurityEvent[] = [];
  events.on('*', (event) => heard.push(event));
  const clock = manualClock({ now: START });
  const [first, second] = [random(), random()];
  const env: Record<string, string> = { KEY: first, KEY_NOT_AFTER: '2027-01-31' };
  const schema = { KEY: setting.secret({ notAfter: 'KEY_NOT_AFTER' }) };
  const config = loadConfig(schema, { env, files: [], production: true, clock, events });
  expect(config.describe()[0]).toMatchObject({ expires: '2027-02-01T00:00:00.000Z' });
  expect(config.describeText()).toContain('expires 2027-02-01T00:00:00.000Z');
  const seen: Secret[] = [];
  config.onChange(({ values }) => void seen.push(values.KEY));

  clock.advance('30d');
  expect(await config.reload()).toMatchObject({ ok: false });
  expect(heard.at(-1)).toMatchObject({ type: 'config.refused', codes: ['E_CONFIG_SECRET_EXPIRED'] });
  expect(config.values.KEY.reveal()).toBe(first);

  Object.assign(env, { KEY: second, KEY_NOT_AFTER: '2027-05-31' });
  expect(await config.reload()).toMatchObject({ ok: true, changed: ['KEY'] });
  expect(config.values.KEY.reveal()).toBe(second);
  expect(seen.map((secret) => secret.reveal())).toEqual([second]);
});

test('outside of production an expired secret is only told, and nobody has to say a day', () => {
  const schema = { KEY: setting.secret({ notAfter: 'KEY_NOT_AFTER' }) };
  const env = { KEY: random(), KEY_NOT_AFTER: '2020-01-01' };
  const config = loadConfig(schema, { env, files: [], production: false });
  expect(config.describe()[0]?.expires).toBe('2020-01-02T00:00:00.000Z');
  expect(problemsOf(schema, { KEY: random() }, { production: false })).toEqual([]);
});
