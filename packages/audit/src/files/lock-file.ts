import { linkSync, readFileSync, renameSync, unlinkSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Random } from '@portcullis/core';

interface Holder {
  readonly pid: number;
  readonly host: string;
  /** When the process began, as far as the system says: process ids are used again. */
  readonly started: string;
  readonly token: string;
}

const ATTEMPTS = 3;

/**
 * Makes this process the only one that writes in a folder. A lock that a dead process left is taken over.
 * @returns false if somebody else holds it
 */
export function claimLock(path: string, random: Random): boolean {
  const token = random.uuid();
  const mine: Holder = { pid: process.pid, host: hostname(), started: startOf(process.pid), token };
  const own = `${path}.${token}`;
  writeFileSync(own, JSON.stringify(mine), { flag: 'wx', mode: 0o600 });
  try {
    for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
      // A link is there with its whole content or not at all: nobody reads half a lock.
      if (succeeds(() => linkSync(own, path), 'EEXIST')) return true;
      const holder = read(path);
      if (holder && isHeld(holder)) return false;
      takeAway(path, holder, own);
    }
    return false;
  } finally {
    unlinkSync(own);
  }
}

export function releaseLock(path: string): void {
  succeeds(() => unlinkSync(path), 'ENOENT');
}

/** Only the stale lock that was looked at: another process may have put its own in the place meanwhile. */
function takeAway(path: string, stale: Holder | undefined, own: string): void {
  const aside = `${own}.stale`;
  if (!succeeds(() => renameSync(path, aside), 'ENOENT')) return;
  if (read(aside)?.token !== stale?.token) succeeds(() => linkSync(aside, path), 'EEXIST');
  unlinkSync(aside);
}

function read(path: string): Holder | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Holder;
  } catch {
    return undefined;
  }
}

function isHeld({ pid, host, started }: Holder): boolean {
  if (host !== hostname()) return false; // A container that is gone; one that lives must not share the folder.
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'EPERM') return false;
  }
  return started === startOf(pid);
}

/** Start time of a process in ticks since boot; of this one alone where there is no /proc. */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold spaces; the start is field 22.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]!;
  } catch {
    return pid === process.pid ? String(performance.timeOrigin) : '';
  }
}

function succeeds(work: () => void, expected: string): boolean {
  try {
    work();
    return true;
  } catch (error) {
    if ((error as { code?: unknown }).code === expected) return false;
    throw error;
  }
}
