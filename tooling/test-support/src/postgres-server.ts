import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { eventually, findProgram, freePort } from './services.js';

/** A real PostgreSQL cluster of its own, on a free port, that a test may kill, pause and restart. */
export interface PostgresServer {
  /** Connects as the superuser `postgres` to the database `test`. */
  readonly url: string;
  readonly port: number;
  /** A new, empty database on this server; returns its URL. */
  createDatabase(): Promise<string>;
  /** SIGKILL to the whole cluster: what was not durable is lost. */
  kill(): Promise<void>;
  restart(): Promise<void>;
  /** SIGSTOP to the server and its connections: they stay open and nothing answers. */
  pause(): void;
  resume(): void;
  stop(): Promise<void>;
}

const installed = '/usr/lib/postgresql';
const versions = existsSync(installed) ? readdirSync(installed).sort((a, b) => Number(b) - Number(a)) : [];
const folders = versions.map((version) => join(installed, version, 'bin'));
const initdb = findProgram('initdb', folders);
const server = findProgram('postgres', folders);
/** Whether there is a PostgreSQL on this machine. */
export const hasPostgres = initdb !== undefined && server !== undefined;

const asRoot = process.getuid?.() === 0;

/** `durable: false` switches fsync off: for tests whose subject is not durability. */
export async function startPostgres(options: { readonly durable?: boolean } = {}): Promise<PostgresServer> {
  if (!initdb || !server) throw new Error('There is no PostgreSQL on this machine.');
  const { durable = false } = options;
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-postgres-'));
  const identity: { uid?: number; gid?: number } = asRoot ? systemUser('postgres') : {};
  chmodSync(folder, 0o700);
  if (identity.uid !== undefined && identity.gid !== undefined) chownSync(folder, identity.uid, identity.gid);
  execFileSync(
    initdb,
    ['-D', folder, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-locale', '--no-sync'],
    {
      ...identity,
      cwd: folder,
      stdio: 'ignore',
    },
  );
  const settings = [
    '-c',
    `fsync=${durable ? 'on' : 'off'}`,
    '-c',
    'unix_socket_directories=',
    '-c',
    'max_connections=60',
  ];
  let child: ChildProcess;

  async function start(): Promise<void> {
    // Its own process group; the processes of connections make sessions of their own and are looked up.
    const run = () => {
      child = spawn(server!, ['-D', folder, '-p', String(port), '-h', '127.0.0.1', ...settings], {
        ...identity,
        cwd: folder,
        stdio: 'ignore',
        detached: true,
      });
    };
    run();
    await eventually(() => {
      // After a kill it refuses to start, and ends, until the system has taken the old processes away.
      if (child.exitCode !== null) run();
      return query(`postgres://postgres@127.0.0.1:${port}/postgres`, 'select 1');
    });
  }
  // The parent is frozen first, so that it starts no more children, and dies last: orphans could not be found any more, and one
  // that is busy would keep the shared memory and with it the next start. A signal is delivered later than it is sent,
  // so children are looked for until two looks find no new one.
  const signal = (name: NodeJS.Signals): void => {
    const parent = child.pid!;
    const children = new Set<number>();
    if (name !== 'SIGCONT') send(parent, 'SIGSTOP');
    for (let quiet = 0; quiet < 2; quiet++) {
      for (const pid of childrenOf(parent)) {
        if (children.has(pid)) continue;
        children.add(pid);
        send(pid, name);
        quiet = 0;
      }
    }
    if (name !== 'SIGSTOP') send(parent, name);
  };
  async function end(name: NodeJS.Signals): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    signal('SIGCONT');
    signal(name);
    await exited;
  }
  await start();
  await query(`postgres://postgres@127.0.0.1:${port}/postgres`, 'create database test');
  let databases = 0;
  return {
    url: `postgres://postgres@127.0.0.1:${port}/test`,
    port,
    async createDatabase() {
      const name = `test_${++databases}`;
      await query(`postgres://postgres@127.0.0.1:${port}/postgres`, `create database ${name}`);
      return `postgres://postgres@127.0.0.1:${port}/${name}`;
    },
    kill: () => end('SIGKILL'),
    restart: start,
    pause: () => signal('SIGSTOP'),
    resume: () => signal('SIGCONT'),
    async stop() {
      await end('SIGKILL');
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function query(url: string, text: string): Promise<void> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: 2000 });
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}

function send(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch {
    // It ended by itself meanwhile.
  }
}

function childrenOf(parent: number): number[] {
  return processTable()
    .filter(([, ppid]) => ppid === parent)
    .map(([pid]) => pid);
}

/** [pid, parent's pid] of every process; small images have no `ps`, macOS has no /proc. */
function processTable(): [number, number][] {
  if (!existsSync('/proc/self/stat')) {
    const table = execFileSync('ps', ['-A', '-o', 'pid=,ppid='], { encoding: 'utf8' });
    return table.split('\n').map((line) => line.trim().split(/\s+/).map(Number) as [number, number]);
  }
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => [Number(pid), parentOf(pid)]);
}

function parentOf(pid: string): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold spaces; state and parent follow it.
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return -1;
  }
}

/** PostgreSQL refuses to run as root. */
function systemUser(name: string): { uid: number; gid: number } {
  const id = (flag: string): number => Number(execFileSync('id', [flag, name], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}
