import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { createServer, type AddressInfo, type Socket } from 'node:net';
import type { Certificate } from './certificate.js';

export interface Served {
  /** Name and port; http and https alike. */
  readonly host: string;
  close(): void;
}

// Of a TLS handshake (RFC 8446 section 5.1); no method of HTTP begins so.
const HANDSHAKE = 22;

/**
 * Serves http and https on one port of the loopback, as a public site does on its two: who scans it asks for both by the same name.
 */
export async function serve(
  { key, cert }: Certificate,
  makeApp: (host: string) => RequestListener | Promise<RequestListener>,
): Promise<Served> {
  let app: RequestListener = (_req, res) => void res.writeHead(503).end();
  const listener: RequestListener = (req, res) => app(req, res);
  const http = createHttpServer(listener);
  const https = createHttpsServer({ key, cert }, listener);
  const sockets = new Set<Socket>();
  const port = createServer({ pauseOnConnect: true }, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => undefined);
    socket.once('data', (first) => {
      socket.pause();
      socket.unshift(first);
      (first[0] === HANDSHAKE ? https : http).emit('connection', socket);
      process.nextTick(() => socket.resume());
    });
    socket.resume();
  });
  await new Promise<void>((resolve) => {
    port.listen(0, '127.0.0.1', resolve);
  });
  const host = `localhost:${(port.address() as AddressInfo).port}`;
  app = await makeApp(host);
  return {
    host,
    close: () => {
      port.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}
