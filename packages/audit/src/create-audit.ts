import {
  isSqlError,
  noEvents,
  option,
  optionConflict,
  OptionError,
  readOptions,
  systemClock,
  systemRandom,
  toMs,
  type Clock,
  type Duration,
  type Events,
  type Middleware,
  type OptionReader,
  type Random,
  type Secret,
  type Sql,
  type SqlTransaction,
} from '@portcullis/core';
import { createRedactor, type Redactor } from '@portcullis/redact';
import { accessLog, type AccessLogOptions } from './access-log.js';
import type { Anchor } from './anchors/anchor.js';
import type { AnchorStatus } from './anchors/anchor-runner.js';
import { Chain } from './chain.js';
import { fromDraft, type DraftBody } from './entry.js';
import { errors } from './error-codes.js';
import type { Checkpoint } from './checkpoint.js';
import { exportAs, type ExportOptions } from './exports/export-as.js';
import {
  eventsSince,
  placesOf,
  removedBefore,
  type InventoryOptions,
  type LogInventory,
} from './inventory.js';
import { Sealer } from './log/sealer.js';
import type { AuditTree } from './log/tree.js';
import type { AuditMirror } from './mirror.js';
import { commitmentsIn, readFields, type PersonalField, type PersonalOwner } from './people/fields.js';
import { People } from './people/people.js';
import { checkQuery, type AuditPage, type AuditQuery, type CheckedQuery } from './query.js';
import {
  actorOf,
  contextOf,
  prepare,
  prepareRecord,
  type AuditRecord,
  type PreparedEntry,
  type RecordDeps,
} from './record.js';
import { disclosureLine, proveEntry, withPersonal, type ProvedEntry } from './prove.js';
import { Relay } from './relay.js';
import { HOLD_PLACED, HOLD_RELEASED, holdsIn, isHoldName, type LegalHold } from './retention/holds.js';
import { pruneLog, type PruneResult } from './retention/prune.js';
import { readPolicies, type ReviewPolicy } from './reviews/review-policy.js';
import { COMPLETED, SIGNED } from './reviews/review-records.js';
import { Reviews, type AuditReviews, type ReviewStatus } from './reviews/reviews.js';
import type { LogSigner } from './signer.js';
import { Spool, type SpoolOptions } from './spool.js';
import type { AuditStore } from './store.js';
import {
  currentRow,
  historyOf,
  rowAsOf,
  type History,
  type HistoryQuery,
  type Row,
} from './tracking/history.js';
import { COLUMNS_CHANGED, columnsAt, namesOf } from './tracking/columns.js';
import type { TrackedTable, TrackOptions } from './tracking/install.js';
import { PRUNED } from './verify/judge.js';
import { Writer, type LossPolicy, type Receipt, type WriterStatus } from './writer.js';

