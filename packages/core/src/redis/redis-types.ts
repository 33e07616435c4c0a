// What is used of `ioredis` 5 and 6: its types are no dependency of this package.

/** An `ioredis` client (single, Sentinel or Cluster), or anything with its shape. */
export interface RedisClientLike {
  /** Sends any command. */
  call(command: string, ...args: (string | number)[]): Promise<unknown>;
  /** `ready` when commands are answered; a client without it is asked whatever its state. */
  readonly status?: string;
}

/** An `ioredis` connection of its own for SUBSCRIBE, such as `client.duplicate()`. */
export interface RedisSubscriberLike {
  subscribe(channel: string): Promise<unknown>;
  unsubscribe(channel: string): Promise<unknown>;
  on(event: 'message', listener: (channel: string, message: string) => void): unknown;
  on(event: 'ready', listener: () => void): unknown;
  removeListener(event: 'message', listener: (channel: string, message: string) => void): unknown;
  removeListener(event: 'ready', listener: () => void): unknown;
}
