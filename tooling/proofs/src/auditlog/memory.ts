import { readFileSync, rmSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { runCli } from './run-cli.js';

export interface Log {
  readonly entries: number;
  readonly file: string;
  /** File of its last checkpoint, as an anchor has it. */
  readonly note: string;
}

export interface Memory {
  readonly entries: number;
  /** Largest resident memory of the process, MiB. */
  readonly peakMiB: number;
  /** Most that was alive at once in the main thread after a forced collection, MiB: heap and buffers. */
  readonly liveMiB: number;
}

export interface MemoryShown {
  readonly ours: readonly Memory[];
  /** At the shortest and the longest log. */
  readonly control: readonly Memory[];
}

/** Resident memory at the longest log, as many times that at the shortest. */
export const MOST_RESIDENT = 1.4;
/** What a short run can tell: a process has not come to rest. */
const MOST_RESIDENT_SHORT = 1.5;
/** Bytes that may be alive for each further entry: a hash has 32. That one piece more is under way at a look can make 1.5. */
export const MOST_ALIVE = 4;

const preload = (name: string): string[] => ['--require', fileURLToPath(new URL(name, import.meta.url))];
const KEEP_LEAVES = preload('keep-leaves.cjs');
const LIVE = ['--expose-gc', ...preload('live-memory.cjs')];

/**
 * Of the command as it is shipped: its resident memory, and what is alive in it, with logs of different lengths. Control: the same
 * command, made to keep every hash. A short log is over before that stands out from what any process takes.
 */
export async function proveMemory(
  logs: readonly Log[],
  verifying: (log: Log) => readonly string[],
  claim: (held: boolean, text: string) => void,
  short: boolean,
): Promise<MemoryShown> {
  const [first, last] = [logs[0]!, logs.at(-1)!];
  const ours: Memory[] = [];
  for (const log of logs) ours.push(await memoryOf(verifying(log), log, []));
  for (const { entries, peakMiB, liveMiB } of ours) {
    console.log(`${entries} entries: ${peakMiB.toFixed(0)} MiB resident, ${liveMiB.toFixed(1)} MiB alive`);
  }
  const grown = judged([ours[0]!, ours.at(-1)!]);
  const isConstant = short
    ? grown.resident <= MOST_RESIDENT_SHORT
    : grown.resident <= MOST_RESIDENT && grown.alive <= MOST_ALIVE;
  claim(isConstant, `memory is constant: ${grown.text}`);
  if (short) return { ours, control: [] };
  const control = [
    await memoryOf(verifying(first), first, KEEP_LEAVES),
    await memoryOf(verifying(last), last, KEEP_LEAVES),
  ] as const;
  const kept = judged(control);
  claim(kept.resident > MOST_RESIDENT && kept.alive > MOST_ALIVE, `control, all hashes kept: ${kept.text}`);
  return { ours, control };
}

export function memoryRows({ ours, control }: MemoryShown): string[][] {
  return ours.map(({ entries, peakMiB, liveMiB }) => {
    const kept = control.find((one) => one.entries === entries);
    return [
      String(entries),
      peakMiB.toFixed(0),
      liveMiB.toFixed(1),
      kept ? kept.peakMiB.toFixed(0) : '-',
      kept ? kept.liveMiB.toFixed(1) : '-',
    ];
  });
}

/** Twice, since collecting by force keeps the resident memory low. */
async function memoryOf(
  verify: readonly string[],
  { entries, file }: Log,
  control: readonly string[],
): Promise<Memory> {
  const looks = `${file}.live`;
  const plain = await runCli(verify, { node: control });
  const watched = await runCli(verify, { node: [...control, ...LIVE], env: { LIVE_MEMORY: looks } });
  if (plain.code !== 0 || watched.code !== 0) {
    throw new Error(`verify ended with ${plain.code} and ${watched.code}`);
  }
  const seen = readFileSync(looks, 'utf8').trim().split('\n');
  rmSync(looks);
  const inMain = seen.map((look) => look.split(' ').map(Number)).filter(([thread]) => thread === 0);
  const live = inMain.map(([, heap, external]) => heap! + external!);
  return { entries, peakMiB: plain.peakMiB, liveMiB: Math.max(...live) / 2 ** 20 };
}

function judged([small, large]: readonly [Memory, Memory]) {
  const further = large.entries - small.entries;
  const resident = large.peakMiB / small.peakMiB;
  const alive = ((large.liveMiB - small.liveMiB) * 2 ** 20) / further;
  const text = `${resident.toFixed(2)} times resident, ${alive.toFixed(2)} bytes alive for each further entry, from ${small.entries} to ${large.entries}`;
  return { resident, alive, text };
}
