import { expect, test } from '@jest/globals';
import { onBothExpress } from '@portcullis/test-support';
import type { RequestHandler } from 'express';
import { ALLOW, guard, guardOf, tagStage, walkRoutes, type RouteEntry } from '../src/index.js';

const requirePermission = (detail: string) =>
  guard('requirePermission', { stage: 'authorize', detail }, () => ALLOW);
const handler: RequestHandler = (_req, res) => void res.send('x');
const publicRoute = tagStage((_req: unknown, _res: unknown, next: () => void) => next(), {
  kind: 'public',
  name: 'public',
});

function find(entries: readonly RouteEntry[], path: string, method = 'GET'): RouteEntry {
  const entry = entries.find(
    (e) => e.path === path && (e.methods.includes(method) || e.methods.includes('*')),
  );
  if (!entry) throw new Error(`No entry for ${method} ${path} in ${JSON.stringify(entries)}`);
  return entry;
}

onBothExpress((express, major) => {
  test('every route is listed with its full path, its methods and the guards before it', () => {
    const app = express();
    const books = express.Router();
    books.get('/:id', requirePermission('book:read'), handler);
    books.route('/').get(publicRoute, handler).post(requirePermission('book:create'), handler);
    app.use('/api/books', books);
    app.get(['/a', '/b'], handler);
    app.all('/all', requirePermission('all:any'), handler);
    app.get(
      '/health',
      publicRoute,
      guard('liveness', { stage: 'public' }, () => undefined) as RequestHandler,
    );
    app.get('/alone', guard('liveness', { stage: 'public' }, () => undefined) as RequestHandler);

    const entries = walkRoutes(app);
    expect(guardOf(find(entries, '/api/books/:id'))).toMatchObject({ detail: 'book:read' });
    expect(guardOf(find(entries, '/api/books', 'GET'))).toMatchObject({ kind: 'public' });
    expect(guardOf(find(entries, '/api/books', 'POST'))).toMatchObject({ detail: 'book:create' });
    expect(guardOf(find(entries, '/a'))).toBeUndefined();
    expect(guardOf(find(entries, '/b'))).toBeUndefined();
    expect(find(entries, '/all').methods).toEqual(['*']);
    // A handler of ours is a handler all the same: what counts is what stands before it.
    expect(guardOf(find(entries, '/health'))).toMatchObject({ kind: 'public' });
    expect(guardOf(find(entries, '/alone'))).toBeUndefined();
    expect(guardOf(find(entries, '/all'))).toMatchObject({ detail: 'all:any' });
  });

  test('a guard mounted after a route, on another path, or after the handler guards nothing', () => {
    const app = express();
    app.get('/early', handler);
    app.use('/admin', requirePermission('admin:any'));
    app.get('/admin/users', handler);
    app.get('/administrator', handler);
    app.get('/late', handler, requirePermission('late:any') as RequestHandler);
    const entries = walkRoutes(app);
    expect(guardOf(find(entries, '/early'))).toBeUndefined();
    expect(guardOf(find(entries, '/admin/users'))).toMatchObject({ detail: 'admin:any' });
    expect(guardOf(find(entries, '/administrator'))).toBeUndefined();
    expect(guardOf(find(entries, '/late'))).toBeUndefined();
  });

  test('guards of outer routers count for nested ones, also under parameters', () => {
    const app = express();
    const outer = express.Router();
    const inner = express.Router();
    inner.get('/notes', handler);
    outer.use(requirePermission('tenant:read'));
    outer.use('/users/:user', inner);
    app.use('/tenants/:tenant', outer);
    const entry = find(walkRoutes(app), '/tenants/:tenant/users/:user/notes');
    expect(guardOf(entry)).toMatchObject({ detail: 'tenant:read' });
  });

  test('a handler without a route and static files are reported as middleware, never as guarded', () => {
    const app = express();
    app.use(express.json());
    app.use('/raw', function raw(_req, res) {
      res.send('x');
    });
    app.use('/files', express.static('.'));
    const entries = walkRoutes(app);
    expect(entries.map((e) => [e.kind, e.path])).toEqual([
      ['middleware', '/raw'],
      ['middleware', '/files'],
    ]);
    expect(entries.map(guardOf)).toEqual([undefined, undefined]);
  });

  test('a guard of one method guards no other that all() answers, and a guard of all() guards each', () => {
    const app = express();
    app
      .route('/a')
      .get(requirePermission('a:read') as RequestHandler, handler)
      .post(handler)
      .all(handler);
    app
      .route('/b')
      .all(requirePermission('b:any') as RequestHandler)
      .get(handler)
      .post(handler);
    app.get('/c', requirePermission('c:read') as RequestHandler);
    expect(walkRoutes(app).map((e) => [e.path, e.methods[0], guardOf(e)?.detail])).toEqual([
      ['/a', 'GET', 'a:read'],
      ['/a', 'POST', undefined],
      ['/a', '*', undefined],
      ['/b', 'GET', 'b:any'],
      ['/b', 'POST', 'b:any'],
      ['/c', 'GET', 'c:read'],
    ]);
  });

  test('functions of param() are middleware: they run before the guards of a route', () => {
    const app = express();
    const users = express.Router();
    users.param('id', function loadUser(_req, res) {
      res.send('x');
    });
    users.get('/:id', requirePermission('user:read') as RequestHandler, handler);
    app.use('/users', users);
    app.use('/staff', requirePermission('staff:any') as RequestHandler, users);
    const found = walkRoutes(app).filter(({ kind }) => kind === 'middleware');
    expect(found.map((e) => [e.path, e.chain.at(-1)!.name, guardOf(e)?.detail])).toEqual([
      ['/users', 'loadUser', undefined],
      ['/staff', 'loadUser', 'staff:any'],
    ]);
  });

  test('what cannot be read is unknown: mounted applications and regular expressions', () => {
    const app = express();
    const sub = express();
    sub.get('/inside', handler);
    app.use(/^\/re/, requirePermission('re:any') as RequestHandler);
    app.get(/^\/re\/x/, handler);
    app.use('/sub', sub);
    app.use('/kept', requirePermission('kept:any') as RequestHandler, sub);
    const entries = walkRoutes(app);
    const pattern = entries.find((e) => e.kind === 'route')!;
    expect(pattern.path).toBeUndefined();
    expect(guardOf(pattern)).toBeUndefined();
    expect(entries.find((e) => e.kind === 'unknown')).toMatchObject({ path: '/sub' });
    // What stands before it as a whole guards it.
    const unread = entries.filter((e) => e.kind === 'unknown');
    expect(unread.map((e) => guardOf(e)?.detail)).toEqual([undefined, 'kept:any']);
    expect(walkRoutes({})).toEqual([{ kind: 'unknown', methods: ['*'], path: undefined, chain: [] }]);
  });

  if (major === 4) {
    test('an application without routes is empty', () => {
      expect(walkRoutes(express())).toEqual([]);
    });
  }
});
