import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { option, optionConflict, readOptions, type Duration } from '@portcullis/core';
import { lastResort } from './answer.js';
import { createConnections } from './connections.js';
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
  /** For the TLS handshake. @default '8s' */
  readonly handshake?: Duration;
  /** How often `headers` and `request` are looked at; they end at most this much later. @default '1s' */
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
 * An HTTP or HTTPS server whose limits and time-outs are set, so that slow or endless clients cannot hold it, and that
 * stops without losing a request.
 * Does not limit bodies (that is the body parser's `limit`) nor the rate of requests.
 * @throws OptionError, also if key and certificate do not fit
 * @see RFC 9112 section 9.6; OWASP ASVS 5.0 V12.1, V13.1
 */
export function secureServer(app: RequestListener, options: SecureServerOptions = {}): SecureServer {
  const { tls, limits, timeouts, drainMs, noticeMs } = read(options);
  const settings = {
    maxHeaderSize: limits.headerBytes,
    headersTimeout: timeouts.headers,
    requestTimeout: timeouts.request,
    keepAliveTimeout: timeouts.keepAlive,
    connectionsCheckingInterval: timeouts.check,
    insecureHTTPParser: false,
    requireHostHeader: true,
  };
  const server: Server = tls
    ? createHttpsServer({ ...settings, ...tls, handshakeTimeout: timeouts.handshake })
    : createHttpServer(settings);
  server.maxHeadersCount = limits.headers + 1;
  server.maxConnections = limits.connections;
  server.maxRequestsPerSocket = limits.requestsPerConnection;
  server.timeout = timeouts.idle;

  const connections = createConnections(server, tls !== undefined);
  server.on('request', (req: IncomingMessage, res: ServerResponse) => {
    connections.began(req, res);
    if ((req.url ?? '').length > limits.url) refuse(res, 414, 'URI too long');
    else if (req.rawHeaders.length > 2 * limits.headers) refuse(res, 431, 'Request header fields too large');
    else serve(app, req, res);
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

function refuse(res: ServerResponse, status: number, text: string): void {
  res.writeHead(status, {
    'Content-Type': 'text/plain; charset=utf-8',
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    Connection: 'close',
  });
  res.end(`${status} ${text}\n`);
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
      connections: option.integer({ min: 1, max: 1_000_000, default: 10_000 }),
      requestsPerConnection: option.integer({ min: 1, max: 1_000_000, default: 1_000 }),
    }),
    timeouts: option.group({
      headers: time('8s', 60 * SECOND),
      request: time('60s', 3_600 * SECOND),
      keepAlive: time('5s', 600 * SECOND),
      idle: time('2m', 86_400 * SECOND),
      handshake: time('8s', 60 * SECOND),
      check: time('1s', 10 * SECOND),
    }),
    drainMs: option.duration({ maxMs: 600 * SECOND, default: '10s' }),
    noticeMs: option.duration({ maxMs: 300 * SECOND, default: 0 }),
  });
}
