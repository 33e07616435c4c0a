import { fork, type ChildProcess } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { Mutant, ProbeName, Serving } from './check.js';
import type { FromChild, ToChild } from './messages.js';

type Ask = ToChild extends infer Message
  ? Message extends { id: number }
    ? Omit<Message, 'id'>
    : never
  : never;

/** A process that serves stacks: what one does to its process (a crash, a changed prototype) hurts no other. */
export class ServingProcess {
  readonly #child: ChildProcess;
  readonly #waiting = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>();
  #next = 0;
  #exited = false;

  constructor() {
    this.#child = fork(fileURLToPath(new URL('./serve.ts', import.meta.url)), [], {
      execArgv: [...process.execArgv],
      env: { ...process.env, NODE_ENV: 'production' },
    });
    this.#child.on('message', ({ id, value, error }: FromChild) => {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      if (error === undefined) waiting?.resolve(value);
      else waiting?.reject(new Error(error));
    });
    this.#child.on('exit', () => {
      this.#exited = true;
      for (const { reject } of this.#waiting.values()) reject(new Error('the serving process ended'));
    });
  }

  get alive(): boolean {
    return !this.#exited;
  }

  /** Builds a stack, or a mutant of it, in this process. */
  async start(stack: string, mutant?: Mutant): Promise<Serving> {
    const key = mutant === undefined ? stack : `${stack}, ${mutant}`;
    const port = (await this.#ask({ type: 'start', key, stack, mutant })) as number;
    return {
      port,
      legitimate: async () =>
        (await this.#ask({ type: 'legitimate', key })) as Readonly<Record<string, string>>,
      probe: async <T>(name: ProbeName, argument: string) =>
        (await this.#ask({ type: name, key, argument })) as T,
    };
  }

  stop(): void {
    if (this.alive) this.#child.disconnect();
  }

  async #ask(message: Ask): Promise<unknown> {
    if (this.#exited) throw new Error('the serving process has ended');
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, { resolve, reject });
      this.#child.send({ ...message, id });
    });
  }
}
