import type { QueryResult } from '@portcullis/core';
import { batchLine, checkpointLine } from '../log/lines.js';

type NameOf = (table: string) => string;
type Read = <Row>(text: string, values: readonly unknown[]) => Promise<QueryResult<Row>>;

interface EntryRow {
  readonly w: string;
  readonly n: string;
  readonly body: string;
  /** Of the batch that ends here; null if none does. */
  readonly signature: string | null;
}

const PAGE = 1_000;

/**
 * By key, so that a log of any length is read in constant memory and no transaction stays open meanwhile. What is in the
 * tree comes first, up to the checkpoint that is the newest now; then, writer by writer, whatever is not, so that
 * nothing in the table stays out of the verifier's sight.
 */
export async function* exportLines(name: NameOf, read: Read): AsyncGenerator<string> {
  const { rows } = await read<{ size: string | null }>(
    `select max(size)::text as size from ${name('audit_checkpoint')}`,
    [],
  );
  const size = Number(rows[0]?.size ?? 0);
  const pruned = await read<{ upto: string; line: string }>(
    `select upto::text as upto, line from ${name('audit_pruned')} order by audit_pruned.upto desc limit 1`,
    [],
  );
  const [begin] = pruned.rows;
  if (begin) yield begin.line;
  yield* placedLines(name, read, Number(begin?.upto ?? 0), size);
  yield* otherLines(name, read, size);
  yield* orphanLines(name, read);
}

async function* placedLines(name: NameOf, read: Read, begin: number, size: number): AsyncGenerator<string> {
  for (let from = begin; from < size; from += PAGE) {
    const to = Math.min(from + PAGE, size);
    const entries = await read<EntryRow & { index: string }>(placedPage(name), [from, to]);
    const checkpoints = await read<{ size: string; note: string }>(
      `select size::text as size, note from ${name('audit_checkpoint')} where size > $1 and size <= $2 order by audit_checkpoint.size`,
      [from, to],
    );
    const due = [...checkpoints.rows];
    for (const row of entries.rows) {
      while (due.length > 0 && Number(due[0]!.size) <= Number(row.index))
        yield checkpointLine(due.shift()!.note);
      yield* entryLines(row);
    }
    for (const { note } of due) yield checkpointLine(note);
  }
}

async function* otherLines(name: NameOf, read: Read, size: number): AsyncGenerator<string> {
  let after = '';
  for (;;) {
    const writers = await read<{ w: string; next: string }>(writersPage(name), [after, size, PAGE]);
    for (const { w, next } of writers.rows) {
      let number = Number(next) - 1;
      for (;;) {
        const { rows } = await read<EntryRow>(writerPage(name), [w, number, PAGE]);
        for (const row of rows) yield* entryLines(row);
        if (rows.length < PAGE) break;
        number = Number(rows.at(-1)!.n);
      }
    }
    if (writers.rows.length < PAGE) return;
    after = writers.rows.at(-1)!.w;
  }
}

/** Batches whose entries are gone are shown too, for the verifier to find. */
async function* orphanLines(name: NameOf, read: Read): AsyncGenerator<string> {
  const { rows } = await read<{ w: string; n: string; signature: string }>(
    `select w, (first + count - 1)::text as n, signature from ${name('audit_batch')} b
     where not exists (select from ${name('audit_entry')} where w = b.w and n = b.first + b.count - 1)
     order by w, first limit $1`,
    [PAGE],
  );
  for (const { w, n, signature } of rows) yield batchLine({ writer: w, last: Number(n), signature });
}

function* entryLines({ w, n, body, signature }: EntryRow): Generator<string> {
  yield body;
  if (signature !== null) yield batchLine({ writer: w, last: Number(n), signature });
}

/** Leaf indexes from $1 up to, not including, $2. */
function placedPage(name: NameOf): string {
  return `select e.w, e.n::text as n, e.body, (p.start + e.n - p.first)::text as index, b.signature
    from ${name('audit_placed')} p
    join ${name('audit_entry')} e on e.w = p.w and e.n >= p.first and e.n < p.first + p.count
    left join ${name('audit_batch')} b on b.w = e.w and b.first = p.first and b.first + b.count - 1 = e.n
    where p.start >= coalesce((select max(start) from ${name('audit_placed')} where start <= $1), 0) and p.start < $2
      and p.start + e.n - p.first >= $1 and p.start + e.n - p.first < $2
    order by p.start, e.n`;
}

/** Writers with entries that are not in the tree, and the number of the first such entry. */
function writersPage(name: NameOf): string {
  return `with recursive writer as (
      (select w from ${name('audit_entry')} where w > $1 order by w limit 1)
      union all
      select (select e.w from ${name('audit_entry')} e where e.w > writer.w order by e.w limit 1)
      from writer where writer.w is not null
    ), known as (
      select w, coalesce((
        select p.first + p.count from ${name('audit_placed')} p
        where p.w = writer.w and p.start < $2 order by p.first desc limit 1
      ), 0) as next
      from writer where w is not null
    )
    select w, next::text as next from known
    where exists (select from ${name('audit_entry')} e where e.w = known.w and e.n >= known.next)
    limit $3`;
}

function writerPage(name: NameOf): string {
  return `select e.w, e.n::text as n, e.body, b.signature
    from (
      select w, n, body from ${name('audit_entry')} where w = $1 and n > $2 order by n limit $3
    ) e
    left join ${name('audit_batch')} b on b.w = e.w and b.first <= e.n and b.first + b.count - 1 = e.n
    order by e.n`;
}
