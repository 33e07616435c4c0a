import { channel } from 'node:diagnostics_channel';
import { systemClock, type Clock } from './clock.js';

/**
 * Facts that happened, by type. Packages merge their own:
 * `declare module '@portcullis/core' { interface SecurityEvents { 'auth.failed': { reason: string } } }`.
 * Names are `<package>.<past participle>`; payloads are small and hold no secrets.
 */
export interface SecurityEvents {
  'guard.failed': { readonly guard: string; readonly reason: 'threw' | 'undecided' | 'timeout' | 'late' };
  'store.failed': { readonly store: string; readonly operation: string; readonly code: string };
  'freshness.lost': { readonly sinceMs: number };
  'freshness.renewed': { readonly afterMs: number };
}

export type SecurityEventType = keyof SecurityEvents & string;
export type SecurityEvent<T extends SecurityEventType = SecurityEventType> = {
  [K in T]: { readonly type: K; readonly at: number } & SecurityEvents[K];
}[T];

type Payload<T extends SecurityEventType> = { readonly type: T } & SecurityEvents[T];
type Listener = (event: SecurityEvent) => void;

/**
 * Synchronous and lossy by design: for noticing, not for proving (that is `audit.record()`).
 * `emit` never throws; faults of listeners are counted. Every event is mirrored to the
 * `diagnostics_channel` named `portcullis:event`.
 */
export interface Events {
  emit<T extends SecurityEventType>(event: Payload<T>): void;
  /** Listens to one type, or to all with `'*'`. Returns the function that stops it. */
  on<T extends SecurityEventType>(type: T, listener: (event: SecurityEvent<T>) => void): () => void;
  on(type: '*', listener: Listener): () => void;
  /** Listener calls that threw since the start. */
  readonly listenerFaults: number;
}

export function createEvents(deps: { readonly clock?: Clock } = {}): Events {
  const clock = deps.clock ?? systemClock;
  const mirror = channel('portcullis:event');
  const listeners = new Map<string, Set<Listener>>();
  let faults = 0;

  function deliver(set: Set<Listener> | undefined, event: SecurityEvent): void {
    if (!set) return;
    for (const listener of set) {
      try {
        const result: unknown = listener(event);
        // A listener declared async must not end the process with an unhandled rejection.
        if (result instanceof Promise) result.catch(() => faults++);
      } catch {
        faults++;
      }
    }
  }

  return {
    emit(event) {
      const stamped = Object.freeze({ at: clock.now(), ...event }) as unknown as SecurityEvent;
      deliver(listeners.get(event.type), stamped);
      deliver(listeners.get('*'), stamped);
      if (mirror.hasSubscribers) mirror.publish(stamped);
    },
    on(type: string, listener: (event: never) => void) {
      const set = listeners.get(type) ?? new Set<Listener>();
      listeners.set(type, set.add(listener as Listener));
      return () => void set.delete(listener as Listener);
    },
    get listenerFaults() {
      return faults;
    },
  };
}

/** Swallows everything; the default where an app passes no events. */
export const noEvents: Events = Object.freeze({
  emit: () => undefined,
  on: () => () => undefined,
  listenerFaults: 0,
});
