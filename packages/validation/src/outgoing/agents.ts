import { lookup as systemLookup, type LookupAddress, type LookupOptions } from 'node:dns';
import { Agent as HttpAgent } from 'node:http';
import { Agent as HttpsAgent } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import type { Duplex } from 'node:stream';
import { errors } from '../error-codes.js';
import { judgeResolved, judgeTarget, refusal, type OutgoingReason, type Policy } from './policy.js';

/** All addresses of a name, as `dns.promises.lookup(name, { all: true })` gives them. */
export type Resolve = (hostname: string) => Promise<readonly LookupAddress[]>;

export const systemResolve: Resolve = (hostname) =>
  new Promise((resolve, reject) => {
    systemLookup(hostname, { all: true, verbatim: true }, (error, found) =>
      error ? reject(error) : resolve(found),
    );
  });

export interface AgentParts {
  readonly policy: Policy;
  readonly resolve: Resolve;
  readonly keepAlive: boolean;
  readonly connectMs: number;
  readonly ca: string | undefined;
  readonly onRefused: (reason: OutgoingReason, host: string) => void;
}

/**
 * A `lookup` for `net.connect()` that hands out judged addresses only. The connection is made to what it hands out, so that
 * a name cannot be one thing when it is judged and another when it is used (DNS rebinding). One address of an answer that
 * is not public refuses the whole answer.
 */
export function guardedLookup(parts: AgentParts): LookupFunction {
  return (hostname, options, callback) => {
    const answer = async (): Promise<void> => {
      const judged = await judgedAddresses(hostname, options.family, parts);
      const first = typeof judged === 'string' ? undefined : judged[0];
      if (typeof judged === 'string' || !first) {
        const reason = typeof judged === 'string' ? judged : 'unresolved';
        parts.onRefused(reason, hostname);
        callback(refusal(reason, hostname), '', 0);
      } else if (options.all) callback(null, judged);
      else callback(null, first.address, first.family);
    };
    void answer();
  };
}

async function judgedAddresses(
  hostname: string,
  family: LookupOptions['family'],
  { policy, resolve }: AgentParts,
): Promise<LookupAddress[] | OutgoingReason> {
  let found: readonly LookupAddress[];
  try {
    found = await resolve(hostname);
  } catch {
    return 'unresolved';
  }
  for (const { address } of found) {
    const reason = judgeResolved(address, policy);
    if (reason !== undefined) return reason;
  }
  const wanted = family === 'IPv4' ? 4 : family === 'IPv6' ? 6 : (family ?? 0);
  return found
    .map(({ address }) => ({ address, family: isIP(address) }))
    .filter((one) => wanted === 0 || one.family === wanted);
}

type Connect = (
  options: Readonly<Record<string, unknown>>,
  done: (error: Error | null, socket?: Duplex) => void,
) => Duplex | undefined;

/** Agents whose every connection is judged, whoever uses them: an address as host never comes to `lookup`. */
export function guardedAgents(parts: AgentParts): { readonly http: HttpAgent; readonly https: HttpsAgent } {
  const { keepAlive, ca } = parts;
  const settings = { keepAlive, maxSockets: 64, scheduling: 'lifo' } as const;
  const http = new HttpAgent(settings);
  const https = new HttpsAgent({ ...settings, ...(ca === undefined ? {} : { ca }), minVersion: 'TLSv1.2' });
  guardConnections(http, 'http:', parts);
  guardConnections(https, 'https:', parts);
  return { http, https };
}

function guardConnections(agent: HttpAgent, scheme: 'http:' | 'https:', parts: AgentParts): void {
  const { policy, onRefused, connectMs } = parts;
  const lookup = guardedLookup(parts);
  const owner = agent as unknown as { createConnection: Connect };
  const connect = owner.createConnection.bind(agent);
  owner.createConnection = (options, done) => {
    const host = typeof options['host'] === 'string' ? options['host'] : '';
    const port = Number(options['port'] ?? (scheme === 'https:' ? 443 : 80));
    const reason = judgeConnection(Boolean(options['socketPath']), scheme, host, port, policy);
    if (reason !== undefined) {
      onRefused(reason, host);
      process.nextTick(done, refusal(reason, host));
      return undefined;
    }
    const { path: _path, ...rest } = options;
    const socket = connect({ ...rest, lookup }, done);
    if (socket) limitConnecting(socket, scheme === 'https:' ? 'secureConnect' : 'connect', connectMs);
    return socket;
  };
}

function judgeConnection(
  toSocketFile: boolean,
  scheme: string,
  host: string,
  port: number,
  policy: Policy,
): OutgoingReason | undefined {
  if (toSocketFile) return 'socket';
  if (!policy.schemes.has(scheme)) return 'scheme';
  return judgeTarget(host, port, policy);
}

/** Resolver, TCP and TLS together; the request's own limit is longer. */
function limitConnecting(socket: Duplex, made: string, connectMs: number): void {
  const late = setTimeout(() => socket.destroy(errors.E_OUTGOING_TIMEOUT()), connectMs);
  const stop = (): void => clearTimeout(late);
  socket.once(made, stop).once('close', stop);
}
