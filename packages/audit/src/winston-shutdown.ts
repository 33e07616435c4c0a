import { option, readOptions, systemClock, type Clock, type Duration } from '@portcullis/core';

/** What is used of a winston logger: it is a stream, with its transports behind it. */
export interface EndableLogger {
  readonly writableLength: number;
  readonly readableLength: number;
  readonly writableFinished: boolean;
  readonly transports: readonly unknown[];
  end(): unknown;
  once(event: 'finish', listener: () => void): unknown;
}

export interface SafeShutdownOptions {
  /** Longest wait for slow transports, 10 ms to 10 min. @default '10s' */
  readonly deadline?: Duration;
  readonly clock?: Clock;
}

const LOOK_EVERY_MS = 5;

/**
 * Ends a winston logger without losing lines, for the end of a process: call it when nothing logs any more. `logger.end()` alone ends the
 * transports while lines wait for them in the logger's own buffer, which loses these; here that is waited for.
 * @returns whether every line has reached the transports and these have finished; false: the deadline came first
 * @throws OptionError
 * @see https://github.com/winstonjs/winston/issues/2219
 */
export async function safeShutdown(
  logger: EndableLogger,
  options: SafeShutdownOptions = {},
): Promise<boolean> {
  option.port<EndableLogger>(['end', 'once'])(logger, 'safeShutdown', 'logger');
  const { deadline, clock } = readOptions('safeShutdown', options, {
    deadline: option.duration({ minMs: 10, maxMs: 600_000, default: '10s' }),
    clock: option.port<Clock>(['now', 'monotonic'], systemClock),
  });
  const until = clock.monotonic() + deadline;
  // Streams tell when they want more, not when they have nothing left.
  const soon = (ready: () => boolean): Promise<boolean> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (ready()) resolve(true);
        else if (clock.monotonic() >= until) resolve(false);
        else setTimeout(look, LOOK_EVERY_MS);
      };
      look();
    });
  // Without transports nobody takes the lines.
  const drained = await soon(
    () => logger.transports.length === 0 || (logger.writableLength === 0 && logger.readableLength === 0),
  );
  let finished = logger.writableFinished;
  logger.once('finish', () => (finished = true));
  logger.end();
  return (await soon(() => finished)) && drained;
}
