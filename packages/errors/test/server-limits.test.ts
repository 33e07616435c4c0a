import { EventEmitter, once } from 'node:events';
import type { Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, jest, test } from '@jest/globals';
import { createEvents, type SecurityEvent } from '@portcullis/core';
import { eventually, onBothExpress } from '@portcullis/test-support';
import { errorHandler } from '../src/index.js';
import {
  secureServer,
  type RequestListener,
  type SecureServer,
  type SecureServerOptions,
} from '../src/server.js';
import { cutSlowReaders } from '../src/slow-readers.js';

const running: SecureServer[] = [];
const sockets: Socket[] = [];
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(running.splice(0).map((server) => server.close()));
});

interface House {
  readonly port: number;
  readonly refused: SecurityEvent<'errors.refused'>[];
  /** Opens a connection, writes, and hands out what came back. */
  raw(...texts: string[]): Promise<Connection>;
  /** Writes and waits for the connection to be closed. */
  send(...texts: string[]): Promise<string>;
}

interface Connection {
  readonly socket: Socket;
  received(): string;
  readonly closed: Promise<void>;
}

async function start(app: RequestListener, options: SecureServerOptions = {}): Promise<House> {
  const events = createEvents();
  const refused: SecurityEvent<'errors.refused'>[] = [];
  events.on('errors.refused', (event) => void refused.push(event));
  const server = secureServer(app, { drainMs: 200, events, ...options });
  running.push(server);
  const { port } = await server.listen({ port: 0, host: '127.0.0.1' });
  const raw = async (...texts: string[]): Promise<Connection> => {
    const socket = connect(port, '127.0.0.1');
    sockets.push(socket);
    let received = '';
    socket.on('data', (data) => (received += data.toString('latin1')));
    socket.on('error', () => undefined);
    const closed = once(socket, 'close').then(() => undefined);
    await once(socket, 'connect');
    for (const text of texts) socket.write(text, 'latin1');
    return { socket, received: () => received, closed };
  };
  const send = async (...texts: string[]): Promise<string> => {
    const { received, closed } = await raw(...texts);
    await closed;
    return received();
  };
  return { port, refused, raw, send };
}

const hello: RequestListener = (_req, res) => void res.end('hello');
const POST = 'POST / HTTP/1.1\r\nHost: x\r\n';

/** The one answer on a connection: status, problem document, and that nothing of Node's own is left. */
function problemIn(text: string): { status: number; code: string } {
  const [head = '', body = ''] = text.split('\r\n\r\n');
  const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(head)?.[1]);
  expect(head).toMatch(/content-type: application\/problem\+json/i);
  expect(head).toMatch(/cache-control: no-store/i);
  expect(head).toMatch(/x-content-type-options: nosniff/i);
  expect(head).toMatch(/connection: close/i);
  const document = JSON.parse(body) as { status: number; code: string; type: string; requestId: string };
  expect(document.type).toBe(`urn:portcullis:error:${document.code}`);
  expect(head).toContain(document.requestId);
  expect(Buffer.byteLength(body)).toBe(Number(/content-length: (\d+)/i.exec(head)?.[1]));
  expect(document.status).toBe(status);
  return { status, code: document.code };
}

