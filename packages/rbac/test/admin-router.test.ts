import { afterEach, describe, expect, test } from '@jest/globals';
import type { Principal } from '@portcullis/core';
import { manualClock, recordedEvents } from '@portcullis/core/testing';
import { onBothExpress } from '@portcullis/test-support';
import type { ErrorRequestHandler, Express } from 'express';
import request from 'supertest';
import {
  createRbac,
  definePermissions,
  memoryGovernance,
  memoryRoles,
  rbacPermissions,
  type AdminAction,
} from '../src/index.js';
import { asUser, database } from './support.js';

const permissions = definePermissions({
  ...rbacPermissions,
  book: ['read', 'update', 'delete'],
  loan: ['read:own', 'read:any'],
});
const roles = {
  admin: { allow: ['rbac:*'] },
  root: { allow: ['**'] },
  patron: { allow: ['book:read', 'loan:read:own'] },
  staff: { inherits: ['patron'], allow: ['book:update', 'loan:read:any'] },
  books: { allow: ['book:*'] },
  helpdesk: { allow: ['rbac:read', 'rbac:grant', 'book:read', 'loan:read:own'] },
  muted: { deny: ['book:update'] },
} as const;

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});

async function setup(options: object = {}, store = memoryRoles()) {
  const events = recordedEvents();
  const rbac = createRbac({ permissions, store, roles, events, ...options });
  open.push(rbac);
  await rbac.seed();
  await rbac.grantRole('setup', 'root', 'root');
  await rbac.grantRole('setup', 'ada', 'admin');
  await rbac.grantRole('setup', 'ada', 'staff');
  await rbac.grantRole('setup', 'hal', 'helpdesk');
  return { rbac, events };
}
const user = (id: string, rest: Partial<Principal> = {}): Principal => ({ id, kind: 'user', ...rest });
const beyond = { code: 'E_GRANT_BEYOND_OWN', status: 403 };
const denied = { code: 'E_PERMISSION_DENIED', status: 403 };

