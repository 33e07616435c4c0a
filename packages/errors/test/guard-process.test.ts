import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { get as httpGet, type IncomingMessage } from 'node:http';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, test } from '@jest/globals';
import { OptionError } from '@portcullis/core';
import { eventually } from '@portcullis/test-support';
import { guardProcess, type ProcessGuardOptions } from '../src/index.js';

const here = dirname(fileURLToPath(import.meta.url));
const children: ChildProcess[] = [];
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
});

interface Run {
  readonly child: ChildProcess;
  lines(): string[];
  readonly ended: Promise<{ code: number | null; lines: string[] }>;
}

/** A real process, because the subject is how a real process ends. */
function run(scenario: string): Run {
  const child = spawn(
    process.execPath,
    ['--conditions=@portcullis/source', '--import', 'tsx', join(here, 'guarded-process.ts'), scenario],
    { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NODE_ENV: 'production' } },
  );
  children.push(child);
  let text = '';
  child.stdout.on('data', (data: Buffer) => (text += data.toString()));
  child.stderr.on('data', (data: Buffer) => (text += data.toString()));
  const lines = (): string[] => text.split('\n').filter((line) => line !== '');
  const ended = once(child, 'close').then(([code]) => ({ code: code as number | null, lines: lines() }));
  return { child, lines, ended };
}

async function request(process_: Run, path: string): Promise<{ status: number; text: string }> {
  await eventually(() => expect(process_.lines().some((line) => line.startsWith('port '))).toBe(true));
  const port = Number(
    process_
      .lines()
      .find((line) => line.startsWith('port '))!
      .slice(5),
  );
  const req = httpGet({ port, host: '127.0.0.1', path });
  const [res] = (await once(req, 'response')) as [IncomingMessage];
  let text = '';
  for await (const part of res.setEncoding('utf8')) text += String(part);
  return { status: res.statusCode ?? 0, text };
}

const order = (lines: string[], ...starts: string[]): number[] =>
  starts.map((start) => lines.findIndex((line) => line.startsWith(start)));

const ascending = (numbers: number[]): boolean =>
  numbers.every((number, i) => number >= 0 && (i === 0 || number > numbers[i - 1]!));

