import { hash, sign } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import {
  ALLOW,
  guard,
  noEvents,
  option,
  OptionError,
  readOptions,
  storeKey,
  systemClock,
  type Clock,
  type Events,
  type KeyValueStore,
  type Middleware,
  type Secret,
  type SecurityResponse,
  type StoreKey,
} from '@portcullis/core';
import { parseCheckpoint, type Checkpoint } from './checkpoint.js';
import { readEd25519Key } from './ed25519-key.js';
import { isOrigin } from './leaf.js';
import { EMPTY_ROOT } from './merkle/hash.js';
import { verifyConsistency } from './merkle/proofs.js';
import {
  canonicalBase64,
  cosigned,
  parseNote,
  parseVerifierKey,
  signatureLine,
  signedBy,
  verifierKey,
  type NoteKey,
} from './note.js';

export interface WitnessOptions {
  /** Name of the witness, such as `audit.example/witness`. 1 to 200 letters, digits and `._~/:@-`. */
  readonly name: string;
  /** PKCS #8 PEM of an Ed25519 key that signs nothing else. */
  readonly key: string | Secret<string>;
  /** Verifier keys of the logs that it watches. */
  readonly logs: readonly string[];
  /** Where the last checkpoint of each log is kept. It must survive restarts, or the witness forgets what it has seen. */
  readonly store: KeyValueStore;
  readonly clock?: Clock;
  readonly events?: Events;
}

export interface Witness extends Middleware {
  /** For `witnessAnchor()` and for verifiers (C2SP, cosignature). */
  readonly verifierKey: string;
}

const MAX_BODY = 65_536;
const MAX_PROOF = 63;

/**
 * Watches logs of others: keeps the last checkpoint of each, demands a proof that the next one continues it, and then
 * cosigns. Two services of one house can watch each other. Mount it under a path of its own, before body parsers;
 * other paths below pass through.
 * `POST add-checkpoint`: 200 with the cosignature, 400, 403 (not signed by the log), 404 (unknown log), 409 with the size it
 * has seen, 422 (no continuation). `GET <sha256 of the origin>/checkpoint`: the last one, cosigned.
 * @throws OptionError
 * @see https://c2sp.org/tlog-witness
 */
