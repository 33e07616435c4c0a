import type { PGlite } from '@electric-sql/pglite';
import { afterAll, beforeAll, describe, test } from '@jest/globals';
import type { Sql } from '@portcullis/core';
import { fromPg, fromPglite, migrate } from '@portcullis/core/postgres';
import {
  describeWithPostgres,
  embeddedPostgres,
  startPostgres,
  type PostgresServer,
} from '@portcullis/test-support';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { fileAudit } from '../src/file.js';
import { memoryAudit } from '../src/index.js';
import {
  auditMigrations,
  auditPrunerRoleMigration,
  auditRoleMigration,
  postgresAudit,
} from '../src/postgres.js';
import { auditStoreSuite, type AuditStoreUnderTest } from '../src/testing.js';

const globals = { describe, test: (title: string, claim: () => Promise<void>) => test(title, claim, 60_000) };
const ROLE = 'portcullis_audit_suite';
const PRUNER = 'portcullis_audit_suite_pruner';

/** A schema of its own for each claim. */
let schemas = 0;
async function inDatabase(sql: Sql): Promise<AuditStoreUnderTest> {
  const schema = `suite_${++schemas}`;
  const roles = [auditRoleMigration(ROLE), auditPrunerRoleMigration(PRUNER)];
  await migrate(sql, [...auditMigrations, ...roles], { schema });
  const open = () => postgresAudit({ sql, schema, role: ROLE, pruner: PRUNER, timeoutMs: '10s' });
  return { store: open(), reopen: open, transaction: (work) => sql.transaction(work) };
}

auditStoreSuite('memory', () => ({ store: memoryAudit() }), { globals });

describe('in files', () => {
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-audit-files-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  let logs = 0;
  for (const [name, segmentBytes] of [
    ['files', 256 << 10],
    ['files with small segments', 65_536],
  ] as const) {
    auditStoreSuite(
      name,
      () => {
        const directory = join(folder, String(++logs));
        const open = () => fileAudit({ directory, segmentBytes });
        return { store: open(), reopen: open };
      },
      { globals },
    );
  }
});

describe('embedded', () => {
  let db: PGlite;
  beforeAll(async () => {
    db = await embeddedPostgres();
  }, 60_000);
  afterAll(() => db.close());
  auditStoreSuite('PGlite', () => inDatabase(fromPglite(db)), { globals });
});

describeWithPostgres('on a server', () => {
  let server: PostgresServer;
  let pool: pg.Pool;
  beforeAll(async () => {
    server = await startPostgres();
    pool = new pg.Pool({ connectionString: server.url, max: 8 });
  }, 60_000);
  afterAll(async () => {
    await pool.end();
    await server.stop();
  });
  auditStoreSuite('PostgreSQL', () => inDatabase(fromPg(pool)), { globals });
});
