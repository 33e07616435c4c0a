import { inProduction } from '../environment.js';
import type { AuthMessage, Notify } from '../flows/messages.js';

type TypeWithToken = Extract<AuthMessage, { token: unknown }>['type'];

export interface Mailbox {
  /** For `createAuth({ notify })`. */
  readonly notify: Notify;
  readonly all: readonly AuthMessage[];
  /** What was sent to an address, the last one last. */
  to(address: string): readonly AuthMessage[];
  /** The token of the last message of this type to an address. @throws Error if there is none */
  token(type: TypeWithToken, address: string): string;
  clear(): void;
}

/**
 * Keeps messages instead of sending them; await `auth.settled()` before you look.
 * @throws Error in production
 */
export function mailbox(): Mailbox {
  if (inProduction()) throw new Error('mailbox() sends nothing: it is for tests only.');
  const all: AuthMessage[] = [];
  return {
    notify: async (message) => void all.push(message),
    all,
    to: (address) => all.filter((message) => message.to === address),
    token(type, address) {
      const message = all.findLast((one) => one.type === type && one.to === address);
      if (!message || !('token' in message)) throw new Error(`No message ${type} was sent to ${address}.`);
      return message.token.reveal();
    },
    clear: () => void all.splice(0),
  };
}
