import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import { afterAll, describe, expect, jest, test } from '@jest/globals';
import { createEvents } from '@portcullis/core';
import { manualClock } from '@portcullis/core/testing';
import { eventually } from '@portcullis/test-support';
import { argon2id, bcrypt, django, pbkdf2, scrypt, type Compute, type PasswordHasher } from '../src/index.js';
import { createHashingThread, startThread } from '../src/passwords/hashing-thread.js';

jest.setTimeout(60_000); // Real hashes on a busy machine.

const cheapArgon = argon2id({ memoryKib: 7_168, passes: 1 });
const folders: string[] = [];
const forms = (text: string) => ({ raw: text, normal: text.normalize('NFKC') });

/** One thread, what it says about failures, and how often it was started. */
function watched(start: () => Worker = startThread, idleMs = 60_000) {
  const clock = manualClock();
  const events = createEvents();
  const failures: string[] = [];
  events.on('auth.hashing-thread-failed', ({ reason }) => failures.push(reason));
  const started: Worker[] = [];
  const compute = createHashingThread({
    clock,
    events,
    idleMs,
    start: () => {
      const worker = start();
      started.push(worker);
      return worker;
    },
  });
  return { compute, clock, failures, started };
}

const hashOnce = (compute: Compute) =>
  compute('pbkdf2', Buffer.from('password'), 'salt', 1, 20, 'sha1').then((digest) => digest.toString('hex'));
/** RFC 6070, first vector. */
const DIGEST = '0c60c80f961f0e71f3a9b524af6012062fe037a6';

describe('a hashing thread', () => {
  test.each<[string, PasswordHasher]>([
    ['argon2id', cheapArgon],
    ['bcrypt', bcrypt({ cost: 10 })],
    ['scrypt', scrypt({ logN: 14 })],
    ['pbkdf2', pbkdf2({ iterations: 210_000 })],
  ])("computes what libuv's pool computes: %s", async (_name, hasher) => {
    const { compute, failures } = watched();
    const text = 'nul\0 p\u00E4ss \u{1F511}';
    const inThread = await hasher.hash(forms(text), compute);
    expect(await hasher.verify(forms(text), inThread)).toBe(true);
    const inPool = await hasher.hash(forms(text));
    expect(await hasher.verify(forms(text), inPool, compute)).toBe(true);
    expect(await hasher.verify(forms(`${text}x`), inPool, compute)).toBe(false);
    expect(failures).toEqual([]);
  });

  test('verifies the foreign hashes', async () => {
    const { compute, failures, started } = watched();
    const file = join(fileURLToPath(new URL('.', import.meta.url)), 'foreign-hashes.json');
    const { valid } = JSON.parse(readFileSync(file, 'utf8')) as {
      valid: { scheme: string; password: string; hash: string }[];
    };
    const ofDjango = valid.filter(({ scheme }) => scheme.startsWith('django'));
    expect(ofDjango.length).toBeGreaterThan(5);
    for (const { password, hash } of ofDjango.filter(({ hash }) => django().accepts(hash)).slice(0, 6)) {
      expect(await django().verify(forms(password), hash, compute)).toBe(true);
      expect(await django().verify(forms(`${password}x`), hash, compute)).toBe(false);
    }
    expect([failures, started.length]).toEqual([[], 1]);
  });

  const onLinux = process.platform === 'linux' ? test : test.skip;
  onLinux('has a low priority of its own in Linux; no other thread of the process has', async () => {
    const before = niceValues();
    const { compute } = watched();
    await hashOnce(compute);
    // Starts libuv's pool, if nobody has before: its threads inherit the priority of the one that does.
    await stat('.');
    const after = niceValues();
    expect(after.filter((nice) => nice === 10).length).toBe(before.filter((nice) => nice === 10).length + 1);
    expect(new Set(after.filter((nice) => nice !== 10)).size).toBe(1);
  });

  test('leaves no password in the buffers that it was given', async () => {
    for (const start of [startThread, refused]) {
      const { compute } = watched(start);
      const [password, salt] = [Buffer.from('password'), Buffer.from('salt')];
      await compute('pbkdf2', password, salt, 1, 20, 'sha1');
      expect(Buffer.concat([password, salt])).toEqual(Buffer.alloc(12));
      const other = Buffer.from('password');
      await expect(compute('pbkdf2', other, 'salt', 1, 20, 'no-such-hash')).rejects.toThrow();
      expect(other).toEqual(Buffer.alloc(8));
    }
  });

  test("hands on the engine's own error and goes on", async () => {
    const { compute, failures, started } = watched();
    const bad = compute('scrypt', Buffer.from('x'), 'salt', 32, { N: 3, r: 8, p: 1 });
    const good = hashOnce(compute);
    await expect(bad).rejects.toThrow(/scrypt/i);
    expect(await good).toBe(DIGEST);
    expect([failures, started.length]).toEqual([[], 1]);
  });

  test('that is not needed ends, which is no failure; the next hash starts another', async () => {
    const { compute, failures, started } = watched(startThread, 1);
    expect(await hashOnce(compute)).toBe(DIGEST);
    await eventually(() => expect(started[0]!.threadId).toBe(-1));
    expect(await hashOnce(compute)).toBe(DIGEST);
    expect([failures, started.length]).toEqual([[], 2]);
  });
});

