import { randomUUID } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, rmdirSync, unlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Another process has the data folder open; two openers of one folder lose data. */
export class DirectoryInUse extends Error {
  readonly code = 'E_DATA_DIRECTORY_IN_USE';

  constructor(directory: string, pid: number) {
    super(
      `The data folder ${directory} is open in another process (pid ${pid}). Stop that one first, or choose another folder with DATA_DIRECTORY.`,
    );
    this.name = 'DirectoryInUse';
  }
}

interface Owner {
  readonly pid: number;
  /** When that process started (Linux), so that a later process with the same number is not mistaken for it. */
  readonly started: string | undefined;
  readonly id: string;
}

/**
 * Takes the folder for this process alone; the returned function releases it. A lock that a killed process left behind
 * is recognised and taken over.
 * @throws DirectoryInUse
 */
export function lockDirectory(directory: string): () => void {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const lock = join(directory, 'lock.json');
  const own: Owner = { pid: process.pid, started: startOf(process.pid), id: randomUUID() };
  const draft = join(directory, `lock-${own.id}.json`);
  writeFileSync(draft, JSON.stringify(own), { mode: 0o600 });
  try {
    if (!link(draft, lock)) takeOver(directory, lock, draft);
  } finally {
    unlinkSync(draft);
  }
  return () => {
    if (read(lock)?.id === own.id) unlinkSync(lock);
  };
}

// Removing a dead owner's lock and writing ours are two steps: only one process at a time may take them.
function takeOver(directory: string, lock: string, draft: string): void {
  const owner = read(lock);
  if (owner && isAlive(owner)) throw new DirectoryInUse(directory, owner.pid);
  const turn = join(directory, 'lock-takeover');
  try {
    mkdirSync(turn);
  } catch {
    throw new Error(
      `Another process is just opening ${directory}. If none is, remove ${turn} and start again.`,
    );
  }
  try {
    const still = read(lock);
    if (still && isAlive(still)) throw new DirectoryInUse(directory, still.pid);
    if (still || exists(lock)) unlinkSync(lock);
    if (!link(draft, lock)) throw new DirectoryInUse(directory, read(lock)?.pid ?? 0);
  } finally {
    rmdirSync(turn);
  }
}

/** link() is atomic and refuses to replace: of two processes exactly one succeeds. */
function link(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

function isAlive(owner: Owner): boolean {
  if (owner.pid === process.pid && owner.started === startOf(process.pid)) return true;
  try {
    process.kill(owner.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false;
  }
  const started = startOf(owner.pid);
  return started === undefined || owner.started === undefined || started === owner.started;
}

function startOf(pid: number): string | undefined {
  try {
    // Field 22 of /proc/<pid>/stat, counted after the name, which may contain anything.
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ')[19];
  } catch {
    return undefined;
  }
}

function read(lock: string): Owner | undefined {
  try {
    return JSON.parse(readFileSync(lock, 'utf8')) as Owner;
  } catch {
    return undefined;
  }
}

function exists(file: string): boolean {
  try {
    readFileSync(file);
    return true;
  } catch {
    return false;
  }
}
