import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { fromPg, migrate } from '@portcullis/core/postgres';
import { describeWithPostgres, startPostgres, type PostgresServer } from '@portcullis/test-support';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { createAudit, fileAnchor, verifyLog, type Audit } from '../src/index.js';
import { auditMigrations, auditRoleMigration, postgresAudit } from '../src/postgres.js';
import { collect, signer, verifierKey } from './support/some-log.js';
import { testWith } from './support/test-with.js';

const ROLE = 'portcullis_audit_restore';
const installed = '/usr/lib/postgresql';
const programs = existsSync(installed)
  ? readdirSync(installed)
      .map((version) => join(installed, version, 'bin'))
      .find((path) => existsSync(join(path, 'pg_dump')) && existsSync(join(path, 'psql')))
  : undefined;

describeWithPostgres('PostgreSQL', () => {
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-restore-'));
  let path: string;
  let logs = 0;
  const pools: pg.Pool[] = [];
  const open: Audit[] = [];
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  }, 60_000);
  afterAll(async () => {
    for (const audit of open) await audit.close();
    for (const pool of pools) await pool.end();
    await server.stop();
    rmSync(folder, { recursive: true });
  });

  function connect(url: string) {
    const pool = new pg.Pool({ connectionString: url, max: 4 });
    pools.push(pool);
    return fromPg(pool, { timeoutMs: 30_000 });
  }

  async function house(url: string) {
    const sql = connect(url);
    await migrate(sql, [...auditMigrations, auditRoleMigration(ROLE)]);
    const audit = createAudit({
      store: postgresAudit({ sql, role: ROLE, timeoutMs: '30s' }),
      deadline: '60s',
      signer,
      anchors: [fileAnchor({ path })],
      checkpointEvery: '1h',
    });
    open.push(audit);
    return { sql, audit };
  }

  async function filled() {
    path = join(folder, `anchor-${++logs}.ndjson`);
    const url = await server.createDatabase();
    const { sql, audit } = await house(url);
    await sql.query('create table book (id int primary key, title text, bought timestamptz)');
    await audit.track(sql, 'book');
    await sql.query(
      `insert into book select n, 'Book ' || n, '2026-03-29 01:30+01' from generate_series(1, 20) n`,
    );
    await sql.query(`update book set title = 'Emma' where id = 7`);
    for (let i = 0; i < 5; i++) {
      await audit.record({ action: 'book.read', outcome: 'success', reason: 'Sch\u00f6n \u{1f4d6} \\ "x"' });
    }
    await audit.relay(0);
    await audit.checkpoint();
    return { url, sql, audit };
  }

  function noteOf(): string {
    const newest = readFileSync(path, 'utf8').trimEnd().split('\n').at(-1)!;
    return (JSON.parse(newest) as { checkpoint: string }).checkpoint;
  }

  async function verified(audit: Audit) {
    const anchors = [noteOf()];
    const report = await verifyLog(audit.export(), { verifierKey, anchors });
    expect(report).toMatchObject({ tampered: [], warnings: [] });
    return report;
  }

  testWith('pg_dump and psql', programs)(
    'pg_dump and a restore into another database: the same bytes verify with the anchor, and the log goes on',
    async () => {
      const { url, audit } = await filled();
      await audit.close();
      const before = await collect(audit.export());
      const target = await server.createDatabase();
      const dump = execFileSync(join(programs!, 'pg_dump'), ['--dbname', url], { maxBuffer: 1 << 28 });
      const quiet = ['--dbname', target, '--quiet', '--set', 'ON_ERROR_STOP=1'];
      execFileSync(join(programs!, 'psql'), quiet, { input: dump, stdio: ['pipe', 'ignore', 'inherit'] });
      const restored = await house(target);
      expect(await collect(restored.audit.export())).toEqual(before);
      await restored.audit.record({ action: 'book.read', outcome: 'success' });
      await restored.audit.checkpoint();
      expect(restored.audit.status()).toMatchObject({ guarantee: 'anchored', warnings: [] });
      await verified(restored.audit);
      await expect(restored.sql.query('delete from portcullis.audit_entry')).rejects.toMatchObject({
        name: 'SqlError',
      });
    },
    60_000,
  );

  test('another time zone of the server changes no byte, and times of rows go on in UTC', async () => {
    const { url, sql, audit } = await filled();
    const before = await collect(audit.export());
    const database = new URL(url).pathname.slice(1);
    await sql.query(`alter database "${database}" set timezone to 'America/St_Johns'`);
    const moved = await house(url);
    const zone = await moved.sql.query<{ TimeZone: string }>('show timezone');
    expect(zone.rows[0]!.TimeZone).toBe('America/St_Johns');
    expect(await collect(moved.audit.export())).toEqual(before);
    await moved.audit.track(moved.sql, 'book');
    await moved.sql.query(`update book set bought = bought where id = 7`);
    await moved.sql.query(`update book set title = 'Persuasion' where id = 7`);
    const row = await moved.audit.asOf('book', '7', new Date());
    expect(row).toMatchObject({ title: 'Persuasion', bought: '2026-03-29T00:30:00.000000Z' });
    const { entries } = await moved.audit.history('book', '7', { viewer: 'system' });
    expect(entries.map(({ changes }) => changes.map(({ field }) => field))).toEqual([
      ['title'],
      ['title'],
      ['bought', 'id', 'title'],
    ]);
    await moved.audit.checkpoint();
    await verified(moved.audit);
  });

  test('columns that are added to or stand in another order in the tables of the log and in tracked ones change nothing that verifies', async () => {
    const { sql, audit } = await filled();
    const before = await collect(audit.export());
    await sql.query(`
      alter table portcullis.audit_entry add column indexed_by_us text;
      alter table portcullis.audit_batch disable trigger audit_batch_append_only;
      alter table portcullis.audit_batch add column moved text;
      update portcullis.audit_batch set moved = signature;
      alter table portcullis.audit_batch drop column signature;
      alter table portcullis.audit_batch rename column moved to signature;
      alter table portcullis.audit_batch enable always trigger audit_batch_append_only;
      grant insert, select on portcullis.audit_batch to ${ROLE};
      alter table book add column shelf int default 3;
      alter table book add column name text;
      update book set name = title;
      alter table book drop column title;
      alter table book rename column name to title`);
    expect(await collect(audit.export())).toEqual(before);
    await audit.track(sql, 'book');
    await sql.query(`update book set title = 'Persuasion', shelf = 4 where id = 7`);
    const { entries } = await audit.history('book', '7', { viewer: 'system' });
    expect(entries[0]!.changes).toEqual([
      { field: 'shelf', before: 3, after: 4 },
      { field: 'title', before: 'Emma', after: 'Persuasion' },
    ]);
    await audit.checkpoint();
    const report = await verified(audit);
    expect(report.entries).toBeGreaterThan(26);
  });
});
