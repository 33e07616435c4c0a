import { describe, expect, test } from '@jest/globals';
import type { Principal } from '@portcullis/core';
import { recordedEvents } from '@portcullis/core/testing';
import { onBothExpress } from '@portcullis/test-support';
import type { Request } from 'express';
import request from 'supertest';
import { createRbac, memoryRoles } from '../src/index.js';
import { asUser, permissions, roles } from './support.js';

async function library() {
  const events = recordedEvents();
  const rbac = createRbac({ permissions, store: memoryRoles(), roles, events });
  await rbac.seed();
  return { rbac, events };
}

const ann: Principal = { id: 'ann', kind: 'user' };
const inAcme: Principal = { ...ann, tenant: 'acme' };

describe('tenants', () => {
  test('a grant of one tenant never answers for another, nor where there is none; one of every tenant says so', async () => {
    const { rbac } = await library();
    const where = async (id: string) => ({
      none: await rbac.can(id, 'book:read'),
      acme: await rbac.can(id, 'book:read', { tenant: 'acme' }),
      globex: await rbac.can(id, 'book:read', { tenant: 'globex' }),
      Acme: await rbac.can(id, 'book:read', { tenant: 'Acme' }),
    });
    await rbac.grantRole('root', 'none', 'patron');
    await rbac.grantRole('root', 'acme', 'patron', { tenant: 'acme' });
    await rbac.grantRole('root', 'every', 'patron', { tenant: '*' });
    await rbac.grantPermission('root', 'direct', 'book:read', { tenant: 'acme' });
    expect(await where('none')).toEqual({ none: true, acme: false, globex: false, Acme: false });
    expect(await where('acme')).toEqual({ none: false, acme: true, globex: false, Acme: false });
    expect(await where('every')).toEqual({ none: true, acme: true, globex: true, Acme: true });
    expect(await where('direct')).toEqual({ none: false, acme: true, globex: false, Acme: false });
  });

  test('a denial counts everywhere unless it names a tenant; lifting works the same way', async () => {
    const { rbac } = await library();
    await rbac.grantRole('root', 'ann', 'patron', { tenant: '*' });
    const where = () =>
      Promise.all(
        [{}, { tenant: 'acme' }, { tenant: 'globex' }].map((place) => rbac.can('ann', 'book:read', place)),
      );
    await rbac.denyPermission('root', 'ann', 'book:*');
    expect(await where()).toEqual([false, false, false]);
    await rbac.liftDenial('root', 'ann', 'book:*');
    expect(await where()).toEqual([true, true, true]);
    await rbac.denyPermission('root', 'ann', 'book:*', { tenant: 'acme' });
    expect(await where()).toEqual([true, false, true]);
    await rbac.liftDenial('root', 'ann', 'book:*');
    expect(await where()).toEqual([true, false, true]);
    await rbac.liftDenial('root', 'ann', 'book:*', { tenant: 'acme' });
    expect(await where()).toEqual([true, true, true]);
  });

  test("a revoke ends the tenant's grant and no other", async () => {
    const { rbac } = await library();
    await rbac.grantRole('root', 'ann', 'patron', { tenant: 'acme' });
    await rbac.grantRole('root', 'ann', 'patron', { tenant: 'globex' });
    await rbac.revokeRole('root', 'ann', 'patron');
    await rbac.revokeRole('root', 'ann', 'patron', { tenant: 'acme' });
    expect((await rbac.rolesOf('ann')).map(({ tenant }) => tenant)).toEqual(['globex']);
  });

  test("the credential's tenant is asked about; another one is refused whatever the grants say", async () => {
    const { rbac } = await library();
    await rbac.grantRole('root', 'ann', 'patron', { tenant: '*' });
    expect(await rbac.decide(inAcme, 'book:read')).toMatchObject({ allowed: true, tenant: 'acme' });
    expect(await rbac.decide(inAcme, 'book:read', { tenant: 'globex' })).toMatchObject({
      allowed: false,
      reason: 'tenant',
    });
  });

  test('T13: a tenant that should be known and is not refuses: nothing is converted', async () => {
    const { rbac } = await library();
    await rbac.grantPermission('root', 'ann', '**', { tenant: '*' });
    for (const tenant of [undefined, null, '', '*', 0, 7, true, ['acme'], {}, Object('acme'), Number.NaN]) {
      const decision = await rbac.decide('ann', 'book:read', { tenant });
      expect([tenant, decision.allowed, decision.reason]).toEqual([tenant, false, 'tenant']);
      expect(await rbac.can('ann', 'book:read', { tenant })).toBe(false);
    }
  });

  test('malformed tenants of grants are refused and change nothing', async () => {
    const { rbac } = await library();
    for (const tenant of ['', 'x'.repeat(257), 'a\0', '\ud800', 7 as never, null as never]) {
      await expect(rbac.grantRole('root', 'ann', 'patron', { tenant })).rejects.toMatchObject({
        code: 'E_GRANT_INVALID',
      });
      await expect(rbac.grantPermission('root', 'ann', '**', { tenant })).rejects.toMatchObject({
        code: 'E_GRANT_INVALID',
      });
    }
    expect(await rbac.grantsOf('ann')).toEqual({ active: true, roles: [], rules: [] });
  });

  test('T6: no user and tenant, whatever their names contain, is taken for another pair', async () => {
    const { rbac } = await library();
    const parts = [
      'a',
      'b',
      'a b',
      'a:b',
      'a|b',
      'a$$b',
      '$$',
      '__proto__',
      'constructor',
      '\u00e9',
      'e\u0301',
    ];
    const pairs = parts.flatMap((user) => parts.map((tenant) => ({ user, tenant })));
    for (const { user, tenant } of pairs) {
      await rbac.grantPermission('root', user, 'book:read', { tenant });
      for (const other of pairs) {
        const same = other.user === user && other.tenant === tenant;
        const found = await rbac.can(other.user, 'book:read', { tenant: other.tenant });
        if (found !== same) throw new Error(JSON.stringify({ granted: { user, tenant }, other, found }));
      }
      await rbac.revokePermission('root', user, 'book:read', { tenant });
    }
  });

  onBothExpress((express) => {
    test('a guard asks in the tenant of the object, of the request, or of the credential', async () => {
      const { rbac } = await library();
      await rbac.grantRole('root', 'ann', 'patron', { tenant: 'acme' });
      await rbac.grantRole('root', 'eve', 'patron', { tenant: '*' });
      const documents: Record<string, { tenant?: string }> = {
        1: { tenant: 'acme' },
        2: { tenant: 'globex' },
        3: {},
      };
      let loads = 0;
      const app = express();
      app.use((req, res, next) => {
        const [id = '', tenant] = req.get('x-user')!.split('@');
        asUser(id, tenant === undefined ? {} : { tenant })(req, res, next);
      });
      const byObject = rbac.requirePermission('book:read', {
        object: (req: Request<{ id: string }>) => (loads++, documents[req.params.id]),
        tenant: (document) => document.tenant,
      });
      app.get('/documents/:id', byObject, (_req, res) => void res.send('ok'));
      const byPath = rbac.requirePermission('book:read', {
        tenant: (_nothing, req: Request<{ tenant: string }>) => req.params.tenant,
      });
      app.get('/tenants/:tenant', byPath, (_req, res) => void res.send('ok'));
      app.get('/here', rbac.requirePermission('book:read'), (_req, res) => void res.send('ok'));
      app.use(
        (
          error: { status: number },
          _req: unknown,
          res: { status(code: number): { end(): void } },
          _next: unknown,
        ) => res.status(error.status).end(),
      );
      const get = async (who: string, path: string) =>
        (await request(app).get(path).set('x-user', who)).status;
      const all = (who: string, paths: readonly string[]) =>
        paths.reduce<Promise<number[]>>(
          async (before, path) => [...(await before), await get(who, path)],
          Promise.resolve([]),
        );
      const paths = [
        '/documents/1',
        '/documents/2',
        '/documents/3',
        '/tenants/acme',
        '/tenants/globex',
        '/here',
      ];
      expect(await all('ann', paths)).toEqual([200, 403, 403, 200, 403, 403]);
      expect(await all('ann@acme', paths)).toEqual([200, 403, 403, 200, 403, 200]);
      expect(await all('ann@globex', paths)).toEqual([403, 403, 403, 403, 403, 403]);
      expect(await all('eve', paths)).toEqual([200, 200, 403, 200, 200, 200]);
      expect(await all('eve@globex', paths)).toEqual([403, 200, 403, 403, 200, 200]);
      loads = 0;
      expect(await get('nobody', '/documents/1')).toBe(403); // Nobody's grants: nothing is loaded.
      expect(loads).toBe(0);
    });
  });
});

