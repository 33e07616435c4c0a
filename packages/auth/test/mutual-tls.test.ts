import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { context, createMemoryStore, isSecurityError, type SecurityRequest } from '@portcullis/core';
import { recordedEvents } from '@portcullis/core/testing';
import { onBothExpress } from '@portcullis/test-support';
import type { NextFunction, Request, Response } from 'express';
import { createAuth, createMutualTls, generateKeys, type MutualTlsOptions } from '../src/index.js';
import { memoryUsers, testHasher } from '../src/testing.js';
import { thumbprintOf } from '../src/transport/mutual-tls.js';

interface Pair {
  readonly key: Buffer;
  readonly cert: Buffer;
  readonly thumbprint: string;
}

function makePair(name: string): Pair {
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-mtls-'));
  try {
    const [keyFile, certFile] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    const about = ['-days', '2', '-subj', `/CN=${name}`, '-keyout', keyFile, '-out', certFile];
    execFileSync('openssl', ['req', '-x509', ...curve, ...about], { stdio: 'ignore' });
    const cert = readFileSync(certFile);
    return { key: readFileSync(keyFile), cert, thumbprint: thumbprintOf(new X509Certificate(cert).raw) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const openssl = (process.env['PATH'] ?? '')
  .split(delimiter)
  .some((folder) => existsSync(join(folder, 'openssl')));
if (!openssl)
  console.warn('SKIPPED: certificates of clients (no openssl on this machine to make some with).');

let server: Pair;
let mine: Pair;
let thief: Pair;
beforeAll(() => {
  if (!openssl) return;
  [server, mine, thief] = [makePair('localhost'), makePair('mine'), makePair('mine')];
});

const keys = generateKeys();
const stops: (() => void)[] = [];
afterEach(() => stops.splice(0).forEach((stop) => stop()));

const derField = (pair: Pair) => `:${new X509Certificate(pair.cert).raw.toString('base64')}:`;
const pemField = (pair: Pair) => encodeURIComponent(pair.cert.toString());

const withCertificates = openssl ? describe : describe.skip;

onBothExpress((express) => {
  /** A service over TLS that asks every client for a certificate, and takes any: what counts is the key. */
  async function serve(mutualTls: MutualTlsOptions | false) {
    const events = recordedEvents();
    const auth = createAuth({
      issuer: 'i',
      audience: 'a',
      keys,
      users: memoryUsers(),
      store: createMemoryStore(),
      passwords: { hash: testHasher(), accept: [] },
      transport: { mutualTls },
      events,
    });
    const app = express();
    app.use(context({ trustProxy: false }), auth.authenticate());
    app.get('/me', auth.required(), (_req: Request, res: Response) => void res.json({ ok: true }));
    app.use((error: unknown, _req: Request, res: Response, _next: NextFunction) => {
      const { status, headers, code } = isSecurityError(error)
        ? error
        : { status: 500, headers: {}, code: String(error) };
      res.status(status).set(headers).json({ code });
    });
    const { key, cert } = server;
    const listening = createServer({ key, cert, requestCert: true, rejectUnauthorized: false }, app as never);
    await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
    stops.push(() => {
      listening.close();
      listening.closeAllConnections();
    });
    const { port } = listening.address() as AddressInfo;

    async function tokenFor(cnf: object | undefined): Promise<string> {
      const { userId, sessionId } = await auth.sessions.create({ userId: 'u1', epoch: 0 });
      return auth.tokens.issue({ userId, sessionId }, cnf === undefined ? {} : { cnf }).token;
    }
    function use(
      token: string,
      pair?: Pair,
      headers: Record<string, string | string[]> = {},
    ): Promise<number> {
      return new Promise((resolve, reject) => {
        const shown = pair ? { key: pair.key, cert: pair.cert } : {};
        httpsRequest(
          {
            host: '127.0.0.1',
            port,
            path: '/me',
            agent: false,
            // The certificate of the test's own server.
            rejectUnauthorized: false,
            ...shown,
            headers: { authorization: `Bearer ${token}`, ...headers },
          },
          (res) => {
            res.resume();
            res.on('end', () => resolve(res.statusCode!));
          },
        )
          .on('error', reject)
          .end();
      });
    }
    return { auth, events, tokenFor, use };
  }
  const bound = (pair: Pair) => ({ 'x5t#S256': pair.thumbprint });

  withCertificates('tokens bound to a certificate (RFC 8705)', () => {
    test('count over a connection of its key, and nowhere else', async () => {
      const { tokenFor, use } = await serve({});
      const token = await tokenFor(bound(mine));
      expect(await use(token, mine)).toBe(200);
      expect(await use(token, thief)).toBe(401);
      expect(await use(token)).toBe(401);
    });

    test('tokens without binding go on beside them, and do not where a binding is required', async () => {
      const open = await serve({});
      expect(await open.use(await open.tokenFor(undefined))).toBe(200);
      const strict = await serve({ required: true });
      const token = await strict.tokenFor(undefined);
      expect(await strict.use(token, mine)).toBe(401);
      expect(await strict.use(await strict.tokenFor(bound(mine)), mine)).toBe(200);
    });

    test('where mutual TLS is off they count nowhere', async () => {
      const { tokenFor, use, events } = await serve(false);
      expect(await use(await tokenFor(bound(mine)), mine)).toBe(401);
      expect(events.of('auth.token-refused')).toMatchObject([{ reason: 'claim-cnf' }]);
    });

    const attacks: readonly [string, (app: Awaited<ReturnType<typeof serve>>) => Promise<number>][] = [
      [
        'a stolen token over TLS without a certificate',
        async ({ use, tokenFor }) => use(await tokenFor(bound(mine))),
      ],
      [
        "a stolen token with the thief's certificate of the same name",
        async ({ use, tokenFor }) => use(await tokenFor(bound(mine)), thief),
      ],
      [
        "the owner's certificate as a header, over the thief's connection",
        async ({ use, tokenFor }) =>
          use(await tokenFor(bound(mine)), thief, { 'client-cert': derField(mine) }),
      ],
      [
        'the same as nginx writes it',
        async ({ use, tokenFor }) =>
          use(await tokenFor(bound(mine)), thief, { 'x-client-cert': pemField(mine) }),
      ],
      [
        'a binding that is text of the certificate and no thumbprint',
        async ({ use, tokenFor }) => use(await tokenFor({ 'x5t#S256': mine.cert.toString() }), mine),
      ],
      [
        'the SHA-1 thumbprint (x5t)',
        async ({ use, tokenFor }) => use(await tokenFor({ x5t: mine.thumbprint }), mine),
      ],
      ['an empty binding', async ({ use, tokenFor }) => use(await tokenFor({ 'x5t#S256': '' }), mine)],
      ['an empty confirmation', async ({ use, tokenFor }) => use(await tokenFor({}), mine)],
      [
        'a confirmation that is a list',
        async ({ use, tokenFor }) => use(await tokenFor([bound(mine)]), mine),
      ],
      [
        'a second binding that nobody here can check',
        async ({ use, tokenFor }) => use(await tokenFor({ ...bound(mine), jwk: {} }), mine),
      ],
      [
        'a second binding, to a DPoP key, without its proof',
        async ({ use, tokenFor }) => use(await tokenFor({ ...bound(mine), jkt: 'A'.repeat(43) }), mine),
      ],
      [
        'the thumbprint in another case',
        async ({ use, tokenFor }) =>
          use(
            await tokenFor({
              'x5t#S256':
                mine.thumbprint.toLowerCase() === mine.thumbprint ? 'x' : mine.thumbprint.toLowerCase(),
            }),
            mine,
          ),
      ],
    ];
    test.each(attacks)('%s is refused', async (_title, attack) => {
      expect(await attack(await serve({}))).toBe(401);
    });
  });
});

withCertificates('certificates in a header of the proxy', () => {
  const req = (remoteAddress: string, headers: object) =>
    ({ socket: { remoteAddress }, headers }) as unknown as SecurityRequest;
  const rfc9440 = () =>
    createMutualTls({ header: { name: 'client-cert', format: 'rfc9440', from: ['10.0.0.0/8'] } });
  const pem = () => createMutualTls({ header: { name: 'x-cert', format: 'pem', from: ['loopback'] } });

  test('count from the proxy, in both forms', () => {
    expect(rfc9440().thumbprintOf(req('10.1.2.3', { 'client-cert': derField(mine) }))).toBe(mine.thumbprint);
    expect(rfc9440().thumbprintOf(req('::ffff:10.1.2.3', { 'client-cert': derField(mine) }))).toBe(
      mine.thumbprint,
    );
    expect(pem().thumbprintOf(req('127.0.0.1', { 'x-cert': pemField(mine) }))).toBe(mine.thumbprint);
  });

  test('count from nobody else: whoever reaches the service past the proxy could write any', () => {
    for (const from of ['192.0.2.1', '127.0.0.1', '11.0.0.1', ''])
      expect(rfc9440().thumbprintOf(req(from, { 'client-cert': derField(mine) }))).toBeUndefined();
  });

  test('a connection does not count where the proxy ends TLS', () => {
    const socket = { remoteAddress: '10.1.2.3', getPeerCertificate: () => ({ raw: Buffer.from('proxy') }) };
    expect(rfc9440().thumbprintOf({ socket, headers: {} } as unknown as SecurityRequest)).toBeUndefined();
  });

  test.each<[string, (one: Pair, other: Pair) => string | string[]]>([
    ['two of them, joined by Node', (one, other) => `${derField(one)}, ${derField(other)}`],
    ['a list', (one) => [derField(one)]],
    ['without its colons', (one) => derField(one).slice(1, -1)],
    [
      'something behind it',
      (one) => `:${Buffer.concat([new X509Certificate(one.cert).raw, Buffer.from('x')]).toString('base64')}:`,
    ],
    ['no certificate', () => `:${Buffer.from('no certificate').toString('base64')}:`],
    ['100 kB', () => `:${'A'.repeat(100_000)}:`],
    ['nothing', () => ''],
  ])('%s is none', (_title, value) => {
    expect(rfc9440().thumbprintOf(req('10.1.2.3', { 'client-cert': value(mine, thief) }))).toBeUndefined();
  });

  test.each<[string, (one: Pair, other: Pair) => string]>([
    ['two of them', (one, other) => encodeURIComponent(one.cert.toString() + other.cert.toString())],
    ['percent-encoding that is none', () => '%E0%A4%A'],
    ['a private key before it', (one) => encodeURIComponent(one.key.toString() + one.cert.toString())],
  ])('as PEM, %s is none', (_title, value) => {
    expect(pem().thumbprintOf(req('127.0.0.1', { 'x-cert': value(mine, thief) }))).toBeUndefined();
  });

  test.each<[string, object, RegExp]>([
    ['from everybody', { name: 'client-cert', format: 'rfc9440' }, /networks of your proxies/],
    [
      'from a number of hops',
      { name: 'client-cert', format: 'rfc9440', from: 1 },
      /networks of your proxies/,
    ],
    [
      'from a network that is none',
      { name: 'client-cert', format: 'rfc9440', from: ['10.0.0.1/8'] },
      /no network/,
    ],
    ['in an unknown form', { name: 'client-cert', format: 'der', from: ['loopback'] }, /format/],
    [
      'in capitals, in which Node knows no header',
      { name: 'Client-Cert', format: 'pem', from: ['loopback'] },
      /name/,
    ],
  ])('a header %s does not start', (_title, header, message) => {
    expect(() => createMutualTls({ header } as MutualTlsOptions)).toThrow(message);
  });
});
