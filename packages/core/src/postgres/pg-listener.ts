import { sql } from '../sql.js';
import { Listeners } from '../listeners.js';
import { Deadline } from './deadline.js';
import type { PgClientLike, PgPoolLike } from './pg-types.js';

interface Notification {
  readonly channel: string;
  readonly payload?: string;
}

interface ListeningClient extends PgClientLike {
  connect(): Promise<unknown>;
  end(): Promise<unknown>;
  unref?(): void;
  on(event: 'error' | 'end', listener: (error: Error) => void): unknown;
  on(event: 'notification', listener: (message: Notification) => void): unknown;
}

interface PoolInternals {
  readonly Client?: new (config: object) => ListeningClient;
  readonly options?: object;
}

const RETRY_MS = [100, 250, 500, 1000, 2000, 5000];

/**
 * One connection beside the pool that LISTENs on all channels, made again when it is lost. After each (re)connection every
 * listener is called once with an empty payload, because something may have been missed.
 */
export class PgListener {
  readonly #pool: PoolInternals;
  readonly #connectMs: number;
  readonly #channels = new Map<string, Listeners<string>>();
  #client: ListeningClient | undefined;
  #connecting: Promise<void> | undefined;
  #retry: NodeJS.Timeout | undefined;
  #failures = 0;

  constructor(pool: PgPoolLike, connectMs: number) {
    this.#pool = pool as PoolInternals;
    this.#connectMs = connectMs;
  }

  /** Resolves when the first attempt has ended, successful or not; further ones follow by themselves. */
  async listen(channel: string, fn: (payload: string) => void): Promise<() => Promise<void>> {
    const listeners = this.#channels.get(channel) ?? new Listeners<string>();
    const known = this.#channels.has(channel);
    this.#channels.set(channel, listeners);
    const remove = listeners.add(fn);
    if (!this.#client) await this.#connect();
    else if (!known) await this.#subscribe(this.#client, channel).catch(() => this.#lost());
    return async () => {
      remove();
      if (listeners.size > 0 || this.#channels.get(channel) !== listeners) return;
      this.#channels.delete(channel);
      if (this.#channels.size === 0) this.#close();
      else
        await this.#client
          ?.query({ text: `unlisten ${sql.identifier(channel).text}` })
          .catch(() => this.#lost());
    };
  }

  #connect(): Promise<void> {
    this.#connecting ??= this.#tryConnect().finally(() => (this.#connecting = undefined));
    return this.#connecting;
  }

  async #tryConnect(): Promise<void> {
    const { Client, options } = this.#pool;
    if (!Client || !options) return; // A pool without pg's own fields: polling has to do.
    let client: ListeningClient | undefined;
    try {
      client = new Client(options); // As it is: a copy would lose the password, which is not enumerable.
      const own = client;
      client.on('error', () => this.#lost(own));
      client.on('end', () => this.#lost(own));
      client.on('notification', ({ channel, payload }) => this.#tell(channel, payload ?? ''));
      const deadline = new Deadline(this.#connectMs);
      await deadline.bound(client.connect(), 'connecting for LISTEN');
      for (const channel of this.#channels.keys()) {
        await deadline.bound(this.#subscribe(client, channel), 'LISTEN');
      }
    } catch {
      if (client) this.#discard(client);
      this.#retryLater();
      return;
    }
    if (this.#channels.size === 0) return this.#discard(client);
    client.unref?.();
    this.#client = client;
    this.#failures = 0;
    for (const channel of this.#channels.keys()) this.#tell(channel, '');
  }

  async #subscribe(client: PgClientLike, channel: string): Promise<void> {
    await client.query({ text: `listen ${sql.identifier(channel).text}` });
  }

  #tell(channel: string, payload: string): void {
    try {
      this.#channels.get(channel)?.deliver(payload);
    } catch (error) {
      process.emitWarning(error instanceof Error ? error : String(error));
    }
  }

  #lost(client = this.#client): void {
    if (!client || client !== this.#client) return;
    this.#client = undefined;
    this.#discard(client);
    this.#retryLater();
  }

  #retryLater(): void {
    if (this.#channels.size === 0 || this.#retry) return;
    const pause = RETRY_MS[Math.min(this.#failures++, RETRY_MS.length - 1)]!;
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      if (this.#channels.size > 0 && !this.#client) void this.#connect();
    }, pause);
    this.#retry.unref();
  }

  #close(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
    const client = this.#client;
    this.#client = undefined;
    if (client) this.#discard(client);
  }

  #discard(client: ListeningClient): void {
    // pg waits for the server's goodbye; a server that hangs gives none.
    client.end().catch(() => undefined);
    const { connection } = client as { connection?: { stream?: { destroy(): void } } };
    setTimeout(() => connection?.stream?.destroy(), 1000).unref();
  }
}
