// node ... src/import.ts <file.csv>: adds the books of a catalogue file to the library.
import { sql } from '@portcullis/core';
import { addMissingBooks } from './books.js';
import { importCatalogue } from './catalogue.js';
import { runCommand } from './command.js';
import { connectPostgres, openEmbedded } from './database.js';
import { loadSettings } from './settings.js';

class NotReady extends Error {
  readonly code = 'E_LIBRARY_NOT_READY';
  override readonly message = 'The library has no tables yet: start it once with npm start.';
}

const file = process.argv[2];
if (file === undefined) {
  console.error('Usage: npm run import -- <catalogue.csv>');
  process.exit(2);
}
await runCommand(async () => {
  const { DATABASE_URL, DATA_DIRECTORY } = loadSettings().values;
  const database = DATABASE_URL ? await connectPostgres(DATABASE_URL) : await openEmbedded(DATA_DIRECTORY);
  try {
    const ready = await database.sql.query<{ found: boolean }>(
      sql`select to_regclass('library.book') is not null as found`,
    );
    if (ready.rows[0]?.found !== true) throw new NotReady();
    const report = await importCatalogue(
      file,
      (books) => addMissingBooks(database.sql, books, 'import'),
      (read) => process.stderr.write(`\r${read} lines read`),
    );
    process.stderr.write('\n');
    for (const { line, reason } of report.rejected.slice(0, 20)) console.error(`line ${line}: ${reason}`);
    if (report.rejected.length > 20) console.error(`... and ${report.rejected.length - 20} more`);
    console.log(
      `${report.read} read, ${report.added} added, ${report.present} there already, ${report.rejected.length} refused`,
    );
  } finally {
    await database.close();
  }
});
