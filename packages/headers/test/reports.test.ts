import { describe, expect, test } from '@jest/globals';
import { context, createEvents, type SecurityEvent } from '@portcullis/core';
import { manualClock } from '@portcullis/core/testing';
import { onBothExpress } from '@portcullis/test-support';
import { connect, type AddressInfo } from 'node:net';
import type { ErrorRequestHandler } from 'express';
import request from 'supertest';
import { reportEndpoint, securityHeaders, type ReportEndpointOptions } from '../src/index.js';

const OWN = 'https://library.example';

/** As Chromium sends it. */
function violation(body: Record<string, unknown> = {}, entry: Record<string, unknown> = {}) {
  return {
    age: 3,
    type: 'csp-violation',
    url: `${OWN}/books?q=secret`,
    user_agent: 'Mozilla/5.0',
    body: {
      blockedURL: 'https://evil.example/x.js?token=1#frag',
      columnNumber: 7,
      disposition: 'enforce',
      documentURL: `${OWN}/books?q=secret`,
      effectiveDirective: 'script-src-elem',
      lineNumber: 12,
      originalPolicy: "default-src 'none'",
      referrer: '',
      sample: 'alert("typed by a person")',
      sourceFile: `${OWN}/app.js?v=1`,
      statusCode: 200,
      ...body,
    },
    ...entry,
  };
}

/** As Firefox sends it. */
const LEGACY = {
  'csp-report': {
    'blocked-uri': 'inline',
    'document-uri': `${OWN}/books`,
    'effective-directive': 'style-src-elem',
    'line-number': 4,
    'source-file': `${OWN}/books`,
    disposition: 'report',
    'violated-directive': 'style-src-elem',
  },
};