export interface AuditOptions {
  /**
   * `postgresAudit({ sql })` from `@portcullis/audit/postgres`, `fileAudit({ directory })` from `@portcullis/audit/file`, or
   * `memoryAudit()` for tests.
   */
  readonly store: AuditStore;
  /** @default createRedactor() with bounds that suit one entry: depth 12, 2,000 values, strings of 4,096 characters */
  readonly redactor?: Pick<Redactor, 'redact'>;
  /** What happens to an action whose record cannot be made durable. Requests are always dropped and counted. @default 'block' */
  readonly onStoreDown?: LossPolicy;
  /** Exceptions by action: exact names, or `prefix.*`; the longest wins. @default {} */
  readonly classes?: Readonly<Record<string, LossPolicy>>;
  /** Records survive an outage of the store on disk and are replayed, exactly once. @default none */
  readonly spool?: SpoolOptions;
  /** Gets a copy of every record once its fate is known, such as `winstonMirror(logger)`. @default none */
  readonly mirror?: AuditMirror;
  /** Records that may wait for the store, 1 to 1,000,000. @default 10_000 */
  readonly maxPending?: number;
  /** Bytes of one entry; a larger one loses its change and data. 1 KiB to 1 MiB. @default 64 KiB */
  readonly maxEntryBytes?: number;
  /** How long a failing store is left alone, 10 ms to 10 min. @default '1s' */
  readonly retryEvery?: Duration;
  /** Longest time for one batch, whatever the store does, 10 ms to 2 min; a caller waits for two at most. @default '5s' */
  readonly deadline?: Duration;
  /** Who speaks for the log, such as `ed25519Signer()`. Without one, entries are chained but nothing is signed. @default none */
  readonly signer?: LogSigner;
  /**
   * Where checkpoints are kept that whoever can write the store cannot change: `fileAnchor()`, `webhookAnchor()`, `databaseAnchor()`,
   * `witnessAnchor()`, `logLineAnchor()`. `false`: knowingly none. Without `signer` there are no checkpoints. @default none, with a warning at start
   */
  readonly anchors?: readonly Anchor[] | false;
  /** How often a checkpoint is made, if there is something new, 10 ms to 1 h. @default '1s' */
  readonly checkpointEvery?: Duration;
  /** After so long a writer's key is replaced and forgotten, 1 s to 24 h. @default '15m' */
  readonly keyLifetime?: Duration;
  /** Takes personal values out of the log, so that a person can be erased and the log stays whole. @default none */
  readonly personal?: PersonalOptions;
  /** Regular review of the log: which entries people have to look at, by a name for each policy, such as `denied`. @default none */
  readonly reviews?: Readonly<Record<string, ReviewPolicy>>;
  /** How often is looked whether reviews are overdue, 1 s to 24 h. @default '15m' */
  readonly checkReviewsEvery?: Duration;
  readonly clock?: Clock;
  readonly random?: Random;
  readonly events?: Events;
}

export interface PersonalOptions {
  /** Wraps the keys of people and names them: at least 32 bytes, the same for all processes. */
  readonly key: string | Secret<string>;
  /**
   * Which values are personal, and whose: `context.address`, `context.agent`, `context.path`, `reason`, `data.*.email`, `change.after.name`; `*` is
   * any one name or place of a list. Ids stay readable: they are queried. @default { 'context.address': 'actor', 'context.agent': 'actor' }
   */
  readonly fields?: Readonly<Record<string, PersonalOwner>>;
}

export interface ErasureOptions {
  /** Values that were recorded before anybody knew whose they are, such as the addresses of a person. @default [] */
  readonly values?: readonly unknown[];
  /** Why, such as the number of the request. It stays in the log: nothing about the person. */
  readonly reason?: string;
  /** Who does it. @default the principal of `request`, else the system */
  readonly actor?: NonNullable<AuditRecord['actor']>;
  readonly request?: NonNullable<AuditRecord['request']>;
}

/** Who removes or holds, and why; it stays in the log. */
export interface RetentionReason {
  readonly reason: string;
  /** @default the principal of `request`, else the system */
  readonly actor?: NonNullable<AuditRecord['actor']>;
  readonly request?: NonNullable<AuditRecord['request']>;
}

export interface PruneOptions extends RetentionReason {
  /** Entries that are younger stay, 1 min or more: `'365d'`. */
  readonly olderThan: Duration;
}

export interface HoldOptions extends RetentionReason {
  /** Entries from this time on are kept. @default all */
  readonly from?: Date | number | string;
}

export interface DisclosureOptions {
  /**
   * Personal fields, by their names in `personal.fields`, that are shown with the salt of their commitment: who gets the line can tell that
   * the value is the one that was recorded, and learns no other. Of people who were erased that is said. @default []
   */
  readonly reveal?: readonly string[];
}

export interface AuditStatus extends WriterStatus {
  /** What the log in its present form can and cannot show. */
  readonly guarantee: AuditGuarantee;
  /** What verifiers need (C2SP); absent without a signer. */
  readonly verifierKey?: string;
  /** Entries under the newest checkpoint that this process knows. */
  readonly sealed: number;
  readonly anchors: readonly AnchorStatus[];
  /** As far as this process knows; `reviews.status()` asks the log. */
  readonly reviews: readonly ReviewStatus[];
  /** What keeps the guarantee from being `anchored`, in words; empty if nothing does. */
  readonly warnings: readonly string[];
}

/**
 * What is found by `verifyLog()`. `chained`: accidents only, anybody who can write the table can make the chain anew. `signed`:
 * changes, but not that the newest batches or whole chains are gone. `checkpointed`: those too, unless the checkpoints were cut off as well.
 * `anchored`: that as well, up to the newest checkpoint that an anchor took.
 */
