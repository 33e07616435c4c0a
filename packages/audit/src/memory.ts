import { fromBody, type StoredEntry } from './entry.js';
import { batchLine, checkpointLine, type BatchEnd } from './log/lines.js';
import { MemoryTree } from './log/memory-tree.js';
import { commitmentsIn } from './people/fields.js';
import { SealedValues } from './people/sealed-store.js';
import type { AuditPage } from './query.js';
import { matches, pageOf } from './query-match.js';
import type { AuditStore } from './store.js';

export interface MemoryAudit extends AuditStore {
  /** Everything that was recorded, oldest first, without what the log says about itself. */
  readonly entries: readonly StoredEntry[];
}

/** Keeps entries in this process, for tests and trials; nothing survives its end. The oldest go when it is full. */
export function memoryAudit(options: { readonly maxEntries?: number } = {}): MemoryAudit {
  const { maxEntries = 100_000 } = options;
  let entries: StoredEntry[] = [];
  let firstLine: string | undefined;
  const ids = new Set<string>();
  const batches = new Map<string, BatchEnd>();
  const tree = new MemoryTree();
  const sealedValues = new SealedValues();
  let seq = 0;

  return {
    get entries() {
      return entries.filter(({ kind }) => kind !== 'log');
    },
    ephemeral: true,
    place: {
      where: 'the memory of this process, gone at its end',
      format: 'canonical JSON (RFC 8785)',
      access: 'this process',
    },
    tree: {
      newest: () => Promise.resolve(tree.newest()),
      tiles: tree.tiles,
      find: (id) => {
        const entry = entries.find((one) => one.id === id);
        return Promise.resolve(entry && tree.place(entry));
      },
      extend: (step, how) => tree.extend(step, how),
    },
    people: {
      find: (commitments) => Promise.resolve(sealedValues.find(commitments)),
      erase: (subjects, at) => Promise.resolve(sealedValues.erase(subjects, at)),
    },
    append({ writer, first, bodies, leaves, signature, sealed }) {
      const name = `${writer} ${first}`;
      if (batches.has(name)) return Promise.resolve();
      const added = bodies.map((body, i) => Object.freeze(fromBody(body, String(seq + i + 1))));
      if (added.some(({ id }) => ids.has(id))) {
        return Promise.reject(Object.assign(new Error('An entry of this id is there.'), { kind: 'unique' }));
      }
      batches.set(name, { writer, last: first + bodies.length - 1, signature });
      tree.add({ writer, first, leaves });
      sealedValues.add(sealed);
      seq += added.length;
      for (const entry of added) {
        ids.add(entry.id);
        entries.push(entry);
        if (entries.length > maxEntries) ids.delete(entries.shift()!.id);
      }
      return Promise.resolve();
    },
    pruning: {
      cutAt: (index) => Promise.resolve(tree.cutAt(index)),
      finish: () => Promise.resolve(),
      prune(to, line) {
        firstLine = line;
        const gone = new Set<string>();
        for (const { writer, first, count } of tree.cut(to)) {
          batches.delete(`${writer} ${first}`);
          for (let i = 0; i < count; i++) gone.add(`${writer} ${first + i}`);
        }
        const isGone = ({ writer, number }: StoredEntry): boolean => gone.has(`${writer} ${number}`);
        for (const { id, body } of entries.filter(isGone)) {
          ids.delete(id);
          sealedValues.remove(commitmentsIn(body));
        }
        entries = entries.filter((entry) => !isGone(entry));
        return Promise.resolve();
      },
    },
    async *export() {
      if (firstLine !== undefined) yield firstLine;
      const ends = new Map([...batches.values()].map((batch) => [`${batch.writer} ${batch.last}`, batch]));
      const checkpoints = [...tree.checkpoints];
      const places = new Map(
        entries.map((entry) => [entry, tree.place(entry).index ?? Number.POSITIVE_INFINITY]),
      );
      const ordered = entries.toSorted(
        (a, b) =>
          // Infinity less infinity is no number.
          places.get(a)! - places.get(b)! || 0 || a.writer.localeCompare(b.writer) || a.number - b.number,
      );
      for (const entry of ordered) {
        while (checkpoints.length > 0 && checkpoints[0]!.size <= places.get(entry)!) {
          yield checkpointLine(checkpoints.shift()!.note);
        }
        yield entry.body;
        const end = ends.get(`${entry.writer} ${entry.number}`);
        if (end) yield batchLine(end);
      }
      for (const { note } of checkpoints) yield checkpointLine(note);
    },
    query(query): Promise<AuditPage> {
      const found: StoredEntry[] = [];
      for (let i = entries.length - 1; i >= 0 && found.length <= query.limit; i--) {
        if (matches(entries[i]!, query)) found.push(entries[i]!);
      }
      return Promise.resolve(pageOf(found, query.limit));
    },
  };
}
