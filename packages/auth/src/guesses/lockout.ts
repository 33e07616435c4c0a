import { option, optionConflict, readOptions, type ClientAddress, type Duration } from '@portcullis/core';
import { storeOption } from '../checked-store.js';
import { createLadder, networkCountKey, type GuessStore, type LadderRules } from './ladder.js';

export interface LockoutOptions {
  /** A `KeyValueStore` (memory, Redis) or `postgresGuesses()`. */
  readonly store: GuessStore;
  /** Wrong guesses per account from one network, or by one known device, that are judged without a wait, 1 to 100. @default 5 */
  readonly free?: number;
  /** Wrong guesses per account from everywhere together that are judged without a wait, 1 to 100. @default 20 */
  readonly perAccount?: number;
  /** The first wait after them; each further guess doubles it. 1 s to 1 h. @default '30s' */
  readonly rest?: Duration;
  /** The longest wait for an account and for a known device. One network may have to wait for the whole `window`. @default '30m' */
  readonly maxRest?: Duration;
  /** After this time without a judged guess counting begins anew. 1 min to 30 d. @default '1d' */
  readonly window?: Duration;
  /** Wrong guesses in a row at one account after which nothing is judged for a whole `window`, 10 to 100. @default 100 */
  readonly most?: number;
  /** Wrong guesses per network (IPv4 /24, IPv6 /64) over all accounts within `networkWindow`, 1 to 100,000. @default 100 */
  readonly perNetwork?: number;
  /** @default '15m' */
  readonly networkWindow?: Duration;
}

export interface Guess {
  /** A pseudonym of the account. */
  readonly account: string;
  readonly address?: ClientAddress | undefined;
  /** The id of a device on which the owner has signed in before, from a cookie that was verified. */
  readonly device?: string | undefined;
}

export type LockoutVerdict =
  | {
      readonly allowed: true;
      /** True for the guess with which the waits of the account begin: the owner should hear of it. */
      readonly locks: boolean;
    }
  | {
      readonly allowed: false;
      readonly by: 'account' | 'pair' | 'device' | 'network';
      readonly retryAfterMs: number;
    };

/** @throws E_STORE_UNAVAILABLE | E_STORE_TIMEOUT (503): without the count nobody signs in */
export interface Lockout {
  /** Takes one guess out of the budgets, before it is judged: guesses at the same time cannot share one. */
  take(guess: Guess): Promise<LockoutVerdict>;
  /** The guess was right: what this network (or device) has spent on this account is given back, what others have is not. */
  succeeded(guess: Guess): Promise<void>;
}

/**
 * How often somebody may guess. Four counters, each with its own waits:
 * - a *known device* of the owner has a budget of its own and meets no other: nobody else can lock it out;
 * - a *pair* of account and network: waits that double up to a whole `window`, so that one network alone (some 16 guesses a
 *   day) never reaches the waits of the account;
 * - an *account* over all networks: at most 73 guesses a day with the defaults (20 free, 6 while the wait grows, one every half
 *   hour from then on), and never more than `most` in a row;
 * - a *network* over all accounts, which is told (429), unlike the others.
 * @see NIST SP 800-63B-4 section 3.2.2: at most 100 failed attempts in a row
 * @throws OptionError
 */
export function createLockout(options: LockoutOptions, path = ''): Lockout {
  const given = readOptions(
    'createLockout',
    options,
    {
      store: storeOption<GuessStore>(['get', 'set', 'increment', 'delete']),
      free: option.integer({ min: 1, max: 100, default: 5 }),
      perAccount: option.integer({ min: 1, max: 100, default: 20 }),
      rest: option.duration({ minMs: 1_000, maxMs: 3_600_000, default: '30s' }),
      maxRest: option.duration({ minMs: 1_000, maxMs: 86_400_000, default: '30m' }),
      window: option.duration({ minMs: 60_000, maxMs: 30 * 86_400_000, default: '1d' }),
      most: option.integer({ min: 10, max: 100, default: 100 }),
      perNetwork: option.integer({ min: 1, max: 100_000, default: 100 }),
      networkWindow: option.duration({ minMs: 60_000, maxMs: 86_400_000, default: '15m' }),
    },
    path,
  );
  const { store, free, perAccount, rest, maxRest, window, most, perNetwork, networkWindow } = given;
  const name = (key: string) => (path ? `${path}.${key}` : key);
  if (maxRest < rest) optionConflict('createLockout', name('maxRest'), 'maxRest must be at least rest');
  if (perAccount >= most)
    optionConflict('createLockout', name('perAccount'), 'perAccount must be less than most');

  const rules: LadderRules = { free, restMs: rest, maxRestMs: maxRest, most, windowMs: window };
  const accounts = createLadder(store, 'account', { ...rules, free: perAccount });
  const pairs = createLadder(store, 'pair', { ...rules, maxRestMs: window });
  const devices = createLadder(store, 'device', rules);
  const refused = (by: 'account' | 'pair' | 'device', retryAfterMs = rest) =>
    ({ allowed: false, by, retryAfterMs }) as const;

  async function takeOfAccount(account: string, pair: string | undefined): Promise<LockoutVerdict> {
    if (await accounts.resting(account)) return refused('account');
    if (pair !== undefined && !(await pairs.take(pair)).judged) return refused('pair');
    const step = await accounts.take(account);
    return step.judged ? { allowed: true, locks: step.begins } : refused('account');
  }

  return {
    async take({ account, address, device }) {
      if (device !== undefined) {
        const step = await devices.take(pairOf(account, device));
        return step.judged ? { allowed: true, locks: false } : refused('device');
      }
      if (!address) return takeOfAccount(account, undefined);
      const network = networkOf(address);
      const { value, ttlMs } = await store.increment(networkCountKey(network), 1, { ttlMs: networkWindow });
      const verdict = value <= perNetwork && (await takeOfAccount(account, pairOf(account, network)));
      if (verdict && verdict.allowed) return verdict;
      // What was not judged costs nothing, so that knocking at one account does not shut out a whole network.
      await store.increment(networkCountKey(network), -1, { ttlMs: networkWindow });
      return verdict || { allowed: false, by: 'network', retryAfterMs: ttlMs };
    },
    async succeeded({ account, address, device }) {
      if (device !== undefined) {
        await devices.clear(pairOf(account, device));
      } else if (address) {
        const network = networkOf(address);
        const spent = await pairs.clear(pairOf(account, network));
        await accounts.giveBack(account, spent);
        const counted = Number((await store.get(networkCountKey(network))) ?? 0);
        const back = Math.min(spent, counted);
        if (back > 0) await store.increment(networkCountKey(network), -back, { ttlMs: networkWindow });
      } else {
        await accounts.giveBack(account, 1);
      }
    },
  };
}

// An IPv6 household has a /64; an IPv4 attacker rents neighbours more easily than whole networks.
const networkOf = (address: ClientAddress) => address.prefix(address.version === 4 ? 24 : 64);
// Both are of a fixed alphabet without spaces.
const pairOf = (account: string, other: string) => `${account} ${other}`;
