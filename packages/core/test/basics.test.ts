import { describe, expect, test } from '@jest/globals';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { inspect } from 'node:util';
import {
  createEvents,
  defineErrors,
  freezePrincipal,
  hasCode,
  isSecurityError,
  missingPeer,
  nearest,
  option,
  OptionError,
  readOptions,
  Secret,
  sql,
  toMs,
} from '../src/index.js';

describe('Secret', () => {
  const secret = new Secret('s3cr3t-value');

  test('never shows its value: JSON, template, inspect, concatenation, spread, error message, keys', () => {
    const shown = [
      JSON.stringify({ secret }),
      `${secret}`,
      inspect(secret),
      inspect({ deep: { secret } }, { showHidden: true, depth: 9 }),
      '' + String(secret),
      JSON.stringify({ ...secret }),
      new Error(`bad ${secret}`).message,
      Object.keys(secret).join(),
      JSON.stringify(Object.getOwnPropertyDescriptors(secret)),
    ].join('\n');
    expect(shown).not.toContain('s3cr3t');
    expect(secret.reveal()).toBe('s3cr3t-value');
    expect(() => structuredClone(secret)).not.toThrow();
    expect(JSON.stringify(structuredClone(secret))).not.toContain('s3cr3t');
  });

  test('is recognised across module copies by its brand', () => {
    expect(Secret.is(secret)).toBe(true);
    expect(Secret.is({ reveal: () => 'x' })).toBe(false);
  });
});

describe('options', () => {
  const readers = {
    limit: option.integer({ min: 1, max: 100, default: 5 }),
    window: option.duration({ minMs: 1000, maxMs: 3_600_000, default: '1m' }),
    mode: option.oneOf(['enforce', 'report'], 'enforce'),
    nested: option.group({ on: option.boolean(true) }),
  };
  const read = (value: unknown) => readOptions('thing', value, readers);

  test('defaults are filled in, durations become milliseconds, the result is frozen', () => {
    const values = read({ limit: 7 });
    expect(values).toEqual({ limit: 7, window: 60_000, mode: 'enforce', nested: { on: true } });
    expect(Object.isFrozen(values)).toBe(true);
  });

  test.each([
    [{ limt: 1 }, 'E_OPTION_UNKNOWN', 'Did you mean "limit"?'],
    [{ limit: 0 }, 'E_OPTION_RANGE', 'between 1 and 100'],
    [{ limit: '5' }, 'E_OPTION_TYPE', 'limit must be an integer'],
    [{ window: '15 minutes' }, 'E_OPTION_TYPE', "such as '15m'"],
    [{ window: 10 }, 'E_OPTION_RANGE', 'ms'],
    [{ mode: 'enforced' }, 'E_OPTION_VALUE', 'Did you mean "enforce"?'],
    [{ nested: { onn: true } }, 'E_OPTION_UNKNOWN', 'nested.onn'],
    [{ nested: 3 }, 'E_OPTION_TYPE', 'nested must be an object'],
    [null, 'E_OPTION_TYPE', 'the options must be an object'],
    [[], 'E_OPTION_TYPE', 'an array'],
  ])('%j is refused with %s and says why', (value, code, text) => {
    try {
      read(value);
      throw new Error('accepted');
    } catch (error) {
      expect(error).toBeInstanceOf(OptionError);
      expect(error).toMatchObject({ code });
      expect((error as Error).message).toContain(text);
      expect((error as Error).message).toContain(`errors/${code}.md`);
    }
  });

  test('a polluted prototype configures nothing', () => {
    const polluted = Object.create({ limit: 99, surprise: true }) as object;
    expect(read(polluted).limit).toBe(5);
  });

  test('a wrong value is described by its kind, never echoed: it may be a secret in the wrong place', () => {
    expect(() => read({ mode: 'hunter2hunter2' })).toThrow(OptionError);
    expect(() => read({ mode: 'hunter2hunter2' })).not.toThrow(/hunter2/);
    expect(() => readOptions('x', { key: 'short-key' }, { key: option.secret({ minBytes: 32 }) })).toThrow(
      /at least 32 bytes/,
    );
    expect(() =>
      readOptions('x', { key: 'short-key' }, { key: option.secret({ minBytes: 32 }) }),
    ).not.toThrow(/short-key/);
  });

  test('a missing required option is named', () => {
    expect(() => readOptions('x', {}, { store: option.port<{ get(): void }>(['get']) })).toThrow(
      /"store" is required/,
    );
    expect(() => readOptions('x', { store: {} }, { store: option.port<{ get(): void }>(['get']) })).toThrow(
      /lacks the method "get"/,
    );
  });

  test('near misses are found within a third of the word, not beyond', () => {
    expect(nearest('maxFailure', ['maxFailures', 'restMs'])).toBe('maxFailures');
    expect(nearest('colour', ['limit', 'window'])).toBeUndefined();
  });

  test('durations: strings and numbers, nothing else', () => {
    expect(['250ms', '15m', '1d', '1.5h', 0, 5].map(toMs)).toEqual([
      250, 900_000, 86_400_000, 5_400_000, 0, 5,
    ]);
    expect(['15', '-1s', '1w', ' 1s', '1e3s', -1, Number.NaN, Infinity, null, {}].map(toMs)).toEqual(
      Array(10).fill(undefined),
    );
  });
});

