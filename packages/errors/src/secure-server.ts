import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import {
  noEvents,
  option,
  optionConflict,
  readOptions,
  systemRandom,
  type Duration,
  type Events,
  type Random,
} from '@portcullis/core';
import { lastResort } from './answer.js';
import { limitBody } from './body-limit.js';
import { createConnections, type Connections } from './connections.js';
import { createServerRefusals, type Answered, type ServerRefusals } from './server-refusals.js';
import { cutSlowReaders } from './slow-readers.js';
import { tlsOption, type TlsOptions } from './tls-options.js';

/** An Express app, or any other listener of Node's `request` event. */
export type RequestListener = (req: IncomingMessage, res: ServerResponse) => unknown;

export interface ServerLimits {
  /** Bytes of request line and headers together; 431 beyond. 1 KiB to 128 KiB. @default 16_384 */
  readonly headerBytes?: number;
  /** Header lines; 431 beyond (Node would drop the rest unseen). 10 to 2,000. @default 100 */
  readonly headers?: number;
  /** Characters of the request's address; 414 beyond. 256 to 65,536. @default 8_192 */
  readonly url?: number;
  /**
   * Bytes of a body as they arrive, whatever parser the route has (which has a smaller limit of its own); 413 beyond. 0 to
   * 2^53-1, `false` for none. @default 10_485_760 (10 MiB)
   */
  readonly body?: number | false;
  /** Connections at a time; more are closed at once. 1 to 1,000,000. @default 10_000 */
  readonly connections?: number;
  /** Requests on one connection before it is closed. 1 to 1,000,000. @default 1_000 */
  readonly requestsPerConnection?: number;
}

export interface ServerTimeouts {
  /** For a request's headers to arrive, and for the first byte after connecting. @default '8s' */
  readonly headers?: Duration;
  /** For a whole request, body included, to arrive. @default '60s' */
  readonly request?: Duration;
  /** Between the requests of a connection. Behind a load balancer: longer than its own. @default '5s' */
  readonly keepAlive?: Duration;
  /** For a connection on which nothing moves, such as a client that does not read its answer. @default '2m' */
  readonly idle?: Duration;
  /**
   * For a client to take a piece of its answer, while more of it waits. A handler that sends a large answer in one piece gives
   * a slow client this long for all of it; a stream is taken in pieces. @default '5m'
   */
  readonly answer?: Duration;
  /** For the TLS handshake. @default '8s' */
  readonly handshake?: Duration;
  /** How often `headers`, `request` and `answer` are looked at; they end at most this much later. @default '1s' */
  readonly check?: Duration;
}

export interface SecureServerOptions {
  /** Serve HTTPS, TLS 1.2 or later. Without it plain HTTP, for loopback or behind a proxy that ends TLS. */
  readonly tls?: TlsOptions;
  readonly limits?: ServerLimits;
  readonly timeouts?: ServerTimeouts;
  /** How long `close()` waits for requests in flight before it cuts them. 0 to 10 minutes. @default '10s' */
  readonly drainMs?: Duration;
  /**
   * How long `close()` goes on accepting connections while readiness says 503, so that a load balancer notices before
   * the port closes. Kubernetes: about 5 s. 0 to 5 minutes. @default 0
   */
  readonly noticeMs?: Duration;
  /** Receives `errors.refused`. */
  readonly events?: Events;
  /** Source of the request ids of refusals. */
  readonly random?: Random;
}

export interface ListenOptions {
  /** 0 for any free one. */
  readonly port: number;
  /** @default Node's: all interfaces */
  readonly host?: string;
}

export interface Listening {
  readonly port: number;
  readonly host: string;
  readonly url: string;
}

export interface Closed {
  /** Requests that had not ended when the drain time was over, and were cut. */
  readonly cut: number;
}

export interface SecureServer {
  /** Node's own server, for what is not wrapped here (upgrades, statistics). */
  readonly server: Server;
  /** Aborted as soon as `close()` is called: for streams and long polls that should end by themselves. */
  readonly stopping: AbortSignal;
  /** @throws the system's error, such as `EADDRINUSE` */
  listen(options: ListenOptions): Promise<Listening>;
  /**
   * Stops in order: readiness turns 503, then no new connections, idle ones are closed, requests in flight are
   * answered with `Connection: close`, and what is left after `drainMs` is cut. Later calls get the same promise.
   */
  close(): Promise<Closed>;
  /** Takes new key and certificate into use for connections from now on. @throws OptionError */
  renewTls(tls: TlsOptions): void;
}