describe('superusers', () => {
  test('may everything that is not denied, and each use is told', async () => {
    const { rbac, events } = await library();
    await rbac.defineRole('root', 'admin', { allow: ['**'] });
    await rbac.defineRole('root', 'owner', { inherits: ['admin'], allow: ['book:read'] });
    await rbac.grantRole('root', 'ann', 'owner' as never);
    expect(await rbac.require('ann', 'loan:approve')).toMatchObject({ reason: 'superuser', by: 'owner' });
    expect(events.of('rbac.superuser-used')).toMatchObject([
      { asked: 'loan:approve', by: 'owner', principalId: 'ann' },
    ]);
    // What is granted by its name is no use of that power.
    expect(await rbac.require('ann', 'book:read')).toMatchObject({ reason: 'role', by: 'owner' });
    expect(events.of('rbac.superuser-used')).toHaveLength(1);
    await rbac.denyPermission('root', 'ann', 'loan:approve');
    await expect(rbac.require('ann', 'loan:approve')).rejects.toMatchObject({ code: 'E_PERMISSION_DENIED' });
    await rbac.setPermissionActive('root', 'book:create', false);
    expect(await rbac.can('ann', 'book:create')).toBe(false);
  });

  test('a direct grant of everything is told too, however it is spelt', async () => {
    const { rbac, events } = await library();
    for (const [user, pattern] of [
      ['one', '**'],
      ['two', '*:**'],
    ] as const) {
      await rbac.grantPermission('root', user, pattern);
      expect(await rbac.require(user, 'book:read')).toMatchObject({ reason: 'superuser', by: pattern });
    }
    expect(events.of('rbac.superuser-used')).toHaveLength(2);
  });

  onBothExpress((express) => {
    test('the event of a guard names the request', async () => {
      const { rbac, events } = await library();
      await rbac.grantPermission('root', 'ann', '**');
      const app = express();
      app.get('/', asUser('ann'), rbac.requirePermission('book:read'), (_req, res) => void res.send('ok'));
      await request(app).get('/').expect(200);
      expect(events.of('rbac.superuser-used')).toMatchObject([
        { principalId: 'ann', requestId: expect.any(String) as unknown as string },
      ]);
    });
  });
});
