import { describe, expect, test } from '@jest/globals';
import { context, createEvents, hasCode, type SecurityEvent } from '@portcullis/core';
import { onBothExpress } from '@portcullis/test-support';
import request from 'supertest';
import {
  clearSiteData,
  resourceIsolation,
  securityHeaders,
  type IsolatedKind,
  type ResourceIsolationOptions,
} from '../src/index.js';

const SITES = ['same-origin', 'same-site', 'cross-site', 'none'];
const MODES = ['navigate', 'no-cors', 'cors', 'same-origin', 'websocket'];
/** Every destination of the Fetch standard (section 2.2.5), and the one that only Fetch Metadata writes. */
const DESTS = [
  'empty',
  'audio',
  'audioworklet',
  'document',
  'embed',
  'fencedframe',
  'font',
  'frame',
  'iframe',
  'image',
  'json',
  'manifest',
  'object',
  'paintworklet',
  'report',
  'script',
  'serviceworker',
  'sharedworker',
  'style',
  'track',
  'video',
  'webidentity',
  'worker',
  'xslt',
];

/** The policy as a person would state it, apart from the code. */
function mayPass(kind: IsolatedKind, method: string, site: string, mode: string, dest: string): boolean {
  if (kind === 'data') return site === 'same-origin' && dest === 'empty';
  if (site === 'same-origin' || site === 'none') return true;
  return kind === 'pages' && method === 'GET' && mode === 'navigate' && dest === 'document';
}

onBothExpress((express) => {
  function appWith(options?: ResourceIsolationOptions) {
    const app = express();
    app.use(context({ trustProxy: false }), resourceIsolation(options));
    app.use((_req, res) => void res.send('SECRET'));
    return app;
  }

  test.each<IsolatedKind>(['pages', 'assets', 'data'])(
    'ASVS V3.2.1 V3.5.8: of all sites, modes, destinations and methods, %s are given to those that the policy names',
    (kind) => {
      const middleware = resourceIsolation({ kind });
      const wrong: string[] = [];
      for (const method of ['GET', 'POST'])
        for (const site of SITES)
          for (const mode of MODES)
            for (const dest of DESTS) {
              const headers = { 'sec-fetch-site': site, 'sec-fetch-mode': mode, 'sec-fetch-dest': dest };
              let passed: boolean | undefined;
              middleware(
                { method, headers } as never,
                { getHeader: () => undefined, setHeader: () => undefined } as never,
                (error) => {
                  passed = error === undefined;
                  if (!passed && !hasCode(error, 'E_RESOURCE_ISOLATED')) wrong.push(String(error));
                },
              );
              if (passed !== mayPass(kind, method, site, mode, dest))
                wrong.push([method, site, mode, dest, passed].join(' '));
            }
      expect(wrong).toEqual([]);
      expect(SITES.length * MODES.length * DESTS.length * 2).toBe(960);
    },
  );

  test("ASVS V3.5.8: another site's image, script and frame get 403 and nothing of the resource", async () => {
    for (const dest of ['image', 'script', 'iframe', 'object', 'embed', 'style']) {
      const response = await request(appWith())
        .get('/')
        .set({
          'Sec-Fetch-Site': 'cross-site',
          'Sec-Fetch-Mode': dest === 'iframe' ? 'navigate' : 'no-cors',
          'Sec-Fetch-Dest': dest,
        });
      expect([dest, response.status, response.text.includes('SECRET')]).toEqual([dest, 403, false]);
      expect(response.headers['vary']).toContain('Sec-Fetch-Site, Sec-Fetch-Mode, Sec-Fetch-Dest');
    }
  });

  test.each<[string, ResourceIsolationOptions, Record<string, string>, number]>([
    ['a client that is no browser', {}, {}, 200],
    ['the same where Fetch Metadata is demanded', { missing: 'refuse' }, {}, 403],
    ['a value that no browser sends', {}, { 'Sec-Fetch-Site': 'Same-Origin' }, 403],
    ['the field twice', {}, { 'Sec-Fetch-Site': 'same-origin, cross-site' }, 403],
    ['an empty field', {}, { 'Sec-Fetch-Site': '' }, 403],
    ['a sister site', {}, { 'Sec-Fetch-Site': 'same-site', 'Sec-Fetch-Dest': 'image' }, 403],
    [
      'a sister site that counts as own',
      { allowSameSite: true },
      { 'Sec-Fetch-Site': 'same-site', 'Sec-Fetch-Dest': 'image' },
      200,
    ],
    [
      'a frame of a partner',
      { allowFraming: true },
      { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'iframe' },
      200,
    ],
    [
      'an object element where framing is allowed',
      { allowFraming: true },
      { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'object' },
      403,
    ],
    [
      'data without a destination, from an early implementation',
      { kind: 'data' },
      { 'Sec-Fetch-Site': 'same-origin' },
      200,
    ],
    ['a rule that is only tried', { dryRun: true }, { 'Sec-Fetch-Site': 'cross-site' }, 200],
  ])('%s', async (_name, options, headers, status) => {
    expect((await request(appWith(options)).get('/').set(headers)).status).toBe(status);
  });

  test('a refusal is an event with its reason, also when it is only tried', async () => {
    const events = createEvents();
    const seen: SecurityEvent[] = [];
    events.on('*', (event) => seen.push(event));
    await request(appWith({ events })).get('/').set('Sec-Fetch-Site', 'cross-site');
    await request(appWith({ events, dryRun: true, kind: 'data' }))
      .get('/')
      .set({ 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Dest': 'document' });
    expect(seen).toMatchObject([
      { type: 'headers.refused', guard: 'resourceIsolation', reason: 'cross-site' },
      { type: 'headers.refused', guard: 'resourceIsolation', reason: 'context', dryRun: true },
    ]);
  });

  describe('clearSiteData()', () => {
    const signOut = (status: number) => {
      const app = express();
      app.use(securityHeaders({ profile: 'web' }));
      app.post('/sign-out', clearSiteData(), (_req, res) => void res.status(status).end());
      return request(app).post('/sign-out');
    };
    test('ASVS V14.3.1: a sign-out that succeeds makes browsers forget, one that is refused does not', async () => {
      for (const status of [200, 204, 303]) {
        expect((await signOut(status)).headers['clear-site-data']).toBe('"cache", "cookies", "storage"');
      }
      for (const status of [400, 403, 429, 500, 503]) {
        expect((await signOut(status)).headers).not.toHaveProperty('clear-site-data');
      }
    });
    test('a sign-out that fails in its handler does not either', async () => {
      const app = express();
      app.post('/', clearSiteData(), () => {
        throw new Error('store down');
      });
      expect((await request(app).post('/')).headers).not.toHaveProperty('clear-site-data');
    });
    test('types are chosen and checked', async () => {
      const app = express();
      app.post(
        '/',
        clearSiteData({ types: ['cache', 'storage', 'executionContexts'] }),
        (_req, res) => void res.end(),
      );
      expect((await request(app).post('/')).headers['clear-site-data']).toBe(
        '"cache", "storage", "executionContexts"',
      );
      expect(() => clearSiteData({ types: ['cookie'] as never })).toThrow(/Did you mean "cookies"/);
      expect(() => clearSiteData({ types: [] })).toThrow(/between 1/);
    });
  });
});

test.each([
  ['a misspelt kind', { kind: 'page' }, /Did you mean "pages"/],
  ['a misspelt option', { allowSamesite: true }, /Did you mean "allowSameSite"/],
])('%s does not start', (_name, options, message) => {
  expect(() => resourceIsolation(options as never)).toThrow(message);
});
