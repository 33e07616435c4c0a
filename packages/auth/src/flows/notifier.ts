import type { AuthMessage, Notify } from './messages.js';
import type { Outbox } from './outbox.js';

/** Sends messages without letting an answer wait for them. */
export interface Notifier {
  /** Within a job of {@link later}: rejects if the app's `notify` does. */
  send(message: AuthMessage): Promise<void>;
  /** After the answer; nothing without `notify`. */
  tell(message: AuthMessage): void;
  later(kind: string, job: () => Promise<void>): void;
}

export function createNotifier(notify: Notify | undefined, outbox: Outbox): Notifier {
  const send = async (message: AuthMessage): Promise<void> => notify?.(message);
  return {
    send,
    tell(message) {
      if (notify) outbox.add(message.type, () => send(message));
    },
    later: (kind, job) => outbox.add(kind, job),
  };
}
