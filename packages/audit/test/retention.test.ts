import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { sql as tag, type Sql } from '@portcullis/core';
import { fromPg, migrate } from '@portcullis/core/postgres';
import { manualClock, recordedEvents } from '@portcullis/core/testing';
import { describeWithPostgres, startPostgres, type PostgresServer } from '@portcullis/test-support';
import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import pg from 'pg';
import { canonicalJson } from '../src/canonical-json.js';
import { main } from '../src/cli/main.js';
import { fileAudit } from '../src/file.js';
import {
  createAudit,
  memoryAudit,
  verifyDisclosure,
  verifyLog,
  type Audit,
  type AuditRecord,
  type AuditStore,
} from '../src/index.js';
import {
  auditMigrations,
  auditPrunerRoleMigration,
  auditRoleMigration,
  postgresAudit,
} from '../src/postgres.js';
import { readPruned, signPruned, prunedLine, type Pruned } from '../src/retention/statement.js';
import { hasPython, second, secondOfEach } from './support/second-verifier.js';
import { collect, newSigner, signer, verifierKey } from './support/some-log.js';
import { testWith } from './support/test-with.js';

const DAY = 86_400_000;
const created: AuditRecord = {
  action: 'book.created',
  outcome: 'success',
  actor: { id: 'ann', kind: 'user' },
  target: { type: 'book', id: '12' },
};
const why = { reason: 'policy 7', actor: { id: 'olga', kind: 'user' } } as const;

