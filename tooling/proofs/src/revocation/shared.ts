/** How a victim finds out: by its lease on the store that holds the session, or, as control, by messages alone. */
export type Way = 'postgres' | 'redis' | 'messages';
export const WAYS: readonly Way[] = ['postgres', 'redis', 'messages'];

/** Where a revoker without a lease announces what it has ended. */
export const CHANNEL = 'session-ended';

/** A user to ask about, with an access token of a session in each store; as text, for the harness. */
export interface Watched {
  readonly name: string;
  readonly postgres: string;
  readonly redis: string;
}
export const watchText = ({ name, postgres, redis }: Watched): string => `${name} ${postgres} ${redis}`;
export function readWatch(text: string): Watched {
  const [name = '', postgres = '', redis = ''] = text.split(' ');
  return { name, postgres, redis };
}
