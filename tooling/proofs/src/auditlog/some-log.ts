import { createWriteStream } from 'node:fs';
import { once } from 'node:events';
import {
  createAudit,
  ed25519Signer,
  type AuditBatch,
  type AuditTree,
  type TreeBatch,
} from '@portcullis/audit';
import { someRecord } from './record.js';

/** Entries of one batch: what callers that wait together make. */
export const BATCH = 512;

/**
 * Writes the export of a log of so many records as it grows, without keeping it: one writer, batches of 512, a checkpoint every
 * 50 batches. Resolves to the last checkpoint, as an anchor has it.
 */
export async function writeLog(path: string, key: string, records: number): Promise<string> {
  const file = createWriteStream(path);
  const lines = async (text: string): Promise<void> => {
    if (!file.write(text)) await once(file, 'drain');
  };
  const unplaced: TreeBatch[] = [];
  const tiles = new Map<string, Buffer>();
  let newest: string | undefined;
  const tree: AuditTree = {
    newest: () => Promise.resolve(newest),
    tiles: (names) => Promise.resolve(names.map(({ level, place }) => tiles.get(`${level}/${place}`))),
    find: () => Promise.resolve(undefined),
    async extend(step) {
      const growth = await step({ newest, batches: unplaced.slice(0, 128), tiles: this.tiles });
      if (!growth) return undefined;
      unplaced.splice(0, growth.batches.length);
      for (const { level, place, hashes } of growth.tiles) tiles.set(`${level}/${place}`, hashes);
      newest = growth.note;
      await lines(`${JSON.stringify({ checkpoint: newest })}\n`);
      return growth;
    },
  };
  const audit = createAudit({
    store: {
      tree,
      ephemeral: true,
      async append({ writer, first, bodies, leaves, signature }: AuditBatch) {
        unplaced.push({ writer, first, leaves });
        const batch = { last: first + bodies.length - 1, signature, writer };
        await lines(`${bodies.join('\n')}\n${JSON.stringify({ batch })}\n`);
      },
      query: () => Promise.resolve({ entries: [] }),
    },
    signer: ed25519Signer({ origin: 'library.example/audit', key }),
    // What is redacted costs nothing to verify.
    redactor: { redact: (value) => value },
    checkpointEvery: '1h',
    deadline: '2m',
  });
  for (let made = 0; made < records;) {
    for (let batch = 0; batch < 50 && made < records; batch++) {
      const count = Math.min(BATCH, records - made);
      await Promise.all(Array.from({ length: count }, (_, i) => audit.record(someRecord(made + i))));
      made += count;
    }
    await audit.checkpoint();
  }
  await audit.close();
  file.end();
  await once(file, 'finish');
  return newest!;
}
