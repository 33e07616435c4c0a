import type { Socket } from 'node:net';
import { check, type Check } from '../check.js';

/** Node cuts such clients after a minute; until then each holds a connection. */
const LONGEST_MS = 14_000;

const slowly = (id: string, sends: string, first: string, then: (socket: Socket) => void): Check =>
  check('slow clients', id, sends, 'the connection ends within 12 s', async (client) => {
    const { closed, ms } = await client.exchange(first, { waitMs: LONGEST_MS, then });
    return closed && ms < 12_000;
  });

const everySecond = (text: string) => (socket: Socket) => {
  const timer = setInterval(() => socket.write(text), 1000);
  socket.on('close', () => clearInterval(timer));
};

export const slow: readonly Check[] = [
  slowly('headers', 'a header line a second', 'GET /api/hello HTTP/1.1\r\n', everySecond('x-slow: 1\r\n')),
  slowly('header-byte', 'one byte of a header a second', 'GET /api/hello HTTP/1.1\r\nx: ', everySecond('a')),
  slowly('request-line', 'one byte of the address a second', 'GET /', everySecond('a')),
];
