import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../../', import.meta.url));

/** The digital library, started as `npm start` starts it. */
export interface LibraryProcess {
  readonly url: string;
  /** Only at the first start of a data folder or database: the account that was generated and printed once. */
  readonly staff: { readonly email: string; readonly password: string } | undefined;
  readonly startedInMs: number;
  readonly output: readonly string[];
  kill(signal: NodeJS.Signals): Promise<number | null>;
}

export interface LibraryOptions {
  readonly dataDirectory: string;
  readonly env?: Readonly<Record<string, string>>;
}

export function temporaryFolder(): { readonly path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'portcullis-library-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** Resolves when the library says that it is open. */
export async function startLibrary({ dataDirectory, env = {} }: LibraryOptions): Promise<LibraryProcess> {
  const began = performance.now();
  const child = spawn(
    process.execPath,
    ['--conditions=@portcullis/source', '--import', 'tsx', 'examples/digital-library/src/main.ts'],
    {
      cwd: root,
      env: {
        ...withoutServices(process.env),
        PORT: '0',
        DATA_DIRECTORY: dataDirectory,
        REGISTRATION: 'open',
        ...env,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  const output: string[] = [];
  let account: { email: string; password: string } | undefined;
  const url = await new Promise<string>((resolve, reject) => {
    const read = (line: string): void => {
      output.push(line);
      const staff = /^Staff account, shown once: (\S+) with password (\S+)$/.exec(line);
      if (staff) account = { email: staff[1]!, password: staff[2]! };
      const open = /^Digital Library is open at (http:\S+)$/.exec(line);
      if (open) resolve(open[1]!);
    };
    createInterface({ input: child.stdout }).on('line', read);
    createInterface({ input: child.stderr }).on('line', (line) => output.push(line));
    child.once('exit', (code) => reject(new Error(`The library ended with ${code}:\n${output.join('\n')}`)));
  });
  return {
    url,
    staff: account,
    startedInMs: performance.now() - began,
    output,
    kill: (signal) => end(child, signal),
  };
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const exited = once(child, 'exit');
  child.kill(signal);
  await exited;
  return child.exitCode;
}

function withoutServices(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const { DATABASE_URL: _database, REDIS_URL: _redis, ...rest } = env;
  return rest;
}