describe('every refusal of the server is a problem document', () => {
  test.each([
    [
      'an address that is too long',
      `GET /${'a'.repeat(9_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
      414,
      'E_URL_TOO_LONG',
    ],
    [
      'an address beyond all header space',
      `GET /${'a'.repeat(30_000)} HTTP/1.1\r\nHost: x\r\n\r\n`,
      414,
      'E_URL_TOO_LONG',
    ],
    [
      'a header that is too large',
      `GET / HTTP/1.1\r\nHost: x\r\nX-Large: ${'x'.repeat(20_000)}\r\n\r\n`,
      431,
      'E_HEADERS_TOO_LARGE',
    ],
    [
      'too many headers',
      `GET / HTTP/1.1\r\nHost: x\r\n${Array.from({ length: 150 }, (_, i) => `X-${i}: 1\r\n`).join('')}\r\n`,
      431,
      'E_HEADERS_TOO_LARGE',
    ],
    ['a body that says it is too long', `${POST}Content-Length: 10485761\r\n\r\n`, 413, 'E_BODY_TOO_LARGE'],
    ['no host', 'GET / HTTP/1.1\r\n\r\n', 400, 'E_REQUEST_MALFORMED'],
    ['two hosts', 'GET / HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n', 400, 'E_REQUEST_MALFORMED'],
    ['an expectation', 'GET / HTTP/1.1\r\nHost: x\r\nExpect: tea\r\n\r\n', 417, 'E_EXPECTATION_FAILED'],
    ['CONNECT', 'CONNECT evil.example:443 HTTP/1.1\r\nHost: x\r\n\r\n', 405, 'E_METHOD_NOT_ALLOWED'],
    ['TRACK', 'TRACK / HTTP/1.1\r\nHost: x\r\n\r\n', 405, 'E_METHOD_NOT_ALLOWED'],
    ['no HTTP at all', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400, 'E_REQUEST_MALFORMED'],
  ])('%s', async (_name, text, status, code) => {
    let seen = 0;
    const { send, refused } = await start((_req, res) => {
      seen += 1;
      res.end();
    });
    expect(problemIn(await send(text))).toEqual({ status, code });
    expect(seen).toBe(0);
    expect(refused).toMatchObject([{ status, address: '127.0.0.1', requestId: expect.any(String) }]);
  });

  test.each([
    ['CL.TE', 'Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG'],
    ['TE.CL', 'Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n'],
    ['CL.CL', 'Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde'],
    ['a length with a sign', 'Content-Length: +4\r\n\r\nabcd'],
    ['a length in hexadecimal', 'Content-Length: 0x4\r\n\r\nabcd'],
    ['chunked twice', 'Transfer-Encoding: chunked, chunked, identity\r\n\r\n0\r\n\r\n'],
    ['chunked not last', 'Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n'],
    ['a coding with a tab in it', 'Transfer-Encoding: \tchunk\x0bed\r\n\r\n0\r\n\r\n'],
    ['a space before the colon', 'Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n'],
    ['a folded line', 'Transfer-Encoding:\r\n chunked\r\nX: 1\r\n Content-Length: 4\r\n\r\n0\r\n\r\nabcd'],
    ['a chunk size with a sign', 'Transfer-Encoding: chunked\r\n\r\n+1\r\na\r\n0\r\n\r\n'],
    ['a chunk without its line end', 'Transfer-Encoding: chunked\r\n\r\n1\r\nab0\r\n\r\n'],
    ['lines that end with LF only', 'Transfer-Encoding: chunked\n\n0\n\n'],
    ['a bare CR', 'X: a\rb\r\nContent-Length: 0\r\n\r\n'],
    ['a NUL in a header', 'X: a\x00b\r\nContent-Length: 0\r\n\r\n'],
  ])(
    'ASVS V4.2.1: request smuggling, %s: the connection ends and nothing behind it is served',
    async (_name, rest) => {
      const served: string[] = [];
      const { raw } = await start((req, res) => {
        served.push(req.url ?? '');
        req.resume().on('end', () => res.end('served'));
      });
      const { received, closed } = await raw(`${POST}${rest}GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n`);
      await closed;
      expect(served).not.toContain('/smuggled');
      expect(received()).not.toContain('served');
      expect(received()).toMatch(/^HTTP\/1\.1 400 /);
    },
  );

  test('browsers get a page', async () => {
    const { send } = await start(hello);
    const page = await send(`GET /${'a'.repeat(9_000)} HTTP/1.1\r\nHost: x\r\nAccept: text/html\r\n\r\n`);
    expect(page).toMatch(/^HTTP\/1\.1 414 /);
    expect(page).toMatch(/content-type: text\/html/i);
  });

  test('a fault behind an answer that is on its way is cut, so that it cannot be taken for its end', async () => {
    let release = (): void => undefined;
    const { raw, refused } = await start((_req, res) => {
      release = () => res.end('first');
    });
    const { received, closed } = await raw('GET / HTTP/1.1\r\nHost: x\r\n\r\nnonsense\r\n\r\n');
    await closed;
    release();
    expect(received()).toBe('');
    expect(refused).toMatchObject([{ reason: 'malformed' }]);
    expect(refused[0]).not.toHaveProperty('status');
  });

  test('who wants to be a proxy keeps CONNECT', async () => {
    const house = await start(hello);
    running[0]!.server.on('connect', (_req, socket: Socket) => {
      socket.end('HTTP/1.1 200 Connection established\r\n\r\n');
    });
    expect(await house.send('CONNECT x:443 HTTP/1.1\r\nHost: x\r\n\r\n')).toMatch(/^HTTP\/1\.1 200 /);
  });

  test('a listener that throws, or whole events that do, change no answer', async () => {
    const events = createEvents();
    events.on('errors.refused', () => {
      throw new Error('listener is down');
    });
    const down = {
      ...events,
      emit: () => {
        throw new Error('down');
      },
      listenerFaults: 0,
    };
    for (const port of [events, down]) {
      const { send } = await start(hello, { events: port as never });
      expect(problemIn(await send('nonsense\r\n\r\n')).status).toBe(400);
    }
  });
});

describe('bodies', () => {
  const eager: RequestListener = (req, res) => {
    let length = 0;
    req.on('data', (chunk: Buffer) => (length += chunk.length));
    req.on('end', () => res.end(`whole ${length}`));
    req.on('error', () => undefined);
  };
  const chunk = (size: number): string => `${size.toString(16)}\r\n${'x'.repeat(size)}\r\n`;

  test('a chunked body is refused as soon as it is too large, and never ends for the app', async () => {
    let ended = 0;
    const failed: unknown[] = [];
    const { raw, refused } = await start(
      (req, res) => {
        req.resume();
        req.on('end', () => {
          ended += 1;
          res.end('whole');
        });
        req.on('error', (error) => failed.push(error));
      },
      { limits: { body: 1_000 } },
    );
    const fits = await raw(`${POST}Transfer-Encoding: chunked\r\n\r\n`, chunk(600), chunk(400), '0\r\n\r\n');
    await eventually(() => expect(fits.received()).toContain('whole'));
    const over = await raw(`${POST}Transfer-Encoding: chunked\r\n\r\n`, chunk(600), chunk(401), '0\r\n\r\n');
    await over.closed;
    expect(problemIn(over.received())).toEqual({ status: 413, code: 'E_BODY_TOO_LARGE' });
    expect(ended).toBe(1);
    await eventually(() => expect(failed).toMatchObject([{ code: 'E_BODY_TOO_LARGE' }]));
    expect(refused).toMatchObject([{ reason: 'body-too-large', status: 413 }]);
  });

  test('a body of exactly the limit is taken, one byte more is not; none is allowed with 0, all with false', async () => {
    const exact = await start(eager, { limits: { body: 10 } });
    expect(await exact.send(`${POST}Connection: close\r\nContent-Length: 10\r\n\r\n0123456789`)).toContain(
      'whole 10',
    );
    expect(problemIn(await exact.send(`${POST}Content-Length: 11\r\n\r\n01234567890`)).status).toBe(413);
    const none = await start(eager, { limits: { body: 0 } });
    expect(problemIn(await none.send(`${POST}Content-Length: 1\r\n\r\n0`)).status).toBe(413);
    expect(await none.send(`${POST}Connection: close\r\nContent-Length: 0\r\n\r\n`)).toContain('whole 0');
    const all = await start(eager, { limits: { body: false } });
    const size = 11 * 1_048_576;
    expect(
      await all.send(`${POST}Connection: close\r\nContent-Length: ${size}\r\n\r\n`, 'x'.repeat(size)),
    ).toContain(`whole ${size}`);
  });

  test('100-continue: a body that would be too large is not asked for', async () => {
    const { raw, send } = await start(eager, { limits: { body: 10 } });
    const refused = await send(`${POST}Expect: 100-continue\r\nContent-Length: 11\r\n\r\n`);
    expect(problemIn(refused).status).toBe(413);
    expect(refused).not.toContain('100 Continue');
    const asked = await raw(`${POST}Expect: 100-continue\r\nContent-Length: 3\r\nConnection: close\r\n\r\n`);
    await eventually(() => expect(asked.received()).toContain('100 Continue'));
    asked.socket.write('abc');
    await asked.closed;
    expect(asked.received()).toContain('whole 3');
  });

  test('a client in the middle of sending can read why it is refused', async () => {
    const { port } = await start(eager, { limits: { body: 1_000 } });
    const answer = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body: 'x'.repeat(500_000) });
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([
      413,
      'E_BODY_TOO_LARGE',
    ]);
  });

  test('an answer that has begun is cut instead', async () => {
    const { raw } = await start(
      (req, res) => {
        req.on('error', () => undefined);
        res.write('begun');
        req.resume();
      },
      { limits: { body: 10 } },
    );
    const over = await raw(`${POST}Transfer-Encoding: chunked\r\n\r\n`);
    await eventually(() => expect(over.received()).toContain('begun'));
    over.socket.write(chunk(20));
    await over.closed;
    expect(over.received()).not.toContain('413');
  });

  onBothExpress((express) => {
    test("the server's limit holds below a parser that has none, and the app's own is answered as before", async () => {
      const codes: string[] = [];
      const app = express();
      app.use(express.json({ limit: '20kb' }), (_req, res) => void res.send('parsed'));
      app.use(
        errorHandler({
          logger: false,
          events: { emit: (e: { code?: string }) => codes.push(e.code ?? '') } as never,
        }),
      );
      const { send, port } = await start(app, { limits: { body: 50_000 } });
      const post = async (size: number): Promise<number> =>
        (
          await fetch(`http://127.0.0.1:${port}/`, {
            method: 'POST',
            headers: { 'content-type': 'application/json', connection: 'close' },
            body: JSON.stringify(['x'.repeat(size)]),
          })
        ).status;
      expect(await post(10_000)).toBe(200);
      expect(await post(30_000)).toBe(413);
      const over = await send(
        `${POST}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`,
        chunk(15_000),
        chunk(40_000),
      );
      expect(problemIn(over).code).toBe('E_BODY_TOO_LARGE');
      // The handler of the app hears that the body broke off, and has nothing left to answer.
      await eventually(() => expect(codes).toEqual(['E_BODY_TOO_LARGE', 'E_REQUEST_ABORTED']));
    });
  });
});

