import { expect, test } from '@jest/globals';
import { onBothExpress } from '@portcullis/test-support';
import type express5 from 'express';
import type { ErrorRequestHandler, Request } from 'express';
import request from 'supertest';
import { createRbac, definePermissions, memoryRoles } from '../src/index.js';
import { asUser, database, leaseOf } from './support.js';

// The table "From the words of the requirements" of the README, row by row.

const permissions = definePermissions({
  user: ['create', 'read', 'list'],
  book: ['read', 'update', 'create'],
  loan: ['read:own', 'read:any'],
});
const roles = {
  patron: { allow: ['book:read', 'loan:read:own'] },
  staff: { inherits: ['patron'], allow: ['book:*', 'loan:read:any', 'user:*'] },
} as const;

async function library(express: typeof express5) {
  const rbac = createRbac({ permissions, store: memoryRoles(), roles });
  await rbac.seed();
  await rbac.grantRole('root', 'ann', 'patron');
  await rbac.grantRole('root', 'desk', 'staff');
  await rbac.grantPermission('root', 'lister', 'user:list');
  const app = express();
  app.use((req, res, next) => {
    const id = req.get('x-user');
    if (id) asUser(id)(req, res, next);
    else next();
  });
  const statuses = async (path: string, ...who: readonly string[]): Promise<number[]> => {
    const found: number[] = [];
    for (const id of who) found.push((await request(app).get(path).set('x-user', id)).status);
    return found;
  };
  const ready = (): void => {
    const answer: ErrorRequestHandler = (error: { status: number }, _req, res, _next) =>
      void res.status(error.status).end();
    app.use(answer);
  };
  return { rbac, app, statuses, ready };
}
const ok = (_req: unknown, res: { send(text: string): unknown }): void => void res.send('ok');

onBothExpress((express) => {
  test("require_permission('user.create'), require_role('admin'), require_any_permission('user.read', 'user.list'), all of several", async () => {
    const { rbac, app, statuses, ready } = await library(express);
    await rbac.defineRole('root', 'admin', { allow: ['user:create'] });
    await rbac.grantRole('root', 'boss', 'admin' as never);
    app.get('/permission', rbac.requirePermission('user:create'), ok);
    app.get('/role', rbac.requireRole('staff'), ok);
    app.get('/any', rbac.requireAnyPermission('user:read', 'user:list'), ok);
    app.get('/all', rbac.requireAllPermissions('book:read', 'book:update'), ok);
    ready();
    const who = ['ann', 'desk', 'lister', 'boss', ''] as const;
    expect(await statuses('/permission', ...who)).toEqual([403, 200, 403, 200, 401]);
    expect(await statuses('/role', ...who)).toEqual([403, 200, 403, 403, 401]);
    expect(await statuses('/any', ...who)).toEqual([403, 200, 200, 403, 401]);
    expect(await statuses('/all', ...who)).toEqual([403, 200, 403, 403, 401]);
  });

  test('owner or staff, management for staff only, and a route without authorization', async () => {
    const { rbac, app, statuses, ready } = await library(express);
    const loans: Record<string, { userId: string }> = { 1: { userId: 'ann' }, 2: { userId: 'bob' } };
    const mayRead = rbac.requirePermission('loan:read', {
      object: (req: Request<{ id: string }>) => loans[req.params.id],
      owner: (loan) => loan.userId,
    });
    app.get('/loans/:id', mayRead, ok);
    app.get('/manage', rbac.requirePermission('book:create'), ok);
    app.get('/health', rbac.public('liveness'), ok);
    ready();
    expect(await statuses('/loans/1', 'ann', 'desk', 'nobody')).toEqual([200, 200, 403]);
    expect(await statuses('/loans/2', 'ann', 'desk', 'nobody')).toEqual([403, 200, 403]);
    expect(await statuses('/manage', 'ann', 'desk', '')).toEqual([403, 200, 401]);
    expect(await statuses('/health', 'ann', '')).toEqual([200, 200]);
  });
});

test('permission caching with a timeout: one load while the lease lasts, and the log is asked again after it', async () => {
  const db = database();
  const store = db.connect();
  const { freshness, clock } = leaseOf(store);
  const rbac = createRbac({ permissions, store, roles, freshness, clock });
  await rbac.seed();
  await rbac.grantRole('root', 'ann', 'patron');
  await freshness.ensure();
  db.loads = [];
  let polls = 0;
  db.onPoll = () => polls++;
  for (let i = 0; i < 10; i++) expect(await rbac.can('ann', 'book:read')).toBe(true);
  expect([db.loads.filter((what) => what === 'user ann').length, polls]).toEqual([1, 0]);
  clock.advance(freshness.leaseMs + 1);
  expect(await rbac.can('ann', 'book:read')).toBe(true);
  expect([db.loads.filter((what) => what === 'user ann').length, polls > 0]).toEqual([1, true]);
  await rbac.close();
  await freshness.stop();
});
