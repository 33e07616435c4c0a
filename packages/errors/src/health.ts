import {
  guard,
  option,
  readOptions,
  within,
  type Duration,
  type Logger,
  type Middleware,
  type SecurityResponse,
} from '@portcullis/core';
import { describeError } from './describe-error.js';
import { silentLogger, stderrLogger } from './stderr-logger.js';
import { isStopping } from './stopping.js';

/**
 * Something the service cannot work without. Healthy unless it throws, rejects, returns `false` or takes longer than
 * the deadline; then its signal is aborted.
 */
export type HealthCheck = (signal: AbortSignal) => unknown;

export interface ReadinessOptions {
  /** Deadline of each check. 10 ms to 1 minute. @default '2s' */
  readonly timeoutMs?: Duration;
  /** How long a result stands, so that callers cannot load what is checked. 0 to 1 minute. @default '1s' */
  readonly cacheMs?: Duration;
  /** Where the reasons of failed checks go; clients see states only. @default JSON lines on standard error */
  readonly logger?: Logger | false;
}

type State = 'up' | 'down';
interface Report {
  readonly status: State;
  readonly checks: Readonly<Record<string, State>>;
}

/**
 * "The process runs": 200 `{"status":"up"}`, during the stop too, for an orchestrator must not kill what is draining.
 * Looks at nothing else: a restart does not mend a database.
 */
export function liveness(): Middleware {
  return guard('liveness', { stage: 'public', detail: 'liveness' }, (_req, res) => {
    send(res, 200, { status: 'up' });
  });
}

/**
 * "Send me requests": 200 while all checks are up; 503 as soon as one is down or hangs, or as soon as the stop of the
 * `secureServer()` that carries the request has begun. Names the checks and their states, never a reason.
 * Checks run together, at most once at a time, and their result stands for `cacheMs`.
 * @throws OptionError
 */
export function readiness(
  checks: Readonly<Record<string, HealthCheck>> = {},
  options: ReadinessOptions = {},
): Middleware {
  const config = readOptions('readiness', options, {
    timeoutMs: option.duration({ minMs: 10, maxMs: 60_000, default: '2s' }),
    cacheMs: option.duration({ maxMs: 60_000, default: '1s' }),
    logger: option.orFalse(option.port<Logger>(['error', 'warn', 'info'], stderrLogger)),
  });
  const entries = Object.entries(checks).map(
    ([name, check]) => [name, option.fn<HealthCheck>()(check, 'readiness', `checks.${name}`)] as const,
  );
  const logger = config.logger || silentLogger;
  const down = new Set<string>();
  let running: Promise<Report> | undefined;

  function note(name: string, state: State, error?: unknown): void {
    const changed = state === 'down' ? !down.has(name) : down.has(name);
    if (state === 'down') down.add(name);
    else down.delete(name);
    if (!changed) return;
    try {
      if (state === 'up') logger.info('A readiness check is up again.', { check: name });
      else logger.error('A readiness check is down.', { check: name, error: describeError(error) });
    } catch {
      // The answer does not depend on the logger.
    }
  }

  async function run(): Promise<Report> {
    const states = await Promise.all(
      entries.map(async ([name, check]): Promise<readonly [string, State]> => {
        try {
          await verify(check, config.timeoutMs);
          note(name, 'up');
          return [name, 'up'];
        } catch (error) {
          note(name, 'down', error);
          return [name, 'down'];
        }
      }),
    );
    return { status: down.size === 0 ? 'up' : 'down', checks: Object.fromEntries(states) };
  }

  function report(): Promise<Report> {
    if (!running) {
      const forget = (): void => {
        running = undefined;
      };
      running = run().finally(() => setTimeout(forget, config.cacheMs).unref());
    }
    return running;
  }

  return guard('readiness', { stage: 'public', detail: 'readiness' }, async (req, res) => {
    if (isStopping(req)) return send(res, 503, { status: 'stopping' });
    const found = await report();
    // It may have begun while the checks ran.
    if (isStopping(req)) return send(res, 503, { status: 'stopping' });
    return send(res, found.status === 'up' ? 200 : 503, found);
  });
}

async function verify(check: HealthCheck, timeoutMs: number): Promise<void> {
  const controller = new AbortController();
  const late = () => new Error(`No answer within ${timeoutMs} ms.`);
  try {
    const verdict = await within(Promise.resolve(check(controller.signal)), timeoutMs, late);
    if (verdict === false) throw new Error('The check returned false.');
  } finally {
    controller.abort();
  }
}

function send(res: SecurityResponse, status: number, body: object): undefined {
  const text = `${JSON.stringify(body)}\n`;
  res.statusCode = status;
  res.setHeader('Cache-Control', 'no-store');
  res.setHeader('X-Content-Type-Options', 'nosniff');
  res.setHeader('Content-Type', 'application/json; charset=utf-8');
  res.setHeader('Content-Length', Buffer.byteLength(text));
  res.end(text);
}
