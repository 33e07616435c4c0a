import { expect, test } from '@jest/globals';
import { context, ensureContext, freezePrincipal } from '@portcullis/core';
import { recordedEvents } from '@portcullis/core/testing';
import { eventually, onBothExpress } from '@portcullis/test-support';
import type { NextFunction, Request, Response } from 'express';
import { once } from 'node:events';
import { createServer, request as httpRequest, Agent, type IncomingMessage, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { Writable } from 'node:stream';
import winston from 'winston';
import { createAudit, memoryAudit, type AuditMirror, type AuditStore } from '../src/index.js';
import { winstonMirror } from '../src/winston.js';

const X = 'Zq9-hunter2_Kw7vB';

onBothExpress((express) => {
  async function served(store: AuditStore = memoryAudit(), mirror?: AuditMirror) {
    const events = recordedEvents();
    const audit = createAudit({ store, events, ...(mirror ? { mirror } : {}) });
    const app = express();
    app.use(context({ trustProxy: false }) as never, audit.accessLog({ exclude: ['/healthz'] }) as never);
    app.use((req: Request, _res: Response, next: NextFunction) => {
      // After accessLog(), as authenticate() is.
      if (req.query['who'] === 'ann') {
        ensureContext(req).principal = freezePrincipal({ id: 'ann', kind: 'user', sessionId: 's1' });
      }
      next();
    });
    app.get('/healthz', (_req, res) => void res.send('ok'));
    app.get('/books/:id', (_req, res) => void res.send('a book'));
    app.post('/books', (_req, res) => void res.sendStatus(201));
    app.get('/refuse/:status', (req, res) => void res.sendStatus(Number(req.params['status'])));
    app.get('/fail', () => {
      throw new Error('broken');
    });
    app.get('/never', () => undefined);
    app.get('/half', (_req, res) => {
      res.writeHead(200, { 'content-length': '1000' });
      res.write('half');
    });
    app.use((_error: unknown, _req: Request, res: Response, _next: NextFunction) => {
      res.sendStatus(500);
    });
    const server = createServer(app as never);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    return {
      audit,
      events,
      server,
      port,
      url: `http://127.0.0.1:${port}`,
      memory: store as ReturnType<typeof memoryAudit>,
    };
  }
  const end = async (server: Server): Promise<void> => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  };

  test('ASVS V16.2.1: one record per request: who, method, path without query, address, status, time', async () => {
    const { server, url, memory } = await served();
    await fetch(`${url}/books/12?token=${X}&who=ann`, { headers: { 'user-agent': 'reader/1.0' } });
    await eventually(() => expect(memory.entries).toHaveLength(1));
    expect(memory.entries[0]).toMatchObject({
      kind: 'request',
      action: 'request.completed',
      outcome: 'success',
      actor: { kind: 'user', id: 'ann' },
      context: {
        method: 'GET',
        path: '/books/12',
        route: '/books/:id',
        status: 200,
        address: '127.0.0.1',
        agent: 'reader/1.0',
        requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
        durationMs: expect.any(Number),
      },
    });
    expect(memory.entries[0]!.body).not.toContain(X);
    await end(server);
  });

  test.each([
    ['/refuse/401', 401, 'denied'],
    ['/refuse/403', 403, 'denied'],
    ['/refuse/429', 429, 'denied'],
    ['/refuse/404', 404, 'failure'],
    ['/nowhere', 404, 'failure'],
    ['/fail', 500, 'error'],
    ['/refuse/304', 304, 'success'],
  ])(
    'ASVS V16.3.2: every decision is logged, refusals as such: %s is recorded as %i %s',
    async (path, status, outcome) => {
      const { server, url, memory } = await served();
      await fetch(url + path);
      await eventually(() => expect(memory.entries).toHaveLength(1));
      expect(memory.entries[0]).toMatchObject({
        outcome,
        actor: { kind: 'anonymous' },
        context: { status, path },
      });
      await end(server);
    },
  );

  test('every request is shown by winston too: the entry that the store has, refusals at the level of problems, no secret', async () => {
    const lines: string[] = [];
    const stream = new Writable({
      write(chunk: Buffer, _encoding, done) {
        lines.push(...chunk.toString().split('\n').filter(Boolean));
        done();
      },
    });
    const logger = winston.createLogger({
      format: winston.format.json(),
      transports: [new winston.transports.Stream({ stream })],
    });
    const { server, url, memory } = await served(memoryAudit(), winstonMirror(logger));
    await fetch(`${url}/books/12?token=${X}&who=ann`);
    await fetch(`${url}/refuse/403?token=${X}`);
    await eventually(() => expect(lines).toHaveLength(2));
    const shown = lines.map((line) => JSON.parse(line) as { level: string; durable: boolean; audit: object });
    expect(shown).toMatchObject([
      {
        level: 'info',
        durable: true,
        audit: {
          action: 'request.completed',
          actor: { id: 'ann' },
          context: { path: '/books/12', status: 200 },
        },
      },
      {
        level: 'warn',
        durable: true,
        audit: { outcome: 'denied', context: { path: '/refuse/403', status: 403 } },
      },
    ]);
    const ids = shown.map(({ audit }) => (audit as { id: string }).id);
    expect(ids).toEqual(memory.entries.map(({ id }) => id));
    expect(lines.join('\n')).not.toContain(X);
    await end(server);
  });

  test('HEAD, POST and keep-alive: exactly one record each', async () => {
    const { server, port, memory } = await served();
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    for (const [method, path] of [
      ['HEAD', '/books/1'],
      ['GET', '/books/2'],
      ['POST', '/books'],
      ['OPTIONS', '/books'],
    ] as const) {
      const req = httpRequest({ port, host: '127.0.0.1', method, path, agent });
      req.end();
      const [res] = (await once(req, 'response')) as [IncomingMessage];
      res.resume();
      await once(res, 'end');
    }
    agent.destroy();
    await eventually(() => expect(memory.entries).toHaveLength(4));
    expect(memory.entries.map((entry) => entry.context.method)).toEqual(['HEAD', 'GET', 'POST', 'OPTIONS']);
    await end(server);
    expect(memory.entries).toHaveLength(4);
  });

  test('a client that goes away is one record, outcome aborted (pitfall 27: close without finish)', async () => {
    const { server, port, memory } = await served();
    const silent = connect(port, '127.0.0.1');
    silent.write('GET /never HTTP/1.1\r\nHost: h\r\n\r\n');
    const half = connect(port, '127.0.0.1');
    half.write('GET /half HTTP/1.1\r\nHost: h\r\n\r\n');
    await once(half, 'data');
    await eventually(() => expect(server.listening).toBe(true));
    half.destroy();
    silent.destroy();
    await eventually(() => expect(memory.entries).toHaveLength(2));
    const byPath = Object.fromEntries(memory.entries.map((entry) => [entry.context.path, entry]));
    expect(byPath['/never']).toMatchObject({ action: 'request.aborted', outcome: 'aborted' });
    expect(byPath['/never']!.context.status).toBeUndefined();
    expect(byPath['/half']).toMatchObject({ outcome: 'aborted', context: { status: 200 } });
    await end(server);
    expect(memory.entries).toHaveLength(2);
  });

  test('ASVS V16.4.1: a request target cannot forge or smuggle: absolute form, line ends, secrets in the path', async () => {
    const { server, port, memory } = await served();
    const socket = connect(port, '127.0.0.1');
    socket.write(
      `GET http://ann:${X}@h/books/1?a=1 HTTP/1.1\r\nHost: h\r\n\r\n` +
        `GET /books/x%0d%0a2026%20admin?p=${X} HTTP/1.1\r\nHost: h\r\n\r\n` +
        `GET /verify/token=${X} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`,
    );
    socket.resume();
    await once(socket, 'close');
    await eventually(() => expect(memory.entries).toHaveLength(3));
    expect(memory.entries.map((entry) => entry.context.path)).toEqual([
      '/books/1',
      '/books/x%0d%0a2026%20admin',
      '/verify/token=[REDACTED]',
    ]);
    for (const entry of memory.entries) {
      expect(entry.body).not.toContain(X);
      expect(entry.body).not.toMatch(/[\r\n]/);
    }
    await end(server);
  });

  test('excluded paths are not recorded, whatever their query', async () => {
    const { server, url, memory } = await served();
    await fetch(`${url}/healthz?a=1`);
    await fetch(`${url}/books/1`);
    await eventually(() => expect(memory.entries).toHaveLength(1));
    expect(memory.entries[0]!.context.path).toBe('/books/1');
    await end(server);
  });

  test('a store that hangs or fails does not hold up the answer; the loss is counted (seed: a logging error killed the request)', async () => {
    const hanging: AuditStore = {
      append: () => new Promise(() => undefined),
      query: () => Promise.resolve({ entries: [] }),
    };
    const hung = await served(hanging);
    expect((await fetch(`${hung.url}/books/1`)).status).toBe(200);
    await end(hung.server);

    const failing: AuditStore = { ...hanging, append: () => Promise.reject(new Error('down')) };
    const failed = await served(failing);
    expect((await fetch(`${failed.url}/books/1`)).status).toBe(200);
    await eventually(() => expect(failed.audit.status().dropped).toBe(1));
    expect(failed.events.all).toContainEqual(
      expect.objectContaining({ type: 'audit.dropped', count: 1, of: 'request' }),
    );
    await end(failed.server);
  });

  test('without context() before it, requests fail instead of being logged without an address', async () => {
    const app = express();
    app.use(createAudit({ store: memoryAudit() }).accessLog() as never);
    app.get('/', (_req, res) => void res.send('ok'));
    app.use((error: { code?: string }, _req: Request, res: Response, _next: NextFunction) => {
      res.status(500).send(error.code);
    });
    const server = createServer(app as never).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const response = await fetch(`http://127.0.0.1:${port}/`);
    expect([response.status, await response.text()]).toEqual([500, 'E_CONTEXT_MISSING']);
    await end(server);
  });
});
