import { option, readOptions, systemClock, systemRandom, type Clock, type Random } from '@portcullis/core';
import { freshSeed } from './key-table.js';
import type { LimitStore } from './limit-store.js';
import { MemoryMeters } from './memory-meters.js';
import { windowMeter } from './meter.js';

export interface MemoryLimitsOptions {
  /**
   * Keys per limit, an integer from 100 to 10,000,000. Beyond it new keys share 1,024 buckets for a while:
   * memory stays bounded, and a flood of addresses neither erases a count nor goes uncounted.
   * @default 100_000
   */
  readonly maxKeys?: number;
  readonly clock?: Clock;
  /** Keys the hash of the tables, so that nobody can aim at a neighbour's bucket. */
  readonly random?: Random;
}

/**
 * Limits counted in this process. Constant time per request, no timers, no sweeps; 10^6 keys take less than 100 MiB.
 * @throws OptionError
 */
export function memoryLimits(options: MemoryLimitsOptions = {}): LimitStore {
  const { maxKeys, clock, random } = readOptions('memoryLimits', options, {
    maxKeys: option.integer({ min: 100, max: 10_000_000, default: 100_000 }),
    clock: option.port<Clock>(['now', 'monotonic'], systemClock),
    random: option.port<Random>(['bytes', 'uuid'], systemRandom),
  });
  const seed = freshSeed(random);
  return {
    kind: 'memory',
    shared: false,
    open({ name, windowMs, events }) {
      const meter = windowMeter(name, windowMs);
      const onOverflow = (): void => events.emit({ type: 'rate-limit.overflowed', limit: name, maxKeys });
      const meters = new MemoryMeters([meter], { maxKeys, clock, seed, onOverflow });
      return {
        increment: (key) => meters.hit(meter, key),
        read: (key) => meters.read(meter, key),
        undo: (key) => meters.undo(meter, key),
        reset: (key) => meters.reset({ meter, key }),
      };
    },
    meters({ name, meters: all, ban, events }) {
      const onOverflow = (): void => events.emit({ type: 'rate-limit.overflowed', limit: name, maxKeys });
      const meters = new MemoryMeters(all, { maxKeys, clock, seed, ban, onOverflow });
      return {
        take: (charges) => meters.take(charges),
        reset: (charges) => charges.forEach((charge) => meters.reset(charge)),
      };
    },
  };
}
