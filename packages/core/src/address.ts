/**
 * Client addresses, parsed strictly (RFC 4291, RFC 5952, RFC 6052, RFC 4007).
 * One client has one spelling: mapped (`::ffff:1.2.3.4`) and NAT64 (`64:ff9b::1.2.3.4`) forms are the IPv4
 * address inside them, zone ids are dropped, IPv6 is compressed and lower-case.
 */
export interface ClientAddress {
  /** Canonical text, RFC 5952 for IPv6. */
  readonly ip: string;
  readonly version: 4 | 6;
  /**
   * The network of this address, such as `2001:db8:1:2::/64`. `bits` 0 to 32 for IPv4, 0 to 128 for IPv6.
   * What counts as one client: IPv4 /32, IPv6 /64 (a household has at least that much).
   */
  prefix(bits: number): string;
  /** The prefix that counts as one client: the address itself for IPv4, its /64 for IPv6. */
  readonly key: string;
}

/** Eight 16-bit groups; IPv4 in the last two with `version` 4. */
interface Parsed {
  readonly version: 4 | 6;
  readonly groups: readonly number[];
}

/** The address, or undefined if the text is none. Accepts brackets and a port as proxies send them only with {@link parseForwardedAddress}. */
export function parseAddress(text: string): ClientAddress | undefined {
  const parsed = parse(text);
  return parsed && new Address(parsed);
}

/** As {@link parseAddress}, but also `1.2.3.4:80`, `[2001:db8::1]:80` and `[2001:db8::1]`, as seen in forwarding headers. */
export function parseForwardedAddress(text: string): ClientAddress | undefined {
  const match = /^\[([^\]]+)\](?::\d{1,5})?$/.exec(text) ?? /^(\d{1,3}(?:\.\d{1,3}){3}):\d{1,5}$/.exec(text);
  return parseAddress(match ? match[1]! : text);
}

/** A network such as `10.0.0.0/8`, or a single address. */
export interface Network {
  contains(address: ClientAddress): boolean;
  readonly text: string;
}

/** Reads `address` or `address/bits`; host bits must be zero. Undefined if the text is no network. */
export function parseNetwork(text: string): Network | undefined {
  const [base = '', size, ...rest] = text.split('/');
  const parsed = parse(base);
  if (!parsed || rest.length > 0 || (size !== undefined && !/^\d{1,3}$/.test(size))) return undefined;
  const width = parsed.version === 4 ? 32 : 128;
  const bits = size === undefined ? width : Number(size);
  if (bits > width) return undefined;
  const prefix = new Address(parsed).prefix(bits);
  if (size !== undefined && prefix !== `${new Address(parsed).ip}/${bits}`) return undefined;
  return {
    text: prefix,
    contains: (address) => address.version === parsed.version && address.prefix(bits) === prefix,
  };
}

class Address implements ClientAddress {
  readonly version: 4 | 6;
  readonly ip: string;
  readonly #groups: readonly number[];
  #key: string | undefined;

  constructor(parsed: Parsed) {
    this.version = parsed.version;
    this.#groups = parsed.groups;
    this.ip = format(parsed);
  }

  get key(): string {
    this.#key ??= this.version === 4 ? this.ip : this.prefix(64);
    return this.#key;
  }

  prefix(bits: number): string {
    const width = this.version === 4 ? 32 : 128;
    if (!Number.isInteger(bits) || bits < 0 || bits > width) {
      throw new RangeError(`A prefix of IPv${this.version} has 0 to ${width} bits, not ${bits}.`);
    }
    const offset = this.version === 4 ? 96 : 0;
    const groups = this.#groups.map((group, i) => {
      const kept = Math.min(16, Math.max(0, bits + offset - i * 16));
      return group & (0xffff << (16 - kept)) & 0xffff;
    });
    return `${format({ version: this.version, groups })}/${bits}`;
  }
}

function parse(text: string): Parsed | undefined {
  if (text.length > 100) return undefined;
  if (!text.includes(':')) {
    const v4 = parseV4(text);
    return v4 && { version: 4, groups: [0, 0, 0, 0, 0, 0, ...v4] };
  }
  const zone = text.indexOf('%');
  if (zone === 0 || zone === text.length - 1) return undefined;
  const groups = parseV6(zone < 0 ? text : text.slice(0, zone));
  if (!groups) return undefined;
  return embedsV4(groups)
    ? { version: 4, groups: [0, 0, 0, 0, 0, 0, groups[6]!, groups[7]!] }
    : { version: 6, groups };
}

// Mapped ::ffff:0:0/96 (RFC 4291 2.5.5.2) and the well-known NAT64 prefix 64:ff9b::/96 (RFC 6052 2.1).
function embedsV4(groups: readonly number[]): boolean {
  const [a, b, c, d, e, f] = groups;
  if (b === 0 && a === 0) return c === 0 && d === 0 && e === 0 && f === 0xffff;
  return a === 0x64 && b === 0xff9b && c === 0 && d === 0 && e === 0 && f === 0;
}

// Four decimal numbers without leading zeros: octal and short forms mean different hosts to different programs.
function parseV4(text: string): [number, number] | undefined {
  const match = /^(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})$/.exec(text);
  if (!match) return undefined;
  const bytes = match.slice(1).map(Number);
  if (bytes.some((byte, i) => byte > 255 || String(byte) !== match[i + 1])) return undefined;
  return [(bytes[0]! << 8) | bytes[1]!, (bytes[2]! << 8) | bytes[3]!];
}

function parseV6(text: string): number[] | undefined {
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0]!, halves.length === 1);
  const tail = halves.length === 2 ? parseGroups(halves[1]!, true) : [];
  if (!head || !tail) return undefined;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return undefined;
  return [...head, ...Array.from({ length: missing }, () => 0), ...tail];
}

function parseGroups(text: string, mayEndInV4: boolean): number[] | undefined {
  if (text === '') return [];
  const parts = text.split(':');
  const groups: number[] = [];
  for (const [i, part] of parts.entries()) {
    if (/^[0-9a-fA-F]{1,4}$/.test(part)) {
      groups.push(Number.parseInt(part, 16));
    } else {
      const v4 = mayEndInV4 && i === parts.length - 1 ? parseV4(part) : undefined;
      if (!v4) return undefined;
      groups.push(...v4);
    }
  }
  return groups.length > 8 ? undefined : groups;
}

function format({ version, groups }: Parsed): string {
  if (version === 4) {
    const [high, low] = [groups[6]!, groups[7]!];
    return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`;
  }
  // RFC 5952: the longest run of at least two zero groups is compressed, the first of equals.
  let [start, length] = [-1, 1];
  for (let i = 0; i < 8; i++) {
    let end = i;
    while (end < 8 && groups[end] === 0) end++;
    if (end - i > length) [start, length] = [i, end - i];
    if (end > i) i = end;
  }
  const hex = (from: number, to: number) =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':');
  return start < 0 ? hex(0, 8) : `${hex(0, start)}::${hex(start + length, 8)}`;
}
