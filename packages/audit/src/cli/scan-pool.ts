import { Worker } from 'node:worker_threads';
import { scanLines, type ScanResult } from '../verify/scan.js';
import { PIECE_BYTES, readPieces } from './pieces.js';

/** Pieces that may be under way for each worker: one at work, one waiting. */
const AHEAD = 2;
/** Nothing of a scan lives long. Left alone, the engine answers many short-lived values with ever more room for them. */
const YOUNG_MIB = 6;

/** What each piece of a file says, in order. With `workers` 0, in this thread. */
export async function* scanFile(
  path: string,
  workers: number,
  onBytes: (count: number) => void,
): AsyncGenerator<ScanResult> {
  // Fresh memory costs more than what is done in it.
  const free: Buffer[] = [];
  const pieces = readPieces(path, onBytes, free);
  if (workers === 0) {
    for await (const piece of pieces) {
      const result = scanLines(piece);
      yield result;
      giveBack(free, result);
    }
    return;
  }
  const pool = Array.from({ length: workers }, () => new ScanWorker());
  try {
    const running: Promise<ScanResult>[] = [];
    let turn = 0;
    for await (const piece of pieces) {
      running.push(pool[turn++ % workers]!.scan(piece));
      if (running.length < workers * AHEAD) continue;
      const result = await running.shift()!;
      yield result;
      giveBack(free, result);
    }
    for (const result of running) yield await result;
  } finally {
    await Promise.all(pool.map((worker) => worker.end()));
  }
}

/** Who reads the results is done with this one: its leaf hashes stood in the piece's memory. */
function giveBack(free: Buffer[], { leaves: { buffer } }: ScanResult): void {
  if (buffer.byteLength === PIECE_BYTES) free.push(Buffer.from(buffer));
}

class ScanWorker {
  readonly #worker = new Worker(workerFile(), { resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MIB } });
  readonly #waiting: { resolve(result: ScanResult): void; reject(error: unknown): void }[] = [];

  constructor() {
    this.#worker.on('message', (result: ScanResult) => this.#waiting.shift()?.resolve(result));
    this.#worker.on('error', (error) => {
      for (const { reject } of this.#waiting.splice(0)) reject(error);
    });
  }

  scan(piece: Buffer): Promise<ScanResult> {
    const promise = new Promise<ScanResult>((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
    });
    // Whoever reads the results comes to it later; meanwhile a rejection is not an unhandled one.
    promise.catch(() => undefined);
    this.#worker.postMessage(piece, [piece.buffer as ArrayBuffer]);
    return promise;
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }
}

/** Beside this file, with its ending: from source in tests. */
function workerFile(): URL {
  const ending = /\.[a-z]+$/.exec(import.meta.url)![0];
  return new URL(`./scan-worker${ending}`, import.meta.url);
}