/**
 * An HTTP or HTTPS server whose limits and time-outs are set in one place, so that slow or endless clients cannot hold it, and
 * that stops without losing a request. What it refuses is answered with a problem document, also where Node would answer by
 * itself. A body that is cut never ends for the app: its stream fails.
 * Does not limit the rate of requests.
 * @throws OptionError, also if key and certificate do not fit
 * @see RFC 9112 sections 2.2 and 9.6; OWASP ASVS 5.0 V4.2, V12.1, V13.1
 */
export function secureServer(app: RequestListener, options: SecureServerOptions = {}): SecureServer {
  const { tls, limits, timeouts, drainMs, noticeMs, events, random } = read(options);
  const settings = {
    maxHeaderSize: limits.headerBytes,
    headersTimeout: timeouts.headers,
    requestTimeout: timeouts.request,
    keepAliveTimeout: timeouts.keepAlive,
    connectionsCheckingInterval: timeouts.check,
    insecureHTTPParser: false,
    // Asked for below: Node's own answer is none of ours.
    requireHostHeader: false,
  };
  const server: Server = tls
    ? createHttpsServer({ ...settings, ...tls, handshakeTimeout: timeouts.handshake })
    : createHttpServer(settings);
  server.maxHeadersCount = limits.headers + 1;
  server.maxConnections = limits.connections;
  server.maxRequestsPerSocket = limits.requestsPerConnection;
  server.timeout = timeouts.idle;

  const connections = createConnections(server, tls !== undefined);
  const refusals = createServerRefusals(events, random);
  const receive = (req: IncomingMessage, res: ServerResponse, ready?: () => void): void => {
    connections.began(req, res);
    const reason = objectionTo(req, limits);
    if (reason !== undefined) {
      refusals.refuse(req, res, reason);
      return;
    }
    const exceeded = (): void => refusals.refuse(req, res, 'body-too-large');
    if (limits.body !== false && !limitBody(req, limits.body, exceeded)) return;
    ready?.();
    serve(app, req, res);
  };
  server.on('request', receive);
  // Node would ask for a body that is too large before anybody sees the request.
  server.on('checkContinue', (req: IncomingMessage, res: ServerResponse) =>
    receive(req, res, () => res.writeContinue()),
  );
  server.on('checkExpectation', (req: IncomingMessage, res: ServerResponse) => {
    connections.began(req, res);
    refusals.refuse(req, res, 'expectation');
  });
  server.on('connect', (_req: IncomingMessage, socket: Socket) => {
    // Somebody who builds a proxy has a listener of their own.
    if (server.listenerCount('connect') === 1) refusals.refuseConnection(socket, 'method');
  });
  server.on('clientError', (error: ClientError, socket: Socket) =>
    refuseBroken(error, socket, { connections, refusals, maxUrl: limits.url }),
  );
  cutSlowReaders(server, {
    checkMs: timeouts.check,
    answerMs: timeouts.answer,
    busy: connections.busy,
    cut(socket) {
      refusals.tell('slow-reader', socket);
      socket.destroy();
    },
  });
  let closing: Promise<Closed> | undefined;

  return {
    server,
    stopping: connections.stopping,
    listen: ({ port, host }) => listen(server, port, host, tls !== undefined),
    close: () => (closing ??= connections.stop(noticeMs, drainMs)),
    renewTls(next) {
      if (!tls) optionConflict('secureServer', 'tls', 'the server was built without tls');
      (server as Server & { setSecureContext(settings: object): void }).setSecureContext(
        tlsOption(next, 'secureServer', 'tls')!,
      );
    },
  };
}

function serve(app: RequestListener, req: IncomingMessage, res: ServerResponse): void {
  // Express answers its own errors. Another listener may throw, which would end the process.
  try {
    const result = app(req, res);
    if (result instanceof Promise) result.catch(() => lastResort(req, res));
  } catch {
    lastResort(req, res);
  }
}

type Limits = ReturnType<typeof readAll>['limits'];

function objectionTo(req: IncomingMessage, limits: Limits): Answered | undefined {
  // RFC 9112 section 3.2: one Host line, no more and no less. Node takes the first of several.
  if (hostLines(req.rawHeaders) !== 1 && req.httpVersion === '1.1') return 'malformed';
  if ((req.url ?? '').length > limits.url) return 'url-too-long';
  return req.rawHeaders.length > 2 * limits.headers ? 'headers-too-large' : undefined;
}

