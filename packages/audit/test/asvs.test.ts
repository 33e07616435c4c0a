import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { fromPg, migrate } from '@portcullis/core/postgres';
import {
  describeWithPostgres,
  eventually,
  startPostgres,
  type PostgresServer,
} from '@portcullis/test-support';
import { createHash, createPublicKey, verify } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import pg from 'pg';
import winston from 'winston';
import { fileAudit } from '../src/file.js';
import { createAudit, fileAnchor, memoryAudit, type AuditRecord, type ExportFormat } from '../src/index.js';
import { auditMigrations, auditRoleMigration, postgresAudit } from '../src/postgres.js';
import { safeShutdown, splunkTransport, winstonMirror } from '../src/winston.js';
import { collect, signer } from './support/some-log.js';

const folder = mkdtempSync(join(tmpdir(), 'portcullis-asvs-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const read: AuditRecord = { action: 'book.read', outcome: 'success', actor: { id: 'ann', kind: 'user' } };

test('ASVS V1.3.10: format strings in an entry are written as they came, through winston with splat() too', async () => {
  const formats = '%s %d %j %o %O %c %% %i %f';
  const lines: string[] = [];
  const stream = new PassThrough();
  stream.on('data', (chunk: Buffer) => lines.push(chunk.toString()));
  const logger = winston.createLogger({
    format: winston.format.combine(winston.format.splat(), winston.format.json()),
    transports: [new winston.transports.Stream({ stream })],
  });
  const store = memoryAudit();
  const audit = createAudit({ store, mirror: winstonMirror(logger) });
  const target = { type: 'book', id: formats };
  await audit.record({ ...read, target, reason: formats, data: { splat: ['forged'], note: formats } });
  await audit.close();
  await safeShutdown(logger);
  expect(store.entries[0]).toMatchObject({ target, reason: formats, data: { note: formats } });
  expect(lines).toHaveLength(1);
  const { message, audit: shown } = JSON.parse(lines[0]!) as { message: string; audit: object };
  expect(message).toContain(formats);
  expect(message).not.toContain('forged');
  expect(shown).toMatchObject({ target, reason: formats });
});

test('ASVS V11.4.3: entries are chained by SHA-256 and batches are signed with Ed25519, as node:crypto computes them anew', async () => {
  const audit = createAudit({ store: memoryAudit(), signer, anchors: false, checkpointEvery: '1h' });
  for (let i = 0; i < 5; i++) await audit.record(read);
  await audit.close();
  const lines = (await collect(audit.export())).map((line) => JSON.parse(line) as Record<string, unknown>);
  const texts = (await collect(audit.export())).filter((line) => !/^\{"(?:batch|checkpoint)":/.test(line));
  const leaf = (text: string) => createHash('sha256').update(`\0${text}`).digest('base64');
  for (const [i, text] of texts.entries()) {
    const previous = i === 0 ? Buffer.alloc(32).toString('base64') : leaf(texts[i - 1]!);
    expect((JSON.parse(text) as { p: string }).p).toBe(previous);
  }
  const opening = JSON.parse(texts[0]!) as { e: { data: { key: string } }; w: string };
  const x = Buffer.from(opening.e.data.key, 'base64').toString('base64url');
  const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
  const batches = lines.flatMap(({ batch }) => (batch as { last: number; signature: string }) ?? []);
  expect(batches.length).toBeGreaterThan(0);
  for (const { last, signature } of batches) {
    const statement = `portcullis-audit batch v1\n${signer.origin}\n${opening.w}\n${last}\n${leaf(texts[last]!)}\n`;
    expect(verify(null, Buffer.from(statement), key, Buffer.from(signature, 'base64'))).toBe(true);
  }
});

/** Each of these, somewhere in a record. */
const SECRETS: Readonly<Record<string, (secret: string) => Partial<AuditRecord>>> = {
  'under its name': (secret) => ({
    data: { password: secret, apiKey: secret, nested: [{ csrf_token: secret }] },
  }),
  'in a change': (secret) => ({ change: { before: { passwordHash: 'x' }, after: { passwordHash: secret } } }),
  'in a URL': (secret) => ({ data: { url: `postgres://app:${secret}@db/x` } }),
  'in a query': (secret) => ({ reason: `called /x?access_token=${secret}&page=1` }),
  'in JSON in a text': (secret) => ({ data: { body: `{"secret":"${secret}"}` } }),
  'in a header': (secret) => ({ data: { headers: { authorization: `Bearer ${secret}` } } }),
  'in the reason, known from elsewhere': (secret) => ({
    reason: `tried ${secret}`,
    data: { password: secret },
  }),
  'in the id of the target': (secret) => ({ target: { type: 'link', id: `https://u:${secret}@h/` } }),
};

test('ASVS V16.2.5: no secret of the corpus reaches a sink: store, mirror, spool or any export', async () => {
  const shown = new PassThrough();
  let mirrored = '';
  shown.on('data', (chunk: Buffer) => (mirrored += chunk.toString()));
  const logger = winston.createLogger({ transports: [new winston.transports.Stream({ stream: shown })] });
  const store = memoryAudit();
  let down = false;
  const audit = createAudit({
    store: { ...store, append: (batch) => (down ? Promise.reject(new Error('down')) : store.append(batch)) },
    mirror: winstonMirror(logger),
    spool: { directory: folder },
    retryEvery: '10m',
  });
  const secrets: string[] = [];
  const recordAll = async (): Promise<void> => {
    for (const make of Object.values(SECRETS)) {
      const secret = `Zq9-hunter2_Kw7vB${secrets.length}x`;
      secrets.push(secret);
      await audit.record({ ...read, ...make(secret) });
    }
  };
  await recordAll();
  down = true;
  await recordAll();
  const spooled = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
  expect(spooled.join('')).toContain('book.read');
  const formats: (ExportFormat | undefined)[] = [undefined, 'ndjson', 'ocsf', 'ecs', 'syslog', 'cef'];
  const exported: string[] = [];
  for (const format of formats) {
    const enterprise = format === 'syslog' ? { enterprise: 32473 } : {};
    const options = format === undefined ? undefined : { format, ...enterprise };
    exported.push(...(await collect(audit.export(options))));
  }
  await audit.close();
  await safeShutdown(logger);
  const sinks = {
    store: store.entries.map(({ body }) => body).join('\n'),
    mirrored,
    spooled: spooled.join('\n'),
    exported: exported.join('\n'),
  };
  for (const [name, text] of Object.entries(sinks)) {
    expect(text).toContain('book.read');
    expect([name, secrets.filter((secret) => text.includes(secret))]).toEqual([name, []]);
  }
});

test('ASVS V16.4.3: an outage of the collector loses no line; all of them come, once, in their order', async () => {
  const got: number[] = [];
  let answers = 0;
  const server = createServer((req, res) => {
    let body = '';
    req.on('data', (chunk: Buffer) => (body += chunk.toString()));
    req.on('end', () => {
      answers++;
      // Away at first, then in trouble, then there.
      if (answers <= 2) {
        res.destroy();
        return;
      }
      res.statusCode = answers <= 4 ? 503 : 200;
      if (res.statusCode === 200) {
        for (const line of body.split('\n')) {
          got.push((JSON.parse(line) as { event: { audit: { data: { n: number } } } }).event.audit.data.n);
        }
      }
      res.end('{}');
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const transport = splunkTransport({ url, token: 'a-token-of-hec', retryEvery: '10ms' });
  const logger = winston.createLogger({ transports: [transport] });
  const audit = createAudit({ store: memoryAudit(), mirror: winstonMirror(logger) });
  const wanted = Array.from({ length: 700 }, (_, n) => n);
  for (const n of wanted) await audit.record({ ...read, data: { n } });
  await audit.close();
  expect(await safeShutdown(logger)).toBe(true);
  await eventually(() => expect(got).toEqual(wanted));
  expect(transport.dropped).toBe(0);
  server.close().closeAllConnections();
});

describeWithPostgres('PostgreSQL', () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.stop());

  test("ASVS V16.2.2: times are UTC in ISO 8601, whatever the time zones of server, session and tracked table's writer", async () => {
    const pool = new pg.Pool({ connectionString: server.url, max: 2, options: '-c TimeZone=Asia/Kathmandu' });
    const sql = fromPg(pool, { timeoutMs: 30_000 });
    await migrate(sql, auditMigrations);
    await sql.query('create table loan (id int primary key, due timestamptz)');
    const audit = createAudit({ store: postgresAudit({ sql, timeoutMs: '30s' }), deadline: '60s' });
    await audit.track(sql, 'loan');
    const before = Date.now();
    await sql.query("insert into loan values (1, '2026-12-24 18:00:00+05:45')");
    await audit.record(read);
    await audit.relay(0);
    const { entries } = await audit.query({ viewer: 'system' });
    expect(entries).toHaveLength(2);
    for (const { time } of entries) {
      expect(time).toMatch(/^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/);
      // The server's clock is the machine's; no time zone is nearer than a quarter of an hour to another.
      expect(Math.abs(Date.parse(time) - before)).toBeLessThan(10 * 60_000);
    }
    const made = entries.find(({ action }) => action === 'loan.created')!;
    expect(made.change).toMatchObject({ after: { due: '2026-12-24T12:15:00.000000Z' } });
    await audit.close();
    await pool.end();
  });

  test('ASVS V16.1.1: the inventory says what is logged, in which form, where, who may see it, what it is for, and for how long', async () => {
    const pool = new pg.Pool({ connectionString: server.url, max: 3 });
    const sql = fromPg(pool, { timeoutMs: 30_000 });
    const schema = 'inventoried';
    await migrate(sql, [...auditMigrations, auditRoleMigration('inventoried_audit')], { schema });
    await sql.query('create table shelf (id int primary key, room text, keeper_mail text)');
    const logger = winston.createLogger({
      transports: [new winston.transports.Console({ silent: true })],
    });
    const audit = createAudit({
      store: postgresAudit({ sql, schema, role: 'inventoried_audit', timeoutMs: '30s' }),
      deadline: '60s',
      signer,
      anchors: [fileAnchor({ path: join(folder, 'inventoried-anchor') })],
      spool: { directory: join(folder, 'inventoried-spool'), maxBytes: 1 << 20 },
      mirror: winstonMirror(logger),
      personal: { key: 'k'.repeat(32), fields: { 'context.address': 'actor' } },
      classes: { 'book.read': 'drop-and-count' },
      reviews: { roles: { match: [{ action: 'role.*' }], since: '2026-01-01' } },
    });
    await audit.track(sql, 'shelf', { mask: ['keeper_mail'] });
    for (const action of ['book.read', 'book.read', 'auth.signed-in', 'book.deleted']) {
      await audit.record({ ...read, action });
    }
    await sql.query("insert into shelf values (1, 'attic', 'a@b.example')");
    await audit.hold('case-1', { reason: 'court', from: '2026-01-01' });
    const told = await audit.inventory({ since: '2026-01-01', retention: '365 days, by a job each night' });
    expect(told).toEqual({
      log: signer.origin,
      since: '2026-01-01T00:00:00.000Z',
      places: [
        {
          part: 'entries',
          where: 'PostgreSQL, table "inventoried"."audit_entry"',
          format: 'canonical JSON (RFC 8785)',
          access: expect.stringMatching(/^role inventoried_audit: adds, changes nothing; row-level security/),
        },
        {
          part: 'spool',
          where: `folder ${join(folder, 'inventoried-spool')}, at most 1048576 bytes, while the store is down`,
          format: 'NDJSON',
          access: expect.stringContaining('0600'),
        },
        { part: 'mirror', where: 'winston: console', format: expect.any(String), access: expect.any(String) },
        {
          part: 'checkpoints',
          where: 'anchor file',
          format: 'signed note (C2SP)',
          access: expect.any(String),
        },
      ],
      events: expect.arrayContaining([
        {
          kind: 'action',
          action: 'auth.signed-in',
          owasp: 'authn_login_success',
          count: 1,
          unrecorded: 'block',
        },
        { kind: 'action', action: 'book.deleted', owasp: 'sensitive_delete', count: 1, unrecorded: 'block' },
        {
          kind: 'action',
          action: 'book.read',
          owasp: 'sensitive_read',
          count: 2,
          unrecorded: 'drop-and-count',
        },
        { kind: 'action', action: 'shelf.created', owasp: 'sensitive_create', count: 1, unrecorded: 'block' },
        { kind: 'log', action: 'retention.hold-placed', count: 1, unrecorded: 'block' },
        { kind: 'log', action: 'tracking.columns-changed', count: 1, unrecorded: 'block' },
      ]),
      tables: [
        { table: '"public"."shelf"', columns: ['id', 'room', 'keeper_mail'], masked: ['keeper_mail'] },
      ],
      personal: ['context.address'],
      reviews: ['roles'],
      retention: {
        policy: '365 days, by a job each night',
        holds: [{ name: 'case-1', from: '2026-01-01T00:00:00.000Z' }],
      },
    });
    await audit.close();
    await pool.end();

    const directory = join(folder, 'inventoried-log');
    const inFiles = createAudit({ store: fileAudit({ directory }), anchors: false });
    await inFiles.record(read);
    const { places, events, retention } = await inFiles.inventory();
    expect(places).toEqual([
      {
        part: 'entries',
        where: `folder ${directory}`,
        format: 'NDJSON of canonical JSON (RFC 8785)',
        access: expect.stringContaining('0700'),
      },
    ]);
    expect(events.map(({ action }) => action)).toEqual(['book.read', 'writer.opened']);
    expect(retention).toEqual({ holds: [] });
    await inFiles.close();
  });
});