export function createWitness(options: WitnessOptions): Witness {
  const given = readOptions('createWitness', options, {
    name: option.string({ max: 200 }),
    key: option.secret({ minBytes: 32 }),
    logs: option.array(option.string({ max: 400 }), { min: 1, max: 1000 }),
    store: option.port<KeyValueStore>(['get', 'swap']),
    clock: option.port<Clock>(['now', 'monotonic'], systemClock),
    events: option.port<Events>(['emit'], noEvents),
  });
  const { name, store, clock, events } = given;
  if (!isOrigin(name)) {
    throw new OptionError(
      'E_OPTION_VALUE',
      'createWitness',
      'name',
      'name must be one such as audit.example/witness',
    );
  }
  const { privateKey, publicKey } = readEd25519Key(given.key, 'createWitness');
  const own = parseVerifierKey(verifierKey(name, publicKey, 'cosignature'), 'cosignature');
  const logs = new Map(given.logs.map(readLog));
  const byHash = new Map([...logs.keys()].map((log) => [hash('sha256', log), log]));

  async function add(body: string): Promise<Answer> {
    const request = readRequest(body);
    if (!request) return refusal(400);
    const { old, proof, checkpoint } = request;
    const key = logs.get(checkpoint.log);
    if (!key) return refusal(404);
    const { text, signatures } = parseNote(checkpoint.note);
    if (signedBy({ text, signatures }, key) !== 'yes') return refusal(403);
    if (old > checkpoint.size) return refusal(400);
    const slot = slotOf(checkpoint.log);
    const before = await store.get(slot);
    const last = before === undefined ? undefined : parseCheckpoint(before);
    if (old !== (last?.size ?? 0)) return conflict(last);
    if (!continues(last, checkpoint, proof)) return refusal(422);
    const seconds = BigInt(Math.floor(clock.now() / 1000));
    const stamp = Buffer.alloc(8);
    stamp.writeBigUInt64BE(seconds);
    const line = signatureLine(own, Buffer.concat([stamp, sign(null, cosigned(text, seconds), privateKey)]));
    const byLog = signatures.filter((one) => one.name === key.name && one.keyId.equals(key.keyId));
    const kept = `${text}\n${byLog.map(({ bytes }) => signatureLine(key, bytes)).join('')}${line}`;
    // Of two that come at once, one is told what the other has changed.
    if (await store.swap(slot, before, kept)) return { status: 200, type: 'text/plain', body: line };
    const now = await store.get(slot);
    return conflict(now === undefined ? undefined : parseCheckpoint(now));
  }

  async function last(digest: string): Promise<Answer> {
    const log = byHash.get(digest);
    const note = log === undefined ? undefined : await store.get(slotOf(log));
    return note === undefined ? refusal(404) : { status: 200, type: 'text/plain', body: note };
  }

  const middleware = guard('createWitness', { stage: 'public', events }, async (req, res) => {
    const path = (req.url ?? '').split('?')[0]!;
    if (req.method === 'POST' && path === '/add-checkpoint') {
      const body = await readText(req);
      return answer(res, body === undefined ? refusal(400) : await add(body));
    }
    const match = /^\/([0-9a-f]{64})\/checkpoint$/.exec(path);
    if (req.method === 'GET' && match) return answer(res, await last(match[1]!));
    return ALLOW;
  });
  return Object.assign(middleware, { verifierKey: verifierKey(name, publicKey, 'cosignature') });
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

function refusal(status: number): Answer {
  return { status, type: 'text/plain', body: '' };
}

function conflict(last: Checkpoint | undefined): Answer {
  return { status: 409, type: 'text/x.tlog.size', body: `${last?.size ?? 0}\n` };
}

function answer(res: SecurityResponse, { status, type, body }: Answer): undefined {
  res.statusCode = status;
  res.setHeader('Content-Type', type === 'text/plain' ? 'text/plain; charset=utf-8' : type);
  res.setHeader('Content-Length', Buffer.byteLength(body));
  res.setHeader('Cache-Control', 'no-store');
  res.end(body);
  return undefined;
}

function readLog(text: string): [string, NoteKey] {
  try {
    const key = parseVerifierKey(text);
    return [key.name, key];
  } catch {
    throw new OptionError(
      'E_OPTION_VALUE',
      'createWitness',
      'logs',
      'logs must be verifier keys of Ed25519 signatures, as status().verifierKey of a log',
    );
  }
}

function slotOf(log: string): StoreKey {
  return storeKey('audit-witness', log);
}

function continues(last: Checkpoint | undefined, next: Checkpoint, proof: readonly Buffer[]): boolean {
  if (next.size === 0) return proof.length === 0 && next.root.equals(EMPTY_ROOT);
  // The empty tree is the beginning of every tree.
  if (!last || last.size === 0) return proof.length === 0;
  return verifyConsistency(last.size, next.size, last.root, next.root, proof);
}

interface AddRequest {
  readonly old: number;
  readonly proof: readonly Buffer[];
  readonly checkpoint: Checkpoint;
}

function readRequest(body: string): AddRequest | undefined {
  const end = body.indexOf('\n\n');
  const [first = '', ...lines] = end === -1 ? [] : body.slice(0, end).split('\n');
  const old = /^old (0|[1-9]\d{0,15})$/.exec(first);
  const proof = lines.map(canonicalBase64);
  if (!old || proof.length > MAX_PROOF || !proof.every((one) => one?.length === 32)) return undefined;
  try {
    return {
      old: Number(old[1]),
      proof: proof as Buffer[],
      checkpoint: parseCheckpoint(body.slice(end + 2)),
    };
  } catch {
    return undefined;
  }
}

async function readText(req: IncomingMessage & { body?: unknown }): Promise<string | undefined> {
  // A parser before us has read it: as text it is as good.
  if (req.readableEnded) return typeof req.body === 'string' ? req.body : undefined;
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of req as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_BODY) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}
