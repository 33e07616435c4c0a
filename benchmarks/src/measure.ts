import autocannon from 'autocannon';
import { fork, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export interface Sample {
  /** CPU time of the server's process for one request, in microseconds. */
  readonly cpuPerRequest: number;
  readonly requestsPerSecond: number;
  readonly p99Ms: number;
}

/** A stack that is being served in a process of its own, on the first core where the system allows it. */
export interface Runner {
  readonly name: string;
  round(seconds: number, connections: number): Promise<Sample>;
  stop(): void;
}

export async function startRunner(name: string): Promise<Runner> {
  const child = fork(fileURLToPath(new URL('server.ts', import.meta.url)), [name], {
    // Without the source condition: what is measured are the built packages, as users install them.
    execArgv: ['--import', 'tsx'],
    env: { ...process.env, NODE_ENV: 'production' },
  });
  pin(child.pid!, 0);
  const { port, headers } = await message<{ port: number; headers: Record<string, string> }>(child);
  const url = `http://127.0.0.1:${port}/hello`;
  const probe = await fetch(url, { headers });
  if (probe.status !== 200) throw new Error(`${name} answers ${probe.status}, not 200.`);

  return {
    name,
    async round(seconds, connections) {
      const before = await cpu(child);
      const result = await autocannon({ url, headers, connections, duration: seconds });
      const used = (await cpu(child)) - before;
      const failed = result.non2xx + result.errors + result.timeouts;
      if (failed > 0) throw new Error(`${name}: ${failed} requests failed.`);
      return {
        cpuPerRequest: used / result.requests.total,
        requestsPerSecond: result.requests.average,
        p99Ms: result.latency.p99,
      };
    },
    stop: () => void child.kill(),
  };
}

/** Asks the system to run a process on one core; returns whether it did. */
export function pin(pid: number, core: number): boolean {
  return spawnSync('taskset', ['-a', '-cp', String(core), String(pid)], { stdio: 'ignore' }).status === 0;
}

async function cpu(child: ChildProcess): Promise<number> {
  const answer = message<{ cpuMicroseconds: number }>(child);
  child.send('cpu');
  return (await answer).cpuMicroseconds;
}

async function message<T>(child: ChildProcess): Promise<T> {
  const done = new AbortController();
  const ended = once(child, 'exit', { signal: done.signal }).then(() => {
    throw new Error('The server ended.');
  });
  try {
    const [answer] = (await Promise.race([once(child, 'message', { signal: done.signal }), ended])) as [T];
    return answer;
  } finally {
    done.abort();
    ended.catch(() => undefined);
  }
}
