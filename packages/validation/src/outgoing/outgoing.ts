import type { Agent as HttpAgent } from 'node:http';
import type { Agent as HttpsAgent } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import {
  noEvents,
  option,
  OptionError,
  parseAddress,
  parseNetwork,
  readOptions,
  type Duration,
  type Events,
  type Network,
  type OptionReader,
  parseUrl,
} from '@portcullis/core';
import { errors } from '../error-codes.js';
import { guardedAgents, guardedLookup, systemResolve, type AgentParts, type Resolve } from './agents.js';
import { followed, type OutgoingAnswer, type OutgoingRequest } from './follow.js';
import { judgeUrl, type OutgoingReason, type Policy } from './policy.js';

export interface OutgoingOptions {
  /**
   * Hosts that may be asked: exact names, addresses, or `*.example.com` for all names below one. At most 1,000.
   * @default any host of the public internet
   */
  readonly allow?: readonly string[];
  /** @default ['https:'] */
  readonly schemes?: readonly ('https:' | 'http:')[];
  /** Ports, 1 to 65,535. @default those of the schemes: 443, and 80 with `http:` */
  readonly ports?: readonly number[];
  /** Networks that are refused too, such as the public addresses of your own hosts. @default [] */
  readonly deny?: readonly string[];
  /**
   * Networks that are connected to although they are not public, such as `10.1.0.0/16`. Whoever can choose the URL can reach
   * everything in them on the allowed ports: use it together with `allow`. @default []
   */
  readonly dangerouslyAllowNetworks?: readonly string[];
  /** Bytes of one answer, on the wire and decoded, 1 to 1 GiB. @default 10_485_760 (10 MiB) */
  readonly maxBytes?: number;
  /** Redirects that are followed, 0 to 20; each is judged like the first URL. @default 5 */
  readonly maxRedirects?: number;
  /** From the call to the last byte, redirects included, 10 ms to 10 min. @default '30s' */
  readonly timeout?: Duration;
  /** For one connection, TLS included, 10 ms to 2 min. @default '5s' */
  readonly connectTimeout?: Duration;
  /** Keep connections open between requests; each stays tied to the address that was judged for it. @default false */
  readonly keepAlive?: boolean;
  /** Certificate authorities in PEM form, in the place of Node's. */
  readonly ca?: string;
  /** Looks names up; the system's resolver by default. Must give every address. */
  readonly resolve?: Resolve;
  readonly events?: Events;
}

export interface Outgoing {
  /**
   * Fetches a URL that somebody else has chosen.
   * @throws E_OUTGOING_REFUSED (400), E_OUTGOING_FAILED (502), E_OUTGOING_TIMEOUT (504), E_OUTGOING_TOO_LARGE (502), or the
   * reason of the caller's own `signal`
   */
  fetch(url: string | URL, request?: OutgoingRequest): Promise<OutgoingAnswer>;
  /** The URL in its one spelling, judged without asking a resolver. @throws E_OUTGOING_REFUSED */
  check(url: string | URL): URL;
  /** For other clients, such as axios or node-fetch: every connection is judged, whatever they follow. */
  readonly httpAgent: HttpAgent;
  readonly httpsAgent: HttpsAgent;
  /**
   * For clients that take only a `lookup` (`net.connect`, undici's `connect`). It judges names; an address as the host never
   * comes to it, so check URLs with `check()` as well.
   */
  readonly lookup: LookupFunction;
  /** Ends the connections that are kept open. */
  close(): void;
}

declare module '@portcullis/core' {
  interface SecurityEvents {
    /** A URL, a redirect or a resolved name led where this service does not connect to. */
    'outgoing.refused': { readonly reason: string; readonly host: string };
  }
}

/**
 * Connections to URLs that users choose (webhooks, previews, imports), without becoming their way into the own network (SSRF,
 * CWE-918). Scheme, port and host are judged before anything is resolved; the resolved addresses are judged and the
 * connection is made to exactly those; every redirect is judged again and carries no credentials to another origin. Proxies named in
 * the environment are not used: they would resolve the name once more.
 * @throws OptionError
 * @see OWASP ASVS 5.0 V1.3.6, OWASP Server-Side Request Forgery Prevention Cheat Sheet
 */
