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

/** The packaged command, with flags for Node.js. */
export function runCli(
  args: readonly string[],
  { node = [], env = {} }: { readonly node?: readonly string[]; readonly env?: NodeJS.ProcessEnv } = {},
): Promise<CliRun> {
  return run([...node, bin, ...args], env);
}

async function run(args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<CliRun> {
  const started = performance.now();
  const child = spawn(process.execPath, args, {
    cwd: fileURLToPath(new URL('.', import.meta.url)),
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, ...env },
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
