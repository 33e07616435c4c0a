import { describe, expect, test } from '@jest/globals';
import { createFreshness, ensureContext, type Middleware, type Principal } from '@portcullis/core';
import { manualClock } from '@portcullis/core/testing';
import { onBothExpress } from '@portcullis/test-support';
import type express5 from 'express';
import type { NextFunction, Request, Response } from 'express';
import request from 'supertest';
import { createRbac, definePermissions, memoryRoles, type Rbac } from '../src/index.js';
import { database } from './support.js';

const permissions = definePermissions({
  book: ['read', 'create', 'delete'],
  loan: ['read:own', 'read:any', 'end:own'],
  person: ['read', 'contact:own', 'contact:any', 'promote'],
});
const roles = {
  patron: { allow: ['book:read', 'loan:read:own', 'loan:end:own', 'person:contact:own'] },
  staff: {
    inherits: ['patron'],
    allow: ['book:create', 'loan:read:any', 'person:read', 'person:contact:any'],
  },
  admin: { inherits: ['staff'], allow: ['book:delete', 'person:promote'] },
} as const;
const PEOPLE = { ann: 'patron', bob: 'patron', sam: 'staff', ada: 'admin' } as const;
const LOANS: Readonly<Record<string, { readonly userId: string; readonly library: string }>> = {
  1: { userId: 'ann', library: 'acme' },
  2: { userId: 'bob', library: 'acme' },
};
const at = (id: string): Principal => ({ id, kind: 'user' });
const loanOf = (req: Request<{ id: string }>) => LOANS[req.params.id];
const done = (_req: unknown, res: Response): void => void res.send('done');

/** Stands in for authentication: who is signed in, never what they say of themselves. */
const identify: Middleware = (req, _res, next) => {
  const { 'x-user': id, 'x-tenant': tenant } = req.headers as Record<string, string | undefined>;
  if (id !== undefined)
    ensureContext(req).principal = Object.freeze({ ...at(id), ...(tenant === undefined ? {} : { tenant }) });
  next();
};

async function library() {
  const clock = manualClock();
  const rbac = createRbac({ permissions, store: memoryRoles(), roles, clock });
  await rbac.seed();
  for (const [id, role] of Object.entries(PEOPLE)) await rbac.grantRole('root', id, role);
  return { rbac, clock };
}

function serve(express: typeof express5, routes: (app: express5.Express) => void) {
  const app = express();
  app.use(identify, express.json());
  routes(app);
  app.use(
    (error: { status?: number; code?: string }, _req: Request, res: Response, _next: NextFunction) =>
      void res.status(error.status ?? 500).json({ code: error.code }),
  );
  const status = async (
    method: string,
    path: string,
    headers: Record<string, string> = {},
  ): Promise<number> => {
    const agent = request(app) as unknown as Record<string, (path: string) => request.Test>;
    return (await agent[method.toLowerCase()]!(path).set(headers)).status;
  };
  return { app, status };
}

const mount = (
  rbac: Rbac<(typeof permissions.names)[number], keyof typeof roles>,
  app: express5.Express,
): void => {
  app.get('/books', rbac.requirePermission('book:read'), done);
  app.post('/books', rbac.requirePermission('book:create'), done);
  app.delete('/books/:id', rbac.requirePermission('book:delete'), done);
  app.get('/people', rbac.requirePermission('person:read'), done);
  app.get('/health', rbac.public('liveness'), done);
};

