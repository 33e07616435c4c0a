declare const storeKeyBrand: unique symbol;
/** Made by {@link storeKey} only, so that no two key tuples can collide. */
export type StoreKey = string & { readonly [storeKeyBrand]: true };

export interface CallOptions {
  /** Refuse with E_STORE_TIMEOUT after this many milliseconds. @default the store's own `timeoutMs` */
  readonly deadlineMs?: number;
}

export interface Counter {
  /** The count after this call. */
  readonly value: number;
  /** Milliseconds until the counter expires. */
  readonly ttlMs: number;
}

/**
 * A named atomic operation over keys of one hash tag: a Lua text for Redis, a function for memory.
 * Both must answer alike; the store's conformance suite is the place to show it.
 */
export interface StoreScript<Args extends readonly (string | number)[], Result> {
  readonly name: string;
  /** Redis Lua: keys in `KEYS`, arguments in `ARGV`; times are passed in as arguments, in milliseconds. */
  readonly lua: string;
  /** The same operation on memory, given synchronous access to the entries. */
  memory(entries: ScriptEntries, keys: readonly StoreKey[], args: Args): Result;
  /** Turns Redis's reply into the result. */
  reply(raw: unknown): Result;
}

export interface ScriptEntries {
  get(key: StoreKey): string | undefined;
  set(key: StoreKey, value: string, ttlMs?: number): void;
  delete(key: StoreKey): void;
}

/**
 * Where small facts are kept: counters, tokens, flags, hints. Values are strings; absent is `undefined`.
 * Every call is atomic and has a deadline.
 * @throws E_STORE_UNAVAILABLE | E_STORE_TIMEOUT (both 503) when the store cannot answer
 */
export interface KeyValueStore {
  /** Short name for events and messages: `memory`, `redis`. */
  readonly kind: string;
  /** True if other processes see what is written here. */
  readonly shared: boolean;
  get(key: StoreKey, options?: CallOptions): Promise<string | undefined>;
  /** Returns whether it was written (always, except with `ifAbsent` on a key that exists). Without `ttlMs` the entry stays. */
  set(
    key: StoreKey,
    value: string,
    options?: CallOptions & { readonly ttlMs?: number; readonly ifAbsent?: boolean },
  ): Promise<boolean>;
  /** Reads and deletes in one step: of many callers exactly one gets the value. */
  take(key: StoreKey, options?: CallOptions): Promise<string | undefined>;
  /** Replaces `expected` by `next` if it still stands there; returns whether it did. `undefined` expected means absent. */
  swap(
    key: StoreKey,
    expected: string | undefined,
    next: string,
    options?: CallOptions & { readonly ttlMs?: number },
  ): Promise<boolean>;
  /** Adds to a counter. `ttlMs` is set when the counter is created; with `extend` at every call. */
  increment(
    key: StoreKey,
    by: number,
    options: CallOptions & { readonly ttlMs: number; readonly extend?: boolean },
  ): Promise<Counter>;
  /** Returns whether there was something to delete. */
  delete(key: StoreKey, options?: CallOptions): Promise<boolean>;
  /**
   * A set of members, such as the sessions of a user. Each member leaves by itself `ttlMs` after it was last added;
   * without `ttlMs` it stays. `members` answers in no particular order.
   */
  readonly index: {
    add(key: StoreKey, member: string, options?: CallOptions & { readonly ttlMs?: number }): Promise<void>;
    remove(key: StoreKey, member: string, options?: CallOptions): Promise<void>;
    members(key: StoreKey, options?: CallOptions): Promise<string[]>;
  };
  script<Args extends readonly (string | number)[], Result>(
    script: StoreScript<Args, Result>,
    keys: readonly StoreKey[],
    args: Args,
    options?: CallOptions,
  ): Promise<Result>;
}

const NAMESPACE = /^[a-z][a-z0-9-]{0,31}$/;

/**
 * The key of a tuple. Parts are length-prefixed, so `('a','bc')` and `('ab','c')` differ, whatever they contain.
 * The first part is the Redis Cluster hash tag: keys that one script touches must share namespace and first part.
 */
export function storeKey(namespace: string, first: string, ...rest: readonly string[]): StoreKey {
  if (!NAMESPACE.test(namespace))
    throw new TypeError(`A store namespace matches ${NAMESPACE}, not ${JSON.stringify(namespace)}.`);
  return `${namespace}:{${encodePart(first)}}${rest.map(encodePart).join('')}` as StoreKey;
}

// Lone surrogates all become U+FFFD in UTF-8: such parts are written in hexadecimal instead. Braces are too,
// because Redis ends the hash tag at the first closing one.
function encodePart(part: string): string {
  if (part.isWellFormed() && !/[{}]/.test(part)) return `${part.length}:${part}`;
  const hex = Buffer.from(part, 'utf16le').toString('hex');
  return `${hex.length}x${hex}`;
}
