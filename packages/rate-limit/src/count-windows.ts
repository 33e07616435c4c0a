import type { LimitState } from './augment.js';
import type { Counting } from './counting.js';
import { freshSeed } from './key-table.js';
import type { LimitStore, WindowCounter } from './limit-store.js';
import { MemoryMeters } from './memory-meters.js';
import { windowMeter } from './meter.js';
import type { CompiledLimit } from './options.js';
import { unavailable } from './refusals.js';
import type { Settings } from './settings.js';
import { withoutShadow, withShadow } from './shared-windows.js';
import { windowEngine, type WindowEngine } from './window-engine.js';

/** Whole windows, counted by express-rate-limit. */
export function countWindows(limit: CompiledLimit, store: LimitStore, settings: Settings): Counting {
  const { name } = limit;
  const { windowMs } = limit.told;
  const { clock } = settings;
  const counter = openCounter(name, windowMs, store, settings);
  const engine: WindowEngine = windowEngine(counter, windowMs, clock);
  return {
    async count(_req, res, [part]) {
      const { most, counted } = part!;
      const { key } = counted;
      const state = await engine(key, most, res).catch(unavailable);
      const { hits, resetMs } = state;
      const shown: LimitState = { name, limit: most, remaining: Math.max(0, most - hits), resetMs };
      // The count is judged here once more: what the engine let through must really be within the limit.
      if (!state.passed || hits > most) {
        const refusal = { waitMs: resetMs, first: hits === most + 1, bannedMs: 0 };
        return { outcomes: [{ part: part!, state: shown, refusal }], delayMs: 0 };
      }
      const endsAt = clock.monotonic() + resetMs;
      let left = 1;
      return {
        outcomes: [{ part: part!, state: shown }],
        delayMs: 0,
        taken: {
          async refund() {
            if (left-- === 1 && clock.monotonic() < endsAt) await counter.undo(key);
          },
        },
      };
    },
    async peek([part]) {
      const { most, counted } = part!;
      if (!counter.read) throw new TypeError(`The store "${store.kind}" cannot be asked without counting.`);
      const { hits, ttlMs } = (await counter.read(counted.key)) ?? { hits: 0, ttlMs: windowMs };
      return [{ name, limit: most, remaining: Math.max(0, most - hits), resetMs: ttlMs }];
    },
    reset: async ([part]) => counter.reset(part!.counted.key),
  };
}

function openCounter(name: string, windowMs: number, store: LimitStore, settings: Settings): WindowCounter {
  const { clock, events, onStoreDown } = settings;
  const counter = store.open({ name, windowMs, onStoreDown, events });
  if (!store.shared || onStoreDown === 'refuse' || store.meters) return withoutShadow(counter);
  const meter = windowMeter(name, windowMs);
  const local = new MemoryMeters([meter], {
    maxKeys: 100_000,
    clock,
    seed: freshSeed(),
    onOverflow: () => undefined,
  });
  return withShadow(counter, local, meter);
}
