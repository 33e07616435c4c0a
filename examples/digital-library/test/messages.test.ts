import { describe, expect, test } from '@jest/globals';
import { Secret } from '@portcullis/core';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { consoleNotify, httpNotify } from '../src/messages.js';

const message = {
  type: 'reset-password',
  to: 'ann@readers.example',
  userId: '1',
  token: new Secret('a-token'),
  expiresAt: 0,
} as const;

describe('messages', () => {
  test('are printed with their link where the library is tried out', async () => {
    const lines: string[] = [];
    await consoleNotify('http://localhost:3000', (line) => lines.push(line))(message);
    expect(lines).toEqual([expect.stringContaining('http://localhost:3000/reset/complete?token=a-token ')]);
  });

  test('are posted to the service that sends mail; one that it does not take rejects, and is tried again by auth', async () => {
    const taken: unknown[] = [];
    let status = 202;
    const server = createServer((req, res) => {
      let body = '';
      req.on('data', (chunk) => (body += String(chunk)));
      req.on('end', () => {
        taken.push(JSON.parse(body));
        res.writeHead(status).end();
      });
    }).listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as AddressInfo;
    const notify = httpNotify(`http://127.0.0.1:${port}/`, 'https://library.example');
    await notify(message);
    expect(taken).toEqual([
      {
        to: 'ann@readers.example',
        subject: 'Choose a new password',
        text: expect.stringContaining('https://library.example/reset/complete?token=a-token '),
      },
    ]);
    status = 500;
    await expect(notify(message)).rejects.toThrow('500');
    server.close();
  });
});
