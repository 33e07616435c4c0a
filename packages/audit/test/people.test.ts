import type { PGlite } from '@electric-sql/pglite';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { ensureContext, type SecurityRequest, type Sql } from '@portcullis/core';
import { fromPg, fromPglite, migrate } from '@portcullis/core/postgres';
import { manualClock } from '@portcullis/core/testing';
import {
  describeWithPostgres,
  embeddedPostgres,
  eventually,
  startPostgres,
  type PostgresServer,
} from '@portcullis/test-support';
import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import {
  createAudit,
  ed25519Signer,
  memoryAudit,
  verifyDisclosure,
  verifyLog,
  type Audit,
  type AuditOptions,
  type AuditStore,
} from '../src/index.js';
import { auditMigrations, auditRoleMigration, postgresAudit } from '../src/postgres.js';
import { dumper, foundIn, PLANTED } from './support/planted.js';
import { testWith } from './support/test-with.js';

const key = 'a key of at least thirty-two bytes, for tests';
const FIELDS = {
  'context.address': 'actor',
  'context.agent': 'actor',
  'context.path': 'actor',
  reason: 'actor',
  'data.person.*': 'actor',
  'data.note': 'actor',
  'change.before.name': 'target',
  'change.after.name': 'target',
  'change.after.phones.*.number': 'target',
} as const;

const { privateKey } = generateKeyPairSync('ed25519');
const signer = ed25519Signer({
  origin: 'library.example/people',
  key: privateKey.export({ type: 'pkcs8', format: 'pem' }) as string,
});
const personal = { key, fields: FIELDS };

function requestOf(id: string | undefined): SecurityRequest {
  const req = {
    method: 'POST',
    originalUrl: PLANTED.path,
    headers: { 'user-agent': PLANTED.agent },
    socket: { remoteAddress: PLANTED.address },
  } as unknown as SecurityRequest;
  const security = ensureContext(req);
  Object.defineProperty(security, 'address', { value: { ip: PLANTED.address } });
  if (id !== undefined) security.principal = { id, kind: 'user' };
  return req;
}

/** None of this is about time. */
const patient = { timeoutMs: 30_000 };

/** Every place that the fields name. */
async function plant(audit: Audit, id = 'p-17'): Promise<void> {
  const { name, mail, phone, street, born, card, note, oldName, reason } = PLANTED;
  await audit.record({
    action: 'person.updated',
    outcome: 'success',
    target: { type: 'person', id },
    reason,
    change: { before: { name: oldName }, after: { name, phones: [{ kind: 'home', number: phone }] } },
    data: { person: { mail, street, born, card, name }, note, agent: PLANTED.agent },
    request: requestOf(id),
  });
}

async function linesOf(audit: Audit): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of audit.export()) lines.push(line);
  return lines;
}

