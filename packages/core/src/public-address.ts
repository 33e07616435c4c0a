import { parseAddress, parseNetwork, type ClientAddress, type Network } from './address.js';
import { parseUrl } from './parse-url.js';

/** Why an address is not one of the public internet; `undefined` where it is. */
export type AddressReason =
  | 'unreadable'
  | 'zone'
  | 'unspecified'
  | 'private'
  | 'shared'
  | 'loopback'
  | 'link-local'
  | 'metadata'
  | 'reserved'
  | 'documentation'
  | 'benchmark'
  | 'multicast'
  | 'mapped'
  | 'tunnel'
  | 'not-global';

type Row = readonly [network: string, reason: AddressReason];

/** IANA IPv4 Special-Purpose Address Registry (RFC 6890), and one public address that is a cloud's own. */
const IPV4: readonly Row[] = [
  ['0.0.0.0/8', 'unspecified'],
  ['10.0.0.0/8', 'private'],
  ['100.64.0.0/10', 'shared'],
  ['127.0.0.0/8', 'loopback'],
  ['168.63.129.16/32', 'metadata'],
  ['169.254.0.0/16', 'link-local'],
  ['172.16.0.0/12', 'private'],
  ['192.0.0.0/24', 'reserved'],
  ['192.0.2.0/24', 'documentation'],
  ['192.88.99.0/24', 'tunnel'],
  ['192.168.0.0/16', 'private'],
  ['198.18.0.0/15', 'benchmark'],
  ['198.51.100.0/24', 'documentation'],
  ['203.0.113.0/24', 'documentation'],
  ['224.0.0.0/4', 'multicast'],
  ['240.0.0.0/4', 'reserved'],
];

/** What is no public host although it lies in 2000::/3, or has a better name than "not global". */
const IPV6: readonly Row[] = [
  ['::/128', 'unspecified'],
  ['::1/128', 'loopback'],
  ['::/96', 'mapped'],
  ['::ffff:0:0:0/96', 'mapped'],
  ['64:ff9b:1::/48', 'tunnel'],
  ['100::/64', 'reserved'],
  ['2001::/32', 'tunnel'],
  ['2001:db8::/32', 'documentation'],
  ['2001::/23', 'reserved'],
  ['2002::/16', 'tunnel'],
  ['2620:4f:8000::/48', 'reserved'],
  ['3fff::/20', 'documentation'],
  ['5f00::/16', 'reserved'],
  ['fc00::/7', 'private'],
  ['fe80::/10', 'link-local'],
  ['fec0::/10', 'private'],
  ['ff00::/8', 'multicast'],
];

const GLOBAL = network('2000::/3');
const ROWS: Readonly<
  Record<4 | 6, readonly { readonly network: Network; readonly reason: AddressReason }[]>
> = {
  4: IPV4.map(([text, reason]) => ({ network: network(text), reason })),
  6: IPV6.map(([text, reason]) => ({ network: network(text), reason })),
};

/**
 * Why an address, as a resolver or a URL gives it, is none of the public internet; undefined for one that is. IPv4 inside IPv6 is refused in every form that a machine might route
 * to the IPv4 host (mapped, compatible, translated, 6to4, Teredo, ISATAP); only the well-known NAT64 prefix, through which networks
 * without IPv4 reach everything, counts as the address inside it.
 * @see RFC 6890, RFC 4291, RFC 6052
 */
export function judgeAddress(text: string): AddressReason | undefined {
  if (text.includes('%')) return 'zone';
  const address = parseAddress(text);
  if (!address) return 'unreadable';
  if (text.includes(':') && address.version === 4 && !isNat64(text)) return 'mapped';
  const row = ROWS[address.version].find((one) => one.network.contains(address));
  if (row) return row.reason;
  if (address.version === 4) return undefined;
  if (!GLOBAL.contains(address)) return 'not-global';
  return isIsatap(address) ? 'tunnel' : undefined;
}

// The URL parser writes one spelling of an IPv6 address and leaves what is inside it as it is.
function isNat64(text: string): boolean {
  return parseUrl(`http://[${text}]`)?.hostname.startsWith('[64:ff9b::') === true;
}

/** Interface identifiers 0:5efe and 200:5efe carry an IPv4 address (RFC 5214 6.1). */
function isIsatap({ ip }: ClientAddress): boolean {
  const tail = ip.split(':').slice(-3);
  if (tail[0] !== '5efe') return false;
  const before = ip.split(':').at(-4);
  return before === '' || before === '0' || before === '200';
}

function network(text: string): Network {
  const parsed = parseNetwork(text);
  if (!parsed) throw new TypeError(`${text} is no network.`);
  return parsed;
}
