import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { execFileSync, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { PassThrough } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { main } from '../src/cli/main.js';
import { createAudit, ed25519Signer, fileAnchor, memoryAudit } from '../src/index.js';
import { checkProof, readProof } from '../src/tlog-proof.js';
import { leafHash } from '../src/leaf.js';
import { parseVerifierKey } from '../src/note.js';

const home = fileURLToPath(new URL('..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'audit-cli-'));
const path = (name: string): string => join(folder, name);
const pem = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
const signer = ed25519Signer({ origin: 'library.example/audit', key: pem });
const { verifierKey } = signer;
let lines: string[] = [];
let ids: string[] = [];

beforeAll(async () => {
  const tsup = join(
    dirname(createRequire(import.meta.url).resolve('tsup/package.json')),
    'dist/cli-default.js',
  );
  const options = ['--config', 'test/support/cli.tsup.config.ts', '--out-dir', path('dist')];
  execFileSync(process.execPath, [tsup, ...options], { cwd: home, stdio: 'ignore' });
  writeFileSync(path('package.json'), '{"type":"module"}');
  const anchors = [fileAnchor({ path: path('live.ndjson') })];
  const audit = createAudit({ store: memoryAudit(), signer, anchors, checkpointEvery: '1h' });
  for (let i = 0; i < 20; i++) {
    const record = {
      action: 'book.deleted',
      outcome: 'success',
      target: { type: 'book', id: `${i}` },
    } as const;
    ids.push((await audit.record({ ...record, reason: i % 5 === 0 ? 'st\u00e4le \u{1f4d6}' : 'gone' })).id);
    if (i === 9) await audit.checkpoint();
  }
  await audit.checkpoint();
  await audit.record({ action: 'book.added', outcome: 'success' });
  for await (const line of audit.export()) lines.push(line);
  // What is anchored later would be more than the export holds.
  copyFileSync(path('live.ndjson'), path('anchor.ndjson'));
  await audit.close();
  write('log.ndjson', lines);
  write(
    'tampered.ndjson',
    lines.map((line) => line.replace('"id":"7","type":"book"', '"id":"8","type":"book"')),
  );
  writeFileSync(path('key'), `${verifierKey}\n`);
  writeFileSync(
    path('app.mjs'),
    `import { createAudit, memoryAudit } from './dist/index.js';
     export const audit = createAudit({ store: memoryAudit() });
     for (const id of ['1', '2', '3']) await audit.record({ action: 'book.lent', outcome: 'success', target: { type: 'book', id } });`,
  );
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, text: readonly string[]): void {
  writeFileSync(path(name), `${text.join('\n')}\n`);
}

/** In this process, without workers. */
async function run(args: readonly string[], terminal = false) {
  const out = new PassThrough();
  let [text, err] = ['', ''];
  out.on('data', (chunk: Buffer) => (text += chunk.toString()));
  const line = {
    out,
    err: { isTTY: terminal, write: (part: string) => (err += part) },
    now: () => performance.now(),
  };
  const workers = ['verify', 'prove', 'disclose'].includes(args[0]!) ? ['--workers', '0'] : [];
  const code = await main([...args, ...workers], line, new AbortController().signal);
  return { code, out: text, err };
}

/** As it is started: a process of its own. */
function start(args: readonly string[], input?: string) {
  const child = spawn(process.execPath, [path('dist/bin.js'), ...args], { stdio: 'pipe' });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  child.stdin.end(input);
  const ended = new Promise<{ code: number | null; out: string; err: string }>((resolve) =>
    child.on('close', (code) => resolve({ code, out, err })),
  );
  return { child, ended };
}

describe('portcullis-audit, as a process', () => {
  test('verify: 0 in order, with workers and from standard input; no bar where nobody looks on', async () => {
    const log = ['--export', path('log.ndjson'), '--key', path('key'), '--anchor', path('anchor.ndjson')];
    const two = await start(['verify', ...log, '--workers', '2']).ended;
    expect(two).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^22 entries of 1 writers .*\nOK\n$/),
      err: '',
    });
    const piped = ['verify', '--export', '-', '--key', verifierKey, '--anchor', path('anchor.ndjson')];
    expect(await start(piped, `${lines.join('\n')}\n`).ended).toMatchObject({ code: 0, err: '' });
  }, 120_000);

  test('1 could not run, 2 tampered, 3 as far as could be seen', async () => {
    const key = ['--key', path('key')];
    const codes = await Promise.all(
      [
        ['verify', '--export', path('absent'), ...key],
        ['verify', '--export', path('tampered.ndjson'), ...key],
        ['verify', '--export', path('log.ndjson'), ...key],
      ].map(async (args) => (await start(args).ended).code),
    );
    expect(codes).toEqual([1, 2, 3]);
  }, 120_000);

  test('export and tail read from a module of the app; tail follows until it is interrupted', async () => {
    const exported = await start(['export', '--audit', path('app.mjs')]).ended;
    expect(exported.code).toBe(0);
    expect(exported.out.split('\n').filter((line) => line.startsWith('{"c"'))).toHaveLength(4);
    const { child, ended } = start(['tail', '--audit', path('app.mjs'), '--lines', '2', '--follow']);
    child.stdout.once('data', () => child.kill('SIGINT'));
    const { code, out } = await ended;
    expect(code).toBe(0);
    expect(
      out
        .trimEnd()
        .split('\n')
        .map((line) => (JSON.parse(line) as { target: { id: string } }).target.id),
    ).toEqual(['2', '3']);
  }, 120_000);
});

describe('verify', () => {
  test('says what was found, and as JSON', async () => {
    const args = [
      'verify',
      '--export',
      path('tampered.ndjson'),
      '--key',
      verifierKey,
      '--anchor',
      path('anchor.ndjson'),
    ];
    expect(await run(args)).toMatchObject({
      code: 2,
      out: expect.stringMatching(/^TAMPERED line \d+: writer /m),
    });
    const { out } = await run([...args, '--json']);
    expect(JSON.parse(out)).toMatchObject({ entries: 22, tampered: expect.any(Array) });
    expect(await run(['verify', '--export', path('log.ndjson')])).toMatchObject({
      code: 3,
      out: expect.stringMatching(/WARNING no verifier key was given/),
    });
  });

  test('draws a bar on a terminal, and takes it away', async () => {
    const { err } = await run(['verify', '--export', path('log.ndjson')], true);
    const clear = '\r\u001b[K';
    expect(err.endsWith(clear)).toBe(true);
    expect(err.slice(0, -clear.length)).toMatch(/^\r\[#+\.*\] \d+ % 0 MiB/);
  });

  test('so do prove and disclose; an export into a file says how much of it is written', async () => {
    const clear = '\r\u001b[K';
    const log = ['--export', path('log.ndjson'), '--key', verifierKey];
    for (const command of ['prove', 'disclose']) {
      const { code, err } = await run([command, ...log, '--id', ids[0]!], true);
      expect([command, code, err.endsWith(clear)]).toEqual([command, 0, true]);
      expect(err.replaceAll('\u001b[K', '')).toMatch(/^(?:\r\[#+\.*\] \d+ % 0 MiB|\r)+$/);
    }
    const unknown = await run(['prove', ...log, '--id', 'none'], true);
    expect(unknown.err.split(clear).at(-1)).toContain('No checkpoint covers');
    expect(unknown.code).toBe(1);
    const exported = await run(['export', '--audit', path('app.mjs')], true);
    expect(exported.err).toBe(`\r0 MiB\u001b[K${clear}`);
    expect((await run(['export', '--audit', path('app.mjs')])).err).toBe('');
  });

  test('takes pieces apart at lines, whatever their length', async () => {
    const long = 'x'.repeat(5 << 20);
    writeFileSync(path('long.ndjson'), `${lines.join('\n')}\n${long}\n${lines[0]}`);
    const { out } = await run(['verify', '--export', path('long.ndjson'), '--key', verifierKey]);
    expect(out).toMatch(new RegExp(`TAMPERED line ${lines.length + 1}: this is no entry`));
    expect(out).toMatch(new RegExp(`TAMPERED line ${lines.length + 2}: writer `));
  });
});

describe('prove and disclose', () => {
  const log = (): string[] => ['--export', path('log.ndjson'), '--key', verifierKey];

  test('the proof of each entry is that of the log, from the export alone', async () => {
    for (const i of [0, 9, 10, 19]) {
      const { code, out } = await run(['prove', ...log(), '--id', ids[i]!]);
      expect(code).toBe(0);
      const body = lines.find((line) => line.includes(ids[i]!))!;
      expect(checkProof(readProof(out), leafHash(body), parseVerifierKey(verifierKey))).toMatchObject({
        size: 21,
      });
    }
  });

  test('disclosed entries are verified offline; a changed one is found', async () => {
    const { out } = await run(['disclose', ...log(), '--id', ids[3]!, '--id', ids[5]!]);
    expect(out.trimEnd().split('\n')).toHaveLength(2);
    writeFileSync(path('disclosed'), out);
    const check = ['verify', '--disclosure', path('disclosed'), '--key', verifierKey];
    expect(await run(check)).toMatchObject({
      code: 0,
      out: expect.stringMatching(/^PROVED entry 4 of 21: .* book\.deleted/),
    });
    writeFileSync(path('disclosed'), out.replace('book.deleted', 'book.removed'));
    expect(await run(check)).toMatchObject({
      code: 2,
      out: expect.stringMatching(/TAMPERED line 1: the entry is not in the log/),
    });
    writeFileSync(path('disclosed'), '');
    expect(await run(check)).toMatchObject({ code: 2 });
  });

  test('nothing is proved from a log that was tampered with, nor of an entry that no checkpoint covers', async () => {
    expect(
      await run(['prove', '--export', path('tampered.ndjson'), '--key', verifierKey, '--id', ids[0]!]),
    ).toMatchObject({ code: 2, out: '' });
    const young = /"id":"([0-9a-f-]{36})"/.exec(lines.find((line) => line.includes('book.added'))!)![1]!;
    expect(await run(['prove', ...log(), '--id', young])).toMatchObject({
      code: 1,
      // The call was right: no usage.
      err: expect.stringMatching(/^portcullis-audit: No checkpoint covers[^\n]*\n$/),
    });
  });
});

test('what is not understood is said, with the usage, and is 1', async () => {
  const wrong: Record<string, string[]> = {
    'There is no command "verfy"': ['verfy'],
    '--export is needed': ['verify'],
    'tail has no option --key': ['tail', '--key', 'x', '--audit', 'x'],
    '--workers is 0 to 64': ['verify', '--export', 'x', '--workers', '-1'.slice(1) + '00'],
    '--format is one of': ['export', '--audit', 'x', '--format', 'xml'],
    'An --id is needed': ['disclose', '--export', 'x', '--key', 'x'],
    "'--nonsense'": ['verify', '--nonsense'],
  };
  for (const [message, args] of Object.entries(wrong)) {
    const line = {
      out: new PassThrough(),
      err: {
        text: '',
        write(part: string) {
          this.text += part;
        },
      },
      now: () => 0,
    };
    expect([message, await main(args, line, new AbortController().signal)]).toEqual([message, 1]);
    expect(line.err.text).toContain(message);
    expect(line.err.text).toContain('Usage:');
  }
  expect(await run(['--help'])).toMatchObject({ code: 0, out: expect.stringMatching(/^Usage/), err: '' });
  expect(await run(['export', '--audit', path('key')])).toMatchObject({ code: 1 });
});
