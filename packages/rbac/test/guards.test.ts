import { afterEach, describe, expect, test } from '@jest/globals';
import type { Middleware } from '@portcullis/core';
import { recordedEvents } from '@portcullis/core/testing';
import { onBothExpress } from '@portcullis/test-support';
import type { NextFunction, Request, Response } from 'express';
import { connect } from 'node:net';
import request from 'supertest';
import { createRbac, memoryRoles, type Decision, type RoleStore } from '../src/index.js';
import { asUser, deferred, listen, permissions, roles } from './support.js';

interface Loan {
  readonly id: string;
  readonly userId: string;
}
const loans = new Map<string, Loan>([
  ['1', { id: '1', userId: 'ann' }],
  ['2', { id: '2', userId: 'bob' }],
]);

const open: { close(): Promise<void> }[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((each) => each.close()));
});

async function setup(options: object = {}, store: RoleStore = memoryRoles()) {
  const events = recordedEvents();
  const rbac = createRbac({ permissions, store, roles, events, ...options });
  open.push(rbac);
  await rbac.seed();
  await rbac.grantRole('root', 'ann', 'patron');
  await rbac.grantRole('root', 'sam', 'staff');
  return { rbac, events, store };
}

/** What an app does last; the error's own words, and nothing that is for the log. */
function errors(error: Error & { status?: number; code?: string; headers?: Record<string, string> }, _req: Request, res: Response, _next: NextFunction): void {
  res.status(error.status ?? 500).set(error.headers ?? {}).json({ code: error.code, message: error.message });
} // prettier-ignore

const as = (id: string | undefined): Middleware =>
  id === undefined ? (_req, _res, next) => next() : asUser(id);

