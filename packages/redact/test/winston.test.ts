import { expect, test } from '@jest/globals';
import { Writable } from 'node:stream';
import winston from 'winston';
import { createRedactor } from '../src/index.js';
import { winstonRedactFormat } from '../src/winston.js';
import { leaks as services } from './cases/services.js';
import { leaks as texts } from './cases/texts.js';
import { X } from './hostile-cases.js';

const { format } = winston;

function loggerWith(...formats: winston.Logform.Format[]): { logger: winston.Logger; lines: () => string } {
  let text = '';
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      text += chunk.toString();
      done();
    },
  });
  const logger = winston.createLogger({
    level: 'silly',
    format: format.combine(...formats),
    transports: [new winston.transports.Stream({ stream })],
  });
  return { logger, lines: () => text };
}
// No cast: the format fits winston's own types.
const clean = (): winston.Logform.Format => winstonRedactFormat();

test.each([
  ['first', () => [clean(), format.splat(), format.json()]],
  ['in the middle', () => [format.splat(), clean(), format.json()]],
  ['last', () => [format.splat(), format.json(), clean()]],
] as const)(
  'a secret in message, meta, splat or error reaches no transport: format %s (pitfall 21)',
  (_place, formats) => {
    const { logger, lines } = loggerWith(...formats());
    logger.info(`user logged in with password=${X}`);
    logger.info('meta', { password: X, nested: { apiKey: X } });
    logger.info('splat %s and %j', `token=${X}`, { token: X });
    logger.info('same secret', { password: X }, { note: X });
    logger.error(new Error(`refused token=${X}`));
    logger.error('failed', { error: new Error(`password: ${X}`) });
    logger.log({ level: 'warn', message: { password: X } as unknown as string });
    expect(lines()).not.toContain(X);
    expect(lines().trimEnd().split('\n').length).toBe(7);
  },
);

test.each([...services, ...texts])('what services write down: %s', (_claim, event, secrets = [X]) => {
  const { logger, lines } = loggerWith(
    clean(),
    format.errors({ stack: true }),
    format.splat(),
    format.json(),
  );
  logger.info('a message', event);
  logger.warn('a message with %j', { event });
  logger.child({ event }).info('a message');
  logger.error(Object.assign(new Error('failed'), { event }));
  expect(lines().trimEnd().split('\n').length).toBe(4);
  for (const secret of secrets) expect(lines()).not.toContain(secret);
});

test('a message with CR and LF is one line in the simple format (pitfall 4)', () => {
  const { logger, lines } = loggerWith(clean(), format.simple());
  logger.info('login\r\n2026-11-22 info: admin ok \u001b[2K\u202e', { user: 'a\nb' });
  expect(lines().trimEnd().split(/\r?\n/).length).toBe(1);
  // oxlint-disable-next-line no-control-regex
  expect(lines().trimEnd()).not.toMatch(/[\u0000-\u001f\u202e]/);
});

test('the level stays the one of the logger, whatever the caller puts into the meta', () => {
  const format = winstonRedactFormat({ redactor: createRedactor({ keys: ['level'] }) });
  const info = format.transform({ level: 'info', message: 'x', [Symbol.for('level')]: 'info' });
  expect(info[Symbol.for('level')]).toBe('info');
});

test('an info object that throws is still logged, without its contents', () => {
  const hostile = new Proxy(
    { level: 'info', message: X },
    {
      ownKeys() {
        throw new Error(X);
      },
    },
  );
  const info = winstonRedactFormat().transform(hostile);
  expect(info).toMatchObject({ level: 'error', message: '[Unreadable]' });
});
