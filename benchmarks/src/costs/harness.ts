import { IncomingMessage, ServerResponse, type IncomingHttpHeaders } from 'node:http';
import { Socket } from 'node:net';

/** One of the things that are measured in turns. `call` is timed; what `prepare` makes for it is not. */
export interface CostCase<Input = unknown> {
  readonly name: string;
  prepare?(): Input;
  /** May return a promise: calls then follow one another, and the waiting costs what it costs. */
  call(input: Input): unknown;
}

/** What the project promises: the median of `ours / peer`, each pair of the same round, is at most this. */
export interface CostClaim {
  readonly ours: string;
  readonly peer: string;
  readonly atMost: number;
}

/** What a file measures once by other means than time, such as memory; it exports them as `figures`. */
export interface CostFigure {
  readonly text: string;
  readonly held: boolean;
}

/** Cases that stand beside each other in one table. The first is what its ratios refer to. */
export interface CostGroup {
  readonly title: string;
  /** What the reader has to know about the cases. */
  readonly note?: string;
  readonly cases: readonly CostCase[];
  readonly claims?: readonly CostClaim[];
  /** Calls timed as one, 1 to 100,000; a batch should take at least a millisecond. @default 200 */
  readonly batch?: number;
  /** Batches of a case in one round. @default 50 */
  readonly batches?: number;
  /** Names in the manifest of `benchmarks/` whose versions belong under the table. */
  readonly peers?: readonly string[];
}

/** Lets an inference site name the input type once: `costCase({ name, prepare: () => 1, call: (n) => n + 1 })`. */
export function costCase<Input>(given: CostCase<Input>): CostCase {
  return given as CostCase;
}

export interface ExchangeOptions {
  readonly method?: string;
  readonly url?: string;
  readonly headers?: IncomingHttpHeaders;
  /** The client speaks TLS with this process. @default true */
  readonly encrypted?: boolean;
}

/** A real request and response of node:http on a socket that leads nowhere. */
export function exchange(options: ExchangeOptions = {}): {
  readonly req: IncomingMessage;
  readonly res: ServerResponse & { locals: Record<string, unknown> };
} {
  const { method = 'GET', url = '/', headers = {}, encrypted = true } = options;
  const req = Object.assign(new IncomingMessage(encrypted ? secureSocket : plainSocket), {
    method,
    url,
    headers,
  });
  return { req, res: Object.assign(new ServerResponse(req), { locals: {} }) };
}

/** `next` of a middleware that has to let the request pass. */
export function mustPass(error?: unknown): void {
  if (error !== undefined) throw error;
}

function deadSocket(encrypted: boolean): Socket {
  const socket = Object.assign(new Socket(), { encrypted });
  Object.defineProperty(socket, 'remoteAddress', { value: '203.0.113.9' });
  return socket;
}

const secureSocket = deadSocket(true);
const plainSocket = deadSocket(false);
