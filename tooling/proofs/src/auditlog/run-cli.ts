import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export interface CliRun {
  readonly code: number;
  readonly out: string;
  readonly ms: number;
  /** Largest resident memory of the process and its threads, MiB. */
  readonly peakMiB: number;
}

const bin = fileURLToPath(new URL('../../../../packages/audit/dist/esm/bin.js', import.meta.url));

/** The packaged command. */
export function runCli(args: readonly string[]): Promise<CliRun> {
  return run([bin, ...args]);
}

/** Control: verifies by reading the whole export first, as one would without a stream. */
export function runWhole(path: string, key: string): Promise<CliRun> {
  const text = `
    import { readFileSync } from 'node:fs';
    import { verifyLog } from '@portcullis/audit';
    const lines = readFileSync(${JSON.stringify(path)}, 'utf8').split('\\n');
    const { tampered } = await verifyLog(lines, { verifierKey: ${JSON.stringify(key)} });
    process.exitCode = tampered.length > 0 ? 2 : 0;`;
  return run(['--input-type=module', '--eval', text]);
}

async function run(args: readonly string[]): Promise<CliRun> {
  const started = performance.now();
  const child = spawn(process.execPath, args, {
    cwd: fileURLToPath(new URL('.', import.meta.url)),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  let peakMiB = 0;
  const watch = setInterval(() => (peakMiB = Math.max(peakMiB, peakOf(child.pid!))), 20);
  const code = await new Promise<number>((resolve) => child.on('close', (status) => resolve(status ?? -1)));
  clearInterval(watch);
  return { code, out, ms: performance.now() - started, peakMiB };
}

/** The kernel keeps the highest mark itself: what matters is only to look before the process is gone. */
function peakOf(pid: number): number {
  try {
    const mark = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return mark ? Number(mark[1]) / 1024 : 0;
  } catch {
    return 0;
  }
}
