import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { connect as tlsConnect, type ConnectionOptions, type TLSSocket } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { OptionError, Secret, type Logger } from '@portcullis/core';
import { eventually, freePort, onBothExpress } from '@portcullis/test-support';
import { errorHandler, notFound } from '../src/index.js';
import {
  liveness,
  readiness,
  secureServer,
  type RequestListener,
  type SecureServer,
  type SecureServerOptions,
} from '../src/server.js';

const running: SecureServer[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.close()));
});

async function start(
  app: RequestListener,
  options: SecureServerOptions = {},
): Promise<{ server: SecureServer; port: number }> {
  const server = secureServer(app, { drainMs: 200, ...options });
  running.push(server);
  const { port } = await server.listen({ port: 0, host: '127.0.0.1' });
  return { server, port };
}

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly connection: string | undefined;
}

async function get(port: number, path: string, agent?: Agent, secure = false): Promise<Answer> {
  const send = secure ? httpsRequest : httpRequest;
  const req = send({
    port,
    host: '127.0.0.1',
    path,
    agent: agent ?? false,
    rejectUnauthorized: false,
  } as object);
  req.end();
  const [res] = (await once(req, 'response')) as [IncomingMessage];
  let text = '';
  for await (const part of res.setEncoding('utf8')) text += String(part);
  return { status: res.statusCode ?? 0, text, connection: res.headers.connection };
}

/** A raw connection, and how long it lived. */
async function raw(
  port: number,
  ...lines: string[]
): Promise<{ socket: Socket; received: () => string; closed: Promise<number> }> {
  const socket = connect(port, '127.0.0.1');
  await once(socket, 'connect');
  const began = performance.now();
  let received = '';
  socket.on('data', (data) => (received += data.toString('latin1')));
  socket.on('error', () => undefined);
  const closed = once(socket, 'close').then(() => performance.now() - began);
  for (const line of lines) socket.write(line);
  return { socket, received: () => received, closed };
}

const hello: RequestListener = (_req, res) => void res.end('hello');

/** An app whose `/slow` waits until it is let go. */
function slowApp(): { app: RequestListener; entered: Promise<void>; release: () => void } {
  let release = (): void => undefined;
  const gate = new Promise<void>((resolve) => (release = resolve));
  let enter = (): void => undefined;
  const entered = new Promise<void>((resolve) => (enter = resolve));
  const app: RequestListener = async (req, res) => {
    if (req.url === '/slow') {
      enter();
      await gate;
    }
    if (req.url === '/stream') {
      res.write('begun ');
      enter();
      await gate;
    }
    res.end('done');
  };
  return { app, entered, release };
}

// Begun before the other tests and looked at after them: it takes its nine seconds either way.
const slowloris = { server: secureServer(hello), lived: Promise.resolve([0]), answer: (): string => '' };
beforeAll(async () => {
  const { port } = await slowloris.server.listen({ port: 0, host: '127.0.0.1' });
  const trickle = await raw(port, 'GET / HTTP/1.1\r\nHost: x\r\n');
  const dripping = setInterval(() => trickle.socket.write('X-Drip: 1\r\n'), 500);
  const silent = await raw(port);
  slowloris.lived = Promise.all([trickle.closed.finally(() => clearInterval(dripping)), silent.closed]);
  slowloris.answer = trickle.received;
});
afterAll(() => slowloris.server.close());

