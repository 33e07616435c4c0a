import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Command, Report, Way } from './shared.js';

/** The processes whose answers are judged. */
export class Victims {
  readonly #children: readonly ChildProcess[];

  private constructor(children: readonly ChildProcess[]) {
    this.#children = children;
  }

  static async start(count: number, database: string, redis: string): Promise<Victims> {
    const file = fileURLToPath(new URL('victim.ts', import.meta.url));
    const children = Array.from({ length: count }, () => fork(file, [database, redis]));
    await Promise.all(children.map((child) => once(child, 'message')));
    return new Victims(children);
  }

  tell(command: Command): void {
    for (const child of this.#children) child.send(command);
  }

  /** Everything since the last report; a paused process answers when it goes on. */
  async report(): Promise<Report> {
    const reports = this.#children.map(async (child) => {
      const answer = once(child, 'message');
      child.send({ report: true } satisfies Command);
      return ((await answer) as [Report])[0];
    });
    const all = await Promise.all(reports);
    return {
      granted: all.flatMap(({ granted }) => granted),
      loads: all.reduce((sum, { loads }) => sum + loads, 0),
    };
  }

  /** Resolves when every process grants every user in every way. */
  async allGrant(users: readonly string[], ways: readonly Way[]): Promise<void> {
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
