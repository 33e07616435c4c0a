import { describe, expect, test } from '@jest/globals';
import { manualClock } from '@portcullis/core/testing';
import type { Compute } from '../src/passwords/computations.js';
import { createGate } from '../src/passwords/gate.js';

/** A gate whose tasks end when they are told to; each slot goes by its number, in the order in which they were made. */
function kit(slots: number, maxQueue: number) {
  const clock = manualClock();
  const made: Compute[] = [];
  const gate = createGate({
    slots,
    maxQueue,
    clock,
    createSlot: () => {
      const slot = (async () => undefined) as unknown as Compute;
      made.push(slot);
      return slot;
    },
  });
  const running: { readonly slot: number; end(): void }[] = [];
  const enter = (): Promise<void> =>
    gate.run((compute) => new Promise((end) => running.push({ slot: made.indexOf(compute), end })));
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  return { clock, gate, running, enter, settled };
}
const retryAfter = (seconds: string) => ({ code: 'E_PASSWORD_BUSY', headers: { 'Retry-After': seconds } });

describe('the gate before hashing', () => {
  test('lets exactly as many wait as it may; the next is refused at once', async () => {
    const { running, enter, settled } = kit(1, 2);
    const admitted = [enter(), enter(), enter()];
    await expect(enter()).rejects.toMatchObject(retryAfter('1'));
    expect(running).toHaveLength(1);
    for (let n = 0; n < admitted.length; n++) {
      running[n]!.end();
      await settled();
    }
    await Promise.all(admitted);
    expect(running).toHaveLength(3);
  });

  test('with free slots and no queue lets them all in', async () => {
    const { running, enter } = kit(2, 0);
    const admitted = [enter(), enter()];
    await expect(enter()).rejects.toMatchObject(retryAfter('1'));
    for (const { end } of running) end();
    await Promise.all(admitted);
  });

  test('hands a slot over to who waits; free ones are taken in the order that lets the others rest', async () => {
    const { running, enter, settled } = kit(2, 1);
    const admitted = [enter(), enter(), enter()];
    running[1]!.end();
    await settled();
    expect(running.map(({ slot }) => slot)).toEqual([1, 0, 0]);
    running[0]!.end();
    running[2]!.end();
    await Promise.all(admitted);
    void enter();
    void enter();
    expect(running.slice(3).map(({ slot }) => slot)).toEqual([0, 1]);
  });

  test('says when to come again: the time that those who wait will take, by what the last ones took', async () => {
    const { clock, running, enter, settled } = kit(2, 30);
    // Each moves the mean of 100 ms by an eighth of the difference: to 1,100 ms, and to 1,975 ms.
    for (let n = 0; n < 2; n++) {
      const one = enter();
      clock.advance(8_100);
      running[n]!.end();
      await one;
    }
    const admitted = Array.from({ length: 32 }, enter);
    await settled();
    // 30 wait for two slots: 30 * 1.975 s / 2.
    await expect(enter()).rejects.toMatchObject(retryAfter('30'));
    for (let n = 2; n < 34; n++) {
      running[n]!.end();
      await settled();
    }
    await Promise.all(admitted);
  });
});
