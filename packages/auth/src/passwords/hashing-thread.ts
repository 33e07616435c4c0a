import { Worker } from 'node:worker_threads';
import { isError, type Clock, type Events } from '@portcullis/core';
import { computations, inPool, wipe, type Compute, type HashComputations } from './computations.js';
import { shaCryptSteps } from './sha-crypt-steps.js';

/** A thread that nobody needs ends after this time; starting one, its engine included, takes some 55 ms. */
const IDLE_MS = 10_000;
/** After a failure the pool computes for this time, before another thread is tried. */
const REST_MS = 60_000;

// In Linux a thread has a priority of its own; elsewhere this would lower the whole process.
const NICE = process.platform === 'linux' ? 10 : 0;

// From text, because a file beside this one is not there in a bundle, nor in JavaScript when tests run from source. An
// engine that cannot be loaded ends the thread; so does code of ours that a tool has made to need what is not in the text.
const SOURCE = `
const { createHash } = require('node:crypto');
const { createRequire } = require('node:module');
const { setPriority } = require('node:os');
const { parentPort, workerData } = require('node:worker_threads');
if (workerData.nice) try { setPriority(0, workerData.nice); } catch {}
const load = createRequire(workerData.from);
const steps = (${shaCryptSteps.toString()});
const own = {
  shaCrypt(...args) {
    const running = steps(createHash, ...args);
    for (;;) { const { done, value } = running.next(); if (done) return value; }
  },
};
parentPort.on('message', ({ engine, name, args }) => {
  const compute = (engine ? load(engine) : own)[name];
  const bytes = args.map((arg) => (arg instanceof Uint8Array ? Buffer.from(arg.buffer) : arg));
  let answer;
  try { answer = { value: compute(...bytes) }; }
  catch (error) { if (error instanceof ReferenceError) throw error; answer = { error }; }
  for (const arg of bytes) if (Buffer.isBuffer(arg)) arg.fill(0);
  parentPort.postMessage(answer);
});
`;

export interface HashingThreadDeps {
  readonly clock: Clock;
  readonly events: Events;
  readonly start?: () => Worker;
  readonly idleMs?: number;
}

type Answer = { readonly value: unknown } | { readonly error: unknown };

interface Job {
  resolve(value: unknown): void;
  reject(error: unknown): void;
  computeInPool(): void;
}

/**
 * Computes in one thread of our own, one after another, which starts when it is first needed and keeps no process alive.
 * In Linux its priority is low: libuv's pool has the priority of the event loop, and on a machine of two processors both
 * would wait behind hashes. Whatever a thread cannot do, because it does not start or ends, the pool does.
 */
export function createHashingThread({
  clock,
  events,
  start = startThread,
  idleMs = IDLE_MS,
}: HashingThreadDeps): Compute {
  const jobs: Job[] = [];
  let thread: Worker | undefined;
  let idle: NodeJS.Timeout | undefined;
  let restsUntil = -Infinity;

  function running(): Worker | undefined {
    if (thread || clock.monotonic() < restsUntil) return thread;
    try {
      const started = start();
      thread = started;
      started.on('message', (answer: Answer) => {
        if (started === thread) settle(answer);
      });
      started.on('error', (error) => fail(started, error));
      started.on('messageerror', (error) => fail(started, error));
      started.on('exit', () => fail(started, 'the thread has ended'));
    } catch (error) {
      fail(undefined, error);
    }
    return thread;
  }

  function settle(answer: Answer): void {
    const job = jobs.shift();
    if ('error' in answer) job?.reject(answer.error);
    else job?.resolve(ArrayBuffer.isView(answer.value) ? bufferOf(answer.value) : answer.value);
    if (jobs.length > 0) return;
    thread?.unref();
    idle = setTimeout(end, idleMs).unref();
  }

  function end(): void {
    const ended = thread;
    thread = undefined;
    void ended?.terminate();
  }

  function fail(which: Worker | undefined, reason: unknown): void {
    if (which !== thread) return;
    thread = undefined;
    void which?.terminate();
    restsUntil = clock.monotonic() + REST_MS;
    events.emit({
      type: 'auth.hashing-thread-failed',
      reason: isError(reason) ? reason.message : String(reason),
    });
    for (const job of jobs.splice(0)) job.computeInPool();
  }

  return <Name extends keyof HashComputations>(name: Name, ...args: Parameters<HashComputations[Name]>) => {
    const computing = running();
    if (!computing) return inPool(name, ...args);
    clearTimeout(idle);
    return new Promise<ReturnType<HashComputations[Name]>>((resolve, reject) => {
      // Copies go to the thread, moved; ours stay until its answer, for the pool.
      const copies = args.map((arg) => (Buffer.isBuffer(arg) ? new Uint8Array(arg) : arg));
      const { engine, name: synchronous } = computations[name];
      computing.postMessage(
        { engine, name: synchronous, args: copies },
        copies.filter((copy) => ArrayBuffer.isView(copy)).map(({ buffer }) => buffer),
      );
      computing.ref();
      jobs.push({
        resolve,
        reject,
        computeInPool: () => resolve(inPool(name, ...args)),
      });
    }).finally(() => wipe(args));
  };
}

/** `from`: the file from which the engines are looked for. */
export function startThread(from = thisFile()): Worker {
  // Without the options of this process: what it loads first (a compiler, a tracer) is not for this thread.
  return new Worker(SOURCE, { eval: true, execArgv: [], workerData: { from, nice: NICE } });
}

function thisFile(): string {
  // The built CommonJS file has no import.meta.url, the built module no __filename.
  return import.meta.url ?? __filename;
}

function bufferOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Buffer {
  return Buffer.from(buffer as ArrayBuffer, byteOffset, byteLength);
}
