import { PGlite } from '@electric-sql/pglite';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { fromPglite, migrate } from '@portcullis/core/postgres';
import { manualClock } from '@portcullis/core/testing';
import { generateKeyPairSync, sign } from 'node:crypto';
import {
  createAudit,
  ed25519Signer,
  memoryAudit,
  verifyLog,
  type Audit,
  type AuditBatch,
  type AuditStore,
  type LogSigner,
} from '../src/index.js';
import { Chain } from '../src/chain.js';
import { leafHash, placed, placeOf } from '../src/leaf.js';
import { auditMigrations, postgresAudit } from '../src/postgres.js';
import { batchLine, checkpointLine } from '../src/log/lines.js';
import { verifierKey as verifierKeyOf } from '../src/note.js';

const origin = 'library.example/audit';
const newSigner = (): LogSigner => {
  const key = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return ed25519Signer({ origin, key });
};
const signer = newSigner();
const { verifierKey } = signer;

async function collect(lines: AsyncIterable<string>): Promise<string[]> {
  const all: string[] = [];
  for await (const line of lines) all.push(line);
  return all;
}

interface SomeLog {
  readonly audit: Audit;
  /** As it was after the first checkpoint: a backup. */
  readonly early: readonly string[];
  readonly lines: readonly string[];
  /** The second checkpoint, as an anchor keeps it. */
  readonly anchor: string;
}

/**
 * A log of one writer: five batches of one record, a change of keys among them; the first two under one checkpoint, the next two
 * under a second, anchored one, the last under none; not closed.
 */
async function someLog(store: AuditStore = memoryAudit(), by: LogSigner = signer): Promise<SomeLog> {
  const clock = manualClock();
  const audit = createAudit({
    store,
    signer: by,
    clock,
    keyLifetime: '1m',
    checkpointEvery: '1h',
    anchors: false,
  });
  open.push(audit);
  const record = async (book: number): Promise<void> => {
    await audit.record({
      action: 'book.deleted',
      outcome: 'success',
      actor: { id: 'ann', kind: 'user' },
      target: { type: 'book', id: String(book) },
    });
    clock.advance(25_000);
  };
  await record(0);
  await record(1);
  await audit.checkpoint();
  const early = await collect(audit.export());
  await record(2);
  await record(3);
  const anchor = (await audit.checkpoint())!.note;
  await record(4);
  return { audit, early, lines: await collect(audit.export()), anchor };
}

const open: Audit[] = [];
afterEach(() => Promise.all(open.splice(0).map((audit) => audit.close())));

