import { describe, expect, test } from '@jest/globals';
import { context, createEvents, hasCode, stageOf, type SecurityRequest } from '@portcullis/core';
import { onBothExpress, type ExpressLike } from '@portcullis/test-support';
import { createServer, request as httpRequest, type IncomingMessage, type Server } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { createCsrfCheck, csrf, csrfErrors, type CsrfOptions } from '../src/index.js';
import * as go from './go-cross-origin-protection.js';

interface Sent {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: string;
}

/** Serves one app on the loopback for the length of `use`; requests go out exactly as written. */
async function serving(
  express: ExpressLike,
  options: CsrfOptions | undefined,
  use: (send: (sent: Sent) => Promise<number>, seen: unknown[], origin: string) => Promise<void>,
): Promise<void> {
  const app = express();
  const seen: unknown[] = [];
  app.use(context({ trustProxy: false }));
  app.use(csrf(options));
  app.use((_req, res) => void res.status(200).send('CHANGED'));
  app.use(
    (error: unknown, _req: unknown, res: { writeHead(status: number): { end(): void } }, _next: unknown) => {
      seen.push(error);
      res.writeHead((error as { status?: number }).status ?? 500).end();
    },
  );
  await listening(createServer(app), (port) =>
    use((sent) => statusOf(port, sent), seen, `http://127.0.0.1:${port}`),
  );
}