onBothExpress((express) => {
  function endpoint(options: Partial<ReportEndpointOptions> = {}) {
    const events = createEvents();
    const seen: SecurityEvent[] = [];
    events.on('headers.reported', (event) => seen.push(event));
    const clock = manualClock();
    const app = express();
    app.use(context({ trustProxy: false }));
    app.use('/reports', reportEndpoint({ events, clock, ...options }));
    app.use(((error, _req, res, _next) => {
      const { status = 500, code = 'none' } = error as { status?: number; code?: string };
      res.status(status).json({ code });
    }) satisfies ErrorRequestHandler);
    const send = (body: unknown, type = 'application/reports+json') =>
      request(app)
        .post('/reports')
        .set({ Host: 'library.example', 'Content-Type': type })
        .send(typeof body === 'string' ? body : JSON.stringify(body));
    return { app, seen, send, clock };
  }

  test('ASVS V3.4.7: a report of either format becomes one event, without query strings and samples', async () => {
    const { seen, send } = endpoint();
    expect((await send([violation()])).status).toBe(204);
    expect((await send(LEGACY, 'application/csp-report; charset=utf-8')).status).toBe(204);
    expect(seen).toEqual([
      {
        type: 'headers.reported',
        at: expect.any(Number),
        requestId: expect.any(String),
        report: 'csp-violation',
        rule: 'script-src-elem',
        disposition: 'enforce',
        page: `${OWN}/books`,
        blocked: 'https://evil.example/x.js',
        source: `${OWN}/app.js`,
        line: 12,
        column: 7,
        repeated: 0,
        dropped: 0,
      },
      {
        type: 'headers.reported',
        at: expect.any(Number),
        requestId: expect.any(String),
        report: 'csp-violation',
        rule: 'style-src-elem',
        disposition: 'report',
        page: `${OWN}/books`,
        blocked: 'inline',
        source: `${OWN}/books`,
        line: 4,
        repeated: 0,
        dropped: 0,
      },
    ]);
    expect(JSON.stringify(seen)).not.toMatch(/secret|token|typed|Mozilla/);
  });

  test.each([
    [
      { type: 'permissions-policy-violation', body: { featureId: 'camera', disposition: 'enforce' } },
      'camera',
    ],
    [{ type: 'permissions-policy-violation', body: { policyId: 'geolocation' } }, 'geolocation'],
    [{ type: 'coep', body: { type: 'corp', blockedURL: 'https://cdn.example/x.png' } }, 'coep/corp'],
    [
      { type: 'coop', body: { type: 'navigation-to-response', disposition: 'reporting' } },
      'coop/navigation-to-response',
    ],
    [{ type: 'deprecation', body: { id: 'UnloadHandler' } }, 'UnloadHandler'],
    [{ type: 'crash', body: { reason: 'oom' } }, 'crash'],
  ])('%j is reported as %s', async (entry, rule) => {
    const { seen, send } = endpoint();
    await send([{ age: 0, url: `${OWN}/`, ...entry }]);
    expect(seen).toMatchObject([{ report: entry.type, rule, page: `${OWN}/` }]);
  });

  test('equal reports are counted, and emitted once per window with the count', async () => {
    const { seen, send, clock } = endpoint({ window: '1m' });
    for (let i = 0; i < 5; i++) await send([violation({ columnNumber: i }), violation()]);
    expect(seen).toHaveLength(1);
    clock.advance('1m');
    await send([violation()]);
    expect(seen).toMatchObject([{ repeated: 0 }, { repeated: 9 }]);
  });

  test('a flood of made-up reports is cut: events per minute, kinds remembered, entries per body', async () => {
    const { seen, send, clock } = endpoint({ perMinute: 5, maxKinds: 10, maxReports: 20 });
    const flood = Array.from({ length: 100 }, (_, i) => violation({ lineNumber: i }));
    expect((await send(flood)).status).toBe(204);
    expect(seen).toHaveLength(5);
    clock.advance('1m');
    await send([violation({ lineNumber: 999 })]);
    expect(seen.at(-1)).toMatchObject({ line: 999, dropped: 15 });
  });

  test('a report about a page of another site is nobody of ours', async () => {
    const { seen, send } = endpoint();
    const other = 'https://evil.example/';
    await send([violation({ documentURL: other }, { url: other })]);
    await send([violation({ documentURL: 'https://library.example.evil.example/' })]);
    await send([violation({ documentURL: 'https://library.example:444/' })]);
    expect(seen).toEqual([]);
    const listed = endpoint({ origins: ['https://evil.example'] });
    await listed.send([violation({ documentURL: other })]);
    expect(listed.seen).toMatchObject([{ page: other }]);
  });

  test.each<[string, unknown]>([
    ['null', null],
    ['a number', 7],
    ['a list', []],
    ['no body', { type: 'csp-violation', url: OWN }],
    ['an unknown type', violation({}, { type: 'evil' })],
    ['a type of the prototype', violation({}, { type: 'constructor' })],
    ['a directive that is none', violation({ effectiveDirective: '<script>' })],
    ['a directive with a line break', violation({ effectiveDirective: 'img-src\r\nX' })],
    ['a directive that is an object', violation({ effectiveDirective: {} })],
    ['an address that is none', violation({ documentURL: 'library' })],
    ['an address without end', violation({ documentURL: `${OWN}/${'x'.repeat(9000)}` })],
    ['a page that is no page', violation({ documentURL: 'data:text/html,x' })],
  ])('%s in a list is ignored, and its neighbour counts', async (_name, entry) => {
    const { seen, send } = endpoint();
    expect((await send([entry, violation()])).status).toBe(204);
    expect(seen).toHaveLength(1);
  });

  test('hostile values inside a report come out short, on one line, or not at all', async () => {
    const { seen, send } = endpoint({ samples: true });
    await send([
      violation({
        sample: `a\u001b[31m\r\n${'b'.repeat(100)}`,
        lineNumber: -1,
        columnNumber: 'NaN',
        blockedURL: `https://user:pass@evil.example/${'p'.repeat(2000)}`,
        sourceFile: 'javascript:alert(1)',
      }),
    ]);
    const [event] = seen as unknown as Record<string, string>[];
    expect(event).not.toHaveProperty('line');
    expect(event).not.toHaveProperty('column');
    expect(event!['sample']).toMatch(/^a \[31m {2}b{32}$/);
    expect(event!['blocked']).toHaveLength(512);
    expect(event!['blocked']).not.toContain('pass');
    expect(event!['source']).toBe('javascript');
  });

  test.each<[string, unknown, string | undefined, number, string]>([
    ['another content type', [violation()], 'application/json', 415, 'E_REPORT_TYPE'],
    ['a form', 'a=1', 'application/x-www-form-urlencoded', 415, 'E_REPORT_TYPE'],
    ['no JSON', '{', undefined, 400, 'E_REPORT_MALFORMED'],
    ['an object instead of a list', {}, undefined, 400, 'E_REPORT_MALFORMED'],
    ['a list in the older format', [], 'application/csp-report', 400, 'E_REPORT_MALFORMED'],
    [
      'an older report without content',
      { 'csp-report': 1 },
      'application/csp-report',
      400,
      'E_REPORT_MALFORMED',
    ],
    ['a prototype', '{"__proto__":{"csp-report":{}}}', 'application/csp-report', 400, 'E_REPORT_MALFORMED'],
    ['too much', [violation({ sample: 'x'.repeat(70_000) })], undefined, 413, 'E_REPORT_TOO_LARGE'],
  ])('%s is refused', async (_name, body, type, status, code) => {
    const { seen, send } = endpoint();
    const response = await send(body, type);
    expect([response.status, response.body]).toEqual([status, { code }]);
    expect(seen).toEqual([]);
  });

  test('compressed bodies and other methods are refused', async () => {
    const { app } = endpoint();
    const gzip = { 'Content-Type': 'application/reports+json', 'Content-Encoding': 'gzip' };
    expect((await request(app).post('/reports').set(gzip).send('[]')).status).toBe(415);
    const get = await request(app).get('/reports');
    expect([get.status, get.headers['allow']]).toEqual([405, 'POST']);
  });

  test('a body without declared length is cut where it gets too long', async () => {
    const { app, seen } = endpoint({ maxBytes: 1024 });
    const server = app.listen(0, '127.0.0.1');
    try {
      await new Promise((resolve) => server.once('listening', resolve));
      const answer = await new Promise<string>((resolve, reject) => {
        const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
        let text = '';
        socket.on('data', (chunk) => (text += String(chunk)));
        socket.on('error', reject);
        socket.on('close', () => resolve(text));
        socket.write(
          'POST /reports HTTP/1.1\r\nHost: library.example\r\nConnection: close\r\n' +
            'Content-Type: application/reports+json\r\nTransfer-Encoding: chunked\r\n\r\n',
        );
        socket.write(`${(2000).toString(16)}\r\n${'['.repeat(2000)}\r\n0\r\n\r\n`);
      });
      expect(answer).toMatch(/^HTTP\/1\.1 413 /);
      expect(seen).toEqual([]);
    } finally {
      server.close();
    }
  });

  test('a parser in front that has read the body already is no obstacle', async () => {
    const events = createEvents();
    const seen: SecurityEvent[] = [];
    events.on('headers.reported', (event) => seen.push(event));
    const app = express();
    app.use(express.json({ type: 'application/*+json' }), reportEndpoint({ events, origins: [OWN] }));
    const response = await request(app)
      .post('/')
      .set('Content-Type', 'application/reports+json')
      .send(JSON.stringify([violation()]));
    expect([response.status, seen.length]).toEqual([204, 1]);
  });
});

describe('securityHeaders({ reports })', () => {
  test('ASVS V3.4.7: every policy names the place for reports, for browsers old and new', async () => {
    const { default: express } = await import('express');
    const app = express();
    app.use(
      securityHeaders({
        profile: 'web',
        reports: '/reports',
        csp: { reportOnly: { 'style-src': ["'self'"] } },
        crossOriginEmbedderPolicy: 'credentialless',
        crossOriginEmbedderPolicyReportOnly: 'require-corp',
        crossOriginOpenerPolicyReportOnly: 'noopener-allow-popups',
      }),
    );
    const { headers } = await request(app).get('/missing');
    expect(headers).toMatchObject({
      'reporting-endpoints': 'default="/reports"',
      'cross-origin-opener-policy': 'same-origin; report-to="default"',
      'cross-origin-embedder-policy': 'credentialless; report-to="default"',
      'cross-origin-embedder-policy-report-only': 'require-corp; report-to="default"',
      'cross-origin-opener-policy-report-only': 'noopener-allow-popups; report-to="default"',
    });
    for (const name of ['content-security-policy', 'content-security-policy-report-only']) {
      expect(headers[name]).toContain(';report-uri /reports;report-to default');
    }
  });

  test.each<[string, object, RegExp]>([
    ['a relative path', { reports: 'reports' }, /must be a path such as/],
    ['another scheme', { reports: 'http://reports.example' }, /must be a path such as/],
    ['a host without scheme', { reports: '//reports.example' }, /must be a path such as/],
    ['a second header', { reports: '/r"\r\nX: 1' }, /must be a path such as/],
    ['a second directive', { reports: '/r;script-src *' }, /must be a path such as/],
    ['two places', { reports: '/r', csp: { directives: { 'report-to': ['own'] } } }, /say two things/],
    ['a trial that nobody hears of', { csp: { reportOnly: { 'img-src': ["'none'"] } } }, /nobody hears of/],
  ])('%s does not start', (_name, options, message) => {
    expect(() => securityHeaders({ profile: 'web', ...options } as never)).toThrow(message);
  });
  test.each<[string, object, RegExp]>([
    ['no events', {}, /"events" is required/],
    ['an origin with a path', { events: createEvents(), origins: [`${OWN}/`] }, /must be an origin/],
    ['no bound', { events: createEvents(), maxBytes: Infinity }, /maxBytes must be/],
  ])('reportEndpoint() with %s does not start', (_name, options, message) => {
    expect(() => reportEndpoint(options as never)).toThrow(message);
  });
});