export type AuditGuarantee = 'chained' | 'signed' | 'checkpointed' | 'anchored';

export interface Audit {
  /**
   * Resolves when the record is durable: in the store, or fsynced in the spool.
   * Records of many callers share one INSERT.
   * @throws E_AUDIT_UNAVAILABLE if that is not possible and the action's class is `block`
   * @throws TypeError for a record that is not well-formed
   */
  record(record: AuditRecord): Promise<Receipt>;
  /**
   * Records within the caller's transaction: action and record become durable together, or neither does.
   * @throws SqlError, E_AUDIT_UNAVAILABLE where the database does not let the log be written; either fails the transaction
   */
  tx(tx: SqlTransaction): { record(record: AuditRecord): Promise<{ readonly id: string }> };
  /**
   * Brings what waits in the outbox longer than this (default 3 s) into the log. Happens by itself every second; entries of
   * `tx()` are relayed right after their commit.
   * @throws SqlError | E_AUDIT_UNAVAILABLE
   */
  relay(longerThan?: Duration): Promise<void>;
  /** Middleware, stage observe: one record per request, when the response is closed, aborted ones included. */
  accessLog(options?: AccessLogOptions): Middleware;
  /**
   * Entries, newest first.
   * @throws E_AUDIT_QUERY_INVALID | SqlError
   */
  query(query: AuditQuery): Promise<AuditPage>;
  /**
   * Writes every change of a table into the log, bulk and raw SQL included, by triggers in the transaction of the change. Call it
   * when the process starts, after the app's migrations, with a connection that owns the table: a column that was added since is
   * tracked from then on, and `asOf()` knows which columns there were when. Who did it is read from the settings `app.user_id`, `app.request_id` and `app.reason` of
   * the transaction.
   * @throws OptionError | SqlError | E_AUDIT_UNAVAILABLE; TypeError if the store has no triggers
   */
  track(sql: Sql, table: string, options?: TrackOptions): Promise<void>;
  /**
   * What became of a row or of another target, field by field, newest first. The id of a row with several key columns is
   * the JSON array of their texts.
   * @throws E_AUDIT_QUERY_INVALID | E_AUDIT_UNAVAILABLE | SqlError
   */
  history(type: string, id: string, query: HistoryQuery): Promise<History>;
  /**
   * A tracked row as it was at a time, masked columns aside, with the columns that its table had; undefined if it was not there. Only `created`, `updated` and `deleted` of it count. For the program itself: who
   * may see it is for the caller to decide. For what is recorded with `changeOf()`, say how the object is now.
   * @throws E_AUDIT_QUERY_INVALID | SqlError; TypeError for a table that is not tracked
   */
  asOf(
    type: string,
    id: string,
    at: Date | number | string,
    now?: { readonly row: Row | undefined },
  ): Promise<Row | undefined>;
  /**
   * The whole log as lines of NDJSON, for `verifyLog()` and `portcullis-audit verify`; with a `format`, its entries as other
   * systems read them.
   * @throws OptionError | SqlError
   */
  export(options?: ExportOptions): AsyncIterable<string>;
  /**
   * Makes a checkpoint over everything that is durable now and asks every anchor once: after it, what was recorded before is under
   * the anchors' guarantee, as far as `status()` says that they are up. Happens by itself every `checkpointEvery`.
   * Undefined for a log without signer, or without entries.
   * @throws SqlError, or what the signer throws
   */
  checkpoint(): Promise<Checkpoint | undefined>;
  /** The entry of this id (of a receipt) and the proof that it is in the log; undefined if there is none. @throws SqlError */
  prove(id: string): Promise<ProvedEntry | undefined>;
  /**
   * Chosen entries with their proofs, as lines of NDJSON for `verifyDisclosure()`: they show that these entries are in the
   * log, and nothing of the others. Personal values stay commitments, but for the fields of `reveal`.
   * @throws TypeError for an id that is not there, or a field that is none of `personal`
   */
  disclose(ids: Iterable<string>, options?: DisclosureOptions): AsyncIterable<string>;
  /**
   * Forgets a person: all values of `personal.fields` that are theirs, and the keys they were under. Every hash, signature and proof stays
   * as it is. That it was done is in the log before and after, without saying of whom. Can be repeated, also after a crash in the
   * middle, and has to be after a backup was put back.
   * @returns how many values there were
   * @throws E_AUDIT_UNAVAILABLE | SqlError; TypeError without `personal`
   */
  erase(subject: string, options?: ErasureOptions): Promise<{ readonly values: number }>;
  /**
   * Retention: removes the oldest entries, by whole batches (in files: whole segments), up to the first that is younger or under a legal
   * hold. What goes is verified before; that it went, up to where, why and by whom is in the log, and the log's key signs
   * what verifiers go on from. Hashes of the tree stay. In PostgreSQL it takes a role of its own (`postgresAudit({ pruner })`).
   * @throws E_AUDIT_PRUNE_REFUSED if what would go is not as it was written; E_AUDIT_UNAVAILABLE | SqlError;
   *   TypeError without signer or for a store that cannot
   */
  prune(options: PruneOptions): Promise<PruneResult>;
  /**
   * A legal hold: `prune()` keeps entries from its time on until it is released. The name is lower-case letters, digits, `.` and `-`, up to 64.
   * @throws E_AUDIT_UNAVAILABLE; TypeError for a name or time that is none
   */
  hold(name: string, options: HoldOptions): Promise<void>;
  /** @throws E_AUDIT_UNAVAILABLE; TypeError for a hold that is not in force */
  release(name: string, options: RetentionReason): Promise<void>;
  /** Holds that are in force. @throws SqlError */
  holds(): Promise<readonly LegalHold[]>;
  /** Regular review: what is due by the option `reviews`, sign-offs, and the evidence that it was done. */
  readonly reviews: AuditReviews;
  /** What is waiting, what was lost, and which guarantee is in force. */
  status(): AuditStatus;
  /**
   * What is logged, in which form, where it is kept, who may read it, what it is used for, and for how long: the inventory of ASVS V16.1.1, taken
   * from the log itself.
   * @throws E_AUDIT_QUERY_INVALID | SqlError
   */
  inventory(options?: InventoryOptions): Promise<LogInventory>;
  /** Waits for what is on its way; records that come later are refused or dropped by class. Closes the store too, if it holds files. */
  close(): Promise<void>;
}

