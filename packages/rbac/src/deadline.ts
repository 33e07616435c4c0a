/** Settles like `work`, or rejects with `late()` after `ms`. What comes later is ignored. */
export function within<T>(work: Promise<T>, ms: number, late: () => Error): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    let grace: NodeJS.Immediate | undefined;
    const timer = setTimeout(() => {
      // After a stall timers run before the answer that already lies in the socket is read: it gets one turn.
      grace = setImmediate(() => reject(late()));
    }, ms);
    const end = (): void => {
      clearTimeout(timer);
      if (grace) clearImmediate(grace);
    };
    work.then(
      (value) => {
        end();
        resolve(value);
      },
      (error: unknown) => {
        end();
        reject(error);
      },
    );
  });
}
