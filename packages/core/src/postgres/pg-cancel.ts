import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { PgClientInternals } from './pg-types.js';

const CANCEL_REQUEST = 80_877_102;
const SSL_REQUEST = 80_877_103;
const PATIENCE_MS = 2000;

/**
 * Asks the server to stop what this connection is doing (PostgreSQL manual, "Canceling Requests in Progress"): on a
 * connection of its own, which needs no free place in the pool and, unlike `pg_cancel_backend`, works through PgBouncer.
 * Best effort: the server never answers, and a server that hangs does not listen.
 */
export function cancelStatement(client: object): void {
  const { host, port, ssl, processID, secretKey } = client as PgClientInternals;
  if (host === undefined || port === undefined || processID == null || secretKey == null) return;
  const request = message(CANCEL_REQUEST, processID, secretKey);
  const socket = host.startsWith('/') ? connect(`${host}/.s.PGSQL.${port}`) : connect(port, host);
  quiet(socket);
  if (!ssl) {
    socket.once('connect', () => socket.end(request));
    return;
  }
  socket.once('connect', () => socket.write(message(SSL_REQUEST)));
  socket.once('data', (answer) => {
    if (answer.toString('latin1') !== 'S') {
      socket.destroy();
      return;
    }
    const options = typeof ssl === 'object' ? ssl : {};
    const secure = connectTls({ socket, ...(host.includes(':') ? {} : { servername: host }), ...options });
    quiet(secure);
    secure.once('secureConnect', () => secure.end(request));
  });
}

function message(...words: readonly number[]): Buffer {
  const buffer = Buffer.alloc(4 + 4 * words.length);
  buffer.writeInt32BE(buffer.length, 0);
  for (const [i, word] of words.entries()) buffer.writeInt32BE(word | 0, 4 + 4 * i);
  return buffer;
}

function quiet(socket: Socket): void {
  socket.setTimeout(PATIENCE_MS, () => socket.destroy());
  socket.on('error', () => socket.destroy());
  socket.unref();
}