describe('T18: nobody gives what they do not hold', () => {
  test('not by a grant of a role or of a permission, nor by a wildcard that covers more', async () => {
    const { rbac } = await setup();
    const ada = rbac.onBehalfOf(user('ada'));
    await ada.grantRole('ada', 'eve', 'staff');
    await ada.grantPermission('ada', 'eve', 'book:update');
    await ada.grantPermission('ada', 'eve', 'loan:read:own'); // Holds :any.
    for (const attempt of [
      () => ada.grantRole('ada', 'ada', 'books'),
      () => ada.grantRole('ada', 'ada', 'root'),
      () => ada.grantPermission('ada', 'ada', 'book:delete'),
      () => ada.grantPermission('ada', 'ada', 'book:*'),
      () => ada.grantPermission('ada', 'ada', '**'),
      () => ada.grantPermission('ada', 'ada', '*:read'),
      () => ada.grantRole('ada', 'eve', 'staff', { tenant: 'north' }),
      () => ada.grantRole('ada', 'eve', 'staff', { tenant: '*' }),
    ]) {
      await expect(attempt()).rejects.toMatchObject(beyond);
    }
    await ada.grantPermission('ada', 'eve', 'rbac:*'); // Held as the same pattern.
    const root = rbac.onBehalfOf(user('root'));
    await root.grantRole('root', 'eve', 'books');
    await root.grantPermission('root', 'eve', '*:*');
    await expect(root.grantRole('root', 'eve', 'books', { tenant: 'north' })).rejects.toMatchObject(beyond);
    await rbac.grantRole('setup', 'root', 'root', { tenant: '*' });
    await root.grantRole('root', 'eve', 'books', { tenant: 'north' });
  });

  test('not by an edit of a role, a parent, a switch, or a denial taken away', async () => {
    const { rbac } = await setup();
    const ada = rbac.onBehalfOf(user('ada'));
    await rbac.defineRole('setup', 'dormant', { active: false, allow: ['book:delete'] });
    await rbac.grantPermission('setup', 'old', 'book:delete');
    await rbac.setUserActive('setup', 'old', false);
    await rbac.denyPermission('setup', 'ada', 'book:delete');
    await rbac.grantRole('setup', 'bob', 'muted');
    for (const attempt of [
      () => ada.setRolePermissions('ada', 'patron', { allow: ['book:delete'] }),
      () => ada.defineRole('ada', 'mine', { inherits: ['books'] }),
      () => ada.defineRole('ada', 'staff', { inherits: ['patron', 'books'] }),
      () => ada.setRoleActive('ada', 'dormant' as never, true),
      () => ada.setUserActive('ada', 'old', true),
      () => ada.liftDenial('ada', 'ada', 'book:delete'),
      () => ada.setPermissionActive('ada', 'book:delete', true),
    ]) {
      await expect(attempt()).rejects.toMatchObject(beyond);
    }
    await ada.defineRole('ada', 'mine', { inherits: ['patron'] });
    // What is assigned in a tenant is given there by an edit.
    await rbac.grantRole('setup', 'tom', 'mine' as never, { tenant: 'north' });
    await expect(ada.defineRole('ada', 'mine', { inherits: ['staff'] })).rejects.toMatchObject(beyond);
    await rbac.revokeRole('setup', 'tom', 'mine' as never, { tenant: 'north' });
    await ada.defineRole('ada', 'mine', { inherits: ['staff'] });
    await ada.defineRole('ada', 'mine', {});
    await ada.revokeRole('ada', 'bob', 'muted'); // Its denial is of what ada holds.
    await rbac.denyPermission('setup', 'ada', 'book:update');
    await rbac.grantRole('setup', 'bob', 'muted');
    await expect(ada.revokeRole('ada', 'bob', 'muted')).rejects.toMatchObject(beyond);
    await expect(ada.removeRole('ada', 'muted')).rejects.toMatchObject(beyond);
    await expect(ada.grantPermission('ada', 'eve', 'book:update')).rejects.toMatchObject(beyond);
  });

  test('each function asks for its permission; scopes and tenant of the credential narrow what is held', async () => {
    const { rbac } = await setup();
    const hal = rbac.onBehalfOf(user('hal'));
    await hal.grantRole('hal', 'eve', 'patron');
    await expect(hal.defineRole('hal', 'mine', {})).rejects.toMatchObject(denied);
    await expect(rbac.onBehalfOf(user('eve')).roles()).rejects.toMatchObject(denied);
    const narrow = rbac.onBehalfOf(user('ada', { scopes: ['rbac:*', 'book:read'] }));
    await narrow.grantPermission('ada', 'eve', 'book:read');
    await expect(narrow.grantPermission('ada', 'eve', 'book:update')).rejects.toMatchObject(beyond);
    await rbac.grantRole('setup', 'tess', 'helpdesk', { tenant: 'north' });
    const tess = rbac.onBehalfOf(user('tess', { tenant: 'north' }));
    await tess.grantRole('tess', 'eve', 'patron', { tenant: 'north' });
    await expect(tess.grantRole('tess', 'eve', 'patron')).rejects.toMatchObject(beyond);
    await expect(tess.grantRole('tess', 'eve', 'patron', { tenant: 'south' })).rejects.toMatchObject(beyond);
  });

  test('what is held is read for the write: a revoke a moment ago counts', async () => {
    const db = database();
    const { rbac } = await setup({}, db.connect());
    const other = (await setup({}, db.connect())).rbac;
    const ada = rbac.onBehalfOf(user('ada'));
    await ada.grantPermission('ada', 'eve', 'book:update');
    await other.revokeRole('setup', 'ada', 'staff');
    await expect(ada.grantPermission('ada', 'eve', 'book:update')).rejects.toMatchObject(beyond);
  });
});

