import type { IncomingMessage } from 'node:http';
import { brotliDecompress, gunzip, inflate, type BrotliOptions, type ZlibOptions } from 'node:zlib';
import { errors } from '../error-codes.js';

export type Coding = 'gzip' | 'deflate' | 'br';
type Done = (error: unknown, bytes?: Buffer) => void;

/**
 * The whole body, at most `limit` bytes as sent and as unpacked. A body whose length is announced beyond that is not
 * read at all; of a compressed one never more than `limit` bytes are unpacked, however small it is.
 * Calls `done` once, with E_BODY_TOO_LARGE (413), E_BODY_CODING (415) or E_BODY_INCOMPLETE (400) if that fails.
 */
export function readBytes(req: IncomingMessage, limit: number, codings: readonly Coding[], done: Done): void {
  const coding = (req.headers['content-encoding'] ?? 'identity').trim().toLowerCase();
  const unpack = coding === 'identity' ? keep : unpackerOf(coding, codings);
  if (!unpack) return done(unsupported(codings));
  if (Number(req.headers['content-length'] ?? 0) > limit) return done(tooLarge(limit));
  // Somebody has read it before; its end would never come.
  if (req.readableEnded || req.destroyed) return done(errors.E_BODY_INCOMPLETE());

  const chunks: Buffer[] = [];
  let size = 0;
  const end = (error: unknown): void => {
    req.off('data', onData).off('end', onEnd).off('error', onFailure).off('close', onFailure);
    if (error !== undefined) {
      req.pause();
      return done(error);
    }
    unpack(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, size), limit, done);
  };
  const onData = (chunk: Buffer): void => {
    size += chunk.length;
    if (size > limit) end(tooLarge(limit));
    else chunks.push(chunk);
  };
  const onEnd = (): void => end(undefined);
  const onFailure = (): void => end(errors.E_BODY_INCOMPLETE());
  req.on('data', onData).on('end', onEnd).on('error', onFailure).on('close', onFailure);
}

// Closes the connection, or the rest of the body would be read only to be thrown away.
function tooLarge(limit: number) {
  return errors.E_BODY_TOO_LARGE({ headers: { Connection: 'close' }, problem: { limitBytes: limit } });
}

/** RFC 9110 section 15.5.16: says what would be accepted. */
function unsupported(codings: readonly Coding[]) {
  return errors.E_BODY_CODING({ headers: { 'Accept-Encoding': [...codings, 'identity'].join(', ') } });
}

type Unpack = (bytes: Buffer, limit: number, done: Done) => void;
interface Unpacked {
  readonly buffer: Buffer;
  readonly engine: { readonly bytesWritten: number };
}
type Native = (
  bytes: Buffer,
  options: ZlibOptions & BrotliOptions,
  done: (error: NodeJS.ErrnoException | null, result: Buffer) => void,
) => void;

const keep: Unpack = (bytes, _limit, done) => done(undefined, bytes);
const UNPACKERS: Readonly<Record<Coding, Native>> = Object.freeze({
  gzip: gunzip,
  deflate: inflate,
  br: brotliDecompress,
});

function unpackerOf(coding: string, accepted: readonly Coding[]): Unpack | undefined {
  const known = accepted.find((one) => one === coding);
  if (known === undefined) return undefined;
  return (bytes, limit, done) => {
    UNPACKERS[known](bytes, { maxOutputLength: limit, info: true }, (error, result) => {
      if (error)
        return done(error.code === 'ERR_BUFFER_TOO_LARGE' ? tooLarge(limit) : errors.E_BODY_CODING());
      const { buffer, engine } = result as unknown as Unpacked;
      // What stands behind the compressed data is ignored by zlib, and would be read by others.
      if (engine.bytesWritten !== bytes.length) return done(errors.E_BODY_CODING());
      done(undefined, buffer);
    });
  };
}
