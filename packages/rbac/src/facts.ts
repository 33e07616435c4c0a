import {
  isSecurityError,
  within,
  type Change,
  type Clock,
  type Events,
  type Freshness,
} from '@portcullis/core';
import type { Catalogue } from './catalogue.js';
import { errors } from './error-codes.js';
import { makeEntry, type UserEntry } from './judge.js';
import { compilePolicy, type CompiledPolicy } from './policy.js';
import { RecentNames } from './recent-names.js';
import { RoleIds } from './role-ids.js';
import { checkPolicyRecord, checkUserRecord } from './records.js';
import type { SharedEntries } from './shared-entries.js';
import {
  POLICY_TOPIC,
  USER_TOPIC,
  type LoadScope,
  type RoleStore,
  type Snapshot,
  type UserRecord,
} from './role-store.js';

/** What a decision is made from. Decisions themselves are never kept. */
export interface Facts {
  readonly policy: CompiledPolicy;
  readonly entry: UserEntry;
  readonly source: 'cache' | 'store';
}

/** As just read, with everything that the store says about the user. */
export interface FreshFacts extends Facts {
  readonly record: UserRecord;
}

export interface FactsDeps {
  readonly catalogue: Catalogue;
  readonly store: RoleStore;
  readonly freshness: Freshness;
  readonly clock: Clock;
  readonly events: Events;
  readonly deadlineMs: number;
  readonly maxUsers: number;
  /** How long after the end of the lease cached facts may still be used while the log cannot be read. */
  readonly graceMs: number;
  readonly shared: SharedEntries | undefined;
}

/** One load that all who ask meanwhile share. */
interface Flight<T> {
  readonly key: string;
  /** Set when a change arrives: what is being read may be the state before it. */
  stale: boolean;
  promise: Promise<T>;
}

const MAX_ROUNDS = 8;

/**
 * Roles and grants in memory, used only while core's lease shows that no change was missed. Misses are loaded
 * once for all who wait; a user without any grant is an entry like others; failures are never kept.
 */