const OWNER = 'createAudit';
const DAY_MS = 86_400_000;
const POLICIES = ['block', 'drop-and-count'] as const;

/**
 * The record of who did what, to what, from where, and how it ended, with secrets removed.
 * @throws OptionError
 * @see OWASP ASVS 5.0 V16; OWASP Logging Cheat Sheet
 */
export function createAudit(options: AuditOptions): Audit {
  const given = readOptions(OWNER, options, {
    store: option.port<AuditStore>(['append', 'query']),
    redactor: option.optional(option.port<Pick<Redactor, 'redact'>>(['redact'])),
    onStoreDown: option.oneOf(POLICIES, 'block'),
    classes: classesOption,
    spool: option.optional(
      option.group({
        directory: option.string({ max: 4096 }),
        maxBytes: option.integer({ min: 65_536, max: 2 ** 34, default: 64 << 20 }),
      }),
    ),
    mirror: option.optional(option.port<AuditMirror>(['write'])),
    maxPending: option.integer({ min: 1, max: 1_000_000, default: 10_000 }),
    maxEntryBytes: option.integer({ min: 1024, max: 1 << 20, default: 64 << 10 }),
    retryEvery: option.duration({ minMs: 10, maxMs: 600_000, default: '1s' }),
    deadline: option.duration({ minMs: 10, maxMs: 120_000, default: '5s' }),
    signer: option.optional(option.port<LogSigner>(['sign'])),
    anchors: option.orFalse(option.array(option.port<Anchor>(['publish']), { max: 16, default: [] })),
    checkpointEvery: option.duration({ minMs: 10, maxMs: 3_600_000, default: '1s' }),
    keyLifetime: option.duration({ minMs: 1_000, maxMs: 86_400_000, default: '15m' }),
    personal: option.optional(personalOption),
    reviews: readPolicies,
    checkReviewsEvery: option.duration({ minMs: 1_000, maxMs: 86_400_000, default: '15m' }),
    clock: option.port<Clock>(['now', 'monotonic'], systemClock),
    random: option.port<Random>(['bytes', 'uuid'], systemRandom),
    events: option.port<Events>(['emit'], noEvents),
  });
  const { store, clock, random, events, mirror, signer } = given;
  if (given.personal && !store.people) {
    optionConflict(OWNER, 'personal', 'this store keeps no personal values apart');
  }
  const people = given.personal && new People({ ...given.personal, clock, random });
  const deps: RecordDeps = {
    people,
    clock,
    random,
    maxEntryBytes: given.maxEntryBytes,
    redactor: given.redactor ?? createRedactor({ limits: { depth: 12, nodes: 2_000, string: 4_096 } }),
  };
  const lossOf = policyOf(given.classes, given.onStoreDown);
  const writer = new Writer({
    store,
    spool: given.spool && Spool.claim(given.spool, random),
    clock,
    events,
    maxPending: given.maxPending,
    retryMs: given.retryEvery,
    deadlineMs: given.deadline,
    openChain: (refused) =>
      Chain.open(
        { log: signer?.origin ?? UNNAMED, signer, clock, random, keyLifetimeMs: given.keyLifetime },
        refused,
      ),
    policyOf: lossOf,
    settled: show,
  });
  const { outbox } = store;
  const relay = outbox && new Relay(outbox, writer, deps);

  const tracked = new Map<string, TrackedTable>();

  /** What was committed before is in the log afterwards. */
  async function caughtUp(): Promise<void> {
    await (relay ? relay.catchUp() : writer.settled());
  }

  const anchors = given.anchors === false ? [] : given.anchors;
  if (anchors.length > 0 && !(signer && store.tree)) {
    optionConflict(OWNER, 'anchors', 'anchors keep checkpoints, which take a signer and a store with a tree');
  }
  const sealer =
    signer && store.tree
      ? new Sealer({
          tree: store.tree,
          signer,
          anchors,
          clock,
          events,
          everyMs: given.checkpointEvery,
          deadlineMs: given.deadline,
          retryMs: given.retryEvery,
        })
      : undefined;
  if (given.anchors !== false && anchors.length === 0 && !store.ephemeral) warnUnanchored();

  /** Of a wrong guarantee nobody hears again once the process runs. */
  function warnUnanchored(): void {
    const guarantee = !signer ? 'chained' : sealer ? 'checkpointed' : 'signed';
    events.emit({ type: 'audit.unanchored', guarantee });
    process.emitWarning(`The audit log is ${guarantee} only: ${WARNINGS[guarantee]}.`, {
      code: 'PORTCULLIS_AUDIT_UNANCHORED',
      detail: 'Give createAudit() a signer and anchors, or `anchors: false` if that is meant.',
    });
  }
  function requireSealer(): { readonly sealer: Sealer; readonly tree: AuditTree } {
    if (!sealer || !store.tree) throw new TypeError('Proofs take a signer and a store with a tree.');
    return { sealer, tree: store.tree };
  }

  /** With the personal values that are there; `body` stays what was hashed. */
  async function find(checked: CheckedQuery): Promise<AuditPage> {
    const page = await store.query(checked);
    if (!people || !store.people) return page;
    const commitments = [...new Set(page.entries.flatMap(({ body }) => commitmentsIn(body)))];
    if (commitments.length === 0) return page;
    const sealed = new Map((await store.people.find(commitments)).map((one) => [one.commitment, one]));
    return { ...page, entries: page.entries.map((entry) => people.open(entry, sealed)) };
  }

  function show(entry: PreparedEntry, durable: boolean): void {
    if (!mirror) return;
    try {
      mirror.write(fromDraft(JSON.parse(entry.draft) as DraftBody), durable);
    } catch (error) {
      const { code } = (error ?? {}) as { code?: unknown };
      events.emit({ type: 'audit.mirror-failed', code: typeof code === 'string' ? code : 'unknown' });
    }
  }

  /** What the log says about itself: no record of the app can pass for it. */
  async function recordOwn(
    action: string,
    { reason, actor, request }: RetentionReason,
    name?: string,
    data?: Readonly<Record<string, unknown>>,
  ): Promise<void> {
    if (typeof reason !== 'string' || reason === '') throw new TypeError('Retention takes a reason.');
    const principal = actor ?? request?.security?.principal ?? 'system';
    const entry = prepare(
      {
        kind: 'log',
        action,
        outcome: 'success',
        actor: actorOf(principal),
        reason,
        ...(name === undefined ? {} : { target: { type: 'legal-hold', id: name } }),
        ...(data === undefined ? {} : { data }),
        context: request ? contextOf(request, principal) : {},
      },
      deps,
    );
    const { durable } = await writer.write(entry);
    if (!durable) throw errors.E_AUDIT_UNAVAILABLE();
  }

  /** So that `asOf()` knows what a table had before it was given another form. */
  async function recordColumns(table: TrackedTable): Promise<void> {
    await writer.settled();
    const columns = namesOf(table);
    const known = await columnsAt(find, table);
    if (known?.join('\0') === columns.join('\0')) return;
    const about = { type: 'table', id: table.table } as const;
    // Names of columns are no secrets, whatever they sound like.
    const plain = { ...deps, redactor: { redact: (value: unknown) => value } };
    const { durable } = await writer.write(
      prepare(
        {
          kind: 'log',
          action: COLUMNS_CHANGED,
          outcome: 'success',
          actor: actorOf('system'),
          target: about,
          data: { columns },
          context: {},
        },
        plain,
      ),
    );
    if (!durable) throw errors.E_AUDIT_UNAVAILABLE();
  }

  async function heldNow(): Promise<LegalHold[]> {
    await writer.settled();
    return holdsIn((query) => store.query(query));
  }

  async function* disclose(
    ids: Iterable<string>,
    { reveal = [] }: DisclosureOptions = {},
  ): AsyncIterable<string> {
    const { tree, sealer: sealing } = requireSealer();
    if (reveal.length > 0 && !people) throw new TypeError('reveal needs the option personal.');
    const fields = people?.fieldsNamed(reveal) ?? [];
    await writer.settled();
    for (const id of ids) {
      const proved = await proveEntry(id, tree, sealing);
      if (!proved) throw new TypeError(`There is no entry with the id ${JSON.stringify(id)}.`);
      yield disclosureLine(
        people && store.people ? await withPersonal(proved, fields, people, store.people) : proved,
      );
    }
  }

  const reviews = new Reviews({
    duties: given.reviews,
    clock,
    events,
    checkEveryMs: given.checkReviewsEvery,
    find,
    settled: caughtUp,
    // What is ours has no secrets and loses nothing: an id can look like a card number.
    record: (record) =>
      writer.write(prepareRecord(record, { ...deps, redactor: { redact: (value) => redactReason(value) } })),
    disclose: (ids) => disclose(ids),
  });

  function redactReason(value: unknown): unknown {
    const { reason, ...rest } = value as { readonly reason?: unknown };
    return { ...rest, ...(deps.redactor.redact({ reason }) as object) };
  }

  function appRecord(record: AuditRecord): PreparedEntry {
    if (RESERVED.has(record.action))
      throw new TypeError(`${record.action} is written by audit.reviews only.`);
    return prepareRecord(record, deps);
  }

  return Object.freeze<Audit>({
    reviews: Object.freeze<AuditReviews>({
      queue: (policy, by, limit) => reviews.queue(policy, by, limit),
      signOff: (policy, signOff) => reviews.signOff(policy, signOff),
      complete: (policy, completion) => reviews.complete(policy, completion),
      evidence: (policy, round) => reviews.evidence(policy, round),
      status: () => reviews.status(),
    }),
    // Async, so that a mistake in the record is a rejection like every other failure.
    async record(record) {
      return writer.write(appRecord(record));
    },
    tx(tx) {
      if (!outbox || !relay)
        throw new TypeError('This audit store has no transactions; use postgresAudit().');
      return {
        async record(record) {
          const entry = appRecord(record);
          await outbox.put(tx, [entry]).catch(refusedByLog);
          tx.onCommit(() => {
            relay.committed(entry);
            show(entry, true);
          });
          return { id: entry.id };
        },
      };
    },
    async relay(longerThan) {
      await (relay ? relay.catchUp(toMs(longerThan ?? '3s')) : writer.settled());
    },
    accessLog: (accessOptions) =>
      accessLog(accessOptions, { ...deps, events, write: (entry) => writer.write(entry) }),
    async query(query) {
      const checked = checkQuery(query);
      // Who has just recorded something finds it.
      await writer.settled();
      return find(checked);
    },
    async track(sql, table, trackOptions) {
      if (!store.track) throw new TypeError('This audit store has no triggers; use postgresAudit().');
      const made = await store.track(sql, table, trackOptions);
      await recordColumns(made);
      tracked.set(table, made);
    },
    async history(type, id, historyQuery) {
      await caughtUp();
      return historyOf(find, type, id, historyQuery);
    },
    async asOf(type, id, at, now) {
      const table = tracked.get(type);
      if (!table && !now) {
        throw new TypeError(`"${type}" is not tracked: call track() first, or say how the object is now.`);
      }
      const row = now ? now.row : await currentRow(table!, id);
      await caughtUp();
      return rowAsOf(find, type, id, at, row, now ? undefined : await columnsAt(find, table!, at));
    },
    async erase(subject, erasure = {}) {
      if (!people || !store.people) throw new TypeError('erase() needs the option personal.');
      const { values = [], ...about } = erasure;
      const record = (action: string, data?: Record<string, unknown>) =>
        writer.write(
          prepareRecord({ action, outcome: 'success', ...(data ? { data } : {}), ...about }, deps),
        );
      // What is not in the log yet would come after.
      await caughtUp();
      await record('privacy.erasure-started');
      const subjects = [people.subjectOf(subject), ...values.map((value) => people.subjectOfValue(value))];
      const at = clock.now();
      for (const one of subjects) people.forget(one, at);
      const count = await store.people.erase(subjects, at);
      await record('privacy.erased', { values: count });
      return { values: count };
    },
    async prune({ olderThan, ...why }) {
      const { tree, sealer: sealing } = requireSealer();
      const { pruning } = store;
      if (!pruning || !store.export) throw new TypeError('This audit store removes nothing.');
      const ageMs = toMs(olderThan);
      if (ageMs === undefined || ageMs < 60_000) throw new TypeError('olderThan is 1 min or more.');
      const holds = await heldNow();
      const result = await pruneLog(new Date(clock.now() - ageMs).toISOString(), holds, {
        pruning,
        tree,
        sealer: sealing,
        signer: signer!,
        lines: () => store.export!(),
        record: (data) => recordOwn(PRUNED, why, undefined, data),
      });
      if (result.entries > 0) {
        events.emit({ type: 'audit.pruned', entries: result.entries, first: result.first });
      }
      return result;
    },
    async hold(name, { from, ...why }) {
      const time = from === undefined ? undefined : new Date(from);
      if (!isHoldName(name) || !((time?.getTime() ?? 0) <= clock.now())) {
        throw new TypeError('A legal hold has a name such as case-2026-17, and a time that is past.');
      }
      await recordOwn(HOLD_PLACED, why, name, time && { from: time.toISOString() });
    },
    async release(name, why) {
      const isHeld = (await heldNow()).some((hold) => hold.name === name);
      if (!isHeld) throw new TypeError(`There is no legal hold ${JSON.stringify(name)}.`);
      await recordOwn(HOLD_RELEASED, why, name);
    },
    holds: () => heldNow(),
    async *export(exportOptions) {
      if (!store.export) throw new TypeError('This audit store has no export.');
      await writer.settled();
      yield* exportOptions === undefined ? store.export() : exportAs(store.export(), exportOptions);
    },
    async checkpoint() {
      await writer.settled();
      return sealer?.seal();
    },
    async prove(id) {
      const { tree, sealer: sealing } = requireSealer();
      await writer.settled();
      return proveEntry(id, tree, sealing);
    },
    disclose,
    status() {
      const sealed = sealer?.status;
      const guarantee = guaranteeOf(signer, sealed);
      return {
        ...writer.status,
        guarantee,
        ...(signer ? { verifierKey: signer.verifierKey } : {}),
        sealed: sealed?.size ?? 0,
        anchors: sealed?.anchors ?? [],
        reviews: reviews.known,
        warnings: [
          ...(guarantee === 'anchored' ? [] : [WARNINGS[guarantee]]),
          ...(sealed?.trouble === undefined ? [] : [`no checkpoint can be made: ${sealed.trouble}`]),
          ...(sealed?.anchors ?? []).flatMap(({ name, state }) =>
            state === 'down' ? [`the anchor "${name}" takes no checkpoints`] : [],
          ),
        ],
      };
    },
    async inventory({ since, retention } = {}) {
      await caughtUp();
      const from = checkQuery({ viewer: 'system', from: since ?? clock.now() - DAY_MS }).from!;
      const removed = await removedBefore(find, PRUNED);
      return {
        log: signer?.origin ?? UNNAMED,
        places: placesOf({ store: store.place, spool: given.spool, mirror, anchors }),
        since: from,
        events: await eventsSince(find, from, lossOf),
        tables: [...tracked.values()].map(({ table, columns }) => ({
          table,
          columns: columns.map(({ name }) => name),
          masked: columns.filter(({ masked }) => masked).map(({ name }) => name),
        })),
        personal: given.personal?.fields.map(({ path }) => path) ?? [],
        reviews: [...given.reviews.keys()],
        retention: {
          ...(retention === undefined ? {} : { policy: retention }),
          ...(removed === undefined ? {} : { removedBefore: removed }),
          holds: await heldNow(),
        },
      };
    },
    async close() {
      relay?.close();
      reviews.close();
      await writer.close();
      await sealer?.close();
      await store.close?.();
    },
  });
}

