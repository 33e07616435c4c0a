import type { Clock } from '../clock.js';
import { createEvents, type Events, type SecurityEvent, type SecurityEventType } from '../events.js';

/** Events that keep what was emitted, for assertions. */
export interface RecordedEvents extends Events {
  /** In the order of emission. */
  readonly all: readonly SecurityEvent[];
  of<T extends SecurityEventType>(type: T): readonly SecurityEvent<T>[];
  clear(): void;
}

export function recordedEvents(deps: { readonly clock?: Clock } = {}): RecordedEvents {
  const events = createEvents(deps);
  const all: SecurityEvent[] = [];
  events.on('*', (event) => void all.push(event));
  return {
    emit: (event) => events.emit(event),
    on: events.on.bind(events),
    get listenerFaults() {
      return events.listenerFaults;
    },
    all,
    of: <T extends SecurityEventType>(type: T) =>
      all.filter((event) => event.type === type) as unknown as SecurityEvent<T>[],
    clear: () => void (all.length = 0),
  };
}
