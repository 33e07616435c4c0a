import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { createEvents, type SecurityEvent } from '@portcullis/core';
import { spawn } from 'node:child_process';
import { lookup as systemLookup } from 'node:dns/promises';
import { once } from 'node:events';
import { createServer, get, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { connect, createServer as createTcpServer, type AddressInfo, type LookupFunction } from 'node:net';
import { gzipSync } from 'node:zlib';
import { outgoing, type OutgoingOptions } from '../src/outgoing.js';

const reasonOf = (error: unknown): string => {
  const { code, details } = error as { code: string; details?: { reason?: string } };
  return code === 'E_OUTGOING_REFUSED' ? (details?.reason ?? '') : code;
};
const outcome = async (promise: Promise<unknown>): Promise<string> =>
  promise.then(() => 'answered', reasonOf);

describe('ASVS V1.3.6: what can be told from the URL is refused without a connection', () => {
  const open = outgoing({
    schemes: ['https:', 'http:'],
    resolve: () => Promise.reject(new Error('must not be asked')),
  });
  const attacks: readonly (readonly [name: string, url: string, reason: string])[] = [
    ['loopback', 'http://127.0.0.1/', 'loopback'],
    ['loopback, all of it', 'http://127.255.1.1/', 'loopback'],
    ['loopback in short form', 'http://127.1/', 'spelling'],
    ['loopback as one decimal number', 'http://2130706433/', 'spelling'],
    ['loopback as one hexadecimal number', 'http://0x7f000001/', 'spelling'],
    ['loopback as one octal number', 'http://017700000001/', 'spelling'],
    ['loopback, mixed bases', 'http://0x7f.1/', 'spelling'],
    ['loopback, octal parts', 'http://0177.0.0.1/', 'spelling'],
    ['loopback with leading zeros', 'http://127.0.0.01/', 'spelling'],
    ['loopback in circled digits', 'http://\u2460\u2461\u2466.\u24ea.\u24ea.\u2460/', 'spelling'],
    ['loopback in fullwidth digits', 'http://\uff11\uff12\uff17.0.0.1/', 'spelling'],
    ['loopback with ideographic full stops', 'http://127\u30020\u30020\u30021/', 'spelling'],
    ['loopback, percent-encoded', 'http://%31%32%37.0.0.1/', 'spelling'],
    ['loopback with a trailing dot', 'http://127.0.0.1./', 'spelling'],
    ['a public address as a number', 'http://134744072/', 'spelling'],
    ['this network', 'http://0.0.0.0/', 'unspecified'],
    ['zero in short form', 'http://0/', 'spelling'],
    ['private 10/8', 'http://10.0.0.5/', 'private'],
    ['private 172.16/12', 'http://172.31.255.255/', 'private'],
    ['private 192.168/16', 'http://192.168.1.1/', 'private'],
    ['carrier-grade NAT', 'http://100.64.0.1/', 'shared'],
    ['link-local', 'http://169.254.1.1/', 'link-local'],
    ['cloud metadata (AWS, Google, Azure)', 'http://169.254.169.254/latest/meta-data/', 'link-local'],
    ['cloud metadata (Alibaba)', 'http://100.100.100.200/', 'shared'],
    ['cloud metadata (Oracle)', 'http://192.0.0.192/', 'reserved'],
    ['cloud metadata (Azure wire server)', 'http://168.63.129.16/', 'metadata'],
    ['cloud metadata over IPv6 (AWS)', 'http://[fd00:ec2::254]/', 'private'],
    ['cloud metadata by name', 'http://metadata.google.internal/computeMetadata/v1/', 'host'],
    ['multicast', 'http://239.255.255.250/', 'multicast'],
    ['broadcast', 'http://255.255.255.255/', 'reserved'],
    ['documentation', 'http://203.0.113.9/', 'documentation'],
    ['benchmarks', 'http://198.18.0.1/', 'benchmark'],
    ['6to4 relay', 'http://192.88.99.1/', 'tunnel'],
    ['IPv6 loopback', 'http://[::1]/', 'loopback'],
    ['IPv6 loopback, long', 'http://[0:0:0:0:0:0:0:1]/', 'spelling'],
    ['IPv6 unspecified', 'http://[::]/', 'unspecified'],
    ['IPv6 unique local', 'http://[fc00::1]/', 'private'],
    ['IPv6 link-local', 'http://[fe80::1]/', 'link-local'],
    ['IPv6 site-local', 'http://[fec0::1]/', 'private'],
    ['IPv6 multicast', 'http://[ff02::1]/', 'multicast'],
    ['IPv6 documentation', 'http://[2001:db8::1]/', 'documentation'],
    ['IPv4-mapped', 'http://[::ffff:7f00:1]/', 'mapped'],
    ['IPv4-mapped, dotted', 'http://[::ffff:127.0.0.1]/', 'spelling'],
    ['IPv4-mapped, public inside', 'http://[::ffff:808:808]/', 'mapped'],
    ['IPv4-compatible', 'http://[::7f00:1]/', 'mapped'],
    ['IPv4-translated (SIIT)', 'http://[::ffff:0:7f00:1]/', 'mapped'],
    ['6to4', 'http://[2002:7f00:1::]/', 'tunnel'],
    ['Teredo', 'http://[2001:0:7f00:1::1]/', 'tunnel'],
    ['Teredo, with zeros written', 'http://[2001:0000:7f00:1::1]/', 'spelling'],
    ['NAT64 around loopback', 'http://[64:ff9b::7f00:1]/', 'loopback'],
    ['NAT64 around metadata', 'http://[64:ff9b::a9fe:a9fe]/', 'link-local'],
    ['local NAT64', 'http://[64:ff9b:1::7f00:1]/', 'tunnel'],
    ['ISATAP', 'http://[2600::5efe:7f00:1]/', 'tunnel'],
    ['outside 2000::/3', 'http://[4000::1]/', 'not-global'],
    ['zone id', 'http://[fe80::1%25eth0]/', 'url'],
    ['localhost', 'http://localhost/', 'host'],
    ['localhost with a dot', 'http://localhost./', 'spelling'],
    ['below localhost', 'http://a.localhost/', 'host'],
    ['single label', 'http://intranet/', 'host'],
    ['mDNS', 'http://printer.local/', 'host'],
    ['user name that looks like the host', 'http://example.com@127.0.0.1/', 'user'],
    ['user and password', 'http://a:b@example.com/', 'user'],
    ['empty user', 'http://@example.com/', 'user'],
    ['backslash before the host', 'http:\\\\127.0.0.1/', 'url'],
    ['backslash and at sign', 'http://example.com\\@127.0.0.1/', 'url'],
    ['tab in the host', 'http://exam\tple.com/', 'url'],
    ['line feed (CRLF injection)', 'http://example.com/\r\nX: y', 'url'],
    ['soft hyphen in the host', 'http://exam\u00adple.com/', 'url'],
    ['zero-width space', 'http://example\u200b.com/', 'url'],
    ['one slash', 'http:/example.com/', 'spelling'],
    ['no slash', 'http:example.com', 'spelling'],
    ['fullwidth letters', 'http://\uff45xample.com/', 'spelling'],
    ['Kelvin sign', 'http://example.\u212aim/', 'spelling'],
    ['file', 'file:///etc/passwd', 'scheme'],
    ['gopher', 'gopher://127.0.0.1:6379/_FLUSHALL', 'scheme'],
    ['ftp', 'ftp://127.0.0.1/', 'scheme'],
    ['data', 'data:text/plain,x', 'scheme'],
    ['javascript', 'javascript:alert(1)', 'scheme'],
    ['unix socket syntax', 'http://unix:/var/run/docker.sock:/', 'host'],
    ['Redis port', 'http://example.com:6379/', 'port'],
    ['another port', 'https://example.com:8443/', 'port'],
    ['port 0', 'http://example.com:0/', 'port'],
    ['too long', `http://example.com/${'a'.repeat(5000)}`, 'url'],
    ['empty', '', 'url'],
    ['no URL', 'example.com', 'url'],
  ];
  test.each(attacks)('%s: %s', async (_name, url, reason) => {
    expect(await outcome(open.fetch(url))).toBe(reason);
    expect(() => open.check(url)).toThrow(expect.objectContaining({ code: 'E_OUTGOING_REFUSED' }));
  });

  test.each([
    'https://example.com/',
    'https://EXAMPLE.com/x?y#z',
    'http://8.8.8.8/',
    'https://[2606:4700:4700::1111]/',
    'http://[64:ff9b::808:808]/',
    'https://b\u00fccher.example.com/',
    'https://xn--bcher-kva.example.com/',
  ])('%s passes', (url) => expect(open.check(url).href).toBe(new URL(url).href));

  test('http: is not asked unless it is allowed', () => {
    expect(() => outgoing().check('http://example.com/')).toThrow(
      expect.objectContaining({ code: 'E_OUTGOING_REFUSED' }),
    );
    expect(outgoing().check('https://example.com').href).toBe('https://example.com/');
  });

  test('with an allow-list nothing else is asked, public or not', () => {
    const listed = outgoing({ allow: ['api.example.com', '*.cdn.example.com', '8.8.8.8'] });
    for (const url of ['https://api.example.com/', 'https://a.b.cdn.example.com/', 'https://8.8.8.8/'])
      expect(listed.check(url).href).toBe(url);
    for (const url of [
      'https://example.com/',
      'https://cdn.example.com/',
      'https://evilcdn.example.com/',
      'https://api.example.com.evil.com/',
      'https://1.1.1.1/',
      'https://api.example.com./',
    ])
      expect(() => listed.check(url)).toThrow(expect.objectContaining({ code: 'E_OUTGOING_REFUSED' }));
  });
});

describe('ASVS V1.3.6: what a name resolves to is judged, every address of it', () => {
  const resolvingTo = (...addresses: string[]) =>
    outgoing({
      resolve: () =>
        Promise.resolve(addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }))),
    });
  test.each([
    [['127.0.0.1'], 'loopback'],
    [['10.1.2.3'], 'private'],
    [['169.254.169.254'], 'link-local'],
    [['8.8.8.8', '127.0.0.1'], 'loopback'],
    [['::1'], 'loopback'],
    [['::ffff:127.0.0.1'], 'mapped'],
    [['::ffff:7f00:1'], 'mapped'],
    [['0:0:0:0:0:ffff:7f00:1'], 'mapped'],
    [['64:ff9b::10.0.0.1'], 'private'],
    [['2002:a00:1::'], 'tunnel'],
    [['2001:0:4136:e378:8000:63bf:3fff:fdd2'], 'tunnel'],
    [['fe80::1%eth0'], 'zone'],
    [['0.0.0.0'], 'unspecified'],
    [['2130706433'], 'unreadable'],
    [[], 'unresolved'],
  ])('%p is refused as %s', async (addresses, reason) => {
    expect(await outcome(resolvingTo(...addresses).fetch('https://names.example.com/'))).toBe(reason);
  });

  test('a name that does not resolve is refused without telling the client more than of one that is private', async () => {
    const failing = outgoing({ resolve: () => Promise.reject(new Error('ENOTFOUND')) });
    const errorsOf = async (guard: ReturnType<typeof outgoing>) =>
      guard
        .fetch('https://names.example.com/')
        .catch((error: Error & { code: string; status: number }) => [
          error.code,
          error.status,
          error.message,
        ]);
    expect(await errorsOf(failing)).toEqual(await errorsOf(resolvingTo('10.0.0.1')));
  });
});

