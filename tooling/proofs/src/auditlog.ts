// pnpm prove:auditlog [--short] [--write] [--logs <folder>]: what the audit log costs and shows. Two processes on a PostgreSQL with fsync: beside bare
// group-committed INSERTs and the chain under an advisory lock; no fork in 100,000. Verification beside SHA-256 of the same bytes, in
// memory that does not depend on the length of the log; the size of a proof; a second verifier (Python, openssl) agrees. Controls: a chain
// without lock forks, a command that keeps the hash of every entry grows, a changed byte is found.
import { spawnSync } from 'node:child_process';
import { createHash, generateKeyPairSync } from 'node:crypto';
import {
  createReadStream,
  existsSync,
  readFileSync,
  mkdtempSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
  closeSync,
  createWriteStream,
} from 'node:fs';
import { once } from 'node:events';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ed25519Signer } from '@portcullis/audit';
import { auditMigrations, postgresAudit } from '@portcullis/audit/postgres';
import { fromPg, migrate } from '@portcullis/core/postgres';
import { startPostgres } from '@portcullis/test-support/servers';
import pg from 'pg';
import { race, type Raced } from './auditlog/race.js';
import {
  MOST_ALIVE,
  MOST_RESIDENT,
  memoryRows,
  proveMemory,
  type Log,
  type MemoryShown,
} from './auditlog/memory.js';
import { runCli } from './auditlog/run-cli.js';
import { BATCH, writeLog } from './auditlog/some-log.js';
import { markdownTable } from './markdown-table.js';

const { values: flags } = parseArgs({
  // The logs to verify can be made before, on a machine that is busy: what is in the folder is taken from there.
  options: { short: { type: 'boolean' }, write: { type: 'boolean' }, logs: { type: 'string' } },
});
const PROCESSES = 2;
const CALLERS = 256;
const ROUNDS = flags.short ? 1 : 3;
const ROUND_MS = flags.short ? 1_500 : 5_000;
const WANTED = flags.short ? 5_000 : 100_000;
/** Entries of the logs that are verified: what the first needs, the last must do with. */
const SIZES = flags.short ? ([10_000, 100_000] as const) : ([100_000, 1_000_000, 3_000_000] as const);
/** Of the log that is measured for speed, and proved from. */
const LARGE = SIZES[1];
const WORKERS = 2;
type Raceable = 'ours' | 'file' | 'memory' | 'bare' | 'lock';
/** Stores of one process. */
const ALONE = new Set<Raceable>(['file', 'memory']);
/** What a short run on a noisy machine can tell. */
const MARGIN = flags.short ? 0.4 : 1;

const folder = mkdtempSync(join(tmpdir(), 'auditlog-'));
const logs = flags.logs ?? folder;
const key = keyIn(join(logs, 'key.pem'));
const { verifierKey } = ed25519Signer({ origin: 'library.example/audit', key });
const problems: string[] = [];
const claim = (held: boolean, text: string): void => {
  console.log(`${held ? 'held  ' : 'FAILED'} ${text}`);
  if (!held) problems.push(text);
};

