import type { Change, ChangeFeed, ChangesRead } from './change-feed.js';
import { systemClock, type Clock } from './clock.js';
import type { Duration } from './duration.js';
import { errors } from './error-codes.js';
import { noEvents, type Events } from './events.js';
import type { Freshness } from './freshness.js';
import { Listeners } from './listeners.js';
import { option, optionConflict, readOptions } from './options.js';
import { within } from './within.js';

export interface FreshnessOptions {
  readonly feed: ChangeFeed;
  /**
   * How long cached facts count after the log was asked, 100 ms to 60 s. The bound of every revoke: all processes on
   * one feed must use the same. @default 1000
   */
  readonly leaseMs?: Duration;
  /** How often the log is read, 10 ms up to half the lease. @default 250 */
  readonly pollMs?: Duration;
  /** How long `ensure()` waits for a renewal, 10 ms to 60 s. @default 250 */
  readonly renewDeadlineMs?: Duration;
  readonly clock?: Clock;
  readonly events?: Events;
}

/**
 * Keeps the lease of this process on a change feed.
 *
 * **Guarantee** (authority in PostgreSQL): after a revoke has resolved, no process that asks `current()` or `ensure()`
 * starts to act on the old fact later than `leaseMs`; usually within milliseconds, by the feed's hint. If the log cannot
 * be read, cached facts stop counting when the lease ends, and `ensure()` refuses with E_STALE.
 * Not covered: work that had already passed its check, clocks whose rates differ by more than 1 %, and virtual machines
 * set back to a snapshot.
 *
 * A synchronous feed needs no lease: `current()` is true until `stop()`.
 * @throws OptionError
 */
export function createFreshness(options: FreshnessOptions): Freshness {
  const read = readOptions('createFreshness', options, {
    feed: option.port<ChangeFeed>(['publish', 'readSince', 'onHint', 'onChange']),
    leaseMs: option.duration({ minMs: 100, maxMs: 60_000, default: 1000 }),
    pollMs: option.duration({ minMs: 10, maxMs: 30_000, default: 250 }),
    renewDeadlineMs: option.duration({ minMs: 10, maxMs: 60_000, default: 250 }),
    clock: option.port<Clock>(['now', 'monotonic'], systemClock),
    events: option.port<Events>(['emit'], noEvents),
  });
  if (read.pollMs > read.leaseMs / 2) {
    optionConflict(
      'createFreshness',
      'pollMs',
      'pollMs must be at most half of leaseMs, or the lease has gaps',
    );
  }
  return read.feed.synchronous ? new SynchronousFreshness(read) : new LeasedFreshness(read);
}

interface Settings {
  readonly feed: ChangeFeed;
  readonly leaseMs: number;
  readonly pollMs: number;
  readonly renewDeadlineMs: number;
  readonly clock: Clock;
  readonly events: Events;
}

/** Beyond so many subjects the oldest knowledge is given up: `changedAt` then answers later than need be, never earlier. */
const MAX_SUBJECTS = 10_000;

/** What has been applied here: the position in the log, who changed when, and who wants to know. */
class Applied {
  /** Where to go on reading; undefined before the first read. */
  position: number | undefined;
  /** Never goes back, even if the log does. */
  revision = 0;
  #floor = 0;
  readonly #changedAt = new Map<string, number>();
  readonly #byTopic = new Map<string, Listeners<readonly Change[] | undefined>>();

  changedAt(topic: string, subject: string): number {
    const own = this.#changedAt.get(keyOf(topic, subject)) ?? 0;
    return Math.max(this.#floor, own, this.#changedAt.get(keyOf(topic, '*')) ?? 0);
  }

  onChanges(topic: string, evict: (changes: readonly Change[] | undefined) => void): () => void {
    let listeners = this.#byTopic.get(topic);
    if (!listeners) this.#byTopic.set(topic, (listeners = new Listeners()));
    return listeners.add(evict);
  }

  /** Throws if a listener threw; then nothing counts as applied, and the same changes come again. */
  apply(read: ChangesRead): void {
    const first = this.position === undefined;
    const backwards = !first && read.revision < this.position!;
    if (first || backwards || read.reset) {
      // Facts that were read before a log went back carry revisions of the lost branch: all of them must look old.
      this.#floor = Math.max(read.revision, first ? 0 : this.revision + 1);
      this.#changedAt.clear();
      this.#evictAll();
    } else {
      this.#note(read.changes);
      this.#deliver(read.changes);
    }
    this.position = read.revision;
    this.revision = Math.max(this.revision, this.#floor, read.revision);
  }

  #note(changes: ChangesRead['changes']): void {
    for (const { topic, subject, revision } of changes) {
      this.#changedAt.set(keyOf(topic, subject), revision);
    }
    if (this.#changedAt.size <= MAX_SUBJECTS) return;
    this.#floor = Math.max(this.#floor, ...this.#changedAt.values());
    this.#changedAt.clear();
  }

  #deliver(changes: readonly Change[]): void {
    for (const [topic, listeners] of this.#byTopic) {
      const own = changes.filter((change) => change.topic === topic);
      if (own.length > 0) listeners.deliver(own);
    }
  }

  #evictAll(): void {
    for (const listeners of this.#byTopic.values()) listeners.deliver(undefined);
  }
}

function keyOf(topic: string, subject: string): string {
  return `${topic}:${subject}`; // A topic has no colon.
}

class LeasedFreshness implements Freshness {
  readonly leaseMs: number;
  readonly #settings: Settings;
  readonly #applied = new Applied();
  readonly #unhint: () => void;
  #leaseUntil = Number.NEGATIVE_INFINITY;
  #renewal: Promise<void> | undefined;
  #again = false;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;
  /** Since when (monotonic) nothing counts because renewals fail. */
  #lostAt: number | undefined;

