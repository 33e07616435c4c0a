import { createReadStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import {
  ALLOW,
  ensureContext,
  guard,
  isAuthenticated,
  isSecurityError,
  noEvents,
  option,
  OptionError,
  readOptions,
  systemClock,
  systemRandom,
  within,
  type Clock,
  type Duration,
  type Events,
  type KeyValueStore,
  type Middleware,
  type Random,
  type SecurityContext,
  type SecurityRequest,
  type SecurityResponse,
} from '@portcullis/core';
import { errors } from '../error-codes.js';
import { acceptKind } from './accept-kind.js';
import type { Scanner } from './clamd.js';
import { describeRules } from './facts.js';
import { Finding } from './file-view.js';
import { inspect, type InspectParts } from './inspect.js';
import { displayName } from './names.js';
import { Quota, type Usage } from './quota.js';
import {
  about,
  malformed,
  readMultipart,
  tooLarge,
  type Multipart,
  type SpooledFile,
} from './read-multipart.js';
import { readRules, type ReceiveOptions, type Rules } from './rules.js';
import type { UploadSink } from './sink.js';
import { Spool } from './spool.js';

export interface UploadsOptions {
  /** Where kept files go: `diskSink({ directory })`, or an object of your own. */
  readonly sink: UploadSink;
  /**
   * Folder where files wait until they have passed; several processes may share it. On the file system of the sink, keeping a file
   * is a rename.
   * @default '.incoming' in the folder of a disk sink; otherwise required
   */
  readonly spool?: string;
  /** A virus scanner, such as `clamdScanner({ host })`. Down means refused. */
  readonly scan?: Scanner;
  /** For one file, 100 ms to 10 min. @default '60s' */
  readonly scanTimeout?: Duration;
  /** What each owner may keep. */
  readonly quota?: {
    /** Shared by all processes; entries do not expire, so it must persist. */
    readonly store: KeyValueStore;
    /** @default 1_073_741_824 (1 GiB) */
    readonly maxBytes?: number;
    /** @default 1_000 */
    readonly maxFiles?: number;
    /** Who it is counted for. @default the principal, or the client's address */
    readonly by?: (req: SecurityRequest) => string;
  };
  /** What archives may unpack to, all of one file together. */
  readonly archives?: {
    /** @default 209_715_200 (200 MiB) */
    readonly maxUnpackedBytes?: number;
    /** @default 10_000 */
    readonly maxEntries?: number;
    /** Unpacked over packed, once 1 MiB has come out. @default 200 */
    readonly maxRatio?: number;
    /** Archives in archives, 0 to 5. @default 1 */
    readonly maxNesting?: number;
  };
  /** What pictures may decode to. */
  readonly pictures?: {
    /** Of one frame. @default 50_000_000 */
    readonly maxPixels?: number;
    /** Of all frames together. @default 250_000_000 */
    readonly maxAllPixels?: number;
  };
  /** For the whole body, 1 s to 1 day. @default '10m' */
  readonly timeout?: Duration;
  /** Without a single byte, 100 ms to 10 min. @default '30s' */
  readonly idleTimeout?: Duration;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly events?: Events;
}

/** A file that has passed. It is removed when the response ends, unless `keep()` was called. */
export interface ReceivedFile {
  readonly field: string;
  /** For people: made safe, never a path. */
  readonly name: string;
  /** Kind and media type as found in the content. */
  readonly kind: string;
  readonly type: string;
  readonly size: number;
  readonly sha256: string;
  /** Of a picture. */
  readonly width: number | undefined;
  readonly height: number | undefined;
  /** Under this name `keep()` stores it: 32 hexadecimal digits. */
  readonly key: string;
  stream(): Readable;
  /** Hands it to the sink; returns the key. @throws E_UPLOAD_UNAVAILABLE (503) */
  keep(): Promise<string>;
}

export interface Received<Files extends string = string, Fields extends string = string> {
  readonly files: Readonly<Record<Files, readonly ReceivedFile[]>>;
  readonly fields: Readonly<Record<Fields, readonly string[]>>;
}

export type ReceiveMiddleware<Files extends string, Fields extends string> = Middleware & {
  /** What this middleware has received for the request. @throws E_NOT_VALIDATED (500) if it was not mounted */
  of(req: { readonly security?: SecurityContext | undefined }): Received<Files, Fields>;
};

export interface Uploads {
  /**
   * Middleware for one route: takes what the rules name and nothing else. Text fields become `req.body`, frozen; a field that may
   * occur more than once is a list.
   * @throws OptionError
   */
  receive<const Files extends string, const Fields extends string = never>(
    rules: ReceiveOptions & {
      readonly files: Readonly<Record<Files, unknown>>;
      readonly fields?: Readonly<Record<Fields, unknown>>;
    },
  ): ReceiveMiddleware<Files, Fields>;
  /** Removes a kept file; with `owner` and `size`, gives the owner the room back. */
  remove(key: string, owned?: { readonly owner: string; readonly size: number }): Promise<void>;
  /** What an owner has kept, as far as the quota counts it. */
  usage(owner: string): Promise<Usage>;
  /** The owner that the quota counts a request for. */
  ownerOf(req: SecurityRequest): string;
  /** Resolves when the spool is ready and what killed processes left in it is gone. Rejects if it cannot be used. */
  ready(): Promise<void>;
}

declare module '@portcullis/core' {
  interface SecurityContext {
    /** Written by `uploads.receive()`; read it with its `of(req)`. */
    uploads?: Received;
  }
  interface SecurityEvents {
    'upload.received': { readonly requestId: string; readonly files: number; readonly bytes: number };
    /** `reason` is a word such as `kind`, `polyglot`, `pixels`, `ratio`. */
    'upload.refused': { readonly requestId: string; readonly code: string; readonly reason: string };
  }
}

interface Parts {
  readonly sink: UploadSink;
  readonly spool: Spool;
  readonly scan: Scanner | undefined;
  readonly scanMs: number;
  readonly quota: Quota | undefined;
  readonly ownerOf: (req: SecurityRequest) => string;
  readonly limits: Pick<InspectParts, 'archives' | 'pictures'>;
  readonly timeoutMs: number;
  readonly idleMs: number;
  readonly random: Random;
  readonly events: Events;
}

/**
 * Takes files from strangers. They are written to a spool as they come, looked into, and only what has passed every check is
 * handed to the route, which keeps it or loses it: a refused, aborted or forgotten upload leaves nothing, a killed process leaves
 * nothing beyond the next start.
 * @throws OptionError
 * @see OWASP ASVS 5.0 V5.2, V5.3, V5.4; OWASP File Upload Cheat Sheet
 */
export function createUploads(options: UploadsOptions): Uploads {
  const parts = readParts(options);
  return {
    ready: () => parts.spool.ready(),
    ownerOf: parts.ownerOf,
    usage: (owner) => parts.quota?.used(owner) ?? Promise.resolve({ bytes: 0, files: 0 }),
    async remove(key, owned) {
      await parts.sink.remove(key);
      if (owned) await parts.quota?.release(owned.owner, owned.size, 1);
    },
    receive(given) {
      const rules = readRules(given);
      const detail = [...rules.files.keys()].join(' ');
      const middleware = guard(
        'uploads',
        { stage: 'body', detail, facts: describeRules(rules), events: parts.events },
        async (req, res) => {
          await receive(req, res, rules, parts);
          return ALLOW;
        },
      );
      const of = (req: { readonly security?: SecurityContext | undefined }): never => {
        const received = req.security?.uploads;
        if (!received || (received as Marked)[RULES] !== rules)
          throw errors.E_NOT_VALIDATED({ details: { part: 'uploads' } });
        return received as never;
      };
      return Object.assign(middleware, { of });
    },
  };
}

/** Which rules were applied; not enumerable. */
const RULES = Symbol.for('portcullis.uploads');
type Marked = Received & { readonly [RULES]?: Rules };

async function receive(
  req: SecurityRequest,
  res: SecurityResponse,
  rules: Rules,
  parts: Parts,
): Promise<void> {
  const context = ensureContext(req);
  const paths: string[] = [];
  const newPath = (): string => {
    const path = parts.spool.path();
    paths.push(path);
    return path;
  };
  try {
    await parts.spool.ready().catch((cause: unknown) => {
      throw errors.E_UPLOAD_UNAVAILABLE({ cause, details: { reason: 'spool' } });
    });
    const owner = parts.quota ? parts.ownerOf(req) : '';
    // Full already: nothing needs to be sent.
    await parts.quota?.reserve(owner, 1, 1).then(() => parts.quota?.release(owner, 1, 1));
    const { timeoutMs, idleMs } = parts;
    const multipart = await readMultipart(req, { rules, newPath, timeoutMs, idleMs });
    checkRequired(multipart, rules);
    const checked: CheckedFile[] = [];
    for (const file of multipart.files) checked.push(await check(file, rules, parts));
    const bytes = checked.reduce((sum, { size }) => sum + size, 0);
    await parts.quota?.reserve(owner, bytes, checked.length);
    const files = checked.map((file) => receivedFile(file, parts));
    const forget = async (): Promise<void> => {
      const lost = (
        await Promise.all(files.map(async (file) => ((await file.isKept()) ? 0 : file.size)))
      ).filter((size) => size > 0);
      await removeFiles(paths);
      if (lost.length > 0)
        await parts.quota?.release(
          owner,
          lost.reduce((a, b) => a + b),
          lost.length,
        );
    };
    context.uploads = collected(files, multipart, rules);
    // The texts are the body, as of any other form: for validate({ body }) and csrf.token() behind it.
    req.body = bodyOf(multipart.fields, rules);
    parts.events.emit({ type: 'upload.received', requestId: context.requestId, files: files.length, bytes });
    // What the route has not kept by then is nobody's.
    if (res.closed || res.destroyed) await forget();
    else res.once('close', () => void forget().catch(() => undefined));
  } catch (error) {
    await removeFiles(paths);
    // The rest of a body that nobody reads must not be taken for the next request.
    if (!req.readableEnded && !res.headersSent) res.setHeader('Connection', 'close');
    if (isSecurityError(error)) {
      const { reason = '' } = (error.details ?? {}) as { readonly reason?: string };
      parts.events.emit({ type: 'upload.refused', requestId: context.requestId, code: error.code, reason });
    }
    throw error;
  }
}

function checkRequired({ files, fields }: Multipart, rules: Rules): void {
  for (const [name, { required }] of rules.files) {
    if (required && !files.some(({ field }) => field === name)) throw malformed('missing', name);
  }
  for (const [name, { required }] of rules.fields) {
    if (required && !fields.has(name)) throw malformed('missing', name);
  }
}

interface CheckedFile extends SpooledFile {
  readonly kind: { readonly name: string; readonly type: string };
  readonly width: number | undefined;
  readonly height: number | undefined;
}

async function check(file: SpooledFile, rules: Rules, parts: Parts): Promise<CheckedFile> {
  const scratch: string[] = [];
  const newPath = (): string => {
    const path = parts.spool.path();
    scratch.push(path);
    return path;
  };
  const rule = rules.files.get(file.field)!;
  if (file.size === 0) throw malformed('empty', file.field);
  try {
    const { kind: found, picture } = await inspect(file.path, file.size, {
      ...parts.limits,
      scratch: newPath,
    });
    const kind = acceptKind(found, file, rule);
    await scanned(file, kind.type, parts);
    return { ...file, kind, width: picture?.width, height: picture?.height };
  } catch (error) {
    if (!(error instanceof Finding)) throw error;
    if (error.concern === 'size') throw tooLarge(error.reason, file.field);
    if (error.reason === 'unknown') throw errors.E_UPLOAD_TYPE(about('kind', file.field));
    throw errors.E_UPLOAD_CONTENT(about(error.reason, file.field));
  } finally {
    await removeFiles(scratch);
  }
}

async function removeFiles(paths: readonly string[]): Promise<void> {
  await Promise.all(paths.map((path) => rm(path, { force: true })));
}

async function scanned(
  { path, size, sha256, field }: SpooledFile,
  type: string,
  { scan, scanMs }: Parts,
): Promise<void> {
  if (!scan) return;
  const stop = new AbortController();
  let verdict: unknown;
  try {
    const scanning = Promise.resolve(scan({ path, size, type, sha256 }, stop.signal));
    verdict = await within(scanning, scanMs, () => new Error('The scanner took too long.'));
  } catch (cause) {
    stop.abort();
    throw errors.E_UPLOAD_UNAVAILABLE({ cause, details: { reason: 'scanner' } });
  }
  const { clean, found } = (verdict ?? {}) as { readonly clean?: unknown; readonly found?: unknown };
  if (clean === true) return;
  const what = about('infected', field);
  throw errors.E_UPLOAD_INFECTED({ ...what, details: { ...what.details, found: String(found) } });
}

function receivedFile(
  file: CheckedFile,
  { sink, random }: Parts,
): ReceivedFile & { isKept(): Promise<boolean> } {
  const { field, path, size, sha256, kind, width, height } = file;
  const key = random.bytes(16).toString('hex');
  const name = displayName(file.givenName);
  let keeping: Promise<string> | undefined;
  const put = async (): Promise<string> => {
    try {
      await sink.put({ key, type: kind.type, size, sha256, name }, path);
      return key;
    } catch (cause) {
      throw errors.E_UPLOAD_UNAVAILABLE({ cause, details: { reason: 'sink' } });
    }
  };
  return {
    ...{ field, name, kind: kind.name, type: kind.type, size, sha256, width, height, key },
    stream: () => createReadStream(path),
    keep: () => (keeping ??= put()),
    isKept: async () =>
      keeping !== undefined &&
      (await keeping.then(
        () => true,
        () => false,
      )),
  };
}

/** Fields that may occur once as texts, others as lists; only those that have come. */
function bodyOf(fields: Multipart['fields'], rules: Rules): unknown {
  const body: Record<string, unknown> = Object.create(null);
  for (const [name, { maxCount }] of rules.fields) {
    const values = fields.get(name);
    if (values) body[name] = maxCount === 1 ? values[0] : Object.freeze([...values]);
  }
  return Object.freeze(body);
}

function collected(files: readonly ReceivedFile[], { fields }: Multipart, rules: Rules): Received {
  const byName = <T>(
    names: Iterable<string>,
    of: (name: string) => readonly T[],
  ): Record<string, readonly T[]> => {
    const all: Record<string, readonly T[]> = Object.create(null);
    for (const name of names) all[name] = of(name);
    return Object.freeze(all);
  };
  const received = {
    files: byName(rules.files.keys(), (name) => files.filter(({ field }) => field === name)),
    fields: byName(rules.fields.keys(), (name) => fields.get(name) ?? []),
  };
  return Object.freeze(Object.defineProperty(received, RULES, { value: rules, enumerable: false }));
}

function readParts(options: UploadsOptions): Parts {
  const bytes = (fallback: number) => option.integer({ min: 1, max: 2 ** 50, default: fallback });
  const given = readOptions('uploads', options, {
    sink: option.port<UploadSink>(['put', 'remove']),
    spool: option.optional(option.string({ max: 1024 })),
    scan: option.optional(option.fn<Scanner>()),
    scanTimeout: option.duration({ minMs: 100, maxMs: 600_000, default: '60s' }),
    quota: option.optional(
      option.group({
        store: option.port<KeyValueStore>(['get', 'swap']),
        maxBytes: bytes(2 ** 30),
        maxFiles: bytes(1000),
        by: option.optional(option.fn<(req: SecurityRequest) => string>()),
      }),
    ),
    archives: option.group({
      maxUnpackedBytes: bytes(200 * 2 ** 20),
      maxEntries: option.integer({ min: 1, max: 1_000_000, default: 10_000 }),
      maxRatio: option.integer({ min: 1, max: 1_100, default: 200 }),
      maxNesting: option.integer({ min: 0, max: 5, default: 1 }),
    }),
    pictures: option.group({ maxPixels: bytes(50_000_000), maxAllPixels: bytes(250_000_000) }),
    timeout: option.duration({ minMs: 1000, maxMs: 86_400_000, default: '10m' }),
    idleTimeout: option.duration({ minMs: 100, maxMs: 600_000, default: '30s' }),
    clock: option.port<Clock>(['now', 'monotonic'], systemClock),
    random: option.port<Random>(['bytes', 'uuid'], systemRandom),
    events: option.port<Events>(['emit'], noEvents),
  });
  const { sink, clock, random, quota } = given;
  const besides = (sink as { readonly directory?: unknown }).directory;
  const spool = given.spool ?? (typeof besides === 'string' ? join(besides, '.incoming') : undefined);
  if (spool === undefined)
    throw new OptionError('E_OPTION_REQUIRED', 'uploads', 'spool', 'a sink without a folder needs "spool"');
  // Longer than any upload may take, for folders of other hosts, whose processes cannot be seen.
  const abandonedMs = given.timeout * 2 + 3_600_000;
  return {
    sink,
    spool: new Spool(resolve(spool), { clock, random, abandonedMs }),
    scan: given.scan,
    scanMs: given.scanTimeout,
    quota: quota && new Quota(quota.store, quota),
    ownerOf: quota?.by ?? ownerOf,
    limits: { archives: given.archives, pictures: given.pictures },
    timeoutMs: given.timeout,
    idleMs: given.idleTimeout,
    random,
    events: given.events,
  };
}

function ownerOf(req: SecurityRequest): string {
  const { principal, address } = ensureContext(req);
  if (!isAuthenticated(principal)) return `address:${address.key}`;
  const { tenant = '', kind, id } = principal;
  return `${tenant.length}:${tenant}${kind}:${id}`;
}
