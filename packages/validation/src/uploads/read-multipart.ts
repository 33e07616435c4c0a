import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { Busboy } from '@fastify/busboy';
import type { SecurityError, SecurityRequest } from '@portcullis/core';
import { errors } from '../error-codes.js';
import type { Rules } from './rules.js';

/** A file as it came: nothing about it is believed yet. */
export interface SpooledFile {
  readonly field: string;
  readonly givenName: string;
  readonly declaredType: string;
  readonly path: string;
  readonly size: number;
  readonly sha256: string;
}

export interface Multipart {
  readonly files: readonly SpooledFile[];
  readonly fields: ReadonlyMap<string, readonly string[]>;
}

export interface ReadParts {
  readonly rules: Rules;
  readonly newPath: () => string;
  readonly timeoutMs: number;
  readonly idleMs: number;
}

const HEADER_BYTES = 8 * 1024;
const NAME_CHARACTERS = 200;
/** What is still read after a refusal, so that an ordinary client gets to see the answer. */
const DRAIN = { bytes: 4 * 2 ** 20, ms: 2000 } as const;

/**
 * Reads a `multipart/form-data` body (RFC 7578) and writes its files to the spool, chunk by chunk as they come. Memory does
 * not grow with the body. Ends with the first thing that is not allowed; whoever called removes what was written.
 * @throws E_MEDIA_TYPE, E_BODY_CODING, E_UPLOAD_MALFORMED, E_UPLOAD_TOO_LARGE, E_UPLOAD_TIMEOUT, E_UPLOAD_UNAVAILABLE
 */
export async function readMultipart(req: SecurityRequest, parts: ReadParts): Promise<Multipart> {
  try {
    return await read(req, parts);
  } catch (error) {
    await drain(req);
    throw error;
  }
}

async function read(
  req: SecurityRequest,
  { rules, newPath, timeoutMs, idleMs }: ReadParts,
): Promise<Multipart> {
  // Whoever would undo the coding reads another body than is read here.
  if ((req.headers['content-encoding'] ?? 'identity').trim().toLowerCase() !== 'identity')
    throw errors.E_BODY_CODING({ headers: { 'Accept-Encoding': 'identity' } });
  if (Number(req.headers['content-length'] ?? 0) > rules.maxBytes) throw tooLarge('body');
  const parser = makeParser(req, rules);
  const counts = new Map<string, number>();
  const fields = new Map<string, string[]>();
  const files: Promise<SpooledFile | undefined>[] = [];
  const streams = new Set<Readable>();

  await new Promise<void>((resolve, reject) => {
    let [total, ended] = [0, false];
    const idle = setTimeout(() => fail(errors.E_UPLOAD_TIMEOUT({ details: { reason: 'idle' } })), idleMs);
    const late = setTimeout(() => fail(errors.E_UPLOAD_TIMEOUT({ details: { reason: 'total' } })), timeoutMs);
    const stop = (): boolean => {
      if (ended) return false;
      ended = true;
      clearTimeout(idle);
      clearTimeout(late);
      req.unpipe(parser);
      req.off('data', count).off('close', aborted).off('error', aborted);
      return true;
    };
    const fail = (wrong: unknown): void => {
      if (!stop()) return;
      for (const stream of streams) stream.destroy(wrong as Error);
      // Files must be closed before they can be removed.
      void Promise.allSettled(files).then(() => reject(wrong as Error));
    };
    const count = (chunk: Buffer): void => {
      idle.refresh();
      total += chunk.length;
      if (total > rules.maxBytes) fail(tooLarge('body'));
    };
    const aborted = (): void => {
      if (!req.complete) fail(malformed('aborted'));
    };
    /** One more under this name. */
    const admit = (name: string, rule: { readonly maxCount: number } | undefined): boolean => {
      const before = counts.get(name) ?? 0;
      counts.set(name, before + 1);
      if (!rule) fail(malformed('unknown-field'));
      else if (before >= rule.maxCount) fail(tooLarge('count', name));
      else return true;
      return false;
    };

    parser.on('file', (name, stream, givenName, _encoding, declaredType) => {
      const rule = rules.files.get(name);
      stream.on('error', () => undefined);
      if (!admit(name, rule) || ended) {
        stream.resume();
        return;
      }
      streams.add(stream);
      const file = writeFile(stream, newPath(), rule!.maxBytes, name).then(({ path, size, sha256 }) => ({
        field: name,
        givenName: givenName ?? '',
        declaredType,
        path,
        size,
        sha256,
      }));
      file.then(() => streams.delete(stream), fail);
      files.push(file);
    });
    parser.on('field', (name, value, _nameTruncated, truncated) => {
      const rule = rules.fields.get(name);
      if (!admit(name, rule)) return;
      if (truncated || Buffer.byteLength(value) > rule!.maxBytes) fail(tooLarge('field', name));
      else fields.set(name, [...(fields.get(name) ?? []), value]);
    });
    for (const limit of ['partsLimit', 'filesLimit', 'fieldsLimit'] as const)
      parser.on(limit, () => fail(tooLarge('count')));
    parser.on('error', () => fail(malformed('multipart')));
    parser.on('finish', () => {
      void Promise.allSettled(files).then(() => {
        if (stop()) resolve();
      });
    });
    req.on('data', count).on('close', aborted).on('error', aborted);
    req.pipe(parser);
    if (req.destroyed) aborted();
  });
  const written = await Promise.all(files);
  // A browser sends a field without a file as an empty one without a name.
  return {
    files: written.filter(
      (file): file is SpooledFile => file !== undefined && (file.size > 0 || file.givenName !== ''),
    ),
    fields,
  };
}

