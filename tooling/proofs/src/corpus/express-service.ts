import type { ErrorRequestHandler, Express, Request, RequestHandler, Response } from 'express';
import type express from 'express';
import type { RequestListener } from 'node:http';
import { ETAG, FAULTS, mergeSettings, PAGE, USERS, type Calls } from './service.js';

/** What a route of the shop may ask of its caller's input. */
export type InputName = 'item' | 'search' | 'itemId' | 'settings' | 'signIn' | 'form' | 'target';

/** What stacks on Express differ in. */
export interface ExpressParts {
  readonly express: typeof express;
  readonly trustProxy: false | string;
  /** In front of everything. */
  readonly edge: readonly RequestHandler[];
  /** For the routes under /api. */
  readonly api: readonly RequestHandler[];
  /** For pages. */
  readonly page: readonly RequestHandler[];
  readonly json: RequestHandler;
  readonly form: RequestHandler;
  /** Ahead of the routes, after the bodies: CSRF tokens that come in bodies. */
  readonly afterBodies: readonly RequestHandler[];
  readonly check: Readonly<Record<InputName, readonly RequestHandler[]>>;
  readonly body: (req: Request, input: InputName) => unknown;
  readonly query: (req: Request, input: InputName) => Readonly<Record<string, unknown>>;
  readonly params: (req: Request, input: InputName) => Readonly<Record<string, unknown>>;
  readonly signInLimit: readonly RequestHandler[];
  readonly tightLimit: readonly RequestHandler[];
  readonly accountOnly: readonly RequestHandler[];
  /** A guard that ends in an odd way, as an application would write it with this stack. */
  readonly guardThat: (
    end: (req: Request, res: Response, next: (error?: unknown) => void) => unknown,
  ) => RequestHandler;
  readonly async: (handler: (req: Request, res: Response) => Promise<void>) => RequestHandler;
  readonly redirect: (req: Request, res: Response, target: string) => void;
  readonly files: RequestHandler;
  readonly setUp?: (app: Express) => void;
  readonly last: readonly (RequestHandler | ErrorRequestHandler)[];
}

