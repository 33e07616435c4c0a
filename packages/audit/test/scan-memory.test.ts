import { afterAll, expect, test } from '@jest/globals';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { scanFile } from '../src/cli/scan-pool.js';
import { createAudit, memoryAudit } from '../src/index.js';
import { leafHash } from '../src/leaf.js';

const folder = mkdtempSync(join(tmpdir(), 'audit-scan-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('an export is scanned in the memory of two pieces, however long it is, and every leaf hash is right', async () => {
  const audit = createAudit({ store: memoryAudit() });
  for (let i = 0; i < 200; i++) {
    await audit.record({ action: 'book.lent', outcome: 'success', reason: 'x'.repeat(i * 7) });
  }
  const some: string[] = [];
  for await (const line of audit.export()) some.push(line);
  await audit.close();
  // Lines that are no entries leave no hash; the shortest ones that could be written over stand at the beginning of a piece.
  const lines = ['{}', '', ...Array.from({ length: 120 }, () => some).flat()];
  const file = join(folder, 'long.ndjson');
  writeFileSync(file, lines.join('\n'));

  const buffers = new Set<ArrayBufferLike>();
  let [bytes, pieces] = [0, 0];
  const hashes: string[] = [];
  for await (const { leaves } of scanFile(file, 0, (count) => (bytes += count))) {
    pieces++;
    buffers.add(leaves.buffer);
    for (let i = 0; i < leaves.length; i += 32)
      hashes.push(Buffer.from(leaves.subarray(i, i + 32)).toString('hex'));
  }
  expect(pieces).toBeGreaterThan(4);
  expect(bytes).toBe(Buffer.byteLength(lines.join('\n')));
  expect(buffers.size).toBeLessThanOrEqual(2);
  const expected = some
    .filter((line) => line.startsWith('{"c":'))
    .map((line) => leafHash(line).toString('hex'));
  expect(hashes).toEqual(Array.from({ length: 120 }, () => expected).flat());
});