describe('T18: the last administrator stays', () => {
  const last = { code: 'E_LAST_ADMINISTRATOR', status: 409 };

  test('whatever would take it away, until there is another one', async () => {
    const { rbac } = await setup();
    await rbac.revokeRole('setup', 'root', 'root');
    await rbac.grantRole('setup', 'tmp', 'admin', { until: 253_402_300_000_000 }); // Ends by itself: no administrator.
    await rbac.grantRole('setup', 'ada', 'staff', { tenant: '*' });
    await rbac.grantRole('setup', 'ada', 'admin', { tenant: '*' });
    await rbac.revokeRole('setup', 'ada', 'admin');
    const ada = rbac.onBehalfOf(user('ada'));
    for (const attempt of [
      () => ada.revokeRole('ada', 'ada', 'admin', { tenant: '*' }),
      () => ada.grantRole('ada', 'ada', 'admin', { tenant: '*', until: 253_402_300_000_000 }),
      () => ada.setUserActive('ada', 'ada', false),
      () => ada.denyPermission('ada', 'ada', 'rbac:define'),
      () => ada.setRoleActive('ada', 'admin', false),
      () => ada.setRolePermissions('ada', 'admin', { allow: ['rbac:read', 'rbac:grant'] }),
      () => ada.removeRole('ada', 'admin'),
      () => ada.setPermissionActive('ada', 'rbac:grant', false),
    ]) {
      await expect(attempt()).rejects.toMatchObject(last);
    }
    await ada.grantRole('ada', 'bea', 'admin');
    await ada.revokeRole('ada', 'ada', 'admin', { tenant: '*' });
    expect(await rbac.administrators()).toEqual([{ userId: 'bea', grants: ['role admin'] }]);
  });

  test('of two administrators who remove each other at the same time, in two processes, one stays', async () => {
    const db = database();
    const [one, two] = [(await setup({}, db.connect())).rbac, (await setup({}, db.connect())).rbac];
    await one.revokeRole('setup', 'root', 'root');
    for (let round = 0; round < 10; round++) {
      await one.grantRole('setup', 'ada', 'admin');
      await one.grantRole('setup', 'bea', 'admin');
      const results = await Promise.allSettled([
        one.onBehalfOf(user('ada')).revokeRole('ada', 'bea', 'admin'),
        two.onBehalfOf(user('bea')).revokeRole('bea', 'ada', 'admin'),
      ]);
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
      expect(await one.administrators()).toHaveLength(1);
    }
  });
});

const problems: ErrorRequestHandler = (
  error: { status?: number; code?: string; message?: string },
  _req,
  res,
  _next,
) => void res.status(error.status ?? 500).json({ code: error.code, message: error.message });

