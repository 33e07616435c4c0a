import { Socket } from 'node:net';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals';
import { createAudit, fileAnchor, memoryAudit, type AuditOptions, type AuditRecord } from '../src/index.js';
import { fileAudit } from '../src/file.js';
import { signer } from './support/some-log.js';

const read: AuditRecord = { action: 'book.read', outcome: 'success', actor: { id: 'ann', kind: 'user' } };

let folder: string;
beforeEach(() => void (folder = mkdtempSync(join(tmpdir(), 'portcullis-sinks-'))));
afterEach(() => {
  jest.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

/** Records something and tells what was written in the folder, said aloud and connected to meanwhile. */
async function traces(options: AuditOptions) {
  const output = [process.stdout, process.stderr].map((stream) => jest.spyOn(stream, 'write'));
  const connect = jest.spyOn(Socket.prototype, 'connect');
  const audit = createAudit(options);
  for (let n = 0; n < 10; n++) await audit.record(read);
  await audit.checkpoint();
  await audit.close();
  return {
    // Of a log in files only its folder is named here.
    files: [...new Set(readdirSync(folder, { recursive: true }).map((one) => String(one).split(/[/\\]/)[0]))],
    said: output.reduce((sum, spy) => sum + spy.mock.calls.length, 0),
    connections: connect.mock.calls.length,
  };
}

test('ASVS V16.2.3: what is recorded goes to the store, the anchors and the mirror that were given, and to nothing else', async () => {
  const memory = memoryAudit();
  const nothing = { files: [], said: 0, connections: 0 };
  expect(await traces({ store: memory, signer, anchors: false })).toEqual(nothing);
  expect(memory.entries).toHaveLength(10);

  const mirrored: unknown[] = [];
  const given = {
    store: fileAudit({ directory: join(folder, 'log') }),
    signer,
    anchors: [fileAnchor({ path: join(folder, 'anchor.ndjson') })],
    mirror: { write: (entry: unknown) => void mirrored.push(entry) },
  };
  const { files, ...rest } = await traces(given);
  expect(new Set(files)).toEqual(new Set(['anchor.ndjson', 'log']));
  expect(rest).toEqual({ said: 0, connections: 0 });
  expect(mirrored).toHaveLength(10);
});
