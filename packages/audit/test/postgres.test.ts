import type { PGlite } from '@electric-sql/pglite';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { sql as tag, type Sql } from '@portcullis/core';
import { fromPg, fromPglite, migrate } from '@portcullis/core/postgres';
import { recordedEvents } from '@portcullis/core/testing';
import {
  describeWithPostgres,
  embeddedPostgres,
  eventually,
  startPostgres,
  type PostgresServer,
} from '@portcullis/test-support';
import { generateKeyPairSync, randomUUID } from 'node:crypto';
import pg from 'pg';
import {
  canonicalJson,
  createAudit,
  ed25519Signer,
  verifyDisclosure,
  verifyLog,
  type AuditBatch,
  type AuditRecord,
  type StoredEntry,
} from '../src/index.js';
import { auditMigrations, auditRoleMigration, postgresAudit } from '../src/postgres.js';

const ROLE = 'portcullis_audit_test';
const migrations = [...auditMigrations, auditRoleMigration(ROLE)];
const everything = { viewer: 'system' } as const;
const created: AuditRecord = {
  action: 'book.created',
  outcome: 'success',
  actor: { id: 'ann', kind: 'user' },
  target: { type: 'book', id: '12' },
};

/** The claims that hold on a server and embedded alike. */
function storeClaims(connect: () => Sql): void {
  const make = (options: { role?: string } = { role: ROLE }) => {
    const sql = connect();
    return { sql, audit: createAudit({ store: postgresAudit({ sql, ...options }) }) };
  };
  const by = async (
    audit: ReturnType<typeof make>['audit'],
    actor: string,
  ): Promise<readonly StoredEntry[]> => (await audit.query({ ...everything, actor, limit: 500 })).entries;

  test('whoever seals, there is one log: every entry under a checkpoint, proved by O(log n) reads, nothing out of sight', async () => {
    const sql = connect();
    const key = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const signer = ed25519Signer({ origin: 'library.example/audit', key });
    await migrate(sql, migrations, { schema: 'sealed' });
    const store = postgresAudit({ sql, role: ROLE, schema: 'sealed' });
    const options = { store, signer, anchors: false, checkpointEvery: '10ms' } as const;
    const processes = [createAudit(options), createAudit(options), createAudit(options)];
    const receipts = await Promise.all(
      Array.from({ length: 300 }, (_, i) =>
        processes[i % 3]!.record({ ...created, target: { type: 'n', id: `${i}` } }),
      ),
    );
    const notes: string[] = [];
    for (const audit of processes) notes.push((await audit.checkpoint())!.note);
    await processes[0]!.close();
    const lines: string[] = [];
    for await (const line of processes[1]!.export()) lines.push(line);
    const { verifierKey } = signer;
    const report = await verifyLog(lines, { verifierKey, anchors: notes });
    expect(report).toMatchObject({ writers: 3, tampered: [], warnings: [] });
    expect(report.entries).toBeGreaterThanOrEqual(304);
    for (const { id } of [receipts[0]!, receipts[299]!]) {
      for await (const line of processes[1]!.disclose([id])) {
        expect(verifyDisclosure(line, verifierKey)).toMatchObject({ proved: true, entry: { id } });
      }
    }
    expect(await processes[2]!.prove('no such entry')).toBeUndefined();
    await Promise.all(processes.map((audit) => audit.close()));
  });

  test('what was recorded is found, byte for byte, with columns that say what the body says', async () => {
    const { sql, audit } = make();
    const { id } = await audit.record({
      ...created,
      actor: { id: 'bytes', kind: 'user' },
      change: { before: { title: 'Ema' }, after: { title: 'Emma\'s \u20ac \u{1f512} \\ " \u2028' } },
      data: { n: 1.5, list: [1, null, 'x'], nul: 'a\0b', half: '\ud800' },
    });
    const [entry] = await by(audit, 'bytes');
    expect(entry).toMatchObject({ id, action: 'book.created', change: { before: { title: 'Ema' } } });
    // Whatever happens to time zones, column types or dumps: the bytes are what was said (pitfall 24).
    expect(canonicalJson(JSON.parse(entry!.body))).toBe(entry!.body);
    // Whoever may write all columns cannot make them lie.
    const other = entry!.body.replace(id, randomUUID());
    let columns: readonly unknown[] = [];
    const taken = sql.transaction(async (tx) => {
      await tx.query(
        tag`insert into portcullis.audit_entry (w, n, body, action, actor) values ('w', 0, ${other}, 'other.thing', 'eve')`,
      );
      const read = tag`select action, actor, kind, outcome, target_type, target_id, request, at from portcullis.audit_entry where w = 'w'`;
      columns = (await tx.query(read)).rows;
      throw new Error('taken back');
    });
    await expect(taken).rejects.toThrow('taken back');
    expect(columns).toEqual([
      {
        action: 'book.created',
        actor: 'bytes',
        kind: 'action',
        outcome: 'success',
        target_type: 'book',
        target_id: '12',
        request: null,
        at: entry!.time,
      },
    ]);
    await expect(
      sql.query(tag`insert into portcullis.audit_entry (w, n, body) values ('w', 0, '{"v":1}')`),
    ).rejects.toMatchObject({
      kind: 'not-null',
    });
  });

  test('a thousand records at once are all there, in one order, once each', async () => {
    const { audit } = make();
    const receipts = await Promise.all(
      Array.from({ length: 1_000 }, (_, i) =>
        audit.record({ ...created, actor: { id: 'thousand', kind: 'user' }, data: { i } }),
      ),
    );
    const ids: string[] = [];
    const seqs: bigint[] = [];
    let cursor: string | undefined;
    do {
      const page = await audit.query({
        ...everything,
        actor: 'thousand',
        limit: 300,
        ...(cursor === undefined ? {} : { cursor }),
      });
      for (const entry of page.entries) {
        ids.push(entry.id);
        seqs.push(BigInt(entry.seq));
      }
      cursor = page.next;
    } while (cursor !== undefined);
    expect(ids).toEqual(receipts.map((receipt) => receipt.id).toReversed());
    expect(seqs.every((seq, i) => i === 0 || seq < seqs[i - 1]!)).toBe(true);
  });

  test('a batch that comes twice is stored once; an id in another batch is refused', async () => {
    const { sql } = make();
    const store = postgresAudit({ sql, role: ROLE });
    const batches: AuditBatch[] = [];
    const audit = createAudit({
      store: { ...store, append: (batch) => (batches.push(batch), store.append(batch)) },
    });
    await audit.record({ ...created, actor: { id: 'twice', kind: 'user' } });
    await store.append(batches[0]!);
    await store.append(batches[0]!);
    await expect(store.append({ ...batches[0]!, writer: 'A'.repeat(22) })).rejects.toMatchObject({
      kind: 'unique',
    });
    expect(await by(audit, 'twice')).toHaveLength(1);
  });

  test('filters: action prefix, outcome, target, request, time', async () => {
    const { audit } = make();
    const actor = { id: 'filters', kind: 'user' } as const;
    for (const action of ['loan.created', 'loan.returned', 'loans.other', 'book.created']) {
      await audit.record({
        ...created,
        actor,
        action,
        outcome: action === 'loan.returned' ? 'denied' : 'success',
      });
    }
    const find = async (filter: object): Promise<string[]> =>
      (await audit.query({ ...everything, actor: 'filters', ...filter })).entries.map(
        (entry) => entry.action,
      );
    expect(await find({ action: 'loan.*' })).toEqual(['loan.returned', 'loan.created']);
    expect(await find({ action: 'book.created' })).toEqual(['book.created']);
    expect(await find({ outcome: 'denied' })).toEqual(['loan.returned']);
    expect(await find({ target: { type: 'book', id: "12' or '1'='1" } })).toEqual([]);
    expect(await find({ from: 0, to: new Date(), kind: 'action', target: { type: 'book' } })).toHaveLength(4);
    expect(await find({ to: 1 })).toEqual([]);
  });

  test('UPDATE, DELETE and TRUNCATE are refused, for the owner of the table too', async () => {
    const { sql, audit } = make();
    await audit.record({ ...created, actor: { id: 'guarded', kind: 'user' } });
    for (const statement of [
      `update portcullis.audit_entry set body = body`,
      `delete from portcullis.audit_entry`,
      `delete from portcullis.audit_entry where false`,
      `truncate portcullis.audit_entry`,
      `insert into portcullis.audit_entry (w, n, body) select w, n, body from portcullis.audit_entry limit 1
         on conflict (id) do update set body = excluded.body`,
    ]) {
      await expect(sql.query(statement)).rejects.toMatchObject({ kind: 'permission', sqlState: '42501' });
      await expect(
        sql.transaction((tx) => tx.query(statement), { role: ROLE, settings: { 'app.is_staff': 'true' } }),
      ).rejects.toMatchObject({ kind: 'permission' });
    }
    expect(await by(audit, 'guarded')).toHaveLength(1);
  });

  test('row-level policy: people read only their own entries, staff read all, nobody else reads anything', async () => {
    const { sql, audit } = make();
    for (const id of ['reader-a', 'reader-b'])
      await audit.record({ ...created, actor: { id, kind: 'user' } });
    // No condition in the statement: the database itself decides.
    const seenBy = async (settings: Record<string, string>): Promise<Set<unknown>> => {
      const { rows } = await sql.transaction((tx) => tx.query('select actor from portcullis.audit_entry'), {
        role: ROLE,
        readOnly: true,
        settings,
      });
      return new Set(rows.map((row) => row['actor']));
    };
    expect(await seenBy({ 'app.user_id': 'reader-a' })).toEqual(new Set(['reader-a']));
    expect(await seenBy({ 'app.user_id': 'reader-a', 'app.is_staff': 'false' })).toEqual(
      new Set(['reader-a']),
    );
    const staff = await seenBy({ 'app.user_id': 'x', 'app.is_staff': 'true' });
    expect(staff.has('reader-a') && staff.has('reader-b')).toBe(true);
    expect(await seenBy({})).toEqual(new Set());
    expect(await seenBy({ 'app.user_id': '' })).toEqual(new Set());

    const own = await audit.query({ viewer: { id: 'reader-a', staff: false } });
    expect(new Set(own.entries.map((entry) => entry.actor.id))).toEqual(new Set(['reader-a']));
    expect(
      (await audit.query({ viewer: { id: 'reader-a', staff: false }, actor: 'reader-b' })).entries,
    ).toEqual([]);
    // Also without the role, on a connection that bypasses row-level security.
    const { audit: plain } = make({});
    const seen = await plain.query({ viewer: { id: 'reader-b', staff: false } });
    expect(new Set(seen.entries.map((entry) => entry.actor.id))).toEqual(new Set(['reader-b']));
  });

  test('record and action are one: committed together, rolled back together (pgaudit #280, strapi #16768)', async () => {
    const { sql, audit } = make();
    await sql.query('create table if not exists public.loan (id int primary key)');
    const lend = (id: number, fail: boolean): Promise<void> =>
      sql.transaction(async (tx) => {
        await tx.query(tag`insert into public.loan values (${id})`);
        await audit.tx(tx).record({
          action: 'loan.created',
          outcome: 'success',
          actor: { id: 'atomic', kind: 'user' },
          target: { type: 'loan', id: String(id) },
        });
        if (fail) throw new Error('no such book');
      });
    await lend(1, false);
    await expect(lend(2, true)).rejects.toThrow('no such book');
    await expect(lend(1, false)).rejects.toMatchObject({ kind: 'unique' });
    expect((await by(audit, 'atomic')).map((entry) => entry.target!.id)).toEqual(['1']);
    expect((await sql.query('select id from public.loan')).rows).toEqual([{ id: 1 }]);
    await sql.query('drop table public.loan');
  });

  test('a process that dies between commit and relay loses nothing: another one finds the entry, once', async () => {
    const { sql, audit } = make();
    const store = postgresAudit({ sql, role: ROLE });
    // A process that commits and relays nothing any more.
    const dying = createAudit({ store: { ...store, append: () => new Promise(() => undefined) } });
    let id = '';
    await sql.transaction(async (tx) => {
      const record = { ...created, actor: { id: 'orphan', kind: 'user' } } as const;
      ({ id } = await dying.tx(tx).record(record));
    });
    const left = async () => (await store.outbox!.waiting(0, 100)).map((entry) => entry.id);
    expect(await left()).toContain(id);
    const other = createAudit({ store });
    await Promise.all([audit.relay(0), other.relay(0)]);
    expect((await by(audit, 'orphan')).map((entry) => entry.id)).toEqual([id]);
    expect(await left()).not.toContain(id);
    await other.close();
  });

  test('an action whose record fails does not happen: the transaction is rolled back', async () => {
    const { sql, audit } = make();
    await sql.query('create table if not exists public.loan (id int primary key)');
    await sql.query('grant insert on public.loan to pg_read_all_data');
    await expect(
      sql.transaction(
        async (tx) => {
          await tx.query('insert into public.loan values (3)');
          await audit.tx(tx).record({ ...created, action: 'loan.created' });
        },
        // Some role of the app that must not write to the log.
        { role: 'pg_read_all_data' },
      ),
    ).rejects.toMatchObject({ code: 'E_AUDIT_UNAVAILABLE', status: 503, cause: { kind: 'permission' } });
    expect((await sql.query('select id from public.loan')).rows).toEqual([]);
    await sql.query('drop table public.loan');
  });
}

