import type { PGlite } from '@electric-sql/pglite';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { fromPglite, migrate } from '@portcullis/core/postgres';
import { manualClock } from '@portcullis/core/testing';
import { embeddedPostgres } from '@portcullis/test-support';
import { generateKeyPairSync, sign } from 'node:crypto';
import {
  canonicalJson,
  createAudit,
  memoryAudit,
  verifyLog,
  type AuditBatch,
  type LogSigner,
} from '../src/index.js';
import { Chain } from '../src/chain.js';
import { isCertainlyCanonical } from '../src/verify/canonical-scan.js';
import { batchLine, checkpointLine } from '../src/log/lines.js';
import { verifierKey as verifierKeyOf } from '../src/note.js';
import { auditMigrations, postgresAudit } from '../src/postgres.js';
import { attacked, newSigner, origin, positionOf, someLog, verifierKey } from './support/some-log.js';

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
    pruned: 0,
    tampered: [],
    warnings: [],
  });
  const { tampered, warnings } = await verifyLog(lines, { verifierKey });
  expect(tampered).toEqual([]);
  expect(warnings).toEqual([expect.stringMatching(/no anchor was given/)]);
});

describe('ASVS V16.4.2: what was edited, deleted, reordered or cut off is found: the 17 attacks of research section 4.5', () => {
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

describe('canonical form (RFC 8785)', () => {
  const values: readonly object[] = [
    {},
    { a: 1, b: [true, false, null, [], {}], c: { d: -1, e: 'x' } },
    { n: [0, 10, 123_456_789_012_345, 1e21, 1e-7, 0.5], s: 'st\u00e4le \u{1f4d6} \u2028' },
    { s: 'quote " backslash \\ line \n tab \t bell \u0007 escape \u001b', '': 'no name' },
    { '\u20ac': 1, aa: 2, ab: 3, b: 4 },
  ];
  const canonical = (text: string): boolean => {
    try {
      return canonicalJson(JSON.parse(text)) === text;
    } catch {
      return false;
    }
  };

  test('the quick look takes no other text of the same JSON for the canonical one: every text one change away', () => {
    let [certain, others] = [0, 0];
    for (const text of values.map(canonicalJson)) {
      const changed = Array.from(text).flatMap((_, i) => [
        text.slice(0, i) + text.slice(i + 1),
        ...[' ', ',', '"', '0', '-', '.', 'e', '\\', '\n', '{', '}', '\\u0041', '\\/'].flatMap((more) => [
          text.slice(0, i) + more + text.slice(i),
          text.slice(0, i) + more + text.slice(i + 1),
        ]),
      ]);
      for (const each of [text, ...changed]) {
        const bytes = Buffer.from(each);
        const quick = isCertainlyCanonical(bytes, 0, bytes.length);
        if (quick) certain++;
        else others++;
        if (quick && !canonical(each)) throw new Error(`Taken for canonical: ${each}`);
      }
    }
    expect(certain).toBeGreaterThan(500);
    expect(others).toBeGreaterThan(4000);
  });

  test('an entry in another text of the same JSON is seen, whatever its hash', async () => {
    const { lines } = await someLog();
    const at = lines.findIndex((line) => line.startsWith('{"c":{'));
    const forged = lines.with(at, lines[at]!.replace('{"c":{', '{"c":{ '));
    expect((await verifyLog(forged, { verifierKey })).tampered[0]).toEqual({
      line: at + 1,
      problem: 'the entry is not in canonical form',
    });
  });
});

/** Well-formed, of as many bytes, and of nobody. */
function withAnotherSignature(line: string): string {
  const forged = line.replace(/[A-Za-z0-9+/]{86}==/, (text) =>
    Buffer.from(text, 'base64').fill(1).toString('base64'),
  );
  expect(forged).not.toBe(line);
  return forged;
}

test('more is seen: no signature at the end, entries gone with their signature, a writer without certificate, an inserted checkpoint', async () => {
  const { lines } = await someLog();
  const at = positionOf(lines, 2);
  const checkpoint = lines.findIndex((line) => line.startsWith('{"checkpoint"'));
  const end = lines.length - 1;
  const forged = {
    'no signature': lines.slice(0, -1),
    'a signature of somebody else': lines.with(
      end,
      (await someLog(memoryAudit(), newSigner())).lines.at(-1)!,
    ),
    'another signature': lines.with(end, withAnotherSignature(lines.at(-1)!)),
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

test('an anchor that was told the same checkpoint at every start says once what is wrong', async () => {
  const { lines, anchor } = await someLog();
  const changed = lines.map((line) => line.replace('"id":"2","type":"book"', '"id":"8","type":"book"'));
  const { tampered } = await verifyLog(changed, { verifierKey, anchors: [anchor, anchor, anchor] });
  expect(tampered.filter(({ problem }) => problem.includes('those of the anchor'))).toHaveLength(1);
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
    db = await embeddedPostgres();
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
    // The bytes themselves cannot change their type: columns are made from them.
    await expect(
      db.query('alter table portcullis.audit_entry alter column body type varchar(1000000)'),
    ).rejects.toThrow(/used in a trigger definition/);
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