/** The shop on Express 4 or 5. */
export function expressService(parts: ExpressParts, calls: Calls): RequestListener {
  const { express, check, body, query, params } = parts;
  const app = express();
  if (parts.trustProxy !== false) app.set('trust proxy', parts.trustProxy);
  for (const handler of parts.edge) app.use(handler);
  if (parts.api.length > 0) app.use('/api', ...parts.api);
  app.use(parts.json, parts.form, ...parts.afterBodies);
  parts.setUp?.(app);

  const reach =
    (name: string): RequestHandler =>
    (req, _res, next) => {
      calls.note(req.headers['x-check'], name);
      next();
    };

  app.get('/', ...parts.page, reach('page'), (_req, res) => void res.type('html').send(PAGE));
  app.get('/api/hello', reach('hello'), (_req, res) => void res.json({ hello: 'world' }));
  app.get('/api/whoami', reach('whoami'), (req, res) => {
    const { security } = req as { security?: { address: { ip: string }; secure: boolean } };
    res.json({
      ip: security?.address.ip ?? req.ip,
      secure: security?.secure ?? req.secure,
      host: req.hostname,
    });
  });
  app.get('/api/search', ...check.search, reach('search'), (req, res) => {
    const { q, page } = query(req, 'search');
    res.json({ q, page: page ?? 1 });
  });
  app.get('/api/items/:id', ...check.itemId, reach('item'), (req, res) => {
    res.json({ id: params(req, 'itemId')['id'] });
  });
  app.delete('/api/items/:id', ...check.itemId, reach('delete'), (_req, res) => void res.status(204).end());
  app.put('/api/items/:id', ...check.itemId, ...check.item, reach('put'), (_req, res) => {
    res.status(204).end();
  });
  app.post('/api/items', ...check.item, reach('create'), (req, res) => {
    res.status(201).json({ item: body(req, 'item') });
  });
  app.post('/form', ...check.form, reach('form'), (req, res) => {
    res.status(201).json({ item: body(req, 'form') });
  });
  app.post('/api/settings', ...check.settings, reach('settings'), (req, res) => {
    res.json(mergeSettings(body(req, 'settings')));
  });
  app.post('/api/sign-in', ...parts.signInLimit, ...check.signIn, reach('sign-in'), (req, res) => {
    const { email, password } = body(req, 'signIn') as { email: string; password: string };
    if (!Object.hasOwn(USERS, email) || USERS[email] !== password) {
      res.status(401).json({ error: 'These are not right.' });
      return;
    }
    res.cookie('session', 'ann', { httpOnly: true, secure: true, sameSite: 'lax' });
    res.json({ signedIn: true });
  });
  // Mounted rather than routed, as many services do it: what is below it belongs to it.
  app.use('/api/account', ...parts.accountOnly, reach('account'), (_req, res) => {
    res.json({ name: 'Ann', card: '4111' });
  });
  app.get('/api/tight', ...parts.tightLimit, reach('tight'), (_req, res) => void res.json({ ok: true }));
  app.get('/api/price', reach('price'), (req, res) => {
    res.set('ETag', ETAG);
    if (req.headers['if-none-match'] === ETAG) res.status(304).end();
    else res.json({ price: 12 });
  });
  app.get('/api/cookies/plain', (_req, res) => void res.cookie('basket', '1').json({}));
  app.get('/api/cookies/head', (_req, res) => {
    res.writeHead(200, { 'set-cookie': 'basket=1' });
    res.end();
  });
  app.get('/api/cookies/wide', (_req, res) => {
    res.cookie('basket', '1', { domain: 'shop.example', sameSite: 'none', secure: true }).json({});
  });
  app.get('/api/cookies/huge', (_req, res) => void res.cookie('basket', 'x'.repeat(5000)).json({}));
  app.get('/api/broken-off', reach('broken-off'), (_req, res) => {
    res.status(200).type('json').write('{"half":');
    setTimeout(() => res.destroy(), 20);
  });
  app.get('/api/stale', (_req, res) => {
    res.set({
      'Content-Encoding': 'gzip',
      ETag: '"stale"',
      'Content-Length': '5',
      'Cache-Control': 'public, max-age=600',
    });
    throw new Error('hunter2 after the headers were set');
  });
  app.get('/api/note', reach('note'), (req, res) => {
    res.set('X-Note', text(query(req, 'target')['text']) ?? '');
    res.json({ ok: true });
  });
  app.get('/api/fail/:kind', (req) => {
    throw FAULTS[String(req.params['kind'])]?.();
  });
  app.get(
    '/api/fail-async/:kind',
    parts.async(async (req) => {
      await Promise.resolve();
      throw FAULTS[String(req.params['kind'])]?.();
    }),
  );
  for (const [kind, fault] of Object.entries(FAULTS)) {
    const secret: RequestHandler = (req, res) => {
      calls.note(req.headers['x-check'], 'secret');
      res.json({ secret: 'SECRET' });
    };
    app.get(
      `/api/guarded/throws-${kind}`,
      parts.guardThat(() => {
        throw fault();
      }),
      secret,
    );
    app.get(
      `/api/guarded/rejects-${kind}`,
      parts.guardThat(async () => {
        await Promise.resolve();
        throw fault();
      }),
      secret,
    );
    app.get(
      `/api/guarded/calls-${kind}`,
      parts.guardThat((_req, _res, next) => {
        setImmediate(() => next(fault()));
      }),
      secret,
    );
  }
  app.get('/go', ...check.target, reach('go'), (req, res) =>
    parts.redirect(req, res, text(query(req, 'target')['to']) ?? '/'),
  );
  app.use('/files', parts.files);
  for (const handler of parts.last) app.use(handler as RequestHandler);
  return app;
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}
