import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Principal } from '@portcullis/core';
import { fromPg, migrate } from '@portcullis/core/postgres';
import { manualClock, recordedEvents } from '@portcullis/core/testing';
import {
  describeWithPostgres,
  eventually,
  startPostgres,
  type PostgresServer,
} from '@portcullis/test-support';
import pg from 'pg';
import {
  createAudit,
  memoryAudit,
  verifyReview,
  type Audit,
  type AuditStore,
  type ReviewPolicy,
} from '../src/index.js';
import { auditMigrations, auditRoleMigration, postgresAudit } from '../src/postgres.js';
import { collect, newSigner } from './support/some-log.js';

const user = (id: string): { principal: Principal } => ({ principal: { id, kind: 'user' } });
const roleChanges: ReviewPolicy = { match: [{ action: 'role.*' }], since: '2026-01-01' };
const DAY = 86_400_000;

function reviewClaims(newStore: () => Promise<AuditStore>): void {
  const open: Audit[] = [];
  afterEach(async () => {
    for (const audit of open.splice(0)) await audit.close();
  });

  async function house(policy: ReviewPolicy = roleChanges) {
    const store = await newStore();
    const clock = manualClock();
    const signer = newSigner();
    const start = () => {
      const events = recordedEvents();
      const reviews = { roles: policy };
      const options = {
        store,
        clock,
        signer,
        events,
        reviews,
        anchors: false,
        checkpointEvery: '1h',
      } as const;
      const audit = createAudit({ ...options, deadline: '60s', checkReviewsEvery: '24h' });
      open.push(audit);
      return { audit, events };
    };
    const { audit, events } = start();
    const grant = async (by: string, to: string): Promise<string> => {
      const target = { type: 'person', id: to };
      const { id } = await audit.record({
        action: 'role.granted',
        outcome: 'success',
        actor: { id: by, kind: 'user' },
        target,
      });
      clock.advance(1_000);
      return id;
    };
    const idsFor = async (reviewer: string, from = audit): Promise<string[]> =>
      (await from.reviews.queue('roles', user(reviewer))).items.map(({ entry }) => entry.id);
    return { audit, events, clock, signer, start, grant, idsFor };
  }

  test('what a policy matches is due, oldest first, until a person signs it off; all processes see the same', async () => {
    const { audit, grant, idsFor, start } = await house();
    const first = await grant('ann', 'eve');
    await audit.record({ action: 'book.created', outcome: 'success', actor: { id: 'ann', kind: 'user' } });
    const second = await grant('ann', 'joe');
    expect(await idsFor('bob')).toEqual([first, second]);
    const reason = 'looked at the request 12';
    const { id } = await audit.reviews.signOff('roles', { entries: [first], by: user('bob'), reason });
    const other = start().audit;
    expect(await idsFor('bob', other)).toEqual([second]);
    const { entries } = await audit.query({ viewer: 'system', action: 'audit.review-signed' });
    expect(entries).toMatchObject([
      {
        id,
        actor: { id: 'bob', kind: 'user' },
        reason,
        target: { type: 'audit-review', id: 'roles' },
        data: { entries: [{ id: first }], finding: false },
      },
    ]);
  });

  test('nobody signs off what they did, or what was done in their name, and only people review', async () => {
    const { audit, grant, idsFor } = await house();
    const id = await grant('ann', 'eve');
    expect(await idsFor('ann')).toEqual([]);
    expect((await audit.reviews.queue('roles', user('ann'))).own).toBe(1);
    const refused = { code: 'E_AUDIT_REVIEWER_REFUSED', status: 403 };
    const posing = { id: 'bob', kind: 'user', actor: { id: 'ann' } } as const;
    for (const principal of [user('ann').principal, posing, { id: 'bob', kind: 'service' } as const]) {
      const signOff = { entries: [id], by: { principal }, reason: 'fine' };
      await expect(audit.reviews.signOff('roles', signOff)).rejects.toMatchObject(refused);
    }
    const nobody = { request: { security: undefined } } as never;
    await expect(audit.reviews.queue('roles', nobody)).rejects.toMatchObject(refused);
    expect(await idsFor('bob')).toEqual([id]);
  });

  test('an entry is signed off once; one that is not due takes the others of the call with it', async () => {
    const { audit, grant, idsFor } = await house();
    const [first, second] = [await grant('ann', 'eve'), await grant('ann', 'joe')];
    const signOff = (...entries: string[]) =>
      audit.reviews.signOff('roles', { entries, by: user('bob'), reason: 'fine' });
    await signOff(first);
    await expect(signOff(second, first)).rejects.toMatchObject({
      code: 'E_AUDIT_REVIEW_NOT_DUE',
      status: 409,
    });
    await expect(signOff('6e88c221-a529-4ab0-900c-3102a929b7c7')).rejects.toMatchObject({
      code: 'E_AUDIT_REVIEW_NOT_DUE',
    });
    expect(await idsFor('bob')).toEqual([second]);
  });

  test('a round ends when all of its time is reviewed; what comes in late waits for the next', async () => {
    const { audit, clock, grant, idsFor } = await house();
    const first = await grant('ann', 'eve');
    const midnight = clock.now();
    clock.advance('1h');
    const second = await grant('ann', 'joe');
    const complete = (through?: number) =>
      audit.reviews.complete('roles', {
        by: user('bob'),
        reason: 'week 1',
        ...(through === undefined ? {} : { through }),
      });
    await expect(complete(midnight)).rejects.toMatchObject({ code: 'E_AUDIT_REVIEW_OPEN', status: 409 });
    await audit.reviews.signOff('roles', { entries: [first], by: user('bob'), reason: 'fine' });
    await complete(midnight);
    await expect(complete()).rejects.toMatchObject({ code: 'E_AUDIT_REVIEW_OPEN' });
    // As out of the spool of another process: it happened before the round ended.
    const now = clock.now();
    clock.setNow(midnight - 500);
    const late = await grant('ann', 'zoe');
    clock.setNow(now);
    expect(await idsFor('bob')).toEqual([second, late]);
    await audit.reviews.signOff('roles', { entries: [second, late], by: user('bob'), reason: 'fine' });
    await complete();
    expect(await audit.reviews.status()).toMatchObject([{ open: 0, through: new Date(now).toISOString() }]);
    await expect(complete(midnight)).rejects.toThrow(TypeError);
    await expect(complete(now + DAY)).rejects.toThrow(TypeError);
  });

  test('what waits too long is overdue, in the status and as one event; so is a round that nobody makes', async () => {
    const { audit, clock, events, grant } = await house({ ...roleChanges, within: '2d' });
    const id = await grant('ann', 'eve');
    expect(await audit.reviews.status()).toMatchObject([{ policy: 'roles', open: 1, isOverdue: false }]);
    clock.advance('3d');
    expect((await audit.reviews.queue('roles', user('bob'))).items).toMatchObject([{ overdue: true }]);
    await audit.reviews.status();
    const overdue = { policy: 'roles', open: 1, overdue: 1 };
    expect(audit.status().reviews).toMatchObject([{ ...overdue, isOverdue: true }]);
    const told = () => events.of('audit.review-overdue');
    expect(told()).toMatchObject([overdue]);
    await audit.reviews.signOff('roles', { entries: [id], by: user('bob'), reason: 'late' });
    expect(audit.status().reviews).toMatchObject([{ open: 0, overdue: 0, isOverdue: true }]);
    await audit.reviews.complete('roles', { by: user('bob'), reason: 'first round' });
    expect(audit.status().reviews).toMatchObject([{ isOverdue: false }]);
    clock.advance('3d');
    expect(await audit.reviews.status()).toMatchObject([{ open: 0, isOverdue: true }]);
    expect(told()).toHaveLength(2);
  });

  test('a process looks by itself whether a review is overdue', async () => {
    const { clock, start, grant } = await house({ ...roleChanges, within: '1h' });
    await grant('ann', 'eve');
    clock.advance('2h');
    const { events, audit } = start();
    await eventually(() => expect(events.of('audit.review-overdue')).toHaveLength(1));
    expect(audit.status().reviews).toMatchObject([{ policy: 'roles', overdue: 1 }]);
  });

  test('a sample is chosen by the hashes: the same in all processes, a share of what fits, and of nothing else', async () => {
    const { audit, start, idsFor } = await house({ ...roleChanges, sample: 0.25 });
    const actor = { id: 'ann', kind: 'user' } as const;
    await Promise.all(
      Array.from({ length: 400 }, () => audit.record({ action: 'role.granted', outcome: 'success', actor })),
    );
    const { open: chosen } = (await audit.reviews.status())[0]!;
    // Farther than seven standard deviations from 100 would be no chance.
    expect(chosen).toBeGreaterThan(35);
    expect(chosen).toBeLessThan(165);
    expect(await idsFor('bob', start().audit)).toEqual(await idsFor('bob'));
  });

  test('a round leaves evidence that verifies offline; what is taken out of it or put in is seen', async () => {
    const { audit, grant, signer } = await house();
    const ids = [await grant('ann', 'eve'), await grant('ann', 'joe'), await grant('bob', 'zoe')];
    await audit.reviews.signOff('roles', { entries: ids.slice(0, 2), by: user('bob'), reason: 'fine' });
    await audit.reviews.signOff('roles', { entries: [ids[2]!], by: user('ann'), reason: '?', finding: true });
    const round = await audit.reviews.complete('roles', { by: user('ann'), reason: 'week 1' });
    const lines = await collect(audit.reviews.evidence('roles'));
    const report = await verifyReview(lines, signer.verifierKey);
    expect(report).toMatchObject({
      problems: [],
      policy: 'roles',
      completedBy: 'ann',
      reviewers: ['bob', 'ann'],
      reviewed: 3,
      findings: 1,
    });
    const problemsOf = async (changed: readonly string[]) =>
      (await verifyReview(changed, signer.verifierKey)).problems;
    for (const i of lines.keys()) expect(await problemsOf(lines.toSpliced(i, 1))).not.toEqual([]);
    expect(await problemsOf(lines.map((line) => line.replace('week 1', 'week 2')))).not.toEqual([]);
    expect((await verifyReview(lines, newSigner().verifierKey)).problems).not.toEqual([]);
    // The next round is about what came since.
    const next = await grant('ann', 'kim');
    await audit.reviews.signOff('roles', { entries: [next], by: user('bob'), reason: 'fine' });
    await audit.reviews.complete('roles', { by: user('bob'), reason: 'week 2' });
    const newest = await verifyReview(audit.reviews.evidence('roles'), signer.verifierKey);
    expect(newest).toMatchObject({ problems: [], reviewed: 1, completedBy: 'bob' });
    const again = await verifyReview(audit.reviews.evidence('roles', round.id), signer.verifierKey);
    expect(again).toEqual(report);
  });

  test('nobody writes sign-offs past the review, and a policy does not wait for its own', async () => {
    const { audit, grant } = await house({ match: [{ action: 'role.*' }, { action: 'audit.*' }], since: 0 });
    for (const action of ['audit.review-signed', 'audit.review-completed']) {
      await expect(audit.record({ action, outcome: 'success' })).rejects.toThrow(TypeError);
    }
    const id = await grant('ann', 'eve');
    await audit.reviews.signOff('roles', { entries: [id], by: user('bob'), reason: 'fine' });
    expect(await audit.reviews.status()).toMatchObject([{ open: 0 }]);
  });
}