describe('with a server', () => {
  let server: Server;
  let port: number;
  let handle: RequestListener;
  const seen: IncomingMessage[] = [];
  beforeAll(async () => {
    server = createServer((req, res) => {
      seen.push(req);
      handle(req, res);
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    port = (server.address() as AddressInfo).port;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });

  /** 127.0.0.1 stands for the public internet; everything else that is private stays private. */
  const guard = (options: OutgoingOptions = {}) =>
    outgoing({
      schemes: ['http:'],
      ports: [port],
      dangerouslyAllowNetworks: ['127.0.0.1/32'],
      resolve: (name) =>
        Promise.resolve([{ address: name.startsWith('private.') ? '127.0.0.2' : '127.0.0.1', family: 4 }]),
      ...options,
    });
  const at = (host: string, path = '/'): string => `http://${host}:${port}${path}`;

  test('an answer comes with status, headers, text and JSON', async () => {
    handle = (_req, res) => void res.setHeader('X-Answer', 'yes').end('{"a":1}');
    const answer = await guard().fetch(at('one.example.com', '/x?y=1'));
    expect([answer.status, answer.ok, answer.headers.get('x-answer'), answer.url, answer.redirected]).toEqual(
      [200, true, 'yes', at('one.example.com', '/x?y=1'), false],
    );
    expect(await answer.json()).toEqual({ a: 1 });
    expect(seen.at(-1)!.headers.host).toBe(`one.example.com:${port}`);
    const posted = await guard().fetch(at('one.example.com'), {
      method: 'POST',
      body: 'text',
      headers: { 'Content-Type': 'text/plain' },
    });
    await posted.text();
    expect(seen.at(-1)).toMatchObject({
      method: 'POST',
      headers: { 'content-type': 'text/plain', 'content-length': '4' },
    });
  });

  test('DNS rebinding: one answer is judged and used; a check that resolves once more is led inside', async () => {
    handle = (_req, res) => void res.end('outside');
    const secret = createServer((_req, res) => void res.end('secret')).listen(port, '127.0.0.2');
    await once(secret, 'listening');
    let asked = 0;
    const next = (): string => (asked++ === 0 ? '127.0.0.1' : '127.0.0.2');
    const resolve = () => Promise.resolve([{ address: next(), family: 4 }]);
    const answer = await guard({ resolve }).fetch(at('rebind.example.com'));
    expect([await answer.text(), asked]).toEqual(['outside', 1]);
    expect(await outcome(guard({ resolve }).fetch(at('rebind.example.com')))).toBe('loopback');

    // The control: judge first, connect afterwards.
    asked = 0;
    expect(next()).toBe('127.0.0.1');
    const lookup: LookupFunction = (_name, options, done) => {
      const address = next();
      if (options.all) done(null, [{ address, family: 4 }]);
      else done(null, address, 4);
    };
    const naive = await new Promise<string>((tell, fail) => {
      get(at('rebind.example.com'), { lookup, agent: false }, (res) =>
        res.on('data', (chunk) => tell(String(chunk))),
      ).on('error', fail);
    });
    expect(naive).toBe('secret');
    secret.close();
  });

  test('the resolver of the system is asked by default', async () => {
    handle = (_req, res) => void res.end('here');
    const { address } = await systemLookup('localhost', { family: 4 });
    expect(address).toBe('127.0.0.1');
    const system = outgoing({
      schemes: ['http:'],
      ports: [port],
      allow: ['localhost'],
      dangerouslyAllowNetworks: ['127.0.0.1/32', '::1/128'],
    });
    expect(await (await system.fetch(at('localhost'))).text()).toBe('here');
    const strict = outgoing({ schemes: ['http:'], ports: [port], allow: ['localhost'] });
    expect(await outcome(strict.fetch(at('localhost')))).toBe('loopback');
  });

  describe('redirects', () => {
    const redirecting = (location: string, status = 302): void => {
      handle = (req, res) => {
        if (req.url === '/from') res.writeHead(status, { location }).end();
        else res.end('arrived');
      };
    };
    test.each([
      ['a private address', () => at('10.0.0.1'), 'private'],
      ['metadata', () => `http://169.254.169.254:${port}/`, 'link-local'],
      ['a private name', () => at('private.example.com'), 'loopback'],
      ['loopback as a number', () => at('2130706434'), 'spelling'],
      ['protocol-relative private', () => `//127.0.0.2:${port}/`, 'loopback'],
      ['another port', () => 'http://one.example.com:1/', 'port'],
      ['another scheme', () => 'file:///etc/passwd', 'scheme'],
      ['gopher', () => 'gopher://127.0.0.1:6379/_x', 'scheme'],
      ['a user name', () => `http://one@127.0.0.1:${port}/`, 'user'],
      ['backslashes', () => `http:\\\\127.0.0.2:${port}\\`, 'url'],
    ])('to %s is refused', async (_name, location, reason) => {
      redirecting(location());
      const before = seen.length;
      expect(await outcome(guard().fetch(at('one.example.com', '/from')))).toBe(reason);
      expect(seen.length).toBe(before + 1);
    });

    test('to a public place is followed, relative ones too; the answer says where it came from', async () => {
      redirecting(at('two.example.com', '/there'));
      const answer = await guard().fetch(at('one.example.com', '/from'));
      expect([await answer.text(), answer.url, answer.redirected]).toEqual([
        'arrived',
        at('two.example.com', '/there'),
        true,
      ]);
      redirecting('there');
      const relative = await guard().fetch(at('one.example.com', '/from'));
      expect([await relative.text(), relative.url]).toEqual(['arrived', at('one.example.com', '/there')]);
    });

    test('no credentials come to another origin; the same origin gets them', async () => {
      const headers = { Authorization: 'Bearer t', Cookie: 'a=b', 'X-Api-Key': 'k', 'User-Agent': 'library' };
      redirecting(at('two.example.com', '/there'));
      await (await guard().fetch(at('one.example.com', '/from'), { headers })).text();
      expect(seen.at(-1)!.headers).toMatchObject({
        'user-agent': 'library',
        host: `two.example.com:${port}`,
      });
      for (const name of ['authorization', 'cookie', 'x-api-key'])
        expect(seen.at(-1)!.headers).not.toHaveProperty(name);
      redirecting('/there');
      await (await guard().fetch(at('one.example.com', '/from'), { headers })).text();
      expect(seen.at(-1)!.headers).toMatchObject({
        authorization: 'Bearer t',
        cookie: 'a=b',
        'x-api-key': 'k',
      });
    });

    test('a body goes to the same origin only, and to 307 and 308 only', async () => {
      const send = (path: string) =>
        guard().fetch(at('one.example.com', path), {
          method: 'POST',
          body: 'secret',
          headers: { 'content-type': 'text/plain' },
        });
      redirecting(at('two.example.com'), 307);
      expect(await outcome(send('/from'))).toBe('redirect-body');
      redirecting('/there', 307);
      await (await send('/from')).text();
      expect(seen.at(-1)).toMatchObject({ method: 'POST', headers: { 'content-length': '6' } });
      redirecting('/there', 302);
      await (await send('/from')).text();
      expect(seen.at(-1)!.method).toBe('GET');
      expect(seen.at(-1)!.headers).not.toHaveProperty('content-type');
    });

    test('a loop ends; manual and refuse do not follow', async () => {
      handle = (_req, res) => void res.writeHead(302, { location: '/again' }).end();
      const before = seen.length;
      expect(await outcome(guard({ maxRedirects: 3 }).fetch(at('one.example.com')))).toBe(
        'E_OUTGOING_FAILED',
      );
      expect(seen.length).toBe(before + 4);
      expect(await outcome(guard().fetch(at('one.example.com'), { redirect: 'refuse' }))).toBe(
        'E_OUTGOING_FAILED',
      );
      const manual = await guard().fetch(at('one.example.com'), { redirect: 'manual' });
      expect([manual.status, manual.headers.get('location')]).toEqual([302, '/again']);
      manual.body.destroy();
    });
  });

  describe('limits', () => {
    const reading = async (options: OutgoingOptions): Promise<string> =>
      outcome(
        guard(options)
          .fetch(at('one.example.com'))
          .then((answer) => answer.bytes()),
      );

    test('a body beyond the limit is cut, announced or not', async () => {
      handle = (_req, res) => void res.setHeader('Content-Length', 10_000).end(Buffer.alloc(10_000));
      expect(await reading({ maxBytes: 9_999 })).toBe('E_OUTGOING_TOO_LARGE');
      expect(await reading({ maxBytes: 10_000 })).toBe('answered');
      handle = (_req, res) => {
        const more = (): void =>
          void (res.destroyed || (res.write(Buffer.alloc(65_536)), setImmediate(more)));
        more();
      };
      expect(await reading({ maxBytes: 1_000_000 })).toBe('E_OUTGOING_TOO_LARGE');
    });

    test('a compressed bomb is cut where it passes the limit; what is small comes decoded', async () => {
      const bomb = gzipSync(Buffer.alloc(50_000_000));
      handle = (_req, res) => void res.setHeader('Content-Encoding', 'gzip').end(bomb);
      const before = process.memoryUsage().arrayBuffers;
      expect(await reading({ maxBytes: 1_000_000 })).toBe('E_OUTGOING_TOO_LARGE');
      expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(20_000_000);
      handle = (_req, res) => void res.setHeader('Content-Encoding', 'gzip').end(gzipSync('hello'));
      expect(await (await guard().fetch(at('one.example.com'))).text()).toBe('hello');
      handle = (_req, res) =>
        void res.setHeader('Content-Encoding', 'gzip, gzip').end(gzipSync(gzipSync('hello')));
      expect(await reading({})).toBe('E_OUTGOING_FAILED');
      handle = (_req, res) => void res.setHeader('Content-Encoding', 'gzip').end('no gzip at all');
      expect(await reading({})).toBe('E_OUTGOING_FAILED');
    });

    test('a server that answers nothing, or a byte now and then, is left at the time limit', async () => {
      handle = () => undefined;
      expect(await reading({ timeout: 60 })).toBe('E_OUTGOING_TIMEOUT');
      handle = (_req, res) => {
        const drip = setInterval(() => res.write('.'), 10);
        res.on('close', () => clearInterval(drip));
      };
      expect(await reading({ timeout: 120 })).toBe('E_OUTGOING_TIMEOUT');
    });

    test('the caller can end it: its own reason is what is thrown', async () => {
      handle = () => undefined;
      const stop = new AbortController();
      const going = guard().fetch(at('one.example.com'), { signal: stop.signal });
      const reason = new Error('enough');
      setImmediate(() => stop.abort(reason));
      await expect(going).rejects.toBe(reason);
      await expect(guard().fetch(at('one.example.com'), { signal: AbortSignal.abort(reason) })).rejects.toBe(
        reason,
      );
    });

    test('headers without end and answers that are no HTTP are failures, not crashes', async () => {
      handle = (_req, res) => void res.socket!.end(`HTTP/1.1 200 OK\r\nX: ${'a'.repeat(40_000)}\r\n\r\n`);
      expect(await reading({})).toBe('E_OUTGOING_FAILED');
      handle = (_req, res) => void res.socket!.end('+OK redis\r\n');
      expect(await reading({})).toBe('E_OUTGOING_FAILED');
      handle = (_req, res) => void res.socket!.destroy();
      expect(await reading({})).toBe('E_OUTGOING_FAILED');
    });

    test('a connection that is not made in time is left', async () => {
      const silent = createTcpServer((socket) => void socket.resume()).listen(0, '127.0.0.1');
      await once(silent, 'listening');
      const { port: there } = silent.address() as AddressInfo;
      const tls = guard({ schemes: ['https:'], ports: [there], connectTimeout: 50 });
      expect(await outcome(tls.fetch(`https://one.example.com:${there}/`))).toBe('E_OUTGOING_TIMEOUT');
      silent.close();
    });
  });

  test.each([
    'Host',
    'Content-Length',
    'Transfer-Encoding',
    'Connection',
    'Proxy-Authorization',
    'Upgrade',
    'TE',
  ])("the header %s is not the caller's to set (request smuggling, other virtual hosts)", async (name) => {
    await expect(guard().fetch(at('one.example.com'), { headers: { [name]: 'x' } })).rejects.toThrow(
      'not the caller',
    );
  });

  test('a header value with a line end is refused by Node before anything is sent', async () => {
    const before = seen.length;
    await expect(
      guard().fetch(at('one.example.com'), { headers: { 'x-a': 'b\r\nX-C: d' } }),
    ).rejects.toThrow();
    expect(seen.length).toBe(before);
  });

  describe('agents and lookup, for other clients', () => {
    const ask = (options: object): Promise<string> =>
      new Promise((resolve) => {
        get({ port, agent: guard().httpAgent, path: '/', ...options }, (res) => {
          res.resume();
          resolve(`${res.statusCode}`);
        }).on('error', (error) => resolve(reasonOf(error)));
      });
    test.each([
      ['a public name', { host: 'one.example.com' }, '200'],
      ['a private name', { host: 'private.example.com' }, 'loopback'],
      ['a private address, which no lookup sees', { host: '127.0.0.2' }, 'loopback'],
      ['metadata', { host: '169.254.169.254' }, 'link-local'],
      ['mapped', { host: '::ffff:127.0.0.1' }, 'mapped'],
      ['another port', { host: 'one.example.com', port: 1 }, 'port'],
      ['a socket file', { socketPath: '/var/run/docker.sock' }, 'socket'],
      [
        'a lookup of its own',
        {
          host: 'private.example.com',
          lookup: (_n: string, _o: object, done: (e: null, a: string, f: number) => void) =>
            done(null, '127.0.0.1', 4),
        },
        'loopback',
      ],
    ])('%s', async (_name, options, result) => {
      handle = (_req, res) => void res.end();
      expect(await ask(options)).toBe(result);
    });

    test.each(['0x7f.1', '127.1', '0177.0.0.1', '2130706433', '017700000001', '0x7f000001'])(
      'the host %s of a client without a URL parser (ip CVE-2023-42282, CVE-2024-29415) is judged as what it resolves to',
      async (host) => {
        // The system reads such hosts as loopback, where it reads them at all.
        const { httpAgent } = outgoing({ schemes: ['http:'], ports: [port] });
        expect(['loopback', 'unresolved', 'host']).toContain(await ask({ host, agent: httpAgent }));
      },
    );

    test('net.connect with the lookup goes nowhere private', async () => {
      const { lookup } = guard();
      const result = await new Promise((resolve) => {
        const socket = connect({ host: 'private.example.com', port, lookup });
        socket.on('connect', () => resolve('connected')).on('error', (error) => resolve(reasonOf(error)));
      });
      expect(result).toBe('loopback');
    });

    test('kept connections stay with the address that was judged, and end with close()', async () => {
      handle = (_req, res) => void res.end('kept');
      let asked = 0;
      const keeping = guard({
        keepAlive: true,
        resolve: () => Promise.resolve([{ address: asked++ === 0 ? '127.0.0.1' : '127.0.0.2', family: 4 }]),
      });
      const sockets = new Set<unknown>();
      for (let i = 0; i < 3; i++) {
        await (await keeping.fetch(at('one.example.com'))).text();
        sockets.add(seen.at(-1)!.socket);
        await new Promise((resolve) => setImmediate(resolve));
      }
      expect([asked, sockets.size]).toEqual([1, 1]);
      keeping.close();
    });
  });

  test('proxies of the environment are not used', async () => {
    handle = (_req, res) => void res.end('direct');
    let proxied = 0;
    const proxy = createServer((_req, res) => {
      proxied++;
      res.end('proxied');
    }).listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    const address = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    const program = `
      import { outgoing } from ${JSON.stringify(new URL('../src/outgoing.ts', import.meta.url).href)};
      const guard = outgoing({ schemes: ['http:'], ports: [${port}], dangerouslyAllowNetworks: ['127.0.0.1/32'], allow: ['127.0.0.1'] });
      console.log(await (await guard.fetch('http://127.0.0.1:${port}/')).text());`;
    const child = spawn(
      process.execPath,
      ['--conditions=@portcullis/source', '--import', 'tsx', '--input-type=module', '-e', program],
      {
        env: {
          ...process.env,
          HTTP_PROXY: address,
          http_proxy: address,
          ALL_PROXY: address,
          NODE_USE_ENV_PROXY: '1',
          NO_PROXY: '',
          no_proxy: '',
        },
      },
    );
    let printed = '';
    let problems = '';
    child.stdout.on('data', (chunk) => (printed += String(chunk)));
    child.stderr.on('data', (chunk) => (problems += String(chunk)));
    await once(child, 'close');
    expect([printed.trim(), proxied, problems]).toEqual(['direct', 0, '']);
    proxy.close();
  }, 30_000);

  test('a refusal is an event with its reason and host', async () => {
    const events = createEvents();
    const told: SecurityEvent[] = [];
    events.on('*', (event) => told.push(event));
    const telling = guard({ events });
    await outcome(telling.fetch(at('10.0.0.1')));
    await outcome(telling.fetch(at('private.example.com')));
    expect(told).toMatchObject([
      { type: 'outgoing.refused', reason: 'private', host: '10.0.0.1' },
      { type: 'outgoing.refused', reason: 'loopback', host: 'private.example.com' },
    ]);
  });
});

describe('options', () => {
  test.each([
    [{ allow: ['https://example.com'] }, 'host name'],
    [{ allow: ['*.com'] }, 'host name'],
    [{ allow: ['*'] }, 'host name'],
    [{ allow: ['EXAMPLE.com'] }, 'host name'],
    [{ allow: ['example.com.'] }, 'host name'],
    [{ allow: ['0x7f.1'] }, 'host name'],
    [{ allow: ['::ffff:1.2.3.4'] }, 'host name'],
    [{ allow: [] }, 'between 1 and 1000'],
    [{ schemes: ['ftp:'] }, 'must be one of'],
    [{ ports: [0] }, 'between 1 and 65535'],
    [{ dangerouslyAllowNetworks: ['10.0.0.1/8'] }, 'must be a network'],
    [{ timeout: '1h' }, 'between 10 and 600000'],
    [{ maxByte: 1 }, 'Did you mean "maxBytes"?'],
  ])('%j does not start', (options, problem) => {
    expect(() => outgoing(options as never)).toThrow(problem);
  });
});
