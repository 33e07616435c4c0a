import type { PGlite } from '@electric-sql/pglite';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { Sql } from '@portcullis/core';
import { fromPg, fromPglite, migrate } from '@portcullis/core/postgres';
import { manualClock } from '@portcullis/core/testing';
import {
  describeWithPostgres,
  embeddedPostgres,
  startPostgres,
  type PostgresServer,
} from '@portcullis/test-support';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import pg from 'pg';
import { main } from '../src/cli/main.js';
import { createAudit, ed25519Signer, fileAnchor } from '../src/index.js';
import {
  auditMigrations,
  auditPrunerRoleMigration,
  auditRoleMigration,
  postgresAudit,
} from '../src/postgres.js';
import { collect } from './support/some-log.js';

const DAY = 86_400_000;
const key = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const folder = mkdtempSync(join(tmpdir(), 'portcullis-audit-several-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** As a process of its own would: 0 in order, 2 tampered, 3 as far as could be seen. */
async function verify(lines: readonly string[], verifierKey: string, anchor: string) {
  const [file, anchors] = [join(folder, 'log.ndjson'), join(folder, 'anchors.ndjson')];
  writeFileSync(file, lines.join('\n'));
  writeFileSync(anchors, anchor);
  const out = new PassThrough();
  let text = '';
  out.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const line = { out, err: { isTTY: false, write: (part: string) => (text += part) }, now: () => 0 };
  const args = ['verify', '--export', file, '--key', verifierKey, '--anchor', anchors, '--workers', '0'];
  return { code: await main(args, line, new AbortController().signal), text };
}

/** What the README shows: access lines for 90 days, what is about security for two years. */
function claims(database: () => Sql, name: string): void {
  test('two logs in one database keep different times: one is pruned, the other is whole, both verify', async () => {
    const sql = database();
    const clock = manualClock();
    const log = async (schema: string) => {
      const [role, pruner] = [`${name}_${schema}`, `${name}_${schema}_pruner`];
      await migrate(sql, [...auditMigrations, auditRoleMigration(role), auditPrunerRoleMigration(pruner)], {
        schema,
      });
      const signer = ed25519Signer({ origin: `library.example/${schema}`, key });
      const path = join(folder, `${name}-${schema}.ndjson`);
      const audit = createAudit({
        store: postgresAudit({ sql, schema, role, pruner }),
        signer,
        anchors: [fileAnchor({ path })],
        checkpointEvery: '1h',
        clock,
      });
      return { audit, signer, anchor: () => readFileSync(path, 'utf8') };
    };
    const [access, security] = [await log('access'), await log('security')];
    const both = [access, security] as const;
    for (const day of [0, 100, 200, 300]) {
      for (const { audit } of both) {
        await audit.record({ action: 'page.read', outcome: 'success', data: { day } });
        await audit.checkpoint();
      }
      clock.advance(100 * DAY);
    }
    // One transaction of the app may write into both.
    await sql.transaction(async (tx) => {
      for (const { audit } of both) await audit.tx(tx).record({ action: 'role.granted', outcome: 'success' });
    });
    for (const { audit } of both) {
      await audit.relay(0);
      await audit.checkpoint();
    }
    const before = await collect(security.audit.export());

    const gone = await access.audit.prune({ olderThan: '90d', reason: 'policy: access lines 90 days' });
    expect(gone).toMatchObject({ held: [] });
    const reads = async ({ audit }: (typeof both)[number]) =>
      (await audit.query({ viewer: 'system', action: 'page.read' })).entries.length;
    expect([await reads(access), await reads(security)]).toEqual([0, 4]);
    expect(await security.audit.prune({ olderThan: '730d', reason: 'policy: two years' })).toMatchObject({
      entries: 0,
    });
    expect(await collect(security.audit.export())).toEqual(before);
    const { entries } = await access.audit.query({
      viewer: 'system',
      kind: 'log',
      action: 'retention.pruned',
    });
    expect(entries).toMatchObject([
      { reason: 'policy: access lines 90 days', data: { from: 0, entries: gone.entries } },
    ]);
    for (const { audit, signer, anchor } of both) {
      await audit.checkpoint();
      const { code, text } = await verify(await collect(audit.export()), signer.verifierKey, anchor());
      expect([code, text]).toEqual([0, expect.stringContaining('OK')]);
    }
    // The same key speaks for both, and neither can stand for the other.
    const mixed = await verify(
      await collect(access.audit.export()),
      security.signer.verifierKey,
      security.anchor(),
    );
    expect(mixed.code).toBe(2);
    await Promise.all(both.map(({ audit }) => audit.close()));
  }, 120_000);
}

describe('PGlite', () => {
  let db: PGlite;
  beforeAll(async () => {
    db = await embeddedPostgres();
  }, 60_000);
  afterAll(() => db.close());
  claims(() => fromPglite(db), 'embedded');
});

describeWithPostgres('PostgreSQL', () => {
  let server: PostgresServer;
  let pool: pg.Pool;
  beforeAll(async () => {
    server = await startPostgres();
    pool = new pg.Pool({ connectionString: server.url, max: 4 });
  }, 60_000);
  afterAll(async () => {
    await pool.end();
    await server.stop();
  });
  claims(() => fromPg(pool), 'several');
});
