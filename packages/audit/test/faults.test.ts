import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { context } from '@portcullis/core';
import { fromPg, migrate } from '@portcullis/core/postgres';
import { recordedEvents } from '@portcullis/core/testing';
import {
  describeWithPostgres,
  eventually,
  onBothExpress,
  startPostgres,
  type PostgresServer,
} from '@portcullis/test-support';
import type { NextFunction, Request, Response } from 'express';
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { fileAudit } from '../src/file.js';
import {
  createAudit,
  memoryAudit,
  verifyLog,
  type Audit,
  type AuditOptions,
  type AuditRecord,
} from '../src/index.js';
import { auditMigrations, postgresAudit } from '../src/postgres.js';
import { dumper, foundIn, PLANTED } from './support/planted.js';
import { signer, verifierKey } from './support/some-log.js';
import { testWith } from './support/test-with.js';

const root = mkdtempSync(join(tmpdir(), 'portcullis-faults-'));
const open: Audit[] = [];
afterEach(() => Promise.all(open.splice(0).map((audit) => audit.close())));
afterAll(() => {
  if (hasDisk) spawnSync('umount', ['-l', disk]);
  rmSync(root, { recursive: true, force: true });
});
let folders = 0;
function folder(): string {
  const made = join(root, String(++folders));
  mkdirSync(made);
  return made;
}
const created: AuditRecord = {
  action: 'book.created',
  outcome: 'success',
  data: { note: 'n'.repeat(1_000) },
};

/** A program of its own, which prints a line for each thing that it was told is done. */
function start(program: string, options: { readonly shell?: string; readonly env?: NodeJS.ProcessEnv } = {}) {
  const node = ['--conditions=@portcullis/source', '--import', 'tsx', '--input-type=module', '-e', program];
  const command = options.shell
    ? (['bash', ['-c', `${options.shell}; exec "$0" "$@"`, process.execPath, ...node]] as const)
    : ([process.execPath, node] as const);
  const child = spawn(command[0], command[1], {
    cwd: join(import.meta.dirname, '..'),
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, TSX_DISABLE_CACHE: '1', ...options.env },
  });
  let text = '';
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()));
  return {
    lines: (): string[] => text.split('\n').slice(0, -1),
    async kill(): Promise<void> {
      child.kill('SIGKILL');
      if (child.exitCode === null && child.signalCode === null) await once(child, 'close');
    },
    ended: once(child, 'close'),
  };
}

/** A small disk of its own, where the system lets us make one. */
const disk = join(root, 'disk');
mkdirSync(disk);
const hasDisk = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', disk]).status === 0;

