import { OptionError } from '@portcullis/core';
import { countMeters } from './count-meters.js';
import { countWindows } from './count-windows.js';
import { wideOf, type Counting, type Part } from './counting.js';
import { memoryLimits } from './memory-limits.js';
import type { CompiledLimit } from './options.js';
import type { Settings } from './settings.js';

/** Chooses how limits are counted in a store. @throws OptionError if the store cannot */
export function openCounting(owner: string, limits: readonly CompiledLimit[], settings: Settings): Counting {
  const { clock, ban } = settings;
  const store = settings.store ?? memoryLimits({ clock });
  const [first] = limits;
  // In memory the meters say the same without the engine's five promises a request.
  const whole =
    (store.shared || !store.meters) &&
    limits.length === 1 &&
    first!.meter?.kind === 'window' &&
    first!.costOf === 1 &&
    first!.lease === 1 &&
    !ban;
  const windows = whole ? countWindows(first!, store, settings) : undefined;
  if (!store.meters) {
    if (windows) return windows;
    const problem = `the store "${store.kind}" counts whole windows only: no rates, costs, bans or several limits`;
    throw new OptionError('E_OPTION_CONFLICT', owner, 'store', problem);
  }
  const meters = countMeters(limits, store, settings);
  if (!windows) return meters;
  // An IPv6 client counts twice, by its prefix and by a wider one; express-rate-limit counts one key at a time.
  const choose = ([part]: readonly Part[]): Counting => (wideOf(part!) ? meters : windows);
  return {
    count: (req, res, parts) => choose(parts).count(req, res, parts),
    peek: (parts) => choose(parts).peek(parts),
    reset: (parts) => choose(parts).reset(parts),
  };
}
