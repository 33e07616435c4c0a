import { coreErrors, hasCode, isError, within, type Clock } from '@portcullis/core';

export type Trouble = 'timeout' | 'error' | 'slow';

export interface BreakerOptions {
  /** Longest wait for one call, in milliseconds. */
  readonly timeoutMs: number;
  /** Opens when calls take longer than this in the running average, in milliseconds. */
  readonly slowMs: number;
  /** Shortest time between two probes while open, in milliseconds; it doubles, up to 30 times, while the store flaps. */
  readonly probeEveryMs: number;
  readonly clock: Clock;
  /** Tries what the calls need; must reject if they would fail. */
  readonly probe: () => Promise<unknown>;
  /** Runs when a probe has succeeded and nobody else may call yet: brings the store up to date. */
  readonly onReturn: (call: Breaker) => Promise<void>;
  readonly onOpen: (reason: Trouble) => void;
  readonly onClose: (afterMs: number) => void;
}

export type Breaker = <T>(call: () => Promise<T>) => Promise<T>;

const MOST_PATIENCE = 30;
/** Weight of the newest call in the average: about ten slow calls in a row open the breaker. */
const NEWEST = 0.1;

/**
 * A circuit breaker. The first failure opens it, and sets everybody free who still waits: at most one batch of calls waits
 * the time-out. While it is open, calls reject at once. One probe at a time runs in the background, started by traffic
 * (no timer runs while nobody asks), and closes it.
 */
export function createBreaker(options: BreakerOptions): Breaker {
  const { timeoutMs, slowMs, probeEveryMs, clock, probe, onReturn, onOpen, onClose } = options;
  let openedAt: number | undefined;
  let closedAt = Number.NEGATIVE_INFINITY;
  let nextProbeAt = 0;
  let patience = 1;
  let probing = false;
  let averageMs = 0;
  const waiting = new Set<() => void>();

  const timely: Breaker = async (call) => {
    const sentAt = clock.monotonic();
    const answer = await within(call(), timeoutMs, () => coreErrors.E_STORE_TIMEOUT());
    averageMs += (clock.monotonic() - sentAt - averageMs) * NEWEST;
    return answer;
  };

  function open(reason: Trouble): void {
    // Calls of one batch fail together; only the first one changes the state.
    if (openedAt !== undefined) return;
    const now = clock.monotonic();
    openedAt = now;
    // Who fails again right after a return is asked less and less often.
    patience = now - closedAt < 10 * probeEveryMs * patience ? Math.min(MOST_PATIENCE, patience * 2) : 1;
    nextProbeAt = now + probeEveryMs * patience;
    for (const release of waiting) release();
    waiting.clear();
    onOpen(reason);
  }

  async function tryAgain(): Promise<void> {
    probing = true;
    try {
      const sentAt = clock.monotonic();
      await timely(probe);
      if (clock.monotonic() - sentAt > slowMs) throw coreErrors.E_STORE_TIMEOUT();
      await onReturn(timely);
      const since = openedAt!;
      averageMs = 0;
      openedAt = undefined;
      closedAt = clock.monotonic();
      onClose(closedAt - since);
    } catch {
      nextProbeAt = clock.monotonic() + probeEveryMs * patience;
    } finally {
      probing = false;
    }
  }

  return async (call) => {
    if (openedAt !== undefined) {
      if (!probing && clock.monotonic() >= nextProbeAt) void tryAgain();
      throw coreErrors.E_STORE_UNAVAILABLE();
    }
    let release: (() => void) | undefined;
    const opened = new Promise<never>((_resolve, reject) => {
      release = () => reject(coreErrors.E_STORE_UNAVAILABLE());
      waiting.add(release);
    });
    try {
      const answer = await Promise.race([timely(call), opened]);
      if (averageMs > slowMs) open('slow');
      return answer;
    } catch (cause) {
      open(hasCode(cause, 'E_STORE_TIMEOUT') ? 'timeout' : 'error');
      if (hasCode(cause, 'E_STORE_TIMEOUT') || hasCode(cause, 'E_STORE_UNAVAILABLE')) throw cause;
      throw coreErrors.E_STORE_UNAVAILABLE(isError(cause) ? { cause } : {});
    } finally {
      waiting.delete(release!);
    }
  };
}
