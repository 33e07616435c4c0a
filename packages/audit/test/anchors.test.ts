import type { PGlite } from '@electric-sql/pglite';
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals';
import { createMemoryStore } from '@portcullis/core';
import { fromPglite, migrate } from '@portcullis/core/postgres';
import { manualClock, recordedEvents } from '@portcullis/core/testing';
import { embeddedPostgres, eventually, onBothExpress } from '@portcullis/test-support';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createAudit,
  createWitness,
  ed25519Signer,
  fileAnchor,
  logLineAnchor,
  memoryAudit,
  verifyLog,
  webhookAnchor,
  witnessAnchor,
  type Anchor,
  type Audit,
  type AuditStore,
} from '../src/index.js';
import { readCheckpointLine } from '../src/log/lines.js';
import { parseNote, parseVerifierKey, signedBy } from '../src/note.js';
import { auditAnchorMigrations, databaseAnchor } from '../src/postgres.js';

const newKey = (): string =>
  generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const signer = ed25519Signer({ origin: 'library.example/audit', key: newKey() });
const { verifierKey } = signer;
const record = { action: 'book.created', outcome: 'success' } as const;

const audits: Audit[] = [];
const servers: Server[] = [];
const folder = mkdtempSync(join(tmpdir(), 'anchors-'));
afterEach(async () => {
  await Promise.all(audits.splice(0).map((audit) => audit.close()));
  await Promise.all(servers.splice(0).map((server) => new Promise((done) => server.close(done))));
});
afterAll(() => rmSync(folder, { recursive: true }));

function someAudit(anchors: readonly Anchor[], store: AuditStore = memoryAudit()) {
  const clock = manualClock();
  const events = recordedEvents();
  const audit = createAudit({
    store,
    signer,
    anchors,
    clock,
    events,
    checkpointEvery: '1h',
    retryEvery: '20ms',
  });
  audits.push(audit);
  return { audit, events, clock };
}
async function listen(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}
async function linesOf(audit: Audit): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of audit.export()) lines.push(line);
  return lines;
}

describe('anchors', () => {
  test('a file gets every checkpoint as a line that verifies the log, and is read again after a restart', async () => {
    const path = join(folder, 'anchor.ndjson');
    const { audit } = someAudit([fileAnchor({ path })]);
    await audit.record(record);
    await audit.checkpoint();
    await audit.record(record);
    const { note } = (await audit.checkpoint())!;
    expect(audit.status()).toMatchObject({
      guarantee: 'anchored',
      sealed: 3,
      anchors: [{ name: 'file', state: 'up', size: 3 }],
      warnings: [],
    });
    const notes = readFileSync(path, 'utf8')
      .trimEnd()
      .split('\n')
      .map((line) => readCheckpointLine(line)!);
    expect(notes).toHaveLength(2);
    expect(await verifyLog(await linesOf(audit), { verifierKey, anchors: notes })).toMatchObject({
      anchored: 3,
      tampered: [],
      warnings: [],
    });
    writeFileSync(path, '{"checkpoint":"half a li', { flag: 'a' });
    expect(await fileAnchor({ path }).latest!('library.example/audit')).toBe(note);
    expect(await fileAnchor({ path }).latest!('other.example/audit')).toBeUndefined();
    expect(await fileAnchor({ path: join(folder, 'absent') }).latest!('x')).toBeUndefined();
  });

  test('a log line carries the signed note', async () => {
    const lines: unknown[] = [];
    const { audit } = someAudit([logLineAnchor({ logger: { info: (...line) => lines.push(line) } })]);
    await audit.record(record);
    const { note } = (await audit.checkpoint())!;
    expect(lines).toEqual([['audit.checkpoint', { checkpoint: note }]]);
  });

  test('a webhook is POSTed to; only a 2xx counts, redirects and plain http elsewhere are refused', async () => {
    const got: string[] = [];
    let status = 204;
    const url = await listen((req, res) => {
      let body = `${req.headers.authorization} `;
      req.on('data', (chunk: Buffer) => (body += chunk.toString()));
      req.on('end', () => {
        got.push(body);
        res.writeHead(status, status === 302 ? { location: '/' } : {}).end();
      });
    });
    const { audit, events } = someAudit([webhookAnchor({ url, authorization: 'Bearer t' })]);
    await audit.record(record);
    const { note } = (await audit.checkpoint())!;
    expect(got).toEqual([`Bearer t ${note}`]);
    status = 302;
    await audit.record(record);
    await audit.checkpoint();
    expect(audit.status()).toMatchObject({
      guarantee: 'checkpointed',
      anchors: [{ state: 'down', size: 2 }],
      warnings: [expect.any(String), 'the anchor "webhook" takes no checkpoints'],
    });
    expect(events.of('audit.anchor-failed')).toHaveLength(1);
    status = 200;
    await eventually(() => expect(audit.status().guarantee).toBe('anchored'));
    expect(events.of('audit.anchor-recovered')).toHaveLength(1);
    expect(() => webhookAnchor({ url: 'http://example.com/' })).toThrow(/https/);
  });

  test('an anchor that is down holds nobody up, and gets the newest checkpoint when it is back', async () => {
    const taken: number[] = [];
    let down = true;
    const anchor: Anchor = {
      name: 'mine',
      publish: ({ size }) => {
        if (down) return Promise.reject(new Error('no'));
        taken.push(size);
        return Promise.resolve();
      },
    };
    const { audit, events } = someAudit([anchor]);
    for (let i = 0; i < 3; i++) {
      await audit.record(record);
      await audit.checkpoint();
    }
    expect(audit.status()).toMatchObject({
      guarantee: 'checkpointed',
      sealed: 4,
      anchors: [{ state: 'down' }],
    });
    expect(events.of('audit.anchor-failed')).toHaveLength(1);
    down = false;
    await eventually(() => expect(taken).toEqual([4]));
    expect(audit.status().guarantee).toBe('anchored');
  });
});

