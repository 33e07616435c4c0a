import { afterEach, describe, expect, test } from '@jest/globals';
import { manualClock } from '@portcullis/core/testing';
import { createServer, type Server } from 'node:http';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import winston from 'winston';
import { createAudit, memoryAudit } from '../src/index.js';
import { gelfTransport, safeShutdown, splunkTransport, winstonMirror } from '../src/winston.js';

interface Received {
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: string;
}

const servers: Server[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close().closeAllConnections();
});

/** Answers with these statuses, the last one for ever. */
async function collector(...statuses: number[]): Promise<{ url: string; received: Received[] }> {
  const received: Received[] = [];
  const server = createServer((req, res) => {
    let body = '';
    req.on('data', (chunk: Buffer) => (body += chunk.toString()));
    req.on('end', () => {
      received.push({ path: req.url!, authorization: req.headers.authorization, body });
      res.statusCode = statuses.length > 1 ? statuses.shift()! : statuses[0]!;
      res.end('{}');
    });
  });
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, received };
}

async function mirrored(transport: winston.transport): Promise<void> {
  const logger = winston.createLogger({ transports: [transport] });
  const audit = createAudit({ store: memoryAudit(), mirror: winstonMirror(logger) });
  await audit.record({
    action: 'book.deleted',
    outcome: 'denied',
    actor: { id: 'ann\r\nforged', kind: 'user' },
    target: { type: 'book', id: '12' },
    data: { token: 'Zq9-hunter2_Kw7vB' },
  });
  await audit.close();
  const finished = once(transport, 'finish');
  logger.end();
  await finished;
}

describe('Splunk', () => {
  test('the HTTP Event Collector gets every entry, with its token, without secrets', async () => {
    const { url, received } = await collector(200);
    await mirrored(
      splunkTransport({ url: `${url}/`, token: 'a-token-of-hec', host: 'web-1', clock: manualClock() }),
    );
    expect(received).toHaveLength(1);
    const [{ path, authorization, body }] = received as [Received];
    expect([path, authorization]).toEqual(['/services/collector/event', 'Splunk a-token-of-hec']);
    expect(JSON.parse(body)).toMatchObject({
      host: 'web-1',
      sourcetype: '_json',
      event: { level: 'warn', audit: { action: 'book.deleted', target: { id: '12' } } },
    });
    expect(body).not.toContain('hunter2');
    expect(body.split('\n')).toHaveLength(1);
  });

  test('ASVS V16.4.3: a server in trouble gets them again, one that refuses does not', async () => {
    const { url, received } = await collector(503, 429, 200);
    const patient = splunkTransport({ url, token: 'a-token-of-hec', retryEvery: '10ms' });
    await mirrored(patient);
    expect(received).toHaveLength(3);
    expect(patient.dropped).toBe(0);
    const strict = await collector(403);
    const refused = splunkTransport({ url: strict.url, token: 'a-token-of-hec', retryEvery: '10ms' });
    await mirrored(refused);
    expect(strict.received).toHaveLength(1);
    expect(refused.dropped).toBe(1);
  });

  test.each([
    ['Splunk', splunkTransport, (body: string) => (JSON.parse(body) as { time: number }).time],
    ['Graylog', gelfTransport, (body: string) => (JSON.parse(body) as { timestamp: number }).timestamp],
  ] as const)(
    'after an outage %s is told when a line was logged, not when it was sent',
    async (_to, make, timeOf) => {
      const clock = manualClock();
      const logged = clock.now();
      const { url, received } = await collector(503, 200);
      const send: typeof fetch = async (...request) => {
        clock.advance('10m');
        return fetch(...request);
      };
      const options = { url, token: 'a-token-of-hec', retryEvery: '10ms', clock, fetch: send } as const;
      const { token: _, ...rest } = options;
      await mirrored(make === splunkTransport ? splunkTransport(options) : gelfTransport(rest));
      expect(received.map(({ body }) => timeOf(body))).toEqual([logged / 1000, logged / 1000]);
    },
  );

  test('a server that is away costs a bounded queue, and holds nobody up', async () => {
    const away = splunkTransport({
      url: 'http://127.0.0.1:9',
      token: 'a-token-of-hec',
      maxPending: 3,
      fetch: () => Promise.reject(new TypeError('refused')),
    });
    const logger = winston.createLogger({ transports: [away] });
    for (let i = 0; i < 10; i++) logger.info('x');
    await new Promise((resolve) => setImmediate(resolve));
    expect(away.dropped).toBe(7);
  });

  test('an address that is none is refused at start', () => {
    for (const url of ['ftp://h', 'h:8088', '']) {
      expect(() => splunkTransport({ url, token: 'a-token-of-hec' })).toThrow(
        expect.objectContaining({ name: 'OptionError' }),
      );
    }
  });
});

