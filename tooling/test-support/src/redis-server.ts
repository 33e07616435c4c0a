import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually, findProgram, freePort } from './services.js';

/** A real Redis of its own, on a free port, without persistence, that a test may kill, pause and restart. */
export interface RedisServer {
  readonly url: string;
  readonly port: number;
  /** SIGKILL: the process is gone, its data too. */
  kill(): Promise<void>;
  /** Starts it again on the same port, empty. */
  restart(): Promise<void>;
  /** SIGSTOP: connections stay open and nothing answers. */
  pause(): void;
  resume(): void;
  stop(): Promise<void>;
}

const program = findProgram('redis-server');

/** Whether there is a redis-server on this machine. */
export const hasRedis = program !== undefined;

export async function startRedis(extraArguments: readonly string[] = []): Promise<RedisServer> {
  if (!program) throw new Error('There is no redis-server on this machine.');
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-redis-'));
  const args = [
    '--port',
    String(port),
    '--bind',
    '127.0.0.1',
    '--save',
    '',
    '--appendonly',
    'no',
    '--dir',
    folder,
    ...extraArguments,
  ];
  let child: ChildProcess;

  async function start(): Promise<void> {
    child = spawn(program!, args, { stdio: 'ignore' });
    await eventually(() => ping(port));
  }
  async function end(signal: NodeJS.Signals): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGCONT');
    child.kill(signal);
    await exited;
  }
  await start();
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    kill: () => end('SIGKILL'),
    restart: start,
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    async stop() {
      await end('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function ping(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ port, host: '127.0.0.1' });
    socket.setTimeout(1000, () => socket.destroy(new Error('Redis does not answer.')));
    socket.once('error', reject);
    socket.once('data', () => {
      socket.destroy();
      resolve();
    });
    socket.write('PING\r\n');
  });
}
