import { lookup as systemLookup } from 'node:dns';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest, type RequestOptions } from 'node:https';
import { isIP, type LookupFunction } from 'node:net';
import { isLoopbackHost, judgeAddress, parseUrl, within } from '@portcullis/core';

export interface FetchPolicy {
  /** Also `http:` and the addresses of this machine, for a provider that a developer runs. */
  readonly local: boolean;
  readonly timeoutMs: number;
  readonly maxBytes: number;
  /** @default the system's */
  readonly lookup?: LookupFunction;
}

/** Why a document of a provider was not taken; for events and logs. */
export class FetchFault extends Error {
  readonly reason: string;

  constructor(reason: string, options?: ErrorOptions) {
    super(`The document of the issuer was not taken: ${reason}.`, options);
    this.name = 'FetchFault';
    this.reason = reason;
  }
}

/**
 * A JSON object from an address that the configuration or a provider names, without opening the own network to it: https
 * only, every resolved address judged and the judged one connected to, no redirect, no compression, bounded in size and time.
 * @throws FetchFault
 */
export async function fetchJson(text: string, policy: FetchPolicy): Promise<Record<string, unknown>> {
  const url = judgeUrl(text, policy);
  const signal = new AbortController();
  const late = () => {
    signal.abort();
    return new FetchFault('timeout');
  };
  const body = await within(exchange(url, policy, signal.signal), policy.timeoutMs, late, {
    background: true,
  });
  let value: unknown;
  try {
    value = JSON.parse(body.toString('utf8'));
  } catch {
    throw new FetchFault('not-json');
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new FetchFault('not-an-object');
  return value as Record<string, unknown>;
}

/** The URL, if it may be asked at all. @throws FetchFault */
export function judgeUrl(text: string, { local }: Pick<FetchPolicy, 'local'>): URL {
  const url = text.length <= 2_048 ? parseUrl(text) : undefined;
  if (!url) throw new FetchFault('url');
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (url.protocol !== 'https:' && !(local && url.protocol === 'http:' && isLoopbackHost(url.hostname)))
    throw new FetchFault('scheme');
  if (url.username !== '' || url.password !== '' || url.hash !== '') throw new FetchFault('url');
  // An address in the URL never reaches the look-up.
  if (isIP(host) !== 0) judge(host, local);
  return url;
}

function judge(address: string, local: boolean): void {
  const reason = judgeAddress(address);
  if (reason !== undefined && !(local && reason === 'loopback')) throw new FetchFault(`address-${reason}`);
}

function exchange(url: URL, policy: FetchPolicy, signal: AbortSignal): Promise<Buffer> {
  const { local, maxBytes, lookup = systemLookup } = policy;
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
  const options: RequestOptions = {
    signal,
    agent: false,
    lookup: judgedLookup(lookup, local),
    headers: { Accept: 'application/json', 'Accept-Encoding': 'identity', Connection: 'close' },
    maxHeaderSize: 16_384,
  };
  return new Promise((resolve, reject) => {
    const req = send(url, options, (res) => {
      readBody(res, maxBytes).then(resolve, reject);
    });
    req.on('error', (error) =>
      reject(error instanceof FetchFault ? error : new FetchFault('network', { cause: error })),
    );
    req.end();
  });
}

/** Resolves as the system does, and fails if any address of the answer is not one that may be asked: the one that is judged is the one that is used. */
function judgedLookup(lookup: LookupFunction, local: boolean): LookupFunction {
  return (host, options, done) => {
    lookup(host, { ...options, all: true }, (error, found) => {
      if (error) return done(error, '', 0);
      const all = Array.isArray(found) ? found : [];
      try {
        if (all.length === 0) throw new FetchFault('unresolved');
        for (const { address } of all) judge(address, local);
      } catch (refused) {
        return done(refused as NodeJS.ErrnoException, '', 0);
      }
      if (options.all) return done(null, all);
      return done(null, all[0]!.address, all[0]!.family);
    });
  };
}

async function readBody(res: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const refuse = (reason: string): never => {
    res.destroy();
    throw new FetchFault(reason);
  };
  const { statusCode = 0 } = res;
  if (statusCode >= 300 && statusCode < 400) refuse('redirect');
  if (statusCode !== 200) refuse(`status-${statusCode}`);
  if ((res.headers['content-encoding'] ?? 'identity') !== 'identity') refuse('content-encoding');
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of res as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > maxBytes) refuse('too-large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