onBothExpress((express) => {
  function appFor(rbac: Awaited<ReturnType<typeof setup>>['rbac'], who: string | undefined): Express {
    const app = express();
    app.use(rbac.requireDecision(), express.json());
    if (who !== undefined) app.use(asUser(who));
    app.use('/admin/rbac', rbac.adminRouter());
    app.use(problems);
    return app;
  }

  test('adminRouter() serves roles and grants to who may, and guards itself', async () => {
    const { rbac } = await setup();
    for (const [who, status] of [
      [undefined, 401],
      ['eve', 403],
      ['ada', 200],
    ] as const) {
      expect((await request(appFor(rbac, who)).get('/admin/rbac/roles')).status).toBe(status);
      // Nothing is told of what there is to who may not even read.
      expect((await request(appFor(rbac, who)).get('/admin/rbac/nothing')).status).toBe(
        status === 200 ? 404 : status,
      );
    }
    const ada = request(appFor(rbac, 'ada'));
    expect((await ada.put('/admin/rbac/users/eve/roles/patron').send({ reason: 'new' })).body).toEqual({
      revision: expect.any(Number),
    });
    expect(await rbac.can('eve', 'book:read')).toBe(true);
    const grants = await ada.get('/admin/rbac/users/eve');
    expect(grants.body).toMatchObject({
      active: true,
      roles: [{ role: 'patron', grantedBy: 'ada', reason: 'new' }],
    });
    expect(grants.headers['cache-control']).toBe('no-store');
    expect((await ada.put('/admin/rbac/users/eve/roles/books')).body).toMatchObject({
      code: 'E_GRANT_BEYOND_OWN',
    });
    expect((await ada.put('/admin/rbac/users/eve/denials/book%3Aread').send({})).status).toBe(200);
    expect(await rbac.can('eve', 'book:read')).toBe(false);
    expect((await ada.delete('/admin/rbac/users/eve/denials/book%3Aread')).status).toBe(200);
    expect((await ada.put('/admin/rbac/users/eve/permissions/book%3Aupdate')).status).toBe(200);
    expect((await ada.delete('/admin/rbac/users/eve/permissions/book%3Aupdate')).status).toBe(200);
    expect((await ada.delete('/admin/rbac/users/eve/roles/patron').send({ strict: true })).status).toBe(200);
    expect((await ada.put('/admin/rbac/users/eve').send({ active: false })).status).toBe(200);
    expect((await ada.get('/admin/rbac/permissions')).body.permissions).toContain('book:delete');
    expect((await ada.get('/admin/rbac/administrators')).body.administrators).toHaveLength(2);
    const root = request(appFor(rbac, 'root'));
    await rbac.grantRole('setup', 'root', 'root', { tenant: '*' });
    expect((await root.put('/admin/rbac/roles/guide').send({ allow: ['book:read'] })).status).toBe(200);
    expect((await root.delete('/admin/rbac/roles/guide')).status).toBe(200);
    expect((await root.put('/admin/rbac/permissions/book:delete').send({ active: false })).status).toBe(200);
  });

  test('adminRouter() tells a log before and after each change; what cannot be told does not happen', async () => {
    const { rbac } = await setup();
    const told: AdminAction[] = [];
    let full = false;
    const app = express();
    app.use(express.json(), asUser('ada'));
    const record = async (action: AdminAction): Promise<void> => {
      if (full) throw new Error('the log is full');
      told.push(action);
    };
    app.use('/admin/rbac', rbac.adminRouter({ record }));
    app.use(problems);
    await request(app).get('/admin/rbac/roles');
    expect(
      (await request(app).put('/admin/rbac/users/eve/roles/patron').send({ reason: 'new' })).status,
    ).toBe(200);
    expect((await request(app).put('/admin/rbac/users/eve/roles/books')).status).toBe(403);
    expect(told.map(({ phase, what, actor, params }) => [phase, what, actor, ...params])).toEqual([
      ['requested', 'PUT /users/:/roles/:', 'ada', 'eve', 'patron'],
      ['done', 'PUT /users/:/roles/:', 'ada', 'eve', 'patron'],
      ['requested', 'PUT /users/:/roles/:', 'ada', 'eve', 'books'],
    ]);
    full = true;
    expect((await request(app).put('/admin/rbac/users/bob/roles/patron')).status).toBe(500);
    expect(await rbac.rolesOf('bob')).toEqual([]);
  });

  test('adminRouter(): reviews and administrators are about every tenant, and not for who acts in one', async () => {
    const { rbac } = await setup({ governance: memoryGovernance() });
    await rbac.grantRole('setup', 'nora', 'admin', { tenant: 'north' });
    const served = (who: Partial<Principal>) => {
      const app = express();
      app.use(express.json(), asUser('nora', who), rbac.adminRouter());
      app.use(problems);
      return app;
    };
    const north = served({ tenant: 'north' });
    expect((await request(north).get('/roles')).status).toBe(200);
    for (const path of ['/reviews', '/administrators', '/reviews/x', '/reviews/x/evidence']) {
      const { status, body } = await request(north).get(path);
      expect({ path, status, ...body }).toMatchObject({ path, ...beyond });
    }
    const opened = await request(north)
      .post('/reviews')
      .send({ reviewers: ['nora'] });
    expect(opened.body).toMatchObject({ code: beyond.code });
  });

  test('adminRouter() refuses malformed requests and changes nothing', async () => {
    const { rbac } = await setup();
    const ada = request(appFor(rbac, 'ada'));
    const before = JSON.stringify([await rbac.roles(), await rbac.grantsOf('eve')]);
    for (const [call, status, code] of [
      [ada.post('/admin/rbac/roles'), 405, 'E_METHOD_NOT_ALLOWED'],
      [ada.put('/admin/rbac/users/eve/roles/stafff'), 400, 'E_ROLE_UNKNOWN'],
      [ada.put('/admin/rbac/users/eve/roles/staff').send({ until: 'soon' }), 400, 'E_GRANT_INVALID'],
      [ada.put('/admin/rbac/users/eve/roles/staff').send({ role: 'root' }), 400, 'E_GRANT_INVALID'],
      [ada.put('/admin/rbac/users/eve/roles/staff').type('text').send('x'), 400, 'E_GRANT_INVALID'],
      [ada.put('/admin/rbac/users/eve').send({ active: 'yes' }), 400, 'E_GRANT_INVALID'],
      [ada.put('/admin/rbac/users/eve/permissions/book:reed'), 400, 'E_PERMISSION_UNKNOWN'],
      [ada.put('/admin/rbac/roles/x').send({ alow: [] }), 400, 'E_GRANT_INVALID'],
      [ada.get('/admin/rbac/users/%'), 404, undefined],
      [ada.get('/admin/rbac/reviews'), 400, 'E_REVIEW_INVALID'],
    ] as const) {
      const response = await call;
      expect([response.status, response.body.code]).toEqual([status, code]);
    }
    expect(JSON.stringify([await rbac.roles(), await rbac.grantsOf('eve')])).toBe(before);
  });

  test('authzen() decides for who may ask, single and in batches', async () => {
    const { rbac } = await setup();
    await rbac.grantRole('setup', 'eve', 'patron');
    await rbac.grantPermission('setup', 'gateway', 'rbac:evaluate');
    const served = (who: string | undefined) => {
      const app = express();
      app.use(express.json());
      if (who !== undefined) app.use(asUser(who));
      app.use(
        '/access/v1',
        rbac.authzen({
          about: ({ resource }) => ({ owner: (resource.properties as { owner?: string })?.owner }),
        }),
      );
      app.use(problems);
      return request(app);
    };
    const question = (id: string, action: string, properties?: object) => ({
      subject: { type: 'user', id },
      action: { name: action },
      resource: { type: 'loan', id: '1', ...(properties ? { properties } : {}) },
    });
    const book = { ...question('eve', 'read'), resource: { type: 'book', id: '1' } };
    expect((await served(undefined).post('/access/v1/evaluation').send(book)).status).toBe(401);
    expect((await served('eve').post('/access/v1/evaluation').send(book)).status).toBe(403);
    const gateway = served('gateway');
    const ask = async (body: object) =>
      (await gateway.post('/access/v1/evaluation').set('X-Request-ID', 'r1').send(body)).body as unknown;
    expect(await ask(book)).toEqual({ decision: true });
    expect(await ask(question('eve', 'read', { owner: 'eve' }))).toEqual({ decision: true });
    expect(await ask(question('eve', 'read', { owner: 'bob' }))).toEqual({ decision: false });
    expect(await ask(question('eve', 'burn'))).toEqual({ decision: false });
    expect(await ask({ ...book, subject: { type: 'robot', id: 'eve' } })).toEqual({ decision: false });
    const batch = async (body: object) =>
      (await gateway.post('/access/v1/evaluations').send(body)).body as unknown;
    const evaluations = [{}, { action: { name: 'update' } }, {}];
    expect(await batch({ ...book, evaluations })).toEqual({
      evaluations: [{ decision: true }, { decision: false }, { decision: true }],
    });
    for (const [semantic, count] of [
      ['deny_on_first_deny', 2],
      ['permit_on_first_permit', 1],
    ] as const) {
      const answer = await batch({ ...book, evaluations, options: { evaluations_semantic: semantic } });
      expect(answer).toMatchObject({ evaluations: { length: count } });
    }
    expect(await batch(book)).toEqual({ decision: true });
    for (const body of [{}, [], { ...book, subject: 'eve' }, { ...book, resource: { type: 'book' } }]) {
      const response = await gateway.post('/access/v1/evaluation').send(body);
      expect([response.status, response.body.code]).toEqual([400, 'E_EVALUATION_INVALID']);
    }
    for (const malformed of [5, null, [], 'x']) {
      const body = { ...book, evaluations: [{}, malformed] };
      expect((await gateway.post('/access/v1/evaluations').send(body)).status).toBe(400);
    }
    expect((await gateway.get('/access/v1/evaluation')).status).toBe(405);
    expect((await gateway.post('/access/v1/search')).status).toBe(404);
  });
});

