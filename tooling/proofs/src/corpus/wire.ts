import { connect, type Socket } from 'node:net';

/** One answer as it came over the wire. */
export interface Answer {
  readonly status: number;
  /** Every header line: names in lower case, in their order. */
  readonly lines: readonly (readonly [name: string, value: string])[];
  /** The lines of one name joined as HTTP allows; `''` if there is none. Not for Set-Cookie. */
  header(name: string): string;
  has(name: string): boolean;
  readonly cookies: readonly string[];
  readonly body: string;
  /** False if the connection ended, or the waiting did, before its length was reached. */
  readonly complete: boolean;
  json(): unknown;
}

/** What a connection gave until it was closed, or until nobody wanted to wait any longer. */
export interface Exchange {
  readonly answers: readonly Answer[];
  readonly raw: string;
  /** Whether the other side ended the connection. */
  readonly closed: boolean;
  readonly ms: number;
}

export interface WireOptions {
  /** How long to wait for the end of the connection. */
  readonly waitMs?: number;
  /** Stop waiting as soon as so many answers are complete. */
  readonly answers?: number;
  /** Sends more after the first bytes, for slow clients. */
  readonly then?: (socket: Socket) => void;
  /** Our own address, to tell clients of one machine apart. */
  readonly from?: string;
}

/** Sends bytes over a socket of its own and reads what comes back. Latin-1, so that every byte can be written. */
export async function send(
  port: number,
  bytes: string | Buffer,
  options: WireOptions = {},
): Promise<Exchange> {
  const { waitMs = 15_000, answers: enough = Number.POSITIVE_INFINITY, then, from } = options;
  const started = performance.now();
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let closed = false;
    const socket = connect({
      port,
      host: '127.0.0.1',
      ...(from === undefined ? {} : { localAddress: from }),
    });
    const timer = setTimeout(finish, waitMs);
    socket.on('connect', () => {
      socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
      then?.(socket);
    });
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      if (parseAnswers(text()).filter(({ complete }) => complete).length >= enough) finish();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      closed = true;
      finish();
    });
    // A server that ends its side has said everything, even if it goes on listening.
    socket.on('end', () => {
      closed = true;
    });

    function text(): string {
      return Buffer.concat(chunks).toString('latin1');
    }
    function finish(): void {
      clearTimeout(timer);
      socket.destroy();
      const raw = text();
      resolve({ answers: parseAnswers(raw), raw, closed, ms: performance.now() - started });
    }
  });
}

/** The complete answers at the beginning of what was received, and a last one that ends with the connection. */
export function parseAnswers(raw: string): Answer[] {
  const answers: Answer[] = [];
  let at = 0;
  while (raw.startsWith('HTTP/1.', at)) {
    const headEnd = raw.indexOf('\r\n\r\n', at);
    if (headEnd < 0) break;
    const [statusLine = '', ...headerLines] = raw.slice(at, headEnd).split('\r\n');
    const status = Number(statusLine.split(' ')[1]);
    const lines = headerLines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
    });
    const { body, end } = bodyOf(raw, headEnd + 4, status, lines);
    answers.push(answer(status, lines, body, end !== undefined));
    if (end === undefined) break;
    at = end;
  }
  return answers;
}

function bodyOf(
  raw: string,
  start: number,
  status: number,
  lines: Answer['lines'],
): { body: string; end?: number } {
  const value = (name: string) => lines.find(([key]) => key === name)?.[1];
  if (status < 200 || status === 204 || status === 304) return { body: '', end: start };
  if (value('transfer-encoding') === 'chunked') {
    let body = '';
    let at = start;
    for (;;) {
      const lineEnd = raw.indexOf('\r\n', at);
      const size = Number.parseInt(raw.slice(at, lineEnd), 16);
      if (lineEnd < 0 || Number.isNaN(size)) return { body };
      body += raw.slice(lineEnd + 2, lineEnd + 2 + size);
      at = lineEnd + 2 + size + 2;
      if (size === 0) return { body, end: at };
      if (at > raw.length) return { body };
    }
  }
  const length = value('content-length');
  if (length === undefined) return { body: raw.slice(start) };
  const end = start + Number(length);
  if (raw.length < end) return { body: raw.slice(start) };
  return { body: raw.slice(start, end), end };
}

function answer(status: number, lines: Answer['lines'], body: string, complete: boolean): Answer {
  const all = (name: string) => lines.filter(([key]) => key === name).map(([, value]) => value);
  return {
    status,
    lines,
    complete,
    body: Buffer.from(body, 'latin1').toString('utf8'),
    cookies: all('set-cookie'),
    header: (name) => all(name.toLowerCase()).join(', '),
    has: (name) => all(name.toLowerCase()).length > 0,
    json() {
      return JSON.parse(this.body) as unknown;
    },
  };
}
