import { EventEmitter } from 'node:events';
import type { Worker } from 'node:worker_threads';
import { describe, expect, jest, test } from '@jest/globals';
import { manualClock, recordedEvents } from '@portcullis/core/testing';
import { createHashingThread } from '../src/passwords/hashing-thread.js';

/** A thread that answers when it is told to, and remembers what was done to it. */
class FakeWorker extends EventEmitter {
  readonly done: string[] = [];
  readonly asked: { readonly name: string; readonly args: readonly unknown[] }[] = [];
  postMessage(message: FakeWorker['asked'][number]): void {
    this.asked.push(message);
  }
  ref = (): void => void this.done.push('ref');
  unref = (): void => void this.done.push('unref');
  terminate = (): void => void this.done.push('terminate');
  answer(text: string): void {
    this.say({ value: new Uint8Array(Buffer.from(text)) });
  }
  say(answer: object): void {
    this.emit('message', answer);
  }
}

function kit(idleMs = 60_000) {
  const clock = manualClock();
  const events = recordedEvents({ clock });
  const workers: FakeWorker[] = [];
  const state = { refuses: false };
  const compute = createHashingThread({
    clock,
    events,
    idleMs,
    start: () => {
      if (state.refuses) throw new Error('no threads');
      const worker = new FakeWorker();
      workers.push(worker);
      return worker as unknown as Worker;
    },
  });
  const hash = () => compute('pbkdf2', Buffer.from('password'), 'salt', 1, 20, 'sha1');
  const told = () => events.of('auth.hashing-thread-failed').map(({ reason }) => reason);
  return { clock, workers, state, hash, told };
}
/** RFC 6070, first vector: what the pool computes. */
const OF_POOL = '0c60c80f961f0e71f3a9b524af6012062fe037a6';
const hex = async (digest: Promise<Buffer>) => (await digest).toString('hex');
const text = async (digest: Promise<Buffer>) => (await digest).toString();

describe('a hashing thread', () => {
  test('answers one after another, in the order in which it was asked, each with a Buffer', async () => {
    const { workers, hash } = kit();
    const [one, two] = [hash(), hash()];
    expect(workers).toHaveLength(1);
    expect(workers[0]!.asked).toMatchObject([{ name: 'pbkdf2Sync' }, { name: 'pbkdf2Sync' }]);
    workers[0]!.answer('one');
    workers[0]!.answer('two');
    expect([await text(one), await text(two)]).toEqual(['one', 'two']);
    expect(Buffer.isBuffer(await one)).toBe(true);
  });

  test('answers with what is no buffer as it is, and fails as its engine does', async () => {
    const { workers, hash, told } = kit();
    const [one, two] = [hash(), hash()];
    workers[0]!.say({ value: true });
    workers[0]!.say({ error: new RangeError('too much') });
    expect(await one).toBe(true);
    await expect(two).rejects.toThrow('too much');
    expect(told()).toEqual([]);
  });

  test('keeps the process alive while it computes, and not a moment longer', async () => {
    const { workers, hash } = kit();
    const all = [hash(), hash()];
    expect(workers[0]!.done).toEqual(['ref', 'ref']);
    workers[0]!.answer('one');
    expect(workers[0]!.done).toEqual(['ref', 'ref']);
    workers[0]!.answer('two');
    expect(workers[0]!.done).toEqual(['ref', 'ref', 'unref']);
    await Promise.all(all);
  });

  test('is ended when it has not been needed for a time, and only then', async () => {
    jest.useFakeTimers();
    try {
      const { workers, hash, told } = kit(1_000);
      const one = hash();
      jest.advanceTimersByTime(5_000);
      workers[0]!.answer('one');
      await one;
      jest.advanceTimersByTime(999);
      const two = hash();
      jest.advanceTimersByTime(5_000);
      expect(workers[0]!.done).not.toContain('terminate');
      workers[0]!.answer('two');
      expect(await text(two)).toBe('two');
      jest.advanceTimersByTime(1_000);
      expect(workers[0]!.done.filter((what) => what === 'terminate')).toHaveLength(1);
      workers[0]!.emit('exit', 1);
      // Its end was no failure: the next one gets a thread, not the pool.
      const three = hash();
      expect(workers).toHaveLength(2);
      workers[1]!.answer('three');
      expect([await text(three), told()]).toEqual(['three', []]);
    } finally {
      jest.useRealTimers();
    }
  });
});

describe('when a thread fails', () => {
  test.each(['error', 'messageerror'])(
    'by "%s", it is ended, told, and the pool computes all that waits',
    async (event) => {
      const { workers, hash, told } = kit();
      const all = [hash(), hash()];
      workers[0]!.emit(event, new Error('midway'));
      for (const one of all) expect(await hex(one)).toBe(OF_POOL);
      expect(workers[0]!.done).toContain('terminate');
      expect(told()).toEqual(['midway']);
    },
  );

  test('by its end, or with a reason that is no error, that is told as it is, and once', async () => {
    for (const [event, reason, expected] of [
      ['exit', 3, 'the thread has ended'],
      ['error', 'out of luck', 'out of luck'],
    ] as const) {
      const { workers, hash, told } = kit();
      const one = hash();
      workers[0]!.emit(event, reason);
      workers[0]!.emit('exit', 1);
      expect(await hex(one)).toBe(OF_POOL);
      expect(told()).toEqual([expected]);
    }
  });

  test('the pool computes for a minute; then another thread is tried', async () => {
    const { clock, workers, state, hash, told } = kit();
    state.refuses = true;
    expect(await hex(hash())).toBe(OF_POOL);
    state.refuses = false;
    clock.advance(59_999);
    expect(await hex(hash())).toBe(OF_POOL);
    expect([workers.length, told()]).toEqual([0, ['no threads']]);
    clock.advance(1);
    const one = hash();
    workers[0]!.answer('one');
    expect(await text(one)).toBe('one');
  });

  test('what it says afterwards is not taken for an answer of the next one', async () => {
    const { clock, workers, hash, told } = kit();
    const lost = hash();
    workers[0]!.emit('error', new Error('midway'));
    expect(await hex(lost)).toBe(OF_POOL);
    clock.advance('1m');
    const one = hash();
    workers[0]!.answer('too late');
    workers[0]!.emit('exit', 1);
    workers[1]!.answer('one');
    expect([await text(one), told()]).toEqual(['one', ['midway']]);
  });

  test('the time after which it would have been ended is forgotten with it', async () => {
    jest.useFakeTimers();
    try {
      const { clock, workers, hash } = kit(120_000);
      const one = hash();
      workers[0]!.answer('one');
      await one;
      workers[0]!.emit('error', new Error('between'));
      clock.advance('1m');
      const two = hash();
      jest.advanceTimersByTime(120_000);
      expect(workers[1]!.done).not.toContain('terminate');
      workers[1]!.answer('two');
      expect(await text(two)).toBe('two');
    } finally {
      jest.useRealTimers();
    }
  });
});
