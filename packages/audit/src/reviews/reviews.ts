import {
  isAuthenticated,
  type Clock,
  type Events,
  type Principal,
  type SecurityRequest,
} from '@portcullis/core';
import type { StoredEntry } from '../entry.js';
import { errors } from '../error-codes.js';
import { leafHash } from '../leaf.js';
import { checkQuery, type AuditPage, type CheckedQuery } from '../query.js';
import type { AuditRecord } from '../record.js';
import type { Receipt } from '../writer.js';
import type { ReviewDuty } from './review-policy.js';
import { COMPLETED, SIGNED, TARGET, type ReviewCompleted, type ReviewSigned } from './review-records.js';

/** Who reviews: a person. `request` gives the principal, and the circumstances for the log. */
export type Reviewer =
  | { readonly request: SecurityRequest; readonly principal?: Principal }
  | { readonly principal: Principal; readonly request?: SecurityRequest };

export interface ReviewItem {
  readonly entry: StoredEntry;
  /** ISO 8601. */
  readonly dueAt: string;
  readonly overdue: boolean;
}

export interface ReviewQueue {
  /** What this reviewer may sign off, oldest first. */
  readonly items: readonly ReviewItem[];
  /** Entries that wait for another reviewer, because this one did what they tell. */
  readonly own: number;
  readonly status: ReviewStatus;
}

export interface ReviewStatus {
  readonly policy: string;
  /** Entries that wait for a review. */
  readonly open: number;
  /** Those of them that wait too long. */
  readonly overdue: number;
  /** Everything that was recorded before has been reviewed and a person has said so; absent before the first round. ISO 8601. */
  readonly through?: string;
  /** When something becomes, or became, overdue: an entry or the next round. */
  readonly dueAt: string;
  readonly isOverdue: boolean;
}

export interface SignOff {
  /** Ids, 1 to 200. */
  readonly entries: readonly string[];
  readonly by: Reviewer;
  /** What was looked at, and what came of it: 1 to 1,000 characters. */
  readonly reason: string;
  /** Something was wrong. @default false */
  readonly finding?: boolean;
}

export interface Completion {
  readonly by: Reviewer;
  readonly reason: string;
  /** Everything that was recorded before is reviewed. Not in the future, and not before the last round's. @default now */
  readonly through?: Date | number | string;
}

export interface AuditReviews {
  /**
   * What is due, oldest first. Who may review is for the caller to decide: a reviewer sees these entries whoever caused them.
   * @param limit Integer 1 to 500. @default 50
   * @throws SqlError | E_AUDIT_UNAVAILABLE; TypeError for a policy that is none
   */
  queue(policy: string, by: Reviewer, limit?: number): Promise<ReviewQueue>;
  /**
   * A person has reviewed these entries. It is in the log itself, with the hashes of the entries.
   * @throws E_AUDIT_REVIEWER_REFUSED for who is no person, or did what an entry tells; E_AUDIT_REVIEW_NOT_DUE for an entry that does
   * not wait (any more); E_AUDIT_UNAVAILABLE | SqlError; TypeError for a policy that is none, or without a reason
   */
  signOff(policy: string, signOff: SignOff): Promise<Receipt>;
  /**
   * Ends a round: a person says that the review was made, also if there was nothing to look at.
   * @throws E_AUDIT_REVIEW_OPEN if entries of that time wait; E_AUDIT_REVIEWER_REFUSED; E_AUDIT_UNAVAILABLE | SqlError; TypeError as above
   */
  complete(policy: string, completion: Completion): Promise<Receipt>;
  /**
   * The newest round (or the one of this id, from the receipt) as lines for `verifyReview()`: how it was ended, all sign-offs, and every
   * entry that they are about, each with the proof that it is in the log.
   * @throws TypeError for a round that is none, or without signer
   */
  evidence(policy: string, round?: string): AsyncIterable<string>;
  /** @throws SqlError | E_AUDIT_UNAVAILABLE */
  status(): Promise<readonly ReviewStatus[]>;
}

