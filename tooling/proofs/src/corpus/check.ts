import { send, type Answer, type Exchange, type WireOptions } from './wire.js';

/** The kinds of attack, in the order of the report. */
export const GROUPS = [
  'headers',
  'cors',
  'csrf',
  'rate limits',
  'bodies',
  'query and paths',
  'validation',
  'errors',
  'hosts and addresses',
  'malformed HTTP',
  'slow clients',
  'cookies',
  'redirects',
  'caching',
] as const;
export type Group = (typeof GROUPS)[number];

export interface Check {
  readonly id: string;
  readonly group: Group;
  /** What the client sends. */
  readonly sends: string;
  /** What must be true. */
  readonly must: string;
  /** Mutants of ours, of which at least one must fail the check; needed where every baseline passes it. */
  readonly mutants?: readonly Mutant[];
  /** Throws, or resolves with anything but `true`, if it is not so. */
  readonly run: (client: Client) => Promise<boolean>;
}

/** What is taken out of our stack, or put in the place of a part. */
export const MUTANTS = [
  'no headers',
  'reflecting cors',
  'no csrf',
  'no limits',
  'one bucket',
  'plain bodies',
  'no validation',
  'plain errors',
  'bare guard',
  'no host list',
  'lenient parser',
  'no time limits',
] as const;
export type Mutant = (typeof MUTANTS)[number];

export interface RequestParts {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly body?: string | Buffer;
  /** Header lines as they stand, after the others: doubled names, odd spellings. */
  readonly lines?: readonly string[];
}

/** What runs a check needs to know of the process that serves. */
export interface Serving {
  readonly port: number;
  /** Header lines with which this stack takes a change of state for its own page's (a token, for those that need one). */
  readonly legitimate: () => Promise<Readonly<Record<string, string>>>;
  readonly probe: <T>(name: ProbeName, argument: string) => Promise<T>;
}
export type ProbeName = 'calls' | 'polluted';

/** The service's own name; every request comes over a proxy on 127.0.0.1 that has ended TLS. */
export const HOST = 'shop.example';
export const ORIGIN = `https://${HOST}`;

/** One client, with an address of its own, so that limits of one check do not touch another. */
export class Client {
  static #count = 0;
  readonly address: string;
  readonly id: string;

  constructor(
    readonly serving: Serving,
    readonly checkId: string,
  ) {
    const number = ++Client.#count;
    this.address = `198.${18 + ((number >> 16) & 1)}.${(number >> 8) & 255}.${number & 255}`;
    this.id = `${checkId}#${number}`;
  }

  /** A request as text. A header that is `undefined` is left out, those that a proxy sets included. */
  text(parts: RequestParts = {}): Buffer {
    const { method = 'GET', path = '/api/hello', headers = {}, lines = [] } = parts;
    const body = parts.body === undefined ? undefined : Buffer.from(parts.body);
    const given = new Map<string, string | undefined>(
      Object.entries({
        host: HOST,
        'x-forwarded-for': this.address,
        'x-forwarded-proto': 'https',
        'x-check': this.id,
        connection: 'close',
        ...(body === undefined ? {} : { 'content-length': String(body.length) }),
      }),
    );
    for (const [name, value] of Object.entries(headers)) given.set(name.toLowerCase(), value);
    const text = [...given].flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}`]));
    const head = [`${method} ${path} HTTP/1.1`, ...text, ...lines, '', ''].join('\r\n');
    return Buffer.concat([Buffer.from(head, 'latin1'), body ?? Buffer.alloc(0)]);
  }

  async exchange(bytes: string | Buffer, options?: WireOptions): Promise<Exchange> {
    return send(this.serving.port, bytes, options);
  }

  /** The answer to one request. @throws if none came */
  async ask(parts: RequestParts = {}, options?: WireOptions): Promise<Answer> {
    const { answers, raw } = await this.exchange(this.text(parts), { answers: 1, ...options });
    const [first] = answers.filter(({ status }) => status >= 200);
    if (!first) throw new Error(`no answer, but ${JSON.stringify(raw.slice(0, 100))}`);
    return first;
  }

  async get(path: string, headers: RequestParts['headers'] = {}): Promise<Answer> {
    return this.ask({ path, headers });
  }

  /** A change of state that this stack must take for one of its own pages, except for what the check changes. */
  async change(parts: RequestParts): Promise<Answer> {
    const legitimate = await this.serving.legitimate();
    return this.ask({
      method: 'POST',
      path: '/api/items',
      ...parts,
      headers: { ...legitimate, ...parts.headers },
    });
  }

  async json(body: string | Buffer, parts: RequestParts = {}): Promise<Answer> {
    return this.change({ ...parts, body, headers: { 'content-type': 'application/json', ...parts.headers } });
  }

  /** Handlers that requests of this client have reached. */
  async reached(): Promise<readonly string[]> {
    return this.serving.probe<readonly string[]>('calls', this.id);
  }
}

export function check(
  group: Group,
  id: string,
  sends: string,
  must: string,
  run: Check['run'],
  ...mutants: readonly Mutant[]
): Check {
  return { id, group, sends, must, run, mutants };
}