export class FactsCache {
  readonly #deps: FactsDeps;
  readonly #users = new Map<string, UserEntry>();
  /** Whoever leaves `users`, or comes anew, has to be forgotten here. */
  readonly #recent = new RecentNames(
    (userId) => this.#users.get(userId),
    () => this.#users.size,
  );
  readonly #userFlights = new Map<string, Flight<UserEntry>>();
  readonly #live = new Set<Flight<unknown>>();
  #policy: CompiledPolicy | undefined;
  #policyFlight: Flight<CompiledPolicy> | undefined;
  #roleIds = new RoleIds();
  readonly #freshness: Freshness;
  readonly #graceMs: number;
  #lastHeld = Number.NEGATIVE_INFINITY;
  readonly #unsubscribe: readonly (() => void)[];

  constructor(deps: FactsDeps) {
    this.#deps = deps;
    this.#freshness = deps.freshness;
    this.#graceMs = deps.graceMs;
    this.#unsubscribe = [
      deps.freshness.onChanges(USER_TOPIC, (changes) => {
        if (!changes || changes.some(({ subject }) => subject === '*')) this.evictUsers();
        else for (const { subject } of changes) this.evictUser(subject);
      }),
      deps.freshness.onChanges(POLICY_TOPIC, () => this.evictPolicy()),
    ];
  }

  /** Facts that count now, without waiting; undefined if something has to be read. */
  now(userId: string): Facts | undefined {
    if (!this.#current()) return undefined;
    return this.#cached(userId);
  }

  /** {@link now} without anything being made: an entry that may be read with {@link heldPolicy} until something is awaited. */
  entryNow(userId: string): UserEntry | undefined {
    if (!this.#current()) return undefined;
    const entry = this.#recent.get(userId);
    const policy = this.#policy;
    return entry !== undefined && policy !== undefined && this.#agree(policy, entry) ? entry : undefined;
  }

  /** The policy of the entry that {@link entryNow} has just given. */
  get heldPolicy(): CompiledPolicy {
    return this.#policy!;
  }

  /** The compiled policy that counts now, without waiting. */
  policyNow(): CompiledPolicy | undefined {
    return this.#current() ? this.#policy : undefined;
  }

  /** @throws E_ROLES_UNAVAILABLE, E_ROLES_TIMEOUT, E_POLICY_INVALID, E_STALE (all 503) */
  get(userId: string): Promise<Facts> {
    return this.#inTime(this.#get(userId));
  }

  /** @throws like {@link get} */
  policy(): Promise<CompiledPolicy> {
    return this.#inTime(this.#getPolicy());
  }

  /** Reads the user from the store, whatever is cached, and the policy too if it has changed. Needs no lease. */
  fresh(userId: string): Promise<FreshFacts> {
    return this.#inTime(this.#fresh(userId));
  }

  /** What this process has just written counts here at once. */
  written(changes: readonly Change[], revision: number): void {
    for (const { topic, subject } of changes) {
      if (topic === POLICY_TOPIC) this.evictPolicy();
      else {
        if (subject === '*') this.evictUsers();
        else this.evictUser(subject);
        this.#deps.shared?.changed(subject, revision);
      }
    }
  }

  evictUser(userId: string): void {
    this.#users.delete(userId);
    this.#recent.forget(userId);
    this.#userFlights.delete(userId);
    for (const flight of this.#live) if (flight.key === userKey(userId)) flight.stale = true;
  }

  evictUsers(): void {
    this.#users.clear();
    this.#recent.clear();
    this.#userFlights.clear();
    for (const flight of this.#live) if (flight.key !== POLICY_KEY) flight.stale = true;
  }

  evictPolicy(): void {
    this.#policy = undefined;
    this.#policyFlight = undefined;
    for (const flight of this.#live) if (flight.key === POLICY_KEY) flight.stale = true;
  }

  stop(): void {
    for (const stop of this.#unsubscribe) stop();
    this.evictUsers();
    this.evictPolicy();
  }

  #current(): boolean {
    const held = this.#freshness.current();
    if (held && this.#graceMs > 0) this.#lastHeld = this.#deps.clock.monotonic();
    return held;
  }

  #cached(userId: string): Facts | undefined {
    const policy = this.#policy;
    const entry = this.#users.get(userId);
    return policy && entry && this.#agree(policy, entry) ? { policy, entry, source: 'cache' } : undefined;
  }

  /**
   * May this entry be read with this policy? Both come from snapshots of their own. An entry that saw a newer policy
   * must not meet the older one: the user may have been given a role only because that role had been reduced before.
   * An older entry may meet a newer policy once every change before that policy has been applied here.
   */
  #agree(policy: CompiledPolicy, entry: UserEntry): boolean {
    return (
      entry.ids === policy.ids &&
      entry.policyRevision <= policy.changedAt &&
      (entry.policyRevision === policy.changedAt || this.#freshness.revision >= policy.changedAt)
    );
  }

  /** Numbers for the roles; new ones for all when most of them are of roles that are gone. */
  #numbers(roles: number): RoleIds {
    // Entries with other numbers agree with no policy that has these.
    if (this.#roleIds.size > 2 * roles + 1000) this.#roleIds = new RoleIds();
    return this.#roleIds;
  }

  async #get(userId: string): Promise<Facts> {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      if (!this.#current()) await this.#renew(() => this.#cached(userId));
      const hit = this.#cached(userId);
      if (hit) return hit;
      await (this.#policy ?? this.#loadPolicy());
      const entry = this.#users.get(userId) ?? (await this.#loadUser(userId));
      const policy = this.#policy;
      if (!policy) continue;
      if (this.#agree(policy, entry)) {
        // The lease may have ended during the reads; then what was read has to be shown current first.
        if (this.#current()) return { policy, entry, source: 'store' };
      } else if (entry.policyRevision > policy.changedAt) {
        this.evictPolicy();
      } else {
        this.evictUser(userId);
      }
    }
    throw errors.E_ROLES_UNAVAILABLE({ details: 'the stored roles kept changing while they were read' });
  }

  async #getPolicy(): Promise<CompiledPolicy> {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      if (!this.#current()) {
        const excused = await this.#renew(() => this.#policy);
        if (excused) return excused;
      }
      const policy = this.#policy ?? (await this.#loadPolicy());
      if (this.#current()) return policy;
    }
    throw errors.E_ROLES_UNAVAILABLE({ details: 'the stored roles kept changing while they were read' });
  }

  async #fresh(userId: string): Promise<FreshFacts> {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const snapshot = await this.#load({ kind: 'user', id: userId });
      const record = checkUserRecord(snapshot.user);
      const entry = this.#makeEntry(snapshot);
      let policy = this.#policy;
      if (policy?.changedAt !== entry.policyRevision) {
        this.evictPolicy();
        policy = await this.#loadPolicy();
      }
      if (policy.changedAt === entry.policyRevision && policy.ids === entry.ids) {
        return { policy, entry, source: 'store', record };
      }
    }
    throw errors.E_ROLES_UNAVAILABLE({ details: 'the stored roles kept changing while they were read' });
  }

  /** Waits for the lease; if that fails within the grace period, what is cached is the excuse to go on. */
  async #renew<T>(cached: () => T | undefined): Promise<T | undefined> {
    const { freshness, clock, graceMs, events } = this.#deps;
    try {
      await freshness.ensure();
    } catch (error) {
      const overMs = clock.monotonic() - this.#lastHeld;
      const excused = overMs <= graceMs ? cached() : undefined;
      if (excused === undefined) throw error;
      events.emit({ type: 'rbac.grace-used', overMs });
      return excused;
    }
    return undefined;
  }

  #loadUser(userId: string): Promise<UserEntry> {
    const running = this.#userFlights.get(userId);
    if (running) return running.promise;
    const flight = this.#fly(
      userKey(userId),
      USER_TOPIC,
      userId,
      { kind: 'user', id: userId },
      (snapshot) => {
        const entry = this.#makeEntry(snapshot);
        this.#remember(userId, entry);
        return entry;
      },
      this.#deps.shared,
    );
    this.#userFlights.set(userId, flight);
    const land = (): void => {
      if (this.#userFlights.get(userId) === flight) this.#userFlights.delete(userId);
    };
    flight.promise.then(land, land);
    return flight.promise;
  }

  #loadPolicy(): Promise<CompiledPolicy> {
    if (this.#policyFlight) return this.#policyFlight.promise;
    const flight = this.#fly(POLICY_KEY, POLICY_TOPIC, '*', { kind: 'policy' }, (snapshot) => {
      const policy = compilePolicy(
        this.#deps.catalogue,
        checkPolicyRecord(snapshot.policy),
        snapshot.policyRevision,
        this.#numbers(snapshot.policy?.roles.length ?? 0),
      );
      if (policy.unresolved.length > 0) {
        this.#deps.events.emit({ type: 'rbac.grants-ignored', permissions: policy.unresolved });
      }
      return (this.#policy = policy);
    });
    this.#policyFlight = flight;
    const land = (): void => {
      if (this.#policyFlight === flight) this.#policyFlight = undefined;
    };
    flight.promise.then(land, land);
    return flight.promise;
  }

  /**
   * One shared load. Its result is kept, and handed to those who wait, only if no change of its subject was applied
   * since before the read began (the fill rule); else it is read again.
   */
  #fly<T>(
    key: string,
    topic: string,
    subject: string,
    scope: LoadScope,
    keep: (snapshot: Snapshot) => T,
    shared?: SharedEntries,
  ): Flight<T> {
    const { freshness } = this.#deps;
    const flight: Flight<T> = { key, stale: false, promise: undefined as never };
    const run = async (): Promise<T> => {
      const found = await shared?.read(subject);
      if (found && !flight.stale) return keep(found);
      for (let round = 0; round < MAX_ROUNDS; round++) {
        flight.stale = false;
        const before = freshness.revision;
        const snapshot = await this.#load(scope);
        if (flight.stale || freshness.changedAt(topic, subject) > before) continue;
        const kept = keep(snapshot);
        const { policyRevision, user } = snapshot;
        void shared?.write(subject, { revision: before, policyRevision, user: user! });
        return kept;
      }
      throw errors.E_ROLES_UNAVAILABLE({ details: 'the stored roles kept changing while they were read' });
    };
    this.#live.add(flight);
    flight.promise = run().finally(() => this.#live.delete(flight));
    return flight;
  }

  async #load(scope: LoadScope): Promise<Snapshot> {
    const { store, deadlineMs, events } = this.#deps;
    try {
      const loading = Promise.resolve(store.load(scope, { deadlineMs }));
      const snapshot = await within(loading, deadlineMs, () => errors.E_ROLES_TIMEOUT());
      if (!Number.isSafeInteger(snapshot.policyRevision)) throw new TypeError('policyRevision is no integer');
      return snapshot;
    } catch (error) {
      const failure = asUnavailable(error);
      events.emit({
        type: 'store.failed',
        store: 'rbac',
        operation: `load ${scope.kind}`,
        code: failure.code,
      });
      throw failure;
    }
  }

  #makeEntry(snapshot: Snapshot): UserEntry {
    const record = checkUserRecord(snapshot.user);
    return makeEntry(this.#deps.catalogue, record, snapshot.policyRevision, this.#roleIds);
  }

  #remember(userId: string, entry: UserEntry): void {
    if (this.#users.size >= this.#deps.maxUsers && !this.#users.has(userId)) {
      const oldest = this.#users.keys().next().value!;
      this.#users.delete(oldest);
      this.#recent.forget(oldest);
    }
    this.#users.set(userId, entry);
    this.#recent.forget(userId);
  }

  #inTime<T>(work: Promise<T>): Promise<T> {
    return within(work, this.#deps.deadlineMs, () => errors.E_ROLES_TIMEOUT()).catch((error: unknown) => {
      throw asUnavailable(error);
    });
  }
}

const POLICY_KEY = 'policy';
const userKey = (userId: string): string => `user ${userId}`;

/** Whatever the store threw, the client learns "temporarily unavailable"; the cause is for the log. */
function asUnavailable(error: unknown): ReturnType<typeof errors.E_ROLES_UNAVAILABLE> {
  if (isSecurityError(error) && KEPT.has(error.code)) return error;
  return errors.E_ROLES_UNAVAILABLE({ cause: error });
}

const KEPT: ReadonlySet<string> = new Set([
  'E_STALE',
  'E_ROLES_UNAVAILABLE',
  'E_ROLES_TIMEOUT',
  'E_POLICY_INVALID',
]);
