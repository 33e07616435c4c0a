import { describe, expect, test } from '@jest/globals';
import { systemRandom } from '@portcullis/core';
import { manualClock } from '@portcullis/core/testing';
import { generateKeyPairSync, verify } from 'node:crypto';
import { canonicalJson, createAudit, ed25519Signer, memoryAudit, type AuditBatch } from '../src/index.js';
import { Chain, type ChainDeps } from '../src/chain.js';
import { leafHash, placeOf } from '../src/leaf.js';
import { parseVerifierKey, publicKeyOf } from '../src/note.js';
import { batchStatement, writerStatement } from '../src/statements.js';

const origin = 'library.example/audit';
const newSigner = () => {
  const key = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return ed25519Signer({ origin, key });
};
const draft = (id: string): { draft: string } => ({
  draft: canonicalJson({
    c: {},
    e: { type: 'book.created', outcome: 'success', actor: { kind: 'system' } },
    id,
    k: 'action',
    t: '2026-11-22T00:00:00.123Z',
  }),
});
const deps = (more: Partial<ChainDeps> = {}): ChainDeps => ({
  log: origin,
  signer: newSigner(),
  clock: manualClock(),
  random: systemRandom,
  keyLifetimeMs: 900_000,
  ...more,
});
const eventOf = (body: string) =>
  (JSON.parse(body) as { e: { type: string; data?: { key: string; certificate: string } } }).e;

/** The last leaf hash is signed by this key. */
function isSignedWith(batch: AuditBatch, key: string): boolean {
  const number = batch.first + batch.bodies.length - 1;
  const head = leafHash(batch.bodies.at(-1)!);
  const signature = Buffer.from(batch.signature, 'base64');
  return verify(
    null,
    batchStatement(origin, batch.writer, number, head.toString('base64')),
    publicKeyOf(Buffer.from(key, 'base64')),
    signature,
  );
}

describe('a chain', () => {
  test('every entry holds the hash of the one before, in canonical form (RFC 8785), across batches', async () => {
    const chain = await Chain.open(deps());
    const bodies = [...chain.batch([draft('a'), draft('b')]).bodies, ...chain.batch([draft('c')]).bodies];
    expect(bodies).toHaveLength(4);
    let previous: Buffer = Buffer.alloc(32);
    for (const [n, body] of bodies.entries()) {
      expect(canonicalJson(JSON.parse(body))).toBe(body);
      expect(placeOf(body)).toEqual({
        log: origin,
        writer: chain.writer,
        number: n,
        previous: previous.toString('base64'),
        time: expect.any(String),
      });
      expect(JSON.parse(body)).toMatchObject({ v: 1, log: origin, w: chain.writer, n });
      previous = leafHash(body);
    }
  });

  test("its key is certified by the log's, and signs every batch", async () => {
    const signer = newSigner();
    const chain = await Chain.open(deps({ signer }));
    const batch = chain.batch([draft('a')]);
    const { type, data } = eventOf(batch.bodies[0]!);
    expect(type).toBe('writer.opened');
    const statement = writerStatement(origin, chain.writer, data!.key);
    const { publicKey } = parseVerifierKey(signer.verifierKey);
    expect(verify(null, statement, publicKey, Buffer.from(data!.certificate, 'base64'))).toBe(true);
    expect(isSignedWith(batch, data!.key)).toBe(true);
    expect(isSignedWith({ ...batch, first: 1 }, data!.key)).toBe(false);
  });

  test('keys evolve: the last entry under the old key names the new one, which signs from then on', async () => {
    const clock = manualClock();
    const chain = await Chain.open(deps({ clock, keyLifetimeMs: 60_000 }));
    const first = chain.batch([draft('a')]);
    const oldKey = eventOf(first.bodies[0]!).data!.key;
    clock.advance(60_000);
    const change = chain.batch([draft('b')]);
    expect(change.bodies.map((body) => eventOf(body).type)).toEqual(['book.created', 'writer.key-changed']);
    const newKey = eventOf(change.bodies[1]!).data!.key;
    const after = chain.batch([draft('c')]);
    expect([isSignedWith(change, oldKey), isSignedWith(change, newKey)]).toEqual([true, false]);
    expect([isSignedWith(after, oldKey), isSignedWith(after, newKey)]).toEqual([false, true]);
  });

  test('what was taken back leaves no gap', async () => {
    const chain = await Chain.open(deps());
    chain.batch([draft('a')]);
    const mark = chain.mark();
    const lost = chain.batch([draft('b')]);
    chain.reset(mark);
    const kept = chain.batch([draft('c')]);
    expect(kept.first).toBe(lost.first);
    expect(placeOf(kept.bodies[0]!)!.previous).toBe(placeOf(lost.bodies[0]!)!.previous);
  });
});

