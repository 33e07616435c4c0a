import { within, type Clock, type Events } from '@portcullis/core';
import type { Checkpoint } from '../checkpoint.js';
import { errors } from '../error-codes.js';
import { reasonOf } from '../writer.js';
import type { Anchor, AnchoredLog } from './anchor.js';

export interface AnchorStatus {
  readonly name: string;
  /** `waiting`: it has not been asked yet, or has not answered. */
  readonly state: 'waiting' | 'up' | 'down';
  /** Of the newest checkpoint that it took from this process. */
  readonly size: number | undefined;
}

export interface AnchorRunnerDeps {
  readonly log: AnchoredLog;
  readonly clock: Clock;
  readonly events: Events;
  /** Longest time for one call. */
  readonly deadlineMs: number;
  readonly retryMs: number;
}

const MAX_BACK_OFF = 64;

/** Brings the newest checkpoint to one anchor, again and again until it takes it; nothing waits for it. */
export class AnchorRunner {
  readonly #anchor: Anchor;
  readonly #deps: AnchorRunnerDeps;
  #wanted: Checkpoint | undefined;
  #size: number | undefined;
  #running: Promise<void> | undefined;
  #downSince: number | undefined;
  #backOff = 1;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(anchor: Anchor, deps: AnchorRunnerDeps) {
    this.#anchor = anchor;
    this.#deps = deps;
  }

  get status(): AnchorStatus {
    const state = this.#downSince !== undefined ? 'down' : this.#size === undefined ? 'waiting' : 'up';
    return { name: this.#anchor.name, state, size: this.#size };
  }

  /** What the anchor held before; undefined if it cannot say now. */
  async latest(log: string): Promise<string | undefined> {
    const anchor = this.#anchor;
    if (!anchor.latest) return undefined;
    try {
      return await within(anchor.latest(log), this.#deps.deadlineMs, this.#late);
    } catch (error) {
      this.#failed(error);
      return undefined;
    }
  }

  /** Resolves when the anchor has answered once; never rejects. */
  publish(checkpoint: Checkpoint): Promise<void> {
    if (this.#wanted && this.#wanted.size > checkpoint.size) return this.#running ?? Promise.resolve();
    this.#wanted = checkpoint;
    // While it is down, the timer asks it again.
    if (this.#downSince !== undefined && !this.#closed && this.#timer) return Promise.resolve();
    return this.#wake();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.#wake();
  }

  #wake(): Promise<void> {
    this.#running ??= this.#run().finally(() => (this.#running = undefined));
    return this.#running;
  }

  async #run(): Promise<void> {
    for (;;) {
      const wanted = this.#wanted;
      if (!wanted || (this.#size ?? -1) >= wanted.size) return;
      try {
        const { deadlineMs, log } = this.#deps;
        await within(this.#anchor.publish(wanted, log), deadlineMs, this.#late);
      } catch (error) {
        this.#failed(error);
        this.#schedule();
        return;
      }
      this.#size = wanted.size;
      this.#succeeded();
    }
  }

  #schedule(): void {
    if (this.#closed) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      void this.#wake();
    }, this.#deps.retryMs * this.#backOff);
    this.#timer.unref();
    this.#backOff = Math.min(this.#backOff * 2, MAX_BACK_OFF);
  }

  readonly #late = (): Error => errors.E_AUDIT_UNAVAILABLE({ details: { anchor: this.#anchor.name } });

  #failed(error: unknown): void {
    if (this.#downSince !== undefined) return;
    this.#downSince = this.#deps.clock.monotonic();
    this.#deps.events.emit({
      type: 'audit.anchor-failed',
      anchor: this.#anchor.name,
      reason: reasonOf(error),
    });
  }

  #succeeded(): void {
    this.#backOff = 1;
    if (this.#downSince === undefined) return;
    const afterMs = this.#deps.clock.monotonic() - this.#downSince;
    this.#downSince = undefined;
    this.#deps.events.emit({ type: 'audit.anchor-recovered', anchor: this.#anchor.name, afterMs });
  }
}