describe('PGlite', () => {
  let db: PGlite;
  let sql: Sql;
  beforeAll(async () => {
    db = await embeddedPostgres();
    sql = fromPglite(db as never);
    await migrate(sql, migrations);
  }, 60_000);
  afterAll(() => db.close());
  storeClaims(() => sql);
});

describeWithPostgres('PostgreSQL', () => {
  let server: PostgresServer;
  let url: string;
  const pools: pg.Pool[] = [];
  const connect = (to = url): Sql => {
    const pool = new pg.Pool({ connectionString: to, max: 4 });
    pools.push(pool);
    return fromPg(pool, { timeoutMs: 5_000 });
  };
  beforeAll(async () => {
    server = await startPostgres({ durable: true });
    url = await server.createDatabase();
    // Twice: applying again, and the role of another database of the server, are no errors.
    await migrate(connect(), migrations);
    await migrate(connect(), migrations);
    await migrate(connect(await server.createDatabase()), migrations);
  }, 60_000);
  afterAll(async () => {
    server.resume();
    await Promise.all(pools.map((pool) => pool.end().catch(() => undefined)));
    await server.stop();
  });

  describe('claims', () => {
    let shared: Sql;
    beforeAll(() => {
      shared = connect();
    });
    storeClaims(() => shared);
  });

  test('an owner without superuser rights reads nothing without saying for whom (forced row-level security)', async () => {
    const admin = connect();
    await admin.query(
      `create role app_owner login createrole; grant all on database ${new URL(url).pathname.slice(1)} to app_owner`,
    );
    const own = new URL(url);
    own.username = 'app_owner';
    const sql = connect(own.href);
    await migrate(sql, auditMigrations, { schema: 'owned' });
    const audit = createAudit({ store: postgresAudit({ sql, schema: 'owned' }) });
    await audit.record(created);
    expect((await sql.query('select * from owned.audit_entry')).rows).toEqual([]);
    await expect(sql.query('delete from owned.audit_entry')).rejects.toMatchObject({ kind: 'permission' });
    expect((await audit.query(everything)).entries).toHaveLength(1);
    expect((await audit.query({ viewer: { id: 'ann', staff: false } })).entries).toHaveLength(1);
    expect((await audit.query({ viewer: { id: 'bob', staff: false } })).entries).toEqual([]);
  });

  test('group commit: 2,000 records of 64 callers need far fewer transactions', async () => {
    const sql = connect();
    const audit = createAudit({ store: postgresAudit({ sql }) });
    const commits = async (): Promise<number> => {
      const { rows } = await sql.query<{ n: string }>(
        'select count(*)::text as n from portcullis.audit_batch',
      );
      return Number(rows[0]!.n);
    };
    const before = await commits();
    await Promise.all(
      Array.from({ length: 64 }, async () => {
        for (let i = 0; i < 32; i++) await audit.record(created);
      }),
    );
    expect((await commits()) - before).toBeLessThan(400);
  });

  test('killed and restarted: what was acknowledged is there, what was not was refused', async () => {
    const events = recordedEvents();
    const audit = createAudit({ store: postgresAudit({ sql: connect() }), events, retryEvery: '50ms' });
    const acknowledged: string[] = [];
    let refused = 0;
    const load = { on: true };
    const callers = Array.from({ length: 16 }, async () => {
      while (load.on) {
        try {
          const { id } = await audit.record({ ...created, actor: { id: 'survivor', kind: 'user' } });
          acknowledged.push(id);
        } catch (error) {
          expect(error).toMatchObject({ code: 'E_AUDIT_UNAVAILABLE', status: 503 });
          refused++;
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      }
    });
    try {
      await eventually(() => expect(acknowledged.length).toBeGreaterThan(200));
      await server.kill();
      await eventually(() => expect(refused).toBeGreaterThan(0));
      const atOutage = acknowledged.length;
      await server.restart();
      await eventually(() => expect(acknowledged.length).toBeGreaterThan(atOutage + 50));
    } finally {
      load.on = false;
    }
    await Promise.all(callers);

    const stored = new Set<string>();
    let cursor: string | undefined;
    do {
      const page = await audit.query({
        ...everything,
        actor: 'survivor',
        limit: 500,
        ...(cursor === undefined ? {} : { cursor }),
      });
      for (const entry of page.entries) stored.add(entry.id);
      cursor = page.next;
    } while (cursor !== undefined);
    expect(acknowledged.filter((id) => !stored.has(id))).toEqual([]);
    expect(events.of('audit.degraded').length).toBeGreaterThan(0);
    expect(events.of('audit.recovered').length).toBeGreaterThan(0);
  }, 60_000);

  test('paused: a blocking class is refused within its deadline, a droppable one goes on, and both recover', async () => {
    const events = recordedEvents();
    const audit = createAudit({
      store: postgresAudit({ sql: connect(), timeoutMs: 300 }),
      events,
      retryEvery: '50ms',
      classes: { 'search.*': 'drop-and-count' },
    });
    await audit.record(created);
    server.pause();
    try {
      const results = await Promise.allSettled([
        audit.record(created),
        audit.record({ ...created, action: 'search.done' }),
      ]);
      expect(results[0]).toMatchObject({ status: 'rejected', reason: { code: 'E_AUDIT_UNAVAILABLE' } });
      expect(results[1]).toMatchObject({ status: 'fulfilled', value: { durable: false } });
      expect(audit.status()).toMatchObject({ store: 'down', dropped: 1 });
      expect(events.of('audit.dropped')).toMatchObject([{ count: 1, of: 'action' }]);
    } finally {
      server.resume();
    }
    await eventually(() => audit.record(created));
    expect(audit.status().store).toBe('up');
  });
});
