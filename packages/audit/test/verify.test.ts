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
import { batchLine } from '../src/verify.js';

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

/** A log of one writer: five batches of one record, a change of keys among them, not closed. */
async function someLog(store: AuditStore = memoryAudit(), by: LogSigner = signer): Promise<string[]> {
  const clock = manualClock();
  const audit = createAudit({ store, signer: by, clock, keyLifetime: '1m' });
  for (let i = 0; i < 5; i++) {
    await audit.record({
      action: 'book.deleted',
      outcome: 'success',
      actor: { id: 'ann', kind: 'user' },
      target: { type: 'book', id: String(i) },
    });
    clock.advance(25_000);
  }
  const lines = await collect(audit.export());
  open.push(audit);
  return lines;
}

const open: Audit[] = [];
afterEach(() => Promise.all(open.splice(0).map((audit) => audit.close())));

const isEntry = (line: string): boolean => !line.startsWith('{"batch"');
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
  const lines = await someLog();
  expect(lines.some((line) => line.includes('writer.key-changed'))).toBe(true);
  expect(await verifyLog(lines, { verifierKey })).toMatchObject({
    writers: 1,
    batches: 5,
    tampered: [],
    warnings: [],
  });
});

test('attacks of research section 4.5 that are seen in the chains alone', async () => {
  const lines = await someLog();
  const at = positionOf(lines, 2);
  const attacks: Record<string, readonly string[]> = {
    'edit an entry': edited(lines),
    'edit and compute the chain anew': rechained(edited(lines)),
    'delete in the middle': without(lines, at),
    'delete in the middle with its signature': lines.toSpliced(at, 2),
    'delete and compute the chain anew': rechained(without(lines, at)),
    'insert and compute the chain anew': rechained(inserted(lines)),
    'swap and compute the chain anew': rechained(swapped(lines)),
    'cut off the newest entry, its signature stays': without(lines, positionOf(lines, 4)),
    'cut off the newest signature, its entry stays': lines.slice(0, -1),
    'delete everything': [],
    'cut off the beginning': lines.slice(3),
    'another text of the same JSON': lines.with(at, lines[at]!.replace('{"c":{', '{ "c":{')),
    'the same entry twice': lines.toSpliced(at, 0, lines[at]!),
    'a writer certified by another key': await someLog(memoryAudit(), newSigner()),
    'a writer without certificate': await withoutCertificate(),
  };
  for (const [attack, forged] of Object.entries(attacks)) {
    const { tampered } = await verifyLog(forged, { verifierKey });
    expect([attack, tampered.length > 0]).toEqual([attack, true]);
  }
});

test('the stated limit: the newest batches cut off whole, and chains that are gone, are not seen without checkpoints', async () => {
  const lines = await someLog();
  expect((await verifyLog(lines.slice(0, -2), { verifierKey })).tampered).toEqual([]);
});

test('without signer or verifier key, the report says what it could not see', async () => {
  const audit = createAudit({ store: memoryAudit() });
  await audit.record({ action: 'book.created', outcome: 'success' });
  const { tampered, warnings } = await verifyLog(audit.export());
  expect(tampered).toEqual([]);
  expect(warnings).toHaveLength(2);
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
    const lines = await someLog(store);
    expect(await verifyLog(lines, { verifierKey })).toMatchObject({ batches: 5, tampered: [] });
    // Times, zones and what columns think of them are not what is hashed (pitfall 24).
    await sql.query(`set time zone 'Asia/Kathmandu'`);
    await sql.query('alter table portcullis.audit_batch alter column at type text');
    expect(await verifyLog(store.export!(), { verifierKey })).toMatchObject({ tampered: [] });

    await sql.query('alter table portcullis.audit_entry disable trigger user');
    await sql.query(`delete from portcullis.audit_entry where target_id = '4'`);
    const { tampered } = await verifyLog(store.export!(), { verifierKey });
    expect(tampered).toEqual([{ line: expect.any(Number), problem: expect.stringMatching(/are missing$/) }]);
  });
});