describe('where there is no thread, the pool computes', () => {
  afterAll(() => folders.splice(0).forEach((folder) => rmSync(folder, { recursive: true, force: true })));

  test('Worker is refused: said once a minute, then tried again', async () => {
    let refusing = true;
    const { compute, clock, failures, started } = watched(() => (refusing ? refused() : startThread()));
    for (let i = 0; i < 3; i++) expect(await hashOnce(compute)).toBe(DIGEST);
    expect(failures).toEqual(['Access to this API has been restricted']);
    refusing = false;
    clock.advance('61s');
    expect(await hashOnce(compute)).toBe(DIGEST);
    expect([failures.length, started.length]).toEqual([1, 1]);
  });

  test.each<[string, () => Worker, RegExp]>([
    [
      'the engine cannot be loaded where it is looked for, as in some bundles',
      () => startThread(bundleWithoutEngine()),
      /no argon2 here/,
    ],
    ['it throws at its start', () => threadOf("throw new Error('no start')"), /no start/],
    [
      'it throws in the middle of a hash',
      () => threadOf("parentPort.on('message', () => { throw new Error('midway') })"),
      /midway/,
    ],
    [
      'it ends in the middle of a hash',
      () => threadOf("parentPort.on('message', () => process.exit(3))"),
      /ended/,
    ],
    [
      'it runs out of memory',
      () =>
        threadOf(
          "parentPort.on('message', () => { const all = []; for (;;) all.push(new Array(1e5).fill(1)) })",
        ),
      /memory/i,
    ],
  ])('%s', async (_title, start, reason) => {
    const { compute, failures } = watched(start);
    // Three at once in one thread: none is lost.
    const stored = await Promise.all(['a', 'b', 'c'].map((text) => cheapArgon.hash(forms(text), compute)));
    for (const [i, text] of ['a', 'b', 'c'].entries())
      expect(await cheapArgon.verify(forms(text), stored[i]!, compute)).toBe(true);
    expect(failures).toEqual([expect.stringMatching(reason)]);
  });
});

test('a process ends by itself when its hashes are done, and not before', async () => {
  const script = `
    import { createEvents } from '@portcullis/core';
    import { argon2id, createPasswords } from '@portcullis/auth';
    const events = createEvents();
    events.on('auth.hashing-thread-failed', ({ reason }) => console.log(reason));
    const passwords = createPasswords({ hash: argon2id({ memoryKib: 7168, passes: 1 }), slots: 2, events });
    const all = Promise.all(['a', 'b', 'c', 'd', 'e'].map(async (text) => passwords.verify(text, await passwords.hash(text))));
    console.log((await all).every(({ matches }) => matches));
    process.on('exit', () => console.log('ended'));
  `;
  const { stdout } = await promisify(execFile)(
    process.execPath,
    ['--conditions=@portcullis/source', '--import', 'tsx', '--input-type=module', '--eval', script],
    { cwd: fileURLToPath(new URL('..', import.meta.url)) },
  );
  expect(stdout.trim().split('\n')).toEqual(['true', 'ended']);
});

function refused(): never {
  throw Object.assign(new Error('Access to this API has been restricted'), { code: 'ERR_ACCESS_DENIED' });
}

/** A place of its own for what is there, so that no other is looked at (NODE_PATH). */
function bundleWithoutEngine(): string {
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-bundle-'));
  const engine = join(folder, 'node_modules', '@node-rs', 'argon2');
  mkdirSync(engine, { recursive: true });
  writeFileSync(join(engine, 'index.js'), "throw new Error('no argon2 here');");
  folders.push(folder);
  return join(folder, 'bundle.js');
}

function threadOf(code: string): Worker {
  return new Worker(`const { parentPort } = require('node:worker_threads'); ${code}`, {
    eval: true,
    execArgv: [],
    resourceLimits: { maxOldGenerationSizeMb: 16 },
  });
}

/** The nice value of each thread of this process. */
function niceValues(): number[] {
  return readdirSync('/proc/self/task').map((task) => {
    const line = readFileSync(`/proc/self/task/${task}/stat`, 'utf8');
    return Number(line.slice(line.lastIndexOf(')') + 2).split(' ')[16]);
  });
}