describe('a batch whose fate is unknown', () => {
  test('ends its chain; the next one says whose callers were refused', async () => {
    const memory = memoryAudit();
    const clock = manualClock();
    const seen: AuditBatch[] = [];
    let fail = false;
    const audit = createAudit({
      store: {
        ...memory,
        append(batch) {
          seen.push(batch);
          return fail ? Promise.reject(new Error('connection lost')) : memory.append(batch);
        },
      },
      clock,
      signer: newSigner(),
    });
    const record = { action: 'book.created', outcome: 'success' } as const;
    await audit.record(record);
    fail = true;
    await expect(audit.record(record)).rejects.toMatchObject({ code: 'E_AUDIT_UNAVAILABLE' });
    fail = false;
    clock.advance(1_000);
    await audit.record(record);
    const [first, lost, next] = seen as [AuditBatch, AuditBatch, AuditBatch];
    expect(lost.writer).toBe(first.writer);
    expect(next.writer).not.toBe(first.writer);
    expect(eventOf(next.bodies[0]!).data).toMatchObject({
      refused: [{ writer: first.writer, from: 2, to: 2 }],
    });
    await audit.close();
    expect(eventOf(seen.at(-1)!.bodies.at(-1)!).type).toBe('writer.closed');
  });
});

test('the outbox is relayed again once the store is back, even if nobody records anything directly', async () => {
  const clock = manualClock();
  const waiting = [{ id: 'b8f0a7a2-7c4e-4a53-9d0a-3f7f3c1f0a11', draft: draft('any').draft, place: '1' }];
  const stored: AuditBatch[] = [];
  let down = true;
  const audit = createAudit({
    clock,
    store: {
      ...memoryAudit(),
      append(batch) {
        if (down) return Promise.reject(new Error('connection refused'));
        stored.push(batch);
        return Promise.resolve();
      },
      outbox: { put: () => Promise.resolve(), waiting: () => Promise.resolve(waiting) },
    },
  });
  await expect(audit.relay(0)).rejects.toMatchObject({ code: 'E_AUDIT_UNAVAILABLE' });
  expect(audit.status().store).toBe('down');
  down = false;
  clock.advance(1_000);
  await audit.relay(0);
  expect(stored.map(({ outbox }) => outbox)).toEqual([[waiting[0]!.id]]);
  expect(audit.status().store).toBe('up');
  await audit.close();
});

test('relay(0) brings in what is there now, also while a sweep for older rows is on its way', async () => {
  const ids = Array.from({ length: 450 }, (_, i) => `b8f0a7a2-7c4e-4a53-9d0a-${String(i).padStart(12, '0')}`);
  let waiting = ids.map((id) => ({ id, draft: draft('any').draft, place: id }));
  const asked: number[] = [];
  let answer: ((rows: readonly []) => void) | undefined;
  const audit = createAudit({
    store: {
      ...memoryAudit(),
      append({ outbox }) {
        waiting = waiting.filter(({ id }) => !outbox.includes(id));
        return Promise.resolve();
      },
      outbox: {
        put: () => Promise.resolve(),
        waiting(longerThanMs, limit, behind = '') {
          asked.push(longerThanMs);
          if (longerThanMs > 0) return new Promise((resolve) => (answer = resolve));
          return Promise.resolve(waiting.filter(({ place }) => place > behind).slice(0, limit));
        },
      },
    },
  });
  const regular = audit.relay('3s');
  const all = Promise.all([audit.relay(0), audit.relay(0)]);
  answer!([]);
  await Promise.all([regular, all]);
  expect(waiting).toEqual([]);
  expect(asked).toEqual([3_000, 0, 0, 0]);
  await audit.close();
});

test('rows that nobody can read, or that the store refuses, stay at the head of the outbox and hold nothing up', async () => {
  const ids = Array.from({ length: 460 }, (_, i) => `b8f0a7a2-7c4e-4a53-9d0a-${String(i).padStart(12, '0')}`);
  const refused = ids[200]!;
  let waiting = ids.map((id, i) => ({ id, draft: i < 200 ? '{broken' : draft('any').draft, place: id }));
  const audit = createAudit({
    // Fewer than one look finds: what has no room at first is not left behind.
    maxPending: 50,
    store: {
      ...memoryAudit(),
      append({ outbox }) {
        if (outbox.includes(refused))
          return Promise.reject(Object.assign(new Error('no'), { kind: 'check' }));
        waiting = waiting.filter(({ id }) => !outbox.includes(id));
        return Promise.resolve();
      },
      outbox: {
        put: () => Promise.resolve(),
        waiting: (_longerThanMs, limit, behind = '') =>
          Promise.resolve(waiting.filter(({ place }) => place > behind).slice(0, limit)),
      },
    },
  });
  await audit.relay(0);
  expect(waiting.map(({ id }) => id)).toEqual(ids.slice(0, 201));
  await audit.close();
});

test("a log's key that is none does not start", () => {
  expect(() => ed25519Signer({ origin: 'a b', key: 'x'.repeat(40) })).toThrow(/origin/);
  expect(() => ed25519Signer({ origin, key: 'x'.repeat(40) })).toThrow(/PKCS #8/);
});

test('verifier keys are those of C2SP signed notes, example of the specification (C2SP/C2SP 5ba5ee8, signed-note.md)', () => {
  const example = 'example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k';
  const signature =
    'Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=';
  const { name, keyId, publicKey } = parseVerifierKey(example);
  const bytes = Buffer.from(signature, 'base64');
  expect(name).toBe('example.com/foo');
  expect(bytes.subarray(0, 4)).toEqual(keyId);
  const text = Buffer.from('This is an example message.\n');
  expect(verify(null, text, publicKey, bytes.subarray(4))).toBe(true);
  expect(() => parseVerifierKey(example.replace('530d', '530e'))).toThrow(TypeError);
});
