import { afterEach } from '@jest/globals';
import { manualClock } from '@portcullis/core/testing';
import { generateKeyPairSync } from 'node:crypto';
import {
  createAudit,
  ed25519Signer,
  memoryAudit,
  type Audit,
  type AuditStore,
  type LogSigner,
} from '../../src/index.js';
import { leafHash, placed, placeOf } from '../../src/leaf.js';

export const origin = 'library.example/audit';
export const newSigner = (): LogSigner => {
  const key = generateKeyPairSync('ed25519').privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
  return ed25519Signer({ origin, key });
};
export const signer = newSigner();
export const { verifierKey } = signer;

export async function collect(lines: AsyncIterable<string>): Promise<string[]> {
  const all: string[] = [];
  for await (const line of lines) all.push(line);
  return all;
}

interface SomeLog {
  readonly audit: Audit;
  /** As it was after the first checkpoint: a backup. */
  readonly early: readonly string[];
  readonly lines: readonly string[];
  /** The second checkpoint, as an anchor keeps it. */
  readonly anchor: string;
}

/**
 * A log of one writer: five batches of one record, a change of keys among them; the first two under one checkpoint, the next two
 * under a second, anchored one, the last under none; not closed.
 */
export async function someLog(store: AuditStore = memoryAudit(), by: LogSigner = signer): Promise<SomeLog> {
  const clock = manualClock();
  const audit = createAudit({
    store,
    signer: by,
    clock,
    keyLifetime: '1m',
    checkpointEvery: '1h',
    anchors: false,
  });
  open.push(audit);
  const record = async (book: number): Promise<void> => {
    await audit.record({
      action: 'book.deleted',
      outcome: 'success',
      actor: { id: 'ann', kind: 'user' },
      target: { type: 'book', id: String(book) },
    });
    clock.advance(25_000);
  };
  await record(0);
  await record(1);
  await audit.checkpoint();
  const early = await collect(audit.export());
  await record(2);
  await record(3);
  const anchor = (await audit.checkpoint())!.note;
  await record(4);
  return { audit, early, lines: await collect(audit.export()), anchor };
}

const open: Audit[] = [];
afterEach(() => Promise.all(open.splice(0).map((audit) => audit.close())));

const isEntry = (line: string): boolean => !/^\{"(?:batch|checkpoint)":/.test(line);
/** Puts every entry in its place again, as who can write the table and knows the format would do. */
function rechained(lines: readonly string[]): string[] {
  let [number, previous] = [0, Buffer.alloc(32).toString('base64')];
  return lines.map((line) => {
    if (!isEntry(line)) return line;
    const { writer, time } = placeOf(line)!;
    const draft = `${line.slice(0, line.lastIndexOf(',"log":'))},"t":"${time}"}`;
    const body = placed(draft, { log: origin, writer, number: number++, previous });
    previous = leafHash(body).toString('base64');
    return body;
  });
}
const edited = (lines: readonly string[]): string[] =>
  lines.map((line) => line.replace('"id":"2","type":"book"', '"id":"9","type":"book"'));
export const positionOf = (lines: readonly string[], book: number): number =>
  lines.findIndex((line) => line.includes(`"id":"${book}","type":"book"`));
const without = (lines: readonly string[], at: number): string[] => lines.toSpliced(at, 1);
const swapped = (lines: readonly string[]): string[] => {
  const [a, b] = [positionOf(lines, 1), positionOf(lines, 3)];
  return lines.with(a, lines[b]!).with(b, lines[a]!);
};
const inserted = (lines: readonly string[]): string[] =>
  lines.toSpliced(positionOf(lines, 3), 0, lines[positionOf(lines, 2)]!.replace('"ann"', '"bob"'));

const checkpointsOf = (lines: readonly string[]): string[] =>
  lines.filter((line) => line.startsWith('{"checkpoint"'));

/** What a thief of the database (and, in the last, of the log's key) makes of the log. */
export async function attacked(): Promise<{ anchor: string; logs: Record<string, readonly string[]> }> {
  const { early, lines, anchor } = await someLog();
  const at = positionOf(lines, 2);
  const newest = positionOf(lines, 4);
  const logs = {
    'edit an entry': edited(lines),
    'edit and compute the chain anew': rechained(edited(lines)),
    'delete in the middle': without(lines, at),
    'delete and compute the chain anew': rechained(without(lines, at)),
    'insert and compute the chain anew': rechained(inserted(lines)),
    'swap and compute the chain anew': rechained(swapped(lines)),
    'cut off sealed entries at the end': lines.filter(
      (_, i) => i < positionOf(lines, 3) || i === lines.indexOf(checkpointsOf(lines)[1]!),
    ),
    'cut off sealed entries and the checkpoints over them': lines.slice(
      0,
      lines.indexOf(checkpointsOf(lines)[0]!) + 1,
    ),
    'cut off entries that no checkpoint covers': without(lines, newest),
    'the same with the signature of their batch': lines.slice(0, newest),
    'delete the whole log': [],
    'put an old backup back': early,
    'cut off the beginning': lines.slice(3),
    'another text of the same JSON': lines.with(at, lines[at]!.replace('{"c":{', '{ "c":{')),
    'the same entry twice': lines.toSpliced(at, 0, lines[at]!),
    'a writer that the log did not certify': [
      ...lines,
      ...(await someLog(memoryAudit(), newSigner())).lines.filter(
        (line) => !line.startsWith('{"checkpoint"'),
      ),
    ],
    'an insider with the key of the log writes all of it anew': (await someLog()).lines,
  };
  return { anchor, logs };
}
