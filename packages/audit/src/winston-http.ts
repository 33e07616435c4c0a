import { Writable } from 'node:stream';
import { option, readOptions, systemClock, type Clock, type Duration, type Secret } from '@portcullis/core';

/** A transport for winston: a stream in object mode. */
export type HttpTransport = Writable & {
  /** winston asks whether there is one; it writes into the stream. */
  log(info: object, next: () => void): void;
  /** Lines that were given up: the queue was full, or the server refused them for good. */
  readonly dropped: number;
  /** `gelf` or `splunk`. */
  readonly name: string;
};

interface HttpTransportOptions {
  /** Of the input: `https://splunk.example:8088` or `https://graylog.example:12201/gelf`. */
  readonly url: string;
  /** Name of this host in the other system. @default '-' */
  readonly host?: string;
  /** Lines that may wait, 1 to 1,000,000; then the newest are dropped and counted. @default 10_000 */
  readonly maxPending?: number;
  /** Longest time for one request, 10 ms to 2 min. @default '5s' */
  readonly deadline?: Duration;
  /** How long a failing server is left alone, 10 ms to 10 min. @default '1s' */
  readonly retryEvery?: Duration;
  readonly clock?: Clock;
  /** @default the global fetch */
  readonly fetch?: typeof fetch;
}

export interface GelfTransportOptions extends HttpTransportOptions {}

export interface SplunkTransportOptions extends HttpTransportOptions {
  /** Token of the HTTP Event Collector. */
  readonly token: string | Secret<string>;
  readonly index?: string;
  /** @default '_json' */
  readonly sourcetype?: string;
}

interface Request {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

type Info = Readonly<Record<string, unknown>>;

interface Line {
  readonly info: Info;
  /** When it was logged, in milliseconds since 1970. */
  readonly at: number;
}

const common = {
  url: option.string({ max: 2048, pattern: /^https?:\/\/[^\s]+$/ }),
  host: option.string({ max: 255, default: '-' }),
  maxPending: option.integer({ min: 1, max: 1_000_000, default: 10_000 }),
  deadline: option.duration({ minMs: 10, maxMs: 120_000, default: '5s' }),
  retryEvery: option.duration({ minMs: 10, maxMs: 600_000, default: '1s' }),
  clock: option.port<Clock>(['now', 'monotonic'], systemClock),
  fetch: option.optional((value: unknown): typeof fetch => value as typeof fetch),
};

/** Levels of npm, as winston has them, in numbers of syslog (RFC 5424). */
const SEVERITY: Readonly<Record<string, number>> = {
  error: 3,
  warn: 4,
  info: 6,
  http: 6,
  verbose: 7,
  debug: 7,
  silly: 7,
};
const MAX_LINES = 500;

/**
 * Sends lines of a winston logger to Graylog's GELF HTTP input (GELF 1.1). It never holds up the logger: lines wait in a bounded queue, are sent
 * again after failures, and are dropped and counted when it is full. The log of record is the store.
 * @throws OptionError
 */
export function gelfTransport(options: GelfTransportOptions): HttpTransport {
  const given = readOptions('gelfTransport', options, common);
  return httpTransport('gelf', given, 1, ([line]) => ({
    url: given.url,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(gelf(line!, given.host)),
  }));
}

/**
 * Sends lines of a winston logger to Splunk's HTTP Event Collector, up to 500 in one request; otherwise as {@link gelfTransport}.
 * @throws OptionError
 */
export function splunkTransport(options: SplunkTransportOptions): HttpTransport {
  const given = readOptions('splunkTransport', options, {
    ...common,
    token: option.secret({ minBytes: 8 }),
    index: option.optional(option.string({ max: 128 })),
    sourcetype: option.string({ max: 128, default: '_json' }),
  });
  const { token, host, index, sourcetype } = given;
  const url = `${given.url.replace(/\/+$/, '')}/services/collector/event`;
  return httpTransport('splunk', given, MAX_LINES, (lines) => ({
    url,
    headers: { 'content-type': 'application/json', authorization: `Splunk ${token.reveal()}` },
    body: lines
      .map(({ info: event, at }) =>
        JSON.stringify({ time: at / 1000, host, sourcetype, ...(index ? { index } : {}), event }),
      )
      .join('\n'),
  }));
}

function gelf({ info, at }: Line, host: string): object {
  const { level, message, ...rest } = info;
  const fields = Object.entries(rest).flatMap(([name, value]): [string, unknown][] => {
    // The specification keeps `_id` for itself, and allows these characters only.
    const label = `_${name.replace(/[^\w.-]/g, '_')}`;
    if (value === undefined || label === '_id') return [];
    const shown = typeof value === 'string' || typeof value === 'number' ? value : JSON.stringify(value);
    return [[label, shown]];
  });
  return {
    ...Object.fromEntries(fields),
    version: '1.1',
    host,
    short_message: typeof message === 'string' && message !== '' ? message : '-',
    timestamp: at / 1000,
    level: SEVERITY[String(level)] ?? 6,
  };
}

function httpTransport(
  name: string,
  given: {
    readonly maxPending: number;
    readonly deadline: number;
    readonly retryEvery: number;
    readonly clock: Clock;
    readonly fetch: typeof fetch | undefined;
  },
  together: number,
  request: (lines: readonly Line[]) => Request,
): HttpTransport {
  const { maxPending, deadline, retryEvery, clock } = given;
  const send = given.fetch ?? fetch;
  const queue: Line[] = [];
  let dropped = 0;
  let running: Promise<void> | undefined;
  let ended: (() => void) | undefined;

  const stream = new Writable({
    objectMode: true,
    write(info: Info, _encoding, done) {
      // Of when it was logged, however long the server is away.
      if (queue.length < maxPending) queue.push({ info: { ...info }, at: clock.now() });
      else dropped++;
      running ??= run().finally(() => {
        running = undefined;
        ended?.();
      });
      // Nobody waits for the network.
      done();
    },
    final(done) {
      if (running) ended = done;
      else done();
    },
  });
  return Object.defineProperties(stream, {
    log: { value: (info: object, next: () => void) => (stream.write(info), next()) },
    dropped: { get: () => dropped },
    name: { value: name },
  }) as HttpTransport;

  async function run(): Promise<void> {
    await Promise.resolve();
    while (queue.length > 0) {
      const lines = queue.slice(0, together);
      const outcome = await attempt(lines);
      if (outcome === 'again') {
        await new Promise((resolve) => setTimeout(resolve, retryEvery).unref());
        continue;
      }
      queue.splice(0, lines.length);
      if (outcome === 'refused') dropped += lines.length;
    }
  }

  async function attempt(lines: readonly Line[]): Promise<'sent' | 'again' | 'refused'> {
    try {
      const { url, headers, body } = request(lines);
      const signal = AbortSignal.timeout(deadline);
      const answer = await send(url, { method: 'POST', headers, body, signal, redirect: 'error' });
      await answer.arrayBuffer();
      if (answer.ok) return 'sent';
      // Too many at once, or trouble of the server's own: that passes. The other refusals do not.
      return answer.status === 429 || answer.status >= 500 ? 'again' : 'refused';
    } catch {
      return 'again';
    }
  }
}