describe('guardProcess()', () => {
  test.each(['exception', 'rejection', 'nothing'])(
    'ASVS V16.5.4: an uncaught %s is logged, reported, drained, and the process exits with 1',
    async (scenario) => {
      const { code, lines } = await run(scenario).ended;
      expect(code).toBe(1);
      expect(
        ascending(
          order(
            lines,
            'error An error',
            'report un',
            'ending',
            'drain 1 crash',
            'drain 2',
            'info The process ends.',
          ),
        ),
      ).toBe(true);
      expect(lines).toContain('report flushed');
    },
    20_000,
  );

  test('ASVS V16.5.4: a crash while a request is in flight: the request is answered, then the process exits with 1', async () => {
    const process_ = run('crash-in-flight');
    const answer = await request(process_, '/slow');
    expect(answer).toEqual({ status: 200, text: 'finished' });
    const { code, lines } = await process_.ended;
    expect([code, lines.includes('cut 0')]).toEqual([1, true]);
  }, 20_000);

  test('SIGTERM while a request is in flight: the request is answered, then the process exits with 0', async () => {
    const process_ = run('signal');
    const answer = request(process_, '/slow');
    await eventually(() => expect(process_.lines()).toContain('entered'));
    process_.child.kill('SIGTERM');
    expect(await answer).toEqual({ status: 200, text: 'finished' });
    const { code, lines } = await process_.ended;
    expect(code).toBe(0);
    expect(
      ascending(
        order(
          lines,
          'info The process was asked to end.',
          'drain 1 signal',
          'cut 0',
          'drain 2',
          'info The process ends.',
        ),
      ),
    ).toBe(true);
    expect(lines.some((line) => line.startsWith('report'))).toBe(false);
  }, 20_000);

  test.each(['hang', 'hanging-report'])(
    'a deadline holds: %s, exit 1 (terminus#209)',
    async (scenario) => {
      const { code, lines } = await run(scenario).ended;
      expect(code).toBe(1);
      expect(lines.some((line) => line.includes('did not end in time'))).toBe(true);
    },
    20_000,
  );

  test('ASVS V16.5.4: faulty logger, report and drain are survived in order, exit 1', async () => {
    const { code, lines } = await run('bad-hooks').ended;
    expect(code).toBe(1);
    expect(lines).toContain('drain 2');
    expect(lines.filter((line) => /The (?:report|drain step 1) failed/.test(line))).toHaveLength(2);
  }, 20_000);

  test.each([
    ['redacted', false, 'failing row contains'],
    ['unredacted', true, 'failing row contains'],
    ['bad-redactor', false, 'The redactor failed; the error is not shown.'],
  ])(
    'a crash and a failed drain that quote a password, %s: in the log: %p',
    async (scenario, shown, text) => {
      const { code, lines } = await run(scenario).ended;
      expect(code).toBe(1);
      const crash = lines.find((line) => line.startsWith('error An error was caught by nobody'));
      const drain = lines.find((line) => line.startsWith('error The drain step 1 failed'));
      expect(crash).toContain('"origin":"uncaughtException"');
      for (const line of [crash, drain]) expect(line).toContain(text);
      expect(lines.some((line) => line.includes('hunter2-Tr0ub4dor'))).toBe(shown);
    },
    20_000,
  );

  test('a report that crashes by itself does not report itself for ever', async () => {
    const { code, lines } = await run('report-loop').ended;
    expect([code, lines.filter((line) => line.startsWith('report un')).length]).toEqual([1, 1]);
  }, 20_000);

  test('a second crash during the end is logged and does not start it again', async () => {
    const { code, lines } = await run('twice').ended;
    expect(code).toBe(1);
    expect(lines.filter((line) => line.startsWith('error An error'))).toHaveLength(2);
    expect(lines.filter((line) => line === 'drain 2')).toHaveLength(1);
  }, 20_000);

  test('stop() ends with 0; a failed drain step makes it 1', async () => {
    expect((await run('stop').ended).code).toBe(0);
    const process_ = run('bad-drain');
    await eventually(() => expect(process_.lines().some((line) => line.startsWith('port '))).toBe(true));
    process_.child.kill('SIGINT');
    expect((await process_.ended).code).toBe(1);
  }, 20_000);

  test('a second signal exits at once', async () => {
    const process_ = run('signal');
    void request(process_, '/slow').catch(() => undefined);
    await eventually(() => expect(process_.lines()).toContain('entered'));
    process_.child.kill('SIGINT');
    await eventually(() => expect(process_.lines()).toContain('drain 1 signal'));
    process_.child.kill('SIGINT');
    const { code, lines } = await process_.ended;
    expect([code, lines.includes('drain 2')]).toEqual([1, false]);
  }, 20_000);

  test('there is one guard per process, and it can be released', () => {
    const before = process.listenerCount('uncaughtException');
    const guard = guardProcess({ logger: false });
    expect(() => guardProcess({ logger: false })).toThrow(OptionError);
    guard.release();
    expect(process.listenerCount('uncaughtException')).toBe(before);
    guardProcess({ logger: false }).release();
  });

  test.each<[object, string]>([
    [{ exitCode: 0 }, 'exitCode'],
    [{ timeoutMs: 10 }, 'timeoutMs'],
    [{ signals: ['SIGKILL'] }, 'SIGKILL'],
    [{ drain: [1] }, 'drain[0]'],
    [{ drains: [] }, 'Did you mean "drain"?'],
  ])('a wrong option does not start: %p', (options, message) => {
    expect(() => guardProcess(options as ProcessGuardOptions)).toThrow(message);
  });
});