describe('a database under other credentials', () => {
  let db: PGlite;
  beforeAll(async () => {
    db = await embeddedPostgres();
    await migrate(fromPglite(db as never), auditAnchorMigrations);
  }, 60_000);
  afterAll(() => db.close());

  test('keeps checkpoints, append-only, also two of one size', async () => {
    const sql = fromPglite(db as never);
    const anchor = databaseAnchor({ sql });
    const { audit } = someAudit([anchor]);
    await audit.record(record);
    const checkpoint = (await audit.checkpoint())!;
    expect(await anchor.latest!('library.example/audit')).toBe(checkpoint.note);
    const none = { consistency: () => Promise.resolve([]) };
    await anchor.publish(checkpoint, none);
    await anchor.publish({ ...checkpoint, note: `${checkpoint.note}x` }, none);
    const { rows } = await sql.query('select 1 from portcullis.audit_anchor');
    expect(rows).toHaveLength(2);
    await expect(sql.query('delete from portcullis.audit_anchor')).rejects.toMatchObject({
      name: 'SqlError',
    });
  });
});

describe('a log that was set back', () => {
  test('is noticed by the process that runs, which signs nothing more', async () => {
    const memory = memoryAudit();
    let store: AuditStore = memory;
    const { audit, events } = someAudit([], {
      append: (batch) => store.append(batch),
      query: (query) => store.query(query),
      export: () => store.export!(),
      tree: {
        newest: () => store.tree!.newest(),
        tiles: (names) => store.tree!.tiles(names),
        find: (id) => store.tree!.find(id),
        extend: (step, how) => store.tree!.extend(step, how),
      },
      ephemeral: true,
    });
    await audit.record(record);
    await audit.checkpoint();
    store = memoryAudit();
    await audit.record(record);
    await expect(audit.checkpoint()).rejects.toThrow(/there is none now/);
    expect(events.of('audit.rewritten')).toEqual([expect.objectContaining({ size: 2 })]);
    expect(audit.status()).toMatchObject({
      guarantee: 'signed',
      warnings: [expect.any(String), 'no checkpoint can be made: inconsistent'],
    });
    expect(await store.tree!.newest()).toBeUndefined();
  });

  test('is noticed at the next start, by what an anchor holds', async () => {
    const anchor = fileAnchor({ path: join(folder, 'rollback.ndjson') });
    const first = someAudit([anchor]);
    await first.audit.record(record);
    await first.audit.checkpoint();
    // The same log, from a backup of before.
    const { audit, events } = someAudit([anchor]);
    await audit.record(record);
    await expect(audit.checkpoint()).rejects.toThrow();
    expect(events.of('audit.rewritten')).toHaveLength(1);
    // Recording goes on: what happens now is the last thing to lose.
    await expect(audit.record(record)).resolves.toMatchObject({ durable: true });
  });

  test('a checkpoint of another key is not continued', async () => {
    const store = memoryAudit();
    await someAudit([], store).audit.record(record);
    await audits[0]!.checkpoint();
    const other = ed25519Signer({ origin: 'library.example/audit', key: newKey() });
    const audit = createAudit({ store, signer: other, anchors: false, checkpointEvery: '1h' });
    audits.push(audit);
    await audit.record(record);
    await expect(audit.checkpoint()).rejects.toThrow(/not signed by the key/);
  });
});