describe('a full disk', () => {
  testWith('a small disk (mount of tmpfs, as root)', hasDisk, true)(
    'under the log in files: refused while it is full, nothing acknowledged is lost, and it goes on with room',
    async () => {
      const directory = join(disk, 'log');
      const ballast = join(disk, 'ballast');
      const make = () =>
        createAudit({ store: fileAudit({ directory }), signer, anchors: false, retryEvery: '10ms' });
      const audit = make();
      const ids: string[] = [];
      writeFileSync(ballast, Buffer.alloc(1 << 20));
      const refused = await (async () => {
        for (;;) {
          const result = await audit.record(created).catch((error: unknown) => error as Error);
          if (result instanceof Error) return result;
          ids.push(result.id);
        }
      })();
      expect(refused).toMatchObject({
        code: 'E_AUDIT_UNAVAILABLE',
        status: 503,
        details: { reason: 'ENOSPC' },
      });
      expect(ids.length).toBeGreaterThan(100);
      expect(audit.status()).toMatchObject({ store: 'down', dropped: 0 });
      rmSync(ballast);
      await eventually(async () => ids.push((await audit.record(created)).id));
      await audit.close();
      const store = fileAudit({ directory });
      const stored: string[] = [];
      const lines: string[] = [];
      for await (const line of store.export!()) {
        lines.push(line);
        stored.push(...(/,"id":"([^"]+)","k":"action"/.exec(line)?.slice(1) ?? []));
      }
      expect(stored).toEqual(ids);
      expect((await verifyLog(lines, { verifierKey })).tampered).toEqual([]);
      await store.close!();
      rmSync(directory, { recursive: true });
    },
    60_000,
  );

  testWith('a small disk (mount of tmpfs, as root)', hasDisk, true)(
    'under the spool: each class as it is decided, and what was acknowledged comes home',
    async () => {
      const memory = memoryAudit();
      const state = { down: true };
      const store = {
        ...memory,
        append: (batch: Parameters<typeof memory.append>[0]) =>
          state.down ? Promise.reject(new Error('down')) : memory.append(batch),
      };
      const spool = { directory: join(disk, 'spool') };
      const classes = { 'search.*': 'drop-and-count' } as const;
      const audit = createAudit({ store, spool, classes, retryEvery: '10ms', anchors: false });
      open.push(audit);
      const ids: string[] = [];
      const refused = await (async () => {
        for (;;) {
          const result = await audit.record(created).catch((error: unknown) => error as Error);
          if (result instanceof Error) return result;
          ids.push(result.id);
        }
      })();
      expect(refused).toMatchObject({ code: 'E_AUDIT_UNAVAILABLE', status: 503 });
      expect(await audit.record({ ...created, action: 'search.done' })).toMatchObject({ durable: false });
      expect(audit.status().dropped).toBe(1);
      state.down = false;
      await eventually(() => expect(audit.status().spooledBytes).toBe(0));
      await audit.record({ ...created, action: 'search.done' });
      expect(memory.entries.slice(0, -1).map(({ id }) => id)).toEqual(ids);
    },
    60_000,
  );

  test('as a limit of the process on a file (ulimit -f): refused, and what was acknowledged is there', async () => {
    const directory = folder();
    const program = `
      import { createAudit } from '@portcullis/audit';
      import { fileAudit } from '@portcullis/audit/file';
      const audit = createAudit({ store: fileAudit({ directory: ${JSON.stringify(directory)} }), anchors: false });
      const record = { action: 'book.created', outcome: 'success', data: { note: 'n'.repeat(1_000) } };
      for (;;) {
        try { console.log((await audit.record(record)).id); }
        catch (error) { console.log(error.code, error.details.reason); break; }
      }
      process.exit();
    `;
    const child = start(program, { shell: 'ulimit -f 256' });
    await child.ended;
    const said = child.lines();
    expect(said.at(-1)).toBe('E_AUDIT_UNAVAILABLE EFBIG');
    expect(said.length).toBeGreaterThan(100);
    const store = fileAudit({ directory });
    const lines: string[] = [];
    for await (const line of store.export!()) lines.push(line);
    for (const id of said.slice(0, -1)) expect(lines.some((line) => line.includes(id))).toBe(true);
    expect((await verifyLog(lines)).tampered).toEqual([]);
    await store.close!();
  }, 60_000);
});

