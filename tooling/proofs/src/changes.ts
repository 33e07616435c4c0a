// pnpm prove:changes [--short] [--write]: an UPDATE of 10,000 rows of a table with 12 columns leaves 10,000 diffs in the log, and
// takes at most 2.5 times as long as the same UPDATE of a table that nobody watches. Beside it, in the same rounds: a trigger for each row, as
// the usual audit extensions make it.
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { createAudit } from '@portcullis/audit';
import { auditMigrations, postgresAudit } from '@portcullis/audit/postgres';
import type { Sql } from '@portcullis/core';
import { fromPg, migrate } from '@portcullis/core/postgres';
import { startPostgres } from '@portcullis/test-support/servers';
import pg from 'pg';
import { markdownTable } from './markdown-table.js';

const { values: flags } = parseArgs({ options: { short: { type: 'boolean' }, write: { type: 'boolean' } } });
const ROWS = 10_000;
const ROUNDS = flags.short ? 5 : 15;
// The short form watches that it does not become much worse; the long one judges what was asked.
const AT_MOST = flags.short ? 4 : 2.5;

const COLUMNS = `id integer primary key, title text not null, author text not null, isbn text, shelf integer not null,
  price numeric(10,2), bought timestamptz not null, pages integer, language text, lent boolean not null, note text, changed integer not null`;
const TABLES = ['plain', 'tracked', 'row_level'] as const;

/** What the usual extensions do: one call and one INSERT for each row, with a loop over both rows as jsonb. */
const ROW_LEVEL = `
create table row_log (id bigint generated always as identity primary key, at timestamptz not null default clock_timestamp(), change jsonb not null);
create function row_level_log() returns trigger language plpgsql as $$
declare
  old_row jsonb := to_jsonb(old);
  new_row jsonb := to_jsonb(new);
  before jsonb := '{}';
  after jsonb := '{}';
  field text;
begin
  for field in select jsonb_object_keys(new_row) loop
    if old_row -> field is distinct from new_row -> field then
      before := before || jsonb_build_object(field, old_row -> field);
      after := after || jsonb_build_object(field, new_row -> field);
    end if;
  end loop;
  insert into row_log (change) values (jsonb_build_object('id', new.id, 'before', before, 'after', after));
  return null;
end $$;
create trigger row_level after update on row_level for each row execute function row_level_log();`;

const server = await startPostgres({ durable: true });
const pool = new pg.Pool({ connectionString: server.url, max: 4 });
const sql = fromPg(pool, { timeoutMs: 60_000 });
const problems: string[] = [];
try {
  await migrate(sql, auditMigrations);
  for (const table of TABLES) {
    await sql.query(`create table ${table} (${COLUMNS})`);
    await sql.query(`insert into ${table} select n, 'The book of the number ' || n, 'An author ' || n % 500, '978' || lpad(n::text, 10, '0'),
      n % 40, 9.99 + n % 20, '2026-01-01'::timestamptz + n * interval '1 minute', 100 + n % 700, 'en', false, repeat('A note. ', 8), 0
      from generate_series(1, ${ROWS}) n`);
  }
  await sql.query(ROW_LEVEL);
  const audit = createAudit({ store: postgresAudit({ sql, timeoutMs: '30s' }), deadline: '60s' });
  await audit.track(sql, 'tracked');

  const times: Record<(typeof TABLES)[number], number[]> = { plain: [], tracked: [], row_level: [] };
  for (let round = 0; round < ROUNDS + 1; round++) {
    for (const table of TABLES.toSorted(() => (round % 2 === 0 ? 1 : -1))) {
      await settle(sql);
      const from = performance.now();
      await sql.query(`update ${table} set shelf = shelf + 1, price = price + 0.01, changed = ${round + 1}`);
      // The first round fills the caches.
      if (round > 0) times[table].push(performance.now() - from);
    }
    await sql.query('truncate portcullis.audit_outbox, row_log');
  }
  // Afterwards: what is in the log would be vacuumed beside what is timed.
  await sql.query(`update tracked set changed = 0`);
  await sql.query('truncate portcullis.audit_outbox');
  await sql.query(`update tracked set shelf = shelf + 1, price = price + 0.01, changed = 1`);
  await countDiffs(sql, audit);
  await audit.close();

  const ratio = (table: 'tracked' | 'row_level'): number =>
    median(times[table].map((time, i) => time / times.plain[i]!));
  const tracked = ratio('tracked');
  const rowLevel = ratio('row_level');
  if (!(tracked <= AT_MOST))
    problems.push(`a tracked UPDATE takes ${tracked.toFixed(2)} times as long, not ${AT_MOST}`);
  if (!(rowLevel > AT_MOST))
    problems.push(`the control, a trigger for each row, takes ${rowLevel.toFixed(2)} times as long only`);
  const table = markdownTable(
    ['table', 'median, ms', 'median of the ratios'],
    [
      ['nobody watches', median(times.plain).toFixed(0), '1'],
      ['`audit.track()`, statement level', median(times.tracked).toFixed(0), tracked.toFixed(2)],
      ['trigger for each row', median(times.row_level).toFixed(0), rowLevel.toFixed(2)],
    ],
  );
  console.log(table);
  if (flags.write)
    writeFileSync(new URL('../../../docs/proofs/changes.md', import.meta.url), await page(table));
} finally {
  await pool.end();
  await server.stop();
}
for (const problem of problems) console.log(`PROBLEM ${problem}`);
console.log(`changes: ${problems.length} problems`);
process.exit(problems.length === 0 ? 0 : 1);

/** Every table starts from the same state: no dead rows of the round before, and nothing left for the next checkpoint. */
async function settle(on: Sql): Promise<void> {
  for (const table of TABLES) await on.query(`vacuum ${table}`);
  await on.query('checkpoint');
}

async function countDiffs(on: Sql, audit: ReturnType<typeof createAudit>): Promise<void> {
  await audit.relay(0);
  const { rows } = await on.query<{ n: string }>(
    `select count(distinct target_id)::text as n from portcullis.audit_entry where action = 'tracked.updated'
     and body::jsonb #>> '{e,change,after,changed}' = '1' and body::jsonb #>> '{e,change,before,changed}' = '0'`,
  );
  const left = await on.query<{ n: string }>('select count(*)::text as n from portcullis.audit_outbox');
  console.log(`${rows[0]!.n} diffs in the log, ${left.rows[0]!.n} left in the outbox`);
  if (rows[0]!.n !== String(ROWS) || left.rows[0]!.n !== '0')
    problems.push(`${rows[0]!.n} diffs, not ${ROWS}`);
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

async function page(table: string): Promise<string> {
  const { rows } = await sql.query<{ version: string }>('show server_version');
  const version = (rows[0] as unknown as { server_version: string }).server_version;
  return `# Change tracking: what it costs

\`pnpm prove:changes --write\`, ${new Date().toISOString().slice(0, 10)}, Node.js ${process.version}, PostgreSQL ${version} with \`fsync\` and \`synchronous_commit\` on, ${cpus()[0]!.model.trim()} x ${cpus().length}.

An UPDATE of three of 12 columns in ${ROWS.toLocaleString('en')} rows, ${ROUNDS} rounds, the tables in turns; every ratio is one of the same round. Before each
UPDATE the tables are vacuumed and a checkpoint is made. \`audit.track()\` must leave one diff for each row in the log and take at most
${AT_MOST} times as long as the UPDATE of a table that nobody watches. The control, a trigger that is called for each row and compares both
rows as jsonb, must not stay below that.

${table}
`;
}