test('whoever waits for a checkpoint gets it, although a turn of the timer had been queued that gives way to others', async () => {
  jest.useFakeTimers({ doNotFake: ['nextTick', 'setImmediate', 'queueMicrotask', 'performance'] });
  try {
    const memory = memoryAudit();
    const waited: boolean[] = [];
    let release = (): void => undefined;
    const blocked = new Promise<void>((resolve) => (release = resolve));
    const tree = {
      ...memory.tree!,
      async extend(step: never, how: { readonly wait: boolean }) {
        waited.push(how.wait);
        if (waited.length === 1) await blocked;
        return memory.tree!.extend(step, how);
      },
    };
    const audit = createAudit({
      store: { ...memory, tree },
      signer,
      anchors: false,
      checkpointEvery: '10ms',
    });
    audits.push(audit);
    await audit.record(record);
    const first = audit.checkpoint();
    await new Promise((resolve) => setImmediate(resolve));
    jest.advanceTimersByTime(10);
    const second = audit.checkpoint();
    await new Promise((resolve) => setImmediate(resolve));
    release();
    await Promise.all([first, second]);
    expect(waited).toEqual([true, true]);
  } finally {
    jest.useRealTimers();
  }
});

describe('at start', () => {
  test('a log without anchor says so, unless that is meant', async () => {
    const warn = jest.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const events = recordedEvents();
    const { ephemeral: _, ...store } = memoryAudit();
    for (const anchors of [undefined, false] as const) {
      const audit = createAudit({ store, signer, events, ...(anchors === undefined ? {} : { anchors }) });
      audits.push(audit);
      expect(audit.status()).toMatchObject({ guarantee: 'checkpointed', warnings: [expect.any(String)] });
    }
    const warned = warn.mock.calls.map(([, options]) => options);
    warn.mockRestore();
    expect(warned).toEqual([expect.objectContaining({ code: 'PORTCULLIS_AUDIT_UNANCHORED' })]);
    expect(events.of('audit.unanchored')).toMatchObject([{ guarantee: 'checkpointed' }]);
    expect(() => createAudit({ store, anchors: [logLineAnchor({ logger: console })] })).toThrow(
      /take a signer/,
    );
  });
});