try {
  const throughput = await proveThroughput();
  const verification = await proveVerification();
  if (flags.write) {
    writeFileSync(
      new URL('../../../docs/proofs/auditlog.md', import.meta.url),
      page(throughput, verification),
    );
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
console.log(
  problems.length === 0 ? 'auditlog: all claims held' : `auditlog: ${problems.length} claims FAILED`,
);
process.exit(problems.length === 0 ? 0 : 1);

interface Throughput {
  readonly rows: readonly (readonly string[])[];
  readonly overLock: number;
  readonly overBare: number;
  readonly entries: number;
  readonly forks: number;
  readonly version: string;
}

async function proveThroughput(): Promise<Throughput> {
  const server = await startPostgres({ durable: true });
  const pool = new pg.Pool({ connectionString: server.url, max: 4 });
  try {
    const { rows } = await pool.query<{ version: string; fsync: string; commit: string }>(
      `select current_setting('server_version') as version, current_setting('fsync') as fsync, current_setting('synchronous_commit') as commit`,
    );
    claim(rows[0]!.fsync === 'on' && rows[0]!.commit === 'on', 'fsync and synchronous_commit are on');
    await pool.query(`create table bare (w text, n bigint, body text not null, primary key (w, n))`);
    await pool.query(
      `create table chain (id bigint generated always as identity primary key, previous text not null, hash text not null, body text not null)`,
    );
    const sql = fromPg(pool);
    await migrate(sql, auditMigrations);
    const anchor = join(folder, 'anchor.ndjson');
    const task = {
      url: server.url,
      callers: CALLERS / PROCESSES,
      forMs: ROUND_MS,
      records: 10 ** 9,
      key,
      anchor,
    };

    const raced: Record<Raceable, Raced[]> = { ours: [], file: [], memory: [], bare: [], lock: [] };
    for (let round = 0; round < ROUNDS; round++) {
      for (const mode of ['lock', 'bare', 'ours', 'file', 'memory'] as const) {
        const one = ALONE.has(mode)
          ? await race(mode, 1, { ...task, callers: CALLERS, anchor: `${anchor}.${round}` })
          : await race(mode, PROCESSES, task);
        raced[mode].push(one);
        console.log(
          `round ${round + 1}: ${mode} ${one.perSecond.toFixed(0)}/s, p50 ${one.p50.toFixed(0)} ms, p99 ${one.p99.toFixed(0)} ms`,
        );
      }
    }
    claim((await forksOf(pool)) === 0, 'the chain under a lock has no fork, as it must');
    const rates = (mode: Raceable) => raced[mode].map(({ perSecond }) => perSecond);
    const overLock = median(rates('ours').map((rate, i) => rate / rates('lock')[i]!));
    const overBare = median(rates('ours').map((rate, i) => rate / rates('bare')[i]!));
    claim(
      overLock >= 12 * MARGIN,
      `${overLock.toFixed(1)} times the advisory-lock chain (at least ${12 * MARGIN})`,
    );
    claim(
      overBare >= 0.25 * MARGIN,
      `${overBare.toFixed(2)} of bare group-committed INSERTs (at least ${0.25 * MARGIN})`,
    );
    claim(
      [...raced.ours, ...raced.file, ...raced.memory].every(({ guarantee }) => guarantee === 'anchored'),
      'redacted, chained, signed and anchored meanwhile',
    );

    await pool.query('truncate chain');
    await race('race', PROCESSES, { ...task, callers: 8, forMs: 2_000 });
    const controlForks = await forksOf(pool);
    claim(controlForks > 0, `control: a chain without lock forked ${controlForks} times`);

    const had = await entriesOf(pool);
    if (had < WANTED) {
      const records = Math.ceil((WANTED - had) / PROCESSES);
      await race('ours', PROCESSES, { ...task, forMs: 600_000, records });
    }
    const file = join(folder, 'database.ndjson');
    await exportTo(file, postgresAudit({ sql, timeoutMs: '30s' }).export!());
    const verified = await runCli([
      'verify',
      '--export',
      file,
      '--key',
      verifierKey,
      '--anchor',
      anchor,
      '--json',
    ]);
    const report = JSON.parse(verified.out) as {
      entries: number;
      writers: number;
      sealed: number;
      anchored: number;
    };
    const entries = await entriesOf(pool);
    const { rows: forked } = await pool.query<{ count: string }>(
      `select count(*) as count from (select 1 from portcullis.audit_entry group by w, body::jsonb ->> 'p' having count(*) > 1) as forks`,
    );
    const forks = Number(forked[0]!.count);
    claim(entries >= WANTED && forks === 0, `${forks} forks in ${entries} entries`);
    claim(
      verified.code === 0 &&
        report.entries === entries &&
        report.sealed === entries &&
        report.anchored === entries,
      `all ${entries} entries of ${report.writers} writers verified, every one under an anchored checkpoint`,
    );
    const row = (name: string, mode: Raceable): string[] => [
      name,
      median(rates(mode)).toFixed(0),
      median(raced[mode].map(({ p50 }) => p50)).toFixed(0),
      median(raced[mode].map(({ p99 }) => p99)).toFixed(0),
    ];
    return {
      rows: [
        row('bare INSERTs, group commit', 'bare'),
        row('@portcullis/audit: redacted, chained, signed, in the tree, anchored', 'ours'),
        row('the same in files (`fdatasync`), one process', 'file'),
        row('the same in memory, one process', 'memory'),
        row('chain under an advisory lock', 'lock'),
      ],
      overLock,
      overBare,
      entries,
      forks,
      version: rows[0]!.version,
    };
  } finally {
    await pool.end();
    await server.stop();
  }
}

interface Verification {
  readonly rawMBs: number;
  readonly oursMBs: number;
  readonly memory: MemoryShown;
  readonly share: number;
  readonly proof: {
    readonly hashes: number;
    readonly text: number;
    readonly whole: number;
    readonly size: number;
  };
}

async function proveVerification(): Promise<Verification> {
  const made: Log[] = [];
  for (const entries of SIZES) made.push(await logOf(entries));
  const [small, large] = [made[0]!, made[1]!];
  const bytes = statSync(large.file).size;

  const shares: number[] = [];
  let [rawMs, oursMs] = [0, 0];
  for (let round = 0; round < (flags.short ? 2 : 5); round++) {
    rawMs = await sha256(large.file);
    const run = await runCli(verifying(large));
    oursMs = run.ms;
    claim(
      run.code === 0,
      `the log of ${LARGE} records is in order (round ${round + 1}: ${(bytes / 1e3 / oursMs).toFixed(0)} MB/s beside ${(bytes / 1e3 / rawMs).toFixed(0)} of SHA-256)`,
    );
    shares.push(rawMs / oursMs);
  }
  const share = median(shares);
  claim(
    share >= MARGIN / 8,
    `verification runs at 1/${(1 / share).toFixed(1)} of raw SHA-256 (at least 1/${8 / MARGIN}), batches of ${BATCH}, ${WORKERS} workers`,
  );

  const memory = await proveMemory(made, verifying, claim, flags.short === true);
  const changed = join(folder, 'changed.ndjson');
  await copyChanged(small.file, changed);
  const tampered = await runCli(verifying({ ...small, file: changed }));
  claim(tampered.code === 2, 'control: one changed byte in the middle is found (exit code 2)');

  const proof = await proveProof(large.file);
  secondVerifier(small.file, small.note, changed);
  return { rawMBs: bytes / 1e3 / rawMs, oursMBs: bytes / 1e3 / oursMs, memory, share, proof };
}

function keyIn(file: string): string {
  if (!existsSync(file)) {
    const { privateKey } = generateKeyPairSync('ed25519');
    writeFileSync(file, privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
  }
  return readFileSync(file, 'utf8');
}

async function logOf(entries: number): Promise<Log> {
  const [file, note] = [join(logs, `${entries}.ndjson`), join(logs, `${entries}.note`)];
  if (!existsSync(note)) writeFileSync(note, await writeLog(file, key, entries));
  return { entries, file, note };
}

function verifying({ file, note }: Log): string[] {
  const workers = ['--workers', String(WORKERS)];
  return ['verify', '--export', file, '--key', verifierKey, '--anchor', note, ...workers];
}

async function proveProof(file: string): Promise<Verification['proof']> {
  const id = idInTheMiddle(file);
  const run = await runCli(['disclose', '--export', file, '--key', verifierKey, '--id', id]);
  const { proof } = JSON.parse(run.out) as { proof: string };
  const end = proof.indexOf('\n\n') + 1;
  const size = Number(proof.slice(end).split('\n')[2]);
  const hashes = proof.slice(0, end).split('\n').length - 3;
  const disclosed = join(folder, 'disclosed.ndjson');
  writeFileSync(disclosed, run.out);
  const checked = await runCli(['verify', '--disclosure', disclosed, '--key', verifierKey]);
  claim(checked.code === 0, `an entry is disclosed and verified offline: ${checked.out.trim()}`);
  claim(
    end <= 1024 && hashes * 32 <= 1024,
    `its proof among ${size} entries: ${hashes} hashes, ${hashes * 32} bytes, ${end} as text; ${proof.length} with the signed checkpoint`,
  );
  return { hashes: hashes * 32, text: end, whole: proof.length, size };
}

/** Written in another language, sharing no line. */
function secondVerifier(good: string, note: string, bad: string): void {
  const script = fileURLToPath(new URL('../../audit-verifier/verify_log.py', import.meta.url));
  const run = (file: string): number =>
    spawnSync('python3', [script, file, '--key', verifierKey, '--anchor', note], {
      stdio: ['ignore', 'ignore', 'inherit'],
    }).status ?? -1;
  claim(run(good) === 0, 'the second verifier (Python, openssl) finds the log in order');
  claim(run(bad) === 2, 'the second verifier finds the changed byte');
}

async function forksOf(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query<{ count: string }>(
    'select coalesce(sum(forks - 1), 0) as count from (select count(*) as forks from chain group by previous) as tails',
  );
  return Number(rows[0]!.count);
}

async function entriesOf(pool: pg.Pool): Promise<number> {
  const { rows } = await pool.query<{ count: string }>(
    'select count(*) as count from portcullis.audit_entry',
  );
  return Number(rows[0]!.count);
}

async function exportTo(path: string, lines: AsyncIterable<string>): Promise<void> {
  const file = createWriteStream(path);
  for await (const line of lines) if (!file.write(`${line}\n`)) await once(file, 'drain');
  file.end();
  await once(file, 'finish');
}

async function sha256(path: string): Promise<number> {
  const started = performance.now();
  const hash = createHash('sha256');
  for await (const part of createReadStream(path, { highWaterMark: 1 << 22 })) hash.update(part as Buffer);
  hash.digest();
  return performance.now() - started;
}

/** One letter of a reason, in the middle of the file. */
async function copyChanged(from: string, to: string): Promise<void> {
  const out = createWriteStream(to);
  for await (const part of createReadStream(from)) if (!out.write(part)) await once(out, 'drain');
  out.end();
  await once(out, 'finish');
  const file = openSync(to, 'r+');
  const part = Buffer.alloc(4096);
  const at = Math.floor(statSync(to).size / 2);
  readSync(file, part, 0, part.length, at);
  const letter = part.indexOf('borrowed at the desk');
  writeSync(file, 'B', at + letter);
  closeSync(file);
}

function idInTheMiddle(path: string): string {
  const file = openSync(path, 'r');
  const part = Buffer.alloc(4096);
  readSync(file, part, 0, part.length, Math.floor(statSync(path).size / 2));
  closeSync(file);
  return /"id":"([0-9a-f-]{36})","k":"action"/.exec(part.toString('latin1'))![1]!;
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

function page(throughput: Throughput, verification: Verification): string {
  const { proof } = verification;
  return `# What the audit log costs and shows

\`pnpm prove:auditlog --write\`, ${new Date().toISOString().slice(0, 10)}, Node.js ${process.version}, PostgreSQL ${throughput.version} (\`fsync\` and \`synchronous_commit\` on), ${cpus()[0]?.model ?? 'unknown processor'} x ${cpus().length}.

## Writing

${PROCESSES} processes, ${CALLERS} callers together, medians of ${ROUNDS} rounds of ${ROUND_MS / 1000} s each, in turns.

${markdownTable(['', 'records/s', 'p50 ms', 'p99 ms'], throughput.rows)}

${throughput.overLock.toFixed(1)} times the chain under a lock (claim: 12), ${throughput.overBare.toFixed(2)} of bare INSERTs (claim: 0.25). ${throughput.forks} forks in ${throughput.entries} entries; a chain without lock, as control, forks.

## Verifying

An export of ${LARGE} records in batches of ${BATCH}, ${WORKERS} workers: ${verification.oursMBs.toFixed(0)} MB/s, SHA-256 of the bytes (streamed) ${verification.rawMBs.toFixed(0)} MB/s.
1/${(1 / verification.share).toFixed(1)} of raw SHA-256 in the same run (claim: 1/8). A second verifier in Python with openssl agrees.

Memory of the command's own process: the highest resident mark that the kernel keeps, and what is alive in the main thread after forced collections, ten
times a second (heap and buffers). At the longest log at most ${MOST_RESIDENT} times the resident memory of the shortest, and at most ${MOST_ALIVE} bytes more alive for each further
entry. As control the same command is made to keep the hash of every entry (32 bytes), and must break that.

${markdownTable(['entries', 'resident, MiB', 'alive, MiB', 'control: resident', 'control: alive'], memoryRows(verification.memory))}

## Proofs

One entry among ${proof.size}: ${proof.hashes} bytes of hashes, ${proof.text} as text (claim: 1,024), ${proof.whole} with the signed checkpoint that makes it verifiable offline.
`;
}
