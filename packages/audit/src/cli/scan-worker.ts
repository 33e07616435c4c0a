import { parentPort } from 'node:worker_threads';
import { scanLines } from '../verify/scan.js';

parentPort?.on('message', (piece: Uint8Array) => {
  const result = scanLines(Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength));
  parentPort?.postMessage(result, [piece.buffer as ArrayBuffer]);
});