describe('slow clients', () => {
  /** Each test shortens what it is about: a machine that stalls for seconds cuts nobody by another limit. */
  const timeouts = {
    headers: 60_000,
    request: 60_000,
    keepAlive: 60_000,
    idle: 60_000,
    answer: 60_000,
    check: 100,
  } as const;

  test('slowloris: headers that trickle in, silence, and a body that trickles in are answered with 408', async () => {
    const { raw, refused } = await start((req, res) => void req.resume().on('end', () => res.end('read')), {
      timeouts: { ...timeouts, headers: 300, request: 600 },
    });
    const headers = await raw('GET / HTTP/1.1\r\nHost: x\r\n');
    const silent = await raw();
    const body = await raw(`${POST}Content-Length: 100000\r\n\r\n`);
    const chunked = await raw(`${POST}Transfer-Encoding: chunked\r\n\r\n`);
    const dripping = setInterval(() => {
      headers.socket.write('X-Drip: 1\r\n');
      body.socket.write('x');
      chunked.socket.write('1\r\nx\r\n');
    }, 40);
    await Promise.all([headers.closed, silent.closed, body.closed, chunked.closed]);
    clearInterval(dripping);
    for (const { received } of [headers, silent, body, chunked])
      expect(problemIn(received())).toEqual({ status: 408, code: 'E_REQUEST_TIMEOUT' });
    expect(refused.map(({ reason }) => reason)).toEqual(Array.from({ length: 4 }, () => 'request-timeout'));
  });

  test('a connection that is kept alive and not used is closed', async () => {
    const { raw } = await start(hello, { timeouts: { ...timeouts, keepAlive: 200 } });
    const { received, closed } = await raw('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    await closed;
    expect(received()).toMatch(/^HTTP\/1\.1 200 /);
  });

  test('slow read: who takes an answer by the byte is cut, although bytes move; who takes it is not', async () => {
    const size = 24 * 1_048_576;
    const answer: RequestListener = (_req, res) => void res.end(Buffer.alloc(size, 120));
    const { raw, refused } = await start(answer, { timeouts: { ...timeouts, answer: 500 } });
    const slow = await raw('GET / HTTP/1.1\r\nHost: x\r\n\r\n');
    // Flows for a moment now and then: enough for Node's own time-out to start anew each time.
    slow.socket.pause();
    const sipping = setInterval(() => {
      slow.socket.read(1);
    }, 50);
    await eventually(() => expect(refused).toMatchObject([{ reason: 'slow-reader' }]));
    expect(refused[0]).not.toHaveProperty('status');
    clearInterval(sipping);
    slow.socket.resume();
    await slow.closed;
    expect(slow.received().length).toBeLessThan(size);

    // Here a busy machine may take more than half a second for the whole.
    const patient = await start(answer, { timeouts });
    const eager = await patient.raw('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    await eager.closed;
    expect(eager.received().length).toBeGreaterThan(size);
    expect(patient.refused).toEqual([]);
  });

  describe('by a clock of the test', () => {
    beforeEach(() => void jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'performance'] }));
    afterEach(() => void jest.useRealTimers());

    /** One connection on which an answer waits, looked at every 100 ms, with half a second of patience. */
    function watched() {
      const server = new EventEmitter();
      const socket = { writableLength: 1_000, bytesWritten: 1_000 };
      let cut = 0;
      const busy = () => [socket as Socket];
      cutSlowReaders(server as Server, { checkMs: 100, answerMs: 500, busy, cut: () => cut++ });
      server.emit('listening');
      return { server, socket, cuts: () => cut };
    }

    test('slow read: who takes a piece in time is not cut, however long the whole takes; who stops is, half a second later', () => {
      const { server, socket, cuts } = watched();
      for (let taken = 0; taken < 900; taken += 10) {
        jest.advanceTimersByTime(400);
        socket.writableLength -= 10;
      }
      // Nothing waits: as long as the handler likes.
      const left = socket.writableLength;
      socket.writableLength = 0;
      jest.advanceTimersByTime(60_000);
      socket.writableLength = left;
      jest.advanceTimersByTime(500);
      expect(cuts()).toBe(0);
      jest.advanceTimersByTime(100);
      expect(cuts()).toBe(1);
      server.emit('close');
      expect(jest.getTimerCount()).toBe(0);
    });
  });

  test('a stream that has nothing to say for longer than that goes on', async () => {
    const { raw, refused } = await start(
      (_req, res) => {
        res.write('first ');
        setTimeout(() => res.end('last'), 1_500);
      },
      { timeouts: { ...timeouts, answer: 500 } },
    );
    const { received, closed } = await raw('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    await closed;
    expect(received()).toContain('last');
    expect(refused).toEqual([]);
  });

  test('while 200 clients hold on, others are served', async () => {
    const { raw, port } = await start(hello, { timeouts });
    await Promise.all(Array.from({ length: 200 }, () => raw('GET / HTTP/1.1\r\nHost: x\r\nX-Slow: ')));
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('hello');
  });
});

test.each([
  [{ limits: { body: -1 } }, 'limits.body'],
  [{ limits: { body: '10mbb' } }, 'limits.body'],
  [{ limits: { body: Number.NaN } }, 'limits.body'],
  [{ limits: { body: true } }, 'limits.body'],
  [{ limits: { bodyBytes: 1 } }, 'limits.bodyBytes'],
  [{ timeouts: { answer: 1 } }, 'timeouts.answer'],
  [{ timeouts: { request: 0 } }, 'timeouts.request'],
])('a limit that would be none does not start (CVE-2026-12590): %j', (options, named) => {
  expect(() => secureServer(hello, options as never)).toThrow(named);
});