export interface ReviewDeps {
  readonly duties: ReadonlyMap<string, ReviewDuty>;
  readonly clock: Clock;
  readonly events: Events;
  readonly checkEveryMs: number;
  /** After everything that was recorded before. */
  readonly find: (query: CheckedQuery) => Promise<AuditPage>;
  readonly settled: () => Promise<void>;
  readonly record: (record: AuditRecord) => Promise<Receipt>;
  readonly disclose: (ids: Iterable<string>) => AsyncIterable<string>;
}

interface Waiting {
  readonly entry: StoredEntry;
  readonly seq: bigint;
  /** Who did it, and who acted for them. */
  readonly actors: readonly string[];
  readonly leaf: string;
}

/** What the log says about a policy now. */
interface State {
  readonly last: Round | undefined;
  /** Oldest first. */
  readonly open: readonly Waiting[];
  /** Since the last round, newest first. */
  readonly signOffs: readonly { readonly entry: StoredEntry; readonly data: ReviewSigned }[];
}

interface Round {
  readonly entry: StoredEntry;
  readonly data: ReviewCompleted;
}

const MAX_SIGNED = 200;
const MAX_REASON = 1_000;

/**
 * Regular review of the log, kept in the log: what waits is what a policy matches and no sign-off since the last round names. So it is
 * as durable, as tamper-evident and as much the same in all processes as the log itself.
 * @see OWASP Logging Cheat Sheet; PCI DSS 4.0 section 10.4
 */
export class Reviews implements AuditReviews {
  readonly #deps: ReviewDeps;
  readonly #known = new Map<string, ReviewStatus>();
  readonly #timer: NodeJS.Timeout | undefined;
  readonly #first: NodeJS.Immediate | undefined;

  constructor(deps: ReviewDeps) {
    this.#deps = deps;
    if (deps.duties.size === 0) return;
    // What cannot be asked now is asked again.
    const check = (): void => void this.status().catch(() => undefined);
    this.#timer = setInterval(check, deps.checkEveryMs);
    this.#timer.unref();
    this.#first = setImmediate(check).unref();
  }

