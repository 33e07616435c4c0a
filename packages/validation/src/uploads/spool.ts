import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { hostname } from 'node:os';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Clock, Random } from '@portcullis/core';

/**
 * Where files wait until they are looked into and kept: one folder per process, named by host and process, readable by nobody
 * else. What a killed process has left is removed when the next one starts.
 */
export class Spool {
  readonly #own: string;
  readonly #ready: Promise<void>;

  constructor(
    private readonly directory: string,
    private readonly deps: { readonly clock: Clock; readonly random: Random; readonly abandonedMs: number },
  ) {
    this.#own = join(directory, `${hostKey()}.${process.pid}.${deps.random.bytes(8).toString('hex')}`);
    this.#ready = this.#prepare();
    // Whoever uploads first is told.
    this.#ready.catch(() => undefined);
  }

  /** Resolves once the folder is there and what others left is gone. */
  ready(): Promise<void> {
    return this.#ready;
  }

  /** A path for one file; its name says nothing and leads nowhere. */
  path(): string {
    return join(this.#own, this.deps.random.bytes(16).toString('hex'));
  }

  async #prepare(): Promise<void> {
    await mkdir(this.#own, { recursive: true, mode: 0o700 });
    await this.sweep();
  }

  /** Removes the folders of processes that are gone. Returns how many. */
  async sweep(): Promise<number> {
    let removed = 0;
    for (const name of await readdir(this.directory)) {
      const match = /^([0-9a-f]{12})\.(\d+)\.[0-9a-f]{16}$/.exec(name);
      const path = join(this.directory, name);
      if (!match || path === this.#own || !(await this.#isAbandoned(path, match[1]!, Number(match[2]))))
        continue;
      await rm(path, { recursive: true, force: true });
      removed++;
    }
    return removed;
  }

  async #isAbandoned(path: string, host: string, pid: number): Promise<boolean> {
    if (host !== hostKey()) return !(await this.#isFresh(path));
    // Of this host the process table knows. In containers every process has the same id: there the time of its start tells.
    return pid === process.pid ? await this.#isOlderThanProcess(path) : !isAlive(pid);
  }

  async #isOlderThanProcess(path: string): Promise<boolean> {
    const startedAt = this.deps.clock.now() - process.uptime() * 1000;
    try {
      const { birthtimeMs, mtimeMs } = await stat(path);
      return Math.min(birthtimeMs || mtimeMs, mtimeMs) < startedAt - 1000;
    } catch {
      return false; // Gone in the meantime.
    }
  }

  /** Somebody wrote into it lately. Process ids of another host say nothing here. */
  async #isFresh(path: string): Promise<boolean> {
    const since = this.deps.clock.now() - this.deps.abandonedMs;
    try {
      const names = await readdir(path);
      const times = await Promise.all(
        [path, ...names.map((name) => join(path, name))].map(async (one) => (await stat(one)).mtimeMs),
      );
      return times.some((time) => time > since);
    } catch {
      return false; // Gone in the meantime.
    }
  }
}

function hostKey(): string {
  return createHash('sha256').update(hostname()).digest('hex').slice(0, 12);
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as { code?: string }).code === 'EPERM';
  }
}
