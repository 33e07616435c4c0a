import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import type { Command, Report } from './shared.js';

/** The processes whose answers are judged. */
export class Victims {
  readonly #children: ChildProcess[];
  readonly #begin: () => Promise<ChildProcess>;
  #watch: readonly string[] = [];

  private constructor(children: ChildProcess[], begin: () => Promise<ChildProcess>) {
    this.#children = children;
    this.#begin = begin;
  }

  /** So many processes of a file, which send a message when they are ready. */
  static async start(count: number, file: string, args: readonly string[]): Promise<Victims> {
    const begin = async (): Promise<ChildProcess> => {
      const child = fork(file, [...args]);
      await once(child, 'message');
      return child;
    };
    return new Victims(await Promise.all(Array.from({ length: count }, begin)), begin);
  }

  /** SIGKILL, and another in its place that is asked the same. What the killed one had seen is lost with it. */
  async restart(index: number): Promise<void> {
    const old = this.#children[index]!;
    const exited = once(old, 'exit');
    old.kill('SIGKILL');
    await exited;
    const child = (this.#children[index] = await this.#begin());
    child.send({ watch: this.#watch } satisfies Command);
  }

  tell(command: Command): void {
    if (command.watch) this.#watch = command.watch;
    for (const child of this.#children) child.send(command);
  }

  /** Everything since the last report, of each process; a paused one answers when it goes on. */
  async reports(): Promise<readonly Report[]> {
    const reports = this.#children.map(async (child) => {
      const answer = once(child, 'message');
      child.send({ report: true } satisfies Command);
      return ((await answer) as [Report])[0];
    });
    return Promise.all(reports);
  }

  /** The same of all of them together. */
  async report(): Promise<Pick<Report, 'granted' | 'loads'>> {
    const all = await this.reports();
    return {
      granted: all.flatMap(({ granted }) => granted),
      loads: all.reduce((sum, { loads }) => sum + loads, 0),
    };
  }

  /** Resolves when every process grants every user in every way. */
  async allGrant(users: readonly string[], ways: readonly string[]): Promise<void> {
    for (const child of this.#children) {
      const missing = new Set(users.flatMap((user) => ways.map((way) => `${way} ${user}`)));
      for (let tries = 0; missing.size > 0; tries++) {
        if (tries > 400) throw new Error(`Never granted: ${[...missing].join(', ')}`);
        await new Promise((resolve) => setTimeout(resolve, 25));
        const answer = once(child, 'message');
        child.send({ report: true } satisfies Command);
        const [{ granted }] = (await answer) as [Report];
        for (const [way, user] of granted) missing.delete(`${way} ${user}`);
      }
    }
  }

  signal(index: number, name: NodeJS.Signals): void {
    this.#children[index]!.kill(name);
  }

  async stop(): Promise<void> {
    for (const child of this.#children) {
      if (child.exitCode !== null) continue;
      const exited = once(child, 'exit');
      child.kill('SIGCONT');
      child.kill('SIGKILL');
      await exited;
    }
  }
}
