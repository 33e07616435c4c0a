import { once } from 'node:events';
import { createConnection, createServer, type AddressInfo, type Socket } from 'node:net';

/** A way to a server on this machine that a test may cut, make slow or hold, for those alone who use it. */
export interface TcpProxy {
  readonly port: number;
  /** Destroys all connections and takes no new ones. */
  cut(): void;
  mend(): void;
  /** Answers reach the client so many milliseconds late, in order; 0 ends it. */
  delayAnswers(ms: number): void;
  /** Answers wait here until `releaseAnswers()`: the server has done the work, and the client does not know. */
  holdAnswers(): void;
  /** How many wait. */
  heldAnswers(): number;
  releaseAnswers(): void;
  stop(): void;
}

export async function startProxy(port: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  let open = true;
  let delayMs = 0;
  let held: (() => void)[] | undefined;

  /** Sends what comes from the server on when it is due, never before what came earlier. */
  function slowly(client: Socket): (chunk: Buffer) => void {
    let last: Promise<unknown> = Promise.resolve();
    const due = (): Promise<void> =>
      new Promise((resolve) => {
        if (held) held.push(resolve);
        else if (delayMs > 0) setTimeout(resolve, delayMs);
        else resolve();
      });
    return (chunk) => {
      const ready = due();
      last = last.then(() => ready).then(() => client.write(chunk));
    };
  }

  const server = createServer((client) => {
    if (!open) {
      client.destroy();
      return;
    }
    const upstream = createConnection({ port, host: '127.0.0.1' });
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(from);
      from.setNoDelay(true);
      from.on('error', () => to.destroy());
      from.on('close', () => {
        sockets.delete(from);
        to.destroy();
      });
    }
    client.pipe(upstream);
    upstream.on('data', slowly(client));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');

  const release = (): void => {
    const waiting = held ?? [];
    held = undefined;
    for (const next of waiting) next();
  };
  const cut = (): void => {
    open = false;
    for (const socket of sockets) socket.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    cut,
    mend: () => void (open = true),
    delayAnswers: (ms) => void (delayMs = ms),
    holdAnswers: () => void (held ??= []),
    heldAnswers: () => held?.length ?? 0,
    releaseAnswers: release,
    stop() {
      release();
      cut();
      server.close();
    },
  };
}