  constructor(settings: Settings) {
    this.leaseMs = settings.leaseMs;
    this.#settings = settings;
    this.#unhint = settings.feed.onHint(() => this.#hinted());
    this.#poll();
  }

  get revision(): number {
    return this.#applied.revision;
  }

  current(): boolean {
    return this.#settings.clock.monotonic() < this.#leaseUntil;
  }

  async ensure(): Promise<void> {
    if (this.current()) return;
    let cause: unknown;
    // The renewal under way may have been sent too long ago; then one of our own follows, within the same deadline.
    const attempts = async (): Promise<void> => {
      for (let attempt = 0; attempt < 2 && !this.current() && !this.#stopped; attempt++) {
        try {
          await this.#renew();
        } catch (error) {
          cause = error;
        }
      }
    };
    await within(attempts(), this.#settings.renewDeadlineMs, () => errors.E_STALE({ cause }));
    if (!this.current()) throw errors.E_STALE({ cause });
  }

  changedAt(topic: string, subject: string): number {
    return this.#applied.changedAt(topic, subject);
  }

  onChanges(topic: string, evict: (changes: readonly Change[] | undefined) => void): () => void {
    return this.#applied.onChanges(topic, evict);
  }

  async settled(): Promise<void> {
    const { clock } = this.#settings;
    // One hundredth more, for clocks of other machines that run slower. The timer holds the process: somebody waits.
    const end = clock.monotonic() + this.leaseMs * 1.01;
    for (let left = end - clock.monotonic(); left > 0; left = end - clock.monotonic()) {
      await new Promise((resolve) => setTimeout(resolve, Math.min(left, 50)));
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#leaseUntil = Number.NEGATIVE_INFINITY;
    clearTimeout(this.#timer);
    this.#unhint();
    await this.#renewal?.catch(() => undefined);
  }

  #poll(): void {
    if (this.#stopped) return;
    void this.#renew()
      .catch(() => undefined) // Noted by the renewal itself.
      .then(() => {
        if (this.#stopped) return;
        this.#timer = setTimeout(() => this.#poll(), this.#settings.pollMs);
        this.#timer.unref();
      });
  }

  #hinted(): void {
    if (this.#stopped) return;
    // A read under way may have been sent before the change that we are told of.
    if (this.#renewal) this.#again = true;
    else void this.#renew().catch(() => undefined);
  }

  #renew(): Promise<void> {
    if (this.#renewal) return this.#renewal;
    const renewal = this.#readAndApply().finally(() => {
      this.#renewal = undefined;
      if (this.#again) {
        this.#again = false;
        this.#hinted();
      }
    });
    this.#renewal = renewal;
    return renewal;
  }

  async #readAndApply(): Promise<void> {
    const { feed, clock, leaseMs, events } = this.#settings;
    // Before the read: what changes while it is on its way is not in its answer.
    const sentAt = clock.monotonic();
    try {
      // An answer later than the lease would be worth nothing.
      const reading = feed.readSince(this.#applied.position, { deadlineMs: leaseMs });
      const read = await within(reading, leaseMs, () => errors.E_STORE_TIMEOUT(), { background: true });
      this.#applied.apply(read);
    } catch (error) {
      if (!this.current() && this.#lostAt === undefined && !this.#stopped) {
        this.#lostAt = clock.monotonic();
        events.emit({ type: 'freshness.lost', sinceMs: Math.max(0, this.#lostAt - sentAt) });
      }
      throw error;
    }
    if (this.#stopped) return;
    this.#leaseUntil = Math.max(this.#leaseUntil, sentAt + leaseMs);
    if (this.#lostAt !== undefined && this.current()) {
      events.emit({ type: 'freshness.renewed', afterMs: clock.monotonic() - this.#lostAt });
      this.#lostAt = undefined;
    }
  }
}

/** Reader and writer are one process: changes arrive before the writer goes on. */
class SynchronousFreshness implements Freshness {
  readonly leaseMs: number;
  readonly #applied = new Applied();
  readonly #unsubscribe: () => void;
  #stopped = false;

  constructor({ feed, leaseMs }: Settings) {
    this.leaseMs = leaseMs;
    this.#applied.position = 0;
    this.#unsubscribe = feed.onChange((read) => this.#applied.apply(read));
  }

  get revision(): number {
    return this.#applied.revision;
  }

  current(): boolean {
    return !this.#stopped;
  }

  async ensure(): Promise<void> {
    if (this.#stopped) throw errors.E_STALE();
  }

  changedAt(topic: string, subject: string): number {
    return this.#applied.changedAt(topic, subject);
  }

  onChanges(topic: string, evict: (changes: readonly Change[] | undefined) => void): () => void {
    return this.#applied.onChanges(topic, evict);
  }

  async settled(): Promise<void> {}

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#unsubscribe();
  }
}