describeWithPostgres('PostgreSQL in trouble', () => {
  let server: PostgresServer;
  const pools: pg.Pool[] = [];
  const connect = (url = server.url) => {
    const pool = new pg.Pool({ connectionString: url, max: 3, connectionTimeoutMillis: 2_000 });
    pool.on('error', () => undefined);
    pools.push(pool);
    return fromPg(pool, { timeoutMs: 30_000 });
  };
  beforeAll(async () => {
    server = await startPostgres({ durable: true });
    await migrate(connect(), auditMigrations);
  }, 60_000);
  afterAll(async () => {
    await Promise.all(pools.map((pool) => pool.end().catch(() => undefined)));
    await server.stop();
  });

  onBothExpress((express, major) => {
    /** Three routes whose actions are seen from outside: one that must be recorded, one whose record may be lost, one in the access log only. */
    async function served(options: Partial<AuditOptions> = {}) {
      const events = recordedEvents();
      const audit = createAudit({
        store: postgresAudit({ sql: connect(), timeoutMs: 400 }),
        classes: { 'search.*': 'drop-and-count' },
        retryEvery: '50ms',
        deadline: '1s',
        anchors: false,
        events,
        ...options,
      });
      const done: string[] = [];
      const app = express();
      app.use(context({ trustProxy: false }) as never, audit.accessLog() as never);
      const act = (action: string) => (req: Request, res: Response, next: NextFunction) => {
        audit.record({ action, outcome: 'success', request: req }).then(() => {
          done.push(action);
          res.sendStatus(204);
        }, next);
      };
      app.post('/grants', act('role.granted'));
      app.post('/searches', act('search.done'));
      app.get('/books', (_req, res) => void res.sendStatus(204));
      app.use((error: { status?: number }, _req: Request, res: Response, _next: NextFunction) => {
        res.sendStatus(error.status ?? 500);
      });
      const http = createServer(app as never);
      http.listen(0, '127.0.0.1');
      await once(http, 'listening');
      const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
      const ask = async (method: string, path: string) => (await fetch(url + path, { method })).status;
      return {
        audit,
        events,
        done,
        ask,
        async end() {
          http.closeAllConnections();
          http.close();
          await audit.close();
        },
      };
    }

    for (const [fault, begin, end] of [
      ['hung (SIGSTOP)', () => server.pause(), () => server.resume()],
      ['killed', () => server.kill(), () => server.restart()],
    ] as const) {
      test(`${fault}, Express ${major}: a grant is refused rather than unrecorded, a search goes on, pages are served`, async () => {
        const { audit, events, done, ask, end: stop } = await served();
        expect(await ask('POST', '/grants')).toBe(204);
        await begin();
        try {
          expect(await ask('POST', '/grants')).toBe(503);
          expect(await ask('POST', '/searches')).toBe(204);
          expect(await ask('GET', '/books')).toBe(204);
          expect(done).toEqual(['role.granted', 'search.done']);
          // The search, and the lines of the access log.
          await eventually(() => expect(audit.status().dropped).toBeGreaterThanOrEqual(4));
          const lost = events.of('audit.dropped');
          expect(new Set(lost.map(({ of: kind }) => kind))).toEqual(new Set(['action', 'request']));
        } finally {
          await end();
        }
        await eventually(async () => expect(await ask('POST', '/grants')).toBe(204), 30_000);
        const { entries } = await audit.query({ viewer: 'system', action: 'role.granted', limit: 500 });
        const stored = entries.filter(({ id }) => id);
        expect(stored.length).toBeGreaterThanOrEqual(2);
        await stop();
      }, 60_000);

      test(`${fault}, Express ${major}, with a spool: a grant is done and on disk; with the spool at its bound it is refused`, async () => {
        const directory = folder();
        const spool = { directory, maxBytes: 65_536 };
        const { audit, done, ask, end: stop } = await served({ spool });
        await begin();
        const answers: number[] = [];
        try {
          while (answers.at(-1) !== 503 && answers.length < 500) answers.push(await ask('POST', '/grants'));
          expect(answers.slice(0, -1).every((status) => status === 204)).toBe(true);
          expect(answers.at(-1)).toBe(503);
          expect(answers.length).toBeGreaterThan(20);
          expect(done).toHaveLength(answers.length - 1);
          expect(await ask('POST', '/searches')).toBe(204);
          expect(await ask('GET', '/books')).toBe(204);
          expect(audit.status().spooledBytes).toBeLessThanOrEqual(65_536);
          expect(statSync(join(directory, 'audit-spool.ndjson')).size).toBeLessThanOrEqual(65_536);
        } finally {
          await end();
        }
        await eventually(
          () => expect(audit.status()).toMatchObject({ store: 'up', spooledBytes: 0 }),
          30_000,
        );
        await stop();
      }, 60_000);
    }
  });

  testWith('a small disk (mount of tmpfs, as root)', hasDisk, true)(
    'its disk full: a grant is refused, a search is dropped and counted, and it goes on when there is room',
    async () => {
      const place = join(root, 'tablespace');
      mkdirSync(place);
      execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', place]);
      try {
        const id = (flag: string): number =>
          Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
        for (const made of [root, place]) chmodSync(made, 0o755);
        chownSync(place, id('-u'), id('-g'));
        const admin = connect();
        await admin.query(`create tablespace small location '${place}'`);
        const url = await server.createDatabase();
        const sql = connect(`${url}?options=-c%20default_tablespace%3Dsmall`);
        await migrate(sql, auditMigrations);
        const audit = createAudit({
          store: postgresAudit({ sql, timeoutMs: '10s' }),
          classes: { 'search.*': 'drop-and-count' },
          retryEvery: '10ms',
          deadline: '20s',
          anchors: false,
        });
        open.push(audit);
        const ids: string[] = [];
        const refused = await (async () => {
          for (;;) {
            const many = Array.from({ length: 32 }, () => audit.record(created));
            const results = await Promise.allSettled(many);
            for (const result of results) if (result.status === 'fulfilled') ids.push(result.value.id);
            const lost = results.find((result) => result.status === 'rejected');
            if (lost) return lost.reason as Error;
          }
        })();
        expect(refused).toMatchObject({
          code: 'E_AUDIT_UNAVAILABLE',
          details: { reason: 'E_SQL_UNAVAILABLE' },
        });
        expect(await audit.record({ ...created, action: 'search.done' })).toMatchObject({ durable: false });
        expect(audit.status().dropped).toBe(1);
        execFileSync('mount', ['-o', 'remount,size=64m', place]);
        await eventually(async () => ids.push((await audit.record(created)).id), 30_000);
        const { rows } = await sql.query<{ id: string }>(
          "select id from portcullis.audit_entry where action = 'book.created'",
        );
        expect(new Set(rows.map((row) => row.id))).toEqual(new Set(ids));
      } finally {
        spawnSync('umount', ['-l', place]);
      }
    },
    60_000,
  );

  const program = (body: string): string => `
    import { createAudit } from '@portcullis/audit';
    import { postgresAudit } from '@portcullis/audit/postgres';
    import { fromPg } from '@portcullis/core/postgres';
    import pg from 'pg';
    const pool = new pg.Pool({ connectionString: process.env.URL, max: 8 });
    pool.on('error', () => undefined);
    const sql = fromPg(pool);
    const personal = { key: 'k'.repeat(32), fields: { reason: 'target', 'data.person.*': 'target' } };
    ${body}
  `;
  const personal = { key: 'k'.repeat(32), fields: { reason: 'target', 'data.person.*': 'target' } } as const;

  test('kill -9 in the middle of relays: every committed change has its record, once, and no other has one', async () => {
    const url = await server.createDatabase();
    const sql = connect(url);
    await migrate(sql, auditMigrations);
    await sql.query(
      'create table loan (id bigint generated always as identity primary key, record text unique)',
    );
    const body = `
      const audit = createAudit({ store: postgresAudit({ sql }), anchors: false });
      for (let i = 0; i < 6; i++) {
        void (async () => {
          for (;;) {
            await sql.transaction(async (tx) => {
              const { id } = await audit.tx(tx).record({ action: 'loan.created', outcome: 'success' });
              await tx.query('insert into loan (record) values ($1)', [id]);
            });
            console.log('done');
          }
        })();
      }`;
    for (let round = 0; round < 3; round++) {
      const child = start(program(body), { env: { URL: url } });
      await eventually(() => expect(child.lines().length).toBeGreaterThan(100), 60_000);
      await child.kill();
    }
    const audit = createAudit({ store: postgresAudit({ sql, timeoutMs: '20s' }), anchors: false });
    open.push(audit);
    await eventually(async () => {
      await audit.relay(0);
      expect((await sql.query('select 1 from portcullis.audit_outbox')).rowCount).toBe(0);
    }, 30_000);
    const left = await sql.query(
      `select record from loan full join (select id from portcullis.audit_entry where action = 'loan.created') e
       on e.id = loan.record where e.id is null or loan.record is null`,
    );
    expect(left.rows).toEqual([]);
    const { rowCount } = await sql.query(
      "select 1 from portcullis.audit_entry where action = 'loan.created'",
    );
    expect(rowCount).toBeGreaterThanOrEqual(300);
  }, 120_000);

  test('kill -9 in the middle of replays of the spool: nothing acknowledged is lost, nothing is there twice', async () => {
    const url = await server.createDatabase();
    const sql = connect(url);
    await migrate(sql, auditMigrations);
    const directory = folder();
    const fill = `
      const down = { append: () => Promise.reject(new Error('down')), query() {} };
      const audit = createAudit({ store: down, spool: { directory: process.env.SPOOL }, anchors: false });
      for (let i = 0; i < 300; i++) console.log((await audit.record({ action: 'book.created', outcome: 'success' })).id);
      process.exit();`;
    const filled = start(program(fill), { env: { URL: url, SPOOL: directory } });
    await filled.ended;
    const ids = filled.lines();
    expect(ids).toHaveLength(300);
    const replay = `
      const events = { emit: ({ type }) => void (type === 'audit.replayed' && console.log(type)), on: () => () => undefined };
      createAudit({ store: postgresAudit({ sql }), spool: { directory: process.env.SPOOL }, anchors: false, events });
      setInterval(() => undefined, 1_000);`;
    for (let round = 0; round < 3; round++) {
      const child = start(program(replay), { env: { URL: url, SPOOL: directory } });
      await eventually(() => expect(child.lines().length).toBeGreaterThan(30), 60_000);
      await child.kill();
    }
    const audit = createAudit({
      store: postgresAudit({ sql, timeoutMs: '20s' }),
      spool: { directory },
      anchors: false,
    });
    open.push(audit);
    await eventually(() => expect(audit.status().spooledBytes).toBe(0), 60_000);
    const { rows } = await sql.query<{ id: string }>(
      "select id from portcullis.audit_entry where action = 'book.created' order by seq",
    );
    expect(rows.map(({ id }) => id)).toEqual(ids);
  }, 120_000);

  testWith('pg_dump', dumper)(
    'a person erased between kill -9 and relay and replay: no value of theirs is in the database, the spool or the anchor',
    async () => {
      const url = await server.createDatabase();
      const sql = connect(url);
      await migrate(sql, auditMigrations);
      const directory = folder();
      const record = {
        action: 'person.moved',
        outcome: 'success',
        target: { type: 'person', id: 'p-17' },
        reason: PLANTED.reason,
        data: { person: PLANTED },
      } as const;
      const body = `
        const record = ${JSON.stringify(record)};
        const relayed = createAudit({ store: postgresAudit({ sql }), anchors: false, personal });
        const down = { ...postgresAudit({ sql }), append: () => Promise.reject(new Error('down')) };
        const spooled = createAudit({ store: down, spool: { directory: process.env.SPOOL }, anchors: false, personal });
        for (const one of [1, 2, 3, 4]) {
          void (async () => {
            for (;;) {
              await sql.transaction((tx) => relayed.tx(tx).record(record));
              console.log((await spooled.record(record)).id);
            }
          })();
        }`;
      const child = start(program(body), { env: { URL: url, SPOOL: directory } });
      await eventually(() => expect(child.lines().length).toBeGreaterThan(60), 60_000);
      await child.kill();
      const everything = (): string => {
        const dump = execFileSync(dumper!, ['--dbname', url, '--no-owner'], {
          encoding: 'latin1',
          maxBuffer: 1 << 28,
        });
        const files = readdirSync(directory).map((name) => readFileSync(join(directory, name), 'latin1'));
        return [dump, ...files].join('\n');
      };
      // Before anything is erased, they are encrypted.
      expect(foundIn(everything())).toEqual([]);
      const store = postgresAudit({ sql, timeoutMs: '20s' });
      const eraser = createAudit({ store, anchors: false, personal, deadline: '30s' });
      open.push(eraser);
      const { values } = await eraser.erase('p-17');
      expect(values).toBeGreaterThan(100);
      // What comes out of the spool now comes too late.
      const home = createAudit({ store, spool: { directory }, anchors: false, personal, deadline: '30s' });
      open.push(home);
      await eventually(() => expect(home.status().spooledBytes).toBe(0), 60_000);
      const stored = await sql.query<{ id: string }>(
        "select id from portcullis.audit_entry where action = 'person.moved'",
      );
      const ids = new Set(stored.rows.map(({ id }) => id));
      expect(child.lines().filter((id) => !ids.has(id))).toEqual([]);
      expect(ids.size).toBe(stored.rows.length);
      expect(foundIn(everything())).toEqual([]);
      for (const table of ['audit_sealed', 'audit_subject_key', 'audit_outbox']) {
        expect((await sql.query(`select 1 from portcullis.${table}`)).rowCount).toBe(0);
      }
      const { entries } = await home.query({ viewer: 'system', action: 'person.moved', limit: 5 });
      for (const { reason, data } of entries) {
        const { person } = data as { person: object };
        expect([reason, ...Object.values(person)]).toEqual(Array.from({ length: 13 }, () => '[Erased]'));
      }
    },
    120_000,
  );
});
