import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import type { SqlTransaction } from '@portcullis/core';
import { manualClock, type TestGlobals } from '@portcullis/core/testing';
import { createAudit, type Audit, type AuditOptions } from '../create-audit.js';
import { rootAt } from '../merkle/tiles.js';
import { commitmentsIn } from '../people/fields.js';
import { checkQuery, type AuditQuery } from '../query.js';
import type { AuditRecord } from '../record.js';
import { ed25519Signer } from '../signer.js';
import type { AuditBatch, AuditStore, SealedValue } from '../store.js';
import { parseCheckpoint } from '../checkpoint.js';
import { verifyDisclosure } from '../prove.js';
import { verifyLog } from '../verify/verify-log.js';
import { globalsOf } from './globals.js';

export interface AuditStoreSuiteOptions {
  /** @default the global `describe` and `test` of the test runner */
  readonly globals?: TestGlobals;
}

export interface AuditStoreUnderTest {
  /** Empty. */
  readonly store: AuditStore;
  /** The same data after `store` was closed, as the next process sees it. Left out where nothing survives. */
  readonly reopen?: () => AuditStore | Promise<AuditStore>;
  /** A transaction of the database that the store is in; for stores with an outbox. */
  readonly transaction?: (work: (tx: SqlTransaction) => Promise<void>) => Promise<void>;
}

const ORIGIN = 'suite.example/audit';
const DAY = 86_400_000;

