export interface WithinOptions {
  /** Gives up at once, with what `late` makes. */
  readonly signal?: AbortSignal | undefined;
  /** For work that nobody waits for: its timer does not keep the process alive. */
  readonly background?: boolean;
}

/**
 * Settles as `promise` does, or rejects with what `late` makes once `ms` milliseconds of real time have passed.
 * A late answer is dropped, a late rejection never becomes an unhandled one.
 */
export function within<T>(
  promise: Promise<T>,
  ms: number,
  late: () => Error,
  options: WithinOptions = {},
): Promise<T> {
  const { signal, background } = options;
  return new Promise<T>((resolve, reject) => {
    let grace: NodeJS.Immediate | undefined;
    const timer = setTimeout(
      // After a stall (garbage collection, SIGCONT) timers run before the answer that already lies in the socket is
      // read: input gets one turn before the answer counts as late.
      () => (grace = setImmediate(() => end(() => reject(late())))),
      Math.min(ms, MAX_TIMER_MS),
    );
    if (background) timer.unref();
    const abort = (): void => end(() => reject(late()));
    signal?.addEventListener('abort', abort, { once: true });
    function end(settle: () => void): void {
      clearTimeout(timer);
      if (grace) clearImmediate(grace);
      signal?.removeEventListener('abort', abort);
      settle();
    }
    promise.then(
      (value) => end(() => resolve(value)),
      (error: unknown) => end(() => reject(error)),
    );
    if (signal?.aborted) abort();
  });
}

/** Longer timers fire at once in Node. */
const MAX_TIMER_MS = 2 ** 31 - 1;
