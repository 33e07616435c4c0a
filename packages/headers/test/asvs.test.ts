import { afterAll, beforeAll, expect, jest, test } from '@jest/globals';
import { context, freezePrincipal, systemRandom, type SecurityResponse } from '@portcullis/core';
import { onBothExpress } from '@portcullis/test-support';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request as httpRequest, type IncomingHttpHeaders } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  cors,
  httpsOnly,
  resourceIsolation,
  secureCookies,
  securityHeaders,
  type SecurityHeadersOptions,
} from '../src/index.js';
import { createNonces } from '../src/nonces.js';

interface Answer {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Names and values as they came, in turn. */
  readonly lines: readonly string[];
  readonly text: string;
}

interface Sent {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

/** Every class of answer that an app gives: its path, its status, and how it is asked for. */
const CLASSES: readonly (readonly [name: string, path: string, status: number, sent?: Sent])[] = [
  ['a page', '/page', 200],
  ['data', '/data', 200],
  ['to HEAD', '/page', 200, { method: 'HEAD' }],
  ['created', '/data', 201, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{}' }],
  ['nothing', '/nothing', 204],
  ['a redirect', '/redirect', 302],
  ['a file', '/files/app.js', 200],
  ['a redirect to a folder', '/files', 301],
  ['unchanged', '/files/app.js', 304, { headers: { 'If-Modified-Since': 'Fri, 31 Dec 2100 00:00:00 GMT' } }],
  ['a part', '/files/app.js', 206, { headers: { Range: 'bytes=0-3' } }],
  ['no such part', '/files/app.js', 416, { headers: { Range: 'bytes=900-' } }],
  [
    'a broken body',
    '/data',
    400,
    { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: '{' },
  ],
  ['forbidden', '/forbidden', 403],
  ['missing', '/missing', 404],
  ['a missing file', '/files/missing.js', 404],
  [
    'a body too large',
    '/data',
    413,
    { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: `"${'a'.repeat(2_000)}"` },
  ],
  ['a fault', '/fault', 500],
  ['a late fault', '/late', 500],
  ['an answer that is cut', '/cut', 200],
];

// In production Express prints what fails.
beforeAll(() => {
  jest.spyOn(console, 'error').mockImplementation(() => undefined);
});
afterAll(() => {
  jest.restoreAllMocks();
});

onBothExpress((express) => {
  interface House {
    ask(path: string, sent?: Sent): Promise<Answer>;
    /** Every class of answer, over TLS as far as the app knows. */
    classes(): Promise<(Answer & { readonly name: string })[]>;
    readonly port: number;
  }
  type App = ReturnType<typeof express>;

  async function house(
    options: SecurityHeadersOptions,
    use: (house: House) => Promise<void>,
    more: (app: App) => void = () => undefined,
  ): Promise<void> {
    const folder = mkdtempSync(join(tmpdir(), 'portcullis-asvs-'));
    writeFileSync(join(folder, 'app.js'), 'const answer = 42;');
    const app = express();
    app.set('trust proxy', 'loopback');
    app.set('env', 'production');
    app.use(context({ trustProxy: ['127.0.0.0/8', '::1'] }), securityHeaders(options));
    app.use((req, _res, next) => {
      if (req.headers['x-user'] !== undefined) {
        req.security.principal = freezePrincipal({ id: '7', kind: 'user' } as never);
      }
      next();
    });
    more(app);
    app.use(express.json({ limit: 1_000 }));
    app.get('/page', (_req, res) => void res.type('html').send('<h1>Books</h1>'));
    app.get('/data', (_req, res) => void res.json({ title: 'Emma' }));
    app.post('/data', (_req, res) => void res.status(201).json({ title: 'Emma' }));
    app.get('/nothing', (_req, res) => void res.status(204).end());
    app.get('/redirect', (_req, res) => res.redirect('/page'));
    app.get('/forbidden', (_req, _res, next) => next(Object.assign(new Error('no'), { status: 403 })));
    app.get('/fault', () => {
      throw new Error('fault');
    });
    app.get('/late', (_req, _res, next) => void setImmediate(() => next(new Error('late'))));
    app.get('/cut', (_req, res) => {
      res.type('html').write('<h1>');
      setImmediate(() => res.destroy());
    });
    app.use('/files', express.static(folder));
    const server = createServer(app as unknown as () => void);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    const ask = (path: string, sent: Sent = {}) => exchange(port, path, sent);
    try {
      await use({
        port,
        ask,
        async classes() {
          const answers: (Answer & { name: string })[] = [];
          for (const [name, path, status, sent] of CLASSES) {
            const answer = await ask(path, sent);
            expect([name, answer.status]).toEqual([name, status]);
            answers.push({ ...answer, name });
          }
          return answers;
        },
      });
    } finally {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(folder, { recursive: true });
    }
  }

  const profiles = ['web', 'api'] as const;

  test.each(profiles)(
    'ASVS V3.4.1: every class of answer over TLS has HSTS of a year and more, subdomains included (%s)',
    async (profile) => {
      await house({ profile }, async ({ classes }) => {
        for (const { name, headers } of await classes()) {
          const policy = headers['strict-transport-security'] ?? 'none';
          expect([name, policy]).toEqual([name, expect.stringMatching(/^max-age=\d+; includeSubDomains$/)]);
          expect(Number(/\d+/.exec(policy)?.[0])).toBeGreaterThanOrEqual(31_536_000);
        }
      });
    },
  );

  test.each(profiles)(
    'ASVS V3.4.3: every class of answer has one CSP that lets no plugin, no base and no script in but by nonce (%s)',
    async (profile) => {
      await house({ profile }, async ({ classes }) => {
        const nonces: string[] = [];
        for (const { name, lines } of await classes()) {
          const policies = lines.filter(
            (_line, i) => lines[i - 1]?.toLowerCase() === 'content-security-policy',
          );
          expect([name, policies.length]).toEqual([name, 1]);
          const directives = directivesOf(policies[0]!);
          const sources = (directive: string) => directives.get(directive) ?? directives.get('default-src');
          expect([name, sources('object-src')]).toEqual([name, ["'none'"]]);
          expect([name, directives.get('base-uri')]).toEqual([name, ["'none'"]]);
          const scripts = sources('script-src')!;
          expect(scripts).not.toContain("'unsafe-inline'");
          expect(scripts).not.toContain("'unsafe-eval'");
          const allowed = scripts.filter((source) => !source.startsWith("'nonce-"));
          // What Express itself answers, errors and redirects of folders, needs no script at all.
          const own = profile === 'web' && scripts.length > 1;
          expect([name, allowed]).toEqual([name, [own ? "'strict-dynamic'" : "'none'"]]);
          nonces.push(...scripts.filter((source) => source.startsWith("'nonce-")));
        }
        if (profile === 'web') expect(nonces.length).toBeGreaterThanOrEqual(10);
        else expect(nonces).toEqual([]);
        expect(new Set(nonces).size).toBe(nonces.length);
      });
    },
  );

  test.each(profiles)(
    'ASVS V3.4.4: every class of answer has X-Content-Type-Options: nosniff, once (%s)',
    async (profile) => {
      await house({ profile }, async ({ classes }) => {
        for (const { name, headers } of await classes()) {
          expect([name, headers['x-content-type-options']]).toEqual([name, 'nosniff']);
        }
      });
    },
  );

  test.each(profiles)(
    'ASVS V3.4.5: every class of answer has a Referrer-Policy under which other sites see no path and no query (%s)',
    async (profile) => {
      await house({ profile }, async ({ classes }) => {
        for (const { name, headers } of await classes()) {
          const policy = headers['referrer-policy'];
          expect([name, policy]).toEqual([
            name,
            profile === 'web' ? 'strict-origin-when-cross-origin' : 'no-referrer',
          ]);
        }
      });
      for (const referrerPolicy of ['unsafe-url', 'no-referrer-when-downgrade', '']) {
        const build = () => securityHeaders({ profile, referrerPolicy: referrerPolicy as never });
        expect(build).toThrow(expect.objectContaining({ code: 'E_OPTION_VALUE' }));
      }
    },
  );

  test.each(profiles)(
    'ASVS V3.4.6: the policy of every class of answer says who may frame it: nobody (%s)',
    async (profile) => {
      await house({ profile }, async ({ classes }) => {
        for (const { name, headers } of await classes()) {
          const directives = directivesOf(String(headers['content-security-policy']));
          expect([name, directives.get('frame-ancestors')]).toEqual([name, ["'none'"]]);
          expect([name, headers['x-frame-options']]).toEqual([name, 'DENY']);
        }
      });
    },
  );

  test('ASVS V3.4.8: every answer that a browser may render as a document is cut off from its openers', async () => {
    await house({ profile: 'web' }, async ({ classes }) => {
      const pages = (await classes()).filter(({ headers }) =>
        headers['content-type']?.startsWith('text/html'),
      );
      expect(pages.length).toBeGreaterThanOrEqual(8);
      for (const { name, headers } of pages) {
        expect([name, headers['cross-origin-opener-policy']]).toEqual([name, 'same-origin']);
      }
    });
  });

  test('ASVS V3.5.6: a callback in the query changes nothing, res.jsonp() included', async () => {
    const more = (app: App): void => {
      app.get('/jsonp', (_req, res) => void res.jsonp({ title: 'Emma' }));
    };
    await house(
      { profile: 'api' },
      async ({ ask }) => {
        for (const path of ['/jsonp', '/data']) {
          for (const query of ['?callback=steal', '?callback[]=steal', '?jsonp=steal', '?cb=steal']) {
            const { headers, text } = await ask(path + query);
            expect([path + query, text]).toEqual([path + query, '{"title":"Emma"}']);
            expect(headers['content-type']).toBe('application/json; charset=utf-8');
          }
        }
      },
      more,
    );
    // The control: without the default it is what it would be.
    await house(
      { profile: 'api', dangerouslyAllowJsonp: true },
      async ({ ask }) => expect((await ask('/jsonp?callback=steal')).text).toContain('steal({'),
      more,
    );
  });

  test('ASVS V3.5.7: a script that is asked for with credentials is for own pages only, and nothing else is a script', async () => {
    await house({ profile: 'web' }, async ({ ask }) => {
      const { headers } = await ask('/files/app.js', { headers: { 'X-User': '7' } });
      expect(headers).toMatchObject({
        'cross-origin-resource-policy': 'same-origin',
        'x-content-type-options': 'nosniff',
      });
    });
  });

  test('ASVS V3.7.5: browsers that do not say where a request comes from can be kept out', async () => {
    await house(
      { profile: 'web' },
      async ({ ask }) => {
        expect((await ask('/page')).status).toBe(403);
        const modern = {
          'Sec-Fetch-Site': 'none',
          'Sec-Fetch-Mode': 'navigate',
          'Sec-Fetch-Dest': 'document',
        };
        expect((await ask('/page', { headers: modern })).status).toBe(200);
      },
      (app) => void app.use(resourceIsolation({ missing: 'refuse' })),
    );
  });

  test('ASVS V4.2.4: no line break and no NUL reaches a header, whoever writes it', async () => {
    // What an app configures does not start.
    for (const bad of ['a\r\nX-Evil: 1', 'a\nX-Evil: 1', 'a\rb', 'a\0b']) {
      for (const build of [
        () => securityHeaders({ profile: 'web', referrerPolicy: bad as never }),
        () => securityHeaders({ profile: 'web', reports: `/reports${bad}` }),
        () => securityHeaders({ profile: 'web', csp: { directives: { 'img-src': [bad] } } }),
        () => securityHeaders({ profile: 'web', permissionsPolicy: { camera: [bad] } }),
        () => securityHeaders({ profile: 'web', crossOriginOpenerPolicy: bad as never }),
        () => cors({ origins: [`https://a.example${bad}`] }),
        () => cors({ origins: ['https://a.example'], exposedHeaders: [bad] }),
        () => cors({ origins: ['https://a.example'], allowedHeaders: [bad] }),
        () => cors({ origins: ['https://a.example'], methods: [bad] }),
        () => httpsOnly({ hosts: [bad] }),
        () => secureCookies({ readable: [bad] }),
      ]) {
        expect(build).toThrow(expect.objectContaining({ code: expect.stringMatching(/^E_OPTION_/) }));
      }
    }
    // What a client sends, and what a handler makes of it, does not either.
    await house(
      { profile: 'web' },
      async ({ ask, port }) => {
        for (const split of ['%0d%0aX-Evil:%201', '%0aX-Evil:%201', '%00', '%c4%8d%c4%8aX-Evil:%201']) {
          for (const path of ['/set', '/append', '/cookie', '/cookie-line', '/location']) {
            const { headers, lines } = await ask(`${path}?v=${split}`);
            expect([path, split, headers['x-evil']]).toEqual([path, split, undefined]);
            expect(lines.filter((line) => /[\r\n\0]/.test(line))).toEqual([]);
          }
          const plain = await ask(`/page/${split}`, {
            headers: { 'X-Forwarded-Proto': 'http', Host: 'library.example', Accept: 'text/html' },
          });
          expect([plain.status, plain.headers['x-evil']]).toEqual([308, undefined]);
        }
        for (const bytes of ['X-A: a\rb', 'X-A: a\0b', 'X-A: a\nX-Evil', 'Origin: https://a.example\rX']) {
          expect(await raw(port, `GET /page HTTP/1.1\r\nHost: x\r\n${bytes}\r\n\r\n`)).toMatch(
            /^HTTP\/1\.1 400 /,
          );
        }
      },
      (app) => {
        app.use(secureCookies(), httpsOnly({ hosts: ['library.example'] }));
        const handler = (write: (res: SecurityResponse, text: string) => void) => {
          return (req: { query: unknown }, res: unknown) => {
            const own = res as SecurityResponse;
            write(own, String((req.query as { v?: unknown }).v));
            own.end('written');
          };
        };
        app.get(
          '/set',
          handler((res, text) => res.setHeader('X-Text', text)),
        );
        app.get(
          '/append',
          handler((res, text) =>
            (res as unknown as { append(n: string, v: string): void }).append('X-Text', text),
          ),
        );
        app.get(
          '/cookie',
          handler((res, text) =>
            (res as unknown as { cookie(n: string, v: string): void }).cookie('theme', text),
          ),
        );
        app.get(
          '/cookie-line',
          handler((res, text) => res.setHeader('Set-Cookie', `theme=${text}`)),
        );
        app.get(
          '/location',
          handler((res, text) => (res as unknown as { location(v: string): void }).location(text)),
        );
      },
    );
  });

  test.each(profiles)(
    'ASVS V13.4.6: no class of answer says what serves it, or which version (%s)',
    async (profile) => {
      await house(
        { profile },
        async ({ ask, classes }) => {
          const answers = [...(await classes()), { ...(await ask('/boasting')), name: 'a boasting handler' }];
          for (const { name, lines, text } of answers) {
            const names = lines.filter((_line, i) => i % 2 === 0).map((line) => line.toLowerCase());
            expect([
              name,
              names.filter((n) => /powered|server|generator|version|^via$|runtime/.test(n)),
            ]).toEqual([name, []]);
            expect([
              name,
              /express|node(?:\.js)?[ /v]|\bv?\d+\.\d+\.\d+\b/i.exec(lines.join('\n') + text),
            ]).toEqual([name, null]);
          }
        },
        (app) => {
          app.get('/boasting', (_req, res) => {
            const boasts = {
              Server: 'nginx/1.22.1',
              'X-Powered-By': 'Express 5.3.0',
              'X-AspNet-Version': '4.0.30319',
              'X-Generator': 'Hugo 0.1.2',
            };
            res.set(boasts).send('hello');
          });
        },
      );
    },
  );

  test('ASVS V14.2.2: what is answered to a known person is kept by no cache, and what is not depends on who asks', async () => {
    await house({ profile: 'web' }, async ({ ask }) => {
      for (const path of ['/page', '/data', '/missing', '/fault', '/redirect', '/forbidden']) {
        const known = await ask(path, { headers: { 'X-User': '7' } });
        expect([path, known.headers['cache-control']]).toEqual([path, 'no-store']);
        const stranger = await ask(path);
        const vary = String(stranger.headers['vary']).split(/, */);
        expect([path, vary]).toEqual([path, expect.arrayContaining(['Cookie', 'Authorization'])]);
      }
    });
  });

  test('ASVS V14.2.3: a page can send nothing to other parties: connections, images, forms and referrers stay here', async () => {
    await house({ profile: 'web' }, async ({ ask }) => {
      const { headers } = await ask('/page');
      const directives = directivesOf(String(headers['content-security-policy']));
      for (const name of [
        'default-src',
        'connect-src',
        'img-src',
        'font-src',
        'media-src',
        'form-action',
        'frame-ancestors',
      ]) {
        const sources = directives.get(name)!;
        expect([name, sources.filter((source) => !["'none'", "'self'", 'data:'].includes(source))]).toEqual([
          name,
          [],
        ]);
      }
      expect(headers['referrer-policy']).toBe('strict-origin-when-cross-origin');
    });
  });

  test('ASVS V14.3.2: browsers keep no answer that may be sensitive: all data, and all pages for a known person', async () => {
    await house({ profile: 'api' }, async ({ classes }) => {
      for (const { name, headers } of await classes()) {
        // Files that say themselves that they may be kept are not for a person.
        const expected = /file|folder|unchanged|part/.test(name) ? expect.anything() : 'no-store';
        expect([name, headers['cache-control']]).toEqual([name, expected]);
      }
    });
    await house({ profile: 'web' }, async ({ ask }) => {
      for (const [name, path, , sent] of CLASSES.filter(([, path]) => !path.startsWith('/files'))) {
        const { headers } = await ask(path, { ...sent, headers: { ...sent?.headers, 'X-User': '7' } });
        expect([name, headers['cache-control']]).toEqual([name, 'no-store']);
      }
    });
  });
});

test('ASVS V3.4.3: no nonce of a million comes twice', () => {
  const next = createNonces(systemRandom);
  const seen = new Set<string>();
  for (let i = 0; i < 1_000_000; i++) seen.add(next());
  expect(seen.size).toBe(1_000_000);
});

function directivesOf(policy: string): ReadonlyMap<string, readonly string[]> {
  const parts = policy.split(';').map((part) => part.trim().split(/ +/));
  expect(new Set(parts.map(([name]) => name)).size).toBe(parts.length);
  return new Map(parts.map(([name = '', ...values]) => [name, values]));
}

function exchange(port: number, path: string, { method = 'GET', headers = {}, body }: Sent): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const options = { port, host: '127.0.0.1', method, path, agent: false };
    const req = httpRequest({ ...options, headers: { 'X-Forwarded-Proto': 'https', ...headers } }, (res) => {
      let text = '';
      const { statusCode: status = 0, headers: received, rawHeaders: lines } = res;
      const done = () => resolve({ status, headers: received, lines, text });
      res.setEncoding('utf8').on('data', (part: string) => (text += part));
      // An answer that is cut ends with an error: what came until then is what counts.
      res.on('error', done).on('end', done);
    });
    req.on('error', reject);
    req.end(body);
  });
}

function raw(port: number, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(bytes, 'latin1'));
    let text = '';
    socket.on('data', (data) => (text += data.toString('latin1')));
    socket.on('error', reject).on('close', () => resolve(text));
  });
}