onBothExpress((express) => {
  test('ASVS V8.1.1: the matrix of routes and permissions that seal() exports is what the routes decide, for everybody', async () => {
    const { rbac } = await library();
    const { app, status } = serve(express, (given) => mount(rbac, given));
    const matrix = rbac.seal(app, { passes: [identify] });
    expect(matrix).toHaveLength(5);
    let allowed = 0;
    for (const { method, path, rules } of matrix) {
      for (const id of [...Object.keys(PEOPLE), 'stranger']) {
        const [rule = ''] = rules;
        const may = rule.startsWith('public: ') || (await rbac.can(id, rule as 'book:read'));
        if (may) allowed++;
        const answered = await status(method, path.replace(':id', '1'), { 'x-user': id });
        expect([method, path, id, answered]).toEqual([method, path, id, may ? 200 : 403]);
      }
    }
    expect(allowed).toBe(14);
  });

  test('ASVS V8.2.1: a function is for who was given it: nobody without a grant reaches one, and seal() refuses a route that nobody guards', async () => {
    const { rbac } = await library();
    const { app, status } = serve(express, (given) => mount(rbac, given));
    for (const [method, path] of [['GET', '/books'], ['POST', '/books'], ['DELETE', '/books/1'], ['GET', '/people']] as const) {
      expect([path, await status(method, path), await status(method, path, { 'x-user': 'stranger' })]).toEqual([path, 401, 403]);
    } // prettier-ignore
    app.post('/forgotten', done);
    expect(() => rbac.seal(app, { passes: [identify] })).toThrow(/POST +\/forgotten/);
  });

  test("ASVS V8.2.2: of everybody's objects each is for its owner and those who may all of them, on every route with an id", async () => {
    const { rbac } = await library();
    const own = { object: loanOf as never, owner: (loan: { userId: string }) => loan.userId };
    const { status } = serve(express, (app) => {
      app.get('/loans/:id', rbac.requirePermission('loan:read', own), done);
      app.get('/hidden/:id', rbac.requirePermission('loan:read', { ...own, hide: true }), done);
      app.post('/loans/:id/end', rbac.requirePermission('loan:end', own), done);
    });
    for (const [loan, { userId }] of Object.entries(LOANS)) {
      for (const id of [...Object.keys(PEOPLE), 'stranger']) {
        const headers = { 'x-user': id };
        const mine = id === userId;
        const may = mine || id === 'sam' || id === 'ada';
        expect([id, await status('GET', `/loans/${loan}`, headers)]).toEqual([id, may ? 200 : 403]);
        expect([id, await status('GET', `/hidden/${loan}`, headers)]).toEqual([id, may ? 200 : 404]);
        expect([id, await status('POST', `/loans/${loan}/end`, headers)]).toEqual([id, mine ? 200 : 403]);
      }
    }
  });

  test('ASVS V8.3.1: what the caller says of its own rights, in header, query, body or credential, decides nothing', async () => {
    const { rbac } = await library();
    const claims: Middleware = (req, _res, next) => {
      const context = ensureContext(req);
      context.principal = Object.freeze({ ...(context.principal as Principal), roles: ['admin'] });
      next();
    };
    const { app } = serve(express, (given) => {
      given.delete('/books/:id', claims, rbac.requirePermission('book:delete'), done);
      given.delete('/role/:id', claims, rbac.requireRole('admin'), done);
    });
    for (const path of ['/books/1', '/role/1']) {
      const answer = await request(app)
        .delete(`${path}?role=admin&permissions=book:delete`)
        .set({ 'x-user': 'ann', 'x-role': 'admin', 'x-permissions': 'book:delete' })
        .send({ role: 'admin', roles: ['admin'], scopes: ['**'], principal: { id: 'ada' } });
      expect([path, answer.status]).toEqual([path, 403]);
    }
  });

  test('ASVS V8.4.1: a credential of one tenant is refused on every route about another, whatever its grants, and whatever the request says', async () => {
    const { rbac } = await library();
    for (const id of ['ann', 'sam', 'ada']) await rbac.grantRole('root', id, 'admin', { tenant: 'acme' });
    await rbac.grantRole('root', 'ada', 'admin', { tenant: '*' });
    const tenant = (loan: { library: string }): string => loan.library;
    const { status } = serve(express, (app) => {
      app.get('/books', rbac.requirePermission('book:read', { tenant: () => 'acme' }), done);
      app.get('/loans/:id', rbac.requirePermission('loan:read', { object: loanOf as never, tenant }), done);
      app.delete('/loans/:id', rbac.requireAllPermissions(['book:delete', 'loan:read'], { object: loanOf as never, tenant }), done); // prettier-ignore
    });
    for (const [method, path] of [['GET', '/books'], ['GET', '/loans/1'], ['DELETE', '/loans/1']] as const) {
      const asked = (id: string, place: string) => status(method, path, { 'x-user': id, 'x-tenant': place });
      const seen = { here: await asked('ann', 'acme'), there: await asked('ann', 'globex'), everywhere: await asked('ada', 'globex') };
      expect([path, seen]).toEqual([path, { here: 200, there: 403, everywhere: 403 }]);
    } // prettier-ignore
  });
});