function peopleClaims(connect: () => AuditStore): void {
  const open: Audit[] = [];
  const clock = manualClock();
  const make = (options: Partial<AuditOptions> = {}, store = connect()): Audit => {
    const audit = createAudit({ store, signer, personal, clock, deadline: '60s', ...options });
    open.push(audit);
    return audit;
  };
  afterEach(async () => {
    for (const audit of open.splice(0)) await audit.close();
  });

  test('in the log stand commitments; who reads through query() sees the values', async () => {
    const audit = make();
    await plant(audit, 'reader');
    const text = (await linesOf(audit)).filter((line) => line.includes('"id":"reader"')).join('\n');
    // The agent is planted once more under a name that no field covers: that one is seen, so the search does find.
    expect(foundIn(text)).toEqual(['agent']);
    const { entries } = await audit.query({ viewer: { id: 'reader', staff: false }, actor: 'reader' });
    expect(entries[0]).toMatchObject({
      reason: PLANTED.reason,
      change: {
        before: { name: PLANTED.oldName },
        after: { phones: [{ kind: 'home', number: PLANTED.phone }] },
      },
      data: { person: { mail: PLANTED.mail, street: PLANTED.street } },
      context: { address: PLANTED.address },
    });
    expect(await verifyLog(await linesOf(audit), { verifierKey: signer.verifierKey })).toMatchObject({
      tampered: [],
    });
  });

  test('the same value twice has two commitments that share nothing (pitfall 23)', async () => {
    const audit = make();
    await plant(audit, 'twice');
    const body = (await linesOf(audit)).find((line) => line.includes('"id":"twice"'))!;
    const all = [...body.matchAll(/"\$c":"([\w-]{43})"/g)].map(([, commitment]) => commitment!);
    expect(all.length).toBeGreaterThanOrEqual(11);
    // The name stands twice, in change.after and in data.
    expect(new Set(all).size).toBe(all.length);
  });

  test('erasing a person leaves every line of the log as it is, and verifiable', async () => {
    const audit = make();
    await plant(audit, 'gone');
    await plant(audit, 'stays');
    const before = await linesOf(audit);
    const { values } = await audit.erase('gone', { reason: 'request 12' });
    expect(values).toBeGreaterThanOrEqual(11);
    const after = await linesOf(audit);
    for (const line of before.filter((one) => one.includes('"n":'))) expect(after).toContain(line);
    expect(await verifyLog(after, { verifierKey: signer.verifierKey })).toMatchObject({ tampered: [] });
    const read = async (actor: string) => (await audit.query({ viewer: 'system', actor })).entries[0]!;
    expect((await read('gone')).reason).toBe('[Erased]');
    expect(await read('gone')).toMatchObject({
      data: { person: { mail: '[Erased]' } },
      context: { address: '[Erased]' },
    });
    expect((await read('stays')).reason).toBe(PLANTED.reason);
    // The log says that somebody was erased, and not who.
    const { entries } = await audit.query({ viewer: 'system', action: 'privacy.*' });
    expect(entries).toMatchObject([
      { action: 'privacy.erased', reason: 'request 12', data: { values } },
      { action: 'privacy.erasure-started', reason: 'request 12' },
    ]);
    expect(JSON.stringify(entries)).not.toContain('gone');
    // Again: nothing is left, and nothing is wrong.
    expect(await audit.erase('gone')).toEqual({ values: 0 });
  });

  test('who comes back is a new person: later values are kept', async () => {
    const audit = make();
    await plant(audit, 'back');
    await audit.erase('back');
    await plant(audit, 'back');
    const { entries } = await audit.query({ viewer: 'system', actor: 'back' });
    expect(entries.map(({ reason }) => reason)).toEqual([PLANTED.reason, '[Erased]']);
  });

  test('values of nobody who is known can be erased by themselves', async () => {
    const audit = make();
    await audit.record({
      action: 'door.tried',
      outcome: 'denied',
      data: { note: 'anon-17' },
      request: requestOf(undefined),
    });
    const find = async () => (await audit.query({ viewer: 'system', action: 'door.tried' })).entries[0]!;
    expect((await find()).context.address).toBe(PLANTED.address);
    await audit.erase('nobody', { values: [PLANTED.address] });
    expect((await find()).context.address).toBe('[Erased]');
    expect((await find()).data).toEqual({ note: 'anon-17' });
  });

  test('what another process still holds under the old key, as in its spool, comes too late', async () => {
    const store = connect();
    const held: (() => void)[] = [];
    const hold = { on: false };
    const slow: AuditStore = {
      ...store,
      append: async (batch) => {
        if (hold.on) await new Promise<void>((resolve) => held.push(resolve));
        return store.append(batch);
      },
    };
    const other = make({}, slow);
    const audit = make({}, store);
    await plant(other, 'late');
    hold.on = true;
    const waiting = plant(other, 'late');
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    clock.advance(1000);
    await audit.erase('late');
    hold.on = false;
    for (const release of held) release();
    await waiting;
    const { entries } = await audit.query({ viewer: 'system', actor: 'late' });
    expect(entries.map(({ reason }) => reason)).toEqual(['[Erased]', '[Erased]']);
  });

  test('a disclosure shows chosen personal fields with their salts, and of erased people that they are', async () => {
    const audit = make({ signer, anchors: false, checkpointEvery: '1h' });
    await plant(audit, 'shown');
    const { entries } = await audit.query({ viewer: 'system', actor: 'shown' });
    const disclosed = async (...reveal: string[]): Promise<string> => {
      for await (const line of audit.disclose([entries[0]!.id], { reveal })) return line;
      throw new Error('There is no line.');
    };
    const line = await disclosed('context.address', 'change.after.phones.*.number');
    // The agent is planted once more under a name that no field covers.
    expect(foundIn(line).sort()).toEqual(['address', 'agent', 'phone']);
    const shown = verifyDisclosure(line, signer.verifierKey);
    const commitment = { $c: expect.stringMatching(/^[\w-]{43}$/) };
    expect(shown).toMatchObject({
      proved: true,
      entry: {
        context: { address: PLANTED.address, path: commitment },
        change: { after: { name: commitment, phones: [{ kind: 'home', number: PLANTED.phone }] } },
        reason: commitment,
      },
    });
    const forged = [
      line.replace(PLANTED.address, '203.0.113.78'),
      line.replace(
        /"personal":\[\{"commitment":"./,
        (found) => `${found.slice(0, -1)}${found.endsWith('A') ? 'B' : 'A'}`,
      ),
      line.replace('"personal":[', '"erased":["AAAA"],"personal":['),
    ];
    for (const text of forged)
      expect(verifyDisclosure(text, signer.verifierKey)).toMatchObject({ proved: false });
    expect(foundIn(await disclosed())).toEqual(['agent']);
    await expect(disclosed('context.adress')).rejects.toThrow(TypeError);
    await audit.erase('shown');
    expect(verifyDisclosure(await disclosed('context.address'), signer.verifierKey)).toMatchObject({
      proved: true,
      entry: { context: { address: '[Erased]', path: commitment } },
    });
  });

  test('another key of the app opens nothing, and changed rows tell nothing', async () => {
    const store = connect();
    await plant(make({}, store), 'locked');
    const other = make({ personal: { key: `${key}, but another one`, fields: FIELDS } }, store);
    const { entries } = await other.query({ viewer: 'system', actor: 'locked' });
    expect(entries[0]!.reason).toBe('[Erased]');
  });
}

describe('in memory', () => {
  peopleClaims(() => memoryAudit());

  test('a field that is none, or an id, is refused at start with the reason', () => {
    for (const [fields, message] of [
      [{ 'actor.id': 'actor' }, /ids are queried and stay/],
      [{ 'context.address': 'reader' }, /'actor' or of the 'target'/],
      [{ data: 'actor' }, /no field/],
    ] as const) {
      expect(() => createAudit({ store: memoryAudit(), personal: { key, fields: fields as never } })).toThrow(
        message,
      );
    }
    expect(() => createAudit({ store: memoryAudit(), personal: { key: 'short' } })).toThrow(
      expect.objectContaining({ name: 'OptionError' }),
    );
    const { people: _, ...apart } = memoryAudit();
    expect(() => createAudit({ store: apart, personal: { key } })).toThrow(/no personal values apart/);
  });

  test('the address is personal by default, and a mirror sees commitments', async () => {
    const seen: unknown[] = [];
    const audit = createAudit({
      store: memoryAudit(),
      personal: { key },
      mirror: { write: (entry) => void seen.push(entry) },
    });
    await audit.record({ action: 'a.b', outcome: 'success', request: requestOf('ann') });
    expect(JSON.stringify(seen)).not.toContain(PLANTED.address);
    expect(await audit.query({ viewer: 'system' })).toMatchObject({
      entries: [{ context: { address: PLANTED.address } }],
    });
    await audit.close();
  });

  test('erase() without the option is a mistake of the program', async () => {
    const audit = createAudit({ store: memoryAudit() });
    await expect(audit.erase('ann')).rejects.toThrow(TypeError);
    await audit.close();
  });

  test('the spool holds no personal value that can be read', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'portcullis-people-'));
    const store = memoryAudit();
    let down = true;
    const failing: AuditStore = {
      ...store,
      append: (batch) => (down ? Promise.reject(new Error('down')) : store.append(batch)),
    };
    const audit = createAudit({ store: failing, signer, personal, spool: { directory }, retryEvery: '10ms' });
    const { agent: _, ...rest } = PLANTED;
    await audit.record({
      action: 'a.b',
      outcome: 'success',
      data: { person: rest },
      request: requestOf('spooled'),
    });
    const text = readFileSync(join(directory, 'audit-spool.ndjson'), 'latin1');
    expect(text).toContain('$c');
    expect(foundIn(text)).toEqual([]);
    down = false;
    await audit.record({ action: 'a.c', outcome: 'success' });
    // Purged once it is in the store.
    await eventually(() => expect(readFileSync(join(directory, 'audit-spool.ndjson'), 'latin1')).toBe(''));
    const { entries } = await audit.query({ viewer: 'system', actor: 'spooled' });
    expect(entries[0]!.data).toMatchObject({ person: { name: PLANTED.name } });
    await audit.close();
    rmSync(directory, { recursive: true });
  });
});