describe('memory', () => {
  reviewClaims(() => Promise.resolve(memoryAudit()));

  test('a policy that cannot be does not start; a name that is none and a review without reason are refused', async () => {
    const wrong: Record<string, unknown>[] = [
      { Roles: roleChanges },
      { roles: { ...roleChanges, match: [] } },
      { roles: { ...roleChanges, match: [{ acton: 'role.*' }] } },
      { roles: { ...roleChanges, match: [{ action: '*' }] } },
      { roles: { ...roleChanges, since: 'yesterday' } },
      { roles: { match: roleChanges.match } },
      { roles: { ...roleChanges, sample: 0 } },
      { roles: { ...roleChanges, within: '1s' } },
      { roles: { ...roleChanges, withn: '8d' } },
    ];
    for (const reviews of wrong) {
      expect(() => createAudit({ store: memoryAudit(), reviews: reviews as never })).toThrow(
        expect.objectContaining({ name: 'OptionError' }),
      );
    }
    const audit = createAudit({ store: memoryAudit(), reviews: { roles: roleChanges } });
    await expect(audit.reviews.queue('rolls', user('bob'))).rejects.toThrow(TypeError);
    await expect(
      audit.reviews.complete('roles', { by: user('bob'), reason: ' ', through: '2026-01-02' }),
    ).rejects.toThrow(TypeError);
    await audit.close();
  });
});

describeWithPostgres('PostgreSQL', () => {
  const ROLE = 'portcullis_audit_reviews';
  let server: PostgresServer;
  let pool: pg.Pool;
  let schemas = 0;
  beforeAll(async () => {
    server = await startPostgres();
    pool = new pg.Pool({ connectionString: server.url, max: 4 });
  }, 120_000);
  afterAll(async () => {
    await pool.end();
    await server.stop();
  });
  reviewClaims(async () => {
    const sql = fromPg(pool, { timeoutMs: 30_000 });
    const schema = `reviews_${++schemas}`;
    await migrate(sql, [...auditMigrations, auditRoleMigration(ROLE)], { schema });
    return postgresAudit({ sql, schema, role: ROLE, timeoutMs: '30s' });
  });
});
