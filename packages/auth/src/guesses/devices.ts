import { createHmac, timingSafeEqual } from 'node:crypto';
import {
  option,
  optionConflict,
  readOptions,
  type Clock,
  type Duration,
  type Random,
  type Secret,
} from '@portcullis/core';

export interface DeviceKey {
  /** Short name that is written into each token. 1 to 32 of `a-z A-Z 0-9 _ -`. */
  readonly id: string;
  /** At least 32 bytes, the same in all processes. */
  readonly key: string | Secret<string>;
}

export interface DevicesOptions {
  /** The first signs, all verify. */
  readonly keys: readonly DeviceKey[];
  /** How long a device is known after the last sign-in on it. 1 d to 400 d. @default '180d' */
  readonly ttl?: Duration;
}

/** Says that the owner of an account has signed in on a device before. It signs nobody in. */
export interface Devices {
  readonly ttlMs: number;
  /**
   * A token for this account; on a device that is known already, the device keeps its id. `proven`: its owner has shown more on it than a
   * password or a mailbox.
   */
  issue(account: string, device?: string, proven?: boolean): string;
  /** The id of the device, if one of the tokens is a live one of this account. */
  find(account: string, tokens: readonly string[]): string | undefined;
  /** The same, of proven ones only. */
  findProven(account: string, tokens: readonly string[]): string | undefined;
}

const TOKEN = /^([A-Za-z0-9_-]{1,32})\.([A-Za-z0-9_-]{22})\.([0-9a-z]{1,11})\.([A-Za-z0-9_-]{43})$/;
const DAY = 86_400_000;
type Kind = 'device' | 'proven device';

/**
 * Tokens for known devices: `<key>.<device>.<since>.<HMAC-SHA-256 over these and the account>`. Whoever has one guesses out
 * of its own budget, so that strangers who guess at the account do not lock out its owner.
 * @see OWASP, "Slow Down Online Guessing Attacks with Device Cookies"
 * @throws OptionError
 */
export function createDevices(
  options: DevicesOptions,
  { clock, random }: { readonly clock: Clock; readonly random: Random },
  owner: string,
  path: string,
): Devices {
  const key = (value: unknown, _owner: string, at: string) =>
    readOptions(
      owner,
      value,
      { id: option.string({ pattern: /^[A-Za-z0-9_-]{1,32}$/ }), key: option.secret({ minBytes: 32 }) },
      at,
    );
  const { keys, ttl } = readOptions(
    owner,
    options,
    {
      keys: option.array(key, { min: 1, max: 16 }),
      ttl: option.duration({ minMs: DAY, maxMs: 400 * DAY, default: '180d' }),
    },
    path,
  );
  if (new Set(keys.map(({ id }) => id)).size < keys.length)
    optionConflict(owner, `${path}.keys`, `${path}.keys names one id twice. Give each key an id of its own`);

  const sign = (kind: Kind, secret: Secret<string>, account: string, facts: string): Buffer =>
    createHmac('sha256', secret.reveal()).update(`portcullis ${kind}\0${account}\0${facts}`).digest();

  function find(account: string, tokens: readonly string[], kinds: readonly Kind[]): string | undefined {
    for (const token of tokens) {
      const [, id = '', device = '', since = '', mac = ''] = TOKEN.exec(token) ?? [];
      const secret = keys.find((one) => one.id === id)?.key;
      const age = clock.now() - Number.parseInt(since, 36) * 1000;
      if (!secret || !(age < ttl && age >= -DAY)) continue;
      const given = Buffer.from(mac, 'base64url').subarray(0, 32);
      for (const kind of kinds)
        if (timingSafeEqual(sign(kind, secret, account, `${id}.${device}.${since}`), given)) return device;
    }
    return undefined;
  }

  return {
    ttlMs: ttl,
    issue(account, device = random.bytes(16).toString('base64url'), proven = false) {
      const { id, key: secret } = keys[0]!;
      const facts = `${id}.${device}.${Math.floor(clock.now() / 1000).toString(36)}`;
      const mac = sign(proven ? 'proven device' : 'device', secret, account, facts);
      return `${facts}.${mac.toString('base64url')}`;
    },
    find: (account, tokens) => find(account, tokens, ['device', 'proven device']),
    findProven: (account, tokens) => find(account, tokens, ['proven device']),
  };
}
