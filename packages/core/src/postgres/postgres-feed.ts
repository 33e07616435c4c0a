import type { Change, ChangeFeed, ChangesRead } from '../change-feed.js';
import { checkChanges } from '../changes.js';
import type { CallOptions } from '../key-value-store.js';
import { Listeners } from '../listeners.js';
import { option, optionConflict, readOptions } from '../options.js';
import { SqlError } from '../sql-error.js';
import { sql as tag, type Sql, type SqlStatement, type SqlTransaction } from '../sql.js';
import { DATABASE } from './transaction.js';

export interface PostgresFeedOptions {
  /** Give the feed a small pool of its own, so that an exhausted one does not make facts look stale. */
  readonly sql: Sql;
  /** Where `feedMigrations` were applied. @default 'portcullis' */
  readonly schema?: string;
  /** How many changes are kept, 100 to 1,000,000; a reader further behind drops all its caches. @default 10_000 */
  readonly history?: number;
}

/**
 * The log of changes in PostgreSQL (or PGlite, where it is synchronous).
 * - **Order.** A publish locks one row until its transaction ends, so changes appear in the order of their commits and a
 *   reader never sees a later one before an earlier one. Publish last in a transaction: other publishers wait for it.
 *   Isolation levels above `read committed` can then fail with E_SQL_CONFLICT (`serialization`); run them again.
 * - **Revisions** are microseconds since 1970, at least one more than the last: they are not reused by a database that was
 *   rolled back. A reader whose position is not in the log (pruned, restored from a backup, failed over to a replica that
 *   lagged) gets `reset`, and the revision goes on above all that were seen.
 * - **Hints** come by NOTIFY; where it does not work (PgBouncer in transaction mode), polling does.
 */
export function postgresFeed(options: PostgresFeedOptions): ChangeFeed {
  const { sql, schema, history } = readOptions('postgresFeed', options, {
    sql: option.port<Sql>(['query', 'transaction', 'cursor']),
    schema: option.string({ max: 63, default: 'portcullis' }),
    history: option.integer({ min: 100, max: 1_000_000, default: 10_000 }),
  });
  return new PostgresFeed(sql, schema, history);
}

/** What one poll reads at most; whoever is further behind drops everything, which costs less. */
const MAX_READ = 5000;

interface ReadRow {
  readonly head: string;
  readonly anchored: boolean;
  readonly revision: string | null;
  readonly topic: string;
  readonly subject: string;
}

class PostgresFeed implements ChangeFeed {
  readonly synchronous: boolean;
  readonly #sql: Sql;
  readonly #history: number;
  readonly #channel: string;
  readonly #feed: SqlStatement;
  readonly #log: SqlStatement;
  readonly #listeners = new Listeners<ChangesRead>();
  readonly #hints = new Listeners<void>();
  #listening: Promise<() => Promise<void>> | undefined;

  constructor(sql: Sql, schema: string, history: number) {
    this.synchronous = !sql.shared;
    this.#sql = sql;
    this.#history = history;
    this.#channel = `${schema.slice(0, 50)}_feed`;
    this.#feed = tag.identifier(schema, 'feed');
    this.#log = tag.identifier(schema, 'feed_change');
  }