const open: Audit[] = [];
afterEach(() => Promise.all(open.splice(0).map((audit) => audit.close())));
const folder = mkdtempSync(join(tmpdir(), 'portcullis-audit-retention-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** Entries of the old part. */
const OLD = 20;

/** Ten old batches of two writers, with keys that changed, then ten days, then young ones. */
async function agedLog(store: AuditStore = memoryAudit(), by = signer) {
  const clock = manualClock();
  const events = recordedEvents();
  const options = {
    store,
    signer: by,
    clock,
    events,
    anchors: false,
    keyLifetime: '1m',
    checkpointEvery: '1h',
  } as const;
  const audits = [createAudit(options), createAudit(options)] as const;
  open.push(...audits);
  const some = async (count: number) => {
    for (let i = 0; i < count; i++) {
      await audits[i % 2]!.record({ ...created, data: { i } });
      clock.advance(40_000);
      // The order of the tree is then the order of time, whatever the store.
      await audits[0].checkpoint();
    }
  };
  await some(10);
  clock.advance(10 * DAY);
  await some(4);
  const { note } = (await audits[0].checkpoint())!;
  return { audit: audits[0], other: audits[1], clock, events, some, note };
}

const isEntry = (line: string): boolean => line.startsWith('{"c":');
const pruneAt = (lines: readonly string[]): Pruned & { tree: unknown } => readPruned(lines[0]!)!;
const headerOf = ({ tree: _tree, ...pruned }: Pruned & { tree?: unknown }): string => prunedLine(pruned);

async function cli(...args: string[]) {
  const out = new PassThrough();
  let text = '';
  out.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const line = { out, err: { isTTY: false, write: (part: string) => (text += part) }, now: () => 0 };
  return { code: await main([...args, '--workers', '0'], line, new AbortController().signal), text };
}

describe('retention', () => {
  test('what is old goes with a signed record, which says how much, why and by whom, and the log verifies', async () => {
    const { audit, note, events, clock, some } = await agedLog();
    const before = await collect(audit.export());
    expect(await audit.prune({ olderThan: '5d', ...why })).toEqual({ entries: OLD, first: OLD, held: [] });
    expect(events.of('audit.pruned')).toMatchObject([{ entries: OLD, first: OLD }]);
    const lines = await collect(audit.export());
    const kept = before.filter(isEntry).slice(OLD);
    expect(kept).toHaveLength(8);
    expect(lines.filter(isEntry).slice(0, kept.length)).toEqual(kept);
    const { note: newest } = (await audit.checkpoint())!;
    for (const anchors of [[note], [note, newest]]) {
      const report = await verifyLog(lines, { verifierKey, anchors });
      expect(report).toMatchObject({ tampered: [], warnings: [], pruned: OLD, writers: 2 });
    }
    const [record] = (await audit.query({ viewer: 'system', kind: 'log', action: 'retention.pruned' }))
      .entries;
    expect(record).toMatchObject({
      reason: 'policy 7',
      actor: { id: 'olga' },
      data: { from: 0, to: OLD, entries: OLD, statement: expect.stringMatching(/^[0-9a-f]{64}$/) },
    });
    // Chains go on, and it can be done again.
    await some(4);
    clock.advance(10 * DAY);
    await some(2);
    const again = await audit.prune({ olderThan: '5d', ...why });
    expect(again.entries).toBeGreaterThan(4);
    expect(await verifyLog(await collect(audit.export()), { verifierKey })).toMatchObject({
      tampered: [],
      pruned: again.first,
    });
  });

  test('nothing goes that is young, and nothing without a signer, a reason or an age', async () => {
    const { audit } = await agedLog();
    expect(await audit.prune({ olderThan: '20d', ...why })).toEqual({ entries: 0, first: 0, held: [] });
    await expect(audit.prune({ olderThan: 1, ...why })).rejects.toThrow(TypeError);
    await expect(audit.prune({ olderThan: '5d', reason: '' })).rejects.toThrow(TypeError);
    const unsigned = createAudit({ store: memoryAudit(), anchors: false });
    open.push(unsigned);
    await expect(unsigned.prune({ olderThan: '5d', ...why })).rejects.toThrow(TypeError);
  });

  test('a legal hold keeps what it names until it is released; no record of the app can release it', async () => {
    const { audit, clock } = await agedLog();
    const from = clock.now() - 10 * DAY - 6 * 40_000;
    await audit.hold('case-2026-17', { from, ...why });
    await audit.record({
      ...created,
      action: 'retention.hold-released',
      target: { type: 'legal-hold', id: 'case-2026-17' },
    });
    expect(await audit.holds()).toEqual([{ name: 'case-2026-17', from: new Date(from).toISOString() }]);
    const held = await audit.prune({ olderThan: '5d', ...why });
    expect(held).toMatchObject({ held: ['case-2026-17'] });
    expect(held.entries).toBeGreaterThan(0);
    expect(held.entries).toBeLessThan(OLD);
    await audit.hold('all', why);
    expect(await audit.prune({ olderThan: '5d', ...why })).toMatchObject({
      entries: 0,
      held: ['case-2026-17', 'all'].sort(),
    });
    await audit.release('all', why);
    await audit.release('case-2026-17', why);
    await expect(audit.release('all', why)).rejects.toThrow(TypeError);
    expect(await audit.holds()).toEqual([]);
    expect(await audit.prune({ olderThan: '5d', ...why })).toEqual({
      entries: OLD - held.entries,
      first: OLD,
      held: [],
    });
    await expect(audit.hold('No Name', why)).rejects.toThrow(TypeError);
    await expect(audit.hold('later', { ...why, from: clock.now() + 1 })).rejects.toThrow(TypeError);
  });

  test('a log that is not as it was written is not pruned: nothing is covered up', async () => {
    const memory = memoryAudit();
    const edited: AuditStore = {
      ...memory,
      append: (batch) => memory.append(batch),
      async *export() {
        for await (const line of memory.export!()) yield line.replace('"data":{"i":3}', '"data":{"i":7}');
      },
    };
    const { audit } = await agedLog(edited);
    const before = await collect(memory.export!());
    const error = { code: 'E_AUDIT_PRUNE_REFUSED', status: 409 };
    await expect(audit.prune({ olderThan: '5d', ...why })).rejects.toMatchObject(error);
    expect((await collect(memory.export!())).slice(0, before.length)).toEqual(before);
  });

  test('nor is one whose entries are those of the tree, with a forged signature over some of them', async () => {
    const memory = memoryAudit();
    const { audit } = await agedLog({
      ...memory,
      async *export() {
        let batches = 0;
        for await (const line of memory.export!()) {
          const forged = Buffer.alloc(64, 1).toString('base64');
          if (line.startsWith('{"batch":') && ++batches === 3)
            yield line.replace(/[A-Za-z0-9+/]{86}==/, forged);
          else yield line;
        }
      },
    });
    const before = await collect(memory.export!());
    await expect(audit.prune({ olderThan: '5d', ...why })).rejects.toMatchObject({
      code: 'E_AUDIT_PRUNE_REFUSED',
      details: { problem: expect.stringMatching(/signature over entries up to \d+ is wrong/) },
    });
    expect((await collect(memory.export!())).filter(isEntry).slice(0, OLD)).toEqual(
      before.filter(isEntry).slice(0, OLD),
    );
  });

  test('proofs from a pruned export hold', async () => {
    const { audit } = await agedLog();
    await audit.prune({ olderThan: '5d', ...why });
    const lines = await collect(audit.export());
    const path = join(folder, 'pruned.ndjson');
    writeFileSync(path, `${lines.join('\n')}\n`);
    const ids = lines.flatMap((line) => /,"id":"([^"]+)","k":"action"/.exec(line)?.[1] ?? []);
    expect(ids).toHaveLength(4);
    for (const id of ids) {
      const shown = await cli('disclose', '--export', path, '--key', verifierKey, '--id', id);
      expect(verifyDisclosure(shown.text.trim(), verifierKey)).toMatchObject({ proved: true, entry: { id } });
    }
  });
});

describe('the command', () => {
  const shared = globalThis as { audited?: unknown };
  let modules = 0;
  const prune = (audit: Audit, ...options: string[]) => {
    shared.audited = audit;
    const path = join(folder, `app-${++modules}.mjs`);
    writeFileSync(path, 'export const audit = globalThis.audited;');
    return main(['prune', '--audit', path, ...options], terminal(), new AbortController().signal);
  };
  let said = '';
  const terminal = () => {
    const out = new PassThrough();
    out.on('data', (chunk: Buffer) => (said += chunk.toString()));
    return { out, err: { isTTY: false, write: (part: string) => (said += part) }, now: () => 0 };
  };

  test('removes and says so, names the holds, and ends with 2 where the log is not as it was written', async () => {
    const { audit } = await agedLog();
    const options = ['--older-than', '5d', '--reason', 'policy 7'];
    await audit.hold('case', why);
    expect(await prune({ ...audit, close: () => Promise.resolve() }, ...options)).toBe(0);
    await audit.release('case', why);
    expect(await prune(audit, ...options)).toBe(0);
    expect(said).toMatch(/0 entries were removed.*\nHeld by case.*\n20 entries were removed.*entry 20/s);
    const memory = memoryAudit();
    const { audit: broken } = await agedLog({
      ...memory,
      async *export() {
        for await (const line of memory.export!()) yield line.replace('"data":{"i":3}', '"data":{"i":7}');
      },
    });
    expect(await prune(broken, ...options)).toBe(2);
    expect(said).toMatch(/Nothing was removed: /);
    expect(await prune(audit, '--older-than', '5d')).toBe(1);
  });
});

describe('attacks on retention', () => {
  async function attacked() {
    const { audit, clock, some, note } = await agedLog();
    const whole = await collect(audit.export());
    await audit.prune({ olderThan: '5d', ...why });
    const lines = await collect(audit.export());
    const { note: newest } = (await audit.checkpoint())!;
    const pruned = pruneAt(lines);
    const batch = lines.findIndex((line) => line.startsWith('{"batch":'));
    const record = lines.findIndex((line) => line.includes('"retention.pruned"'));
    const forger = newSigner();
    const more = await signPruned(forger, { ...pruned, to: pruned.to + 1 });

    const older = lines[0]!;
    await some(4);
    clock.advance(10 * DAY);
    await some(2);
    await audit.prune({ olderThan: '5d', ...why });
    const later = await collect(audit.export());
    const first = whole.findIndex((line) => line.startsWith('{"batch":'));
    return {
      clean: lines,
      anchors: [note, newest],
      logs: {
        'the beginning is gone without a statement': whole.slice(first + 1),
        'the statement is taken away': lines.slice(1),
        'more is gone than the statement says': lines.toSpliced(1, batch),
        'less is gone than the statement says': [older, ...whole.slice(first + 1)],
        'a statement of more, signed by somebody else': [prunedLine(more), ...lines.slice(batch + 1)],
        'a statement of more under the old signature': [
          headerOf({ ...pruned, to: pruned.to + 1 }),
          ...lines.slice(batch + 1),
        ],
        'the statement and its record, without a signature of the log': [
          headerOf({ ...pruned, signature: Buffer.alloc(64, 1).toString('base64') }),
          ...lines.slice(1),
        ],
        'the statement and its record, signed by somebody else': [
          prunedLine(await signPruned(forger, pruned)),
          ...lines.slice(1),
        ],
        'another root in the statement': [
          headerOf({ ...pruned, root: Buffer.alloc(32).toString('base64') }),
          ...lines.slice(1),
        ],
        'another key for a writer': [
          headerOf({
            ...pruned,
            writers: pruned.writers.map((one) => ({ ...one, key: Buffer.alloc(32, 1).toString('base64') })),
          }),
          ...lines.slice(1),
        ],
        'a writer less': [headerOf({ ...pruned, writers: pruned.writers.slice(1) }), ...lines.slice(1)],
        'the record is taken out of the log': lines.toSpliced(record, 1),
        'the record is of another range': lines.map((line) =>
          line.replace(`"entries":${OLD}`, '"entries":14'),
        ),
        'the statement of an earlier removal': [older, ...later.slice(1)],
        'a statement in the middle': lines.toSpliced(batch + 1, 0, older),
        'no statement but rubbish': ['{"pruned":{"to":16}}', ...lines.slice(1)],
        'the same statement in another form': [
          older.replace('{"pruned":{', '{"pruned": {'),
          ...lines.slice(1),
        ],
      } as Record<string, readonly string[]>,
    };
  }

  test('every removal that the log did not sign and record is seen, and the command ends with 2', async () => {
    const { clean, anchors, logs } = await attacked();
    const run = async (name: string, lines: readonly string[]) => {
      const path = join(folder, `${name.replaceAll(' ', '-')}.ndjson`);
      writeFileSync(path, `${lines.join('\n')}\n`);
      writeFileSync(
        join(folder, 'anchor'),
        anchors.map((note) => canonicalJson({ checkpoint: note })).join('\n'),
      );
      return (await cli('verify', '--export', path, '--key', verifierKey, '--anchor', join(folder, 'anchor')))
        .code;
    };
    expect(await run('clean', clean)).toBe(0);
    for (const [name, lines] of Object.entries(logs)) {
      expect([name, lines.join() === clean.join()]).toEqual([name, false]);
      expect([name, await run(name, lines)]).toEqual([name, 2]);
    }
  });

  testWith('python3 and openssl', hasPython)(
    'the second verifier agrees on each of them, and on the log in order',
    async () => {
      const { clean, anchors, logs } = await attacked();
      const ours = await verifyLog(clean, { verifierKey, anchors });
      const { tampered, warnings, ...counts } = ours;
      expect([tampered, warnings]).toEqual([[], []]);
      expect(second(clean, ...anchors)).toEqual({ code: 0, report: { ...counts, tampered: [] } });
      for (const [name, { code }] of Object.entries(secondOfEach(logs, ...anchors))) {
        expect([name, code]).toEqual([name, 2]);
      }
    },
  );

  test('a statement that is signed but in no record of the log is seen; the record of the app is none', async () => {
    const { audit } = await agedLog();
    const whole = await collect(audit.export());
    const { audit: twin } = await agedLog();
    // Whoever has the key, and removes without saying so.
    await twin.prune({ olderThan: '5d', ...why });
    const pruning = createAudit({ store: memoryAudit(), signer, anchors: false });
    open.push(pruning);
    const { state } = await stateAt(whole, OLD);
    const unsigned = {
      from: 0,
      to: OLD,
      root: state.tree.root().toString('base64'),
      frontier: state.tree.hashes.map((one) => one.toString('base64')),
      writers: state.writers,
    };
    const at = whole.indexOf(whole.filter(isEntry)[OLD]!);
    const silent = [
      prunedLine(await signPruned(signer, unsigned)),
      ...whole.slice(at).filter((line) => !line.startsWith('{"checkpoint"')),
    ];
    const report = await verifyLog(silent, { verifierKey });
    expect(report.tampered).toEqual([{ line: 0, problem: expect.stringMatching(/no record of it/) }]);
    await audit.record({ ...created, action: 'retention.pruned', data: { to: 16, statement: 'x' } });
    expect((await verifyLog(await collect(audit.export()), { verifierKey })).warnings).toEqual([
      expect.stringMatching(/no anchor/),
    ]);
  });
});

async function stateAt(lines: readonly string[], index: number) {
  const { Judge } = await import('../src/verify/judge.js');
  const { scanLines } = await import('../src/verify/scan.js');
  const judge = new Judge({ verifierKey });
  const end = lines.indexOf(lines.filter(isEntry)[index]!);
  judge.add(scanLines(Buffer.from(`\n${lines.slice(0, end).join('\n')}`)));
  return { state: judge.state };
}

describe('retention in files', () => {
  test('a crash between the statement and the removal: the log verifies, and the next start removes the rest', async () => {
    const directory = join(folder, 'log');
    const copy = join(folder, 'before');
    const clock = manualClock();
    const start = () => fileAudit({ directory, segmentBytes: 65_536, segmentAge: '1m', clock });
    const { audit } = await (async () => {
      const made = createAudit({ store: start(), signer, clock, anchors: false, checkpointEvery: '1h' });
      open.push(made);
      for (let i = 0; i < 6; i++) {
        await made.record({ ...created, data: { i } });
        clock.advance(2 * DAY);
      }
      return { audit: made };
    })();
    cpSync(join(directory, 'entries'), copy, { recursive: true });
    const result = await audit.prune({ olderThan: '5d', ...why });
    expect(result.entries).toBeGreaterThan(0);
    await audit.close();
    const names = readdirSync(join(directory, 'entries'));
    expect(readdirSync(copy).length).toBeGreaterThan(names.filter((name) => name.endsWith('.ndjson')).length);
    cpSync(copy, join(directory, 'entries'), { recursive: true, force: false });
    expect(readdirSync(join(directory, 'entries')).length).toBeGreaterThan(names.length);
    expect(await cli('verify', '--export', directory, '--key', verifierKey)).toMatchObject({ code: 3 });
    const store = start();
    expect(readdirSync(join(directory, 'entries'))).toEqual(names);
    expect(await verifyLog(store.export!(), { verifierKey })).toMatchObject({
      tampered: [],
      pruned: result.first,
    });
    await store.close!();
  });
});

describeWithPostgres('retention in PostgreSQL', () => {
  const [ROLE, PRUNER] = ['portcullis_audit_app', 'portcullis_audit_pruner'];
  let server: PostgresServer;
  let pool: pg.Pool;
  let sql: Sql;
  beforeAll(async () => {
    server = await startPostgres();
    pool = new pg.Pool({ connectionString: server.url, max: 4 });
    sql = fromPg(pool);
    const roles = [auditRoleMigration(ROLE), auditPrunerRoleMigration(PRUNER)];
    await migrate(sql, [...auditMigrations, ...roles]);
  }, 60_000);
  afterAll(async () => {
    await pool.end();
    await server.stop();
  });
  const as = (role: string, text: string): Promise<unknown> =>
    sql.transaction((tx) => tx.query(text), { role, settings: { 'app.is_staff': 'true' } });
  const denied = { sqlState: '42501' };

  test('takes a role of its own, which can do nothing else; rows that the log has not given up go for nobody', async () => {
    const store = (pruner?: string) => postgresAudit({ sql, role: ROLE, ...(pruner ? { pruner } : {}) });
    const { audit, other, note } = await agedLog(store());
    await expect(audit.prune({ olderThan: '5d', ...why })).rejects.toThrow(TypeError);
    const removal = `select portcullis.audit_remove_old(10)`;
    await expect(as(ROLE, removal)).rejects.toMatchObject(denied);
    await expect(as(ROLE, `select portcullis.audit_begin_after(2, 'x')`)).rejects.toMatchObject(denied);
    await expect(as(ROLE, 'delete from portcullis.audit_entry')).rejects.toMatchObject(denied);
    for (const table of ['entry', 'batch', 'placed', 'checkpoint', 'pruned', 'sealed']) {
      await expect(as(PRUNER, `delete from portcullis.audit_${table}`)).rejects.toMatchObject(denied);
      await expect(as(PRUNER, `select from portcullis.audit_${table}`)).rejects.toMatchObject(denied);
    }
    // The owner, who is a superuser here.
    for (const table of ['entry', 'batch', 'placed', 'checkpoint']) {
      await expect(sql.query(`delete from portcullis.audit_${table}`)).rejects.toMatchObject(denied);
    }
    await expect(as(PRUNER, `select portcullis.audit_begin_after(3, 'x')`)).rejects.toMatchObject({
      sqlState: '23514',
    });
    await audit.close();
    await other.close();
    const job = createAudit({ store: store(PRUNER), signer, anchors: false, checkpointEvery: '1h' });
    open.push(job);
    // The clock of the log stands in the past for this one: everything but its own entries is old.
    const { entries, first } = await job.prune({ olderThan: '1m', ...why });
    expect(entries).toBeGreaterThan(OLD);
    const count = async (table: string) =>
      Number(
        (
          await sql.query<{ n: string }>(
            tag`select count(*)::text as n from ${tag.identifier('portcullis', table)}`,
          )
        ).rows[0]!.n,
      );
    expect(await count('audit_entry')).toBe(2);
    expect(await count('audit_batch')).toBe(1);
    const report = await verifyLog(job.export(), {
      verifierKey,
      anchors: [note, (await job.checkpoint())!.note],
    });
    expect(report).toMatchObject({ tampered: [], pruned: first });
  });

  test('works where the owner of the tables is no superuser and row-level security binds it', async () => {
    const [role, pruner, schema] = ['plain_app', 'plain_pruner', 'plain'];
    await sql.query('create role plain_owner login createrole; grant all on database test to plain_owner');
    const url = new URL(server.url);
    url.username = 'plain_owner';
    const plain = new pg.Pool({ connectionString: url.href, max: 3 });
    const own = fromPg(plain);
    await migrate(own, [...auditMigrations, auditRoleMigration(role), auditPrunerRoleMigration(pruner)], {
      schema,
    });
    const { audit, other } = await agedLog(postgresAudit({ sql: own, role, pruner, schema }));
    expect(await audit.prune({ olderThan: '5d', ...why })).toMatchObject({ entries: OLD, first: OLD });
    expect(await verifyLog(audit.export(), { verifierKey })).toMatchObject({ tampered: [], pruned: OLD });
    await audit.close();
    await other.close();
    await plain.end();
  });

  test('whoever has the role of retention and not the key of the log removes nothing unseen', async () => {
    const schema = 'forged';
    const roles = [auditRoleMigration(ROLE), auditPrunerRoleMigration(PRUNER)];
    await migrate(sql, [...auditMigrations, ...roles], { schema });
    const { audit } = await agedLog(postgresAudit({ sql, role: ROLE, schema }));
    const [begin] = (
      await sql.query<{ end: string }>(
        `select (start + count)::text as end from ${schema}.audit_placed order by start limit 1`,
      )
    ).rows;
    await as(PRUNER, `select ${schema}.audit_begin_after(${begin!.end}, '{"pruned":{}}')`);
    await as(PRUNER, `select ${schema}.audit_remove_old(100)`);
    expect((await verifyLog(audit.export(), { verifierKey })).tampered.length).toBeGreaterThan(0);
  });

  test('a crash between the statement and the removal: the log verifies, and the next time the rest goes', async () => {
    const schema = 'cut_short';
    const roles = [auditRoleMigration(ROLE), auditPrunerRoleMigration(PRUNER)];
    await migrate(sql, [...auditMigrations, ...roles], { schema });
    const store = postgresAudit({ sql, role: ROLE, pruner: PRUNER, schema });
    const crashing: AuditStore = {
      ...store,
      pruning: {
        ...store.pruning!,
        async prune(to, line) {
          await sql.transaction((tx) => tx.query(`select ${schema}.audit_begin_after($1, $2)`, [to, line]), {
            role: PRUNER,
          });
          throw new Error('killed');
        },
      },
    };
    const { audit, clock } = await agedLog(crashing);
    await expect(audit.prune({ olderThan: '5d', ...why })).rejects.toThrow('killed');
    expect(await verifyLog(audit.export(), { verifierKey })).toMatchObject({ tampered: [], pruned: OLD });
    const next = createAudit({ store, signer, clock, anchors: false });
    open.push(next);
    const left = async () =>
      (await sql.query<{ n: string }>(`select count(*)::text as n from ${schema}.audit_batch`)).rows[0]!.n;
    const before = Number(await left());
    expect(await next.prune({ olderThan: '5d', ...why })).toMatchObject({ entries: 0, first: OLD });
    expect(Number(await left())).toBeLessThanOrEqual(before - 10);
    expect(await verifyLog(next.export(), { verifierKey })).toMatchObject({ tampered: [], pruned: OLD });
  });
});
