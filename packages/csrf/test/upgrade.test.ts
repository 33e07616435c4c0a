import { describe, expect, test } from '@jest/globals';
import { createEvents } from '@portcullis/core';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { connect, type Socket } from 'node:net';
import { upgradeGuard, type CsrfOptions } from '../src/index.js';
import { exchange, listening } from './wire.js';

/** A server that accepts every handshake it hears of, told so by two listeners as ws and socket.io would be. */
function socketServer(): { server: Server; heard: string[] } {
  const heard: string[] = [];
  const server = createServer((_req, res) => res.end('page'));
  server.on('upgrade', (req: IncomingMessage, socket: Socket) => {
    heard.push(req.url ?? '');
    socket.end('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  });
  server.on('upgrade', (req: IncomingMessage) => heard.push(`second ${req.url}`));
  return { server, heard };
}

function handshake(port: number, headers: string, path = '/live'): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let text = '';
    socket.on('error', reject);
    socket.on('data', (chunk) => (text += String(chunk)));
    socket.on('close', () => resolve(text));
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n${headers}\r\n`,
    );
  });
}

const status = async (port: number, headers: string, path?: string) =>
  (await handshake(port, headers, path)).slice(9, 12);

describe('upgradeGuard()', () => {
  const foreign = [
    'Origin: https://attacker.example\r\n',
    'Origin: null\r\n',
    'Origin: \r\n',
    'Origin: http://127.0.0.1\r\n',
    'Origin: http://127.0.0.1.evil.example\r\n',
    'Origin: https://a.example\r\nOrigin: https://b.example\r\n',
    'Sec-Fetch-Site: cross-site\r\n',
    'Sec-Fetch-Site: same-site\r\n',
    'Sec-Fetch-Site: same-origin\r\nSec-Fetch-Site: cross-site\r\n',
  ];

  test.each(['before', 'after'])(
    'ASVS V4.4.2: a foreign or null Origin gets 403 in the handshake, set up %s the listeners, none of which hears of it',
    async (when) => {
      const { server, heard } = socketServer();
      if (when === 'before') {
        const listeners = server.rawListeners('upgrade') as (() => void)[];
        server.removeAllListeners('upgrade');
        upgradeGuard(server);
        for (const listener of listeners) server.on('upgrade', listener);
      } else upgradeGuard(server);
      await listening(server, async (port) => {
        for (const headers of foreign)
          expect([headers, await status(port, headers)]).toEqual([headers, '403']);
        expect(heard).toEqual([]);
        expect(await status(port, `Origin: http://127.0.0.1:${port}\r\n`)).toBe('101');
        expect(await status(port, '')).toBe('101');
        expect(heard).toEqual(['/live', 'second /live', '/live', 'second /live']);
      });
    },
  );

  test('ASVS V4.4.2: only origins of the list are accepted where one is given', async () => {
    const options: CsrfOptions = {
      origin: 'https://library.example',
      trustedOrigins: ['https://app.example'],
    };
    const { server } = socketServer();
    upgradeGuard(server, { ...options, requireOrigin: true });
    await listening(server, async (port) => {
      expect(await status(port, 'Origin: https://library.example\r\n')).toBe('101');
      expect(await status(port, 'Origin: https://app.example\r\n')).toBe('101');
      expect(await status(port, `Origin: http://127.0.0.1:${port}\r\n`)).toBe('403');
      expect(await status(port, '')).toBe('403');
    });
  });

  test('without the guard the same handshakes are accepted', async () => {
    const { server } = socketServer();
    await listening(server, async (port) => {
      for (const headers of foreign) expect(await status(port, headers)).toBe('101');
    });
  });

  test('the refusal is a problem document, ends the connection, and is told', async () => {
    const events = createEvents();
    const told: unknown[] = [];
    events.on('csrf.refused', (event) => {
      told.push(event);
      throw new Error('listener is down');
    });
    const { server } = socketServer();
    upgradeGuard(server, { events });
    await listening(server, async (port) => {
      const answer = await handshake(port, 'Origin: https://attacker.example\r\n');
      expect(answer).toMatch(
        /^HTTP\/1\.1 403 Forbidden\r\n[^]*\r\n\r\n\{"type":"urn:portcullis:error:E_CSRF_CROSS_SITE"/,
      );
      expect(answer).not.toContain('attacker');
    });
    expect(told).toMatchObject([
      { reason: 'other-origin', method: 'GET', origin: 'https://attacker.example' },
    ]);
  });

  test('plain requests of the same server are none of its business', async () => {
    const { server } = socketServer();
    upgradeGuard(server);
    await listening(server, async (port) => {
      const answer = await exchange(port, { method: 'GET', headers: { Origin: 'https://attacker.example' } });
      expect([answer.status, answer.text]).toEqual([200, 'page']);
    });
  });

  test.each([
    [{ exempt: ['/live'] }, /nothing is exempt/],
    [{ trustedOrigins: ['*'] }, /must be an origin/],
    [{ trustedOrigin: [] }, /Did you mean "trustedOrigins"/],
    [null, /must be an object/],
  ])('a wrong configuration does not start: %j', (options, message) => {
    expect(() => upgradeGuard(createServer(), options as never)).toThrow(message);
  });
});