describe('PGlite', () => {
  let db: PGlite;
  let sql: Sql;
  beforeAll(async () => {
    db = await embeddedPostgres();
    sql = fromPglite(db);
    await migrate(sql, auditMigrations);
  }, 60_000);
  afterAll(() => db.close());
  peopleClaims(() => postgresAudit({ sql, ...patient }));
});

const ROLE = 'portcullis_audit_people';
describeWithPostgres('PostgreSQL', () => {
  let server: PostgresServer;
  let pool: pg.Pool;
  beforeAll(async () => {
    server = await startPostgres();
    pool = new pg.Pool({ connectionString: server.url, max: 6 });
    await migrate(fromPg(pool, patient), [...auditMigrations, auditRoleMigration(ROLE)]);
  }, 60_000);
  afterAll(async () => {
    await pool.end();
    await server.stop();
  });
  peopleClaims(() => postgresAudit({ sql: fromPg(pool, patient), role: ROLE, ...patient }));

  testWith('pg_dump', dumper)(
    'pg_dump after an erasure holds none of 12 planted values in any encoding, and all of them without one',
    async () => {
      const url = await server.createDatabase();
      const own = new pg.Pool({ connectionString: url, max: 4 });
      const sql = fromPg(own, patient);
      await migrate(sql, [...auditMigrations, auditRoleMigration(ROLE)]);
      const dump = (): string =>
        execFileSync(dumper!, ['--dbname', url, '--no-owner'], { encoding: 'latin1', maxBuffer: 1 << 28 });
      /** The control keeps values in the log itself, as logs do. */
      const plain = createAudit({
        deadline: '60s',
        store: postgresAudit({ sql, role: ROLE, ...patient }),
        signer,
      });
      const audit = createAudit({
        deadline: '60s',
        store: postgresAudit({ sql, role: ROLE, ...patient }),
        signer,
        personal,
      });
      await sql.query('create table person (id text primary key, name text, mail text)');
      await audit.track(sql, 'person', { mask: ['name', 'mail'] });
      await sql.query(`insert into person values ('p-17', '${PLANTED.name}', '${PLANTED.mail}')`);
      const { note, name: _, ...rest } = PLANTED;
      await sql.transaction(async (tx) => {
        await audit.tx(tx).record({
          action: 'person.moved',
          outcome: 'success',
          reason: PLANTED.reason,
          target: { type: 'person', id: 'p-17' },
          change: { after: { name: PLANTED.name } },
          data: { person: rest, note },
          request: requestOf('p-17'),
        });
        // Before the relay the outbox holds commitments and ciphertext.
        const { rows } = await tx.query('select * from portcullis.audit_outbox');
        expect(foundIn(JSON.stringify(rows))).toEqual([]);
      });
      await audit.record({ action: 'person.read', outcome: 'success', request: requestOf('p-17') });
      await sql.query("delete from person where id = 'p-17'");
      const check = async () => verifyLog(await linesOf(audit), { verifierKey: signer.verifierKey });
      expect(await check()).toMatchObject({ tampered: [] });
      const { values } = await audit.erase('p-17');
      expect(values).toBeGreaterThanOrEqual(12);
      expect(await check()).toMatchObject({ tampered: [] });
      expect(foundIn(dump())).toEqual([]);

      await plain.record({
        action: 'person.moved',
        outcome: 'success',
        reason: PLANTED.reason,
        data: { person: PLANTED },
        request: requestOf('p-17'),
      });
      expect(foundIn(dump())).toEqual(Object.keys(PLANTED));
      await Promise.all([audit.close(), plain.close()]);
      await own.end();
    },
    60_000,
  );
});