describe('limits', () => {
  test('an address that is too long is refused with 414 before the app sees it', async () => {
    let seen = 0;
    const { port } = await start((_req, res) => {
      seen += 1;
      res.end();
    });
    expect(await get(port, `/${'a'.repeat(9_000)}`)).toMatchObject({ status: 414, connection: 'close' });
    expect(seen).toBe(0);
    expect((await get(port, `/${'a'.repeat(8_000)}`)).status).toBe(200);
  });

  test('headers that are too many or too large are refused with 431, none is dropped unseen', async () => {
    const { port } = await start(hello);
    const flood = Array.from({ length: 150 }, (_, i) => `X-${i}: 1\r\n`).join('');
    const many = await raw(port, `GET / HTTP/1.1\r\nHost: x\r\n${flood}X-Forwarded-For: 10.0.0.1\r\n\r\n`);
    await many.closed;
    expect(many.received()).toMatch(/^HTTP\/1\.1 431 /);
    const large = await raw(port, `GET / HTTP/1.1\r\nHost: x\r\nX-Large: ${'x'.repeat(20_000)}\r\n\r\n`);
    await large.closed;
    expect(large.received()).toMatch(/^HTTP\/1\.1 431 /);
  });

  test('requests without Host and malformed ones are refused, the server lives', async () => {
    const { port } = await start(hello);
    for (const text of [
      'GET / HTTP/1.1\r\n\r\n',
      'nonsense\r\n\r\n',
      'GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n',
    ]) {
      const { received, closed } = await raw(port, text);
      await closed;
      expect(received()).toMatch(/^HTTP\/1\.1 400 /);
    }
    expect((await get(port, '/')).text).toBe('hello');
  });

  test('a connection is closed after its share of requests, and more connections than allowed are not served', async () => {
    const { port } = await start(hello, { limits: { requestsPerConnection: 2, connections: 1 } });
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    expect((await get(port, '/', agent)).connection).toBe('keep-alive');
    const second = await raw(port, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await second.closed;
    expect(second.received()).toBe('');
    expect((await get(port, '/', agent)).connection).toBe('close');
    agent.destroy();
  });

  test('a listener that throws or rejects gets a plain 500 and does not end the process', async () => {
    const { port } = await start((req) => {
      if (req.url === '/sync') throw new Error('SECRET');
      return Promise.reject(new Error('SECRET'));
    });
    for (const path of ['/sync', '/async']) {
      expect(await get(port, path)).toMatchObject({ status: 500, text: '500 Internal server error\n' });
    }
  });
});

describe('slow clients', () => {
  test('a body that trickles in, and an answer that is not read, are cut', async () => {
    const big = Buffer.alloc(64 * 1024 * 1024);
    const { port } = await start(
      (req, res) => {
        if (req.url === '/big') res.end(big);
        else req.resume().on('end', () => res.end('read'));
      },
      { timeouts: { headers: 300, request: 600, idle: 700, check: 100 } },
    );
    const upload = await raw(port, 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n');
    const dripping = setInterval(() => upload.socket.write('x'), 50);
    const unread = await raw(port, 'GET /big HTTP/1.1\r\nHost: x\r\n\r\n');
    unread.socket.pause();
    await upload.closed;
    clearInterval(dripping);
    expect(upload.received()).toMatch(/^HTTP\/1\.1 408 /);
    await new Promise((resolve) => setTimeout(resolve, 1_500));
    unread.socket.resume();
    await unread.closed;
    expect(unread.received().length).toBeLessThan(big.length);
  });
});

describe('graceful stop', () => {
  test('requests in flight are finished with Connection: close, idle connections closed, new ones refused', async () => {
    const { app, entered, release } = slowApp();
    const { server, port } = await start(app, { drainMs: '10s' });
    const agent = new Agent({ keepAlive: true });
    await get(port, '/', agent); // Leaves an idle connection.
    const silent = await raw(port); // Never sends anything.
    const slow = get(port, '/slow', new Agent({ keepAlive: true }));
    await entered;

    const closed = server.close();
    expect(server.stopping.aborted).toBe(true);
    await expect(get(port, '/')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    release();
    expect(await slow).toMatchObject({ status: 200, text: 'done', connection: 'close' });
    expect(await closed).toEqual({ cut: 0 });
    await silent.closed;
    expect(server.close()).toBe(server.close());
    agent.destroy();
  });

  test('an answer whose headers had gone out is finished too, and its connection does not hold the stop', async () => {
    const { app, entered, release } = slowApp();
    const { server, port } = await start(app, { drainMs: '10s' });
    const agent = new Agent({ keepAlive: true });
    const stream = get(port, '/stream', agent);
    await entered;
    const began = performance.now();
    const closed = server.close();
    setTimeout(release, 50);
    expect((await stream).text).toBe('begun done');
    expect(await closed).toEqual({ cut: 0 });
    // Far below the drain time and the keep-alive time-out.
    expect(performance.now() - began).toBeLessThan(4_000);
    agent.destroy();
  });

  test('what has not ended by the deadline is cut and counted; upgraded connections too', async () => {
    const { app, entered } = slowApp();
    const { server, port } = await start(app, { drainMs: 300 });
    server.server.on('upgrade', (_req, socket: Socket) => {
      socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n');
      socket.on('error', () => undefined);
    });
    const upgraded = await raw(
      port,
      'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n',
    );
    await eventually(() => expect(upgraded.received()).toContain('101'));
    const slow = get(port, '/slow');
    const failed = expect(slow).rejects.toMatchObject({ code: 'ECONNRESET' });
    await entered;
    expect(await server.close()).toEqual({ cut: 1 });
    await failed;
    await upgraded.closed;
  });

  test('no request is lost when the stop comes in the middle of traffic', async () => {
    const { server, port } = await start((_req, res) => void setTimeout(() => res.end('done'), 5), {
      drainMs: '10s',
    });
    const outcomes: string[] = [];
    const clients = Array.from({ length: 20 }, async () => {
      const agent = new Agent({ keepAlive: true, maxSockets: 1 });
      for (;;) {
        try {
          outcomes.push((await get(port, '/', agent)).text);
        } catch (error) {
          const { code } = error as { code: string };
          outcomes.push(code);
          agent.destroy();
          if (code === 'ECONNREFUSED') return;
        }
      }
    });
    await eventually(() => expect(outcomes.length).toBeGreaterThan(200));
    expect(await server.close()).toEqual({ cut: 0 });
    await Promise.all(clients);
    const done = outcomes.filter((outcome) => outcome === 'done').length;
    const refused = outcomes.filter((outcome) => outcome === 'ECONNREFUSED').length;
    expect(refused).toBe(20);
    // A keep-alive connection may be closed just as its client sends the next request (RFC 9112 section 9.5: clients
    // retry those); a request that the server had begun is never among them.
    expect(outcomes.length - done - refused).toBeLessThanOrEqual(20);
  });

  test('close() before listen() and after a failed listen() ends', async () => {
    expect(await secureServer(hello).close()).toEqual({ cut: 0 });
    const { port } = await start(hello);
    const second = secureServer(hello);
    await expect(second.listen({ port, host: '127.0.0.1' })).rejects.toMatchObject({ code: 'EADDRINUSE' });
    expect(await second.close()).toEqual({ cut: 0 });
  });
});

onBothExpress((express) => {
  describe('health', () => {
    const lines: [string, object][] = [];
    const logger: Logger = {
      error: (_message, meta = {}) => void lines.push(['error', meta]),
      warn: () => undefined,
      info: (_message, meta = {}) => void lines.push(['info', meta]),
    };

    test('readiness names states without detail, logs the reason once, and recovers', async () => {
      lines.length = 0;
      let healthy = true;
      const app = express();
      const check = (): Promise<unknown> =>
        healthy ? Promise.resolve() : Promise.reject(new Error('10.0.0.3: SECRET'));
      app.get('/readyz', readiness({ database: check, cache: () => true }, { cacheMs: 0, logger }));
      const { port } = await start(app);
      expect(await get(port, '/readyz')).toMatchObject({
        status: 200,
        text: '{"status":"up","checks":{"database":"up","cache":"up"}}\n',
      });
      healthy = false;
      for (let i = 0; i < 2; i++) {
        await eventually(async () =>
          expect(await get(port, '/readyz')).toMatchObject({
            status: 503,
            text: '{"status":"down","checks":{"database":"down","cache":"up"}}\n',
          }),
        );
      }
      healthy = true;
      await eventually(async () => expect((await get(port, '/readyz')).status).toBe(200));
      expect(lines).toMatchObject([
        ['error', { check: 'database', error: { message: '10.0.0.3: SECRET' } }],
        ['info', { check: 'database' }],
      ]);
    });

    test.each([
      ['hangs', () => new Promise(() => undefined)],
      [
        'throws',
        () => {
          throw new Error('SECRET');
        },
      ],
      ['returns false', () => false],
    ])('a check that %s turns readiness 503, not liveness', async (_name, check) => {
      const app = express();
      app.get('/readyz', readiness({ check }, { timeoutMs: 50, logger: false }));
      app.get('/livez', liveness());
      const { port } = await start(app);
      expect(await get(port, '/readyz')).toMatchObject({
        status: 503,
        text: '{"status":"down","checks":{"check":"down"}}\n',
      });
      expect(await get(port, '/livez')).toMatchObject({ status: 200, text: '{"status":"up"}\n' });
    });

    test('many callers cost one run of the checks', async () => {
      let runs = 0;
      const check = async (): Promise<void> => {
        runs += 1;
        await new Promise((resolve) => setTimeout(resolve, 20));
      };
      const app = express();
      app.get('/readyz', readiness({ check }, { cacheMs: '1m', logger: false }));
      const { port } = await start(app);
      await Promise.all(Array.from({ length: 50 }, () => get(port, '/readyz')));
      expect(runs).toBe(1);
    });

    test('readiness is 503 as soon as the stop begins, liveness stays up, and the rest is served until the port closes', async () => {
      const app = express();
      app.get('/readyz', readiness({}, { logger: false }));
      app.get('/livez', liveness());
      app.get('/', (_req, res) => void res.send('served'));
      app.use(notFound(), errorHandler({ logger: false }));
      const { server, port } = await start(app, { noticeMs: 500 });
      expect((await get(port, '/readyz')).status).toBe(200);
      const closed = server.close();
      expect(await get(port, '/readyz')).toMatchObject({
        status: 503,
        text: '{"status":"stopping"}\n',
        connection: 'close',
      });
      expect((await get(port, '/livez')).status).toBe(200);
      expect((await get(port, '/')).text).toBe('served');
      expect(await closed).toEqual({ cut: 0 });
      await expect(get(port, '/livez')).rejects.toMatchObject({ code: 'ECONNREFUSED' });
    });
  });
});

const kind = ['PRI', 'VATE'].join(''); // No key, but a scanner for keys would think so.

test.each<[object, string]>([
  [{ timeout: {} }, 'Did you mean "timeouts"?'],
  [{ timeouts: { header: 1 } }, 'no option "timeouts.header"'],
  [{ timeouts: { headers: 0 } }, 'timeouts.headers'],
  [{ timeouts: { headers: '10s', request: '5s' } }, 'timeouts.request'],
  [{ limits: { url: 10 } }, 'limits.url'],
  [{ drainMs: -1 }, 'drainMs'],
  [{ tls: { key: '/etc/key.pem', cert: '/etc/cert.pem' } }, 'not a file name'],
  [
    { tls: { key: `-----BEGIN ${kind} KEY-----\nx`, cert: '-----BEGIN CERTIFICATE-----\nx' } },
    'OpenSSL refuses',
  ],
])('a wrong option does not start: %p', (options, message) => {
  expect(() => secureServer(hello, options as SecureServerOptions)).toThrow(message);
  expect(() => secureServer(hello, options as SecureServerOptions)).toThrow(OptionError);
});

const openssl = (process.env['PATH'] ?? '')
  .split(delimiter)
  .some((folder) => existsSync(join(folder, 'openssl')));
if (!openssl) console.warn('SKIPPED: TLS claims (no openssl on this machine to make a certificate with).');

(openssl ? describe : describe.skip)('TLS', () => {
  let folder = '';
  const pairs: { key: string; cert: string }[] = [];

  beforeAll(() => {
    // Keys are made for this run and removed after it; none is ever committed.
    folder = mkdtempSync(join(tmpdir(), 'portcullis-tls-'));
    for (const name of ['first', 'second']) {
      const file = (kind: string): string => join(folder, `${name}.${kind}`);
      execFileSync(
        'openssl',
        [
          'req',
          '-x509',
          '-newkey',
          'ec',
          '-pkeyopt',
          'ec_paramgen_curve:P-256',
          '-nodes',
          '-days',
          '2',
          '-subj',
          `/CN=${name}`,
          '-addext',
          'subjectAltName=IP:127.0.0.1',
          '-keyout',
          file('key'),
          '-out',
          file('cert'),
        ],
        { stdio: 'ignore' },
      );
      pairs.push({ key: readFileSync(file('key'), 'utf8'), cert: readFileSync(file('cert'), 'utf8') });
    }
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  async function handshake(port: number, options: ConnectionOptions = {}): Promise<TLSSocket> {
    const socket = tlsConnect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
    await once(socket, 'secureConnect');
    return socket;
  }

  test('speaks TLS 1.3 and 1.2 with authenticated encryption and forward secrecy, nothing older', async () => {
    const { port } = await start(hello, { tls: { ...pairs[0]!, key: new Secret(pairs[0]!.key) } });
    const modern = await handshake(port);
    expect(modern.getProtocol()).toBe('TLSv1.3');
    const older = await handshake(port, { maxVersion: 'TLSv1.2' });
    expect(older.getCipher().name).toMatch(/^ECDHE-ECDSA-(?:AES\d+-GCM|CHACHA20)/);
    modern.destroy();
    older.destroy();
    const old = { minVersion: 'TLSv1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' } as const;
    await expect(handshake(port, old)).rejects.toMatchObject({
      code: 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION',
    });
    const cbc = { maxVersion: 'TLSv1.2', ciphers: 'ECDHE-ECDSA-AES128-SHA:AES128-SHA@SECLEVEL=0' } as const;
    await expect(handshake(port, cbc)).rejects.toMatchObject({
      code: expect.stringContaining('HANDSHAKE_FAILURE'),
    });
    expect((await get(port, '/', undefined, true)).text).toBe('hello');
  });

  test('plain HTTP on the TLS port and broken handshakes hurt nobody; a silent one is cut', async () => {
    const { port } = await start(hello, { tls: pairs[0]!, timeouts: { handshake: 300 } });
    const plain = await raw(port, 'GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    const silent = await raw(port);
    await Promise.all([plain.closed, silent.closed]);
    expect(plain.received()).not.toContain('200');
    expect((await get(port, '/', undefined, true)).text).toBe('hello');
  });

  test('a renewed certificate is used for new connections; a pair that does not fit is refused', async () => {
    const { server, port } = await start(hello, { tls: pairs[0]! });
    const subject = async (): Promise<string> => {
      const socket = await handshake(port);
      const { CN } = socket.getPeerCertificate().subject;
      socket.destroy();
      return String(CN);
    };
    expect(await subject()).toBe('first');
    expect(() => server.renewTls({ key: pairs[1]!.key, cert: pairs[0]!.cert })).toThrow(OptionError);
    server.renewTls(pairs[1]!);
    expect(await subject()).toBe('second');
  });

  test('clients without a certificate are refused where one is required', async () => {
    const tls = { ...pairs[0]!, clientCertificates: 'require', ca: pairs[1]!.cert } as const;
    const { port } = await start(hello, { tls });
    await expect(get(port, '/', undefined, true)).rejects.toMatchObject({
      code: expect.stringMatching(/ALERT|ECONNRESET/),
    });
    const known = await handshake(port, pairs[1]!);
    known.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    const [data] = (await once(known, 'data')) as [Buffer];
    expect(data.toString()).toContain('200 OK');
    expect(() => secureServer(hello, { tls: { ...pairs[0]!, clientCertificates: 'require' } })).toThrow(
      'tls.ca',
    );
  });

  test('stops gracefully: the request in flight is finished, idle and half-open connections go', async () => {
    const { app, entered, release } = slowApp();
    const { server, port } = await start(app, { tls: pairs[0]!, drainMs: '10s' });
    const idle = await handshake(port);
    const silent = await raw(port);
    const slow = get(port, '/slow', undefined, true);
    await entered;
    const closed = server.close();
    await Promise.all([once(idle, 'close'), silent.closed]);
    release();
    expect((await slow).text).toBe('done');
    expect(await closed).toEqual({ cut: 0 });
  });

  test.each([
    [{ ciphers: ['ECDHE-RSA-AES256-SHA384'] }, 'Did you mean'],
    [{ minVersion: 'TLSv1.1' }, 'TLSv1.2'],
  ])('an old suite or version does not start: %p', (extra, message) => {
    expect(() => secureServer(hello, { tls: { ...pairs[0]!, ...extra } as never })).toThrow(message);
  });
});

test('a free port is bound and its address told', async () => {
  const port = await freePort();
  const server = secureServer(hello);
  running.push(server);
  expect(await server.listen({ port, host: '127.0.0.1' })).toEqual({
    port,
    host: '127.0.0.1',
    url: `http://127.0.0.1:${port}`,
  });
});

test('slowloris: by default headers that trickle in, and silence, are cut within 10 s', async () => {
  expect(slowloris.server.server.headersTimeout + 1_000).toBeLessThanOrEqual(10_000);
  const lived = await slowloris.lived;
  // The bound of the claim, plus what a loaded machine may add to a timer.
  expect(Math.max(...lived)).toBeLessThan(10_000 + 2_000);
  expect(Math.min(...lived)).toBeGreaterThan(5_000);
  expect(slowloris.answer()).toMatch(/^HTTP\/1\.1 408 /);
}, 20_000);
