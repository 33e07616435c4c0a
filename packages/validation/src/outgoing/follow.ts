import { parseUrl } from '@portcullis/core';
import type { Agent, IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import { errors } from '../error-codes.js';
import { exchange, limitedBody } from './exchange.js';
import { refusal, type OutgoingReason } from './policy.js';

export interface OutgoingRequest {
  /** @default 'GET' */
  readonly method?: string;
  /**
   * Names in any case. `host`, `connection` and the other fields that frame a message are not the caller's to set. After a
   * redirect to another origin only `accept`, `accept-language` and `user-agent` are left.
   */
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  /** `follow`; `manual`: a redirect is the answer; `refuse`: it is an error. @default 'follow' */
  readonly redirect?: 'follow' | 'manual' | 'refuse';
  readonly signal?: AbortSignal;
}

export interface OutgoingAnswer {
  readonly status: number;
  /** True for 200 to 299. */
  readonly ok: boolean;
  readonly headers: Headers;
  /** Where the answer came from, after redirects. */
  readonly url: string;
  readonly redirected: boolean;
  /** Decoded; ends with E_OUTGOING_TOO_LARGE or E_OUTGOING_TIMEOUT at the limits. Read it, or destroy it. */
  readonly body: Readable;
  bytes(): Promise<Uint8Array>;
  /** As UTF-8. */
  text(): Promise<string>;
  /** @throws SyntaxError if it is no JSON */
  json(): Promise<unknown>;
}

export interface FollowParts {
  readonly check: (url: string | URL) => URL;
  readonly agents: { readonly http: Agent; readonly https: Agent };
  readonly maxBytes: number;
  readonly maxRedirects: number;
  readonly signal: AbortSignal;
  readonly onRefused: (reason: OutgoingReason, host: string) => void;
}

/** Frames of a message, and what a proxy would act on. */
const FRAMING: ReadonlySet<string> = new Set([
  ...[
    'host',
    'connection',
    'content-length',
    'expect',
    'keep-alive',
    'proxy-authorization',
    'proxy-connection',
  ],
  ...['te', 'trailer', 'transfer-encoding', 'upgrade', 'accept-encoding'],
]);
const HARMLESS: ReadonlySet<string> = new Set(['accept', 'accept-language', 'user-agent']);
const ENCODINGS = 'gzip, deflate, br';

interface Hop {
  url: URL;
  method: string;
  headers: Record<string, string>;
  body: Uint8Array | undefined;
}

/** Sends a request and follows its redirects, each of which is judged as if the caller had named it. */
export async function followed(
  url: string | URL,
  request: OutgoingRequest,
  parts: FollowParts,
): Promise<OutgoingAnswer> {
  const { redirect = 'follow', method = 'GET', body, headers = {} } = request;
  let hop: Hop = {
    url: parts.check(url),
    method,
    headers: ownHeaders(headers),
    body: typeof body === 'string' ? Buffer.from(body) : body,
  };
  for (let redirects = 0; ; redirects++) {
    parts.signal.throwIfAborted();
    const res = await exchange(hop.url, {
      method: hop.method,
      headers: { ...hop.headers, 'accept-encoding': ENCODINGS },
      body: hop.body,
      agent: hop.url.protocol === 'https:' ? parts.agents.https : parts.agents.http,
      signal: parts.signal,
    });
    const location = redirect === 'manual' ? undefined : locationOf(res);
    if (location === undefined) return answerOf(res, hop.url, redirects > 0, parts);
    res.destroy();
    if (redirect === 'refuse' || redirects >= parts.maxRedirects) {
      throw errors.E_OUTGOING_FAILED({ details: { reason: 'redirects' } });
    }
    hop = nextHop(hop, res.statusCode!, location, parts);
  }
}

function nextHop(hop: Hop, status: number, location: string, { check, onRefused }: FollowParts): Hop {
  const refuse = (reason: OutgoingReason): never => {
    onRefused(reason, hop.url.hostname);
    throw refusal(reason, hop.url.hostname);
  };
  const absolute = /^[a-z][a-z0-9+.-]*:/i.test(location);
  if (!absolute && !parseUrl(location, hop.url)) return refuse('url');
  // A whole URL is judged as it is spelt; what is relative is resolved first.
  const url = check(absolute ? location : new URL(location, hop.url));
  if (hop.url.protocol === 'https:' && url.protocol === 'http:') return refuse('downgrade');
  const keepsMethod = status === 307 || status === 308 || hop.method === 'GET' || hop.method === 'HEAD';
  const sameOrigin = url.origin === hop.url.origin;
  const body = keepsMethod ? hop.body : undefined;
  // What was sent to one origin is not for another one, whatever that one says.
  if (body && !sameOrigin) return refuse('redirect-body');
  const headers = Object.entries(hop.headers).filter(
    ([name]) => (sameOrigin || HARMLESS.has(name)) && (body !== undefined || !name.startsWith('content-')),
  );
  return { url, method: keepsMethod ? hop.method : 'GET', headers: Object.fromEntries(headers), body };
}

function locationOf({ statusCode = 0, headers }: IncomingMessage): string | undefined {
  return [301, 302, 303, 307, 308].includes(statusCode) ? headers.location : undefined;
}

function ownHeaders(given: Readonly<Record<string, string>>): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(given)) {
    const lower = name.toLowerCase();
    if (FRAMING.has(lower))
      throw new TypeError(`outgoing: the header "${lower}" is not the caller's to set.`);
    headers[lower] = value;
  }
  return headers;
}

function answerOf(res: IncomingMessage, url: URL, redirected: boolean, parts: FollowParts): OutgoingAnswer {
  const { maxBytes, signal } = parts;
  const status = res.statusCode ?? 0;
  const body = limitedBody(res, maxBytes, signal);
  const bytes = async (): Promise<Buffer> => {
    const chunks: Buffer[] = [];
    for await (const chunk of body) chunks.push(chunk as Buffer);
    return Buffer.concat(chunks);
  };
  const text = async (): Promise<string> => new TextDecoder().decode(await bytes());
  return {
    status,
    ok: status >= 200 && status < 300,
    headers: headersOf(res),
    url: url.href,
    redirected,
    body,
    bytes,
    text,
    json: async () => JSON.parse(await text()) as unknown,
  };
}

function headersOf({ rawHeaders }: IncomingMessage): Headers {
  const headers = new Headers();
  for (let i = 0; i + 1 < rawHeaders.length; i += 2) headers.append(rawHeaders[i]!, rawHeaders[i + 1]!);
  // The body is handed out decoded.
  headers.delete('content-encoding');
  headers.delete('content-length');
  return headers;
}