describe('Graylog', () => {
  test('the GELF input gets one message for each entry, as GELF 1.1 wants it', async () => {
    const { url, received } = await collector(202);
    await mirrored(gelfTransport({ url: `${url}/gelf`, host: 'web-1', clock: manualClock() }));
    expect(received.map(({ path }) => path)).toEqual(['/gelf']);
    const message = JSON.parse(received[0]!.body) as Record<string, unknown>;
    expect(message).toMatchObject({ version: '1.1', host: 'web-1', level: 4, _durable: 'true' });
    expect(message['short_message']).toContain('book.deleted denied by user');
    expect(JSON.parse(message['_audit'] as string)).toMatchObject({ action: 'book.deleted' });
    for (const name of Object.keys(message)) {
      expect(name).toMatch(/^(?:version|host|short_message|timestamp|level|_[\w.-]+)$/);
    }
    expect(received[0]!.body).not.toContain('hunter2');
  });
});

describe('the end of a process (winston#2219)', () => {
  const LINES = 1_000;

  // Its types name it otherwise.
  const { Transport } = winston as unknown as {
    readonly Transport: new (options?: object) => winston.transport;
  };

  /** A transport that takes a moment for every line, as those that write somewhere do. */
  class Slow extends Transport {
    readonly lines: string[] = [];
    override log(info: { message: string }, next: () => void): void {
      setImmediate(() => {
        this.lines.push(info.message);
        next();
      });
    }
  }

  function logging(transport: winston.transport): winston.Logger {
    const logger = winston.createLogger({ transports: [transport] });
    logger.on('error', () => undefined);
    transport.on('error', () => undefined);
    for (let i = 0; i < LINES; i++) logger.info(`line ${i}`);
    return logger;
  }

  test('logger.end() alone loses lines, although it says that it has finished', async () => {
    const slow = new Slow();
    const logger = logging(slow);
    const finished = new Promise<void>((resolve) => logger.once('finish', resolve));
    logger.end();
    await finished;
    expect(slow.lines.length).toBeLessThan(LINES);
  });

  test('safeShutdown() loses none, and says so', async () => {
    const slow = new Slow();
    expect(await safeShutdown(logging(slow))).toBe(true);
    expect(slow.lines).toHaveLength(LINES);
    expect(new Set(slow.lines).size).toBe(LINES);
  });

  test('after safeShutdown() all lines are in the file, those of the mirror included', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'portcullis-winston-'));
    const filename = join(folder, 'app.log');
    const logger = logging(new winston.transports.File({ filename }));
    const audit = createAudit({ store: memoryAudit(), mirror: winstonMirror(logger) });
    for (let i = 0; i < 10; i++) await audit.record({ action: 'book.read', outcome: 'success' });
    await audit.close();
    expect(await safeShutdown(logger)).toBe(true);
    expect(readFileSync(filename, 'utf8').trimEnd().split('\n')).toHaveLength(LINES + 10);
    rmSync(folder, { recursive: true });
  });

  test('a transport that hangs does not keep the process: after the deadline it says that lines are lost', async () => {
    const stuck = new Transport({ log: () => undefined });
    expect(await safeShutdown(logging(stuck), { deadline: '50ms' })).toBe(false);
  });

  test('a logger without transports ends', async () => {
    const logger = winston.createLogger({ silent: true });
    expect(await safeShutdown(logger, { deadline: '1m' })).toBe(true);
  });
});
