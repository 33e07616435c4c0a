import type { Secret, Sql } from '@portcullis/core';
import { fromPg, fromPglite } from '@portcullis/core/postgres';
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { lockDirectory } from './directory-lock.js';

export interface Database {
  readonly sql: Sql;
  /** A second way to the same database, for sessions and roles, so that a busy pool does not make facts look stale. */
  readonly securitySql: Sql;
  close(): Promise<void>;
}

/** PostgreSQL on a server. Statements have a deadline, so that a hung server is an error and not a hung page. */
export async function connectPostgres(url: Secret<string>): Promise<Database> {
  const { default: pg } = await import('pg');
  const open = (max: number) => {
    const pool = new pg.Pool({
      connectionString: url.reveal(),
      max,
      connectionTimeoutMillis: 2000,
      allowExitOnIdle: true,
    });
    pool.on('error', () => undefined); // An idle connection was lost; the pool makes a new one at the next query.
    return pool;
  };
  const [pool, securityPool] = [open(10), open(6)];
  return {
    sql: fromPg(pool, { timeoutMs: 3000 }),
    securitySql: fromPg(securityPool, { timeoutMs: 1000 }),
    async close() {
      await Promise.all([pool.end(), securityPool.end()]);
    },
  };
}

/**
 * PostgreSQL embedded in this process (PGlite), kept in `<directory>/database` under an exclusive lock. A new folder is filled
 * from a prepared one, which takes a third of the time that initialising takes.
 * @throws DirectoryInUse if another process has it open
 */
export async function openEmbedded(directory: string): Promise<Database> {
  const unlock = lockDirectory(directory);
  try {
    const { PGlite } = await import('@electric-sql/pglite');
    const folder = join(directory, 'database');
    if (!existsSync(folder)) await prepare(directory, folder);
    const db = await PGlite.create(folder);
    const sql = fromPglite(db);
    return {
      sql,
      securitySql: sql,
      async close() {
        await db.close();
        unlock();
      },
    };
  } catch (error) {
    unlock();
    throw error;
  }
}

// Filled beside its place and moved there when whole: a start that is interrupted leaves no half database.
async function prepare(directory: string, folder: string): Promise<void> {
  const [{ PGlite }, { dataDir }] = await Promise.all([
    import('@electric-sql/pglite'),
    import('@electric-sql/pglite-prepopulatedfs'),
  ]);
  const draft = join(directory, 'database-new');
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(directory, { recursive: true });
  const db = await PGlite.create(draft, { loadDataDir: await dataDir() });
  await db.close();
  renameSync(draft, folder);
}