function makeParser(req: SecurityRequest, rules: Rules): InstanceType<typeof Busboy> {
  const type = req.headers['content-type'] ?? '';
  // RFC 2046 5.1.1: 1 to 70 characters. More than one boundary is read differently by different parsers.
  if (
    !/^multipart\/form-data[ \t]*;[^,]*$/i.test(type) ||
    type.match(/boundary=/gi)?.length !== 1 ||
    type.length > 300
  ) {
    throw errors.E_MEDIA_TYPE({ headers: { Accept: 'multipart/form-data' } });
  }
  try {
    return new Busboy({
      headers: { 'content-type': type },
      preservePath: true,
      isPartAFile: (name, _contentType, fileName) => fileName !== undefined || rules.files.has(name ?? ''),
      limits: {
        fieldNameSize: NAME_CHARACTERS,
        fieldSize: Math.max(1, ...[...rules.fields.values()].map(({ maxBytes }) => maxBytes)),
        parts: rules.maxParts,
        headerPairs: 10,
        headerSize: HEADER_BYTES,
      },
    });
  } catch {
    throw malformed('boundary');
  }
}

async function writeFile(stream: Readable, path: string, maxBytes: number, field: string) {
  const hash = createHash('sha256');
  let size = 0;
  const handle = await open(path, 'wx', 0o600).catch((cause: unknown) => {
    throw errors.E_UPLOAD_UNAVAILABLE({ cause, details: { reason: 'spool' } });
  });
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxBytes) throw tooLarge('file', field);
      hash.update(chunk);
      await writeAll(handle, chunk);
    }
  } finally {
    await handle.close();
  }
  return { path, size, sha256: hash.digest('hex') };
}

async function writeAll(handle: Awaited<ReturnType<typeof open>>, chunk: Buffer): Promise<void> {
  for (let at = 0; at < chunk.length;) {
    try {
      at += (await handle.write(chunk, at)).bytesWritten;
    } catch (cause) {
      throw errors.E_UPLOAD_UNAVAILABLE({ cause, details: { reason: 'spool' } });
    }
  }
}

/** Reads on for a moment: whoever is still sending when the connection ends never sees why. */
function drain(req: SecurityRequest): Promise<void> {
  if (req.readableEnded || req.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    let left = DRAIN.bytes;
    const timer = setTimeout(() => done(), DRAIN.ms);
    const done = (): void => {
      clearTimeout(timer);
      req.off('data', pass).off('end', done).off('close', done).pause();
      resolve();
    };
    const pass = (chunk: Buffer): void => {
      left -= chunk.length;
      if (left < 0) done();
    };
    req.on('error', () => undefined);
    req.on('data', pass).on('end', done).on('close', done).resume();
  });
}

export function malformed(reason: string, field?: string): SecurityError {
  return errors.E_UPLOAD_MALFORMED(about(reason, field));
}

export function tooLarge(reason: string, field?: string): SecurityError {
  return errors.E_UPLOAD_TOO_LARGE(about(reason, field));
}

/** Said to the client as well: which field it was, and by which rule. Field names are the app's own. */
export function about(reason: string, field?: string) {
  return { problem: { reason, ...(field === undefined ? {} : { field }) }, details: { reason, field } };
}
