import { describe, expect, test } from '@jest/globals';
import { Writable } from 'node:stream';
import { pino, type LoggerOptions } from 'pino';
import { leaks as services } from './cases/services.js';
import { leaks as texts } from './cases/texts.js';
import { hostileCases, X } from './hostile-cases.js';
import { pinoRedact } from '../src/pino.js';

function logger(options: LoggerOptions = {}) {
  const lines: string[] = [];
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(chunk.toString());
      done();
    },
  });
  const log = pino({ ...pinoRedact(), ...options }, stream);
  return { log, lines, last: () => JSON.parse(lines.at(-1)!) as Record<string, unknown> };
}

describe('pinoRedact, with the real pino', () => {
  test.each(hostileCases)('%s', (_claim, event) => {
    const { log, lines } = logger();
    log.info({ event }, 'a message');
    log.child({ event }).warn(event as object);
    expect(lines.length).toBeGreaterThan(0);
    for (const line of lines) {
      expect(line).not.toContain(X);
      expect(JSON.parse(line)).toMatchObject({ pid: expect.any(Number) });
    }
  });

  test('a secret in the message, in its values and elsewhere in the call is masked', () => {
    const { log, lines, last } = logger();
    log.info('token=%s of %s', X, 'ann');
    expect(last()['msg']).toBe('token=[REDACTED] of ann');
    log.info({ body: { password: X } }, `login with ${X}`);
    expect(last()).toMatchObject({ body: { password: '[REDACTED]' }, msg: 'login with [REDACTED]' });
    log.info({ user: 'ann' }, 'data %o', { apiKey: X });
    log.error(`postgres://u:${X}@h/`);
    expect(lines.join('')).not.toContain(X);
  });

  test.each([...services, ...texts])('what services write down: %s', (_claim, event, secrets = [X]) => {
    const { log, lines } = logger();
    log.info(event as object, 'a message');
    log.child({ event }).warn('a message with %j', event as never);
    log.error(Object.assign(new Error('failed'), { event }));
    expect(lines.length).toBe(3);
    for (const secret of secrets) expect(lines.join('')).not.toContain(secret);
  });

  test('an error keeps its type, message and stack, without its secrets', () => {
    const { log, last, lines } = logger();
    log.error(
      Object.assign(new TypeError(`token=${X}`), { config: { headers: { authorization: `Bearer ${X}` } } }),
    );
    expect(last()).toMatchObject({ msg: 'token=[REDACTED]', err: { message: 'token=[REDACTED]' } });
    expect(JSON.stringify(last()['err'])).toContain('pino.test');
    log.error({ err: new Error(X), password: X }, 'failed');
    expect(last()['msg']).toBe('failed');
    expect(lines.join('')).not.toContain(X);
  });

  test('child bindings and mixins are cleaned', () => {
    const { log, lines, last } = logger({ mixin: () => ({ session: X, region: 'north' }) });
    log.child({ req: { headers: { cookie: `sid=${X}` } } }).info('x');
    expect(last()).toMatchObject({ region: 'north', session: '[REDACTED]' });
    expect(lines.join('')).not.toContain(X);
  });

  test('objects of the caller stay as they are, and what cannot be read stops nothing', () => {
    const { log, lines } = logger();
    const event = Object.freeze({ password: X, deep: Object.freeze({ token: X }) });
    log.info(event);
    expect(event).toEqual({ password: X, deep: { token: X } });
    const bad = new Proxy(
      {},
      {
        ownKeys: () => {
          throw new Error(X);
        },
        getPrototypeOf: () => {
          throw new Error(X);
        },
      },
    );
    expect(() => log.info(bad)).not.toThrow();
    expect(() => log.info(null as never, 'x' as never)).not.toThrow();
    expect(() => log.info(42 as never)).not.toThrow();
    expect(lines.join('')).not.toContain(X);
  });

  test('no character forges a line or turns text around', () => {
    const { log, lines, last } = logger();
    log.info({ text: 'a\u0085b\u2028c\u202e' }, 'x\r\n{"level":30}\u0085');
    expect(lines).toHaveLength(1);
    // oxlint-disable-next-line no-control-regex
    expect(lines[0]!.slice(0, -1)).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e]/);
    expect(last()).toMatchObject({ text: 'a\u0085b\u2028c\u202e' });
  });

  test('an unknown option is refused', () => {
    expect(() => pinoRedact({ redact: true } as never)).toThrow(
      expect.objectContaining({ code: 'E_OPTION_UNKNOWN' }),
    );
  });
});