onBothExpress((express) => {
  test('requirePermission: 401 for nobody, 403 for others, and the handler for who may', async () => {
    const { rbac, events } = await setup();
    for (const [who, status] of [[undefined, 401], ['ann', 403], ['eve', 403], ['sam', 200]] as const) {
      const app = express();
      let seen: Decision | undefined;
      app.post('/books', as(who), rbac.requirePermission('book:create'), (req, res) => {
        seen = req.security.decision;
        res.send('created');
      });
      app.use(errors);
      const response = await request(app).post('/books');
      expect([who, response.status]).toEqual([who, status]);
      if (status === 200) {
        expect(seen).toMatchObject({ allowed: true, asked: 'book:create', by: 'staff', principalId: 'sam' });
      } else {
        expect(response.text).not.toMatch(/created|staff|not-granted/);
        expect(events.of('rbac.denied').at(-1)).toMatchObject({ asked: 'book:create' });
      }
      expect(response.headers['www-authenticate']).toBe(status === 401 ? 'Bearer' : undefined);
    } // prettier-ignore
  });

  test('requireRole, requireAnyPermission, requireAllPermissions and public', async () => {
    const { rbac } = await setup();
    await rbac.grantPermission('root', 'ann', 'book:update');
    const outcome = async (who: string, guard: Middleware) => {
      const app = express();
      app.get('/', as(who), guard, (req, res) => void res.json(req.security.decision));
      app.use(errors);
      const { status, body } = await request(app).get('/');
      return [status, (body as Decision).permission ?? (body as Decision).asked] as const;
    };
    expect(await outcome('ann', rbac.requireRole('patron'))).toEqual([200, 'role patron']);
    expect(await outcome('ann', rbac.requireRole('staff'))).toEqual([403, undefined]);
    expect(await outcome('ann', rbac.requireRole('staff', 'patron'))).toEqual([200, 'role staff or patron']);
    expect(await outcome('sam', rbac.requireRole('patron'))).toEqual([200, 'role patron']); // Inherited.
    expect(await outcome('eve', rbac.requireRole('patron'))).toEqual([403, undefined]);
    expect(await outcome('ann', rbac.requireAnyPermission('book:create', 'book:read'))).toEqual([
      200,
      'book:read',
    ]);
    expect((await outcome('eve', rbac.requireAnyPermission('book:create', 'book:read')))[0]).toBe(403);
    expect((await outcome('ann', rbac.requireAllPermissions('book:read', 'book:update')))[0]).toBe(200);
    expect((await outcome('ann', rbac.requireAllPermissions(['book:read', 'book:create'])))[0]).toBe(403);
    expect((await outcome('eve', rbac.public('liveness probe')))[0]).toBe(200);

    const app = express();
    app.get('/scoped', asUser('sam', { scopes: ['book:read'] }), rbac.requireRole('staff'), (_req, res) => void res.send()); // prettier-ignore
    app.use(errors);
    await request(app).get('/scoped').expect(403); // Some permissions are not a role.
  });

  test('T1, T2: no spelling of the path, method or target reaches a guarded handler without a decision', async () => {
    const { rbac } = await setup();
    const app = express();
    const bodies: { url: string; method: string; decision: Decision | undefined }[] = [];
    const guard = rbac.requirePermission('book:delete');
    const handler = (req: Request, res: Response): void => {
      bodies.push({ url: req.originalUrl, method: req.method, decision: req.security?.decision });
      res.send('SECRET');
    };
    app.use(as('ann'));
    app.all('/admin/users', guard, handler);
    app.route('/admin/users/:id').all(guard, handler);
    const router = express.Router();
    router.get('/users', guard, handler);
    router.use('/raw', guard, handler);
    app.use('/nested', router);
    app.use(errors);
    const server = await listen(app);
    open.push(server);
    const paths = [
      '/admin/users', '/admin/users/', '/ADMIN/users', '/Admin/Users', '//admin/users', '/admin//users',
      '/admin/./users', '/admin/../admin/users', '/admin/%75sers', '/admin%2fusers', '/admin;x=1/users',
      '/admin/users;x=1', '/admin/users?x=1', '/admin/users#x', '/admin/users%00', '/admin/users%20', '/admin/users/7',
      '/admin/users/..%2f', '/nested/users', '/nested/raw/x', '/nested/RAW', `${server.url}/admin/users`,
    ]; // prettier-ignore
    const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PURGE'];
    let reached = 0;
    for (const method of methods) {
      for (const path of paths) {
        const answer = await raw(server.url, method, path);
        expect([method, path, answer.includes('SECRET')]).toEqual([method, path, false]);
        if (/^HTTP\/1.1 403/.test(answer)) reached++;
      }
    }
    expect(bodies).toEqual([]);
    expect(reached).toBeGreaterThan(methods.length * 5); // The guard is what stopped them, not a missing route.
    await rbac.grantRole('root', 'ann', 'staff');
    expect(await raw(server.url, 'GET', '/admin/users')).toContain('SECRET');
    for (const path of paths) await raw(server.url, 'HEAD', path);
    expect(bodies.length).toBeGreaterThan(5);
    for (const { decision } of bodies)
      expect(decision).toMatchObject({ allowed: true, asked: 'book:delete' });
  });

  describe('objects', () => {
    async function loanApp(hide: boolean, store?: RoleStore) {
      const { rbac, ...rest } = await setup({}, store);
      const app = express();
      let loads = 0;
      let handled: unknown;
      const before = { load: async (): Promise<void> => undefined };
      app.use((req, res, next) => as(req.get('x-user'))(req, res, next));
      app.get(
        '/loans/:id',
        rbac.requirePermission('loan:read', {
          object: async (req: Request<{ id: string }>) => {
            loads++;
            await before.load();
            return loans.get(req.params.id);
          },
          owner: (loan) => loan.userId,
          hide,
        }),
        (req, res) => {
          handled = req.security.resource;
          res.json(handled);
        },
      );
      app.use(errors);
      const get = (user: string, id: string) => request(app).get(`/loans/${id}`).set('x-user', user);
      return { rbac, app, get, before, loadsOf: () => loads, handled: () => handled, ...rest };
    }

    test('owner or staff: each sees what is theirs, and T21: the handler gets the very object that was judged', async () => {
      const { get, handled } = await loanApp(false);
      await get('ann', '1').expect(200);
      expect(handled()).toBe(loans.get('1'));
      await get('ann', '2').expect(403);
      await get('sam', '1').expect(200);
      await get('sam', '2').expect(200);
      await get('sam', '3').expect(404);
      await get('ann', '3').expect(404);
    });

    test('who could not be allowed whatever the owner is refused before anything is loaded', async () => {
      const { get, loadsOf } = await loanApp(false);
      await get('eve', '1').expect(403);
      await get('eve', '3').expect(403);
      expect(loadsOf()).toBe(0);
    });

    test('T20: with hide, what is forbidden and what does not exist are one answer, to the header', async () => {
      const { get } = await loanApp(true);
      for (const user of ['ann', 'eve']) {
        const forbidden = await get(user, '2');
        const absent = await get(user, '3');
        expect([forbidden.status, forbidden.text]).toEqual([404, absent.text]);
        const names = (response: request.Response) => Object.keys(response.headers).sort();
        expect(names(forbidden)).toEqual(names(absent));
      }
    });

    test('a revoke that arrives while the object is being loaded counts', async () => {
      const { rbac, get, before } = await loanApp(false);
      const reached = deferred();
      const gate = deferred();
      before.load = async () => {
        reached.resolve();
        await gate.promise;
      };
      const response = get('ann', '1').then(({ status }) => status);
      await reached.promise;
      await rbac.revokeRole('root', 'ann', 'patron');
      gate.resolve();
      expect(await response).toBe(403);
    });

    test('a loader or owner function that fails refuses; T11, T12: what the object says of itself changes nothing', async () => {
      const { rbac } = await setup();
      const outcome = async (object: () => unknown, owner: (o: never) => unknown): Promise<number> => {
        const app = express();
        app.use(as('ann'));
        app.get('/', rbac.requirePermission('loan:read', { object, owner: owner as never }), (_req, res) => void res.send('SECRET')); // prettier-ignore
        app.use(errors);
        return (await request(app).get('/')).status;
      };
      const owned = (userId: unknown) => outcome(() => ({ userId }), (o: { userId: unknown }) => o.userId);
      expect(await owned('ann')).toBe(200);
      for (const owner of [undefined, null, '', 'Ann', ['ann'], { toString: () => 'ann' }, 0, Number.NaN]) {
        expect(await owned(owner)).toBe(403);
      }
      expect(await outcome(() => Promise.reject(new Error('db')), () => 'ann')).toBe(500);
      expect(await outcome(() => { throw undefined; }, () => 'ann')).toBe(500); // oxlint-disable-line
      expect(await outcome(() => ({}), () => { throw 'route'; })).toBe(500); // oxlint-disable-line
      expect(await outcome(() => ({}), () => Promise.reject(undefined))).toBe(500); // oxlint-disable-line
      const spoof = JSON.parse('{"__caslSubjectType__":"Comment","type":"public","owner":"ann","allowed":true}') as object;
      expect(await outcome(() => spoof, (o: { userId?: string }) => o.userId)).toBe(403);
    }); // prettier-ignore

    test('without an object, owner says whose things the request is about', async () => {
      const { rbac } = await setup();
      const app = express();
      app.use(as('ann'));
      app.get('/users/:id/loans', rbac.requirePermission('loan:read', { owner: (_none, req: Request<{ id: string }>) => req.params.id }), (_req, res) => void res.send('ok')); // prettier-ignore
      app.use(errors);
      await request(app).get('/users/ann/loans').expect(200);
      await request(app).get('/users/bob/loans').expect(403);
    });
  });

  test('T24: with the store down a guard refuses with 503 in time; the handler never runs', async () => {
    const inner = memoryRoles();
    let fail: (() => unknown) | undefined;
    const store: RoleStore = {
      ...inner,
      load: async (scope) => {
        if (scope.kind === 'user') await fail?.();
        return inner.load(scope);
      },
    };
    const { rbac, events } = await setup({ deadlineMs: 100 }, store);
    const app = express();
    app.use(as('zoe') as never);
    app.get('/', rbac.requirePermission('book:read'), (_req, res) => void res.send('SECRET'));
    app.get('/fresh', as('sam'), rbac.requirePermission('book:read', { fresh: true }), (_req, res) => void res.send('ok')); // prettier-ignore
    app.use(errors);
    const failures = [() => { throw 0; }, () => Promise.reject(new Error('x')), () => new Promise(() => undefined)]; // prettier-ignore
    for (fail of failures) {
      const started = performance.now();
      const { status, text } = await request(app).get('/');
      expect([status, text.includes('SECRET')]).toEqual([503, false]);
      expect(performance.now() - started).toBeLessThan(3000);
      expect(events.of('rbac.denied').at(-1)).toMatchObject({ reason: 'unavailable', principalId: 'zoe' });
      await request(app).get('/fresh').expect(503);
    }
    fail = undefined;
    await request(app).get('/').expect(403);
    await request(app).get('/fresh').expect(200);
  });

  test('a loader, an owner, a tenant or a principal that does not come in time is a 503, told like a store that hangs', async () => {
    const never = (): Promise<never> => new Promise(() => undefined);
    const object = (): object => ({});
    const ways: [object, object][] = [
      [{}, { object: never, owner: () => 'ann' }],
      [{}, { object, owner: never }],
      [{}, { object, owner: () => 'ann', tenant: never }],
      [{ principal: never }, { object, owner: () => 'ann' }],
    ];
    for (const [options, about] of ways) {
      for (const enforce of [true, false]) {
        const { rbac, events } = await setup({ deadlineMs: 50, enforce, ...options });
        await rbac.grantRole('root', 'ann', 'patron', { tenant: '*' });
        const app = express();
        app.get(
          '/',
          as('ann'),
          rbac.requirePermission('loan:read', about),
          (_req, res) => void res.send('ok'),
        );
        app.use(errors);
        await request(app)
          .get('/')
          .expect(enforce ? 503 : 200);
        if ('principal' in options) continue;
        const told = events.of(enforce ? 'rbac.denied' : 'rbac.refusal-spared');
        expect(told).toMatchObject([{ reason: 'unavailable' }]);
      }
    }
  });

  test('principals of other libraries: principal, sync and async, is who the request belongs to from then on', async () => {
    const store = memoryRoles();
    for (const principal of [
      (req: Request) => (req.get('x-user') ? { id: req.get('x-user')!, kind: 'user' as const } : undefined),
      async (req: Request) =>
        req.get('x-user') ? { id: req.get('x-user')!, kind: 'user' as const } : undefined,
    ]) {
      const { rbac } = await setup({ principal }, store);
      const app = express();
      app.get(
        '/',
        rbac.requirePermission('book:create'),
        (req, res) => void res.json(req.security.principal),
      );
      app.use(errors);
      await request(app).get('/').expect(401);
      await request(app).get('/').set('x-user', 'ann').expect(403);
      const { body } = await request(app).get('/').set('x-user', 'sam').expect(200);
      expect(body).toEqual({ id: 'sam', kind: 'user' });
    }
    for (const bad of [
      () => ({ id: 7 }),
      () => ({ id: '' }),
      () => {
        throw undefined;
      },
      async () => {
        throw 'route';
      },
    ]) {
      // prettier-ignore
      const { rbac } = await setup({ principal: bad }, store);
      const app = express();
      app.get('/', rbac.requirePermission('book:read'), (_req, res) => void res.send('SECRET'));
      app.use(errors);
      await request(app).get('/').expect(500);
    }
  });
});