/** Every claim of {@link AuditStore}, for any implementation. `makeStore` is called once for each. */
export function auditStoreSuite(
  name: string,
  makeStore: () => AuditStoreUnderTest | Promise<AuditStoreUnderTest>,
  options: AuditStoreSuiteOptions = {},
): void {
  const { describe, test } = globalsOf(options.globals);

  describe(`AuditStore: ${name}`, () => {
    const claim = (title: string, check: (kit: Kit) => Promise<void>): void => {
      test(title, async () => {
        const kit = new Kit(await makeStore());
        try {
          await check(kit);
        } finally {
          await kit.end();
        }
      });
    };

    claim('an empty store has no entries and no checkpoint', async ({ store }) => {
      assert.deepEqual((await find(store, {})).entries, []);
      assert.equal(await store.tree?.newest(), undefined);
      assert.deepEqual(await store.people?.find(['A'.repeat(43)]), store.people && []);
      for await (const line of store.export?.() ?? []) assert.fail(line);
    });

    claim('what was appended is found as it was written, newest first', async (kit) => {
      const audit = kit.audit();
      const texts = ['\u00fc \u{1f512}', '"quotes" \\ {}', "it's; drop table", '{"batch":{"last":1}}'];
      for (const note of texts) await audit.record({ ...created, data: { note } });
      const { entries } = await find(kit.store, {});
      assert.deepEqual(
        entries.map(({ data }) => (data as { note?: unknown }).note),
        texts.toReversed(),
      );
      const bodies = kit.batches.flatMap((batch) => batch.bodies);
      for (const { body } of entries) assert.ok(bodies.includes(body));
      const order = entries.map(({ seq }) => Number(seq));
      assert.deepEqual(
        order,
        order.toSorted((a, b) => b - a),
      );
    });

    claim('a batch that comes again, late or at the same moment, is there once', async (kit) => {
      const audit = kit.audit();
      for (let i = 0; i < 3; i++) await audit.record(created);
      for (const batch of kit.batches) await kit.store.append(batch);
      const next = kit.audit();
      await next.record(created);
      const last = kit.batches.at(-1)!;
      await Promise.all(Array.from({ length: 5 }, () => kit.store.append(last)));
      assert.equal((await find(kit.store, {})).entries.length, 4);
      const entries = (await kit.lines()).filter((line) => line.startsWith('{"c":'));
      assert.equal(new Set(entries).size, entries.length);
    });

    claim('batches of many writers at once are all there, each chain in its order', async (kit) => {
      const audits = Array.from({ length: 8 }, () => kit.audit());
      const receipts = await Promise.all(
        audits.flatMap((audit) => Array.from({ length: 40 }, () => audit.record(created))),
      );
      const { entries } = await find(kit.store, { limit: 500 });
      assert.deepEqual(entries.map(({ id }) => id).sort(), receipts.map(({ id }) => id).sort());
      if (kit.store.export) assert.deepEqual((await verifyLog(await kit.lines())).tampered, []);
    });

    claim('filters leave what they say, and pages hold everything once', async (kit) => {
      const audit = kit.audit();
      const make = (record: Partial<AuditRecord>) => audit.record({ ...created, ...record });
      await make({ action: 'book.deleted', target: { type: 'book', id: '7' } });
      await make({ action: 'bookshelf.moved', actor: { id: 'bob', kind: 'user' } });
      await make({ outcome: 'denied', target: { type: 'loan', id: '7' } });
      for (let i = 0; i < 5; i++) await make({ data: { i } });
      const count = async (query: Partial<AuditQuery>) => (await find(kit.store, query)).entries.length;
      assert.equal(await count({}), 8);
      assert.equal(await count({ action: 'book.deleted' }), 1);
      assert.equal(await count({ action: 'book.*' }), 7);
      assert.equal(await count({ actor: 'bob' }), 1);
      assert.equal(await count({ outcome: 'denied' }), 1);
      assert.equal(await count({ target: { type: 'loan' } }), 1);
      assert.equal(await count({ target: { type: 'book', id: '7' } }), 1);
      assert.equal(await count({ kind: 'request' }), 0);
      assert.ok((await count({ kind: 'log' })) >= 1);
      assert.equal(await count({ requestId: 'none' }), 0);
      const now = Date.now();
      assert.equal(await count({ from: now - DAY, to: now + DAY }), 8);
      assert.equal(await count({ from: now + DAY }), 0);
      assert.equal(await count({ to: now - DAY }), 0);

      const all = (await find(kit.store, {})).entries.map(({ id }) => id);
      const paged: string[] = [];
      for (let cursor: string | undefined; ;) {
        const page = await find(kit.store, { limit: 3, ...(cursor === undefined ? {} : { cursor }) });
        paged.push(...page.entries.map(({ id }) => id));
        if (page.next === undefined) break;
        cursor = page.next;
      }
      assert.deepEqual(paged, all);
    });

    claim('people see the entries whose actor they are, and no others', async (kit) => {
      const audit = kit.audit();
      for (const id of ['ann', 'bob', 'ann ', 'ANN']) {
        await audit.record({ ...created, actor: { id, kind: 'user' }, target: { type: 'user', id: 'ann' } });
      }
      await audit.record({ action: 'app.started', outcome: 'success' });
      const seen = await find(kit.store, { viewer: { id: 'ann', staff: false } });
      assert.deepEqual(
        seen.entries.map(({ actor }) => actor.id),
        ['ann'],
      );
      assert.equal((await find(kit.store, { viewer: { id: 'ann', staff: true } })).entries.length, 5);
    });

    claim('the export verifies, with every entry under a checkpoint, and proofs are right', async (kit) => {
      if (!kit.store.export || !kit.store.tree) return;
      const audits = [kit.audit(), kit.audit()];
      const ids: string[] = [];
      const notes: string[] = [];
      for (let i = 0; i < 6; i++) {
        const many = Array.from({ length: 100 }, () => audits[i % 2]!.record(created));
        ids.push(...(await Promise.all(many)).map(({ id }) => id));
        notes.push((await audits[i % 2]!.checkpoint())!.note);
      }
      const report = await verifyLog(await kit.lines(), { verifierKey: kit.verifierKey, anchors: notes });
      assert.deepEqual(report.tampered, []);
      assert.deepEqual(report.warnings, []);
      assert.equal(report.sealed, report.entries);
      assert.equal(report.entries, 602);
      for await (const line of audits[0]!.disclose([ids[0]!, ids[255]!, ids.at(-1)!])) {
        const disclosed = verifyDisclosure(line, kit.verifierKey);
        assert.ok(disclosed.proved && ids.includes(disclosed.entry.id));
      }
      assert.equal(await audits[0]!.prove('none'), undefined);
    });

    claim(
      'however many batches wait, and however many checkpoints there are, they stand in their order',
      async (kit) => {
        if (!kit.store.export || !kit.store.tree) return;
        const audit = kit.audit();
        // Numbers with one, two and three digits: as texts they would stand in another order.
        for (let i = 0; i < 12; i++) {
          await audit.record(created);
          await audit.checkpoint();
        }
        for (let i = 0; i < 150; i++) await audit.record(created);
        await audit.checkpoint();
        const report = await verifyLog(await kit.lines(), { verifierKey: kit.verifierKey });
        assert.deepEqual([report.tampered, report.sealed, report.checkpoints], [[], 163, 14]);
      },
    );

    claim('the tree grows by what a step returns, all of it or nothing, one step at a time', async (kit) => {
      const { tree } = kit.store;
      if (!tree) return;
      const audit = kit.audit();
      const { id } = await audit.record(created);
      assert.equal((await tree.find(id))?.index, undefined);
      const fails = () => Promise.reject(new Error('no signer'));
      await assert.rejects(tree.extend(fails, { wait: true }), /no signer/);
      assert.equal(await tree.newest(), undefined);
      let end!: () => void;
      const held = new Promise<void>((resolve) => (end = resolve));
      const steps: string[] = [];
      const step = (name: string, until: Promise<void>) => async (): Promise<undefined> => {
        steps.push(`${name} begins`);
        await until;
        steps.push(`${name} ends`);
      };
      const first = tree.extend(step('one', held), { wait: true });
      const second = tree.extend(step('two', Promise.resolve()), { wait: true });
      const third = tree.extend(step('three', Promise.resolve()), { wait: false });
      end();
      assert.equal(await first, undefined);
      assert.equal(await second, undefined);
      // Where steps take turns on one connection, who does not want to wait may still have its turn.
      assert.ok(['busy', undefined].includes((await third) as string | undefined));
      for (const [i, said] of steps.entries()) {
        if (said.endsWith('ends')) assert.equal(steps[i - 1], said.replace('ends', 'begins'));
      }
      const sealed = (await audit.checkpoint())!;
      assert.equal(await tree.newest(), sealed.note);
      assert.equal((await tree.find(id))?.index, 1);
      assert.deepEqual(await rootAt(sealed.size, tree.tiles), parseCheckpoint(sealed.note).root);
      await tree.extend(
        ({ batches }) => {
          assert.deepEqual(batches, []);
          return Promise.resolve(undefined);
        },
        { wait: true },
      );
    });

    claim('a person who is erased is gone, with what comes later out of a spool', async (kit) => {
      const { store } = kit;
      if (!store.people) return;
      const audit = kit.audit({ personal: { key: 'k'.repeat(32), fields: { reason: 'actor' } } });
      const by = (id: string) =>
        audit.record({ ...created, actor: { id, kind: 'user' }, reason: `of ${id} \u00fc` });
      await by('ann');
      await by('bob');
      const late = kit.batches.findLast(({ sealed }) => sealed.length > 0)!;
      const before = await kit.lines();
      const reasons = async () =>
        (await audit.query({ viewer: 'system', action: 'book.*' })).entries.map(({ reason }) => reason);
      assert.deepEqual(await reasons(), ['of bob \u00fc', 'of ann \u00fc']);
      assert.deepEqual(await audit.erase('ann'), { values: 1 });
      assert.deepEqual(await audit.erase('ann'), { values: 0 });
      assert.deepEqual(await reasons(), ['of bob \u00fc', '[Erased]']);
      assert.deepEqual((await kit.lines()).slice(0, before.length), before);

      const [value] = late.sealed as [SealedValue];
      const again = { ...late, writer: 'A'.repeat(22), bodies: late.bodies.map(otherEntry) };
      await audit.erase('bob');
      await store.append({ ...again, sealed: [{ ...value, commitment: 'B'.repeat(43) }] });
      assert.deepEqual(await store.people.find(['B'.repeat(43)]), []);
      // A key that was made after the erasure is of a person who has come back.
      const [commitment, since] = ['C'.repeat(43), Date.now() + DAY];
      const returned = { ...value, commitment, key: 'new', since };
      await store.append({
        ...again,
        writer: 'B'.repeat(22),
        bodies: again.bodies.map(otherEntry),
        sealed: [returned],
      });
      assert.deepEqual(await store.people.find([commitment]), [returned]);
    });

    claim('what is durable is there for the next process', async (kit) => {
      if (kit.store.ephemeral || !kit.canReopen) return;
      const personal = { key: 'k'.repeat(32), fields: { reason: 'actor' } } as const;
      const first = kit.audit({ personal });
      const { id } = await first.record({ ...created, reason: 'mine' });
      const { note } = (await first.checkpoint())!;
      const batch = kit.batches.at(-1)!;
      await first.close();
      await kit.reopen();
      const second = kit.audit({ personal });
      await kit.store.append(batch);
      const [entry, ...others] = (await second.query({ viewer: 'system' })).entries;
      assert.deepEqual([entry?.id, entry?.reason, others.length], [id, 'mine', 0]);
      await second.record(created);
      await second.checkpoint();
      const report = await verifyLog(await kit.lines(), { verifierKey: kit.verifierKey, anchors: [note] });
      assert.deepEqual([report.tampered, report.warnings, report.writers], [[], [], 2]);
    });

    claim('retention removes what is old and leaves a log that verifies, time after time', async (kit) => {
      if (!kit.store.pruning || !kit.store.export) return;
      const clock = manualClock();
      const personal = { key: 'k'.repeat(32), fields: { reason: 'actor' } } as const;
      const audits = [kit.audit({ clock, personal }), kit.audit({ clock, personal })];
      const reason = 'r'.repeat(600);
      const fill = () =>
        Promise.all(Array.from({ length: 400 }, (_, i) => audits[i % 2]!.record({ ...created, reason })));
      let begin = 0;
      for (let round = 1; round <= 2; round++) {
        for (let i = 0; i < 4; i++) await fill();
        clock.advance(DAY * 10);
        const { id: young } = await audits[0]!.record({ ...created, reason: 'young' });
        const { note } = (await audits[1]!.checkpoint())!;
        const commitment = await oldestCommitment(kit);
        const result = await audits[round % 2]!.prune({ olderThan: '5d', reason: `round ${round}` });
        assert.ok(
          result.entries > 0 && result.first === begin + result.entries && result.first <= 1_604 * round,
        );
        begin = result.first;
        const report = await verifyLog(await kit.lines(), { verifierKey: kit.verifierKey, anchors: [note] });
        assert.deepEqual([report.tampered, report.warnings, report.pruned], [[], [], begin]);
        assert.deepEqual(await kit.store.people!.find([commitment]), []);
        const { entries } = await audits[0]!.query({ viewer: 'system', limit: 500 });
        assert.deepEqual([entries[0]?.id, entries[0]?.reason], [young, 'young']);
        for await (const line of audits[0]!.disclose([young])) {
          assert.ok(verifyDisclosure(line, kit.verifierKey).proved);
        }
        assert.equal((await audits[0]!.prune({ olderThan: '5d', reason: 'again' })).entries, 0);
      }
      if (!kit.canReopen) return;
      await kit.reopen();
      const next = kit.audit({ clock, personal });
      await next.record(created);
      await next.checkpoint();
      const report = await verifyLog(await kit.lines(), { verifierKey: kit.verifierKey });
      assert.deepEqual([report.tampered, report.pruned], [[], begin]);
    });

    claim('an outbox keeps what a transaction committed until the log has it, once', async (kit) => {
      const { outbox } = kit.store;
      if (!outbox) return;
      const audit = kit.audit();
      await assert.rejects(
        kit.transaction(async (tx) => {
          await outbox.put(tx, [{ id: 'rolled back', draft: '{}' }]);
          throw new Error('the business says no');
        }),
      );
      let id = '';
      await kit.transaction(async (tx) => void ({ id } = await audit.tx(tx).record(created)));
      await audit.relay(0);
      assert.deepEqual(await outbox.waiting(0, 10), []);
      // Rows that nobody can read stay; the others are found behind them.
      const unreadable = Array.from({ length: 5 }, (_, i) => ({ id: `unreadable-${i}`, draft: '{' }));
      await kit.transaction((tx) => outbox.put(tx, unreadable));
      await audit.relay(0);
      const found: string[] = [];
      let behind: string | undefined;
      do {
        const page = await outbox.waiting(0, 2, behind);
        found.push(...page.map((row) => row.id));
        behind = page.at(-1)?.place;
      } while (behind !== undefined);
      assert.deepEqual(
        found.toSorted(),
        unreadable.map((row) => row.id),
      );
      const batch = kit.batches.at(-1)!;
      assert.deepEqual(batch.outbox, [id]);
      // Another process has swept the same row.
      const twice = { ...batch, writer: 'A'.repeat(22), first: 0 };
      await assert.rejects(kit.store.append(twice), { kind: 'unique' });
      assert.equal((await find(kit.store, {})).entries.length, 1);
      if (kit.store.export) assert.deepEqual((await verifyLog(await kit.lines())).tampered, []);
    });
  });
}

