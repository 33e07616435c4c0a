import { Worker } from 'node:worker_threads';
import { scanLines, type ScanResult } from '../verify/scan.js';
import { PIECE_BYTES, readPieces } from './pieces.js';

/** Pieces that may be under way for each worker: one at work, one waiting. */
const AHEAD = 2;

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
      yield scanLines(piece);
      give(free, piece.buffer);
    }
    return;
  }
  const pool = Array.from({ length: workers }, () => new ScanWorker((buffer) => give(free, buffer)));
  try {
    const running: Promise<ScanResult>[] = [];
    let turn = 0;
    for await (const piece of pieces) {
      running.push(pool[turn++ % workers]!.scan(piece));
      if (running.length >= workers * AHEAD) yield await running.shift()!;
    }
    for (const result of running) yield await result;
  } finally {
    await Promise.all(pool.map((worker) => worker.end()));
  }
}

function give(free: Buffer[], buffer: ArrayBufferLike): void {
  if (buffer.byteLength === PIECE_BYTES) free.push(Buffer.from(buffer));
}

class ScanWorker {
  readonly #worker = new Worker(workerFile());
  readonly #waiting: { resolve(result: ScanResult): void; reject(error: unknown): void }[] = [];

  constructor(giveBack: (buffer: ArrayBuffer) => void) {
    this.#worker.on('message', ({ result, buffer }: { result: ScanResult; buffer: ArrayBuffer }) => {
      giveBack(buffer);
      this.#waiting.shift()?.resolve(result);
    });
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