describe('without a router', () => {
  test('ASVS V8.2.3: fields that somebody may not see are not shown, and those that they may not write are refused', async () => {
    const { rbac } = await library();
    const fields = rbac.fields({
      id: true,
      name: 'person:read',
      email: 'person:contact',
      role: 'person:promote',
    });
    const person = { id: 'p', name: 'Bob', email: 'b@example.org', role: 'patron', passwordHash: 'x' };
    const shown = async (id: string) => Object.keys(await fields.pick(at(id), person, { owner: 'bob' }));
    expect(await shown('ann')).toEqual(['id']);
    expect(await shown('bob')).toEqual(['id', 'email']);
    expect(await shown('sam')).toEqual(['id', 'name', 'email']);
    expect(await shown('ada')).toEqual(['id', 'name', 'email', 'role']);
    const writes = (id: string, sent: object) => fields.require(at(id), sent, { owner: 'bob' });
    await expect(writes('ada', { role: 'staff' })).resolves.toBeUndefined();
    for (const [id, sent] of [['sam', { role: 'admin' }], ['bob', { name: 'B' }], ['ada', { passwordHash: 'y' }]] as const) {
      await expect(writes(id, sent)).rejects.toMatchObject({ code: 'E_PERMISSION_DENIED' });
    } // prettier-ignore
  });

  test('ASVS V8.1.2: the matrix of fields and permissions is what is shown and what may be written, for everybody', async () => {
    const { rbac } = await library();
    const fields = rbac.fields({ id: true, name: 'person:read', role: ['person:promote', 'book:delete'] });
    expect(fields.matrix).toEqual({
      id: true,
      name: ['person:read'],
      role: ['person:promote', 'book:delete'],
    });
    for (const id of Object.keys(PEOPLE)) {
      const shown = await fields.pick(at(id), { id: 'p', name: 'Bob', role: 'patron' });
      for (const [field, rule] of Object.entries(fields.matrix)) {
        const asked =
          rule === true ? [true] : await Promise.all(rule.map((name) => rbac.can(id, name as 'book:read')));
        const may = asked.includes(true);
        const written = await fields.require(at(id), { [field]: 'x' }).then(() => true, () => false); // prettier-ignore
        expect([id, field, Object.hasOwn(shown, field), written]).toEqual([id, field, may, may]);
      }
    }
  });

  test('ASVS V15.3.1: of an object only the listed fields leave, whatever else the model grows', async () => {
    const { rbac } = await library();
    const fields = rbac.fields({ id: true, name: 'person:read' });
    const model = Object.assign(Object.create({ inherited: 1 }) as object, { id: 'p', name: 'Bob', later: 'secret', toJSON: () => 'all' }); // prettier-ignore
    expect(JSON.stringify(await fields.pick(at('ada'), model as never))).toBe('{"id":"p","name":"Bob"}');
  });

  test('ASVS V8.2.4: a grant counts within its time and no longer, also in the middle of a session', async () => {
    const { rbac, clock } = await library();
    const session = { ...at('temp'), sessionId: 's1' };
    const now = clock.now();
    await rbac.grantRole('root', 'temp', 'staff', { from: now + 1000, until: now + 5000 });
    const seen: boolean[] = [];
    for (const step of [0, 999, 1, 3999, 1]) {
      clock.advance(step);
      seen.push(await rbac.can(session, 'book:create'));
    }
    expect(seen).toEqual([false, false, true, true, false]);
  });

  test('ASVS V8.3.2: when a strict revoke has resolved, no process answers by what was before it; others learn of a change within the lease', async () => {
    const db = database();
    const processes = [0, 1].map(() => {
      const store = db.connect();
      const freshness = createFreshness({ feed: store.feed, leaseMs: 400, pollMs: 100 });
      return { rbac: createRbac({ permissions, store, roles, freshness }), freshness };
    });
    const [here, there] = processes.map(({ rbac }) => rbac) as [Rbac, Rbac];
    await here.seed();
    for (const strict of [true, false]) {
      await here.grantRole('root', 'ann', 'admin');
      while (!(await there.can('ann', 'book:delete')))
        await new Promise((resolve) => setTimeout(resolve, 10));
      await here.revokeRole('root', 'ann', 'admin', { strict });
      if (!strict) await processes[1]!.freshness.settled();
      expect(await here.can('ann', 'book:delete')).toBe(false);
      expect(await there.can('ann', 'book:delete')).toBe(false);
    }
    for (const { rbac, freshness } of processes) {
      await rbac.close();
      await freshness.stop();
    }
  });

  test('ASVS V8.3.3: what is decided is what the person may for whom a service asks, not what the service may', async () => {
    const { rbac } = await library();
    await rbac.grantPermission('root', 'gateway', '**');
    const through: Principal = { ...at('ann'), actor: { id: 'gateway' } };
    expect(await rbac.can('gateway', 'book:delete')).toBe(true);
    expect(await rbac.can(through, 'book:delete')).toBe(false);
    expect(await rbac.can({ ...at('ada'), actor: { id: 'gateway' } }, 'book:delete')).toBe(true);
    // And never more than the credential that was handed on stands for.
    expect(await rbac.can({ ...at('ada'), scopes: ['book:read'] }, 'book:delete')).toBe(false);
  });
});