describe('guards that make no sense are not built', () => {
  test.each<[string, (rbac: Awaited<ReturnType<typeof setup>>['rbac']) => unknown, RegExp]>([
    ['no permission', (rbac) => rbac.requireAnyPermission(), /name at least one permission/],
    ['an empty list', (rbac) => rbac.requireAllPermissions([]), /name at least one permission/],
    ['no role', (rbac) => rbac.requireRole(), /name a role/],
    ['a role that is no name', (rbac) => rbac.requireRole('' as never), /1 to 100 characters/],
    ['a permission of one\'s own without owner', (rbac) => rbac.requirePermission('loan:read:own'), /say whose/],
    ['public without reason', (rbac) => rbac.public(' '), /say why/],
    ['a misspelt option', (rbac) => rbac.requirePermission('book:read', { ownr: () => '' } as never), /Did you mean "owner"/],
    ['undefined', (rbac) => rbac.requirePermission(undefined as never), /no permission/],
  ])('%s', async (_what, build, message) => {
    const { rbac } = await setup();
    expect(() => build(rbac)).toThrow(message);
  }); // prettier-ignore

  test('wrong options of createRbac are refused with the near miss', () => {
    const store = memoryRoles();
    const build = (options: object) => () => createRbac({ permissions, store, ...options } as never);
    expect(build({ onStoreDwon: 'deny' })).toThrow(/Did you mean "onStoreDown"/);
    expect(build({ onStoreDown: 'allow' })).toThrow(/must be "deny" or/);
    expect(build({ onStoreDown: { graceMs: '2h' } })).toThrow(/E_OPTION_RANGE/);
    expect(build({ deadlineMs: 0 })).toThrow(/E_OPTION_RANGE/);
    expect(build({ rolesFrom: 'token' })).toThrow(/E_OPTION_VALUE/);
    expect(build({ store: {} })).toThrow(/lacks the method "load"/);
    expect(build({ permissions: { book: ['read'] } })).toThrow(/E_OPTION_TYPE/);
  });
});

/** Sends the target as it is; clients would tidy it. */
function raw(url: string, method: string, target: string): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname);
    let text = '';
    socket.on('data', (data) => (text += data.toString('latin1')));
    socket.on('error', reject);
    socket.on('close', () => resolve(text));
    socket.end(
      `${method} ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
      'latin1',
    );
  });
}
