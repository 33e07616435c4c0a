import { coreErrors, isError, type Clock } from '@portcullis/core';

export interface BreakerOptions {
  /** Longest wait for one call, in milliseconds. */
  readonly timeoutMs: number;
  /** Shortest time between two probes while open, in milliseconds. */
  readonly probeEveryMs: number;
  readonly clock: Clock;
  /** Tries what the calls need; must reject if they would fail. */
  readonly probe: () => Promise<unknown>;
  readonly onOpen: (reason: 'timeout' | 'error') => void;
  readonly onClose: (afterMs: number) => void;
}

export type Breaker = <T>(call: () => Promise<T>) => Promise<T>;

/**
 * A circuit breaker. The first failure opens it; while it is open, calls reject at once and nobody waits. One
 * probe at a time runs in the background, started by traffic (no timer runs while nobody asks), and closes it.
 */
export function createBreaker(options: BreakerOptions): Breaker {
  const { timeoutMs, probeEveryMs, clock, probe, onOpen, onClose } = options;
  let openedAt: number | undefined;
  let nextProbeAt = 0;
  let probing = false;

  async function tryAgain(): Promise<void> {
    probing = true;
    try {
      await withTimeout(probe, timeoutMs);
      const since = openedAt;
      openedAt = undefined;
      if (since !== undefined) onClose(clock.monotonic() - since);
    } catch {
      nextProbeAt = clock.monotonic() + probeEveryMs;
    } finally {
      probing = false;
    }
  }

  return async (call) => {
    if (openedAt !== undefined) {
      if (!probing && clock.monotonic() >= nextProbeAt) void tryAgain();
      throw coreErrors.E_STORE_UNAVAILABLE();
    }
    try {
      return await withTimeout(call, timeoutMs);
    } catch (cause) {
      // Calls of one batch fail together; only the first one changes the state.
      if (openedAt === undefined) {
        openedAt = clock.monotonic();
        nextProbeAt = openedAt + probeEveryMs;
        onOpen(cause === TIMED_OUT ? 'timeout' : 'error');
      }
      if (cause === TIMED_OUT) throw coreErrors.E_STORE_TIMEOUT();
      throw coreErrors.E_STORE_UNAVAILABLE(isError(cause) ? { cause } : {});
    }
  };
}

const TIMED_OUT = Symbol('timed out');

async function withTimeout<T>(call: () => Promise<T>, timeoutMs: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(reject, timeoutMs, TIMED_OUT);
  });
  try {
    return await Promise.race([call(), late]);
  } finally {
    clearTimeout(timer);
  }
}