test('what asks for rbac:… does not start where that is not declared', () => {
  const rbac = createRbac({ permissions: definePermissions({ book: ['read'] }), store: memoryRoles() });
  expect(() => rbac.adminRouter()).toThrow(/spread rbacPermissions/);
  expect(() => rbac.authzen()).toThrow(/rbac:evaluate/);
  expect(() => rbac.onBehalfOf(user('ada'))).toThrow(/rbac:read/);
});

test('breakGlass() gives the emergency role for a while, with a reason, and tells it', async () => {
  const clock = manualClock();
  const { rbac, events } = await setup({ clock, breakGlass: { role: 'books', maxMs: '15m' } });
  await rbac.grantPermission('setup', 'eve', 'rbac:break-glass');
  const take = (id: string, reason: string, forMs: number) => rbac.breakGlass(user(id), { reason, forMs });
  const refused = { code: 'E_BREAK_GLASS', status: 400 };
  await expect(take('eve', 'because', 60_000)).rejects.toMatchObject(refused);
  await expect(take('eve', 'the archive is on fire', 900_001)).rejects.toMatchObject(refused);
  await expect(take('bob', 'the archive is on fire', 60_000)).rejects.toMatchObject(denied);
  expect(await rbac.can('eve', 'book:delete')).toBe(false);
  const { until } = await take('eve', 'the archive is on fire', 60_000);
  expect(await rbac.can('eve', 'book:delete')).toBe(true);
  expect(events.of('rbac.glass-broken')).toMatchObject([
    { userId: 'eve', role: 'books', reason: 'the archive is on fire', until },
  ]);
  clock.advance(60_000);
  expect(await rbac.can('eve', 'book:delete')).toBe(false);
  const { rbac: none } = await setup();
  await expect(
    none.breakGlass(user('ada'), { reason: 'the archive is on fire', forMs: 1 }),
  ).rejects.toMatchObject(refused);
});