  /** As far as this process knows. */
  get known(): readonly ReviewStatus[] {
    return [...this.#known.values()];
  }

  close(): void {
    clearInterval(this.#timer);
    clearImmediate(this.#first);
  }

  async queue(policy: string, by: Reviewer, limit = 50): Promise<ReviewQueue> {
    if (!Number.isInteger(limit) || limit < 1 || limit > 500) throw new TypeError('limit is 1 to 500.');
    const duty = this.#duty(policy);
    const reviewer = personOf(by);
    const { state, status } = await this.#look(duty);
    const others = state.open.filter(({ actors }) => !isOneOf(reviewer, actors));
    const now = this.#deps.clock.now();
    return {
      items: others.slice(0, limit).map((one) => {
        const dueAt = Date.parse(one.entry.time) + duty.withinMs;
        return { entry: one.entry, dueAt: iso(dueAt), overdue: dueAt < now };
      }),
      own: state.open.length - others.length,
      status,
    };
  }

  async signOff(policy: string, { entries, by, reason, finding = false }: SignOff): Promise<Receipt> {
    const duty = this.#duty(policy);
    const ids = [...new Set(entries)];
    if (ids.length === 0 || ids.length > MAX_SIGNED)
      throw new TypeError('One to 200 entries are signed off.');
    checkReason(reason);
    const reviewer = personOf(by);
    const { state } = await this.#look(duty);
    const open = new Map(state.open.map((one) => [one.entry.id, one]));
    const chosen = ids.map((id) => open.get(id) ?? refuseNotDue());
    if (chosen.some(({ actors }) => isOneOf(reviewer, actors))) throw errors.E_AUDIT_REVIEWER_REFUSED();
    const data: ReviewSigned = {
      entries: chosen.map(({ entry, leaf }) => ({ id: entry.id, leaf })),
      finding,
    };
    const receipt = await this.#record(SIGNED, duty, by, reason, data);
    await this.#look(duty);
    return receipt;
  }

  async complete(policy: string, { by, reason, through }: Completion): Promise<Receipt> {
    const duty = this.#duty(policy);
    checkReason(reason);
    personOf(by);
    const { clock, find } = this.#deps;
    const now = clock.now();
    const to = checkQuery({ viewer: 'system', to: through ?? now }).to!;
    const { state } = await this.#look(duty);
    const earliest = state.last?.data.through ?? duty.since;
    if (to < earliest || Date.parse(to) > now) {
      throw new TypeError(`A round goes to a time between ${earliest} and now.`);
    }
    const waiting = state.open.filter(({ entry }) => entry.time < to).length;
    if (waiting > 0) throw errors.E_AUDIT_REVIEW_OPEN({ details: { waiting } });
    // Entries come into the log in another order than they happened: what is behind this place and happened before is found by the next round.
    const newest = (await find(checkQuery({ viewer: 'system', to, limit: 1 }))).entries[0];
    const upTo = smallest(
      newest ? BigInt(newest.seq) : 0n,
      state.open[0] ? state.open[0].seq - 1n : undefined,
    );
    const before = BigInt(state.last?.data.upTo ?? 0);
    const data: ReviewCompleted = {
      through: to,
      upTo: String(upTo > before ? upTo : before),
      signedUpTo: state.signOffs[0]?.entry.seq ?? state.last?.data.signedUpTo ?? '0',
      reviewed: state.signOffs.reduce((sum, one) => sum + one.data.entries.length, 0),
      findings: state.signOffs.filter((one) => one.data.finding).length,
    };
    const receipt = await this.#record(COMPLETED, duty, by, reason, data);
    await this.#look(duty);
    return receipt;
  }

  async *evidence(policy: string, round?: string): AsyncIterable<string> {
    const duty = this.#duty(policy);
    await this.#deps.settled();
    const rounds: Round[] = [];
    for await (const entry of this.#about(duty, COMPLETED, 0n)) {
      rounds.push({ entry, data: entry.data as ReviewCompleted });
      // The one before the one that is asked for is where it began.
      if (rounds.length > 1 && (round === undefined || rounds.at(-2)!.entry.id === round)) break;
    }
    const at = round === undefined ? 0 : rounds.findIndex(({ entry }) => entry.id === round);
    const chosen = rounds[at];
    if (!chosen) throw new TypeError('There is no such round.');
    const signed: string[] = [];
    const about: string[] = [];
    for await (const entry of this.#about(duty, SIGNED, BigInt(rounds[at + 1]?.data.signedUpTo ?? 0))) {
      if (BigInt(entry.seq) > BigInt(chosen.data.signedUpTo)) continue;
      signed.unshift(entry.id);
      about.unshift(...(entry.data as ReviewSigned).entries.map(({ id }) => id));
    }
    yield* this.#deps.disclose(new Set([chosen.entry.id, ...signed, ...about]));
  }

  async status(): Promise<readonly ReviewStatus[]> {
    const found: ReviewStatus[] = [];
    for (const duty of this.#deps.duties.values()) found.push((await this.#look(duty)).status);
    return found;
  }

  #duty(policy: string): ReviewDuty {
    const duty = this.#deps.duties.get(policy);
    if (!duty) throw new TypeError(`There is no review policy ${JSON.stringify(policy)}.`);
    return duty;
  }

  #record(
    action: string,
    { name }: ReviewDuty,
    { request, principal }: Reviewer,
    reason: string,
    data: ReviewSigned | ReviewCompleted,
  ): Promise<Receipt> {
    return this.#deps.record({
      action,
      outcome: 'success',
      target: { type: TARGET, id: name },
      reason,
      data: { ...data },
      ...(request ? { request } : {}),
      ...(principal ? { actor: principal } : {}),
    });
  }

