import { coreErrors, hasCode, isError, within, type Clock } from '@portcullis/core';

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
  const timely = async <T>(call: () => Promise<T>): Promise<T> =>
    within(call(), timeoutMs, () => coreErrors.E_STORE_TIMEOUT());

  async function tryAgain(): Promise<void> {
    probing = true;
    try {
      await timely(probe);
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
      return await timely(call);
    } catch (cause) {
      // Calls of one batch fail together; only the first one changes the state.
      if (openedAt === undefined) {
        openedAt = clock.monotonic();
        nextProbeAt = openedAt + probeEveryMs;
        onOpen(hasCode(cause, 'E_STORE_TIMEOUT') ? 'timeout' : 'error');
      }
      if (hasCode(cause, 'E_STORE_TIMEOUT')) throw cause;
      throw coreErrors.E_STORE_UNAVAILABLE(isError(cause) ? { cause } : {});
    }
  };
}