  async publish(changes: readonly Change[], tx?: SqlTransaction): Promise<number> {
    const checked = checkChanges(changes);
    if (tx) this.#checkDatabase(tx);
    if (checked.length === 0) return (await this.readSince(undefined)).revision;
    const { rows } = await (tx ?? this.#sql).query<{ revision: string }>(this.#publishing(checked));
    const revision = revisionOf(rows[0]?.revision);
    const published = () => {
      const delivered = checked.map((change) => Object.freeze({ ...change, revision }));
      if (this.synchronous) this.#listeners.deliver({ revision, changes: delivered, reset: false });
      this.#hint(); // This process need not wait for the notification.
    };
    if (tx) tx.onCommit(published);
    else published();
    return revision;
  }

  async readSince(revision: number | undefined, options: CallOptions = {}): Promise<ChangesRead> {
    const limits = options.deadlineMs === undefined ? {} : { timeoutMs: options.deadlineMs };
    if (revision === undefined) {
      const { rows } = await this.#sql.query<{ revision: string }>(
        tag`select revision from ${this.#feed}`,
        undefined,
        limits,
      );
      return { revision: revisionOf(rows[0]?.revision), changes: [], reset: false };
    }
    // One statement, one snapshot.
    const { rows } = await this.#sql.query<ReadRow>(
      tag`
        select feed.revision as head,
          exists (select 1 from ${this.#log} where revision = ${revision}) as anchored,
          change.revision, change.topic, change.subject
        from ${this.#feed} as feed
        left join lateral (
          select number, revision, topic, subject from ${this.#log}
          where revision > ${revision} order by number limit ${MAX_READ + 1}
        ) as change on true
        order by change.number`,
      undefined,
      limits,
    );
    const head = revisionOf(rows[0]?.head);
    if (!rows[0]!.anchored || rows.length > MAX_READ) return this.#reset(head, revision, limits);
    const changes = rows
      .filter((row) => row.revision !== null && row.topic !== '')
      .map((row) => ({ topic: row.topic, subject: row.subject, revision: revisionOf(row.revision) }));
    return { revision: head, changes, reset: false };
  }

  onHint(fn: () => void): () => void {
    if (this.#sql.listen && this.#sql.shared) {
      this.#listening ??= this.#sql.listen(this.#channel, () => this.#hint());
      this.#listening.catch(() => (this.#listening = undefined));
    }
    return this.#hints.add(fn);
  }

  onChange(fn: (read: ChangesRead) => void): () => void {
    return this.#listeners.add(fn);
  }

  async close(): Promise<void> {
    const stop = await this.#listening?.catch(() => undefined);
    this.#listening = undefined;
    await stop?.();
  }

  #publishing(changes: readonly Change[]): SqlStatement {
    const topics = changes.map((change) => change.topic);
    const subjects = changes.map((change) => change.subject);
    return tag`
      with head as (
        update ${this.#feed} set
          revision = greatest(revision + 1, (extract(epoch from clock_timestamp()) * 1000000)::bigint),
          published = published + ${changes.length}::bigint
        returning revision, published
      ), inserted as (
        insert into ${this.#log} (number, revision, topic, subject)
        select head.published - ${changes.length}::bigint + change.place, head.revision, change.topic, change.subject
        from head, unnest(${topics}::text[], ${subjects}::text[]) with ordinality as change (topic, subject, place)
      ), pruned as (
        delete from ${this.#log} where number <= (select published from head) - ${this.#history}::bigint
      )
      select revision, pg_notify(${this.#channel}, '') from head`;
  }

  /** The reader's position is not in the log. If the log went back, its revision is lifted above all that were seen. */
  async #reset(head: number, seen: number, limits: { readonly timeoutMs?: number }): Promise<ChangesRead> {
    if (head > seen) return { revision: head, changes: [], reset: true };
    const { rows } = await this.#sql.query<{ revision: string }>(
      tag`
        with head as (
          update ${this.#feed} set
            revision = greatest(
              revision + 1, ${seen}::bigint + 1, (extract(epoch from clock_timestamp()) * 1000000)::bigint
            ),
            published = published + 1
          returning revision, published
        ), marked as (
          insert into ${this.#log} (number, revision, topic, subject) select published, revision, '', '' from head
        )
        select revision from head`,
      undefined,
      limits,
    );
    return { revision: revisionOf(rows[0]?.revision), changes: [], reset: true };
  }

  #hint(): void {
    try {
      this.#hints.deliver();
    } catch (error) {
      process.emitWarning(error instanceof Error ? error : String(error));
    }
  }

  #checkDatabase(tx: SqlTransaction): void {
    const [own, theirs] = [databaseOf(this.#sql), databaseOf(tx)];
    if (own !== undefined && theirs !== undefined && own !== theirs) {
      optionConflict(
        'postgresFeed',
        'tx',
        'the transaction belongs to another pool than the feed; publish through a feed on that pool',
      );
    }
  }
}

function databaseOf(client: object): object | undefined {
  return (client as { [DATABASE]?: object })[DATABASE];
}

function revisionOf(text: string | null | undefined): number {
  const revision = Number(text ?? Number.NaN);
  if (!Number.isSafeInteger(revision)) {
    throw new SqlError({ kind: 'other', details: 'the feed table has no row; apply feedMigrations' });
  }
  return revision;
}