const WARNINGS = {
  chained: 'there is no signer, so that whoever can write the store can make the log anew unseen',
  signed: 'the store keeps no tree, so that newest batches and whole chains can be cut off unseen',
  checkpointed: 'no anchor holds its checkpoints, so that newest entries can be cut off with them unseen',
} as const;

function guaranteeOf(
  signer: LogSigner | undefined,
  sealed: { readonly trouble: string | undefined; readonly anchors: readonly AnchorStatus[] } | undefined,
): AuditGuarantee {
  if (!signer) return 'chained';
  if (!sealed || sealed.trouble !== undefined) return 'signed';
  return sealed.anchors.some(({ state }) => state === 'up') ? 'anchored' : 'checkpointed';
}

const RESERVED = new Set<unknown>([SIGNED, COMPLETED]);

const personalOption: OptionReader<{
  readonly key: Secret<string>;
  readonly fields: readonly PersonalField[];
}> = option.group({ key: option.secret({ minBytes: 32 }), fields: readFields });

/** What the database refuses of the log's own is no mistake of the caller's; what it would take when asked again stays what it is. */
function refusedByLog(error: unknown): never {
  if (!isSqlError(error) || error.status !== 500) throw error;
  throw errors.E_AUDIT_UNAVAILABLE({ cause: error });
}