test('what an emergency gives is not handed on, for good or for a while; what one has besides is', async () => {
  const { rbac } = await setup({ breakGlass: { role: 'books', maxMs: '1h' } });
  for (const name of ['rbac:break-glass', 'rbac:grant'] as const)
    await rbac.grantPermission('setup', 'eve', name);
  await rbac.grantRole('setup', 'eve', 'patron');
  await rbac.breakGlass(user('eve'), { reason: 'the archive is on fire', forMs: 60_000 });
  const eve = rbac.onBehalfOf(user('eve'));
  await expect(eve.grantRole('eve', 'eve', 'books')).rejects.toMatchObject(beyond);
  await expect(eve.grantPermission('eve', 'bob', 'book:delete')).rejects.toMatchObject(beyond);
  await eve.grantPermission('eve', 'bob', 'book:read');
  await rbac.grantRole('setup', 'ada', 'books');
  await rbac.onBehalfOf(user('ada')).grantRole('ada', 'bob', 'books');
  // Nor can what the emergency role denies be got round.
  const denying = await setup({ breakGlass: { role: 'muted', maxMs: '1h' } });
  await denying.rbac.grantPermission('setup', 'ada', 'rbac:break-glass');
  await denying.rbac.breakGlass(user('ada'), { reason: 'the archive is on fire', forMs: 60_000 });
  const ada = denying.rbac.onBehalfOf(user('ada'));
  await expect(ada.grantPermission('ada', 'bob', 'book:update')).rejects.toMatchObject(beyond);
});

test('breakGlass() does not end a grant of the same role that lasts longer; a longer emergency replaces a shorter one', async () => {
  const clock = manualClock();
  const { rbac } = await setup({ clock, breakGlass: { role: 'root', maxMs: '1h' } });
  await rbac.grantPermission('setup', 'hal', 'rbac:break-glass');
  const broken = (id: string, forMs: number) =>
    rbac.breakGlass(user(id), { reason: 'the database is on fire', forMs });
  await expect(broken('root', 60_000)).rejects.toMatchObject({ code: 'E_BREAK_GLASS', status: 400 });
  expect((await rbac.rolesOf('root')).map(({ role, until }) => [role, until])).toEqual([['root', undefined]]);
  await broken('hal', 60_000);
  await expect(broken('hal', 30_000)).rejects.toMatchObject({ code: 'E_BREAK_GLASS' });
  const { until } = await broken('hal', 90_000);
  expect(until).toBe(clock.now() + 90_000);
  for (const about of [undefined, null, { reason: 'the database is on fire', forMs: '5m' }]) {
    await expect(rbac.breakGlass(user('hal'), about as never)).rejects.toMatchObject({
      code: 'E_BREAK_GLASS',
    });
  }
});