async function listening(server: Server, use: (port: number) => Promise<void>): Promise<void> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  try {
    await use((server.address() as AddressInfo).port);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

function statusOf(port: number, { method = 'POST', path = '/', headers = {}, body }: Sent): Promise<number> {
  return new Promise((resolve, reject) => {
    const req = httpRequest(
      { port, host: '127.0.0.1', method, path, headers: headers as Record<string, string> },
      (res) => {
        res.resume();
        resolve(res.statusCode ?? 0);
      },
    );
    req.on('error', reject);
    req.end(body);
  });
}

/** A request object as Node makes it, for the decision alone. */
function asRequest(row: go.RequestRow, host = 'example.com', encrypted = true): SecurityRequest {
  const headers: Record<string, string> = { host };
  if (row.site !== undefined) headers['sec-fetch-site'] = row.site;
  if (row.origin !== undefined) headers['origin'] = row.origin;
  const made = { method: row.method ?? 'POST', url: row.path ?? '/', headers, socket: { encrypted } };
  return made as unknown as SecurityRequest;
}

const trusting: CsrfOptions = { trustedOrigins: ['https://trusted.example'], exempt: go.exempt };

describe("Go's CrossOriginProtection, row by row", () => {
  test.each([...go.secFetchSite])('Sec-Fetch-Site: $name', (row) => {
    expect(createCsrfCheck().decide(asRequest(row)).allowed).toBe(row.allowed);
  });
  test.each([...go.trustedOrigin])('trusted origin: $name', (row) => {
    expect(createCsrfCheck(trusting).decide(asRequest(row)).allowed).toBe(row.allowed);
  });
  test.each([...go.pattern])('exempt path: $name', (row) => {
    expect(createCsrfCheck(trusting).decide(asRequest(row)).allowed).toBe(row.allowed);
  });
  test.each([...go.trustedOriginTexts])('trusted origin text: %s', (_name, origin, accepted) => {
    const build = () => createCsrfCheck({ trustedOrigins: [origin], dangerouslyTrustInsecureOrigins: true });
    if (accepted) expect(build).not.toThrow();
    else expect(build).toThrow(expect.objectContaining({ code: 'E_OPTION_VALUE' }));
  });
});

onBothExpress((express) => {
  test("Go's server rows, and its tables over a real connection", async () => {
    await serving(express, trusting, async (send, _seen, self) => {
      for (const row of [...go.server, ...go.trustedOrigin, ...go.pattern]) {
        const headers: Record<string, string> = {};
        if (row.site !== undefined) headers['Sec-Fetch-Site'] = row.site;
        if (row.origin !== undefined) headers['Origin'] = row.origin === go.SELF ? self : row.origin;
        const status = await send({ headers, path: row.path ?? '/' });
        expect([row.name, status]).toEqual([row.name, row.allowed ? 200 : 403]);
      }
      for (const row of go.secFetchSite) {
        const headers: Record<string, string> = { Host: 'example.com' };
        if (row.site !== undefined) headers['Sec-Fetch-Site'] = row.site;
        if (row.origin !== undefined) headers['Origin'] = row.origin;
        const status = await send({ method: row.method ?? 'POST', headers });
        expect([row.name, status]).toEqual([row.name, row.allowed ? 200 : 403]);
      }
    });
  });

  test('the refusal carries its code and keeps its reason for the log', async () => {
    await serving(express, {}, async (send, seen) => {
      await send({ headers: { 'Sec-Fetch-Site': 'cross-site', Origin: 'https://attacker.example' } });
      const [error] = seen as [Error & { details: unknown; headers: object; problem: object }];
      expect(hasCode(error, 'E_CSRF_CROSS_SITE')).toBe(true);
      expect(error.details).toMatchObject({ reason: 'cross-site', origin: 'https://attacker.example' });
      expect(JSON.stringify({ ...error, message: error.message })).not.toMatch(/attacker|reason/);
    });
  });

  // GHSA-2234-fmw7-43wr: a check tied to form content types lets a POST without Content-Type pass. CVE-2024-43787: case.
  test.each([
    undefined,
    'application/x-www-form-urlencoded',
    'Application/X-WWW-Form-Urlencoded',
    'application/x-www-form-urlencoded\t; charset=utf-8',
    'multipart/form-data; boundary=x',
    'text/plain',
    'text/plain; application/json',
    'application/json',
    ['text/plain', 'application/json'],
    '',
    '/',
    'x',
  ])('a cross-site POST with Content-Type %j is refused (Hono GHSA-2234-fmw7-43wr)', async (type) => {
    await serving(express, {}, async (send) => {
      const headers = {
        ...(type === undefined ? {} : { 'Content-Type': type }),
        Origin: 'https://attacker.example',
      };
      expect(await send({ headers, body: 'a=1' })).toBe(403);
      expect(await send({ headers: { ...headers, 'Sec-Fetch-Site': 'cross-site' }, body: 'a=1' })).toBe(403);
      expect(await send({ headers: { ...headers, 'Sec-Fetch-Site': 'same-origin' }, body: 'a=1' })).toBe(200);
    });
  });

  test.each([
    ['GET with _method in the query', { method: 'GET', path: '/?_method=DELETE' }],
    ['GET with an encoded _method', { method: 'GET', path: '/?a=1&%5fmethod=DELETE' }],
    ['GET with _method as a list', { method: 'GET', path: '/?_method[]=DELETE' }],
    ['HEAD with X-HTTP-Method-Override', { method: 'HEAD', headers: { 'X-HTTP-Method-Override': 'DELETE' } }],
    ['OPTIONS with X-Method-Override', { method: 'OPTIONS', headers: { 'X-Method-Override': 'DELETE' } }],
    ['POST that says it is a GET', { method: 'POST', headers: { 'X-HTTP-Method-Override': 'GET' } }],
    ['POST with _method=GET', { method: 'POST', path: '/?_method=GET' }],
    ['DELETE', { method: 'DELETE' }],
    ['PATCH', { method: 'PATCH' }],
    ['TRACE', { method: 'TRACE' }],
    ['an invented method', { method: 'PROPPATCH' }],
  ])('method override cannot dodge the check: cross-site %s is refused', async (_name, sent: Sent) => {
    await serving(express, {}, async (send) => {
      expect(await send({ ...sent, headers: { ...sent.headers, 'Sec-Fetch-Site': 'cross-site' } })).toBe(403);
    });
  });

  test('a method-override middleware that ran before cannot launder a POST into a GET', async () => {
    const app = express();
    app.use((req, _res, next) => {
      (req as { originalMethod?: string }).originalMethod = req.method;
      req.method = 'GET';
      next();
    });
    app.use(context({ trustProxy: false }), csrf(), (_req, res) => void res.send('CHANGED'));
    await listening(createServer(app), async (port) => {
      expect(await statusOf(port, { headers: { 'Sec-Fetch-Site': 'cross-site' } })).toBe(403);
    });
  });

  test.each([
    ['suffix', (host: string) => `http://${host.replace(':', '.evil.example:')}`],
    ['https suffix', () => 'https://127.0.0.1.evil.example'],
    ['prefix', (host: string) => `http://evil${host}`],
    ['userinfo (golang/go#78563)', (host: string) => `http://evil@${host}`],
    ['host as userinfo', (host: string) => `http://${host}@evil.example`],
    ['trailing path', (host: string) => `http://${host}/`],
    ['backslash', (host: string) => `http://${host}\\evil.example`],
    ['fragment', (host: string) => `http://${host}#evil.example`],
    ['no scheme', (host: string) => host],
    ['other scheme', (host: string) => `chrome-extension://${host}`],
    ['two origins', (host: string) => `http://${host} http://evil.example`],
    ['a list', (host: string) => `http://${host}, http://evil.example`],
    ['other port', (host: string) => `http://${host.split(':')[0]}:1`],
    ['no port', (host: string) => `http://${host.split(':')[0]}`],
    ['null', () => 'null'],
    ['NULL', () => 'NULL'],
    ['empty', () => ''],
    ['decimal address', (host: string) => `http://2130706433:${host.split(':')[1]}`],
  ])('an Origin that only resembles our own is refused: %s', async (_name, make) => {
    await serving(express, {}, async (send, _seen, self) => {
      const host = self.slice('http://'.length);
      expect(await send({ headers: { Origin: make(host) } })).toBe(403);
      expect(await send({ headers: { Origin: self } })).toBe(200);
    });
  });

  test.each(['same-origin, cross-site', 'Same-Origin', 'same-origin ;x', '', 'sameorigin', 'unknown'])(
    'an odd or doubled Sec-Fetch-Site (%j) is refused',
    async (site) => {
      await serving(express, {}, async (send) => {
        expect(await send({ headers: { 'Sec-Fetch-Site': site } })).toBe(403);
      });
    },
  );

  test('two Sec-Fetch-Site lines are refused, whichever comes first', async () => {
    await serving(express, {}, async (send) => {
      for (const pair of [
        ['same-origin', 'cross-site'],
        ['cross-site', 'same-origin'],
      ]) {
        expect(await send({ headers: { 'Sec-Fetch-Site': pair } })).toBe(403);
      }
    });
  });

  test('clients that are not browsers pass untouched, unless requireOrigin', async () => {
    await serving(express, {}, async (send) => expect(await send({})).toBe(200));
    await serving(express, { requireOrigin: true }, async (send, seen, self) => {
      expect(await send({})).toBe(403);
      expect(seen).toMatchObject([{ details: { reason: 'no-origin' } }]);
      expect(await send({ headers: { Origin: self } })).toBe(200);
      expect(await send({ headers: { 'Sec-Fetch-Site': 'same-origin' } })).toBe(200);
      expect(await send({ method: 'GET' })).toBe(200);
    });
  });

  test('a path that a router might read in two ways is never exempt (Go CVE-2025-47910)', async () => {
    await serving(express, { exempt: ['/hooks/*', '/saml/acs'] }, async (send) => {
      const attack = { Origin: 'https://attacker.example' };
      for (const path of ['/hooks/stripe', '/hooks/a/b', '/saml/acs', '/saml/acs?x=1']) {
        expect([path, await send({ path, headers: attack })]).toEqual([path, 200]);
      }
      for (const path of [
        '/hooks',
        '/hooks/', // Express hands it to the route of /hooks.
        '/HOOKS/stripe',
        '/hooks/../account',
        '/hooks/./x',
        '/hooks/..',
        '/hooks//account',
        '//hooks/x',
        '/hooks/%2e%2e/account',
        '/%68ooks/stripe',
        '/hooks/..;/account',
        '/hooks\\account',
        '/saml/acs/',
        '/saml/acs;x',
        '/account?/hooks/stripe',
        '/account#/hooks/stripe',
      ]) {
        expect([path, await send({ path, headers: attack })]).toEqual([path, 403]);
      }
    });
  });

  test('a listener that throws changes neither the refusal nor the next request; there is no store to lose', async () => {
    const events = createEvents();
    const heard: unknown[] = [];
    events.on('csrf.refused', (event) => {
      heard.push(event);
      throw new Error('listener is down');
    });
    await serving(express, { events }, async (send, seen) => {
      expect(await send({ headers: { Origin: 'https://attacker.example' } })).toBe(403);
      expect(await send({ headers: { 'Sec-Fetch-Site': 'same-origin' } })).toBe(200);
      expect(hasCode(seen[0], 'E_CSRF_CROSS_SITE')).toBe(true);
    });
    expect(events.listenerFaults).toBe(1);
    expect(heard).toMatchObject([
      { type: 'csrf.refused', reason: 'other-origin', method: 'POST', origin: 'https://attacker.example' },
    ]);
  });

  test("an attacker's raw Origin text does not reach events or logs", async () => {
    const events = createEvents();
    const heard: object[] = [];
    events.on('csrf.refused', (event) => heard.push(event));
    await serving(express, { events }, async (send, seen) => {
      expect(await send({ headers: { Origin: 'https://a.example\t<script>' } })).toBe(403);
      expect(JSON.stringify([heard, (seen[0] as { details: unknown }).details])).not.toContain('script');
    });
    expect(heard).toMatchObject([{ reason: 'malformed-origin' }]);
  });
});

describe('whose origin counts as our own', () => {
  const decide = (options: CsrfOptions, row: Partial<go.RequestRow>, host?: string, encrypted?: boolean) =>
    createCsrfCheck(options).decide(asRequest({ name: '', allowed: true, ...row }, host, encrypted));

  test('what was found of one Origin and Host is not said of another, in any order', () => {
    const check = createCsrfCheck();
    const rows = [
      ['https://example.com', 'example.com', true],
      ['https://attacker.example', 'example.com', false],
      ['https://example.com', 'attacker.example', false],
      ['https://example.com', undefined, false],
      ['https://example.com:8443', 'example.com', false],
      ['https://example.com@attacker.example', 'example.com', false],
    ] as const;
    for (const first of rows) {
      for (const [origin, host, allowed] of [first, ...rows, first, first]) {
        const headers = { origin, ...(host === undefined ? {} : { host }) };
        const req = { method: 'POST', url: '/', headers, socket: {} } as unknown as SecurityRequest;
        expect([origin, host, check.decide(req).allowed]).toEqual([origin, host, allowed]);
      }
    }
  });

  test('over TLS, the http page of the same host is another origin (it may be written by the network)', () => {
    const row = { origin: 'http://example.com' };
    expect(decide({}, row, 'example.com', true)).toMatchObject({ allowed: false, reason: 'insecure-origin' });
    expect(decide({}, row, 'example.com', false)).toEqual({ allowed: true });
  });

  test('behind a trusted proxy the scheme is what context() says, not what the socket says', () => {
    const req = asRequest({ name: '', origin: 'http://example.com', allowed: false }, 'example.com', false);
    Object.assign(req, { security: { secure: true } });
    expect(createCsrfCheck().decide(req)).toMatchObject({ reason: 'insecure-origin' });
  });

  test('default ports and the case of Host do not matter', () => {
    expect(decide({}, { origin: 'https://example.com' }, 'Example.com:443').allowed).toBe(true);
    expect(decide({}, { origin: 'http://example.com' }, 'example.com:80', false).allowed).toBe(true);
    expect(decide({}, { origin: 'https://example.com' }, 'example.com:80').allowed).toBe(false);
    expect(decide({}, { origin: 'https://example.com:8443' }, 'example.com:8443').allowed).toBe(true);
    expect(decide({}, { origin: 'https://[2001:db8::1]' }, '[2001:db8::1]').allowed).toBe(true);
  });

  test('with origin configured, a rewritten or poisoned Host counts for nothing', () => {
    const options = { origin: 'https://library.example' };
    expect(decide(options, { origin: 'https://library.example' }, 'internal:3000').allowed).toBe(true);
    expect(decide(options, { origin: 'https://evil.example' }, 'evil.example').allowed).toBe(false);
    expect(decide(options, { origin: 'http://library.example' }, 'library.example').allowed).toBe(false);
    expect(
      decide({ origin: ['https://a.example', 'https://b.example'] }, { origin: 'https://b.example' }).allowed,
    ).toBe(true);
  });

  test('a request without Host is not of our origin', () => {
    const req = asRequest({ name: '', origin: 'https://example.com', allowed: false });
    delete req.headers.host;
    expect(createCsrfCheck().decide(req)).toMatchObject({ reason: 'other-origin' });
  });
});

describe('WebSocket upgrades', () => {
  test('cross-site WebSocket hijacking is refused although the handshake is a GET', async () => {
    const check = createCsrfCheck();
    const server = createServer();
    server.on('upgrade', (req: IncomingMessage, socket) => {
      const { allowed } = check.decideUpgrade(req);
      socket.end(`HTTP/1.1 ${allowed ? '101 Switching Protocols' : '403 Forbidden'}\r\n\r\n`);
    });
    await listening(server, async (port) => {
      const handshake = (headers: string): Promise<string> =>
        new Promise((resolve, reject) => {
          const socket = connect(port, '127.0.0.1');
          let text = '';
          socket.on('error', reject);
          socket.on('data', (chunk) => (text += String(chunk)));
          socket.on('close', () => resolve(text.slice(9, 12)));
          socket.write(
            `GET /live HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${headers}\r\n`,
          );
        });
      expect(await handshake(`Origin: http://127.0.0.1:${port}\r\n`)).toBe('101');
      expect(await handshake('')).toBe('101');
      expect(await handshake('Origin: https://attacker.example\r\n')).toBe('403');
      expect(await handshake('Origin: null\r\n')).toBe('403');
      expect(await handshake(`Origin: http://127.0.0.1:${port}.evil.example\r\n`)).toBe('403');
      expect(await handshake(`Origin: http://127.0.0.1:${port}\r\nSec-Fetch-Site: cross-site\r\n`)).toBe(
        '403',
      );
    });
  });
});

describe('a wrong configuration does not start', () => {
  test.each([
    [{ trustedOrigin: [] }, /Did you mean "trustedOrigins"/],
    [{ trustedOrigins: 'https://a.example' }, /trustedOrigins must be an array/],
    [{ trustedOrigins: ['https://*.example.com'] }, /without path or wildcard/],
    [{ trustedOrigins: ['*'] }, /must be an origin/],
    [{ trustedOrigins: ['https://Example.com/'] }, /Did you mean "https:\/\/example.com"/],
    [{ trustedOrigins: ['wss://example.com'] }, /WebSocket. Did you mean "https:\/\/example.com"/],
    [{ trustedOrigins: ['https://example.com:443'] }, /Did you mean "https:\/\/example.com"/],
    [{ trustedOrigins: ['https://user:secret@example.com'] }, /must be an origin/],
    [{ trustedOrigins: ['http://example.com'] }, /not https/],
    [{ trustedOrigins: ['http://localhost.evil.example'] }, /not https/],
    [{ trustedOrigins: [/example/] }, /must be an origin/],
    [{ origin: 'http://example.com' }, /not https/],
    [{ origin: [] }, /between 1 and/],
    [{ exempt: ['/*'] }, /would exempt every path/],
    [{ exempt: ['/:any/*'] }, /would exempt every path/],
    [{ exempt: ['*'] }, /must be a path/],
    [{ exempt: ['/a*'] }, /only stand at the end/],
    [{ exempt: ['/a/*/b'] }, /must be a path/],
    [{ exempt: ['/a/../b'] }, /only stand at the end/],
    [{ exempt: ['hooks'] }, /must be a path/],
    [{ exempt: ['post /hooks'] }, /must be a path/],
    [{ requireOrigin: 'yes' }, /true or false/],
  ])('%j', (options, message) => {
    expect(() => csrf(options as never)).toThrow(message);
    expect(() => csrf(options as never)).toThrow(expect.objectContaining({ name: 'OptionError' }));
  });

  test('http is fine on the loopback, and elsewhere when spelled dangerously', () => {
    expect(() => csrf({ trustedOrigins: ['http://localhost:5173', 'http://127.0.0.1:3000'] })).not.toThrow();
    expect(() =>
      csrf({ trustedOrigins: ['http://old.example'], dangerouslyTrustInsecureOrigins: true }),
    ).not.toThrow();
  });

  test('the middleware can be found in the floor plan', () => {
    expect(stageOf(csrf())).toMatchObject({ kind: 'posture', name: 'csrf' });
    expect(csrfErrors.E_CSRF_CROSS_SITE().status).toBe(403);
  });
});