const created: AuditRecord = {
  action: 'book.created',
  outcome: 'success',
  actor: { id: 'ann', kind: 'user' },
  target: { type: 'book', id: '12' },
};

function find(store: AuditStore, query: Partial<AuditQuery>) {
  return store.query(checkQuery({ viewer: 'system', ...query }));
}

async function oldestCommitment(kit: Kit): Promise<string> {
  const entries = (await kit.lines()).filter((line) => line.startsWith('{"c":'));
  return commitmentsIn(entries.find((line) => line.includes('"$c"'))!)[0]!;
}

/** The same but for its id: what is evidence of nothing, but can be stored. */
function otherEntry(body: string): string {
  const id = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' }).x!;
  return body.replace(/,"id":"[^"]*"(?=,"k":)/, `,"id":"${id}"`);
}

/** A store, audits over it that are closed at the end, and the batches that they have appended. */
class Kit {
  readonly batches: AuditBatch[] = [];
  readonly #given: AuditStoreUnderTest;
  readonly #signer = ed25519Signer({
    origin: ORIGIN,
    key: generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  });
  #audits: Audit[] = [];
  store: AuditStore;

  constructor(given: AuditStoreUnderTest) {
    this.#given = given;
    this.store = given.store;
  }

  get verifierKey(): string {
    return this.#signer.verifierKey;
  }

  get canReopen(): boolean {
    return this.#given.reopen !== undefined;
  }

  audit(options: Partial<AuditOptions> = {}): Audit {
    const { store, batches } = this;
    const audit = createAudit({
      store: {
        ...store,
        append(batch) {
          batches.push(batch);
          return store.append(batch);
        },
      },
      signer: this.#signer,
      anchors: false,
      checkpointEvery: '1h',
      ...options,
    });
    this.#audits.push(audit);
    return audit;
  }

  async lines(): Promise<string[]> {
    const lines: string[] = [];
    for await (const line of this.store.export?.() ?? []) lines.push(line);
    return lines;
  }

  transaction(work: (tx: SqlTransaction) => Promise<void>): Promise<void> {
    const { transaction } = this.#given;
    if (!transaction) throw new TypeError('A store with an outbox is tested with { transaction }.');
    return transaction(work);
  }

  async reopen(): Promise<void> {
    await this.end();
    this.store = await this.#given.reopen!();
  }

  async end(): Promise<void> {
    await Promise.all(this.#audits.splice(0).map((audit) => audit.close()));
    await this.store.close?.();
  }
}
