import { createHash } from 'node:crypto';
import type { Duration } from '../duration.js';
import { errors } from '../error-codes.js';
import { option, optionConflict, readOptions } from '../options.js';
import { sql as tag, type Sql, type SqlTransaction } from '../sql.js';

/** A step forward of one concern's tables. Exported by the concern, applied by {@link migrate}, and never edited again. */
export interface Migration {
  /** Whose tables, such as `rbac`. Lower-case letters, digits, `-`. */
  readonly concern: string;
  /** Unique within the concern; such as `001-roles`. The order is that of the list, not of the ids. */
  readonly id: string;
  /**
   * One or more statements. They run in one transaction with the schema as `search_path`: names without a schema are made
   * there. No `CREATE INDEX CONCURRENTLY`, no `COMMIT`.
   */
  readonly up: string;
}

export interface MigrateOptions {
  /** Where tables are made, and the ledger `portcullis_migration`. @default 'portcullis' */
  readonly schema?: string;
  /** Longest time for one migration, waiting for another process included. @default '10m' */
  readonly timeoutMs?: Duration;
}

export interface MigrateResult {
  /** `concern/id` of what this call applied, in order; what others had applied is not in it. */
  readonly applied: readonly string[];
}

/** Any number will do, as long as all processes use the same. */
const LOCK = '5716229083140017';
const NAME = /^[a-z][a-z0-9-]{0,31}$/;
const ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

/**
 * Brings a database up to date: what the ledger does not know yet is applied, each migration in a transaction of its own
 * under an advisory lock, so that processes that start together apply each step once. Forward only. Where nothing is
 * due, it only reads, and needs no right to make tables.
 * @throws E_MIGRATION_CHANGED before anything is applied, if an applied one has another text now, or if a new one stands
 *   before an applied one of its concern
 * @throws E_MIGRATION_FAILED with the SqlError as cause; the failing migration leaves nothing behind, those before it stay
 * @throws SqlError if the database cannot be reached
 */
export async function migrate(
  sql: Sql,
  migrations: readonly Migration[],
  options: MigrateOptions = {},
): Promise<MigrateResult> {
  const { schema, timeoutMs } = readOptions('migrate', options, {
    schema: option.string({ max: 63, default: 'portcullis' }),
    timeoutMs: option.duration({ minMs: 100, maxMs: 86_400_000, default: '10m' }),
  });
  const steps = checked(migrations);
  const ledger = new Ledger(sql, schema, timeoutMs);
  const pending = due(steps, await ledger.read());
  if (pending.length === 0) return { applied: [] };
  await ledger.prepare();
  const applied: string[] = [];
  for (const step of pending) {
    if (await ledger.apply(step)) applied.push(nameOf(step));
  }
  return { applied };
}

interface Step extends Migration {
  readonly checksum: string;
}

function checked(migrations: readonly Migration[]): Step[] {
  const seen = new Set<string>();
  return migrations.map((migration) => {
    const { concern, id, up } = migration;
    if (!NAME.test(concern) || !ID.test(id)) {
      optionConflict('migrate', 'migrations', `"${concern}/${id}" is no name of a migration`);
    }
    if (seen.has(nameOf(migration)))
      optionConflict('migrate', 'migrations', `${nameOf(migration)} is listed twice`);
    seen.add(nameOf(migration));
    // A checkout may have turned line ends around.
    const checksum = createHash('sha256').update(up.replaceAll('\r\n', '\n').trim()).digest('hex');
    return { concern, id, up, checksum };
  });
}

/** What is still to do, in order. @throws E_MIGRATION_CHANGED */
function due(steps: readonly Step[], applied: ReadonlyMap<string, string>): Step[] {
  const open = new Map<string, string>();
  for (const step of steps) {
    const name = nameOf(step);
    const known = applied.get(name);
    if (known === undefined) {
      if (!open.has(step.concern)) open.set(step.concern, name);
      continue;
    }
    if (known !== step.checksum) {
      throw errors.E_MIGRATION_CHANGED({
        message: `The migration ${name} was applied with another text. Restore it and add a new migration.`,
        details: { migration: name },
      });
    }
    const earlier = open.get(step.concern);
    if (earlier !== undefined) {
      throw errors.E_MIGRATION_CHANGED({
        message: `The new migration ${earlier} stands before ${name}, which is applied already. Put it last.`,
        details: { migration: earlier, before: name },
      });
    }
  }
  return steps.filter((step) => !applied.has(nameOf(step)));
}

function nameOf(migration: Migration): string {
  return `${migration.concern}/${migration.id}`;
}

class Ledger {
  readonly #sql: Sql;
  readonly #schema: string;
  readonly #timeoutMs: number;
  readonly #table;

  constructor(sql: Sql, schema: string, timeoutMs: number) {
    this.#sql = sql;
    this.#schema = schema;
    this.#timeoutMs = timeoutMs;
    this.#table = tag.identifier(schema, 'portcullis_migration');
  }

  /** Checksums by name; empty where there is no ledger yet. */
  async read(): Promise<ReadonlyMap<string, string>> {
    const { rows } = await this.#sql.query<{ there: boolean }>(
      tag`select to_regclass(${this.#table.text}) is not null as there`,
    );
    if (!rows[0]?.there) return new Map();
    const entries = await this.#sql.query<{ concern: string; id: string; checksum: string }>(
      tag`select concern, id, checksum from ${this.#table}`,
    );
    return new Map(entries.rows.map((row) => [nameOf({ ...row, up: '' }), row.checksum]));
  }

  async prepare(): Promise<void> {
    await this.#locked(async (tx) => {
      const { rowCount } = await tx.query(tag`select 1 from pg_namespace where nspname = ${this.#schema}`);
      // CREATE SCHEMA IF NOT EXISTS needs the right to create one even if it exists.
      if (rowCount === 0) await tx.query(`create schema ${tag.identifier(this.#schema).text}`);
      await tx.query(`create table if not exists ${this.#table.text} (
        concern text not null,
        id text not null,
        checksum text not null,
        applied_at timestamptz not null default clock_timestamp(),
        primary key (concern, id)
      )`);
    });
  }

  /** False if another process was faster. */
  async apply(step: Step): Promise<boolean> {
    const { concern, id, up, checksum } = step;
    try {
      return await this.#locked(async (tx) => {
        const { rows } = await tx.query<{ checksum: string }>(
          tag`select checksum from ${this.#table} where concern = ${concern} and id = ${id}`,
        );
        if (rows[0]) {
          due([step], new Map([[nameOf(step), rows[0].checksum]]));
          return false;
        }
        await tx.query(
          tag`select set_config('search_path', ${`${tag.identifier(this.#schema).text}, pg_temp`}, true)`,
        );
        await tx.query(up, undefined, { timeoutMs: this.#timeoutMs });
        await tx.query(
          tag`insert into ${this.#table} (concern, id, checksum) values (${concern}, ${id}, ${checksum})`,
        );
        return true;
      });
    } catch (cause) {
      if ((cause as { code?: unknown }).code === 'E_MIGRATION_CHANGED') throw cause;
      throw errors.E_MIGRATION_FAILED({
        message: `The migration ${nameOf(step)} failed; nothing of it was kept.`,
        details: { migration: nameOf(step) },
        cause,
      });
    }
  }

  #locked<T>(fn: (tx: SqlTransaction) => Promise<T>): Promise<T> {
    const timeoutMs = this.#timeoutMs;
    return this.#sql.transaction(
      async (tx) => {
        await tx.query(`select pg_advisory_xact_lock(${LOCK})`, undefined, { timeoutMs });
        return fn(tx);
      },
      { timeoutMs },
    );
  }
}
