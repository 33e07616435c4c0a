import { afterAll, describe, expect, test } from '@jest/globals';
import { manualClock, recordedEvents } from '@portcullis/core/testing';
import { eventually } from '@portcullis/test-support';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { main } from '../src/cli/main.js';
import { fileAudit } from '../src/file.js';
import { createAudit, verifyLog, type AuditRecord, type AuditStore } from '../src/index.js';
import { collect, signer, verifierKey } from './support/some-log.js';

const created: AuditRecord = {
  action: 'book.created',
  outcome: 'success',
  actor: { id: 'ann', kind: 'user' },
  data: { note: 'n'.repeat(200) },
};
const everything = { viewer: 'system', limit: 500 } as const;
const root = mkdtempSync(join(tmpdir(), 'portcullis-audit-file-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let folders = 0;
const folder = (): string => join(root, String(++folders));
const options = { signer, anchors: false, checkpointEvery: '1h' } as const;
const over = (store: AuditStore) => createAudit({ ...options, store });
const entriesOf = (directory: string): string[] =>
  readdirSync(join(directory, 'entries')).filter((name) => name.endsWith('.ndjson'));
const newestOf = (directory: string): string => join(directory, 'entries', entriesOf(directory).at(-1)!);

async function cli(...args: string[]) {
  const out = new PassThrough();
  let text = '';
  out.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const line = { out, err: { isTTY: false, write: (part: string) => (text += part) }, now: () => 0 };
  return { code: await main([...args, '--workers', '0'], line, new AbortController().signal), text };
}

describe('the log in files', () => {
  test('a write that the end of the process cut short is cut off and said; what was acknowledged is there', async () => {
    const directory = folder();
    const first = over(fileAudit({ directory }));
    const { id } = await first.record(created);
    await first.checkpoint();
    await first.close();
    const path = newestOf(directory);
    const whole = readFileSync(path);
    const [entry] = whole.toString().split('\n') as [string];
    // Half a line; whole entries without the end of their batch.
    for (const torn of [entry.slice(0, 100), `${entry}\n`, `${entry}\n${entry}\n{"batch":{"last":1`]) {
      appendFileSync(path, torn);
      const checked = await cli('verify', '--export', directory, '--key', verifierKey);
      expect(checked).toMatchObject({ code: 3, text: expect.stringContaining('acknowledged to nobody') });
      const events = recordedEvents();
      const store = fileAudit({ directory, events });
      expect(events.of('audit.tail-cut')).toMatchObject([{ bytes: torn.length }]);
      const audit = over(store);
      expect((await audit.query(everything)).entries.map((one) => one.id)).toEqual([id]);
      // Nothing is recorded: the chain of this process does not begin.
      await audit.close();
      expect(readFileSync(path)).toEqual(whole);
    }
    const last = over(fileAudit({ directory }));
    await last.record(created);
    await last.close();
    expect(await cli('verify', '--export', directory, '--key', verifierKey)).toMatchObject({ code: 3 });
    expect((await verifyFolder(directory)).tampered).toEqual([]);
  });

  test('kill -9 in the middle of writes: nothing acknowledged is lost, nothing is there twice, the log verifies', async () => {
    const directory = folder();
    const program = `
      import { createAudit } from '@portcullis/audit';
      import { fileAudit } from '@portcullis/audit/file';
      const store = fileAudit({ directory: ${JSON.stringify(directory)}, segmentBytes: 65_536 });
      const audit = createAudit({ store, anchors: false });
      const record = { action: 'book.created', outcome: 'success', data: { note: 'n'.repeat(300) } };
      for (let i = 0; i < 16; i++) {
        void (async () => {
          for (;;) process.stdout.write((await audit.record(record)).id + '\\n');
        })();
      }
    `;
    const acknowledged: string[] = [];
    for (let round = 0; round < 3; round++) {
      const child = spawn(
        process.execPath,
        ['--conditions=@portcullis/source', '--import', 'tsx', '--input-type=module', '-e', program],
        { cwd: join(import.meta.dirname, '..'), stdio: ['ignore', 'pipe', 'inherit'] },
      );
      let printed = '';
      child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
      await eventually(() => expect(printed.length).toBeGreaterThan(37 * 300), 60_000);
      child.kill('SIGKILL');
      await once(child, 'close');
      acknowledged.push(...printed.slice(0, printed.lastIndexOf('\n')).split('\n'));
    }
    const store = fileAudit({ directory, segmentBytes: 65_536 });
    const lines = await collect(store.export!());
    const ids = lines.flatMap((line) => /,"id":"([^"]+)","k":"action"/.exec(line)?.[1] ?? []);
    const stored = new Set(ids);
    expect(acknowledged.length).toBeGreaterThan(900);
    expect(acknowledged.filter((id) => !stored.has(id))).toEqual([]);
    expect(ids.length).toBe(stored.size);
    expect((await verifyLog(lines)).tampered).toEqual([]);
    expect(entriesOf(directory).length).toBeGreaterThan(3);
    await store.close!();
  }, 120_000);

  test('one process writes at a time; a lock that a dead one left, or another with its number, is taken over', async () => {
    const directory = folder();
    const store = fileAudit({ directory });
    expect(() => fileAudit({ directory })).toThrow(expect.objectContaining({ code: 'E_OPTION_CONFLICT' }));
    const lock = join(directory, 'lock');
    const mine = JSON.parse(readFileSync(lock, 'utf8')) as Record<string, unknown>;
    await store.close!();
    expect(existsSync(lock)).toBe(false);
    const dead = { ...mine, pid: 2 ** 22 + 1 };
    for (const left of [{ ...mine, started: '1' }, dead, { ...mine, host: `${hostname()}-gone` }, '{"pi']) {
      writeFileSync(lock, typeof left === 'string' ? left : JSON.stringify(left));
      await fileAudit({ directory }).close!();
    }
    expect(readdirSync(directory).filter((name) => name.startsWith('lock'))).toEqual([]);
  });

  test('of many processes that find a stale lock, one gets it', async () => {
    const directory = folder();
    await fileAudit({ directory }).close!();
    const lock = join(directory, 'lock');
    writeFileSync(lock, JSON.stringify({ pid: 2 ** 22 + 1, host: hostname(), started: '1', token: 't' }));
    const program = `
      import { fileAudit } from '@portcullis/audit/file';
      process.stdin.once('data', () => {
        try {
          fileAudit({ directory: ${JSON.stringify(directory)} });
          process.stdout.write('mine');
        } catch (error) { process.stdout.write(error.code); }
        setTimeout(() => process.exit(), 3000);
      });
      process.stderr.write('ready');
    `;
    const children = Array.from({ length: 4 }, () =>
      spawn(
        process.execPath,
        ['--conditions=@portcullis/source', '--import', 'tsx', '--input-type=module', '-e', program],
        { cwd: join(import.meta.dirname, '..'), stdio: ['pipe', 'pipe', 'pipe'] },
      ),
    );
    const said = children.map(() => '');
    children.forEach((child, i) => child.stdout.on('data', (chunk: Buffer) => (said[i] += chunk.toString())));
    await Promise.all(children.map((child) => once(child.stderr, 'data')));
    for (const child of children) child.stdin.write('go');
    await eventually(() => expect(said.every((text) => text !== '')).toBe(true), 30_000);
    for (const child of children) child.kill('SIGKILL');
    expect(said.toSorted()).toEqual(['E_OPTION_CONFLICT', 'E_OPTION_CONFLICT', 'E_OPTION_CONFLICT', 'mine']);
  }, 60_000);

  test('folders and files are for their user only', async () => {
    const directory = folder();
    const audit = createAudit({
      ...options,
      store: fileAudit({ directory, segmentBytes: 65_536 }),
      personal: { key: 'k'.repeat(32), fields: { 'data.note': 'actor' } },
    });
    for (let i = 0; i < 150; i++) await audit.record(created);
    await audit.checkpoint();
    await audit.erase('ann');
    const all = readdirSync(directory, { recursive: true, encoding: 'utf8' });
    expect(all.length).toBeGreaterThan(9);
    for (const name of ['', ...all])
      expect([name, statSync(join(directory, name)).mode & 0o077]).toEqual([name, 0]);
    await audit.close();
  });

  test('a segment ends by size or age, and queries and exports read across them', async () => {
    const directory = folder();
    const clock = manualClock();
    const open = () => fileAudit({ directory, segmentBytes: 65_536, segmentAge: '1h', clock });
    const audit = createAudit({ ...options, store: open(), clock });
    const ids: string[] = [];
    const record = async () => void ids.push((await audit.record(created)).id);
    for (let i = 0; i < 300; i++) await record();
    const bySize = entriesOf(directory).length;
    expect(bySize).toBeGreaterThan(2);
    clock.advance(3_600_000);
    await record();
    expect(entriesOf(directory)).toHaveLength(bySize + 1);
    const { entries } = await audit.query(everything);
    expect(entries.map(({ id }) => id).toReversed()).toEqual(ids);
    expect((await audit.query({ ...everything, from: clock.now() })).entries.map(({ id }) => id)).toEqual(
      ids.slice(-1),
    );
    await audit.checkpoint();
    await audit.close();
    // What sums up a full segment is made anew where it is lost.
    rmSync(join(directory, 'entries', entriesOf(directory)[0]!.replace('ndjson', 'json')));
    const store = open();
    expect((await verifyLog(store.export!(), { verifierKey })).tampered).toEqual([]);
    await store.close!();
  });

  test('a folder whose entries are gone does not start', async () => {
    const make = async (): Promise<string> => {
      const directory = folder();
      const audit = over(fileAudit({ directory, segmentBytes: 65_536 }));
      for (let i = 0; i < 300; i++) await audit.record(created);
      await audit.checkpoint();
      await audit.close();
      return directory;
    };
    const refused = expect.objectContaining({ code: 'E_AUDIT_DAMAGED' });
    const [head, middle, tail] = [await make(), await make(), await make()];
    rmSync(join(head, 'entries', entriesOf(head)[0]!));
    expect(() => fileAudit({ directory: head })).toThrow(refused);
    rmSync(join(middle, 'entries', entriesOf(middle)[1]!));
    expect(() => fileAudit({ directory: middle })).toThrow(refused);
    truncateSync(newestOf(tail), 0);
    expect(() => fileAudit({ directory: tail })).toThrow(refused);
    for (const directory of [head, middle, tail]) {
      expect(await cli('verify', '--export', directory, '--key', verifierKey)).toMatchObject({ code: 2 });
    }
  });

  test('an edited line is found by the command on the folder, and proofs come out of it', async () => {
    const directory = folder();
    const audit = over(fileAudit({ directory, segmentBytes: 65_536 }));
    let id = '';
    for (let i = 0; i < 300; i++) ({ id } = await audit.record(created));
    await audit.checkpoint();
    await audit.close();
    const report = await cli('verify', '--export', directory, '--key', verifierKey);
    expect(report).toMatchObject({ code: 3, text: expect.stringContaining('WARNING no anchor was given') });
    const proof = await cli('disclose', '--export', directory, '--key', verifierKey, '--id', id);
    expect(proof).toMatchObject({ code: 0, text: expect.stringContaining(id) });
    const path = join(directory, 'entries', entriesOf(directory)[1]!);
    writeFileSync(path, readFileSync(path, 'utf8').replace('"ann"', '"bob"'));
    expect(await cli('verify', '--export', directory, '--key', verifierKey)).toMatchObject({ code: 2 });
  });

  test('an erased person is in no file any more, what was half replaced included', async () => {
    const directory = folder();
    const open = () => fileAudit({ directory, segmentBytes: 65_536 });
    const personal = { key: 'k'.repeat(32), fields: { reason: 'actor' } } as const;
    const audit = createAudit({ ...options, store: open(), personal });
    for (let i = 0; i < 400; i++) {
      await audit.record({ ...created, actor: { id: i % 2 ? 'ann' : 'bob', kind: 'user' }, reason: `${i}` });
    }
    expect(await audit.erase('ann')).toEqual({ values: 200 });
    const { entries } = await audit.query({ ...everything, actor: 'bob' });
    expect(entries.map(({ reason }) => reason)).not.toContain('[Erased]');
    await audit.close();
    const people = join(directory, 'people');
    writeFileSync(join(people, `${readdirSync(people)[0]!}.next`), 'left by a crash');
    await open().close!();
    const values = readdirSync(people)
      .map((name) => readFileSync(join(people, name), 'utf8'))
      .join('');
    expect(values).not.toContain('left by a crash');
    expect(values.match(/"commitment"/g)).toHaveLength(200);
  });
});

async function verifyFolder(directory: string) {
  const store = fileAudit({ directory });
  try {
    return await verifyLog(store.export!(), { verifierKey });
  } finally {
    await store.close!();
  }
}
