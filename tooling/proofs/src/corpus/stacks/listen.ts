import { createServer, type RequestListener, type ServerOptions } from 'node:http';
import type { AddressInfo } from 'node:net';

/** As `app.listen(0)` does it. */
export async function listen(
  app: RequestListener,
  options: ServerOptions = {},
): Promise<{ port: number; stop(): Promise<void> }> {
  const server = createServer(options, app);
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    async stop() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