  async #look(duty: ReviewDuty): Promise<{ readonly state: State; readonly status: ReviewStatus }> {
    await this.#deps.settled();
    const state = await this.#read(duty);
    const status = this.#statusOf(duty, state);
    const wasOverdue = this.#known.get(duty.name)?.isOverdue ?? false;
    this.#known.set(duty.name, status);
    if (status.isOverdue && !wasOverdue) {
      const { policy, open, overdue, dueAt } = status;
      this.#deps.events.emit({ type: 'audit.review-overdue', policy, open, overdue, dueAt });
    }
    return { state, status };
  }

  async #read(duty: ReviewDuty): Promise<State> {
    let last: Round | undefined;
    for await (const entry of this.#about(duty, COMPLETED, 0n)) {
      last = { entry, data: entry.data as ReviewCompleted };
      break;
    }
    const upTo = BigInt(last?.data.upTo ?? 0);
    const signedUpTo = BigInt(last?.data.signedUpTo ?? 0);
    const signed = new Set<string>();
    const signOffs: { entry: StoredEntry; data: ReviewSigned }[] = [];
    // Sign-offs of an earlier round may be about entries behind its place.
    for await (const entry of this.#about(duty, SIGNED, smallest(upTo, signedUpTo))) {
      const data = entry.data as ReviewSigned;
      for (const { id } of data.entries) signed.add(id);
      if (BigInt(entry.seq) > signedUpTo) signOffs.push({ entry, data });
    }
    const open = new Map<string, Waiting>();
    for (const filter of duty.filters) {
      for await (const entry of this.#after(filter, upTo)) {
        if (signed.has(entry.id) || open.has(entry.id) || isAbout(entry, duty)) continue;
        const leaf = leafHash(entry.body);
        if (!isChosen(leaf, duty.sample)) continue;
        const { id, seq, actor } = entry;
        const actors = [actor.id, actor.by].filter((one) => one !== undefined);
        open.set(id, { entry, seq: BigInt(seq), actors, leaf: leaf.toString('base64') });
      }
    }
    return { last, signOffs, open: [...open.values()].sort((a, b) => (a.seq < b.seq ? -1 : 1)) };
  }

  #statusOf({ name, since, withinMs }: ReviewDuty, { last, open }: State): ReviewStatus {
    const now = this.#deps.clock.now();
    const through = last?.data.through;
    const dueOf = (time: string): number => Date.parse(time) + withinMs;
    const dueAt = open.reduce(
      (soonest, { entry }) => Math.min(soonest, dueOf(entry.time)),
      dueOf(through ?? since),
    );
    const overdue = open.filter(({ entry }) => dueOf(entry.time) < now).length;
    return {
      policy: name,
      open: open.length,
      overdue,
      ...(through === undefined ? {} : { through }),
      dueAt: iso(dueAt),
      isOverdue: overdue > 0 || dueAt < now,
    };
  }

  /** What the log says about a policy itself, newest first. */
  #about({ name }: ReviewDuty, action: string, after: bigint): AsyncIterable<StoredEntry> {
    const target = { type: TARGET, id: name };
    return this.#after(checkQuery({ viewer: 'system', action, target, limit: 500 }), after);
  }

  /** Newest first. */
  async *#after(query: CheckedQuery, after: bigint): AsyncIterable<StoredEntry> {
    let before: string | undefined;
    do {
      const { entries, next } = await this.#deps.find({ ...query, before });
      for (const entry of entries) {
        if (BigInt(entry.seq) <= after) return;
        yield entry;
      }
      before = next;
    } while (before !== undefined);
  }
}

/** @throws E_AUDIT_REVIEWER_REFUSED */
function personOf({ principal, request }: Reviewer): readonly string[] {
  const who = principal ?? request?.security?.principal;
  if (!who || !isAuthenticated(who) || who.kind !== 'user') throw errors.E_AUDIT_REVIEWER_REFUSED();
  return who.actor ? [who.id, who.actor.id] : [who.id];
}

function isOneOf(reviewer: readonly string[], actors: readonly string[]): boolean {
  return actors.some((actor) => reviewer.includes(actor));
}

/** By the hash, which nobody can choose: it stands on that of the entry before. */
function isChosen(leaf: Buffer, sample: number): boolean {
  return leaf.readUInt32BE(0) < sample * 2 ** 32;
}

/** A policy that matches its own sign-offs would never come to an end. */
function isAbout({ action, target }: StoredEntry, { name }: ReviewDuty): boolean {
  return (action === SIGNED || action === COMPLETED) && target?.id === name;
}

function checkReason(reason: unknown): void {
  if (typeof reason !== 'string' || reason.trim() === '' || reason.length > MAX_REASON) {
    throw new TypeError('A review needs a reason of 1 to 1,000 characters.');
  }
}

function refuseNotDue(): never {
  throw errors.E_AUDIT_REVIEW_NOT_DUE();
}

function smallest(a: bigint, b: bigint | undefined): bigint {
  return b === undefined || a < b ? a : b;
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
