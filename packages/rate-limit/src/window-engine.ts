import { rateLimit as expressRateLimit } from 'express-rate-limit';
import type { Clock, SecurityResponse } from '@portcullis/core';
import type { WindowCounter } from './limit-store.js';

/** What express-rate-limit is given as its request: nothing of it ends up on the real one. */
interface Call {
  readonly key: string;
  readonly limit: number;
  exceeded: boolean;
  rateLimit?: { readonly used: number; readonly resetTime: Date | undefined };
}

export interface WindowVerdict {
  readonly hits: number;
  readonly resetMs: number;
  readonly passed: boolean;
}

export type WindowEngine = (key: string, limit: number, res: SecurityResponse) => Promise<WindowVerdict>;

/**
 * express-rate-limit over our counter. It sees a record made for the call instead of the request: it would
 * otherwise work out `req.ip` by itself and write `req.rateLimit`.
 */
export function windowEngine(counter: WindowCounter, windowMs: number, clock: Clock): WindowEngine {
  const engine = expressRateLimit({
    windowMs,
    validate: false, // Its checks only log, and they are about req.ip. Ours refuse at start.
    standardHeaders: false,
    legacyHeaders: false,
    limit: (call) => asCall(call).limit,
    keyGenerator: (call) => asCall(call).key,
    handler: (call) => {
      asCall(call).exceeded = true;
    },
    store: {
      localKeys: false,
      async increment(key) {
        const { hits, ttlMs } = await counter.increment(key);
        return { totalHits: hits, resetTime: new Date(clock.monotonic() + ttlMs) };
      },
      decrement: async (key) => counter.undo(key),
      resetKey: async (key) => counter.reset(key),
    },
  });

  return async (key, limit, res) => {
    const call: Call = { key, limit, exceeded: false };
    let passed = false;
    let failure: { readonly error: unknown } | undefined;
    await engine(call as never, res as never, (...ends: unknown[]) => {
      if (ends.length === 0) passed = true;
      else failure = { error: ends[0] };
    });
    const { used, resetTime } = call.rateLimit ?? {};
    if (failure || used === undefined || resetTime === undefined || passed === call.exceeded) {
      throw new TypeError('The window could not be counted.', { cause: failure?.error });
    }
    return { hits: used, resetMs: Math.max(0, resetTime.getTime() - clock.monotonic()), passed };
  };
}

function asCall(request: object): Call {
  return request as Call;
}