const isEntry = (line: string): boolean => !/^\{"(?:batch|checkpoint)":/.test(line);
/** Puts every entry in its place again, as who can write the table and knows the format would do. */
function rechained(lines: readonly string[]): string[] {
  let [number, previous] = [0, Buffer.alloc(32).toString('base64')];
  return lines.map((line) => {
    if (!isEntry(line)) return line;
    const { writer, time } = placeOf(line)!;
    const draft = `${line.slice(0, line.lastIndexOf(',"log":'))},"t":"${time}"}`;
    const body = placed(draft, { log: origin, writer, number: number++, previous });
    previous = leafHash(body).toString('base64');
    return body;
  });
}
const edited = (lines: readonly string[]): string[] =>
  lines.map((line) => line.replace('"id":"2","type":"book"', '"id":"9","type":"book"'));
const positionOf = (lines: readonly string[], book: number): number =>
  lines.findIndex((line) => line.includes(`"id":"${book}","type":"book"`));
const without = (lines: readonly string[], at: number): string[] => lines.toSpliced(at, 1);
const swapped = (lines: readonly string[]): string[] => {
  const [a, b] = [positionOf(lines, 1), positionOf(lines, 3)];
  return lines.with(a, lines[b]!).with(b, lines[a]!);
};
const inserted = (lines: readonly string[]): string[] =>
  lines.toSpliced(positionOf(lines, 3), 0, lines[positionOf(lines, 2)]!.replace('"ann"', '"bob"'));

test('a log that nobody touched is clean, its changes of keys included', async () => {
  const { lines, anchor } = await someLog();
  expect(lines.some((line) => line.includes('writer.key-changed'))).toBe(true);
  expect(await verifyLog(lines, { verifierKey, anchors: [anchor] })).toEqual({
    entries: 7,
    writers: 1,
    batches: 5,
    checkpoints: 2,
    sealed: 6,
    anchored: 6,
    tampered: [],
    warnings: [],
  });
  const { tampered, warnings } = await verifyLog(lines, { verifierKey });
  expect(tampered).toEqual([]);
  expect(warnings).toEqual([expect.stringMatching(/no anchor was given/)]);
});

describe('the 17 attacks of research section 4.5', () => {
  /** What a thief of the database (and, in the last, of the log's key) makes of the log. */
  async function attacked(): Promise<{ anchor: string; logs: Record<string, readonly string[]> }> {
    const { early, lines, anchor } = await someLog();
    const at = positionOf(lines, 2);
    const newest = positionOf(lines, 4);
    const logs = {
      'edit an entry': edited(lines),
      'edit and compute the chain anew': rechained(edited(lines)),
      'delete in the middle': without(lines, at),
      'delete and compute the chain anew': rechained(without(lines, at)),
      'insert and compute the chain anew': rechained(inserted(lines)),
      'swap and compute the chain anew': rechained(swapped(lines)),
      'cut off sealed entries at the end': lines.filter(
        (_, i) => i < positionOf(lines, 3) || i === lines.indexOf(checkpointsOf(lines)[1]!),
      ),
      'cut off sealed entries and the checkpoints over them': lines.slice(
        0,
        lines.indexOf(checkpointsOf(lines)[0]!) + 1,
      ),
      'cut off entries that no checkpoint covers': without(lines, newest),
      'the same with the signature of their batch': lines.slice(0, newest),
      'delete the whole log': [],
      'put an old backup back': early,
      'cut off the beginning': lines.slice(3),
      'another text of the same JSON': lines.with(at, lines[at]!.replace('{"c":{', '{ "c":{')),
      'the same entry twice': lines.toSpliced(at, 0, lines[at]!),
      'a writer that the log did not certify': [
        ...lines,
        ...(await someLog(memoryAudit(), newSigner())).lines.filter(
          (line) => !line.startsWith('{"checkpoint"'),
        ),
      ],
      'an insider with the key of the log writes all of it anew': (await someLog()).lines,
    };
    return { anchor, logs };
  }
  const checkpointsOf = (lines: readonly string[]): string[] =>
    lines.filter((line) => line.startsWith('{"checkpoint"'));

  async function unseen(anchored: boolean): Promise<string[]> {
    const { anchor, logs } = await attacked();
    expect(Object.keys(logs)).toHaveLength(17);
    const passed: string[] = [];
    for (const [attack, lines] of Object.entries(logs)) {
      const options = { verifierKey, ...(anchored ? { anchors: [anchor] } : {}) };
      if ((await verifyLog(lines, options)).tampered.length === 0) passed.push(attack);
    }
    return passed;
  }

  test('16 are seen with an anchor; the stated limit is what is younger than the last anchored checkpoint', async () => {
    expect(await unseen(true)).toEqual(['the same with the signature of their batch']);
  });

  test('13 are seen without', async () => {
    expect(await unseen(false)).toEqual([
      'cut off sealed entries and the checkpoints over them',
      'the same with the signature of their batch',
      'put an old backup back',
      'an insider with the key of the log writes all of it anew',
    ]);
  });
});

test('more is seen: no signature at the end, entries gone with their signature, a writer without certificate, an inserted checkpoint', async () => {
  const { lines } = await someLog();
  const at = positionOf(lines, 2);
  const checkpoint = lines.findIndex((line) => line.startsWith('{"checkpoint"'));
  const forged = {
    'no signature': lines.slice(0, -1),
    'entries and signature': lines.toSpliced(at, 2),
    'no certificate': await withoutCertificate(),
    'a checkpoint in another place': [...lines, lines[checkpoint]!],
    'a checkpoint of another key': lines.with(
      checkpoint,
      checkpointLine((await someLog(memoryAudit(), newSigner())).anchor),
    ),
    'a checkpoint that is none': lines.with(checkpoint, '{"checkpoint":1}'),
  };
  for (const [attack, log] of Object.entries(forged)) {
    const { tampered } = await verifyLog(log, { verifierKey });
    expect([attack, tampered.length > 0]).toEqual([attack, true]);
  }
});

test('anchors that do not count are named: of another key, no note, without the cosignature that was asked for', async () => {
  const { lines, anchor } = await someLog();
  const other = (await someLog(memoryAudit(), newSigner())).anchor;
  const witness = verifierKeyOf('w.example/1', Buffer.alloc(32, 1), 'cosignature');
  for (const options of [
    { anchors: [other] },
    { anchors: ['x'] },
    { anchors: [anchor], witnesses: [witness] },
  ]) {
    const { warnings, tampered } = await verifyLog(lines, { verifierKey, ...options });
    expect(tampered).toEqual([]);
    expect(warnings[0]).toMatch(/1 anchors do not count/);
  }
});

test('without signer or verifier key, the report says what it could not see', async () => {
  const audit = createAudit({ store: memoryAudit() });
  await audit.record({ action: 'book.created', outcome: 'success' });
  const { tampered, warnings } = await verifyLog(audit.export());
  expect(tampered).toEqual([]);
  expect(warnings).toHaveLength(4);
  expect((await verifyLog(audit.export(), { verifierKey })).tampered.length).toBeGreaterThan(0);
});

async function withoutCertificate(): Promise<string[]> {
  const { privateKey } = generateKeyPairSync('ed25519');
  const forger: LogSigner = { origin, verifierKey, sign: (message) => sign(null, message, privateKey) };
  const chain = await Chain.open({
    log: origin,
    signer: forger,
    clock: manualClock(),
    random: { bytes: (count) => Buffer.alloc(count, 7), uuid: () => '00000000-0000-4000-8000-000000000000' },
    keyLifetimeMs: 60_000,
  });
  const { writer, bodies, signature }: AuditBatch = chain.batch([]);
  return [...bodies, batchLine({ writer, last: 0, signature })];
}

describe('a database', () => {
  let db: PGlite;
  beforeAll(async () => {
    db = await PGlite.create();
    await migrate(fromPglite(db as never), auditMigrations);
  }, 60_000);
  afterAll(() => db.close());

  test('is exported whole; changed by its owner, who took the triggers away, it is found tampered', async () => {
    const sql = fromPglite(db as never);
    const store = postgresAudit({ sql });
    const { lines, anchor } = await someLog(store);
    const options = { verifierKey, anchors: [anchor] };
    expect(await verifyLog(lines, options)).toMatchObject({
      batches: 5,
      sealed: 6,
      anchored: 6,
      tampered: [],
      warnings: [],
    });
    // Times, zones and what columns think of them are not what is hashed (pitfall 24).
    await sql.query(`set time zone 'Asia/Kathmandu'`);
    await sql.query('alter table portcullis.audit_batch alter column at type text');
    await sql
      .query('alter table portcullis.audit_entry alter column body type varchar(1000000)')
      .catch(() => undefined);
    expect(await verifyLog(store.export!(), options)).toMatchObject({ tampered: [], warnings: [] });

    for (const table of ['entry', 'batch', 'placed', 'checkpoint']) {
      await sql.query(`alter table portcullis.audit_${table} disable trigger user`);
    }
    const problems = async (): Promise<string[]> =>
      (await verifyLog(store.export!(), options)).tampered.map(({ problem }) => problem);
    await sql.query(`delete from portcullis.audit_entry where target_id = '4'`);
    expect(await problems()).toEqual([expect.stringMatching(/are missing$/)]);
    // Everything after the first checkpoint, leaving no trace in the database.
    const { rows } = await sql.query<{ n: string }>(
      'select min(size)::text as n from portcullis.audit_checkpoint',
    );
    const size = Number(rows[0]!.n);
    await sql.query(`delete from portcullis.audit_entry where n >= $1`, [size]);
    await sql.query(`delete from portcullis.audit_batch where first >= $1`, [size]);
    await sql.query(`delete from portcullis.audit_placed where start >= $1`, [size]);
    await sql.query(`delete from portcullis.audit_checkpoint where size > $1`, [size]);
    expect((await verifyLog(store.export!(), { verifierKey })).tampered).toEqual([]);
    expect(await problems()).toEqual([expect.stringMatching(/an anchor holds a checkpoint of 6 entries/)]);
  });
});
