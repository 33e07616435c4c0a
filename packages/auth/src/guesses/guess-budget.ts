import {
  option,
  readOptions,
  storeKey,
  systemClock,
  type ClientAddress,
  type Clock,
  type Duration,
  type KeyValueStore,
} from '@portcullis/core';

export interface GuessBudgetOptions {
  readonly store: KeyValueStore;
  /** Wrong guesses per account and window that are judged without a wait, 1 to 100. @default 5 */
  readonly free?: number;
  /**
   * The first wait after them; each further guess doubles it, up to `maxRest`. 1 s to 1 h. @default '30s'
   */
  readonly rest?: Duration;
  /** @default '30m' */
  readonly maxRest?: Duration;
  /** After this time without a judged guess an account begins anew. 1 min to 30 d. @default '1d' */
  readonly window?: Duration;
  /** Wrong guesses per network (IPv4 /24, IPv6 /64) within `networkWindow`, 1 to 100,000. @default 100 */
  readonly perNetwork?: number;
  /** @default '15m' */
  readonly networkWindow?: Duration;
  readonly clock?: Clock;
}

export interface Guess {
  /** A pseudonym of the account, from {@link accountKey}. */
  readonly account: string;
  readonly address?: ClientAddress | undefined;
}

export type GuessVerdict =
  | { readonly allowed: true }
  | { readonly allowed: false; readonly by: 'account' | 'network'; readonly retryAfterMs: number };

/** @throws E_STORE_UNAVAILABLE | E_STORE_TIMEOUT (503): without the count nobody signs in */
export interface GuessBudget {
  /** Takes one guess out of the budgets, before it is judged: guesses at the same time cannot share one. */
  take(guess: Guess): Promise<GuessVerdict>;
  /** The guess was right: the account begins anew, the network gets this one back. */
  succeeded(guess: Guess): Promise<void>;
}

const TAG = 'auth-guess';

/**
 * How often somebody may guess: per account over all addresses, with growing waits, and per network over all accounts.
 * With the defaults an account is worth at most 60 guesses a day to everybody together: 5 free, 6 while the wait
 * grows, one every half hour from then on.
 * @see NIST SP 800-63B-4 section 3.2.2, at most 100 failed attempts in a row
 * @throws OptionError
 */
export function createGuessBudget(options: GuessBudgetOptions, path = ''): GuessBudget {
  const { store, free, rest, maxRest, window, perNetwork, networkWindow } = readOptions(
    'createGuessBudget',
    options,
    {
      store: option.port<KeyValueStore>(['get', 'set', 'increment', 'delete']),
      free: option.integer({ min: 1, max: 100, default: 5 }),
      rest: option.duration({ minMs: 1_000, maxMs: 3_600_000, default: '30s' }),
      maxRest: option.duration({ minMs: 1_000, maxMs: 86_400_000, default: '30m' }),
      window: option.duration({ minMs: 60_000, maxMs: 30 * 86_400_000, default: '1d' }),
      perNetwork: option.integer({ min: 1, max: 100_000, default: 100 }),
      networkWindow: option.duration({ minMs: 60_000, maxMs: 86_400_000, default: '15m' }),
      clock: option.port<Clock>(['now', 'monotonic'], systemClock),
    },
    path,
  );

  async function takeOfNetwork(address: ClientAddress | undefined): Promise<GuessVerdict> {
    if (!address) return { allowed: true };
    const { value, ttlMs } = await store.increment(networkKey(address), 1, { ttlMs: networkWindow });
    return value <= perNetwork ? { allowed: true } : { allowed: false, by: 'network', retryAfterMs: ttlMs };
  }

  async function takeOfAccount(account: string): Promise<GuessVerdict> {
    const resting = { allowed: false, by: 'account', retryAfterMs: rest } as const;
    // While an account rests, nothing is counted: an attacker cannot make its owner wait longer by knocking.
    if ((await store.get(restKey(account))) !== undefined) return resting;
    const { value } = await store.increment(failKey(account), 1, { ttlMs: window, extend: true });
    if (value <= free) return { allowed: true };
    const pause = Math.min(maxRest, rest * 2 ** Math.min(40, value - free - 1));
    // Whoever begins the rest is the one guess before it; others at the same time come too late.
    const first = await store.set(restKey(account), '1', { ttlMs: pause, ifAbsent: true });
    return first ? { allowed: true } : resting;
  }

  return {
    async take({ account, address }) {
      const network = await takeOfNetwork(address);
      return network.allowed ? takeOfAccount(account) : network;
    },
    async succeeded({ account, address }) {
      await store.delete(failKey(account));
      await store.delete(restKey(account));
      if (address) await store.increment(networkKey(address), -1, { ttlMs: networkWindow });
    },
  };
}

const failKey = (account: string) => storeKey(TAG, account, 'count');
const restKey = (account: string) => storeKey(TAG, account, 'rest');
// An IPv6 household has a /64; an IPv4 attacker rents neighbours more easily than whole networks.
const networkKey = (address: ClientAddress) =>
  storeKey(TAG, address.prefix(address.version === 4 ? 24 : 64), 'network');
