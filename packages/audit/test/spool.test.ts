import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { fromPg, migrate } from '@portcullis/core/postgres';
import { recordedEvents } from '@portcullis/core/testing';
import {
  describeWithPostgres,
  eventually,
  startPostgres,
  type PostgresServer,
} from '@portcullis/test-support';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { createAudit, memoryAudit, type Audit, type AuditRecord, type AuditStore } from '../src/index.js';
import { auditMigrations, postgresAudit } from '../src/postgres.js';

const created: AuditRecord = {
  action: 'book.created',
  outcome: 'success',
  actor: { id: 'ann', kind: 'user' },
  data: { password: 'Zq9-hunter2_Kw7vB' },
};
const folders: string[] = [];
function folder(): string {
  const made = mkdtempSync(join(tmpdir(), 'portcullis-spool-'));
  folders.push(made);
  return made;
}
afterAll(() => {
  for (const made of folders) rmSync(made, { recursive: true, force: true });
});
const spoolFile = (directory: string): string => join(directory, 'audit-spool.ndjson');

function switchable() {
  const memory = memoryAudit();
  const state = { down: false };
  const store: AuditStore = {
    append: (batch) =>
      state.down
        ? Promise.reject(Object.assign(new Error('down'), { kind: 'unavailable' }))
        : memory.append(batch),
    query: (query) => memory.query(query),
  };
  return { memory, state, store };
}

describe('the disk spool', () => {
  test('takes over when the store is down, and is replayed exactly once when it is back', async () => {
    const { memory, state, store } = switchable();
    const directory = folder();
    const events = recordedEvents();
    const audit = createAudit({ store, spool: { directory }, events, retryEvery: '20ms' });
    await audit.record(created);
    state.down = true;
    const receipts = await Promise.all(Array.from({ length: 1_200 }, () => audit.record(created)));
    expect(receipts.every((receipt) => receipt.durable)).toBe(true);
    expect(audit.status().spooledBytes).toBeGreaterThan(0);
    const lines = readFileSync(spoolFile(directory), 'utf8').trimEnd().split('\n');
    const batches = lines.map((line) => JSON.parse(line) as { bodies: string[] });
    expect(batches.flatMap(({ bodies }) => bodies)).toHaveLength(1_200);

    state.down = false;
    await eventually(() => expect(memory.entries).toHaveLength(1_201));
    await eventually(() => expect(statSync(spoolFile(directory)).size).toBe(0));
    expect(memory.entries.slice(1).map((entry) => entry.id)).toEqual(receipts.map((receipt) => receipt.id));
    // The file is cleared before the replay is reported.
    await eventually(() =>
      expect(events.of('audit.replayed').reduce((sum, event) => sum + event.count, 0)).toBe(1_200),
    );
    expect(audit.status()).toMatchObject({ store: 'up', spooledBytes: 0, dropped: 0 });
    await audit.record(created);
    expect(memory.entries).toHaveLength(1_202);
    await audit.close();
  });

  test('holds no secrets and is readable by its user only', async () => {
    const { state, store } = switchable();
    state.down = true;
    const directory = folder();
    const audit = createAudit({ store, spool: { directory } });
    await audit.record(created);
    expect(readFileSync(spoolFile(directory), 'utf8')).not.toContain('hunter2');
    expect(statSync(spoolFile(directory)).mode & 0o077).toBe(0);
    await audit.close();
  });

  test('at its bound, classes decide: refused or dropped', async () => {
    const { state, store } = switchable();
    state.down = true;
    const audit = createAudit({
      store,
      spool: { directory: folder(), maxBytes: 65_536 },
      classes: { 'search.*': 'drop-and-count' },
    });
    let stored = 0;
    await expect(
      (async () => {
        for (; stored < 10_000; stored++) await audit.record(created);
      })(),
    ).rejects.toMatchObject({ code: 'E_AUDIT_UNAVAILABLE' });
    expect(stored).toBeGreaterThan(50);
    expect(audit.status().spooledBytes).toBeLessThanOrEqual(65_536);
    expect(
      await audit.record({ ...created, action: 'search.done', data: { note: 'n'.repeat(500) } }),
    ).toMatchObject({
      durable: false,
    });
    await audit.close();
  });

  test('what an earlier process left is replayed at the next start; half a line was never acknowledged', async () => {
    const { memory, state, store } = switchable();
    const directory = folder();
    state.down = true;
    const first = createAudit({ store, spool: { directory } });
    const receipts = await Promise.all([first.record(created), first.record(created)]);
    await first.close();
    appendFileSync(spoolFile(directory), '{"writer":"x","bod');

    state.down = false;
    const second = createAudit({ store, spool: { directory } });
    await eventually(() =>
      expect(memory.entries.map((entry) => entry.id)).toEqual(receipts.map(({ id }) => id)),
    );
    await second.close();
    expect(existsSync(join(directory, 'audit-spool.lock'))).toBe(false);
  });

  test('a crash between replay and clearing stores nothing twice', async () => {
    const { memory, state, store } = switchable();
    const directory = folder();
    state.down = true;
    const first = createAudit({ store, spool: { directory } });
    await Promise.all([first.record(created), first.record(created)]);
    await first.close();
    const left = readFileSync(spoolFile(directory));
    state.down = false;
    for (let i = 0; i < 2; i++) {
      writeFileSync(spoolFile(directory), left);
      const next = createAudit({ store, spool: { directory } });
      await eventually(() => expect(next.status().spooledBytes).toBe(0));
      await next.close();
    }
    expect(memory.entries).toHaveLength(2);
  });

  test('a folder that is in use, or cannot be used, does not start', async () => {
    const { store } = switchable();
    const directory = folder();
    const audit: Audit = createAudit({ store, spool: { directory } });
    expect(() => createAudit({ store, spool: { directory } })).toThrow(
      expect.objectContaining({ code: 'E_OPTION_CONFLICT' }),
    );
    await audit.close();
    await createAudit({ store, spool: { directory } }).close();
    const file = join(directory, 'a-file');
    writeFileSync(file, '');
    expect(() => createAudit({ store, spool: { directory: file } })).toThrow(
      expect.objectContaining({ code: 'E_OPTION_VALUE' }),
    );
  });
});