/** Origin of a log that nobody speaks for. */
const UNNAMED = 'unsigned';

type Classes = ReadonlyMap<string, LossPolicy>;

const classesOption: OptionReader<Classes> = (value, owner, path) => {
  if (value === undefined) return new Map();
  if (typeof value !== 'object' || value === null) {
    throw new OptionError('E_OPTION_TYPE', owner, path, `${path} must be an object of actions and policies`);
  }
  const classes = new Map<string, LossPolicy>();
  for (const [action, policy] of Object.entries(value)) {
    if (!/^[a-z][a-z0-9.-]{0,199}(?:\.\*)?$/.test(action)) {
      throw new OptionError(
        'E_OPTION_VALUE',
        owner,
        path,
        `${path}: "${action}" is no action such as 'book.created' or 'book.*'`,
      );
    }
    classes.set(action, option.oneOf(POLICIES)(policy, owner, `${path}.${action}`));
  }
  return classes;
};

function policyOf(
  classes: Classes,
  otherwise: LossPolicy,
): (entry: Pick<PreparedEntry, 'kind' | 'action'>) => LossPolicy {
  return ({ kind, action }) => {
    if (kind === 'request') return 'drop-and-count';
    const exact = classes.get(action);
    if (exact) return exact;
    for (let dot = action.lastIndexOf('.'); dot > 0; dot = action.lastIndexOf('.', dot - 1)) {
      const policy = classes.get(`${action.slice(0, dot)}.*`);
      if (policy) return policy;
    }
    return otherwise;
  };
}
