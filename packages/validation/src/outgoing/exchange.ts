import { request as httpRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { pipeline, Transform, type Readable } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import type { Agent } from 'node:http';
import { isSecurityError } from '@portcullis/core';
import { errors } from '../error-codes.js';

export interface ExchangeParts {
  readonly method: string;
  readonly headers: OutgoingHttpHeaders;
  readonly body: Uint8Array | undefined;
  readonly agent: Agent;
  readonly signal: AbortSignal;
}

/** One request, one answer; nothing is followed. @throws E_OUTGOING_REFUSED, E_OUTGOING_FAILED, or the reason of the signal */
export function exchange(url: URL, parts: ExchangeParts): Promise<IncomingMessage> {
  const { method, headers, body, agent, signal } = parts;
  const send = url.protocol === 'https:' ? httpsRequest : httpRequest;
  return new Promise((resolve, reject) => {
    const req = send(url, {
      method,
      headers,
      agent,
      signal,
      maxHeaderSize: 16_384,
      insecureHTTPParser: false,
    });
    req.once('response', resolve);
    req.once('upgrade', (_res, socket) => {
      socket.destroy();
      reject(errors.E_OUTGOING_FAILED({ details: { reason: 'upgrade' } }));
    });
    req.on('error', (error) => reject(asFailure(error, signal)));
    req.end(body);
  });
}

/** What a connection ended with, in our words; refusals of the lookup and of the agent stay what they are. */
export function asFailure(error: unknown, signal: AbortSignal): Error {
  if (signal.aborted) return signal.reason as Error;
  if (isSecurityError(error)) return error;
  return errors.E_OUTGOING_FAILED({ cause: error });
}

const DECODERS: Readonly<Record<string, () => Transform>> = Object.assign(Object.create(null), {
  gzip: createGunzip,
  'x-gzip': createGunzip,
  deflate: createInflate,
  br: createBrotliDecompress,
});

/**
 * The body, decoded, that ends with an error beyond `maxBytes`, on the wire as well as decoded: a compressed bomb is cut
 * where it passes the limit.
 */
export function limitedBody(res: IncomingMessage, maxBytes: number, signal: AbortSignal): Readable {
  const codings = (res.headers['content-encoding'] ?? 'identity')
    .toLowerCase()
    .split(',')
    .map((one) => one.trim())
    .filter((one) => one !== 'identity');
  const decoders = codings.map((coding) => DECODERS[coding]);
  // More than one coding has no use but to multiply.
  if (decoders.length > 1 || decoders.includes(undefined)) {
    res.destroy();
    throw errors.E_OUTGOING_FAILED({ details: { reason: 'content-encoding' } });
  }
  if (Number(res.headers['content-length'] ?? 0) > maxBytes) {
    res.destroy();
    throw errors.E_OUTGOING_TOO_LARGE({ details: { maxBytes } });
  }
  const out = capped(maxBytes, (error) => asFailure(error, signal));
  const chain = decoders.length > 0 ? [capped(maxBytes), ...decoders.map((make) => make!()), out] : [out];
  // Destroys all of them together; whoever reads `out` meets the error.
  pipeline([res, ...chain], () => undefined);
  return out;
}

function capped(maxBytes: number, describe: (error: Error) => Error = (error) => error): Transform {
  let seen = 0;
  return new Transform({
    transform(chunk: Buffer, _encoding, done) {
      seen += chunk.length;
      if (seen > maxBytes) done(errors.E_OUTGOING_TOO_LARGE({ details: { maxBytes } }));
      else done(null, chunk);
    },
    destroy(error, done) {
      done(error && describe(error));
    },
  });
}
