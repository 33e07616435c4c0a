// pnpm prove:loss [--short] [--write]: 5,000 events and then the end of the process, in five ways. Of the events that the writer was told are
// written, how many are not there? Ours must lose none; winston and pino, as they are usually set up, must be seen to lose some.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { auditMigrations } from '@portcullis/audit/postgres';
import { fromPg, migrate } from '@portcullis/core/postgres';
import { eventually, startPostgres } from '@portcullis/test-support/servers';
import pg from 'pg';
import { markdownTable } from './markdown-table.js';

const { values: flags } = parseArgs({ options: { short: { type: 'boolean' }, write: { type: 'boolean' } } });
const EVENTS = 5_000;
const ENDINGS = ['exit', 'throw', 'SIGTERM', 'SIGKILL', 'restart'] as const;
type Ending = (typeof ENDINGS)[number];
const ROUNDS = flags.short ? 1 : 5;

const writer = fileURLToPath(new URL('./loss/writer.ts', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'portcullis-loss-'));
const problems: string[] = [];
const server = await startPostgres({ durable: true });
const rows: string[][] = [];
try {
  for (const logger of ['audit', 'audit with spool', 'winston', 'pino, asynchronous'] as const) {
    const row: string[] = [logger];
    let worst = 0;
    for (const ending of ENDINGS) {
      // Without a database there is nothing to restart, and without a spool records are refused meanwhile.
      if (ending === 'restart' ? !logger.startsWith('audit') : logger === 'audit with spool') {
        row.push('-');
        continue;
      }
      let [lost, acknowledged] = [0, 0];
      for (let round = 0; round < ROUNDS; round++) {
        const run = await runOnce(logger, ending);
        lost += run.lost;
        acknowledged += run.acknowledged;
      }
      if (acknowledged < EVENTS * ROUNDS)
        problems.push(`${logger}, ${ending}: ${acknowledged} acknowledged only`);
      worst = Math.max(worst, lost);
      row.push(`${lost} lost of ${acknowledged}`);
    }
    rows.push(row);
    console.log(row.join(' | '));
    if (logger.startsWith('audit') ? worst > 0 : worst === 0) problems.push(`${logger}: ${worst} lost`);
  }
} finally {
  await server.stop();
  rmSync(folder, { recursive: true });
}
const table = markdownTable(
  ['writer', 'process.exit()', 'throw', 'SIGTERM', 'SIGKILL', 'PostgreSQL killed and restarted'],
  rows,
);
console.log(table);
if (flags.write) writeFileSync(new URL('../../../docs/proofs/loss.md', import.meta.url), page());
for (const problem of problems) console.log(`PROBLEM ${problem}`);
console.log(`loss: ${problems.length} problems`);
process.exit(problems.length === 0 ? 0 : 1);

async function runOnce(logger: string, ending: Ending): Promise<{ acknowledged: number; lost: number }> {
  const ours = logger.startsWith('audit');
  const url = ours ? await server.createDatabase() : '';
  if (ours) await withPool(url, (pool) => migrate(fromPg(pool), auditMigrations));
  const where = ours ? url : join(folder, `${Math.round(performance.now() * 1000)}.log`);
  const spool = logger === 'audit with spool' ? [mkdtempSync(join(folder, 'spool-'))] : [];
  const acknowledged = await written([logger.split(/[ ,]/)[0]!, ending, where, ...spool], ending);
  const stored = ours ? await inDatabase(url) : inFile(where);
  return { acknowledged: acknowledged.length, lost: acknowledged.filter((n) => !stored.has(n)).length };
}

/** Numbers that the process was told are written, until its end. */
async function written(options: readonly string[], ending: Ending): Promise<number[]> {
  const child = spawn(process.execPath, [...process.execArgv, writer, ...options], {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
  });
  const chunks: Buffer[] = [];
  let [lines, restarting] = [0, false];
  let restarted: Promise<void> = Promise.resolve();
  child.stdio[3]!.on('data', (chunk: Buffer) => {
    chunks.push(chunk);
    lines += chunk.toString().split('\n').length - 1;
    if (ending === 'restart' && lines > EVENTS / 4 && !restarting) {
      restarting = true;
      restarted = restart();
    }
  });
  let trouble = '';
  child.stderr!.on('data', (chunk: Buffer) => (trouble += chunk.toString()));
  await new Promise((resolve) => child.once('close', resolve));
  await restarted;
  const right = {
    exit: child.exitCode === 0,
    throw: trouble.includes('the end'),
    SIGTERM: child.signalCode === 'SIGTERM',
    SIGKILL: child.signalCode === 'SIGKILL',
    restart: child.exitCode === 0 && restarting,
  };
  if (!right[ending]) problems.push(`${options[0]} did not end by ${ending}: ${trouble.slice(0, 300)}`);
  return Buffer.concat(chunks).toString().split('\n').filter(Boolean).map(Number);
}

/** Recovery can take longer than a test waits, on a machine that does other things too. */
async function restart(): Promise<void> {
  await server.kill();
  await server.restart().catch(() => undefined);
  await eventually(() => withPool(server.url, (pool) => pool.query('select 1')), 180_000);
}

async function inDatabase(url: string): Promise<Set<number>> {
  return withPool(url, async (pool) => {
    const found = await pool.query<{ n: number }>(
      `select (body::jsonb #>> '{e,data,n}')::int as n from portcullis.audit_entry where action = 'event.written'`,
    );
    const numbers = new Set(found.rows.map(({ n }) => n));
    if (numbers.size !== found.rows.length) problems.push('an event is stored twice');
    return numbers;
  });
}

function inFile(path: string): Set<number> {
  if (!existsSync(path)) return new Set();
  const numbers = new Set<number>();
  for (const line of readFileSync(path, 'utf8').split('\n')) {
    try {
      const { n, message } = JSON.parse(line) as { n?: number; message?: { n?: number } };
      const number = n ?? message?.n;
      if (number !== undefined) numbers.add(number);
    } catch {
      // Half a line.
    }
  }
  return numbers;
}

async function withPool<T>(url: string, work: (pool: pg.Pool) => Promise<T>): Promise<T> {
  const pool = new pg.Pool({ connectionString: url, max: 1 });
  try {
    return await work(pool);
  } finally {
    await pool.end();
  }
}

function page(): string {
  return `# Events lost when a process ends

\`pnpm prove:loss --write\`, ${new Date().toISOString().slice(0, 10)}, Node.js ${process.version}, winston 3.19.0, pino ${version('pino')}, PostgreSQL with \`fsync\` and \`synchronous_commit\` on.

A process writes ${EVENTS.toLocaleString('en')} events (64 callers at a time for ours) and ends, ${ROUNDS} times for each way. Lost is what the caller was told is written and is not there
afterwards: for \`audit.record()\` that its promise resolved, for a logger that the call returned. winston writes to a file as its README shows; pino
to an asynchronous destination of 4,096 bytes, as its documentation advises for speed. A synchronous pino loses nothing in these five ways, and
nothing of it is safe from a failing disk or a full one either: it does not wait for \`fsync\`. Ours must lose none; the others must lose some.

${table}
`;
}

function version(name: string): string {
  const path = fileURLToPath(import.meta.resolve(name));
  const root = path.slice(0, path.lastIndexOf(`/${name}/`) + name.length + 2);
  return (JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }).version;
}
