// One of the processes that write: `ours`, or a rival. Told by its parent when to begin; stops after so many milliseconds, or records.
import { createHash, randomUUID } from 'node:crypto';
import { createAudit, ed25519Signer, fileAnchor, memoryAudit, type AuditStore } from '@portcullis/audit';
import { fileAudit } from '@portcullis/audit/file';
import { postgresAudit } from '@portcullis/audit/postgres';
import { fromPg } from '@portcullis/core/postgres';
import pg from 'pg';
import { someRecord } from './record.js';

export type Mode = 'ours' | 'file' | 'memory' | 'bare' | 'lock' | 'race';
export interface Task {
  readonly mode: Mode;
  readonly url: string;
  readonly callers: number;
  readonly forMs: number;
  /** No more than so many. */
  readonly records: number;
  readonly key: string;
  readonly anchor: string;
}
export interface Outcome {
  readonly records: number;
  readonly ms: number;
  /** Of one caller, milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Forks of the chain that this process met; the table tells the rest. */
  readonly guarantee: string;
}

const task = JSON.parse(process.argv[2]!) as Task;
// One connection does the writing of a group commit; a chain under a lock gets as many as it can use.
const pool = new pg.Pool({
  connectionString: task.url,
  max: task.mode === 'ours' || task.mode === 'bare' ? 4 : 12,
});
const { write, end } = writers()[task.mode]();

process.send!('ready');
process.once('message', () => void measure());

async function measure(): Promise<void> {
  const started = performance.now();
  const latencies: number[] = [];
  let begun = 0;
  const caller = async (): Promise<void> => {
    while (performance.now() - started < task.forMs && begun < task.records) {
      const at = performance.now();
      await write(begun++);
      latencies.push(performance.now() - at);
    }
  };
  await Promise.all(Array.from({ length: task.callers }, caller));
  const ms = performance.now() - started;
  const guarantee = await end();
  latencies.sort((a, b) => a - b);
  const at = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? 0;
  const outcome: Outcome = { records: latencies.length, ms, p50: at(0.5), p99: at(0.99), guarantee };
  await pool.end();
  process.send!(outcome, () => process.exit(0));
}

interface Way {
  write(i: number): Promise<unknown>;
  end(): Promise<string>;
}

function writers(): Record<Mode, () => Way> {
  return {
    ours: () => audited(postgresAudit({ sql: fromPg(pool) }), task.anchor),
    // Each is a log of its own.
    file: () => audited(fileAudit({ directory: `${task.anchor}.${process.pid}` }), `${task.anchor}.files`),
    memory: () => audited(memoryAudit(), `${task.anchor}.memory`),
    /** The least that makes records durable: texts of the same length, one INSERT in flight, what arrives meanwhile in the next. */
    bare() {
      const writer = randomUUID();
      const padding = 'x'.repeat(180);
      let waiting: { text: string; resolve: () => void; reject: (error: unknown) => void }[] = [];
      let running = false;
      let number = 0;
      const flush = async (): Promise<void> => {
        running = true;
        while (waiting.length > 0) {
          const batch = waiting.splice(0, 512);
          await pool
            .query(
              'insert into bare (w, n, body) select $1, $2 + place - 1, body from unnest($3::text[]) with ordinality as given(body, place)',
              [writer, number, batch.map(({ text }) => text)],
            )
            .then(
              () => batch.forEach(({ resolve }) => resolve()),
              (error: unknown) => batch.forEach(({ reject }) => reject(error)),
            );
          number += batch.length;
        }
        running = false;
      };
      return {
        write: (i) =>
          new Promise<void>((resolve, reject) => {
            waiting.push({ text: JSON.stringify({ ...someRecord(i), padding }), resolve, reject });
            if (!running) void Promise.resolve().then(() => (running ? undefined : flush()));
          }),
        end: () => Promise.resolve('-'),
      };
    },
    lock: () => chain('select pg_advisory_xact_lock(1)'),
    /** What many write: the tail is read, and locked, before the next one is written. */
    race: () => chain(undefined),
  };
}

function audited(store: AuditStore, anchor: string): Way {
  const audit = createAudit({
    store,
    signer: ed25519Signer({ origin: 'library.example/audit', key: task.key }),
    anchors: [fileAnchor({ path: anchor })],
    maxPending: 100_000,
  });
  return {
    write: (i) => audit.record(someRecord(i)),
    async end() {
      await audit.close();
      return audit.status().guarantee;
    },
  };
}

function chain(lock: string | undefined): Way {
  return {
    async write(i) {
      const client = await pool.connect();
      try {
        await client.query('begin');
        if (lock) await client.query(lock);
        const { rows } = await client.query<{ hash: string }>(
          `select hash from chain order by id desc limit 1${lock ? '' : ' for update'}`,
        );
        const previous = rows[0]?.hash ?? '';
        const body = JSON.stringify(someRecord(i));
        const hash = createHash('sha256').update(previous).update(body).digest('hex');
        await client.query('insert into chain (previous, hash, body) values ($1, $2, $3)', [
          previous,
          hash,
          body,
        ]);
        await client.query('commit');
      } catch (error) {
        await client.query('rollback');
        throw error;
      } finally {
        client.release();
      }
    },
    end: () => Promise.resolve('-'),
  };
}
