import process from 'node:process';
import {
  option,
  OptionError,
  optionConflict,
  readOptions,
  type Duration,
  type Logger,
  type OptionReader,
} from '@portcullis/core';
import { createLogRecord } from './log-record.js';
import { silentLogger, stderrLogger } from './stderr-logger.js';

/** Why the process ends: an error that nobody caught, a signal, or a call of `stop()`. */
export type EndReason = 'crash' | 'signal' | 'stop';

export interface ProcessReport {
  readonly origin: 'uncaughtException' | 'unhandledRejection';
  /** As Sentry's capture context has it, so that `report: Sentry.captureException` fits. */
  readonly tags: Readonly<Record<string, string>>;
}

/** A step of the orderly end, such as `() => server.close()` or `() => pool.end()`. */
export type Drain = (reason: EndReason) => unknown;

export interface ProcessGuardOptions {
  /** Structural: winston, pino and console fit. `false` for none. @default JSON lines on standard error */
  readonly logger?: Logger | false;
  /**
   * Takes secrets out of what the logger gets of an error and returns a copy: `createRedactor().redact` of
   * `@portcullis/redact` fits. If it throws or returns no object, the record says so and shows nothing of the error.
   * `report` receives the original. @default none
   */
  readonly redact?: (value: unknown) => unknown;
  /** Receives the first uncaught error; its promise (a flush) is awaited within the deadline. */
  readonly report?: (error: unknown, info: ProcessReport) => unknown;
  /** Steps of the orderly end, one after the other; one that fails is logged and the next one runs. */
  readonly drain?: Drain | readonly Drain[];
  /** Exit code after an uncaught error, a failed drain or a missed deadline. Integer 1..255. @default 1 */
  readonly exitCode?: number;
  /** Hard deadline for report and drain together. 100 ms to 10 minutes. @default '15s' */
  readonly timeoutMs?: Duration;
  /** Signals that end the process in order, with code 0. @default ['SIGTERM', 'SIGINT'] */
  readonly signals?: readonly NodeJS.Signals[];
}

export interface ProcessGuard {
  /** Aborted as soon as the end begins: for loops and streams that should wind up. */
  readonly ending: AbortSignal;
  /** Begins the orderly end by hand; the process exits with 0. */
  stop(): void;
  /** Takes the listeners off the process again, unless the end has begun. */
  release(): void;
}

const GUARD = Symbol.for('portcullis.process-guard');
/** Logging and reporting may themselves crash, in a loop; past these the process only waits for its end. */
const MAX_LOGGED_CRASHES = 20;

/**
 * Keeps an error that nobody caught from ending the process in the middle of other people's requests, and from leaving it
 * running in an unknown state: log, report, drain, then exit with 1. `SIGTERM` and `SIGINT` drain and exit with 0; a second
 * signal exits at once. A deadline holds whatever hangs. Once per process.
 * @throws OptionError, also if another guard is already set
 * @see OWASP ASVS 5.0 V16.5.4
 */
export function guardProcess(options: ProcessGuardOptions = {}): ProcessGuard {
  const config = readOptions('guardProcess', options, {
    logger: option.orFalse(option.port<Logger>(['error', 'warn', 'info'], stderrLogger)),
    redact: option.optional(option.fn<(value: unknown) => unknown>()),
    report: option.optional(option.fn<(error: unknown, info: ProcessReport) => unknown>()),
    drain: drainOption,
    exitCode: option.integer({ min: 1, max: 255, default: 1 }),
    timeoutMs: option.duration({ minMs: 100, maxMs: 600_000, default: '15s' }),
    signals: option.array<NodeJS.Signals>(signalOption, { max: 8, default: ['SIGTERM', 'SIGINT'] }),
  });
  const host = process as NodeJS.Process & { [GUARD]?: true };
  if (host[GUARD]) optionConflict('guardProcess', '', 'this process has a guard already');
  host[GUARD] = true;

  const logger = config.logger || silentLogger;
  const record = createLogRecord(config.redact);
  const ending = new AbortController();
  let exitCode = 0;
  let crashes = 0;
  let signalled = false;
  let reported: Promise<unknown> | undefined;

  function log(level: 'error' | 'info', message: string, meta: object): void {
    try {
      const result = logger[level](message, meta);
      if (result instanceof Promise) result.catch(() => undefined);
    } catch {
      // The end goes on without it.
    }
  }

  async function attempt(what: string, run: () => unknown): Promise<boolean> {
    try {
      await run();
      return true;
    } catch (error) {
      log('error', `The ${what} failed.`, record(error, {}));
      return false;
    }
  }

  function exit(code: number): void {
    process.exit(code);
  }

  async function end(reason: EndReason): Promise<void> {
    for (const [i, step] of config.drain.entries()) {
      if (!(await attempt(`drain step ${i + 1}`, () => step(reason)))) exitCode = config.exitCode;
    }
    await reported;
    log('info', 'The process ends.', { reason, exitCode });
    exit(exitCode);
  }

  function begin(reason: EndReason): void {
    if (ending.signal.aborted) return;
    // Not unref'ed: it must also hold a process whose event loop runs empty while a drain never settles.
    setTimeout(() => {
      log('error', 'The process did not end in time and is cut off.', {
        reason,
        timeoutMs: config.timeoutMs,
      });
      exit(config.exitCode);
    }, config.timeoutMs);
    ending.abort();
    void end(reason);
  }

  function crashed(origin: ProcessReport['origin']): (error: unknown) => void {
    return (error) => {
      exitCode = config.exitCode;
      crashes += 1;
      if (crashes <= MAX_LOGGED_CRASHES) {
        log('error', 'An error was caught by nobody; the process ends.', record(error, { origin }));
      }
      // Only the first: a report that crashes by itself would report that, for ever.
      if (config.report && !reported) {
        const { report } = config;
        reported = attempt('report', () => report(error, { origin, tags: { origin } }));
      }
      begin('crash');
    };
  }

  function interrupted(name: NodeJS.Signals): void {
    if (signalled) return exit(config.exitCode);
    signalled = true;
    log('info', 'The process was asked to end.', { signal: name });
    begin('signal');
  }

  const onException = crashed('uncaughtException');
  const onRejection = crashed('unhandledRejection');
  process.on('uncaughtException', onException);
  process.on('unhandledRejection', onRejection);
  for (const name of config.signals) process.on(name, interrupted);

  return {
    ending: ending.signal,
    stop: () => begin('stop'),
    release() {
      if (ending.signal.aborted) return;
      process.off('uncaughtException', onException);
      process.off('unhandledRejection', onRejection);
      for (const name of config.signals) process.off(name, interrupted);
      delete host[GUARD];
    },
  };
}

const drainOption: OptionReader<readonly Drain[]> = (value, owner, path) => {
  if (value === undefined) return [];
  return typeof value === 'function'
    ? [option.fn<Drain>()(value, owner, path)]
    : option.array<Drain>(option.fn<Drain>(), { max: 100 })(value, owner, path);
};

const signalOption: OptionReader<NodeJS.Signals> = (value, owner, path) => {
  const name = option.string({ pattern: /^SIG[A-Z0-9]+$/ })(value, owner, path);
  if (name === 'SIGKILL' || name === 'SIGSTOP') {
    throw new OptionError('E_OPTION_VALUE', owner, path, `${path}: no process can handle ${name}`);
  }
  return name as NodeJS.Signals;
};
