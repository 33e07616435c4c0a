import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as tlsConnect, getCiphers, type ConnectionOptions } from 'node:tls';
import { expect, test } from '@jest/globals';
import { onBothExpress } from '@portcullis/test-support';
import { errorHandler, notFound } from '../src/index.js';
import { secureServer } from '../src/server.js';
import { modernCiphers } from '../src/tls-options.js';

onBothExpress((express) => {
  test.each([
    ['a length that is too small', { 'Content-Length': '2' }],
    ['a length that is too large', { 'Content-Length': '5000' }],
    ['compression', { 'Content-Encoding': 'gzip', 'Content-Length': '20' }],
    ['an announced trailer', { Trailer: 'X-Checksum' }],
    ['a range', { 'Content-Range': 'bytes 0-1/2', 'Content-Length': '2', 'Accept-Ranges': 'bytes' }],
    ['chunks', { 'Transfer-Encoding': 'chunked' }],
  ] as readonly [string, Record<string, string>][])(
    'ASVS V4.2.2: an error after a handler has announced %s is framed as what it is, on a connection that goes on',
    async (_name, headers) => {
      const app = express();
      app.all('/', (_req, res) => {
        res.status(206).set(headers);
        throw new Error('too late');
      });
      app.get('/next', (_req, res) => void res.send('NEXT'));
      app.use(notFound(), errorHandler({ logger: false }));
      for (const method of ['GET', 'POST', 'HEAD']) {
        const [first, second, rest] = await twoAnswers(app as unknown as RequestListener, method);
        expect(first!.head).toMatch(/^HTTP\/1\.1 500 /);
        expect(first!.head).not.toMatch(/\n(?:transfer-encoding|content-encoding|content-range|trailer):/i);
        expect(first!.body.length).toBe(method === 'HEAD' ? 0 : first!.length);
        if (method !== 'HEAD') expect(JSON.parse(first!.body)).toMatchObject({ status: 500 });
        expect(second!.head).toMatch(/^HTTP\/1\.1 200 /);
        expect([second!.body, rest]).toEqual(['NEXT', undefined]);
      }
    },
  );
});

interface Framed {
  readonly head: string;
  readonly length: number;
  readonly body: string;
}

/** A request and one behind it on the same connection, and the bytes that come back, taken apart by what they say of their length. */
async function twoAnswers(app: RequestListener, method: string): Promise<readonly Framed[]> {
  const server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const text = await new Promise<string>((resolve, reject) => {
    let received = '';
    const length = method === 'POST' ? 'Content-Length: 0\r\n' : '';
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(`${method} / HTTP/1.1\r\nHost: x\r\nAccept: application/json\r\n${length}\r\n`);
      socket.write('GET /next HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    });
    socket.on('data', (data) => (received += data.toString('latin1')));
    socket.on('error', reject).on('close', () => resolve(received));
  });
  await new Promise((resolve) => server.close(resolve));
  const answers: Framed[] = [];
  for (let rest = text; rest !== '';) {
    const end = rest.indexOf('\r\n\r\n');
    const head = rest.slice(0, end);
    const length = Number(/\ncontent-length: (\d+)/i.exec(head)?.[1]);
    const bytes = method === 'HEAD' && answers.length === 0 ? 0 : length;
    answers.push({ head, length, body: rest.slice(end + 4, end + 4 + bytes) });
    rest = Number.isNaN(length) ? '' : rest.slice(end + 4 + bytes);
  }
  return answers;
}

const openssl = hasOpenssl();
if (!openssl) console.warn('SKIPPED: TLS claims (no openssl on this machine to make a certificate with).');

(openssl ? test : test.skip)(
  'ASVS V12.1.1 V12.1.2: of all protocols and suites that this Node knows, a server speaks TLS 1.2 and 1.3 with forward secrecy only',
  async () => {
    const folder = mkdtempSync(join(tmpdir(), 'portcullis-asvs-'));
    const [key, cert] = ['key', 'cert'].map((name) => join(folder, name)) as [string, string];
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
    const out = ['-days', '2', '-subj', '/CN=test', '-keyout', key, '-out', cert];
    execFileSync('openssl', ['req', '-x509', ...curve, ...out], { stdio: 'ignore' });
    const tls = { key: readFileSync(key, 'utf8'), cert: readFileSync(cert, 'utf8') };
    const server = secureServer((_req, res) => void res.end('hello'), { tls, drainMs: 100 });
    const { port } = await server.listen({ port: 0, host: '127.0.0.1' });
    try {
      const spoken = new Set<string>();
      for (const version of ['TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'] as const) {
        const only = { minVersion: version, maxVersion: version };
        const ciphers = version < 'TLSv1.2' ? ['ALL'] : getCiphers().map((name) => name.toUpperCase());
        for (const cipher of ciphers) {
          const isNew = cipher.startsWith('TLS_');
          if (isNew !== (version === 'TLSv1.3') && cipher !== 'ALL') continue;
          const agreed = await handshake(port, { ...only, ciphers: isNew ? cipher : `${cipher}@SECLEVEL=0` });
          if (agreed !== undefined) spoken.add(agreed);
        }
      }
      const ours = modernCiphers.filter((name) => !name.includes('RSA'));
      expect([...spoken].toSorted((a, b) => a.localeCompare(b))).toEqual(
        ours
          .map((name) => `${name.startsWith('TLS_') ? 'TLSv1.3' : 'TLSv1.2'} ${name}`)
          .toSorted((a, b) => a.localeCompare(b)),
      );
    } finally {
      await server.close();
      rmSync(folder, { recursive: true });
    }
  },
);

/** What client and server agree upon if the client offers only this; undefined if on nothing. */
function handshake(port: number, options: ConnectionOptions): Promise<string | undefined> {
  return new Promise((resolve) => {
    try {
      const socket = tlsConnect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options }, () => {
        resolve(`${socket.getProtocol()} ${socket.getCipher().name}`);
        socket.destroy();
      });
      socket.on('error', () => resolve(undefined));
    } catch {
      // OpenSSL does not offer it any more.
      resolve(undefined);
    }
  });
}

function hasOpenssl(): boolean {
  try {
    execFileSync('openssl', ['version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
