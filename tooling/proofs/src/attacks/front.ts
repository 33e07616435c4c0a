import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Certificate } from './certificate.js';

export interface Site {
  handle(req: IncomingMessage, res: ServerResponse): void;
  upgrade?(req: IncomingMessage, socket: Duplex, head: Buffer): void;
}

/** All sites of the little internet of this proof: one TLS port and one plain port, told apart by origin. */
export class Front {
  readonly #sites = new Map<string, Site>();
  readonly #sockets = new Set<Duplex>();
  readonly #servers: { close(): unknown; address(): unknown }[];
  readonly #listening: Promise<unknown>;

  constructor({ key, cert }: Certificate) {
    const [tls, plain] = [createTlsServer({ key, cert }), createServer()];
    this.#servers = [tls, plain];
    this.#listening = Promise.all(
      ([tls, plain] as const).map((server, index) => {
        const scheme = index === 0 ? 'https' : 'http';
        const siteOf = (req: IncomingMessage): Site | undefined =>
          this.#sites.get(`${scheme}://${req.headers.host ?? ''}`);
        server.on('request', (req: IncomingMessage, res: ServerResponse) => {
          const site = siteOf(req);
          if (site) site.handle(req, res);
          else res.writeHead(404).end('Nobody here.');
        });
        server.on('upgrade', (req: IncomingMessage, socket: Duplex, head: Buffer) => {
          const upgrade = siteOf(req)?.upgrade;
          if (upgrade) upgrade(req, socket, head);
          else socket.destroy();
        });
        for (const event of ['connection', 'secureConnection'])
          server.on(event, (socket: Socket) => {
            this.#sockets.add(socket);
            socket.on('error', () => socket.destroy());
            socket.on('close', () => this.#sockets.delete(socket));
          });
        return new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      }),
    );
  }

  /** What makes a browser find these sites under their names, and nothing else. */
  async resolverRules(): Promise<string> {
    await this.#listening;
    const [tls, plain] = this.#servers.map((server) => (server.address() as AddressInfo).port);
    return `MAP *:80 127.0.0.1:${plain}, MAP * 127.0.0.1:${tls}`;
  }

  serve(origin: string, site: Site): void {
    this.#sites.set(origin, site);
  }

  /** Upgraded sockets and idle TLS connections would keep the servers open for ever. */
  stop(): void {
    for (const server of this.#servers) server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}
