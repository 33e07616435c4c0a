import { parseNetwork, type ClientAddress } from './address.js';
import { OptionError } from './option-error.js';

/** Named networks, as Express knows them. */
const NAMED: Readonly<Record<string, readonly string[]>> = Object.assign(Object.create(null), {
  loopback: ['127.0.0.0/8', '::1/128'],
  linklocal: ['169.254.0.0/16', 'fe80::/10'],
  uniquelocal: ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7'],
});

/**
 * Which hops are our own proxies: `false` for none, a number of hops, or the networks they live in
 * (`'10.0.0.0/8'`, an address, or `'loopback'`, `'linklocal'`, `'uniquelocal'`).
 */
export type TrustProxy = false | number | readonly string[];

/** True if the hop at this address, counted from 0 at the socket, is a proxy of ours. Same shape as Express's. */
export type ProxyTrust = (address: ClientAddress, hop: number) => boolean;

/** @throws OptionError for anything that could trust more than is written there, `true` included */
export function compileTrustProxy(value: unknown, owner = 'context'): ProxyTrust {
  if (value === false) return () => false;
  if (typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= 32)
    return (_, hop) => hop < value;
  if (Array.isArray(value) && value.length > 0) {
    const networks = value.flatMap((entry: unknown) => {
      const texts = typeof entry === 'string' ? (NAMED[entry] ?? [entry]) : [];
      const parsed = texts.map((text) => parseNetwork(text));
      if (parsed.length === 0 || parsed.includes(undefined)) {
        throw new OptionError(
          'E_OPTION_VALUE',
          owner,
          'trustProxy',
          `trustProxy has an entry that is no network: ${JSON.stringify(entry)}. Use forms such as "10.0.0.0/8" (host bits zero), "192.0.2.7" or "loopback".`,
        );
      }
      if (parsed.some((network) => network!.text.endsWith('/0'))) {
        throw new OptionError(
          'E_OPTION_VALUE',
          owner,
          'trustProxy',
          `trustProxy: ${JSON.stringify(entry)} is everybody, so that every client could choose its own address; name the networks of your proxies`,
        );
      }
      return parsed.map((network) => network!);
    });
    return (address) => networks.some((network) => network.contains(address));
  }
  const problem =
    value === undefined
      ? 'trustProxy is required: say false if clients connect directly, else the number of proxies or their networks'
      : value === true
        ? 'trustProxy: true would let every client choose its own address; name the number of proxies or their networks'
        : 'trustProxy must be false, a number of hops from 1 to 32, or a non-empty list of networks';
  throw new OptionError(
    value === undefined ? 'E_OPTION_REQUIRED' : 'E_OPTION_VALUE',
    owner,
    'trustProxy',
    problem,
  );
}
