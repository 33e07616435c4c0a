import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { markConnection } from './stopping.js';

/** A connection that has sent nothing, or half a request, gets this long once the stop has begun. */
const SILENT_MS = 1_000;

export interface Connections {
  readonly stopping: AbortSignal;
  began(req: IncomingMessage, res: ServerResponse): void;
  /** Connections with a request that has not ended; one with several stands there several times. */
  busy(): Iterable<Socket>;
  /**
   * What an answer written to this connection now would be taken for: the answer to a request that nobody has begun (`'free'`), to
   * the one that is just arriving (`'current'`), or to an earlier one, which it is not (`'occupied'`).
   */
  turn(socket: Socket): 'free' | 'current' | 'occupied';
  stop(noticeMs: number, drainMs: number): Promise<{ readonly cut: number }>;
}

/** Knows the connections of a server and their requests in flight, and ends them in order. */
export function createConnections(server: Server, secure: boolean): Connections {
  const stopping = new AbortController();
  const sockets = new Map<unknown, Socket>();
  const inFlight = new Map<ServerResponse, Socket>();
  const open = new WeakMap<Socket, Set<ServerResponse>>();

  function track(socket: Socket): void {
    markConnection(socket, stopping.signal);
    // A TLS socket takes the place of the TCP socket that it came over.
    const peer = socket.remotePort === undefined ? socket : `${socket.remoteAddress}|${socket.remotePort}`;
    sockets.set(peer, socket);
    socket.once('close', () => {
      if (sockets.get(peer) === socket) sockets.delete(peer);
    });
  }
  server.on('connection', track);
  if (secure) server.on('secureConnection', track);

  function closeIdle(): void {
    server.closeIdleConnections();
  }

  /** Connections without a request: never used, or in the middle of sending headers. */
  function cutSilent(): void {
    const busy = new Set(inFlight.values());
    for (const socket of sockets.values()) if (!busy.has(socket)) socket.destroy();
  }

  return {
    stopping: stopping.signal,
    began(req, res) {
      const { socket } = req;
      inFlight.set(res, socket);
      let there = open.get(socket);
      if (!there) open.set(socket, (there = new Set()));
      there.add(res);
      if (stopping.signal.aborted) res.setHeader('Connection', 'close');
      res.once('close', () => {
        inFlight.delete(res);
        there.delete(res);
        // An answer whose headers had gone out before the stop leaves its connection open.
        if (stopping.signal.aborted) setImmediate(closeIdle);
      });
    },
    busy: () => inFlight.values(),
    turn(socket) {
      const [first, ...others] = open.get(socket) ?? [];
      if (!first) return 'free';
      return others.length > 0 || first.req.complete || first.headersSent ? 'occupied' : 'current';
    },
    async stop(noticeMs, drainMs) {
      stopping.abort();
      for (const res of inFlight.keys()) if (!res.headersSent) res.setHeader('Connection', 'close');
      if (noticeMs > 0) await delay(noticeMs);

      const closed = new Promise<void>((resolve) => void server.close(() => resolve()));
      closeIdle();
      const timers = new AbortController();
      const after = async (ms: number): Promise<void> => delay(ms, undefined, { signal: timers.signal });
      after(Math.min(SILENT_MS, drainMs)).then(cutSilent, () => undefined);
      let cut = 0;
      const deadline = after(drainMs).then(
        () => {
          cut = inFlight.size;
          server.closeAllConnections();
          // Upgraded connections are no longer among the server's own.
          for (const socket of sockets.values()) socket.destroy();
        },
        () => undefined,
      );
      await closed;
      timers.abort();
      await deadline;
      return { cut };
    },
  };
}