describeWithPostgres('the disk spool before PostgreSQL', () => {
  let server: PostgresServer;
  const pools: pg.Pool[] = [];
  const connect = () => {
    const pool = new pg.Pool({ connectionString: server.url, max: 2 });
    pools.push(pool);
    return fromPg(pool);
  };
  beforeAll(async () => {
    server = await startPostgres({ durable: true });
    await migrate(connect(), auditMigrations);
  }, 60_000);
  afterAll(async () => {
    await Promise.all(pools.map((pool) => pool.end().catch(() => undefined)));
    await server.stop();
  });

  test('killed and restarted under load: nothing acknowledged is lost, nothing is refused, nothing is twice', async () => {
    const directory = folder();
    const sql = connect();
    const audit = createAudit({
      store: postgresAudit({ sql, timeoutMs: 500 }),
      spool: { directory },
      retryEvery: '50ms',
    });
    const ids: string[] = [];
    const load = { on: true };
    const callers = Array.from({ length: 8 }, async () => {
      while (load.on) ids.push((await audit.record(created)).id);
    });
    try {
      await eventually(() => expect(ids.length).toBeGreaterThan(100));
      await server.kill();
      const atOutage = ids.length;
      await eventually(() => expect(ids.length).toBeGreaterThan(atOutage + 200));
      await server.restart();
    } finally {
      load.on = false;
    }
    await Promise.all(callers);
    await eventually(() => expect(audit.status()).toMatchObject({ store: 'up', spooledBytes: 0 }));
    await audit.close();
    const { rows } = await sql.query<{ id: string }>(
      "select id from portcullis.audit_entry where kind <> 'log'",
    );
    expect(rows.map((row) => row.id).sort()).toEqual([...ids].sort());
  }, 60_000);

  test('kill -9 of the writer while the store is paused: acknowledged records are on disk and come home', async () => {
    const directory = folder();
    const before = (await connect().query("select id from portcullis.audit_entry where kind <> 'log'"))
      .rowCount;
    server.pause();
    // The published build is not there in tests: the child reads the source, as this test does.
    const program = `
      import { createAudit } from '@portcullis/audit';
      const store = { append: () => Promise.reject(Object.assign(new Error(), { kind: 'unavailable' })), query() {} };
      const audit = createAudit({ store, spool: { directory: ${JSON.stringify(directory)} } });
      for (;;) process.stdout.write((await audit.record({ action: 'book.created', outcome: 'success' })).id + '\\n');
    `;
    const child = spawn(
      process.execPath,
      ['--conditions=@portcullis/source', '--import', 'tsx', '--input-type=module', '-e', program],
      { cwd: join(import.meta.dirname, '..'), stdio: ['ignore', 'pipe', 'inherit'] },
    );
    let printed = '';
    child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
    await eventually(() => expect(printed.length).toBeGreaterThan(37 * 50), 30_000);
    child.kill('SIGKILL');
    await once(child, 'close');
    server.resume();
    const acknowledged = printed.slice(0, printed.lastIndexOf('\n')).split('\n');

    const sql = connect();
    const audit = createAudit({ store: postgresAudit({ sql }), spool: { directory } });
    await eventually(() => expect(audit.status().spooledBytes).toBe(0));
    await audit.close();
    const { rows } = await sql.query<{ id: string }>(
      "select id from portcullis.audit_entry where kind <> 'log'",
    );
    const stored = new Set(rows.map((row) => row.id));
    expect(acknowledged.filter((id) => !stored.has(id))).toEqual([]);
    // At most the one record whose acknowledgement was on its way.
    expect(rows.length - before).toBeLessThanOrEqual(acknowledged.length + 1);
  }, 60_000);
});
