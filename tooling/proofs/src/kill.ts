// pnpm prove:kill [--rounds 20] [--short] [--postgres]: kill -9 of the library during writes. Every loan that was acknowledged must be
// there afterwards, and no half loan may exist: the counted copies agree with the open loans.
import { parseArgs } from 'node:util';
import {
  startLibrary,
  temporaryFolder,
  Visitor,
  type LibraryProcess,
} from '@portcullis/digital-library/test-support';
import { eventually, startPostgres } from '@portcullis/test-support/servers';

const { values: flags } = parseArgs({
  options: { rounds: { type: 'string' }, short: { type: 'boolean' }, postgres: { type: 'boolean' } },
});
const rounds = Number(flags.rounds ?? (flags.short ? 3 : 20));

const folder = temporaryFolder();
const server = flags.postgres ? await startPostgres({ durable: true }) : undefined;
const env: Record<string, string> = server ? { DATABASE_URL: server.url } : {};
const acknowledged = new Map<string, 'open' | 'returned'>();
const readers: Visitor[] = [];
let [lost, half, attempts, answers] = [0, 0, 0, 0];
let staff: LibraryProcess['staff'];

try {
  for (let round = 0; round < rounds; round++) {
    const library = await startLibrary({ dataDirectory: folder.path, env });
    staff ??= library.staff;
    if (round > 0) await check(library);
    readers.push(await Visitor.registered(library.url, `reader-${round}@example.org`));
    const writing = writeUntilItDies(library);
    // In the middle of writing, at a different distance from an answer each time.
    await answered(4 + (round % 5));
    await new Promise((resolve) => setTimeout(resolve, (round * 7) % 30));
    await library.kill('SIGKILL');
    await writing;
  }
  const last = await startLibrary({ dataDirectory: folder.path, env });
  await check(last);
  await last.kill('SIGTERM');
} finally {
  await server?.stop();
  folder.remove();
}
console.log(
  `kill: ${rounds} x SIGKILL on ${server ? 'PostgreSQL' : 'PGlite'}, ${attempts} writes tried, ${acknowledged.size} loans acknowledged, ${lost} lost, ${half} half`,
);
process.exit(lost === 0 && half === 0 && acknowledged.size >= rounds ? 0 : 1);

/** Borrows and returns as fast as it can; what was answered with success is written down. */
async function writeUntilItDies(library: LibraryProcess): Promise<void> {
  const reader = readers.at(-1)!;
  for (let book = 1; ; book = (book % 200) + 1) {
    try {
      attempts++;
      const loan = await reader.at(library.url).borrow(book);
      if (loan === undefined) continue;
      acknowledged.set(loan, 'open');
      answers++;
      attempts++;
      if (await reader.giveBack(loan)) acknowledged.set(loan, 'returned');
      else acknowledged.delete(loan); // Not acknowledged as returned: either state is right.
    } catch {
      return;
    }
  }
}

/** Resolves when so many more loans have been acknowledged. */
async function answered(more: number): Promise<void> {
  const goal = answers + more;
  await eventually(() => {
    if (answers < goal) throw new Error(`Only ${answers} of ${goal} loans were acknowledged.`);
  }, 60_000);
}

async function check(library: LibraryProcess): Promise<void> {
  for (const reader of readers) {
    await reader.at(library.url).signIn();
    const loans = await reader.loans();
    for (const [id, state] of acknowledged) {
      if (!reader.owns(id)) continue;
      const found = loans.find((loan) => loan.id === id);
      if (!found || (state === 'returned' && found.returnedAt === null)) lost++;
    }
  }
  const desk = new Visitor(library.url, staff!.email, staff!.password);
  await desk.signIn();
  const open = await desk.allOpenLoans();
  const counts = new Map<string, number>();
  for (const loan of open) counts.set(loan.bookId, (counts.get(loan.bookId) ?? 0) + 1);
  for (const book of await desk.allBooks()) {
    if (book.copies - book.available !== (counts.get(book.id) ?? 0)) half++;
  }
}
