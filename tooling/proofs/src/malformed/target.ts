import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export interface Memory {
  /** Heap and what is outside of it, after a full collection. */
  readonly heldMib: number;
  readonly rssMib: number;
}

/** Where the requests of the attacks go. */
export interface Places {
  readonly host: string;
  /** A page or answer that everybody may read. */
  readonly page: string;
  /** Takes JSON by POST. */
  readonly json: string;
  /** Takes a form by POST. */
  readonly form: string;
  readonly file: string;
  /** Header lines that a proxy in front adds. */
  readonly proxied: readonly string[];
}

/** A process that serves what is attacked. */
export class Target {
  readonly name: string;
  readonly port: number;
  readonly #child: ChildProcess;
  #exited = false;

  private constructor(name: string, port: number, child: ChildProcess) {
    this.name = name;
    this.port = port;
    this.#child = child;
    child.on('exit', () => (this.#exited = true));
  }

  /** `NODE_ENV` is not set, as with a developer who has not heard of it. */
  static async start(name: string): Promise<Target> {
    const { NODE_ENV: _env, ...rest } = process.env;
    const child = fork(fileURLToPath(new URL('./serve.ts', import.meta.url)), [name], {
      execArgv: [...process.execArgv, '--expose-gc'],
      env: rest,
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    });
    const [message] = await Promise.race([
      once(child, 'message') as Promise<[{ port: number }]>,
      once(child, 'exit').then(([code]) => {
        throw new Error(`${name} did not start: ${String(code)}`);
      }),
    ]);
    return new Target(name, message.port, child);
  }

  get alive(): boolean {
    return !this.#exited;
  }

  async memory(): Promise<Memory> {
    this.#child.send('memory');
    const [memory] = (await once(this.#child, 'message')) as [Memory];
    return memory;
  }

  async stop(): Promise<void> {
    if (this.#exited) return;
    const exited = once(this.#child, 'exit');
    this.#child.disconnect();
    await exited;
  }
}