function hostLines(rawHeaders: readonly string[]): number {
  let count = 0;
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!;
    if (name.length === 4 && name.toLowerCase() === 'host') count++;
  }
  return count;
}

/** What Node's parser and its time-outs say. */
type ClientError = Error & { readonly code?: string; readonly rawPacket?: Buffer };

function refuseBroken(
  error: ClientError,
  socket: Socket,
  {
    connections,
    refusals,
    maxUrl,
  }: { readonly connections: Connections; readonly refusals: ServerRefusals; readonly maxUrl: number },
): void {
  const turn = connections.turn(socket);
  const reason = brokenBy(error, maxUrl, turn === 'free');
  if (reason === undefined || !socket.writable || turn === 'occupied') {
    // Whatever were written now would be read as a part of, or as the whole, answer to another request.
    if (reason !== undefined) refusals.tell(reason, socket);
    socket.destroy();
    return;
  }
  refusals.refuseConnection(socket, reason);
}

/** Undefined if the connection itself has failed. Where nothing else is going on, the packet begins with the request line. */
function brokenBy(
  { code = '', rawPacket }: ClientError,
  maxUrl: number,
  atStart: boolean,
): Answered | undefined {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return 'request-timeout';
  if (code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW') return 'body-too-large';
  const began = atStart ? (rawPacket?.toString('latin1', 0, maxUrl + 64) ?? '') : '';
  if (code === 'HPE_HEADER_OVERFLOW') {
    const [, target = ''] = /^[A-Z-]+ (\S+)/.exec(began) ?? [];
    return target.length > maxUrl ? 'url-too-long' : 'headers-too-large';
  }
  if (code === 'HPE_INVALID_METHOD' && /^[A-Z-]{1,32} \S+ HTTP\/1\.[01]\r\n/.test(began)) return 'method';
  return code.startsWith('HPE_') ? 'malformed' : undefined;
}

async function listen(
  server: Server,
  port: number,
  host: string | undefined,
  secure: boolean,
): Promise<Listening> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ port, ...(host === undefined ? {} : { host }) }, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const bound = server.address() as AddressInfo;
  const name = host ?? 'localhost';
  const url = `http${secure ? 's' : ''}://${name.includes(':') ? `[${name}]` : name}:${bound.port}`;
  return { port: bound.port, host: bound.address, url };
}

const SECOND = 1_000;

function read(options: SecureServerOptions): ReturnType<typeof readAll> {
  const all = readAll(options);
  const { headers, request } = all.timeouts;
  if (request < headers) {
    optionConflict(
      'secureServer',
      'timeouts.request',
      'timeouts.request must not be shorter than timeouts.headers',
    );
  }
  return all;
}

function readAll(options: SecureServerOptions) {
  const time = (fallback: Duration, maxMs: number) =>
    option.duration({ minMs: 100, maxMs, default: fallback });
  return readOptions('secureServer', options, {
    tls: tlsOption,
    limits: option.group({
      headerBytes: option.integer({ min: 1_024, max: 131_072, default: 16_384 }),
      headers: option.integer({ min: 10, max: 2_000, default: 100 }),
      url: option.integer({ min: 256, max: 65_536, default: 8_192 }),
      body: option.orFalse(option.integer({ min: 0, max: Number.MAX_SAFE_INTEGER, default: 10 * 1_048_576 })),
      connections: option.integer({ min: 1, max: 1_000_000, default: 10_000 }),
      requestsPerConnection: option.integer({ min: 1, max: 1_000_000, default: 1_000 }),
    }),
    timeouts: option.group({
      headers: time('8s', 60 * SECOND),
      request: time('60s', 3_600 * SECOND),
      keepAlive: time('5s', 600 * SECOND),
      idle: time('2m', 86_400 * SECOND),
      answer: time('5m', 86_400 * SECOND),
      handshake: time('8s', 60 * SECOND),
      check: time('1s', 10 * SECOND),
    }),
    drainMs: option.duration({ maxMs: 600 * SECOND, default: '10s' }),
    noticeMs: option.duration({ maxMs: 300 * SECOND, default: 0 }),
    events: option.port<Events>(['emit'], noEvents),
    random: option.port<Random>(['bytes', 'uuid'], systemRandom),
  });
}
