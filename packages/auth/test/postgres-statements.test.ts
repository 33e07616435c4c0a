import { describe, expect, test } from '@jest/globals';
import type { ChangeFeed, QueryResult, Sql, SqlStatement, SqlTransaction } from '@portcullis/core';
import { manualClock } from '@portcullis/core/testing';
import type { SessionRecord } from '../src/index.js';
import { postgresGuesses, postgresSessions } from '../src/postgres.js';

/** A database that answers what it is told to, and remembers the statements. Those of a transaction begin with `tx`. */
function database(answer: (text: string) => Partial<QueryResult<unknown>> = () => ({})) {
  const asked: { readonly text: string; readonly values: readonly unknown[] }[] = [];
  const client = (prefix: string) => ({
    query: async ({ text, values }: SqlStatement) => {
      const plain = prefix + text.trim().replaceAll(/\s+/g, ' ');
      asked.push({ text: plain, values });
      return { rows: [], rowCount: 0, ...answer(plain) };
    },
  });
  const tx = client('tx ') as unknown as SqlTransaction;
  const sql = {
    kind: 'postgres',
    shared: true,
    ...client(''),
    transaction: (use: (inner: SqlTransaction) => Promise<unknown>) => use(tx),
  } as unknown as Sql;
  return { asked, sql, tx };
}

describe('sessions in PostgreSQL', () => {
  const record = {
    id: 'i',
    userId: 'ada',
    createdAt: 0,
    rotatedAt: 0,
    idleExpiresAt: 1,
    expiresAt: 1,
    generation: 0,
    current: 'c',
    previous: null,
    sealed: null,
    tagKey: 't',
    details: { methods: [], aal: 1, authenticatedAt: 0 },
  } satisfies SessionRecord;

  function kit(answer?: (text: string) => Partial<QueryResult<unknown>>) {
    const { asked, sql, tx } = database(answer);
    const told: unknown[] = [];
    const feed = {
      publish: async (changes: readonly { subject: string }[], inside: unknown) =>
        void told.push([changes.map(({ subject }) => subject), inside === tx]),
    } as unknown as ChangeFeed;
    return { asked, told, store: postgresSessions({ sql, feed }) };
  }
  const inTransaction = [['ada'], true];

  test('an end is told in the transaction that writes it, and one that ended nothing is not', async () => {
    const ended = kit(() => ({ rowCount: 1 }));
    expect(await ended.store.end('i', 'ada')).toBe(true);
    expect(ended.told).toEqual([inTransaction]);
    const nothing = kit();
    expect(await nothing.store.end('i', 'ada')).toBe(false);
    expect(nothing.told).toEqual([]);
    const all = kit(() => ({ rows: [{ id: 'i' }], rowCount: 1 }));
    expect(await all.store.endAll('ada')).toEqual(['i']);
    expect(all.told).toEqual([inTransaction]);
    expect(all.asked.map(({ text }) => text.split(' ', 3).join(' '))).toEqual([
      'tx insert into',
      'tx delete from',
    ]);
  });

  test('a beginning tells only of those that it ended, which leave room for one', async () => {
    const withEpoch = (text: string) =>
      text.startsWith('tx select epoch') ? { rows: [{ epoch: '3' }] } : {};
    const first = kit(withEpoch);
    expect(await first.store.create(record, { epoch: 3, max: 5 })).toEqual({ created: true, ended: [] });
    expect(first.told).toEqual([]);
    expect(first.asked.map(({ text }) => text.split(' ', 2)[1])).toEqual([
      'insert',
      'select',
      'delete',
      'delete',
      'insert',
    ]);
    expect(first.asked[3]!.values).toEqual(['ada', 4]);
    const full = kit((text) =>
      text.includes('offset') ? { rows: [{ id: 'old' }], rowCount: 1 } : withEpoch(text),
    );
    expect(await full.store.create(record, { epoch: 3, max: 5 })).toEqual({ created: true, ended: ['old'] });
    expect(full.told).toEqual([inTransaction]);
    const moved = kit(withEpoch);
    expect(await moved.store.create(record, { epoch: 2, max: 5 })).toEqual({ created: false });
    expect([moved.told, moved.asked.length]).toEqual([[], 2]);
  });

  test('without a row there is no session, and a rotation that wrote none has lost', async () => {
    expect(await kit().store.find('i')).toBeUndefined();
    expect(await kit().store.rotate('i', 'c', record)).toBe(false);
    expect(await kit(() => ({ rowCount: 1 })).store.rotate('i', 'c', record)).toBe(true);
  });
});

describe('guesses in PostgreSQL', () => {
  function kit(answer?: Partial<QueryResult<unknown>>) {
    const clock = manualClock({ now: 1_000_000 });
    const { asked, sql } = database(() => answer ?? {});
    return { asked, store: postgresGuesses({ sql, clock }) };
  }
  const key = 'k' as never;

  test('a count has at least a millisecond to live, in whole ones', async () => {
    for (const [ttl, ttlMs] of [
      [1_234.2, 1_235],
      [1, 1],
      [-5, 1],
    ] as const) {
      const { store } = kit({ rows: [{ value: '7', ttl }], rowCount: 1 });
      expect(await store.increment(key, 1, { ttlMs: 1 })).toEqual({ value: 7, ttlMs });
    }
  });

  test('a time to live is an instant, and none is for ever; what stands there is written over or put off only if that was asked for', async () => {
    const { asked, store } = kit({ rows: [{ value: '7', ttl: 1 }], rowCount: 1 });
    expect(await store.set(key, 'v')).toBe(true);
    expect(asked[0]!.values.slice(0, 4)).toEqual(['k', 'v', null, false]);
    await store.set(key, 'v', { ttlMs: 500, ifAbsent: true });
    expect(asked[1]!.values.slice(0, 4)).toEqual(['k', 'v', new Date(1_000_500), true]);
    await store.increment(key, 1, { ttlMs: 500 });
    await store.increment(key, 1, { ttlMs: 500, extend: true });
    expect(asked.slice(2).map(({ values }) => values.filter((one) => typeof one === 'boolean'))).toEqual([
      [false],
      [true],
    ]);
  });

  test('what was not there is neither written nor deleted', async () => {
    expect(await kit().store.set(key, 'v')).toBe(false);
    expect(await kit().store.delete(key)).toBe(false);
    expect(await kit({ rowCount: 1 }).store.delete(key)).toBe(true);
  });
});