describe('errors', () => {
  const errors = defineErrors('demo', { E_DEMO: { status: 403, title: 'Demo refused', message: 'No.' } });

  test('a refusal carries code, status, help page; its details are not enumerable', () => {
    const error = errors.E_DEMO({ details: { token: 'private' }, headers: { 'Retry-After': '5' } });
    expect(error).toMatchObject({ code: 'E_DEMO', status: 403, message: 'No.', title: 'Demo refused' });
    expect(error.help).toMatch(/demo\/errors\/E_DEMO\.md$/);
    expect(error.details).toEqual({ token: 'private' });
    expect(JSON.stringify({ ...error })).not.toContain('private');
  });

  test('errors are recognised by brand and code, not by class', () => {
    expect(isSecurityError(errors.E_DEMO())).toBe(true);
    expect(hasCode(errors.E_DEMO(), 'E_DEMO')).toBe(true);
    expect(isSecurityError(Object.assign(new Error('x'), { code: 'E_DEMO' }))).toBe(false);
    expect(hasCode({ code: 'E_DEMO' }, 'E_DEMO')).toBe(false);
  });
});

describe('events', () => {
  test('listeners get frozen, stamped events; a faulty listener is counted and stops nobody', async () => {
    const events = createEvents({ clock: { now: () => 42, monotonic: () => 0 } });
    const seen: unknown[] = [];
    events.on('guard.failed', () => {
      throw new Error('listener');
    });
    events.on('guard.failed', (async () => Promise.reject(new Error('async listener'))) as never);
    const stop = events.on('*', (event) => seen.push(event));
    events.emit({ type: 'guard.failed', guard: 'g', reason: 'threw' });
    stop();
    events.emit({ type: 'guard.failed', guard: 'g', reason: 'late' });
    await new Promise(setImmediate);
    expect(seen).toEqual([{ type: 'guard.failed', at: 42, guard: 'g', reason: 'threw' }]);
    expect(Object.isFrozen(seen[0])).toBe(true);
    expect(events.listenerFaults).toBe(4);
  });

  test('every event is mirrored to the diagnostics channel', () => {
    const seen: unknown[] = [];
    const listen = (message: unknown) => seen.push(message);
    subscribe('portcullis:event', listen);
    createEvents().emit({ type: 'store.failed', store: 'redis', operation: 'get', code: 'E_STORE_TIMEOUT' });
    unsubscribe('portcullis:event', listen);
    expect(seen).toMatchObject([{ type: 'store.failed' }]);
  });
});

describe('principal', () => {
  test('needs an id and is frozen', () => {
    expect(Object.isFrozen(freezePrincipal({ id: 'u1', kind: 'user' }))).toBe(true);
    for (const id of ['', undefined, null, 7]) {
      expect(() => freezePrincipal({ id: id as string, kind: 'user' })).toThrow(TypeError);
    }
  });
});

describe('sql', () => {
  test("every value is bound, whatever it contains: '; DROP TABLE users; --", () => {
    const evil = "'; DROP TABLE users; --";
    const statement = sql`select * from books where title = ${evil} and year > ${1990}`;
    expect(statement).toMatchObject({
      text: 'select * from books where title = $1 and year > $2',
      values: [evil, 1990],
    });
  });

  test('statements nest and are renumbered; lists join; identifiers are quoted', () => {
    const where = sql`a = ${1} and b in (${sql.join([2, 3])})`;
    const statement = sql`select ${sql.identifier('s', 'na"me')} from t where ${where} or c = ${4}`;
    expect(statement.text).toBe('select "s"."na""me" from t where a = $1 and b in ($2, $3) or c = $4');
    expect(statement.values).toEqual([1, 2, 3, 4]);
    expect(() => sql.identifier('')).toThrow(TypeError);
    expect(() => sql.identifier('a\0b')).toThrow(TypeError);
    expect(() => sql.join([])).toThrow(TypeError);
  });

  test('an object that only looks like a statement is a value, not text', () => {
    const forged = { text: 'drop table users', values: [] };
    expect(sql`select ${forged}`.text).toBe('select $1');
    expect(sql`select ${JSON.parse(JSON.stringify(sql`1`))}`.text).toBe('select $1');
  });
});

describe('missingPeer', () => {
  const faultOf = missingPeer('passkeys', '@simplewebauthn/server@^14.0.0');

  test('a package that is not there becomes a wrong configuration which says what to install', () => {
    const cause = Object.assign(new Error('Cannot find module'), { code: 'MODULE_NOT_FOUND' });
    const fault = faultOf(cause);
    expect(fault).toBeInstanceOf(OptionError);
    expect(fault).toMatchObject({
      code: 'E_PEER_MISSING',
      owner: 'passkeys',
      cause,
      message: expect.stringMatching(
        /needs @simplewebauthn\/server, .*npm install @simplewebauthn\/server@\^14\.0\.0 \[.*E_PEER_MISSING\.md/,
      ),
    });
  });

  test('a package that is there and fails keeps its own error', () => {
    for (const cause of [new SyntaxError('Unexpected token'), 'thrown', undefined])
      expect(faultOf(cause)).toBe(cause);
  });
});