export function outgoing(options: OutgoingOptions = {}): Outgoing {
  const given = readOptions('outgoing', options, {
    allow: option.optional(option.array(readHost, { min: 1, max: 1000 })),
    schemes: option.array(option.oneOf(['https:', 'http:']), { min: 1, max: 2, default: ['https:'] }),
    ports: option.optional(option.array(option.integer({ min: 1, max: 65_535 }), { min: 1, max: 100 })),
    deny: option.array(readNetwork, { max: 1000, default: [] }),
    dangerouslyAllowNetworks: option.array(readNetwork, { max: 1000, default: [] }),
    maxBytes: option.integer({ min: 1, max: 2 ** 30, default: 10 * 2 ** 20 }),
    maxRedirects: option.integer({ min: 0, max: 20, default: 5 }),
    timeout: option.duration({ minMs: 10, maxMs: 600_000, default: '30s' }),
    connectTimeout: option.duration({ minMs: 10, maxMs: 120_000, default: '5s' }),
    keepAlive: option.boolean(false),
    ca: option.optional(option.string({ max: 2 ** 20 })),
    resolve: option.fn<Resolve>(systemResolve),
    events: option.port<Events>(['emit'], noEvents),
  });
  const policy = policyOf(given);
  const onRefused = (reason: OutgoingReason, host: string): void =>
    given.events.emit({ type: 'outgoing.refused', reason, host });
  const parts: AgentParts = {
    policy,
    resolve: given.resolve,
    keepAlive: given.keepAlive,
    connectMs: given.connectTimeout,
    ca: given.ca,
    onRefused,
  };
  const agents = guardedAgents(parts);
  const check = (url: string | URL): URL => judgeUrl(url, policy, onRefused);

  return {
    check,
    httpAgent: agents.http,
    httpsAgent: agents.https,
    lookup: guardedLookup(parts),
    close() {
      agents.http.destroy();
      agents.https.destroy();
    },
    async fetch(url, request = {}) {
      const { timeout, maxBytes, maxRedirects } = given;
      const controller = new AbortController();
      const late = setTimeout(() => controller.abort(errors.E_OUTGOING_TIMEOUT()), timeout);
      const { signal: outer } = request;
      const abort = (): void => controller.abort(outer?.reason ?? new Error('The request was aborted.'));
      if (outer?.aborted) abort();
      outer?.addEventListener('abort', abort, { once: true });
      const done = (): void => {
        clearTimeout(late);
        outer?.removeEventListener('abort', abort);
      };
      try {
        const answer = await followed(url, request, {
          check,
          agents,
          maxBytes,
          maxRedirects,
          signal: controller.signal,
          onRefused,
        });
        answer.body.once('close', done);
        return answer;
      } catch (error) {
        done();
        throw error;
      }
    },
  };
}

type Hosts = { readonly exact: ReadonlySet<string>; readonly below: readonly string[] };

function policyOf(given: {
  readonly allow: readonly string[] | undefined;
  readonly schemes: readonly string[];
  readonly ports: readonly number[] | undefined;
  readonly deny: readonly Network[];
  readonly dangerouslyAllowNetworks: readonly Network[];
}): Policy {
  const { allow, schemes, ports, deny, dangerouslyAllowNetworks } = given;
  const usual = schemes.map((scheme) => (scheme === 'https:' ? 443 : 80));
  const hosts: Hosts | undefined = allow && {
    exact: new Set(allow.filter((host) => !host.startsWith('*'))),
    below: allow.filter((host) => host.startsWith('*')).map((host) => host.slice(1)),
  };
  return {
    schemes: new Set(schemes),
    ports: new Set(ports ?? usual),
    hosts,
    denied: deny,
    exempt: dangerouslyAllowNetworks,
  };
}

const readHost: OptionReader<string> = (value, owner, path) => {
  const text = option.string({ max: 255 })(value, owner, path);
  const name = text.startsWith('*.') ? text.slice(2) : text;
  const address = parseAddress(text);
  if (address ? address.ip === text : isName(name) && (name === text || name.includes('.'))) return text;
  throw new OptionError(
    'E_OPTION_VALUE',
    owner,
    path,
    `${path} must be a lower-case host name, an address in its usual spelling, or "*." and a name of two labels`,
  );
};

function isName(text: string): boolean {
  return (
    isIP(text) === 0 &&
    parseUrl(`http://${text}/`)?.host === text &&
    /^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/.test(text)
  );
}

const readNetwork: OptionReader<Network> = (value, owner, path) => {
  const text = option.string({ max: 100 })(value, owner, path);
  const parsed = parseNetwork(text);
  if (parsed) return parsed;
  throw new OptionError('E_OPTION_VALUE', owner, path, `${path} must be a network such as "10.1.0.0/16"`);
};
