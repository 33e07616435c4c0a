import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Cuts connections whose client takes nothing of an answer for `answerMs`, as seen from here: bytes wait, and none of the waiting
 * pieces has gone out whole. Node's own time-out starts anew with every byte that the client reads, so that one who reads a byte
 * a minute keeps a connection, and what waits for it in memory, for ever.
 */
export function cutSlowReaders(
  server: Server,
  {
    checkMs,
    answerMs,
    busy,
    cut,
  }: {
    readonly checkMs: number;
    readonly answerMs: number;
    readonly busy: () => Iterable<Socket>;
    readonly cut: (socket: Socket) => void;
  },
): void {
  const stuck = new WeakMap<Socket, { readonly mark: string; readonly checks: number }>();
  const patience = Math.ceil(answerMs / checkMs);

  function look(socket: Socket): void {
    if (socket.writableLength === 0) {
      stuck.delete(socket);
      return;
    }
    const mark = `${socket.bytesWritten} ${socket.writableLength}`;
    const before = stuck.get(socket);
    const checks = before?.mark === mark ? before.checks + 1 : 0;
    if (checks >= patience) cut(socket);
    else stuck.set(socket, { mark, checks });
  }

  server.once('listening', () => {
    const timer = setInterval(() => {
      for (const socket of busy()) look(socket);
    }, checkMs);
    timer.unref();
    server.once('close', () => clearInterval(timer));
  });
}