onBothExpress((express) => {
  describe('a witness', () => {
    async function someWitness() {
      const clock = manualClock();
      const store = createMemoryStore({ clock });
      const witness = createWitness({
        name: 'w.example/1',
        key: newKey(),
        logs: [verifierKey],
        store,
        clock,
      });
      const app = express();
      app.use('/witness', witness as never);
      const url = `${await listen(app as never)}/witness`;
      const post = async (body: string) => {
        const answer = await fetch(`${url}/add-checkpoint`, { method: 'POST', body });
        return { status: answer.status, type: answer.headers.get('content-type'), text: await answer.text() };
      };
      return { witness, url, post };
    }

    test('cosigns what continues the log; two processes of one log share it, and it says what it has seen', async () => {
      const { witness, url } = await someWitness();
      const anchor = witnessAnchor({ url, verifierKey: witness.verifierKey });
      const { audit } = someAudit([anchor]);
      for (let i = 0; i < 3; i++) {
        await audit.record(record);
        await audit.checkpoint();
      }
      expect(audit.status().anchors).toEqual([{ name: 'witness w.example/1', state: 'up', size: 4 }]);
      const note = (await anchor.latest!('library.example/audit'))!;
      const read = parseNote(note);
      expect(signedBy(read, parseVerifierKey(witness.verifierKey, 'cosignature'))).toBe('yes');
      expect(signedBy(read, parseVerifierKey(verifierKey))).toBe('yes');
      expect(
        await verifyLog(await linesOf(audit), {
          verifierKey,
          anchors: [note],
          witnesses: [witness.verifierKey],
        }),
      ).toMatchObject({ anchored: 4, warnings: [], tampered: [] });
      // One that starts without knowing what the witness knows is told (409).
      await audit.record(record);
      const checkpoint = (await audit.checkpoint())!;
      const other = witnessAnchor({ url, verifierKey: witness.verifierKey });
      await other.publish(checkpoint, { consistency: () => Promise.reject(new Error('not needed')) });
    });

    test('a log that was set back is not cosigned', async () => {
      const { witness, url } = await someWitness();
      const anchor = () => witnessAnchor({ url, verifierKey: witness.verifierKey });
      const { audit } = someAudit([anchor()]);
      for (let i = 0; i < 3; i++) await audit.record(record);
      await audit.checkpoint();
      const forked = someAudit([]);
      await forked.audit.record(record);
      const shorter = (await forked.audit.checkpoint())!;
      const proofs = { consistency: () => Promise.resolve([Buffer.alloc(32)]) };
      await expect(anchor().publish(shorter, proofs)).rejects.toMatchObject({ code: 'ahead' });
      for (let i = 0; i < 4; i++) await forked.audit.record(record);
      const longer = (await forked.audit.checkpoint())!;
      await expect(anchor().publish(longer, proofs)).rejects.toMatchObject({ code: 'HTTP_422' });
    });

    test('answers as the protocol says: 400, 403, 404, 409, 422', async () => {
      const { post, url } = await someWitness();
      const { audit } = someAudit([]);
      await audit.record(record);
      const { note } = (await audit.checkpoint())!;
      const stranger = createAudit({
        store: memoryAudit(),
        signer: ed25519Signer({ origin: 'other.example/audit', key: newKey() }),
        checkpointEvery: '1h',
      });
      audits.push(stranger);
      await stranger.record(record);
      expect(await fetch(`${url}/${'0'.repeat(64)}/checkpoint`)).toMatchObject({ status: 404 });
      expect(await post('nonsense')).toMatchObject({ status: 400 });
      expect(await post(`old 0\n\n${'x'.repeat(70_000)}`)).toMatchObject({ status: 400 });
      expect(await post(`old 9\n\n${note}`)).toMatchObject({ status: 400 });
      expect(await post(`old 0\n\n${(await stranger.checkpoint())!.note}`)).toMatchObject({ status: 404 });
      expect(await post(`old 0\n\n${note.replace('\n2\n', '\n3\n')}`)).toMatchObject({ status: 403 });
      expect(await post(`old 0\n${Buffer.alloc(32).toString('base64')}\n\n${note}`)).toMatchObject({
        status: 422,
      });
      expect(await post(`old 1\n\n${note}`)).toMatchObject({
        status: 409,
        type: 'text/x.tlog.size',
        text: '0\n',
      });
      expect(await post(`old 0\n\n${note}`)).toMatchObject({ status: 200 });
      expect(await post(`old 0\n\n${note}`)).toMatchObject({ status: 409, text: '2\n' });
      expect(await post(`old 2\n\n${note}`)).toMatchObject({
        status: 200,
        text: expect.stringMatching(/^\u2014 w\.example\/1 /),
      });
      expect((await fetch(`${url}/elsewhere`)).status).toBe(404);
    });
  });
});
