// A process that writes events and dies: node writer.ts <logger> <ending> <where>. Every event that it was told is written is
// reported on file descriptor 3, synchronously, before the next step.
import { writeSync } from 'node:fs';
import { createAudit } from '@portcullis/audit';
import { postgresAudit } from '@portcullis/audit/postgres';
import { fromPg } from '@portcullis/core/postgres';
import pg from 'pg';
import { pino } from 'pino';
import winston from 'winston';

const EVENTS = 5_000;
const CALLERS = 64;
const [, , logger = '', ending = '', where = '', spool = ''] = process.argv;

const report = (id: number): void => void writeSync(3, `${id}\n`);

/** What an event of the access log looks like. */
const event = (n: number): Record<string, unknown> => ({
  n,
  method: 'POST',
  path: `/books/${n}`,
  status: 201,
  note: 'x'.repeat(200),
});

function end(): void {
  if (ending === 'exit') process.exit(0);
  if (ending === 'SIGTERM' || ending === 'SIGKILL') process.kill(process.pid, ending);
  // Outside of every promise, as a mistake in a callback would be.
  if (ending === 'throw') {
    setImmediate(() => {
      throw new Error('the end');
    });
  }
}

if (logger === 'audit') {
  const pool = new pg.Pool({ connectionString: where, max: 4 });
  pool.on('error', () => undefined);
  const audit = createAudit({
    store: postgresAudit({ sql: fromPg(pool, { timeoutMs: 5_000 }) }),
    retryEvery: '100ms',
    ...(spool === '' ? {} : { spool: { directory: spool } }),
  });
  const count = { next: 0, done: 0 };
  await Promise.all(
    Array.from({ length: CALLERS }, async () => {
      // The last ones are in flight when the process ends.
      while (count.done < EVENTS) {
        const n = count.next++;
        await audit.record({ action: 'event.written', outcome: 'success', data: event(n) }).then(
          () => {
            report(n);
            if (++count.done === EVENTS && ending !== 'restart') end();
          },
          () => undefined,
        );
      }
    }),
  );
  if (ending === 'restart') {
    // Whatever went to the spool is brought home.
    while (audit.status().spooledBytes > 0) await new Promise((resolve) => setTimeout(resolve, 50));
    await audit.close();
    await pool.end();
  }
} else {
  // These answer at once: whoever called goes on as if the event were written.
  const log: { info(event: object): unknown } =
    logger === 'winston'
      ? winston.createLogger({ transports: [new winston.transports.File({ filename: where })] })
      : pino(pino.destination({ dest: where, sync: false, minLength: 4096 }));
  for (let n = 0; n < EVENTS; n++) {
    log.info(event(n));
    report(n);
    // Requests come one after another, not in one turn.
    if (n % 100 === 99) await new Promise((resolve) => setImmediate(resolve));
  }
  end();
}
